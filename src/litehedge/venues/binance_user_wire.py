"""The messages of Binance's user stream, as they come. Pure.

Formats: developers.binance.com, "USDS Margined Futures / User Data Streams"; `binance_user` turns
them into reports.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from litehedge.venues.binance_account import Leg, VenueStatus
from litehedge.venues.binance_wire import Id, Ms, Name, OrderSide


class OrderSoFar(Struct):
    """An order so far: `l`, `L`, `n` are its last fill, price and fee, `z`, `ap` all fills."""

    s: Name
    c: Name
    S: OrderSide
    x: Name
    X: VenueStatus
    i: Id
    l: Decimal  # noqa: E741
    z: Decimal
    L: Decimal
    ap: Decimal
    T: Ms
    t: Id = 0
    n: Decimal = Decimal(0)
    N: Name | None = None
    ps: Leg = "BOTH"
    er: str | int = "0"


class OrderUpdate(Struct, tag_field="e", tag="ORDER_TRADE_UPDATE"):
    """Something happened to an order."""

    o: OrderSoFar


class TradeLite(Struct, tag_field="e", tag="TRADE_LITE"):
    """A fill, told early, without its fee."""

    s: Name
    c: Name
    q: Decimal
    l: Decimal  # noqa: E741
    L: Decimal
    t: Id
    T: Ms


class WalletChange(Struct):
    """A wallet, and what came to it other than profit and fees (`bc`)."""

    a: Name
    wb: Decimal
    bc: Decimal = Decimal(0)


class LegChange(Struct):
    """A leg that changed."""

    s: Name
    pa: Decimal
    ep: Decimal
    ps: Leg
    mt: Name = "cross"
    iw: Decimal = Decimal(0)


class AccountChange(Struct):
    """What changed, and why (`m`)."""

    m: Name
    B: list[WalletChange] = []
    P: list[LegChange] = []
    S: Name | None = None


class AccountUpdate(Struct, tag_field="e", tag="ACCOUNT_UPDATE"):
    """Balances and legs changed."""

    T: Ms
    a: AccountChange


class Called(Struct):
    """A leg in danger."""

    s: Name
    ps: Leg
    mp: Decimal
    mm: Decimal


class MarginCall(Struct, tag_field="e", tag="MARGIN_CALL"):
    """The margin is about to run out. It may come after the liquidation."""

    p: list[Called]


class LeverageChange(Struct):
    """The leverage of a contract."""

    s: Name
    l: Annotated[int, Meta(ge=1, le=1000)]  # noqa: E741


class Assets(Struct):
    """Whether several assets back the positions."""

    j: bool


class ConfigUpdate(Struct, tag_field="e", tag="ACCOUNT_CONFIG_UPDATE"):
    """Leverage or asset mode changed."""

    ac: LeverageChange | None = None
    ai: Assets | None = None


class KeyExpired(Struct, tag_field="e", tag="listenKeyExpired"):
    """The stream is at its end."""

    E: Ms  # text in this message alone


class Algo(Struct):
    """A stop: `X` its state, `ap` and `aq` what it filled once triggered."""

    caid: Name
    s: Name
    X: Literal["NEW", "CANCELED", "TRIGGERING", "TRIGGERED", "FINISHED", "REJECTED", "EXPIRED"]
    ap: str = "0"
    aq: str = "0"
    rm: str = ""


class AlgoUpdate(Struct, tag_field="e", tag="ALGO_UPDATE"):
    """Something happened to a stop."""

    T: Ms
    o: Algo


class Rejected(Struct):
    """What was refused, and why."""

    s: Name
    r: str = ""


class TriggerReject(Struct, tag_field="e", tag="CONDITIONAL_ORDER_TRIGGER_REJECT"):
    """A stop was triggered and refused."""

    told: Rejected = field(name="or")


class Strategy(Struct, tag_field="e", tag="STRATEGY_UPDATE"):
    """Not ours."""


class Grid(Struct, tag_field="e", tag="GRID_UPDATE"):
    """Not ours."""


Heard = (
    OrderUpdate | TradeLite | AccountUpdate | MarginCall | ConfigUpdate | KeyExpired
    | AlgoUpdate | TriggerReject | Strategy | Grid
)  # fmt: skip
HEARD: Final = msgspec.json.Decoder(Heard, strict=False)

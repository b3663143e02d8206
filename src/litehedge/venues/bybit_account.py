"""Bybit v5: what an account holds, and what a key may do. Pure.

Shapes: https://bybit-exchange.github.io/docs/v5/account/, `/v5/position/`, `/v5/user/apikey-info`,
`/v5/websocket/private/`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from litehedge.errors import BadMessage, WrongSetup
from litehedge.orders.reports import AccountReport, LegReport, OtherPosition, PositionSide
from litehedge.venues.bybit_orders import Private
from litehedge.venues.bybit_values import SKIPPED, Whole, Wire, decode, money, one_of, time_ns

_SIDES: Final[dict[int, PositionSide]] = {0: "both", 1: "long", 2: "short"}


class _Coin(Wire, frozen=True):
    coin: str
    wallet_balance: str = ""


class _Wallet(Wire, frozen=True):
    account_type: str = ""
    coin: tuple[_Coin, ...] = ()


class _Wallets(Wire, frozen=True):
    rows: list[_Wallet] = msgspec.field(name="list")


class PositionRow(Wire, frozen=True):
    """A leg; the entry is `avgPrice` in lists and `entryPrice` in the topic."""

    symbol: str
    position_idx: Whole
    side: str
    size: str
    avg_price: str = ""
    entry_price: str = ""
    leverage: str = ""
    liq_price: str = ""
    position_balance: str = ""
    stop_loss: str = ""
    seq: Whole = 0


class _Positions(Wire, frozen=True):
    rows: list[PositionRow] = msgspec.field(name="list")


class _OtherRow(Wire, frozen=True):
    symbol: str
    side: str
    size: str
    position_value: str = ""
    maintenance: str = msgspec.field(default="", name="positionMM")
    profit: str = msgspec.field(default="", name="unrealisedPnl")


class _OtherRows(Wire, frozen=True):
    rows: list[_OtherRow] = msgspec.field(name="list")


class _Info(Wire, frozen=True):
    margin_mode: str
    unified_margin_status: Whole = 0


class _Key(Wire, frozen=True):
    read_only: Whole
    permissions: dict[str, list[str]]


_WALLET_ROWS = msgspec.json.Decoder(list[_Wallet])
_WALLETS = msgspec.json.Decoder(_Wallets)
_POSITION_ROWS = msgspec.json.Decoder(list[PositionRow])
_POSITIONS = msgspec.json.Decoder(_Positions)
_OTHERS = msgspec.json.Decoder(_OtherRows)
_INFO = msgspec.json.Decoder(_Info)
_KEY = msgspec.json.Decoder(_Key)


class KeyRights(msgspec.Struct, frozen=True):
    """What a key may do."""

    can_trade: bool
    can_withdraw: bool


def key_rights(result: msgspec.Raw) -> KeyRights:
    """Read `user/query-api`.

    Raises
    ------
    BadMessage
        When it cannot be read.
    """
    key = decode(_KEY, result, "key information")
    contract = key.permissions.get("ContractTrade", [])
    trades = "Order" in contract or "DerivativesTrade" in key.permissions.get("Derivatives", [])
    return KeyRights(
        can_trade=key.read_only == 0 and trades,
        can_withdraw="Withdraw" in key.permissions.get("Wallet", []),
    )


def is_isolated(result: msgspec.Raw) -> bool:
    """Read `account/info`: whether legs have a margin of their own.

    Raises
    ------
    BadMessage
        When it cannot be read.
    WrongSetup
        Under portfolio margin, of which our margin account knows nothing.
    """
    mode = decode(_INFO, result, "account information").margin_mode
    if mode == "PORTFOLIO_MARGIN":
        raise WrongSetup(
            "the bybit account is under portfolio margin, whose liquidations cannot be foreseen",
            "switch it to cross or isolated margin; nothing was started, position and hedge stay "
            "as they are",
        )
    isolated: bool = one_of(mode, {"ISOLATED_MARGIN": True, "REGULAR_MARGIN": False}, "margin mode")
    return isolated


def wallet_of(result: msgspec.Raw) -> Decimal:
    """Read `account/wallet-balance`: the USDT, without unrealised profit.

    Other coins may back positions too; they are not counted, so we are never more at ease than we
    ought to be.

    Raises
    ------
    BadMessage
        When it cannot be read.
    """
    found = _usdt(decode(_WALLETS, result, "wallet").rows)
    return Decimal(0) if found is None else found


def _usdt(rows: list[_Wallet]) -> Decimal | None:
    for row in rows:
        if row.account_type not in ("UNIFIED", ""):
            continue
        for coin in row.coin:
            if coin.coin == "USDT":
                return money(coin.wallet_balance, "wallet balance", signed=True)
    return None


def positions_of(result: msgspec.Raw) -> list[PositionRow]:
    """Read `position/list`.

    Raises
    ------
    BadMessage
        When it cannot be read.
    """
    return decode(_POSITIONS, result, "position list").rows


def others_of(result: msgspec.Raw, symbol: str, isolated: bool) -> list[OtherPosition]:
    """Read `position/list` of all contracts in USDT: those that are not ours and hold something.

    Raises
    ------
    BadMessage
        When it cannot be read.
    """
    found = []
    for row in decode(_OTHERS, result, "position list").rows:
        size = money(row.size, "size of a position")
        if row.symbol == symbol or not size:
            continue
        found.append(
            OtherPosition(
                symbol=row.symbol,
                qty=-size if row.side == "Sell" else size,
                notional_usdt=money(row.position_value, "value of a position"),
                maintenance_usdt=money(row.maintenance, "maintenance margin of a position"),
                unrealised_usdt=money(row.profit, "profit of a position", signed=True),
                isolated=isolated,
            )
        )
    return found


def leg_side(row: PositionRow) -> PositionSide:
    """Return which leg a row is about.

    Raises
    ------
    BadMessage
        When its index is none.
    """
    return one_of(str(row.position_idx), _BY_TEXT, "position index")


def leg(row: PositionRow, isolated: bool) -> LegReport:
    """Return one leg with its signed quantity.

    Raises
    ------
    BadMessage
        When what it tells cannot be true.
    """
    side = leg_side(row)
    size = money(row.size, "size of a position")
    if size and row.side not in ("Buy", "Sell"):
        raise BadMessage(f"bybit position has side {row.side[:20]!r}", SKIPPED)
    qty = -size if row.side == "Sell" else size
    if size and {"long": "Buy", "short": "Sell", "both": row.side}[side] != row.side:
        raise BadMessage(f"bybit position {row.position_idx} is on side {row.side}", SKIPPED)
    entry = money(row.avg_price or row.entry_price, "entry price")
    if size and not entry:
        raise BadMessage("bybit position has no entry price", SKIPPED)
    liquidation = money(row.liq_price, "liquidation price")
    return LegReport(
        position_side=side,
        qty_ltc=qty,
        entry_usdt=entry if size else Decimal(0),
        leverage=money(row.leverage, "leverage"),
        isolated=isolated,
        isolated_wallet_usdt=money(row.position_balance, "margin of a position", signed=True)
        if isolated and size
        else Decimal(0),
        liquidation_usdt=liquidation if liquidation and size else None,
    )


_BY_TEXT: Final = {str(idx): side for idx, side in _SIDES.items()}


class AccountMirror:
    """What the account holds, from answers that tell all and topics that tell what changed.

    Topics may be behind an answer that came in between: of two states of a leg the one with the
    higher `seq` counts, of two wallets the later. When the mode changes, nothing is known until
    the whole account was read.
    """

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._rows: dict[int, PositionRow] = {}
        self._wallet = Decimal(0)
        self._wallet_ns = 0
        self._isolated = False
        self._rights: KeyRights | None = None
        self._whole = False
        self._others: list[OtherPosition] = []
        self._time_ns = 0

    @property
    def hedge_mode(self) -> bool:
        """Whether long and short are held apart."""
        return 0 not in self._rows and bool(self._rows)

    def whole(
        self,
        rows: list[PositionRow],
        wallet_usdt: Decimal,
        isolated: bool,
        rights: KeyRights,
        time_ns: int,
        others: list[OtherPosition] | None = None,
    ) -> AccountReport:
        """Take in the whole account as it was read.

        Raises
        ------
        BadMessage
            When a leg cannot be true, or there is none of our contract.
        """
        ours = {row.position_idx: row for row in rows if row.symbol == self._symbol}
        if not ours:
            raise BadMessage(f"bybit tells no position of {self._symbol}", "it is asked again")
        for row in ours.values():
            leg(row, isolated)
        known = self._rows if self._whole else {}
        self._rows = {
            idx: known[idx] if idx in known and 0 < row.seq < known[idx].seq else row
            for idx, row in ours.items()
        }
        if time_ns >= self._wallet_ns:
            self._wallet, self._wallet_ns = wallet_usdt, time_ns
        self._isolated, self._rights, self._whole = isolated, rights, True
        self._others = others or []
        self._time_ns = max(self._time_ns, time_ns)
        made = self.report()
        assert made is not None  # all of it was just told
        return made

    def take(self, message: Private) -> bool:
        """Take in a `position` or `wallet` message; return whether something changed.

        Raises
        ------
        BadMessage
            When it cannot be read.
        """
        when_ns = time_ns(message.creation_time, "time of an account message")
        if message.topic == "wallet":
            found = _usdt(decode(_WALLET_ROWS, message.data, "wallet topic"))
            if found is None or when_ns < self._wallet_ns:
                return False
            changed = found != self._wallet
            self._wallet, self._wallet_ns = found, when_ns
        else:
            rows = decode(_POSITION_ROWS, message.data, "position topic")
            changed = False
            for row in rows:
                if row.symbol == self._symbol:
                    changed = self._leg(row) or changed
        self._time_ns = max(self._time_ns, when_ns)
        return changed

    def _leg(self, row: PositionRow) -> bool:
        leg(row, self._isolated)
        before = self._rows.get(row.position_idx)
        if before is None:  # another mode than we knew
            self._rows, self._whole = {}, False
            return True
        if 0 < row.seq < before.seq:
            return False
        self._rows[row.position_idx] = row
        return row != before

    @property
    def is_whole(self) -> bool:
        """Whether everything is known; else the account must be read."""
        return self._whole

    def report(self) -> AccountReport | None:
        """Return what the account holds, every leg of its mode; None when that is not known."""
        if not self._whole or self._rights is None:
            return None
        return AccountReport(
            event_ns=self._time_ns,
            wallet_usdt=self._wallet,
            legs=[leg(self._rows[idx], self._isolated) for idx in sorted(self._rows)],
            hedge_mode=self.hedge_mode,
            can_trade=self._rights.can_trade,
            can_withdraw=self._rights.can_withdraw,
            others=self._others,
        )

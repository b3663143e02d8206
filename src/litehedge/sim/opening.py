"""The position that a simulated user holds from the start: how large it is, and its account."""

from __future__ import annotations

from dataclasses import dataclass

from litehedge.config import Settings
from litehedge.market import events as ev
from litehedge.risk.limits import whole_lots
from litehedge.units import LONG, SHORT


@dataclass(frozen=True, slots=True)
class Opening:
    """The position that the user holds from `opens_ns` on, bought at the next open.

    `free_ratio` is the share by which it is smaller from the start: a static hedge. With
    `reopens`, the same position with a fresh wallet follows a liquidation at the next midnight
    (UTC).
    """

    opens_ns: int
    reopens: bool
    free_ratio: float = 0.0


def position_size(settings: Settings, entry_usdt: float, free_ratio: float) -> float:
    """Return the signed position in LTC that wallet and leverage buy, in whole lots."""
    wanted = settings.position
    side = LONG if wanted.side == "long" else SHORT
    capital = wanted.wallet_usdt * (1.0 - second_share(settings))
    size = wanted.leverage * capital * (1.0 - free_ratio) / entry_usdt
    return float(side * whole_lots(size, settings.venue.lot_ltc))


def second_share(settings: Settings) -> float:
    """Return the share of the capital that waits on a second venue, 0 without one."""
    is_second = settings.hedge.location == "second_venue"
    return settings.hedge.second_wallet_share if is_second else 0.0


def open_account(settings: Settings, entry_usdt: float, free_ratio: float) -> ev.Opened:
    """Return the account event that opens the position; its times are still 0."""
    share = second_share(settings)
    wallet = settings.position.wallet_usdt
    return ev.Opened(
        event_ns=0,
        known_ns=0,
        wallet_usdt=wallet * (1.0 - share),
        second_wallet_usdt=wallet * share if share > 0.0 else None,
        qty_ltc=position_size(settings, entry_usdt, free_ratio),
        entry_usdt=entry_usdt,
        leverage=settings.position.leverage,
        isolated=settings.position.margin_mode == "isolated",
    )

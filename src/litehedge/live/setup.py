"""From what a venue says of contract and account to the settings that the engine guards with."""

from __future__ import annotations

import numpy as np

from litehedge.config import PositionSide, Settings
from litehedge.errors import WrongSetup
from litehedge.live.before import Before
from litehedge.margin.account import POSITION
from litehedge.margin.tiers import TierTable
from litehedge.orders.placing import Placement
from litehedge.orders.reports import AccountReport, Contract, LegReport


def tiers_of(contract: Contract) -> TierTable:
    """Return a contract's maintenance tiers as the margin account reads them."""
    rows = [
        [float(floor), float(rate), float(cum), float(leverage)]
        for floor, _, leverage, rate, cum in contract.tiers
    ]
    return TierTable(
        venue=contract.venue,
        symbol=contract.symbol,
        version="told by the venue",
        source="the venue",
        clearance_fee=float(contract.clearance_fee),
        cap_usdt=float(contract.tiers[-1][1]),
        rows=np.array(rows),
    )


def tiers_differ(told: TierTable, packaged: TierTable) -> str:
    """Say how a venue's tiers differ from those that backtests use; empty when they do not."""
    if told.rows.shape != packaged.rows.shape:
        return f"{len(told.rows)} tiers instead of {len(packaged.rows)} ({packaged.version})"
    if not np.allclose(told.rows, packaged.rows, rtol=1e-9):
        first = int(np.argmax(~np.isclose(told.rows, packaged.rows, rtol=1e-9).all(axis=1)))
        return f"tier {first + 1} is not that of {packaged.version}"
    return ""


def with_contract(settings: Settings, contract: Contract) -> Settings:
    """Return the settings with the venue's own rules and fee."""
    venue = settings.venue.model_copy(
        update={
            "name": contract.venue,
            "symbol": contract.symbol,
            "tick_usdt": float(contract.tick_usdt),
            "lot_ltc": float(contract.lot_ltc),
            "min_notional_usdt": float(contract.min_notional_usdt),
        }
    )
    costs = settings.costs.model_copy(
        update={"taker_fee_bps": float(contract.taker_fee) * 10_000.0}
    )
    return settings.model_copy(update={"venue": venue, "costs": costs})


def held_leg(
    report: AccountReport, venue: str, symbol: str, side: PositionSide | None = None
) -> LegReport:
    """Return the leg that is the position to guard.

    Parameters
    ----------
    side
        Which way it profits, where that is known: from the journal of an earlier run, or from a
        person. A hedge may be as large as its position, so sizes do not tell which is which.

    Raises
    ------
    WrongSetup
        When it holds none, none of that side, or long and short at once with no side known.
    """
    held = [leg for leg in report.legs if leg.qty_ltc != 0]
    if not held:
        raise WrongSetup(
            f"the account on {venue} holds no {symbol} position",
            "open the position that is to be guarded, then start again; nothing was started",
        )
    told = ", ".join(f"{leg.qty_ltc} LTC {_side_of(leg)}" for leg in held)
    if side is None:
        if len(held) > 1:
            raise WrongSetup(
                f"the account on {venue} holds {told}: one is the position, one its hedge",
                "say which is the position with --side long or --side short; nothing was started",
            )
        return held[0]
    ours = [leg for leg in held if _side_of(leg) == side]
    if not ours:
        raise WrongSetup(
            f"the {side} position on {venue} is gone: the account holds {told}, its hedge or "
            "somebody else's",
            "close what is left by hand, or guard it under another --name; nothing was started",
        )
    return ours[0]


def as_before(
    settings: Settings, report: AccountReport, venue: str, symbol: str, before: Before
) -> Settings:
    """Return the settings with the reduced position that the session guards, as it was opened.

    What the venue holds of it is less, or nothing: sizes and margin are not told by that.

    Raises
    ------
    WrongSetup
        When nothing is held, and the venue would buy it back in another margin mode: then another
        part of the wallet would stand behind it.
    """
    position = before.position
    there = Placement(position.side, "reduce", report.hedge_mode)
    legs = [leg for leg in report.legs if there.leg_of(leg.position_side) == POSITION]
    modes = {"isolated" if leg.isolated else "cross" for leg in legs}
    if modes and position.margin_mode not in modes:
        has = next(iter(modes))
        raise WrongSetup(
            f"the session guards a position with {position.margin_mode} margin of which it sold "
            f"{before.sold_ltc:.3f} LTC, and {symbol} on {venue} is {has} now: what is bought back "
            "would have another margin behind it",
            f"set the margin mode of {symbol} to {position.margin_mode} there and start again, or "
            "begin another --name: it buys nothing back. Nothing was started",
        )
    return _with_position(settings, position.model_dump())


def _side_of(leg: LegReport) -> PositionSide:
    return "long" if leg.qty_ltc > 0 else "short"


def with_account(settings: Settings, report: AccountReport, leg: LegReport) -> Settings:
    """Return the settings with the position that the account really holds."""
    notional = float(abs(leg.qty_ltc) * leg.entry_usdt)
    wallet = float(leg.isolated_wallet_usdt if leg.isolated else report.wallet_usdt)
    if wallet <= 0.0:
        raise WrongSetup(
            "the account has no money behind its position", "check the wallet; nothing was started"
        )
    position = settings.position.model_copy(
        update={
            "side": "long" if leg.qty_ltc > 0 else "short",
            "leverage": min(125.0, max(notional / wallet, 0.01)),
            "wallet_usdt": wallet,
            "margin_mode": "isolated" if leg.isolated else "cross",
        }
    )
    return _with_position(settings, position.model_dump())


def _with_position(settings: Settings, position: dict[str, object]) -> Settings:
    # Validated anew: an isolated position cannot share its margin with a hedge.
    return Settings.model_validate(settings.model_dump() | {"position": position})

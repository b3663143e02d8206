"""What is looked at before anything is trusted with money; ``litehedge doctor`` shows it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

import msgspec

from litehedge.live.public import PublicFacts
from litehedge.orders.reports import AccountReport, Contract, LegReport

FREE_BYTES: Final = 2 * 2**30
SLOW_SYNC_MS: Final = 50.0
SKEW_NOTE_MS: Final = 250.0
SKEW_FAULT_MS: Final = 1000.0

MOVE: Final = 0.10
MOST_SHARED: Final = 0.10
"""What other positions may take of the wallet before live refuses to start."""
SHARED: Final = "shared margin"

Outcome = Literal["ok", "note", "fault"]


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at. A fault stops live trading; a note does not."""

    name: str
    outcome: Outcome
    what: str
    remedy: str = ""


def faults(checks: Iterable[Check]) -> list[Check]:
    """Return those that forbid live trading."""
    return [check for check in checks if check.outcome == "fault"]


def machine_checks(home: Path) -> list[Check]:
    """Look at Python, the disk, and how fast it makes things durable."""
    found = [Check("python", "ok", sys.version.split()[0])]
    try:
        home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(home).free
        sync_ms = _sync_ms(home)
    except OSError as error:
        remedy = "set LITEHEDGE_HOME to a folder that can be written"
        return [*found, Check("disk", "fault", f"{home}: {error.strerror or error}", remedy)]
    room = f"{free / 2**30:.1f} GiB free in {home}"
    if free < FREE_BYTES:
        found.append(Check("disk", "fault", room, "make room: the journal must never stop"))
    else:
        found.append(Check("disk", "ok", room))
    told = f"a record is durable after {sync_ms:.1f} ms"
    slow = sync_ms > SLOW_SYNC_MS
    remedy = "every order waits for this; use a faster disk" if slow else ""
    return [*found, Check("journal", "note" if slow else "ok", told, remedy)]


def _sync_ms(folder: Path) -> float:
    probe = folder / ".sync"
    took = []
    with probe.open("wb") as file:
        for _ in range(5):
            began = time.perf_counter()
            file.write(b"x" * 512)
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    probe.unlink()
    return sorted(took)[2] * 1e3


def clock_check(venue: str, skew_ms: float) -> Check:
    """Judge by how much this machine's clock is ahead of a venue's."""
    way = "ahead of" if skew_ms > 0 else "behind"
    what = f"this clock is {abs(skew_ms):.0f} ms {way} {venue}'s"
    remedy = "let the system keep its time (for example with chrony or systemd-timesyncd)"
    if abs(skew_ms) > SKEW_FAULT_MS:
        return Check("clock", "fault", what, f"{remedy}; orders would be refused")
    return Check("clock", "note" if abs(skew_ms) > SKEW_NOTE_MS else "ok", what, remedy)


def contract_checks(contract: Contract, differs: str) -> list[Check]:
    """Judge what a venue says of its contract.

    Parameters
    ----------
    differs
        How its tiers differ from those that backtests use, empty where they do not.
    """
    name = f"{contract.venue} {contract.symbol}"
    found = []
    if contract.is_trading:
        told = (
            f"trades; tick {contract.tick_usdt}, lot {contract.lot_ltc}, from "
            f"{contract.min_notional_usdt} USDT, taker fee {contract.taker_fee * 100:.3f} %"
        )
        found.append(Check(name, "ok", told))
    else:
        remedy = "wait until it does; an open position stays as it is"
        found.append(Check(name, "fault", "does not trade now", remedy))
    if differs:
        remedy = "the venue's tiers are used here; backtests are off by the difference"
        found.append(Check("tiers", "note", differs, remedy))
    return found


def public_checks(told: PublicFacts) -> list[Check]:
    """Judge what a venue tells everybody: its clock and its contract."""
    name = f"{told.venue} {told.symbol}"
    found = [
        Check("network", "ok", f"{told.venue} answers after {told.answered_ms:.0f} ms"),
        clock_check(told.venue, told.skew_ms),
    ]
    if not told.is_trading:
        remedy = "wait until it does; an open position stays as it is"
        return [*found, Check(name, "fault", "does not trade now", remedy)]
    what = (
        f"trades; tick {told.tick_usdt}, lot {told.lot_ltc}, from {told.min_notional_usdt} USDT; "
        "fees and tiers are told to a key alone"
    )
    return [*found, Check(name, "ok", what)]


def account_checks(report: AccountReport, setup_faults: Iterable[str]) -> list[Check]:
    """Judge an account: permissions, mode, what it holds.

    Parameters
    ----------
    setup_faults
        What does not fit where our legs are meant to live (`orders.placing.setup_faults`).
    """
    found = [Check("account", "fault", fault, "nothing was started") for fault in setup_faults]
    if report.can_withdraw is None:
        found.append(
            Check(
                "permissions",
                "note",
                "the venue does not tell whether the key can withdraw",
                "look at the key's page: it must not",
            )
        )
    held = ", ".join(
        f"{leg.qty_ltc} LTC {leg.position_side} at {leg.entry_usdt}"
        for leg in report.legs
        if leg.qty_ltc != 0
    )
    found += sharing_checks(report)
    mode = "hedge mode" if report.hedge_mode else "one-way mode"
    told = f"{report.wallet_usdt:.2f} USDT, {held or 'no position'}, {mode}"
    return [*found, Check("account", "ok", told)]


def at_stake_usdt(report: AccountReport) -> float:
    """Return what positions in other contracts may take from the wallet, USDT.

    What is kept for them, what they have lost, and what they would lose if the market went
    against each of them by `MOVE`. Isolated ones have a margin of their own.
    """
    return sum(
        float(one.maintenance_usdt - min(one.unrealised_usdt, Decimal(0)))
        + MOVE * float(one.notional_usdt)
        for one in report.others
        if not one.isolated
    )


def sharing_checks(report: AccountReport) -> list[Check]:
    """Judge positions in other contracts: they share the margin, and nobody here guards them."""
    sharing = [one for one in report.others if not one.isolated]
    if not sharing:
        return []
    held = ", ".join(
        f"{one.qty.normalize():f} {one.symbol} ({one.notional_usdt:,.0f} USDT)" for one in sharing
    )
    taken, wallet = at_stake_usdt(report), float(report.wallet_usdt)
    share = taken / wallet if wallet > 0.0 else float("inf")
    what = (
        f"the account also holds {held}: it shares the margin and may take {share:.0%} of it, "
        f"losses of {MOVE:.0%} counted in"
    )
    remedy = "move it to another (sub)account, or isolate it"
    if share > MOST_SHARED:
        also = f"; more than {MOST_SHARED:.0%} is not guarded without --share-margin"
        return [Check(SHARED, "fault", what, remedy + also)]
    return [Check(SHARED, "note", what, remedy)]


def foreign_orders_checks(names: Sequence[str]) -> list[Check]:
    """Tell of open orders that are not ours: they stay, and what they fill is a change of books."""
    if not names:
        return []
    many = "an open order" if len(names) == 1 else f"{len(names)} open orders"
    what = f"{many} of the contract not sent from here ({', '.join(names[:3])})"
    remedy = "they stay; when one is filled, trading only reduces until you adopt what it changed"
    return [Check("open orders", "note", what, remedy)]


def dead_man_check(is_on: bool, foreign_orders: Sequence[str]) -> Check:
    """Say what the venue does with open orders when it hears nothing of this program."""
    if not is_on:
        what = "off: orders end at once by themselves, and stops stand without this machine"
        return Check("dead man's switch", "ok", what)
    if foreign_orders:
        return Check(
            "dead man's switch", "note",
            f"not armed while an order is open that is not ours ({foreign_orders[0]}): it would be "
            "cancelled too",
            "set venue.dead_man_switch = false where you trade in this account yourself",
        )  # fmt: skip
    what = "on: every open order of the contract is cancelled two minutes after this program ends"
    remedy = "right only where nobody else trades in this account"
    return Check("dead man's switch", "note", what, remedy)


def room_check(report: AccountReport, position: LegReport, max_ratio: float) -> Check:
    """Judge whether the venue would take the largest hedge beside the position.

    A venue asks for initial margin of both legs, notional / leverage of the contract each, at
    entry prices here. The leverage that is set for the contract only decides how much is set
    aside: with a cross margin, a higher one does not move the liquidation price.
    """
    leverage = max(float(position.leverage), 1.0)
    aside = float(abs(position.qty_ltc) * position.entry_usdt) / leverage
    free = float(report.wallet_usdt) - aside
    room = max(0.0, free / aside) if aside > 0.0 else 1.0
    what = f"at the contract's setting of {leverage:g}x a hedge of up to {min(room, 1.0):.0%} fits"
    if room >= max_ratio:
        return Check("room for hedges", "ok", what)
    remedy = (
        "the venue refuses more for lack of margin, and the position is reduced instead; a higher "
        "setting of the contract's leverage makes room and does not change your risk"
    )
    return Check("room for hedges", "note", what, remedy)

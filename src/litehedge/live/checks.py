"""What is looked at before anything is trusted with money; ``litehedge doctor`` shows it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec

from litehedge.orders.reports import AccountReport, Contract, LegReport

FREE_BYTES: Final = 2 * 2**30
SLOW_SYNC_MS: Final = 50.0
SKEW_NOTE_MS: Final = 250.0
SKEW_FAULT_MS: Final = 1000.0

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
    mode = "hedge mode" if report.hedge_mode else "one-way mode"
    told = f"{report.wallet_usdt:.2f} USDT, {held or 'no position'}, {mode}"
    return [*found, Check("account", "ok", told)]


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

"""What a backtest's run tells besides its figures: notes, decisions, and how far it came."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Final

import msgspec
import numpy as np

from litehedge.backtest import Run
from litehedge.tape import Tape
from litehedge.units import NS_PER_DAY, iso_utc

MISSING: Final = {
    "funding": "the lake has no funding rates for this time, so none was charged or paid",
    "btc": "the lake has no Bitcoin bars of this length, so the forecast goes without",
}


def cut_short(tape: Tape, whole: Tape) -> dict[str, str]:
    """Say how far a run came that was cancelled, and until when its figures are."""
    days, of = (one.end_ns[-1] - one.end_ns[0] + one.bar_ns for one in (tape, whole))
    text = f"cancelled after {days / NS_PER_DAY:.0f} of {of / NS_PER_DAY:.0f} days"
    return {"cancelled": text, "to": iso_utc(int(tape.end_ns[-1]))}


def notes_of(known: Container[str], tape: Tape) -> list[str]:
    """Say what a reader must know about the data; `known` are the feeds that went with it."""
    notes = [text for role, text in MISSING.items() if role not in known]
    gaps = np.diff(tape.end_ns)
    long = gaps[gaps > NS_PER_DAY] / NS_PER_DAY
    if long.size:
        notes.append(
            f"the bars have {long.size} gaps of more than a day, the longest of {long.max():.0f} "
            "days: positions are carried through, and what happened inside is one bar"
        )
    return notes


def decisions_told(run: Run) -> list[dict[str, Any]]:
    """Return decisions for the JSON, with readable times and verdicts."""
    told = []
    for decision in run.decisions:
        row = msgspec.to_builtins(decision)
        row["time"] = iso_utc(decision.time_ns, seconds=True)
        row["verdicts"] = [str(verdict) for verdict in decision.verdicts]
        told.append(row)
    return told

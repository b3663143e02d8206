"""Crises one by one: what every policy would have done to a position opened just before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import Episodes
from litehedge.report.metrics import episode_hedge, episode_returns
from litehedge.squeeze.crises import CRISES, Span
from litehedge.tape import Tape
from litehedge.units import NS_PER_DAY, instant_ns, iso_utc

DAYS_BEFORE: Final = (1, 3, 7)
LARGEST: Final = 5
APART_NS: Final = 7 * NS_PER_DAY
AFTER_NS: Final = NS_PER_DAY
"""A position opened before a squeeze is looked at a day after its end."""


class Crisis(NamedTuple):
    """A crisis on a tape; `side` is who was squeezed, empty where it is known by name."""

    name: str
    start_ns: int
    end_ns: int
    side: str = ""


class CrisisRow(TypedDict):
    """One policy, side and leverage through one crisis; shares of the wallet."""

    crisis: str
    days_before: int
    policy: str
    side: str
    leverage: float
    liquidated: bool
    gain: float
    drawdown: float
    avg_hedge: float


def crises_of(tape: Tape, named: Sequence[Span] = CRISES, largest: int = LARGEST) -> list[Crisis]:
    """Return the crises that a tape holds, in the order of time.

    Those known by name, and the largest squeezes that lie in none of them, a week apart.
    """
    begin, end = int(tape.end_ns[0]) - tape.bar_ns, int(tape.end_ns[-1])
    found = [Crisis(c.name, instant_ns(c.start), instant_ns(c.end)) for c in named]
    found = [c for c in found if begin < c.start_ns and c.end_ns <= end]
    added = 0
    for q in sorted(tape.squeezes, key=lambda q: (-q.severity_bps, q.onset_ns)):
        if added == largest:
            break
        until = q.end_ns + AFTER_NS
        is_new = all(
            q.onset_ns > c.end_ns + (APART_NS if c.side else 0)
            or until < c.start_ns - (APART_NS if c.side else 0)
            for c in found
        )
        if is_new and begin < q.onset_ns and until <= end:
            name = f"{iso_utc(q.onset_ns)[:10]}, {q.side}s squeezed by {abs(q.move):.0%}"
            found.append(Crisis(name, q.onset_ns, until, q.side))
            added += 1
    return sorted(found, key=lambda c: c.start_ns)


class Entries(NamedTuple):
    """Positions to open before crises: `crises` and `days_before` beside the episodes."""

    crises: list[Crisis]
    days_before: list[int]
    where: Episodes


NO_ENTRIES: Final = Entries([], [], Episodes(np.empty(0, np.int64), np.empty(0, np.int64)))


def entries_of(tape: Tape, crises: Sequence[Crisis]) -> Entries:
    """Return where positions open, 1, 3 and 7 days before each crisis, held until its end.

    Those that would not lie on the tape, would open in a gap or be carried through one, are left
    out.
    """
    kept: list[Crisis] = []
    days: list[int] = []
    places: list[tuple[int, int]] = []
    begin = int(tape.end_ns[0]) - tape.bar_ns
    for crisis in crises:
        for before in DAYS_BEFORE:
            opens_ns = crisis.start_ns - before * NS_PER_DAY
            start = tape.index_at(opens_ns)
            stop = int(np.searchsorted(tape.end_ns, crisis.end_ns, side="right"))
            if opens_ns < begin or stop - start < 1:
                continue
            if tape.end_ns[start] - opens_ns >= 2 * tape.bar_ns:  # there are no bars at that time
                continue
            if tape.end_ns[stop - 1] - tape.end_ns[start] == (stop - 1 - start) * tape.bar_ns:
                kept.append(crisis)
                days.append(before)
                places.append((start, stop))
    at = np.array(places, dtype=np.int64).reshape(-1, 2)
    return Entries(
        kept, days, Episodes(np.ascontiguousarray(at[:, 0]), np.ascontiguousarray(at[:, 1]))
    )


def crisis_rows(
    entries: Entries, outcomes: NDArray[np.void], policy: str, side: str, leverage: float
) -> list[CrisisRow]:
    """Tell what became of each position, `outcomes` beside `entries`."""
    returns = episode_returns(outcomes)
    hedges = episode_hedge(outcomes)
    return [
        CrisisRow(
            crisis=crisis.name, days_before=days, policy=policy, side=side, leverage=leverage,
            liquidated=bool(outcomes["liquidations"][i] > 0), gain=float(returns[i]),
            drawdown=float(outcomes["drawdown"][i]), avg_hedge=float(hedges[i]),
        )
        for i, (crisis, days) in enumerate(
            zip(entries.crises, entries.days_before, strict=True)
        )
    ]  # fmt: skip

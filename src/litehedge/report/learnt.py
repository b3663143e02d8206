"""All that a session can tell of its learning: updates, their worth, the watch, the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from litehedge.learning.entries import Entry, Sum, entries_of, sum_of
from litehedge.learning.past import Past
from litehedge.learning.steps import Update, learn
from litehedge.learning.watch import Look, look_at
from litehedge.learning.worth import LEAST_EVENTS, LEAST_FILLS, Judged, judge
from litehedge.model.artefact import Card, Score
from litehedge.report.style import percent
from litehedge.units import iso_utc


class Latency(msgspec.Struct, frozen=True):
    """How long the venue took to answer orders, in ms, beside what the settings assume."""

    orders: int
    median_ms: float | None
    late_ms: float | None  # of one order in twenty
    assumed_ms: float


class Told(msgspec.Struct, frozen=True):
    """What was learnt. `kept` updates count already, `new` ones are what an update would add."""

    session: str
    model: str
    kept: list[Update]
    new: list[Update]
    judged: Judged
    look: Look
    sum: Sum
    latency: Latency
    entries: list[Entry]

    @property
    def updates(self) -> list[Update]:
        """All of them, in order."""
        return [*self.kept, *self.new]


def told_of(
    session: str, past: Past, kept: Sequence[Update], card: Card | None, now_ns: int,
    assumed_ms: float,
) -> Told:  # fmt: skip
    """Learn from a past and look back; nothing is written."""
    new = learn(past, kept)
    model = str(past.model[-1]) if past.end_ns.size else ""
    entries = entries_of(past)
    waits = [ms for _, ms in past.latency_ms]
    latency = Latency(
        len(waits), float(np.median(waits)) if waits else None,
        float(np.quantile(waits, 0.95)) if waits else None, assumed_ms,
    )  # fmt: skip
    return Told(
        session, model, list(kept), new, judge(past, [*kept, *new], model),
        look_at(past, model, card, now_ns), sum_of(entries), latency, entries,
    )  # fmt: skip


def plain(told: Told, *, with_entries: bool) -> dict[str, Any]:
    """Return it for JSON; the ledger itself only where it is wanted."""
    out: dict[str, Any] = msgspec.to_builtins(told)
    out["watch"] = {"word": str(told.look.word), "why": told.look.why}
    out["words"] = in_words(told)
    if not with_entries:
        del out["entries"]
    return out


def in_words(told: Told) -> list[str]:
    """Say what was learnt and whether it helped, a sentence each."""
    said = []
    mine = [u for u in told.updates if u.model == told.model]
    squeezes = sum(u.kind == "squeeze" for u in mine)
    fills = sum(u.kind == "fill" for u in mine)
    if not mine:
        said.append("nothing was learnt yet: no squeeze has ended, and no order was filled")
    else:
        said.append(
            f"{len(mine)} updates: {squeezes} from squeezes, {fills} from fills, "
            f"{len(mine) - squeezes - fills} taken back; {len(told.new)} of them are not kept yet"
        )
    said.append(_calibration(told.judged))
    said.append(_intervals(told.judged))
    said.append(_costs(told.judged))
    said.append(_latency(told.latency))
    said.append(_ledger(told.sum))
    said.append(f"the model: {told.look.word}; {told.look.why}")
    return said


def _calibration(judged: Judged) -> str:
    if judged.log_loss is None:
        return (
            f"calibration: not enough yet, {judged.events} squeezes came after the first step and "
            f"{LEAST_EVENTS} are needed; forecasts stay as the model makes them"
        )
    one = judged.log_loss
    verb = _helped(one, is_one=True)
    return (
        f"calibration {verb}: log-loss {percent(one.value, signed=True)} smaller "
        f"({percent(one.low, signed=True)} to {percent(one.high, signed=True)}) on "
        f"{judged.frames:,} frames with {judged.events} squeezes after the first step, since "
        f"{iso_utc(judged.since_ns)}"
    )


def _helped(score: Score, *, is_one: bool) -> str:
    if score.low > 0.0:
        return "helped"
    unused = "is not used" if is_one else "are not used"
    if score.high < 0.0:
        return f"did harm, and {unused}"
    return f"may have helped or not, and {unused}"


def _intervals(judged: Judged) -> str:
    if judged.missed is None or judged.missed_shipped is None:
        return (
            f"intervals: not enough yet, {judged.missed_events} squeezes of which something was "
            f"foretold came after the first step and {LEAST_EVENTS} are needed"
        )
    return (
        f"intervals of severity held {percent(1.0 - judged.missed, 0)} of "
        f"{judged.missed_events} squeezes, and {percent(1.0 - judged.missed_shipped, 0)} as they "
        "ship; wanted are 80%"
    )


def _costs(judged: Judged) -> str:
    if judged.slippage is None or judged.slippage_shipped is None or judged.slippage_saved is None:
        return (
            f"costs: not enough yet, {judged.fills} fills came after the first step and "
            f"{LEAST_FILLS} are needed"
        )
    verb = _helped(judged.slippage_saved, is_one=False)
    return (
        f"costs {verb}: slippage is foretold to {judged.slippage:.1f} bps on average, to "
        f"{judged.slippage_shipped:.1f} bps as set, over {judged.fills} fills"
    )


def _latency(latency: Latency) -> str:
    if latency.median_ms is None or latency.late_ms is None:
        return "latency: no order was answered yet"
    return (
        f"latency: {latency.median_ms:.0f} ms from decision to answer, {latency.late_ms:.0f} ms "
        f"for one of twenty, over {latency.orders} orders; the settings assume "
        f"{latency.assumed_ms:g} ms (costs.latency_ms)"
    )


def _ledger(told: Sum) -> str:
    head = f"{told.recommendations:,} recommendations whose four hours are over, "
    head += f"{told.changes} of them changed the hedge"
    if told.worth_usdt is None:
        return f"{head}: too few, or of one day, to say what they were worth"
    one = told.worth_usdt
    return (
        f"{head}: each was worth {one.value:+,.2f} USDT ({one.low:+,.2f} to {one.high:+,.2f}) "
        "beside leaving the hedge alone"
    )

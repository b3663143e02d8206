"""The market that drafts are tried on: which there are, its tape, and what happened in it.

Where a home folder has no bars, a simulated market stands in their place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from litehedge.blowup.worlds import WARM_UP_DAYS, world_events, world_tape
from litehedge.market.events import MarketEvent
from litehedge.shelf.models import DEFAULTS, Chosen, choose_model, saw
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.step import NO_SHOCKS
from litehedge.sim.study import DAY_S
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import WARM_UP_NS, Tape, build_tape, check_range, event_chunks, per_frame_of
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND, instant_ns, iso_utc

Reached = Callable[[str, float], None]
"""Told what is being done, and how much of it is done, 0 to 1."""

SIMULATED: Final = "(simulated)"
"""The name of the market that is made up where there is no other."""
SIM_SEED: Final = 7
SIM_DAYS: Final = 42
SIM_BEGIN: Final = "2026-01-05"
DAYS: Final = 90
ROUND_NS: Final = 5 * NS_PER_MINUTE
MOSTLY: Final = 0.8


class Question(msgspec.Struct, frozen=True):
    """What a page wants to know: rules as the text of their file, and on what to try them."""

    page: str
    number: int
    rules: str
    data: str
    model: str
    side: str
    leverage: float
    settings: dict[str, Any]
    days: int = DAYS

    @property
    def market(self) -> tuple[str, str, int]:
        """What the tape depends on."""
        return self.data, self.model, self.days


class Market(msgspec.Struct, frozen=True):
    """On what it was tried."""

    data: str
    start_ns: int
    end_ns: int
    covered: float  # share of the span that has bars
    model: str
    saw: bool  # the model has learnt from these days
    is_simulated: bool


def data_choices(lake: Lake, asset: str = "LTC") -> dict[str, str]:
    """Return what can be tried on, name and label, the best first; a simulated market comes last.

    Best is what a model fits, without large gaps, that ends last, of the contract itself, in bars
    of about five minutes: a quarter of them is read in a second or two.
    """
    found = [
        one for one in lake.datasets()
        if one.kind == "bars" and one.asset == asset and one.market != "mark"
    ]  # fmt: skip
    found.sort(key=_worth, reverse=True)
    choices = {one.name: f"{one.name}, to {iso_utc(one.end_ns)[:10]}" for one in found}
    return {**choices, SIMULATED: f"a simulated market of {SIM_DAYS // 7} weeks"}


def _worth(one: Dataset) -> tuple[bool, bool, int, bool, float]:
    frame_s = one.interval_ns * per_frame_of(one.interval_ns) // NS_PER_SECOND
    months = one.end_ns // (30 * NS_PER_DAY)
    size = -abs(math.log(one.interval_ns / ROUND_NS))
    return frame_s in DEFAULTS, _covered(one) >= MOSTLY, months, one.market == "perp", size


def _covered(one: Dataset, days: int = DAYS) -> float:
    """Return which share of about the last `days` has bars, by the months of the data set."""
    first = iso_utc(max(one.start_ns, one.end_ns - days * NS_PER_DAY))[:7]
    since_ns = max(one.start_ns, instant_ns(f"{first}-01"))
    rows = sum(part.rows for part in one.parts if part.month >= first)
    return rows * one.interval_ns / max(one.end_ns - since_ns, 1)


def tape_for(lake: Lake, question: Question, reached: Reached) -> tuple[Tape, Market]:
    """Return the tape that a question is about.

    Raises
    ------
    LitehedgeError
        When there is no such data set or model, or it holds nothing.
    """
    if question.data == SIMULATED:
        return _simulated(lake, question, reached)
    dataset, start_ns, end_ns = _span(lake, question)
    model = model_for(lake, question)
    doing = f"reading {question.data}"
    reached(doing, 0.0)
    tape = build_tape(
        lake, dataset, model.forecaster, start_ns, end_ns,
        lambda done, total: reached(doing, done / total),
    )  # fmt: skip
    covered = len(tape) * tape.bar_ns / (end_ns - start_ns)
    market = Market(
        dataset.name, start_ns, end_ns, covered, model.forecaster.id,
        saw(model.card, start_ns, end_ns), False,
    )  # fmt: skip
    return tape, market


def _simulated(lake: Lake, question: Question, reached: Reached) -> tuple[Tape, Market]:
    model = model_for(lake, question)
    begin_s = instant_ns(SIM_BEGIN) // NS_PER_SECOND
    begun_s = begin_s - WARM_UP_DAYS * DAY_S
    total_s = (WARM_UP_DAYS + SIM_DAYS) * DAY_S
    doing = "making a simulated market"
    reached(doing, 0.0)
    tape = world_tape(
        Parameters(), NO_SHOCKS, SIM_SEED, begin_s, SIM_DAYS, model.forecaster,
        reached=lambda now_ns: reached(doing, (now_ns / NS_PER_SECOND - begun_s) / total_s),
    )  # fmt: skip
    start_ns = begin_s * NS_PER_SECOND
    end_ns = start_ns + SIM_DAYS * NS_PER_DAY
    return tape, Market(SIMULATED, start_ns, end_ns, 1.0, model.forecaster.id, False, True)


def events_for(lake: Lake, question: Question) -> Iterator[MarketEvent]:
    """Yield what happened in the market of a question, from the warm-up on.

    Raises
    ------
    LitehedgeError
        When there is no such data set.
    """
    if question.data == SIMULATED:
        begin_s = instant_ns(SIM_BEGIN) // NS_PER_SECOND
        yield from world_events(Parameters(), NO_SHOCKS, SIM_SEED, begin_s, SIM_DAYS)
        return
    dataset, start_ns, end_ns = _span(lake, question)
    begin_ns = max(dataset.start_ns, start_ns - WARM_UP_NS)
    for chunk, _ in event_chunks(lake, dataset, begin_ns, end_ns):
        yield from chunk.events()


def model_for(lake: Lake, question: Question) -> Chosen:
    """Return the model of a question.

    Raises
    ------
    LitehedgeError
        When there is no such data set or model.
    """
    if question.data == SIMULATED:
        return choose_model(question.model, NS_PER_MINUTE)
    bar_ns = lake.bars(question.data).interval_ns
    return choose_model(question.model, bar_ns * per_frame_of(bar_ns))


def _span(lake: Lake, question: Question) -> tuple[Dataset, int, int]:
    dataset = lake.bars(question.data)
    return dataset, *check_range(dataset, dataset.end_ns - question.days * NS_PER_DAY, None)

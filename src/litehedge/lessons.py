"""What was learnt outside is taken up: between two frames, within bounds, never in a squeeze.

The shell offers all values at once (`ev.LessonOffered`), for one model. The engine takes them up at
the beginning of a frame; a replay finds the offer in the journal and does the same. With another
model everything is as it ships again. The watch over the model tells of itself the same way.
"""

from __future__ import annotations

from typing import Final

from litehedge.effects import Alert, Effect, Learnt
from litehedge.engine_state import State
from litehedge.market import events as ev
from litehedge.squeeze.learnt import HALF_SPREAD, IMPACT, SHIPPED, Values, fault_of
from litehedge.units import BPS

KEY: Final = "learning"
WATCH_KEY: Final = "drift"
"""Under which people hear of what was learnt, and of a model that fits its market no more."""

_NOTHING: Final[list[Effect]] = []


def on_lesson_offered(state: State, event: ev.LessonOffered) -> list[Effect]:
    """Take in what was learnt outside; it waits for the next frame."""
    effects = _watched(state, event)
    values = tuple(event.values)
    if not values or not event.model_id:
        return effects
    if fault := fault_of(values):
        text = f"what was learnt is not taken up: {fault}"
        return [*effects, Alert("act_now", text, KEY)]
    state.lesson = None if values == state.learnt else event
    return effects


def _watched(state: State, event: ev.LessonOffered) -> list[Effect]:
    """Tell once that a model drifts, and once that it does so no more."""
    if not event.watch or event.watch == state.watch:
        return _NOTHING
    before, state.watch = state.watch, event.watch
    if event.watch == "drift":
        return [Alert("act_now", f"the model may be wrong here: {event.detail}", WATCH_KEY)]
    if before == "drift":
        return [Alert("done", f"the model is as good as its card says again: {event.watch}",
                      WATCH_KEY, clears=True)]  # fmt: skip
    return _NOTHING


def take_up(state: State, now_ns: int, waits_for: str) -> list[Effect]:
    """Take up the lesson that waits, at the beginning of a frame.

    Parameters
    ----------
    waits_for
        What forbids it now, "" for nothing: see `succession.in_squeeze`.
    """
    lesson = state.lesson
    if lesson is None or waits_for:
        return _NOTHING
    state.lesson = None
    if lesson.model_id != state.fixed.forecaster.id:
        return _NOTHING  # it is of a model that serves no more
    before = state.learnt
    learn(state, tuple(lesson.values))
    return [
        Learnt(now_ns, lesson.model_id, lesson.number, list(before), list(lesson.values),
               lesson.why),
        Alert("digest", f"learnt: {lesson.why}", KEY),
    ]  # fmt: skip


def forget(state: State) -> None:
    """Be as everything ships: another model forecasts from now on."""
    if state.learnt != SHIPPED:
        learn(state, SHIPPED)


def learn(state: State, values: Values) -> None:
    """Go by these values from now on."""
    state.learnt = values
    costs = state.fixed.settings.costs
    for terms in (state.terms, state.safe, state.plan_terms):
        if terms is not None:
            terms["half_spread"] = costs.half_spread_bps * BPS * values[HALF_SPREAD]
            terms["impact"] = costs.impact * values[IMPACT]

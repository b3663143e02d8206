"""Another model takes over: between two frames, warm, and never in a squeeze.

The shell loads a model aside and offers it (`ev.ModelOffered`). From then on it lives through
every frame beside the one that serves. It takes over when it had something to say of every phase
of a frame, and nothing speaks against it; what served until then decides meanwhile, so nothing
pauses. Offer and change are in the journal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.effects import Alert, Effect, ModelChange
from litehedge.engine_state import State
from litehedge.features.trigger import MOVE_MINUTES, threshold
from litehedge.hedge import signals as sg
from litehedge.lessons import forget, take_up
from litehedge.market import events as ev
from litehedge.risk.parachute import Watch
from litehedge.squeeze.forecast import STATE_AT, ForecastState, heard
from litehedge.squeeze.history import Heir, Mind
from litehedge.squeeze.learnt import corrected
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE

Floats = NDArray[np.float64]

LIKELY: Final = 0.5
"""From this probability on, of being before or in a squeeze, the model that serves says so."""

WORD_NS: Final = 4 * NS_PER_HOUR
"""For so long that word alone puts a change off: as long as a squeeze may last. A model that says
so for ever must be replaceable."""

PATIENT: Final = 3
"""People are told when a model that is watched for a frame has nothing to say after so many."""

KEY: Final = "model"
"""Under which people hear of models."""

_NOTHING: Final[list[Effect]] = []


def on_model_offered(state: State, event: ev.ModelOffered, mind: Mind | None) -> list[Effect]:
    """Take in that another model is to take over, or why it cannot."""
    serving = state.fixed.forecaster.id
    if event.trouble:
        text = f"{event.trouble}; {serving} goes on"
        return [Alert("act_now" if event.model_id else "digest", text, KEY)]
    if not event.model_id:
        return [Alert("digest", f"the registry can be read again; {serving} serves", KEY,
                      clears=True)]  # fmt: skip
    if event.model_id == serving:
        waited, state.heir = state.heir, None
        if waited is None:
            return _NOTHING
        return [Alert("done", f"{serving} serves on: it is the champion again", KEY, clears=True)]
    if mind is None or state.history is None:
        return _NOTHING  # of a run that is lived through without its models
    if not state.history.holds(event.from_ns):  # a replay could not do the same
        text = f"loading {event.model_id} took too long, it does not take over; {serving} goes on"
        return [Alert("act_now", text, KEY)]
    for phase, end_ns, features in zip(*state.history.between(event.to_ns + 1), strict=True):
        heard(mind.forecaster, mind.memory, int(phase), int(end_ns), features)
    state.heir = Heir(mind, event.folder, event.why, event.from_ns, event.known_ns)
    return _NOTHING


def hear(state: State, phase: int, end_ns: int, features: Floats) -> tuple[Floats, list[Effect]]:
    """Return what the model that serves says of a frame; before that another one may take over."""
    if state.history is not None:
        state.history.add(phase, end_ns, features)
    effects, theirs = _NOTHING, state.row
    if state.heir is not None:
        effects = _look_at_heir(state, state.heir, end_ns)
    heir = state.heir
    if heir is not None:
        theirs = heard(heir.mind.forecaster, heir.mind.memory, phase, end_ns, features)
    if state.lesson is not None:
        is_heard = end_ns - state.lesson.known_ns < WORD_NS
        effects = effects + take_up(state, end_ns, in_squeeze(state, is_heard=is_heard))
    row = heard(state.fixed.forecaster, state.model, phase, end_ns, features)
    if heir is not None:
        heir.sound = heir.sound + 1 if _speaks(theirs) or not _speaks(row) else 0
    return corrected(row, state.learnt), effects


def _speaks(row: Floats) -> bool:
    """Tell whether a policy may act on a forecast."""
    return float(row[STATE_AT]) < ForecastState.COLD and bool(sg.is_sound(row))


def _look_at_heir(state: State, heir: Heir, now_ns: int) -> list[Effect]:
    """Let the model that waits take over, or say what it waits for."""
    waits_for = in_squeeze(state, is_heard=now_ns - heir.since_ns < WORD_NS)
    is_watched = heir.sound >= state.fixed.per_frame
    if not waits_for and not is_watched and now_ns - heir.since_ns > PATIENT * state.fixed.frame_ns:
        waits_for = "it has not seen enough of this market yet"
    before, after = state.fixed.forecaster.id, heir.mind.forecaster.id
    if waits_for and not heir.waits_for:
        heir.waits_for = waits_for
        return [Alert("done", f"the new model {after} waits: {waits_for}; {before} goes on", KEY)]
    if waits_for or not is_watched:
        return _NOTHING
    state.fixed = replace(state.fixed, forecaster=heir.mind.forecaster)
    state.model = heir.mind.memory
    state.heir = None
    forget(state)
    minutes = (now_ns - heir.since_ns) / NS_PER_MINUTE
    late = f"; it waited {minutes:.0f} min, since {heir.waits_for}" if heir.waits_for else ""
    text = f"{after} forecasts from now on, in place of {before}: {heir.why}{late}"
    return [
        ModelChange(now_ns, before, after, heir.folder, heir.from_ns, heir.why),
        Alert("done", text, KEY, clears=bool(heir.waits_for)),
    ]


def in_squeeze(state: State, *, is_heard: bool = True) -> str:
    """Say why this counts as a squeeze, "" where it does not.

    Parameters
    ----------
    is_heard
        Whether the word of the model that serves counts too, not what the market did alone.
    """
    signals = state.signals[:, 0]
    if state.closing is not None:
        return "everything is being closed"
    if Watch.MARKET_WILD in state.guards.chute.open:
        return "the price moves very fast"
    move = float(signals[sg.MOVE_15M])
    if abs(move) >= threshold(float(signals[sg.SIGMA]), MOVE_MINUTES):
        return f"the price moved {abs(move):.1%} in 15 min, as in a squeeze"
    likely = float(signals[sg.PHASE] + signals[sg.PHASE + 1])
    if is_heard and likely >= LIKELY:
        return f"a squeeze is near or on its way with a probability of {likely:.0%}"
    return ""

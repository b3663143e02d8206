"""The market, worked out once: frames, features and forecasts that every branch is told.

They depend on nothing that we do, so a branch of a session need not work them out again. What is
left of a branch's step is the decision, and it sees the very numbers that the session saw.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from litehedge.engine_state import State
from litehedge.features.vector import FeatureStream
from litehedge.market import events as ev
from litehedge.market.frames import FrameFold
from litehedge.squeeze.forecast import Forecaster, Memory
from litehedge.squeeze.history import Mind

Floats = NDArray[np.float64]
Frame = tuple[int, Floats]


class Heard:
    """Frames of the last event, with their features and forecasts by the frame's end."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.features: dict[int, Floats] = {}
        self.rows: dict[int, Floats] = {}

    def listen(self, state: State) -> None:
        """Write down, from now on, what a session's engine works out of the market."""
        state.fold = cast(FrameFold, _HeardFold(state.fold, self))
        state.features = cast(FeatureStream, _HeardFeatures(state.features, self))
        forecaster = cast(Forecaster, _HeardForecaster(state.fixed.forecaster, self))
        state.fixed = replace(state.fixed, forecaster=forecaster)

    def listened(self, mind: Mind | None) -> Mind | None:
        """Return a model that may take over, so that what it says is written down too."""
        if mind is None:
            return None
        return mind._replace(forecaster=cast(Forecaster, _HeardForecaster(mind.forecaster, self)))

    def twin(self, state: State) -> State:
        """Return a copy of a state that is told of the market what the session hears."""
        kept = (state.fold, state.features, state.model, state.fixed, state.history, state.heir)
        shared = {id(one): one for one in kept}
        twin = copy.deepcopy(state, shared)
        twin.fold = cast(FrameFold, _ToldFold(self))
        twin.features = cast(FeatureStream, _ToldFeatures(self))
        twin.history = twin.heir = twin.lesson = (
            None  # it is told what the model said, whichever that is
        )
        twin.fixed = replace(
            state.fixed, forecaster=cast(Forecaster, _ToldForecaster(self)), keeps_checkpoints=False
        )
        return twin


class _HeardFold:
    def __init__(self, fold: FrameFold, heard: Heard) -> None:
        self._fold = fold
        self._heard = heard

    def push(self, event: ev.MarketEvent) -> list[Frame]:
        self._heard.frames = self._fold.push(event)
        return self._heard.frames


class _HeardFeatures:
    def __init__(self, features: FeatureStream, heard: Heard) -> None:
        self._features = features
        self._heard = heard

    def advance(self, end_ns: int, frame: Floats) -> Floats:
        if end_ns == self._heard.frames[0][0]:
            self._heard.features.clear()
            self._heard.rows.clear()
        found = self._heard.features[end_ns] = self._features.advance(end_ns, frame)
        return found


class _HeardForecaster:
    def __init__(self, forecaster: Forecaster, heard: Heard) -> None:
        self._forecaster = forecaster
        self._heard = heard
        self.id = forecaster.id
        self.schema_hash = forecaster.schema_hash

    def step(self, memory: Memory, phase: int, end_ns: int, features: Floats) -> Floats:
        row = self._forecaster.step(memory, phase, end_ns, features)
        self._heard.rows[end_ns] = row.copy()
        return row


class _ToldFold:
    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def push(self, event: ev.MarketEvent) -> list[Frame]:
        return self._heard.frames


class _ToldFeatures:
    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def advance(self, end_ns: int, frame: Floats) -> Floats:
        return self._heard.features[end_ns]


class _ToldForecaster:
    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def step(self, memory: Memory, phase: int, end_ns: int, features: Floats) -> Floats:
        return self._heard.rows[end_ns]

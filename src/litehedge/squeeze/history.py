"""The last frames as a model saw them, so that another model can live through them too.

A model that takes over must not begin cold. It is fed what the session was fed; which frames those
were is written down, so that a replay feeds it the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from litehedge.squeeze.forecast import Forecaster, Memory

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FRAMES: Final = 240
"""Of each phase that a model is fed: as many as attention looks back."""
SPARE: Final = 60
"""Of each phase that are kept beyond that: loading a model takes a while."""
NEVER_NS: Final = int(np.iinfo(np.int64).max)
PART: Final = 256
"""Frames that are fed at once: whoever feeds gives way to others in between."""


class Rows(NamedTuple):
    """Frames in order of time: phase and end ``(frame,)``, features ``(frame, feature)``."""

    phases: Ints
    end_ns: Ints
    features: Floats


class History:
    """The last frames with a price, of all phases together; a ring.

    One thread adds; any other may take a copy meanwhile.
    """

    def __init__(self, phases: int, n_features: int) -> None:
        self._room = (FRAMES + SPARE) * phases
        self._fed = FRAMES * phases
        self._count = 0
        self._phases = np.zeros(self._room, dtype=np.int64)
        self._end_ns = np.zeros(self._room, dtype=np.int64)
        self._features = np.zeros((self._room, n_features))

    def add(self, phase: int, end_ns: int, features: Floats) -> None:
        """Remember a frame."""
        at = self._count % self._room
        self._phases[at] = phase
        self._end_ns[at] = end_ns
        self._features[at] = features
        self._count += 1

    def to_feed(self) -> Rows:
        """Return a copy of the frames that a model is fed before it takes over."""
        count = self._count
        phases, ends, features = self._phases.copy(), self._end_ns.copy(), self._features.copy()
        # What was written meanwhile took the place of the oldest, one of them perhaps by half.
        oldest = max(0, self._count - self._room + 1, count - self._fed)
        at = np.arange(oldest, count) % self._room
        return Rows(phases[at], ends[at], features[at])

    def holds(self, from_ns: int) -> bool:
        """Tell whether every frame that ended at `from_ns` or later is still kept."""
        oldest = self._count - self._room
        return oldest <= 0 or int(self._end_ns[oldest % self._room]) <= from_ns

    def between(self, from_ns: int, to_ns: int = NEVER_NS) -> Rows:
        """Return the frames that ended in ``[from_ns, to_ns]``, as far as they are kept."""
        at = np.arange(max(0, self._count - self._room), self._count) % self._room
        ends = self._end_ns[at]
        at = at[(ends >= from_ns) & (ends <= to_ns)]
        return Rows(self._phases[at], self._end_ns[at], self._features[at])


class Mind(NamedTuple):
    """A forecaster and what it remembers."""

    forecaster: Forecaster
    memory: Memory


@dataclass(slots=True)
class Heir:
    """A model that waits to take over, since when, and why it was offered."""

    mind: Mind
    folder: str
    why: str
    from_ns: int
    since_ns: int
    sound: int = 0  # frames in a row, beside the model that serves, that it had something to say of
    waits_for: str = ""  # what people were told that it waits for


def warmed(forecaster: Forecaster, phases: int, rows: Rows) -> Mind:
    """Let a model live through some frames, from a fresh start.

    The same frames give the same memory, to the last bit.
    """
    memory = forecaster.start(phases)
    for begin in range(0, rows.end_ns.size, PART):
        part = slice(begin, begin + PART)
        forecaster.batch(memory, rows.phases[part], rows.end_ns[part], rows.features[part])
    return Mind(forecaster, memory)

"""The network behind the forecaster interface, run by ONNX Runtime on one core.

A frame costs one call of the graph on buffers that are bound once: inputs and outputs by pointer,
the state twice per phase, read from one copy and written to the other. Batches feed the same
graph with runs of consecutive frames, in chunks that stay in the cache. A forecaster is not
shared between threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from litehedge.model import memory as mm
from litehedge.model import outputs as op
from litehedge.model.calibration import Calibration
from litehedge.model.distance import Neighbours, no_sample
from litehedge.model.layout import AGES, HIDDEN, N_RAW
from litehedge.model.session import open_session
from litehedge.model.standards import N_FAMILIES, Standards
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import Memory
from litehedge.squeeze.hazard import N_ONSET

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]
Bools = NDArray[np.bool_]

CHUNK: Final = 48
"""Frames per call of a batch: the keys that attention takes for them are 3 MB per member."""
BLOCK: Final = 1 << 14
"""Frames whose inputs are prepared at once."""
KEPT_MEMORIES: Final = 8
"""Memories whose buffers stay bound; one more, and the oldest is bound anew when it returns."""

_WIDTHS: Final = {"raw": N_RAW, "trunk": HIDDEN, "attention": AGES}


class Hazards(NamedTuple):
    """Forecast rows ``(frame, N_FORECAST)`` and hazards, NaN while cold.

    Shapes: `onset` ``(frame, side, 13)``; `passage` ``(frame, kind, side, 13)``, kinds percent
    and sigma.
    """

    rows: Floats
    onset: Floats
    passage: Floats


class Inside(NamedTuple):
    """Forecast rows, and what the network computes; NaN for frames that it was not given.

    Shapes: `raw` ``(member, frame, N_RAW)``; `trunk` ``(member, frame, D)``; `attention`
    ``(member, frame, AGES)`` by rising age: the first is the share of the frame before. The
    optional ones are NaN throughout where the graph does not offer them.
    """

    rows: Floats
    raw: Singles
    trunk: Singles
    attention: Singles


class _Bound:
    """One memory, views of its counters, and its bindings by ``2 * phase + slot``."""

    __slots__ = ("bindings", "last_ns", "memory", "seen", "slot")

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.last_ns: Ints = memory["end_ns"]
        self.seen: Ints = memory["seen"]
        self.slot: Ints = memory["slot"]
        self.bindings: list[Any] = [None] * (2 * memory.size)


class _Block:
    """Frames on their way through the network: inputs, what is known of them, their rows."""

    __slots__ = ("end_ns", "fed", "missing", "resets", "rms", "rows", "seen", "u")

    def __init__(self, end_ns: Ints, inputs: int, rows: Floats) -> None:
        n = end_ns.size
        self.end_ns = end_ns
        self.rows = rows
        self.u = np.empty((n, 2 * inputs), dtype=np.float32)
        self.missing = np.empty((n, N_FAMILIES))
        self.rms = np.empty(n)
        self.fed = np.empty(n, dtype=np.bool_)
        self.resets = np.empty(n, dtype=np.bool_)
        self.seen = np.empty(n, dtype=np.int64)


class NetworkForecaster:
    """An ensemble of recurrent networks with attention; see `litehedge.model.graph`.

    Parameters
    ----------
    model
        The ONNX graph.
    expires_ns
        Forecasts of frames that end later say that they are too old; None: they never do.
    neighbours
        Training as the network saw it: frames unlike it lower the confidence and widen intervals.
        None, or a graph that does not offer its trunk: no frame is strange, and nothing is widened.

    Raises
    ------
    ArtefactError
        When ONNX Runtime cannot load the graph, or it has another interface.
    """

    __slots__ = (
        "_arguments", "_attention", "_bounds", "_constants", "_expires_ns", "_frame_ns",
        "_lines", "_missing", "_raw", "_sample", "_session", "_shifts", "_trained", "_u",
        "_usual_rms", "attention", "id", "members", "neighbours", "offers", "schema_hash",
        "standards", "trunk",
    )  # fmt: skip

    def __init__(
        self, model: bytes, standards: Standards, calibration: Calibration, *, frame_ns: int,
        id: str, schema_hash: str, expires_ns: int | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:  # fmt: skip
        self._arguments = (
            model, standards, calibration, frame_ns, id, schema_hash, expires_ns, neighbours,
        )  # fmt: skip
        self.id = id
        self.schema_hash = schema_hash
        self.standards = standards
        self._session, self.members, self.offers = open_session(model, len(standards))
        self.neighbours = neighbours if "trunk" in self.offers else None
        self._sample = no_sample(HIDDEN) if self.neighbours is None else self.neighbours.arguments()
        self._frame_ns = frame_ns
        self._lines = calibration.lines()
        self._shifts = calibration.shifts()
        self._expires_ns = op.NEVER_NS if expires_ns is None else expires_ns
        self._constants = (standards.inputs, standards.family, standards.mean, standards.scale)
        self._usual_rms = standards.usual_rms
        self._trained = standards.missed
        self._u = np.zeros((1, 2 * len(standards)), dtype=np.float32)
        self._missing = np.zeros(N_FAMILIES)
        self._raw = np.zeros((self.members, 1, N_RAW), dtype=np.float32)
        self.trunk = np.full((self.members, 1, HIDDEN), np.nan, dtype=np.float32)
        self._attention = np.full((self.members, 1, AGES), np.nan, dtype=np.float32)
        self.attention = self._attention[:, :, ::-1]
        self._bounds: dict[int, _Bound] = {}

    def __reduce__(self) -> tuple[Callable[..., NetworkForecaster], tuple[Any, ...]]:
        """Travel to another process as what it was made of."""
        return _made_of, self._arguments

    def start(self, phases: int) -> Memory:
        """Return an empty memory."""
        return np.zeros(phases, dtype=mm.memory_type(self.members))

    def step(self, memory: Memory, phase: int, end_ns: int, features: Floats) -> Floats:
        """Advance one frame; return its forecast row.

        Afterwards ``trunk`` ``(member, 1, D)`` is what the network made of the frame, and
        ``attention`` ``(member, 1, AGES)``, by rising age, where it looked, until the next frame
        that it is given.
        """
        out = np.empty((1, fc.N_FORECAST))
        bound = self._bounds.get(id(memory)) or self._bind(memory)
        rms, is_fed, resets = mm.take_in(
            features, phase, end_ns, self._frame_ns, bound.last_ns, bound.seen, *self._constants,
            self._u[0], self._missing,
        )  # fmt: skip
        if resets:
            mm.forget(memory, phase)
        if not is_fed:
            op.write_cold(out, 0)
            return out[0]
        at = 2 * phase + int(bound.slot[phase])
        try:
            self._session.run_with_iobinding(bound.bindings[at] or self._bind_step(bound, at))
            is_sound = op.write_row(
                self._raw, 0, self._lines, self._shifts, bound.seen[phase], end_ns,
                self._expires_ns, rms, self._usual_rms, self._missing, self._trained,
                self.trunk, self._sample, out, 0,
            )  # fmt: skip
        except Exception:  # whatever the runtime throws, the engine goes on
            is_sound = False
        if is_sound:
            bound.slot[phase] ^= 1
        else:
            op.write_cold(out, 0)
            mm.forget(memory, phase)
            bound.seen[phase] = 0
        return out[0]

    def batch(self, memory: Memory, phases: Ints, end_ns: Ints, features: Floats) -> Floats:
        """Advance many frames in time order; return their forecast rows."""
        rows = np.empty((end_ns.size, fc.N_FORECAST))
        for _ in self._calls(memory, phases, end_ns, features, rows, ()):
            pass
        return rows

    def hazards_batch(
        self, memory: Memory, phases: Ints, end_ns: Ints, features: Floats
    ) -> Hazards:
        """Advance many frames like `batch`; return also the hazards of first passage."""
        rows = np.empty((end_ns.size, fc.N_FORECAST))
        passage = np.full((end_ns.size, 2, 2, N_ONSET), np.nan)
        for places, found in self._calls(memory, phases, end_ns, features, rows, ()):
            op.write_passages(found["raw"], self._lines, places, rows, passage)
        onset = rows[:, fc.ONSET_AT : fc.PEAK_AT].reshape(-1, 2, N_ONSET)
        return Hazards(rows, onset, passage)

    def trunk_batch(
        self, memory: Memory, phases: Ints, end_ns: Ints, features: Floats
    ) -> tuple[Floats, Singles]:
        """Advance many frames like `batch`; return rows and trunks, ``(member, frame, D)``.

        NaN for frames that the network was not given, throughout where it offers no trunk.
        """
        rows = np.empty((end_ns.size, fc.N_FORECAST))
        trunk = np.full((self.members, end_ns.size, HIDDEN), np.nan, dtype=np.float32)
        wanted = tuple({"trunk"} & self.offers)
        for places, found in self._calls(memory, phases, end_ns, features, rows, wanted):
            if wanted:
                trunk[:, places] = found["trunk"]
        return rows, trunk

    def inside_batch(self, memory: Memory, phases: Ints, end_ns: Ints, features: Floats) -> Inside:
        """Advance some frames like `batch`; return also what the network computes.

        Takes about 2 kB per frame and member.
        """
        rows = np.empty((end_ns.size, fc.N_FORECAST))
        parts = {
            name: np.full((self.members, end_ns.size, width), np.nan, dtype=np.float32)
            for name, width in _WIDTHS.items()
        }
        wanted = tuple(sorted(self.offers))
        for places, found in self._calls(memory, phases, end_ns, features, rows, wanted):
            for name, values in found.items():
                parts[name][:, places] = values
        return Inside(rows, parts["raw"], parts["trunk"], parts["attention"][:, :, ::-1])

    def onset_of_windows(self, windows: Singles, minutes: float) -> Floats:
        """Return P(onset within `minutes`), ``(window, side)``, at the end of each window.

        A window ``(frame, 2n)`` holds inputs, not features, and nothing came before it. Unlike
        `step` and `batch` this lets errors of the runtime through.
        """
        out = np.full((len(windows), 2), np.nan)
        memory = self.start(1)
        for number, window in enumerate(windows):
            mm.forget(memory, 0)
            for begin in range(0, len(window), CHUNK):
                u = np.ascontiguousarray(window[begin : begin + CHUNK], dtype=np.float32)
                slot = int(memory["slot"][0])
                raw = np.empty((self.members, len(u), N_RAW), dtype=np.float32)
                self._session.run_with_iobinding(self._binding(memory, 0, slot, u, {"raw": raw}))
                memory["slot"][0] = 1 - slot
            op.onset_probability(raw, len(u) - 1, self._lines, minutes, out[number])
        return out

    def _calls(
        self, memory: Memory, phases: Ints, end_ns: Ints, features: Floats, rows: Floats,
        wanted: tuple[str, ...],
    ) -> Iterator[tuple[Ints, dict[str, Singles]]]:  # fmt: skip
        """Advance frames and write their rows; yield what each call put out, and for which."""
        for begin in range(0, end_ns.size, BLOCK):
            at = slice(begin, begin + BLOCK)
            b = _Block(end_ns[at], len(self.standards), rows[at])
            mm.take_in_all(
                features[at], phases[at], b.end_ns, self._frame_ns, memory["end_ns"],
                memory["seen"], *self._constants, b.u, b.missing, b.rms, b.fed, b.resets, b.seen,
            )  # fmt: skip
            op.write_cold_rows(b.fed, b.rows)
            for phase in np.unique(phases[at]).tolist():
                mine = np.flatnonzero(phases[at] == phase)
                for run, resets in _runs(mine, b.fed, b.resets):
                    if resets:
                        mm.forget(memory, phase)
                    for first in range(0, run.size, CHUNK):
                        places = run[first : first + CHUNK]
                        found = self._advance(memory, phase, b, places, wanted)
                        if found is not None:
                            yield places + begin, found
                            continue
                        for i in range(first, first + places.size):
                            one = run[i : i + 1]
                            found = self._advance(memory, phase, b, one, wanted)
                            if found is not None:
                                yield one + begin, found
                                continue
                            op.write_cold(b.rows, one[0])
                            mm.forget(memory, phase)
                            b.seen[run[i:]] = np.arange(run.size - i)
                memory["seen"][phase] = b.seen[mine[-1]]

    def _advance(
        self, memory: Memory, phase: int, b: _Block, places: Ints, wanted: tuple[str, ...]
    ) -> dict[str, Singles] | None:
        """Feed consecutive frames in one call; None, and nothing has happened, if it fails."""
        slot = int(memory["slot"][phase])
        n = places.size
        needed = {"raw", *wanted} if self.neighbours is None else {"raw", "trunk", *wanted}
        found = {
            name: np.empty((self.members, n, _WIDTHS[name]), dtype=np.float32)
            for name in sorted(needed)
        }
        u = b.u[places]
        try:
            self._session.run_with_iobinding(self._binding(memory, phase, slot, u, found))
            is_sound = op.write_rows(
                found["raw"], self._lines, self._shifts, places, b.seen, b.end_ns,
                self._expires_ns, b.rms, self._usual_rms, b.missing, self._trained,
                found.get("trunk", self.trunk), self._sample, b.rows,
            )  # fmt: skip
        except Exception:  # whatever the runtime throws, the caller goes on
            return None
        if not is_sound:
            return None
        memory["slot"][phase] = 1 - slot
        return found

    def _binding(
        self, memory: Memory, phase: int, slot: int, u: Singles, outputs: dict[str, Singles]
    ) -> Any:
        """Bind buffers by pointer; whoever calls keeps them alive."""
        binding = self._session.io_binding()
        cells, ring = memory["cells"][phase], memory["ring"][phase]
        inputs = {"u": u, "cells": cells[slot], "ring": ring[slot]}
        state = {"cells_out": cells[1 - slot], "ring_out": ring[1 - slot]}
        for name, array in inputs.items():
            binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in (outputs | state).items():
            binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding

    def _bind_step(self, bound: _Bound, at: int) -> Any:
        outputs = {"trunk": self.trunk, "attention": self._attention}
        outputs = {"raw": self._raw} | {name: outputs[name] for name in self.offers}
        bound.bindings[at] = self._binding(bound.memory, at // 2, at % 2, self._u, outputs)
        return bound.bindings[at]

    def _bind(self, memory: Memory) -> _Bound:
        """Keep a memory, so that no other can come to lie where its bindings point."""
        while len(self._bounds) >= KEPT_MEMORIES:
            del self._bounds[next(iter(self._bounds))]
        bound = self._bounds[id(memory)] = _Bound(memory)
        return bound


def _made_of(
    model: bytes, standards: Standards, calibration: Calibration, frame_ns: int, id: str,
    schema_hash: str, expires_ns: int | None, neighbours: Neighbours | None,
) -> NetworkForecaster:  # fmt: skip
    return NetworkForecaster(
        model, standards, calibration, frame_ns=frame_ns, id=id, schema_hash=schema_hash,
        expires_ns=expires_ns, neighbours=neighbours,
    )  # fmt: skip


def _runs(mine: Ints, fed: Bools, resets: Bools) -> Iterator[tuple[Ints, bool]]:
    """Cut the frames of a phase where its state is reset; yield those fed, and whether it is.

    Between two resets the frames that are fed follow one another: a cold one among them resets.
    """
    cuts = np.flatnonzero(resets[mine])
    edges = [0, *cuts.tolist(), mine.size]
    for number, (begin, end) in enumerate(pairwise(edges)):
        part = mine[begin:end]
        if number > 0 or part.size > 0:
            yield part[fed[part]], number > 0

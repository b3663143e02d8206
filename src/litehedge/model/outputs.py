"""From what an ensemble puts out to forecast rows: hazards, average, calibration, states.

Members are averaged as hazards per bin (onset, passage, peak), in log bps (severity), as
probabilities (phase) and in logs (volatility); then the average is calibrated. The onset's sides
are competing risks, ``h_s = exp(a_s) / (1 + exp(a_long) + exp(a_short))``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.model import layout as ly
from litehedge.model.calibration import (
    BAND_OF_BIN,
    LINE_ONSET,
    LINE_PASSAGE,
    LINE_PEAK,
    N_BANDS,
    calibrated,
)
from litehedge.model.confidence import (
    confidence,
    spread_of_members,
    stretch_hazards,
    stretch_severity,
    widening,
)
from litehedge.model.distance import Sample, dissimilarity
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import (
    N_ONSET,
    N_PEAK,
    ONSET_EDGES,
    PEAK_EDGES,
    incidence,
    incidence_at,
)
from litehedge.squeeze.targets import PHASES, VOL_MINUTES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]
Bools = NDArray[np.bool_]

MAX_LOG_BPS: Final = 9.2
MIN_STEP: Final = 1e-4  # in log bps: quantiles never cross
MAX_LOG_VOL: Final = 0.0
MEDIAN: Final = int(np.flatnonzero(fc.SEVERITY_LEVELS == 0.5)[0])
NEVER_NS: Final = np.iinfo(np.int64).max

_N_PHASES: Final = len(PHASES)
_N_VOLS: Final = len(VOL_MINUTES)
_OK, _DEGRADED, _COLD, _EXPIRED = (float(state) for state in fc.ForecastState)


@kernel
def _sigmoid(x: float) -> float:
    if x >= 0.0:
        return 1.0 / (1.0 + np.exp(-x))
    e = np.exp(x)
    return e / (1.0 + e)


@kernel
def _softplus(x: float) -> float:
    return max(x, 0.0) + np.log1p(np.exp(-abs(x)))


@kernel
def member_hazard(raw: Singles, m: int, frame: int, side: int, k: int) -> float:
    """Return one member's hazard of onset in bin `k`; `raw` is ``(member, frame, N_RAW)``."""
    mine = np.float64(raw[m, frame, ly.RAW_ONSET + side * N_ONSET + k])
    other = np.float64(raw[m, frame, ly.RAW_ONSET + (1 - side) * N_ONSET + k])
    top = max(mine, other, 0.0)
    return np.exp(mine - top) / (np.exp(-top) + np.exp(mine - top) + np.exp(other - top))


@kernel
def onset_hazard(raw: Singles, frame: int, side: int, k: int, lines: Floats) -> float:
    """Return the ensemble's hazard of onset in bin `k`."""
    total = 0.0
    for m in range(raw.shape[0]):
        total += member_hazard(raw, m, frame, side, k)
    line = LINE_ONSET + side * N_BANDS + BAND_OF_BIN[k]
    return calibrated(total / raw.shape[0], lines, line)


@kernel
def _mean_hazard(raw: Singles, frame: int, place: int, lines: Floats, line: int) -> float:
    total = 0.0
    for m in range(raw.shape[0]):
        total += _sigmoid(np.float64(raw[m, frame, place]))
    return calibrated(total / raw.shape[0], lines, line)


@kernel
def write_forecast(
    raw: Singles, frame: int, lines: Floats, shifts: Floats, out: Floats, row: int
) -> None:
    """Write everything but confidence and state of one frame to row `row`.

    Shapes: `raw` ``(member, frame, N_RAW)``; `lines` ``(N_LINES, 2)``; `shifts` ``(side,
    level)``; `out` ``(row, N_FORECAST)``.
    """
    members = raw.shape[0]
    for side in range(2):
        for k in range(N_ONSET):
            out[row, fc.ONSET_AT + side * N_ONSET + k] = onset_hazard(raw, frame, side, k, lines)
        for k in range(N_PEAK):
            at = side * N_PEAK + k
            out[row, fc.PEAK_AT + at] = _mean_hazard(
                raw, frame, ly.RAW_PEAK + at, lines, LINE_PEAK + side
            )
        at = side * fc.N_SEVERITY
        for level in range(fc.N_SEVERITY):
            out[row, fc.SEVERITY_AT + at + level] = 0.0
        for m in range(members):
            value = 0.0
            for level in range(fc.N_SEVERITY):
                x = np.float64(raw[m, frame, ly.RAW_SEVERITY + at + level])
                value += x if level == 0 else _softplus(x)
                out[row, fc.SEVERITY_AT + at + level] += value / members
        last = -np.inf
        for level in range(fc.N_SEVERITY):
            value = out[row, fc.SEVERITY_AT + at + level] + shifts[side, level]
            last = max(min(value, MAX_LOG_BPS), last + MIN_STEP)
            out[row, fc.SEVERITY_AT + at + level] = np.exp(last)
    _write_phase_and_vol(raw, frame, out, row)


@kernel
def _write_phase_and_vol(raw: Singles, frame: int, out: Floats, row: int) -> None:
    members = raw.shape[0]
    out[row, fc.PHASE_AT : fc.CONFIDENCE_AT] = 0.0
    for m in range(members):
        top = -np.inf
        for i in range(_N_PHASES):
            top = max(top, np.float64(raw[m, frame, ly.RAW_PHASE + i]))
        total = 0.0
        for i in range(_N_PHASES):
            total += np.exp(np.float64(raw[m, frame, ly.RAW_PHASE + i]) - top)
        for i in range(_N_PHASES):
            share = np.exp(np.float64(raw[m, frame, ly.RAW_PHASE + i]) - top) / total
            out[row, fc.PHASE_AT + i] += share / members
        for i in range(_N_VOLS):
            out[row, fc.VOL_AT + i] += np.float64(raw[m, frame, ly.RAW_VOL + i]) / members
    for i in range(_N_VOLS):
        out[row, fc.VOL_AT + i] = np.exp(min(out[row, fc.VOL_AT + i], MAX_LOG_VOL))


@kernel
def write_all_forecasts(
    raw: Singles, lines: Floats, shifts: Floats, frames: Ints, out: Floats
) -> None:
    """Write what `write_forecast` does for these frames, each to its own row."""
    for i in range(frames.size):
        write_forecast(raw, frames[i], lines, shifts, out, frames[i])


@kernel
def write_cold(out: Floats, row: int) -> None:
    """Write a row that says nothing."""
    out[row] = np.nan
    out[row, fc.CONFIDENCE_AT] = 0.0
    out[row, fc.STATE_AT] = _COLD


@kernel
def write_cold_rows(spoken: Bools, out: Floats) -> None:
    """Write a row that says nothing for every frame of which nothing is `spoken`."""
    for i in range(spoken.size):
        if not spoken[i]:
            write_cold(out, i)


@kernel
def spread_of(raw: Singles, frame: int, out: Floats) -> None:
    """Write the deviation between members of the log-odds of an onset, ``(side,)``, in nats.

    Before calibration, which moves all members alike; NaN for one member.
    """
    members = raw.shape[0]
    out[:] = np.nan
    if members < 2:
        return
    hazards = np.empty((members, 2, N_ONSET))
    for m in range(members):
        for side in range(2):
            for k in range(N_ONSET):
                hazards[m, side, k] = member_hazard(raw, m, frame, side, k)
    spread_of_members(hazards, out)


@kernel
def onset_probability(raw: Singles, frame: int, lines: Floats, minutes: float, out: Floats) -> None:
    """Write P(onset within `minutes`) of one frame, ``(side,)``, as its row would have it."""
    hazards = np.empty((2, N_ONSET))
    for side in range(2):
        for k in range(N_ONSET):
            hazards[side, k] = onset_hazard(raw, frame, side, k, lines)
    cif = np.empty_like(hazards)
    incidence(hazards, cif)
    for side in range(2):
        out[side] = incidence_at(cif[side], ONSET_EDGES, minutes)


@kernel
def strangeness(trunk: Singles, frame: int, sample: Sample) -> float:
    """Return the dissimilarity index of the mean trunk of a frame; NaN without a sample.

    Shapes: `trunk` ``(member, frame, D)``; `sample` as `Neighbours.arguments`.
    """
    mean, scale, points, usual, nearest = sample
    if points.shape[1] == 0:
        return np.nan
    one = np.zeros(trunk.shape[2], np.float32)
    for m in range(trunk.shape[0]):
        for d in range(one.size):
            one[d] += trunk[m, frame, d] / np.float32(trunk.shape[0])
    return dissimilarity(one, mean, scale, points, usual, nearest)


@kernel
def widen(out: Floats, row: int, side: int, factor: float) -> None:
    """Stretch severity above its median, and the time to the peak both ways, in place."""
    at = fc.SEVERITY_AT + side * fc.N_SEVERITY
    levels = np.log(out[row, at : at + fc.N_SEVERITY])
    stretch_severity(levels, MEDIAN, factor)
    last = levels[MEDIAN]
    for level in range(MEDIAN + 1, fc.N_SEVERITY):
        last = max(min(levels[level], MAX_LOG_BPS), last + MIN_STEP)
        out[row, at + level] = max(out[row, at + level], np.exp(last))
    at = fc.PEAK_AT + side * N_PEAK
    stretch_hazards(out[row, at : at + N_PEAK], PEAK_EDGES, factor)


@kernel
def write_row(
    raw: Singles, frame: int, lines: Floats, shifts: Floats, seen: int, end_ns: int,
    expires_ns: int, rms: float, usual_rms: Floats, missing: Floats, trained: Floats,
    trunk: Singles, sample: Sample, out: Floats, row: int,
) -> bool:  # fmt: skip
    """Write the forecast row of one frame, with confidence and state.

    Cold while `seen` frames are fewer than attention looks back on, degraded while a family that
    training had lacks an input, expired after `expires_ns`, which halves the confidence. A market
    unlike training, or members that disagree, lower the confidence; with a sample of training
    they widen intervals, and change neither state nor medians. Returns whether the network put
    out finite numbers; where it did not, the row is cold.

    Shapes: `missing` and `trained` ``(family,)``; `trunk` and `sample` as `strangeness`; the rest
    as `write_forecast`.
    """
    write_forecast(raw, frame, lines, shifts, out, row)
    finite = True
    for i in range(fc.CONFIDENCE_AT):
        finite &= np.isfinite(out[row, i])
    if not finite or seen < ly.AGES:
        write_cold(out, row)
        return finite
    lost = 0.0
    families = 0.0
    for f in range(trained.size):
        families += trained[f]
        lost += trained[f] * missing[f]
    share = 1.0 - 0.5 * lost / families if families > 0.0 else 1.0
    spread = np.empty(2)
    spread_of(raw, frame, spread)
    di = strangeness(trunk, frame, sample)
    trust = confidence(di, max(spread[0], spread[1]), share, rms / usual_rms[0], np.nan)
    if sample[2].shape[1] > 0:
        for side in range(2):
            factor = widening(di, spread[side])
            if factor > 1.0:
                widen(out, row, side, factor)
    state = _DEGRADED if lost > 0.0 else _OK
    if end_ns > expires_ns:
        trust *= 0.5
        state = _EXPIRED
    out[row, fc.CONFIDENCE_AT] = trust
    out[row, fc.STATE_AT] = state
    return True


@kernel
def write_rows(
    raw: Singles, lines: Floats, shifts: Floats, places: Ints, seen: Ints, end_ns: Ints,
    expires_ns: int, rms: Floats, usual_rms: Floats, missing: Floats, trained: Floats,
    trunk: Singles, sample: Sample, out: Floats,
) -> bool:  # fmt: skip
    """Write the rows of many frames: frame i of `raw` is number ``places[i]`` of all others."""
    finite = True
    for i in range(places.size):
        at = places[i]
        finite &= write_row(
            raw, i, lines, shifts, seen[at], end_ns[at], expires_ns, rms[at], usual_rms,
            missing[at], trained, trunk, sample, out, at,
        )  # fmt: skip
    return finite


@kernel
def write_passages(raw: Singles, lines: Floats, places: Ints, rows: Floats, out: Floats) -> None:
    """Write the hazards of first passage, ``(frame, kind, side, bin)``; NaN where a row is cold.

    Shapes: as `write_rows`; `rows` are those that it wrote.
    """
    for i in range(places.size):
        at = places[i]
        if rows[at, fc.STATE_AT] == _COLD:
            out[at] = np.nan
            continue
        for kind in range(2):
            for side in range(2):
                line = 2 * kind + side
                for k in range(N_ONSET):
                    place = ly.RAW_PASSAGE + line * N_ONSET + k
                    band = LINE_PASSAGE + line * N_BANDS + BAND_OF_BIN[k]
                    out[at, kind, side, k] = _mean_hazard(raw, i, place, lines, band)

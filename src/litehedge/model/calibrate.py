"""Calibration of a fitted forecaster on frames that it has not seen.

Per task and side, hazards get a slope and a shift on their logits,

    logit h'_k = slope * logit h_k + shift,    slope > 0,

chosen to minimise the right-censored log-loss; frames keep their rank within a bin. Log severity
gets an additive shift per level, from the empirical quantile of what each event lacked.

Few events calibrate little: slope and shift are pulled towards the identity as strongly as
`RIDGE_EVENTS` events would that the forecaster described perfectly. The ridge is the information
of one such event, times that number. Frames of one event tell the same story again and again, so
the log-loss of all frames counts no more than the distinct events among them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.model.calibration import BAND_OF_BIN, N_BANDS
from litehedge.squeeze.forecast import N_SEVERITY, SEVERITY_LEVELS
from litehedge.squeeze.hazard import ONSET_EDGES, PEAK_EDGES, bin_of
from litehedge.squeeze.targets import Targets
from litehedge.squeeze.times import Times
from litehedge.units import NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

RIDGE_EVENTS: Final = 10.0
SEVERITY_LEAD_MIN: Final = 30.0
APART_MIN: Final = 60.0
"""Events of one side that lie closer together count as one."""
LOWEST_SLOPE: Final = 0.05
_CLIP: Final = 1e-12
_NEVER_ABOVE: Final = 1.0 - 1e-6
_LEAST_SPREAD: Final = 1e-4
_STEPS: Final = 60


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted; pairs are (slope, shift) on logits.

    Shapes: `onset` ``(side, 2)``; `passage` ``(kind, side, 2)``; `peak` ``(side, 2)``;
    `severity` ``(side, level)``, added to log bps.
    """

    onset: Floats
    passage: Floats
    peak: Floats
    severity: Floats

    def to_json(self) -> dict[str, Any]:
        """Return the parts as nested lists, as a stored calibration takes them."""
        return {field.name: getattr(self, field.name).tolist() for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Validation:
    """Frames of one data set with what was forecast, uncalibrated, and what came.

    Shapes: `end_ns` ``(frame,)``; `onset` ``(frame, side, 13)``; `passage`
    ``(frame, kind, side, 13)``; `peak` ``(frame, side, 12)``; `log_severity`
    ``(frame, side, level)``, log bps; `severity_bps` ``(event,)``, indexed by ``targets.event``.
    Frames without a forecast hold NaN and are left out.
    """

    end_ns: Ints
    onset: Floats
    passage: Floats
    peak: Floats
    log_severity: Floats
    squeezes: Times
    passages: tuple[Times, Times]
    targets: Targets
    severity_bps: Floats


def fit_calibration(spans: list[Validation], *, ridge_events: float = RIDGE_EVENTS) -> Fitted:
    """Fit every task; what the spans hold no event of stays as it is.

    Raises
    ------
    ValueError
        When `spans` is empty.
    """
    onset = fit_hazards([(v.onset, v.squeezes, v.end_ns) for v in spans], ridge_events=ridge_events)
    passage = np.array(
        [
            fit_hazards(
                [(v.passage[:, kind], v.passages[kind], v.end_ns) for v in spans],
                ridge_events=ridge_events,
            )
            for kind in range(2)
        ]
    )
    peak = fit_peak([(v.peak, v.targets) for v in spans], ridge_events=ridge_events)
    severity = fit_severity(
        [(v.log_severity, v.targets, v.severity_bps) for v in spans], ridge_events=ridge_events
    )
    return Fitted(onset, passage, peak, severity)


def recalibrated(hazards: Floats, pairs: Floats) -> Floats:
    """Return calibrated hazards.

    Shapes: `hazards` ``(..., side, bin)``; `pairs` ``(side, band, 2)``, or ``(side, 2)`` where a
    line holds for every bin. Hazards of competing risks may sum to more than one where they were
    near it; `hazard.incidence` scales them.
    """
    lines = pairs[:, BAND_OF_BIN] if pairs.ndim == 3 else pairs[:, np.newaxis]
    moved = lines[..., 0] * _logit(hazards) + lines[..., 1]
    return np.asarray(1.0 / (1.0 + np.exp(-moved)), dtype=np.float64)


def fit_hazards(
    parts: list[tuple[Floats, Times, Ints]], *, ridge_events: float = RIDGE_EVENTS
) -> Floats:
    """Fit (slope, shift) per side and band, ``(side, band, 2)``, for the time to an event.

    `parts` holds hazards ``(frame, side, 13)``, times, and ends of frames ``(frame,)``.
    Competing sides are fitted together: the loss is that of their joint likelihood.
    """
    rows = [_rows_of(hazards, times) for hazards, times, _ in parts]
    x, y, m, both, k = (np.concatenate(columns) for columns in zip(*rows, strict=True))
    happened = float((y * m).sum())
    events = sum(distinct_events(times, end_ns) for _, times, end_ns in parts)
    weight = events / happened if happened > 0 else 0.0
    fitted = []
    for band in range(N_BANDS):  # the likelihood is a product over bins
        here = BAND_OF_BIN[k] == band
        some = np.full(int(here.sum()), weight)
        fitted.append(_fit(x[here], y[here], m[here], both[here], some, ridge_events / N_BANDS))
    return np.stack(fitted, axis=1)


def fit_lines(
    hazards: Floats, times: Times, end_ns: Ints, *, ridge_events: float = RIDGE_EVENTS
) -> Floats:
    """Fit (slope, shift) per side, ``(side, 2)``: one line for all bins, as `fit_hazards` fits it.

    What holds no event stays as it is. Shapes: `hazards` ``(frame, side, 13)``; `end_ns`
    ``(frame,)``.
    """
    x, y, m, both, _ = _rows_of(hazards, times)
    happened = float((y * m).sum())
    if happened == 0.0:
        return np.tile([1.0, 0.0], (2, 1))
    weight = np.full(x.shape[0], distinct_events(times, end_ns) / happened)
    return _fit(x, y, m, both, weight, ridge_events)


def fit_peak(parts: list[tuple[Floats, Targets]], *, ridge_events: float = RIDGE_EVENTS) -> Floats:
    """Fit (slope, shift) per side, ``(side, 2)``, for the time to the peak of a running squeeze.

    `parts` holds hazards ``(frame, side, 12)`` and targets. Every squeeze weighs the same,
    however long it ran.
    """
    columns: list[tuple[Floats, Floats, Floats, Floats]] = []
    for hazards, targets in parts:
        for side in range(2):
            use = targets.inside[:, side] & np.isfinite(hazards[:, side]).all(axis=1)
            bins = bin_of(targets.to_peak_min[use, side], PEAK_EDGES)
            weight = event_weights(targets.event[use, side])
            frame, k = _seen(bins, bins < PEAK_EDGES.size - 1, PEAK_EDGES.size - 1)
            x = np.zeros((frame.size, 2))
            y, m = np.zeros_like(x), np.zeros_like(x)
            x[:, side] = _logit(hazards[use, side][frame, k])
            y[:, side] = k == bins[frame]
            m[:, side] = 1.0
            columns.append((x, y, m, weight[frame]))
    x, y, m, weight = (np.concatenate(c) for c in zip(*columns, strict=True))
    return _fit(x, y, m, np.zeros(x.shape[0], dtype=np.bool_), weight, ridge_events)


def fit_severity(
    parts: list[tuple[Floats, Targets, Floats]], *, ridge_events: float = RIDGE_EVENTS
) -> Floats:
    """Return shifts of log severity, ``(side, level)``.

    `parts` holds log quantiles ``(frame, side, level)``, targets, and severities ``(event,)`` in
    bps. Asked are the frames of the `SEVERITY_LEAD_MIN` minutes before each onset; each event
    weighs the same. The shift of a level is that quantile of (log severity - forecast), at rank
    level * (n + 1) as in split conformal prediction, times n / (n + `ridge_events`).
    """
    out = np.zeros((2, N_SEVERITY))
    for side in range(2):
        missing, weights = [], []
        for quantiles, targets, severity_bps in parts:
            use = (
                targets.has_onset[:, side]
                & targets.at_risk[:, side]
                & (targets.to_onset_min[:, side] <= SEVERITY_LEAD_MIN)
                & np.isfinite(quantiles[:, side]).all(axis=1)
            )
            event = targets.event[use, side]
            actual = np.log(np.maximum(severity_bps[event], 1.0))
            missing.append(actual[:, np.newaxis] - quantiles[use, side])
            weights.append(event_weights(event))
        residual, weight = np.concatenate(missing), np.concatenate(weights)
        events = weight.sum()
        if events < 0.5:
            continue
        for i, level in enumerate(SEVERITY_LEVELS):
            shift = weighted_quantile(residual[:, i], weight, float(level))
            out[side, i] = shift * events / (events + ridge_events)
    return out


def weighted_quantile(values: Floats, weight: Floats, level: float) -> float:
    """Return the quantile at rank ``level * (n + 1)`` with n the sum of weights, interpolated.

    The extreme values stand for ranks beyond them. Shapes: ``(value,)`` both.
    """
    order = np.argsort(values, kind="stable")
    rank = np.cumsum(weight[order]) - 0.5 * weight[order] + 0.5
    return float(np.interp(level * (weight.sum() + 1.0), rank, values[order]))


def event_weights(event: Ints) -> Floats:
    """Return weights ``(frame,)`` that sum to one over the frames of each event."""
    _, inverse, counts = np.unique(event, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[inverse], dtype=np.float64)


def distinct_events(times: Times, end_ns: Ints) -> int:
    """Count the events that end a wait, both sides together; `APART_MIN` minutes set two apart."""
    total = 0
    horizon = ONSET_EDGES[-1]
    for side in range(2):
        ends = times.happened[:, side] & times.at_risk[:, side]
        ends = ends & (times.minutes[:, side] <= horizon)
        at = np.sort(end_ns[ends] + np.round(times.minutes[ends, side] * NS_PER_MINUTE))
        if at.size:
            total += 1 + int((np.diff(at) > APART_MIN * NS_PER_MINUTE).sum())
    return total


def log_loss(hazards: Floats, times: Times) -> float:
    """Return the right-censored log-loss in nats per frame at risk, both sides together.

    Shapes: `hazards` ``(frame, side, 13)``; frames with NaN are left out.
    """
    x, y, m, both, _ = _rows_of(hazards, times)
    frames = np.isfinite(hazards).all(axis=(1, 2)) & times.at_risk.any(axis=1)
    return float(_loss(x, y, m, both).sum() / max(int(frames.sum()), 1))


def _logit(hazards: Floats) -> Floats:
    clipped = np.clip(hazards, _CLIP, 1.0 - _CLIP)
    return np.asarray(np.log(clipped / (1.0 - clipped)), dtype=np.float64)


def _seen(last: Ints, ended: Bools, bins: int) -> tuple[Ints, Ints]:
    """Return frame and bin of what was lived through: bins before `last`, and it where `ended`."""
    count = np.minimum(last + ended, bins)
    frame = np.repeat(np.arange(last.size), count)
    first = np.repeat(np.cumsum(count) - count, count)
    return frame, np.arange(frame.size) - first


def _rows_of(hazards: Floats, times: Times) -> tuple[Floats, Floats, Floats, Bools, Ints]:
    """Lay out one row per frame and bin that it lived through.

    Returns logits, outcomes, and which sides the row tells of, each ``(row, side)``; where both
    sides were survived as competing risks, and the bin ``(row,)``.
    """
    known: Bools = np.asarray(np.isfinite(hazards).all(axis=(1, 2)))
    hazards, times = hazards[known], times[known]
    bins = ONSET_EDGES.size - 1
    if times.competing:
        total = hazards.sum(axis=1, keepdims=True)
        hazards = hazards * np.minimum(1.0, _NEVER_ABOVE / np.maximum(total, _CLIP))
        waits = np.where(times.at_risk, times.minutes, np.inf)
        first = waits.min(axis=1)
        at = np.arange(first.size)
        # An event that comes as the other side's observation ends has been seen.
        side = np.argmax((waits == first[:, np.newaxis]) & times.happened, axis=1)
        ended = times.happened[at, side] & np.isfinite(first) & (first <= ONSET_EDGES[-1])
        frame, k, happened = _lived(np.where(np.isfinite(first), first, 0.0), ended, bins)
        x = _logit(hazards[frame, :, k])
        y = np.zeros_like(x)
        y[happened, side[frame[happened]]] = 1.0
        m = times.at_risk[frame].astype(np.float64)
        m[happened] = y[happened]  # the likelihood of an event asks nothing of the other side
        return x, y, m, ~happened & times.at_risk[frame].all(axis=1), k
    parts: list[tuple[Floats, Floats, Floats, Ints]] = []
    for s in range(2):
        at_risk = np.flatnonzero(times.at_risk[:, s])
        minutes = times.minutes[at_risk, s]
        ended = times.happened[at_risk, s] & (minutes <= ONSET_EDGES[-1])
        frame, k, happened = _lived(minutes, ended, bins)
        x = np.zeros((frame.size, 2))
        y, m = np.zeros_like(x), np.zeros_like(x)
        x[:, s] = _logit(hazards[at_risk[frame], s, k])
        y[:, s] = happened
        m[:, s] = 1.0
        parts.append((x, y, m, k))
    x, y, m, bins_of = (np.concatenate(c) for c in zip(*parts, strict=True))
    return x, y, m, np.zeros(x.shape[0], dtype=np.bool_), bins_of


def _lived(minutes: Floats, ended: Bools, bins: int) -> tuple[Ints, Ints, Bools]:
    """Return frame, bin, and whether the event came, for every bin that was lived through."""
    whole = np.searchsorted(ONSET_EDGES, minutes, side="right") - 1  # bins survived to their end
    last = np.where(ended, bin_of(minutes, ONSET_EDGES), whole)
    frame, k = _seen(last, ended, bins)
    return frame, k, ended[frame] & (k == last[frame])


def _loss(x: Floats, y: Floats, m: Floats, both: Bools) -> Floats:
    """Return minus the log-likelihood of each row; infinite where hazards sum to one or more.

    One side alone is a logistic regression. Where both are survived,
    1 - h_0 - h_1 = (1 - exp(x_0 + x_1)) / ((1 + exp x_0) (1 + exp x_1)), so that one more term
    comes in, which is convex too.
    """
    out = (m * (np.logaddexp(0.0, x) - y * x)).sum(axis=1)
    u = x[both].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        out[both] -= np.where(u < 0.0, np.log(-np.expm1(np.minimum(u, 0.0))), -np.inf)
    return np.asarray(out, dtype=np.float64)


def _fit(
    x: Floats, y: Floats, m: Floats, both: Bools, weight: Floats, ridge_events: float
) -> Floats:
    """Minimise the weighted loss plus ridge by projected Newton, from the identity.

    Parameters are (slope - 1, shift) of each side around that side's mean logit, where slope
    and shift do not stand in for each other; slopes stay above `LOWEST_SLOPE`. The loss is
    convex, and no step raises it: that of the fit is never above that of the identity.
    """
    hazard = 1.0 / (1.0 + np.exp(-x))
    spread = weight[:, np.newaxis] * m * hazard * (1.0 - hazard)
    events = spread.sum(axis=0)
    centre = (spread * x).sum(axis=0) / np.maximum(events, 1e-300)
    tilt = x - centre
    about = (spread * tilt**2).sum(axis=0) / np.maximum(events, 1e-300)
    ridge = ridge_events * np.stack((np.maximum(about, _LEAST_SPREAD), np.ones(2)), 1).reshape(-1)
    usable = events > 0.0

    def moved(theta: Floats) -> Floats:
        return np.asarray(x + tilt * theta[[0, 2]] + theta[[1, 3]], dtype=np.float64)

    def value(theta: Floats) -> float:
        return float(weight @ _loss(moved(theta), y, m, both) + 0.5 * ridge @ theta**2)

    theta = np.zeros(4)
    if not usable.any():
        return _pairs(theta, centre)
    lowest = np.array([LOWEST_SLOPE - 1.0, -np.inf, LOWEST_SLOPE - 1.0, -np.inf])
    now = value(theta)
    for _ in range(_STEPS):
        gradient, hessian = _derivatives(moved(theta), tilt, y, m, both, weight)
        gradient += ridge * theta
        hessian += np.diag(ridge)
        free = np.repeat(usable, 2) & ~((theta <= lowest + 1e-9) & (gradient > 0.0))
        step = np.zeros(4)
        step[free] = -np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        length = 1.0
        while value(np.maximum(theta + length * step, lowest)) > now and length > 1e-9:
            length *= 0.5
        tried = np.maximum(theta + length * step, lowest)
        gained = now - value(tried)
        if gained > 0.0:
            theta, now = tried, now - gained
        if gained <= 1e-12 * (1.0 + abs(now)):
            break
    return _pairs(theta, centre)


def _derivatives(
    x: Floats, tilt: Floats, y: Floats, m: Floats, both: Bools, weight: Floats
) -> tuple[Floats, Floats]:
    """Return gradient ``(4,)`` and Hessian ``(4, 4)`` of the weighted loss."""
    hazard = 1.0 / (1.0 + np.exp(-x))
    slope = m * (hazard - y)
    bend = m * hazard * (1.0 - hazard)
    across = np.zeros(x.shape[0])
    u = np.exp(np.minimum(x[both].sum(axis=1), -1e-12))
    slope[both] += (u / (1.0 - u))[:, np.newaxis]
    across[both] = u / (1.0 - u) ** 2
    gradient, hessian = np.zeros(4), np.zeros((4, 4))
    design = np.stack((tilt[:, 0], np.ones(x.shape[0]), tilt[:, 1], np.ones(x.shape[0])), axis=1)
    for a in range(4):
        s = a // 2
        gradient[a] = (weight * slope[:, s]) @ design[:, a]
        for b in range(a + 1):
            curve = across + (bend[:, s] if b // 2 == s else 0.0)
            hessian[a, b] = hessian[b, a] = (weight * curve * design[:, a]) @ design[:, b]
    return gradient, hessian


def _pairs(theta: Floats, centre: Floats) -> Floats:
    slope = 1.0 + theta[[0, 2]]
    return np.stack((slope, theta[[1, 3]] - theta[[0, 2]] * centre), axis=1)

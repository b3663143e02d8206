"""Fitting the logistic forecaster with scikit-learn (the ``train`` extra)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.jit import kernel
from litehedge.model.baselines.logistic import (
    _FAMILY,
    _INPUTS,
    N_DESIGN,
    N_GROUPS,
    N_INPUTS,
    ONSET_GROUPS,
    PEAK_GROUPS,
    LogisticWeights,
    write_design,
)
from litehedge.model.optional import train_module
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import ONSET_EDGES, PEAK_EDGES, bin_of
from litehedge.squeeze.targets import PHASES, VOL_MINUTES, Targets

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SEVERITY_LEAD_MIN: Final = 30.0
MAX_SEVERITY_ROWS: Final = 2_500
MAX_PHASE_ROWS: Final = 100_000
SEVERITY_INPUTS: Final = ("log_sigma", "vol_15m", "vol_60m", "vol_240m", "range_vol_15m",
                          "volume_15m", "squeezed_down", "squeezed_up")  # fmt: skip
FAMILY_PRESENT_SHARE: Final = 0.5
SEEN_SHARE: Final = 0.01
"""An input that fewer of the frames have counts as not seen: its scale would be a guess."""
MIN_EVENTS: Final = 20

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """Frames to learn from: features ``(frame, feature)``, targets, severity of each event.

    `severity_bps` ``(event,)`` is indexed by ``targets.event``.
    """

    features: Floats
    targets: Targets
    severity_bps: Floats


@dataclass(frozen=True, slots=True)
class FitCounts:
    """How much there was to learn from, for the card."""

    frames: int
    events: tuple[int, int]


def fit(
    samples: list[Sample], *, penalty: float = 0.001, say: Progress = lambda _: None
) -> tuple[LogisticWeights, FitCounts]:
    """Fit every head.

    Parameters
    ----------
    penalty
        Inverse strength of the L2 penalty (scikit-learn's ``C``).
    say
        Is told which head is being fitted.

    Raises
    ------
    UsageError
        When scikit-learn is missing or the data hold too few squeezes.
    """
    linear_model = train_module("sklearn.linear_model")
    features = np.concatenate([s.features for s in samples])
    warm = np.isfinite(features[:, fv.LOG_SIGMA])
    features = features[warm]
    heads = (
        "to_onset_min", "has_onset", "at_risk", "inside", "to_peak_min", "phase", "log_vol",
    )  # fmt: skip
    to_onset, has_onset, at_risk, inside, to_peak, phase, log_vol = (
        np.concatenate([getattr(s.targets, head) for s in samples])[warm] for head in heads
    )
    events, severity = _joined_events(samples, warm)
    counts = FitCounts(
        frames=int(features.shape[0]),
        events=tuple(int(np.unique(events[has_onset[:, s], s]).size) for s in range(2)),  # type: ignore[arg-type]
    )
    if min(counts.events) < MIN_EVENTS:
        raise UsageError(
            f"only {counts.events[0]} long and {counts.events[1]} short squeezes to learn from",
            f"give more data (more worlds, more days): at least {MIN_EVENTS} of each side",
        )

    mean, scale, seen = standards(features[:, _INPUTS])
    design = np.empty((features.shape[0], N_DESIGN))
    rms = np.empty(features.shape[0])
    write_designs(features, _INPUTS, _FAMILY, mean, scale, seen, design, rms)
    present = 1.0 - design[:, N_INPUTS:].mean(axis=0)

    def logistic(rows: Bools, happened: Bools, group: int) -> Floats:
        return _fit_logistic(linear_model, design[rows], happened[rows], penalty)

    alike = np.ones(design.shape[0])

    onset = np.zeros((2, N_GROUPS, 1 + N_DESIGN))
    onset_share = np.zeros((2, ONSET_GROUPS.size))
    first = np.where(at_risk, to_onset, np.inf).min(axis=1)
    happened = has_onset & at_risk & (to_onset <= first[:, np.newaxis])
    ended = happened.any(axis=1)
    bins = last_bins(first, ended, ONSET_EDGES)
    for side in range(2):
        say(f"onset hazards, {'long' if side == 0 else 'short'} squeezes")
        fit_groups(logistic, bins, happened[:, side], at_risk[:, side], ended,
                   ONSET_GROUPS, onset[side], onset_share[side], alike)  # fmt: skip
    peak = np.zeros((2, N_GROUPS, 1 + N_DESIGN))
    peak_share = np.zeros((2, PEAK_GROUPS.size))
    for side in range(2):
        say(f"time to peak, {'long' if side == 0 else 'short'} squeezes")
        bins = bin_of(np.nan_to_num(to_peak[:, side], nan=0.0), PEAK_EDGES)
        fit_groups(logistic, bins, inside[:, side], inside[:, side], inside[:, side],
                   PEAK_GROUPS, peak[side], peak_share[side], alike)  # fmt: skip

    quantiles = np.zeros((2, fc.N_SEVERITY, 1 + N_DESIGN))
    for side in range(2):
        say(f"severity, {'long' if side == 0 else 'short'} squeezes")
        near = has_onset[:, side] & at_risk[:, side] & (to_onset[:, side] <= SEVERITY_LEAD_MIN)
        quantiles[side] = _fit_severity(linear_model, design[near], severity[events[near, side]])

    say("phase and volatility")
    phase_weights = _fit_phase(linear_model, design, phase)
    vol = np.zeros((len(VOL_MINUTES), 1 + N_DESIGN))
    for i in range(len(VOL_MINUTES)):
        known = np.isfinite(log_vol[:, i])
        ridge = linear_model.Ridge(alpha=10.0).fit(design[known], log_vol[known, i])
        # A regression of logs predicts the median; smearing turns it into the root mean square.
        residual = log_vol[known, i] - ridge.predict(design[known])
        smearing = 0.5 * np.log(np.mean(np.exp(2.0 * residual)))
        vol[i] = np.concatenate(([ridge.intercept_ + smearing], ridge.coef_))
    return (
        LogisticWeights(
            mean=mean,
            scale=scale,
            seen=seen,
            trained_family=_trained(present, seen),
            onset=onset,
            onset_share=onset_share,
            peak=peak,
            peak_share=peak_share,
            severity=quantiles,
            phase=phase_weights,
            vol=vol,
            usual_rms=np.array([np.quantile(rms, 0.99)]),
        ),
        counts,
    )


def _trained(present: Floats, seen: Floats) -> Floats:
    """Return 1 for the families that training had, of whose inputs it saw any at all."""
    any_seen = np.bincount(_FAMILY, weights=seen) > 0.0
    return (any_seen & (present >= FAMILY_PRESENT_SHARE)).astype(np.float64)


def standards(inputs: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean and deviation of inputs ``(frame, input)``, and whether enough frames have them.

    Shapes: each ``(input,)``, over the frames in which the input is there.
    """
    present = np.isfinite(inputs)
    count = np.maximum(present.sum(axis=0), 1)
    filled = np.where(present, inputs, 0.0)
    mean = filled.sum(axis=0) / count
    variance = np.where(present, (inputs - mean) ** 2, 0.0).sum(axis=0) / count
    scale = np.sqrt(variance)
    seen = (present.mean(axis=0) >= SEEN_SHARE).astype(np.float64)
    return mean, np.where(scale > 1e-9, scale, 1.0), seen


@kernel
def write_designs(
    features: Floats, inputs: Ints, family: Ints, mean: Floats, scale: Floats, seen: Floats,
    out: Floats, rms: Floats,
) -> None:  # fmt: skip
    """Write the design of each row, ``(frame, N_DESIGN)``, and the size of its inputs."""
    for i in range(out.shape[0]):
        rms[i] = write_design(features[i], inputs, family, mean, scale, seen, out[i])


def _joined_events(samples: list[Sample], warm: Bools) -> tuple[Ints, Floats]:
    """Number the events of all samples through."""
    parts = []
    offset = 0
    for sample in samples:
        event = sample.targets.event
        parts.append(np.where(event >= 0, event + offset, -1))
        offset += sample.severity_bps.size
    return np.concatenate(parts)[warm], np.concatenate([s.severity_bps for s in samples])


def _fit_logistic(linear_model: Any, design: Floats, happened: Bools, penalty: float) -> Floats:
    """Return intercept and coefficients; a base rate alone where there is nothing to tell apart."""
    rate = float(happened.mean()) if happened.size else 0.0
    if happened.sum() < MIN_EVENTS or rate > 0.999:
        rate = min(max(rate, 1e-6), 1 - 1e-6)
        return np.concatenate(([np.log(rate / (1 - rate))], np.zeros(N_DESIGN)))
    model = linear_model.LogisticRegression(C=penalty, max_iter=400, tol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # slow convergence of separable corners is harmless here
        model.fit(design, happened)
    return np.concatenate((model.intercept_, model.coef_[0]))


def last_bins(minutes: Floats, ended: Bools, edges: Floats) -> Ints:
    """Return the bin in which each observation ended, by an event (`ended`) or by censoring.

    An event at an edge is of the bin before it; who is censored there survived that bin, as in
    `part.observed`. Beyond the last edge: the bin count.
    """
    survived = np.searchsorted(edges[1:], minutes, side="right")
    return np.where(ended, bin_of(minutes, edges), survived)


def fit_groups(
    logistic: Callable[[Bools, Bools, int], Floats], bins: Ints, own: Bools, at_risk: Bools,
    ended: Bools, groups: Ints, weights: Floats, shares: Floats, frames: Floats,
) -> None:  # fmt: skip
    """Fit the groups of one side; `frames` is for how many frames each row stands, ``(row,)``.

    `bins` is the bin in which the observation ended: by an event (`ended`; `own` if of this
    side) or by censoring, in which case that bin was not observed to its end.
    """
    for group in range(N_GROUPS):
        members = np.flatnonzero(groups == group)
        start, stop = int(members[0]), int(members[-1]) + 1
        happened = own & (bins >= start) & (bins < stop)
        survived = bins >= stop
        by_other = ended & ~own & (bins >= start) & (bins < stop)
        known = at_risk & (happened | survived | by_other)
        weights[group] = logistic(known, happened, group)
        # Share of the group's log survival that falls to each bin, from the base rates.
        hazard = np.zeros(members.size)
        for i, k in enumerate(members):
            risk = at_risk & ((bins > k) | ((bins == k) & ended))
            if risk.any():
                hazard[i] = frames[own & risk & (bins == k)].sum() / frames[risk].sum()
        log_survival = -np.log1p(-np.minimum(hazard, 0.999))
        total = log_survival.sum()
        shares[members] = log_survival / total if total > 0 else 1.0 / members.size


def _fit_severity(linear_model: Any, design: Floats, severity_bps: Floats) -> Floats:
    """Quantiles of log severity, linear in a few inputs; the rows nearest in time are thinned."""
    if severity_bps.size == 0:
        return np.zeros((fc.N_SEVERITY, 1 + N_DESIGN))
    thin = max(1, severity_bps.size // MAX_SEVERITY_ROWS)
    names = [fv.NAMES[i] for i in _INPUTS]
    columns = [names.index(name) for name in SEVERITY_INPUTS]
    x = design[::thin][:, columns]
    y = np.log(np.maximum(severity_bps[::thin], 1.0))
    weights = np.zeros((fc.N_SEVERITY, 1 + N_DESIGN))
    for i, level in enumerate(fc.SEVERITY_LEVELS):
        model = linear_model.QuantileRegressor(quantile=level, alpha=1e-4, solver="highs")
        model.fit(x, y)
        weights[i, 0] = model.intercept_
        weights[i, [1 + c for c in columns]] = model.coef_
    return weights


def _fit_phase(linear_model: Any, design: Floats, phase: Ints) -> Floats:
    weights = np.zeros((len(PHASES), 1 + N_DESIGN))
    weights[:, 0] = -20.0  # a phase that never occurred
    model = linear_model.LogisticRegression(C=0.03, max_iter=100, tol=1e-4)
    thin = 1 + phase.size // MAX_PHASE_ROWS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(design[::thin], phase[::thin])
    if model.classes_.size == 2:
        weights[model.classes_[0]] = 0.0
        weights[model.classes_[1]] = np.concatenate((model.intercept_, model.coef_[0]))
    else:
        weights[model.classes_, 0] = model.intercept_
        weights[model.classes_, 1:] = model.coef_
    return weights

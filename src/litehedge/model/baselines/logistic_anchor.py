"""The logistic forecaster learns on: refitted to replayed frames, held near what it was.

Every head minimises the weighted loss of the replay plus ``strength / 2`` times the squared
distance of its slopes from the champion's (L2-SP: Li, Grandvalet and Davoine 2018). Without data
it stays as it is, with much data it forgets where it began. Intercepts are free, since base rates
move first when a market changes. Standards stay the champion's, so that a weight means the same
before and after; a feed that the champion never saw stays unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.model.baselines.logistic import (
    _FAMILY,
    _INPUTS,
    N_DESIGN,
    ONSET_GROUPS,
    PEAK_GROUPS,
    LogisticWeights,
)
from litehedge.model.baselines.logistic_fit import (
    SEVERITY_LEAD_MIN,
    Sample,
    fit_groups,
    last_bins,
    write_designs,
)
from litehedge.model.calibrate import weighted_quantile
from litehedge.model.optional import train_module
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import ONSET_EDGES, PEAK_EDGES, bin_of
from litehedge.squeeze.targets import PHASES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Progress = Callable[[str], None]

STRENGTH: Final = 3_000.0
"""How strongly slopes are held. Neighbouring frames tell nearly the same, so that the frames near
one squeeze are worth a few observations and not fifty: with a hundredth of this the challengers of
`studies/self_retraining.py` learnt their last month by heart."""
SHRUNK_EVENTS: Final = 20.0
"""With so many squeezes of a side, its severity moves half of the way."""
LEAST_EVENTS: Final = 10
FREE: Final = 1e-3
"""Intercepts are held by this share of the strength."""
NEWTON_STEPS: Final = 30
USUAL: Final = 0.99


@dataclass(frozen=True, slots=True)
class Replayed:
    """Frames to learn on from, and for how many frames each stands, ``(frame,)``."""

    sample: Sample
    weight: Floats


def refit(
    champion: LogisticWeights, replay: Replayed, *, strength: float = STRENGTH,
    say: Progress = lambda _: None,
) -> LogisticWeights:  # fmt: skip
    """Return the champion as it would be, had it seen the replay.

    Raises
    ------
    UsageError
        When SciPy is missing, or the replay holds too few squeezes.
    """
    features = replay.sample.features
    warm = np.isfinite(features[:, fv.LOG_SIGMA]) & (replay.weight > 0.0)
    t = replay.sample.targets
    weight = replay.weight[warm]
    at_risk, inside, has_onset = t.at_risk[warm], t.inside[warm], t.has_onset[warm]
    to_onset, to_peak, event = t.to_onset_min[warm], t.to_peak_min[warm], t.event[warm]
    met = [np.unique(event[has_onset[:, s], s]).size for s in range(2)]
    if sum(met) < LEAST_EVENTS:
        raise UsageError(
            f"only {met[0]} long and {met[1]} short squeezes to learn on from",
            f"give more data: at least {LEAST_EVENTS} in all",
        )
    design = np.empty((int(warm.sum()), N_DESIGN))
    rms = np.empty(design.shape[0])
    write_designs(features[warm], _INPUTS, _FAMILY, champion.mean, champion.scale, champion.seen,
                  design, rms)  # fmt: skip

    first = np.where(at_risk, to_onset, np.inf).min(axis=1)
    happened = has_onset & at_risk & (to_onset <= first[:, np.newaxis])
    ended = happened.any(axis=1)
    bins = last_bins(first, ended, ONSET_EDGES)
    onset, onset_share = champion.onset.copy(), champion.onset_share.copy()
    peak, peak_share = champion.peak.copy(), champion.peak_share.copy()
    for side, name in enumerate(("long", "short")):
        say(f"learning on: {name} squeezes")
        fit_groups(
            _anchored(design, weight, champion.onset[side], strength), bins, happened[:, side],
            at_risk[:, side], ended, ONSET_GROUPS, onset[side], onset_share[side], weight,
        )  # fmt: skip
        if inside[:, side].any():
            within = bin_of(np.nan_to_num(to_peak[:, side], nan=0.0), PEAK_EDGES)
            mine = inside[:, side]
            fit_groups(
                _anchored(design, weight, champion.peak[side], strength), within, mine, mine, mine,
                PEAK_GROUPS, peak[side], peak_share[side], weight,
            )  # fmt: skip
    say("learning on: severity, phase and volatility")
    near = has_onset & at_risk & (to_onset <= SEVERITY_LEAD_MIN)
    severity = np.stack(
        [
            _severity(champion.severity[s], design[near[:, s]],
                      replay.sample.severity_bps[event[near[:, s], s]], weight[near[:, s]], met[s])
            for s in range(2)
        ]
    )  # fmt: skip
    return replace(
        champion,
        onset=onset, onset_share=onset_share, peak=peak, peak_share=peak_share, severity=severity,
        phase=_phase(champion.phase, design, t.phase[warm], weight, strength),
        vol=_volatility(champion.vol, design, t.log_vol[warm], weight, strength),
        usual_rms=np.array([max(weighted_quantile(rms, weight, USUAL), champion.usual_rms[0])]),
    )  # fmt: skip


def _anchored(
    design: Floats, weight: Floats, champion: Floats, strength: float
) -> Callable[[Bools, Bools, int], Floats]:
    """Return what fits one group: rows that are known, whether it happened, the group's number."""

    def logistic(rows: Bools, happened: Bools, group: int) -> Floats:
        if not rows.any():
            return champion[group]
        return anchored_logistic(
            design[rows], happened[rows], weight[rows], champion[group], strength
        )

    return logistic


def anchored_logistic(
    design: Floats, happened: Bools, weight: Floats, champion: Floats, strength: float
) -> Floats:
    """Return intercept and slopes ``(1 + input,)``, the slopes held near the champion's."""
    y = happened.astype(np.float64)
    x = np.concatenate((np.ones((design.shape[0], 1)), design), axis=1)
    pull = np.full(champion.size, strength)
    pull[0] *= FREE  # so that a head without an event stays finite
    theta = champion.copy()

    def loss(at: Floats) -> float:
        z = x @ at
        moved = at - champion
        return float(weight @ (np.logaddexp(0.0, z) - y * z) + 0.5 * moved @ (pull * moved))

    now = loss(theta)
    for _ in range(NEWTON_STEPS):
        p = _sigmoid(x @ theta)
        slope = x.T @ (weight * (p - y)) + pull * (theta - champion)
        curve = (x.T * (weight * p * (1.0 - p))) @ x + np.diag(pull)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while size > 1e-4 and not loss(theta - size * step) <= now:
            size *= 0.5
        theta = theta - size * step
        before, now = now, loss(theta)
        if before - now <= 1e-6 * abs(before):
            break
    return theta


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)), dtype=np.float64)


def _minimum(loss: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Floats:
    minimize: Any = train_module("scipy.optimize").minimize
    found = minimize(
        loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 60, "ftol": 1e-7}
    )
    return np.asarray(found.x, dtype=np.float64).reshape(start.shape)


def _severity(
    champion: Floats, design: Floats, came_bps: Floats, weight: Floats, events: int
) -> Floats:
    """Move every quantile to where that share of the replay lies, the further the more of it."""
    if came_bps.size == 0:
        return champion
    out = champion.copy()
    share = events / (events + SHRUNK_EVENTS)
    for i, level in enumerate(fc.SEVERITY_LEVELS.tolist()):
        told = champion[i, 0] + design @ champion[i, 1:]
        over = np.log(np.maximum(came_bps, 1.0)) - told
        out[i, 0] += share * weighted_quantile(over, weight, level)
    return out


def _phase(
    champion: Floats, design: Floats, phase: Ints, weight: Floats, strength: float
) -> Floats:
    rows = np.arange(phase.size)

    def loss(flat: Floats) -> tuple[float, Floats]:
        theta = flat.reshape(champion.shape)
        z = theta[:, 0] + design @ theta[:, 1:].T
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        moved = theta - champion
        pull = strength * moved
        value = weight @ (np.log(total[:, 0]) - z[rows, phase]) + 0.5 * float((moved * pull).sum())
        p[rows, phase] -= 1.0
        p *= weight[:, np.newaxis]
        grad = np.concatenate((p.sum(axis=0)[:, np.newaxis], p.T @ design), axis=1) + pull
        return float(value), grad.ravel()

    if phase.size == 0 or champion.shape[0] != len(PHASES):
        return champion
    return _minimum(loss, champion)


def _volatility(
    champion: Floats, design: Floats, log_vol: Floats, weight: Floats, strength: float
) -> Floats:
    out = champion.copy()
    for i in range(champion.shape[0]):
        known = np.isfinite(log_vol[:, i])
        if not known.any():
            continue
        x = np.concatenate((np.ones((int(known.sum()), 1)), design[known]), axis=1)
        w = weight[known]
        over = log_vol[known, i] - x @ champion[i]
        pull = np.full(x.shape[1], strength)
        pull[0] *= FREE
        step = np.linalg.solve(x.T @ (x * w[:, np.newaxis]) + np.diag(pull), x.T @ (w * over))
        left = over - x @ step
        smearing = 0.5 * np.log(np.average(np.exp(2.0 * left), weights=w))
        out[i] += step
        out[i, 0] += smearing  # logs predict the median; smearing makes it the root mean square
    return out

"""How well forecasts rank: AUC, average precision, Uno's concordance, in all draws at once."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.model.measures.blocks import Drawn
from litehedge.model.measures.trial import CENSORED, Trial
from litehedge.squeeze.hazard import ONSET_EDGES, ONSET_HORIZON_MIN, bin_of
from litehedge.units import NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

THIN_MIN: Final = 30.0
LEAST_FREE: Final = 0.05
"""Weights for censoring are capped where fewer than this share would still be observed."""


def ranks(said: Floats, happened: Bools, block: Ints, counts: Floats) -> tuple[Drawn, Drawn]:
    """Return AUC and average precision, ties counted as scikit-learn does.

    Shapes: `said` (any number that rises with the probability), `happened` and `block`
    ``(frame,)``; `counts` ``(block, 1 + draw)``.
    """
    order = np.argsort(-said, kind="stable")
    auc, ap = _ranks(said[order], happened[order], block[order], counts)
    return Drawn.of(auc), Drawn.of(ap)


@kernel
def _ranks(said: Floats, happened: Bools, block: Ints, counts: Floats) -> tuple[Floats, Floats]:
    """Walk from the highest forecast down; frames of one draw count as often as their block."""
    n = said.size
    draws = counts.shape[1]
    hits, misses = np.zeros(draws), np.zeros(draws)
    new_hits, new_misses = np.zeros(draws), np.zeros(draws)
    wrong, ap = np.zeros(draws), np.zeros(draws)
    i = 0
    while i < n:
        stop = i
        any_hit = False
        while stop < n and said[stop] == said[i]:
            any_hit = any_hit or happened[stop]
            stop += 1
        if not any_hit:
            for j in range(i, stop):
                b = block[j]
                for d in range(draws):
                    misses[d] += counts[b, d]
        else:
            new_hits[:] = 0.0
            new_misses[:] = 0.0
            for j in range(i, stop):
                b = block[j]
                if happened[j]:
                    for d in range(draws):
                        new_hits[d] += counts[b, d]
                else:
                    for d in range(draws):
                        new_misses[d] += counts[b, d]
            for d in range(draws):
                wrong[d] += new_hits[d] * (misses[d] + 0.5 * new_misses[d])
                hits[d] += new_hits[d]
                misses[d] += new_misses[d]
                if new_hits[d] > 0.0:
                    ap[d] += new_hits[d] * hits[d] / (hits[d] + misses[d])
        i = stop
    auc = np.full(draws, np.nan)
    for d in range(draws):
        if hits[d] > 0.0 and misses[d] > 0.0:
            auc[d] = 1.0 - wrong[d] / (hits[d] * misses[d])
        ap[d] = ap[d] / hits[d] if hits[d] > 0.0 else np.nan
    return auc, ap


def concordance(trial: Trial, cif: Floats, side: int) -> Drawn:
    """Return Uno's concordance up to the horizon, of one frame in thirty minutes.

    Of two frames the one whose event came first should have had the higher probability of it by
    then (time-dependent), pairs weighted by the inverse probability of not being censored (Uno
    et al. 2011); a frame at which the other side came first never has the event (Wolbers et al.
    2014). The censoring distribution is that of the whole span in every draw. Times are told apart
    by more than the bins of the forecasts: who knows the bin alone stays a little below 1.

    Shapes: `cif` ``(frame, bin)``, of the side.
    """
    minutes, cause = trial.first(side)
    every_ns = int(THIN_MIN * NS_PER_MINUTE)
    frame_ns = trial.frame_min * NS_PER_MINUTE
    kept = np.isfinite(minutes) & np.isfinite(cif).all(axis=1)
    kept &= trial.end_ns % every_ns < frame_ns
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(trial.block[rows], kind="stable")]
    cause = np.where(minutes[rows] > ONSET_HORIZON_MIN, CENSORED, cause[rows])
    minutes = np.minimum(minutes[rows], ONSET_HORIZON_MIN)
    blocks = trial.counts.shape[0]
    right, pairs = _concordant(
        minutes, cause, side, np.ascontiguousarray(cif[rows].T), bin_of(minutes, ONSET_EDGES),
        1.0 / uncensored(minutes, cause == CENSORED), trial.block[rows], blocks,
    )  # fmt: skip
    counts = trial.counts
    with np.errstate(invalid="ignore"):
        values = ((right @ counts) * counts).sum(axis=0) / ((pairs @ counts) * counts).sum(axis=0)
    return Drawn.of(values)


def uncensored(minutes: Floats, is_censored: Bools) -> Floats:
    """Return P(not censored before `minutes`) of each observation by Kaplan and Meier.

    Where times tie, events precede censoring. Shapes: ``(frame,)``.
    """
    times, where = np.unique(minutes, return_inverse=True)
    ended = np.bincount(where, minlength=times.size)
    lost = np.bincount(where, weights=is_censored, minlength=times.size)
    at_risk = minutes.size - np.concatenate(([0], np.cumsum(ended)[:-1]))
    left = at_risk - (ended - lost)
    stays = np.where(left > 0, 1.0 - lost / np.maximum(left, 1), 1.0)
    before = np.concatenate(([1.0], np.cumprod(stays)[:-1]))
    return np.maximum(before[where], LEAST_FREE)


@kernel
def _concordant(
    minutes: Floats, cause: Ints, side: int, cif: Floats, bins: Ints, weight: Floats,
    block: Ints, blocks: int,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Sum the weights of pairs by the blocks of their frames; frames come sorted by block."""
    n = minutes.size
    right = np.zeros((blocks, blocks))
    pairs = np.zeros((blocks, blocks))
    for i in range(n):
        if cause[i] != side:
            continue
        k = bins[i]
        good = 0.0
        all_ = 0.0
        for j in range(n):
            w = 0.0
            if minutes[j] > minutes[i] or (minutes[j] == minutes[i] and cause[j] == CENSORED):
                w = weight[i] * weight[i]
            elif cause[j] != CENSORED and cause[j] != side:
                w = weight[i] * weight[j]
            if w > 0.0:
                all_ += w
                if cif[k, i] > cif[k, j]:
                    good += w
                elif cif[k, i] == cif[k, j]:
                    good += 0.5 * w
            if j + 1 == n or block[j + 1] != block[j]:
                right[block[i], block[j]] += good
                pairs[block[i], block[j]] += all_
                good = 0.0
                all_ = 0.0
    return right, pairs

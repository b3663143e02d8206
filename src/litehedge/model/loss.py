"""The loss, part by part: what each head is asked, in nats per frame that it is asked at."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from litehedge.model import layout as ly
from litehedge.squeeze.forecast import N_SEVERITY, SEVERITY_LEVELS
from litehedge.squeeze.hazard import N_ONSET, N_PEAK

PARTS: Final = ("squeeze", "percent", "sigma", "peak", "severity", "phase", "vol")
NEVER: Final = -30.0
"""Logit of what cannot happen: as good as no hazard, and no gradient."""

SCORED: Final = ("squeeze", "percent", "sigma")
"""Right-censored log-losses: proper, and what early stopping watches."""
HEADS: Final = (ly.ONSET, ly.PASSAGE, ly.PEAK, ly.SEVERITY, ly.PHASE, ly.VOL)


class Asked(NamedTuple):
    """What was asked of a stretch of frames, and the answers; ``(batch, time, ...)``.

    `onset_bin`, `onset_cause` ``()``: the first bin that did not pass without event, and the side
    that ended it, -1 when censored; `onset_risk` ``(side,)``: False inside a squeeze of that side,
    whose next onset nobody waits for; `passage_bin`, `passage_hit` ``(kind, side)``; `peak_bin`,
    `peak_hit` ``(side,)``; `severity` ``(side,)`` log bps, NaN for unknown; `phase` ``()``; `vol`
    ``(3,)``, NaN for unknown. A bin or phase of -1 asks nothing. `weight` ``()``: for how many
    frames a frame stands.
    """

    onset_bin: Tensor
    onset_cause: Tensor
    onset_risk: Tensor
    passage_bin: Tensor
    passage_hit: Tensor
    peak_bin: Tensor
    peak_hit: Tensor
    severity: Tensor
    phase: Tensor
    vol: Tensor
    weight: Tensor


def parts(raw: Tensor, asked: Asked, pmf: bool = False) -> dict[str, tuple[Tensor, Tensor]]:
    """Return per part the weighted sum of its loss and the sum of weights.

    Shapes: `raw` ``(batch, time, N_RAW)``. With `pmf` the bins of onsets and passages are read
    as one distribution (DeepHit) instead of hazards.
    """
    w = asked.weight
    sizes = [s.stop - s.start for s in HEADS]
    flat = torch.split_with_sizes(raw, sizes, dim=-1)  # slices would cost a gradient each
    onset, passage, peak = (
        split(flat[0], 2, N_ONSET), split(flat[1], 2, 2, N_ONSET), split(flat[2], 2, N_PEAK)
    )  # fmt: skip
    onset = onset.masked_fill(~asked.onset_risk[..., None], NEVER)
    severity, phases, vol = flat[3:]
    out = {}
    if pmf:
        onset, passage = hazard_logits_of_pmf(onset), passage_logits_of_pmf(passage)
    risk = asked.onset_bin >= 0
    out["squeeze"] = _mean(competing(onset, asked.onset_bin, asked.onset_cause), risk, w)
    passed = hazard(passage, asked.passage_bin, asked.passage_hit)
    for kind, name in enumerate(ly.PASSAGES):
        known = asked.passage_bin[..., kind, :] >= 0
        out[name] = _mean(passed[..., kind, :], known, w[..., None])
    b = asked.peak_bin
    out["peak"] = _mean(hazard(peak, b, asked.peak_hit), b >= 0, w[..., None])
    out["severity"] = _mean(
        pinball(severity, asked.severity), ~torch.isnan(asked.severity), w[..., None]
    )
    phase = functional.cross_entropy(
        phases.flatten(0, -2), asked.phase.flatten().clamp(min=0).long(), reduction="none"
    ).view_as(w)
    out["phase"] = _mean(phase, asked.phase >= 0, w)
    known = ~torch.isnan(asked.vol)
    missed = (vol - torch.nan_to_num(asked.vol)) ** 2
    out["vol"] = _mean(missed, known, w[..., None])
    return out


def total(costs: dict[str, tuple[Tensor, Tensor]], weights: dict[str, float]) -> Tensor:
    """Return the weighted sum of the parts' sums."""
    return torch.stack([weights[name] * lost for name, (lost, _) in costs.items()]).sum()


def split(flat: Tensor, *shape: int) -> Tensor:
    """Return ``(..., a * b)`` as ``(..., a, b)``."""
    return flat.reshape(*flat.shape[:-1], *shape)


def _mean(loss: Tensor, known: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    weight = known * weight
    return (torch.where(known, loss, 0.0) * weight).sum(), weight.sum()


def competing(logits: Tensor, last: Tensor, cause: Tensor) -> Tensor:
    """Return the right-censored negative log-likelihood of competing hazards.

    Shapes: `logits` ``(..., side, bin)``; `last`, `cause` and the result ``(...)``.
    """
    none = torch.zeros_like(logits[..., :1, :])
    log_p = torch.log_softmax(torch.cat((none, logits), dim=-2), dim=-2).unbind(dim=-2)
    bins = torch.arange(logits.shape[-1], dtype=last.dtype, device=logits.device)
    passed = bins < last[..., None]
    total = -(log_p[0] * passed).sum(dim=-1)
    here = bins == last[..., None]
    for side in range(2):
        mine = here & (cause == side)[..., None]
        total = total - (log_p[1 + side] * mine).sum(dim=-1)
    return total


def hazard(logits: Tensor, last: Tensor, hit: Tensor) -> Tensor:
    """Return the right-censored negative log-likelihood of one hazard.

    Shapes: `logits` ``(..., bin)``; `last`, `hit` and the result ``(...)``.
    """
    bins = torch.arange(logits.shape[-1], dtype=last.dtype, device=logits.device)
    passed = bins < last[..., None]
    here = (bins == last[..., None]) & hit[..., None]
    missed = functional.softplus(torch.where(here, -logits, logits))  # one of the two, or none
    return (missed * (passed | here)).sum(dim=-1)


def pinball(steps: Tensor, log_bps: Tensor) -> Tensor:
    """Return the quantile loss, summed over levels; quantiles cannot cross.

    Shapes: `steps` ``(..., 2 * 5)``; `log_bps` and the result ``(..., side)``.
    """
    steps = split(steps, 2, N_SEVERITY)
    levels = torch.cat((steps[..., :1], functional.softplus(steps[..., 1:])), dim=-1).cumsum(dim=-1)
    tau = torch.as_tensor(SEVERITY_LEVELS, dtype=steps.dtype, device=steps.device)
    missed = torch.nan_to_num(log_bps)[..., None] - levels
    return torch.maximum(tau * missed, (tau - 1.0) * missed).sum(dim=-1)


def hazard_logits_of_pmf(logits: Tensor) -> Tensor:
    """Turn logits of P(side, bin), or neither, into logits of competing hazards.

    Shapes: ``(..., side, bin)``. The event that never comes has logit 0 (DeepHit, Lee 2018).
    """
    later = _log_later(torch.logsumexp(logits, dim=-2))
    return logits - later[..., None, :]


def passage_logits_of_pmf(logits: Tensor) -> Tensor:
    """Turn logits of P(bin), or never, into logits of hazards ``(..., bin)``."""
    return logits - _log_later(logits)


def _log_later(logits: Tensor) -> Tensor:
    """Return log of the weight of everything after each bin, never included, ``(..., bin)``."""
    never = torch.zeros_like(logits[..., :1])
    after = torch.cat((logits[..., 1:], never), dim=-1)
    return torch.logcumsumexp(after.flip(-1), dim=-1).flip(-1)

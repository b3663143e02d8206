"""Made-up markets whose squeezes are announced, or are not; and what can go wrong in learning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache

import numpy as np
import polars as pl

from litehedge.config import Settings
from litehedge.features import vector as fv
from litehedge.features.vector import FeatureStream
from litehedge.feeds.replay import EventArrays
from litehedge.hedge.policies import policy_named
from litehedge.market.frames import Frames
from litehedge.model.baselines.logistic import (
    _INPUTS,
    MODEL_FAMILIES,
    N_DESIGN,
    N_GROUPS,
    N_INPUTS,
    LogisticForecaster,
    LogisticWeights,
)
from litehedge.model.baselines.logistic_anchor import Replayed, refit
from litehedge.model.baselines.logistic_fit import Sample, standards
from litehedge.retraining.reservoir import Kept, keep
from litehedge.retraining.shadow import Hedging
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET, N_PEAK
from litehedge.squeeze.labels import catalogue
from litehedge.squeeze.targets import PHASES, VOL_MINUTES, Targets, targets
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE
from synthetic import T0, Market, packaged_tiers

BAR_NS = 5 * NS_PER_MINUTE
BARS_A_DAY = 288
UNREST = 24  # bars of unrest before an announced squeeze
VOL = 0.0008  # a bar, in calm


def breaking(
    days: int, seed: int, *, announced: bool, start_ns: int = T0, a_day: float = 0.8
) -> Market:
    """A market with so many jumps a day.

    Unrest (volatility of three times) comes as often in both kinds. Announced, a jump follows it;
    otherwise jumps come out of calm, and unrest means nothing.
    """
    rng = np.random.default_rng(seed)
    n = days * BARS_A_DAY
    vol = np.full(n, VOL)
    loud = np.ones(n)
    steps = np.zeros(n)
    for _ in range(rng.poisson(a_day * days)):
        at = int(rng.integers(UNREST + 1, n - 60))
        sign = rng.choice([-1.0, 1.0])
        size = 0.06 + 0.03 * rng.exponential()
        steps[at : at + 3] += sign * size / 3
        steps[at + 3 : at + 33] -= 0.4 * sign * size / 30
        quiet = at - UNREST if announced else int(rng.integers(0, n - UNREST))
        vol[quiet : quiet + UNREST] = 2.5 * VOL
        loud[quiet : quiet + UNREST] = 4.0
    steps += vol * rng.standard_normal(n)
    steps -= steps.mean()  # no drift: prices stay where leverage is alike
    close = 100.0 * np.exp(np.cumsum(steps))
    open_ = np.concatenate(([100.0], close[:-1]))
    wick = np.abs(rng.standard_normal((2, n))) * 0.3 * vol
    high = np.maximum(open_, close) * np.exp(wick[0])
    low = np.minimum(open_, close) * np.exp(-wick[1])
    volume = 2e5 * loud * np.exp(0.3 * rng.standard_normal(n))
    end_ns = start_ns + BAR_NS * np.arange(1, n + 1, dtype=np.int64)
    return Market(end_ns, np.column_stack((open_, high, low, close, volume)), BAR_NS)


def told(market: Market) -> Iterator[tuple[EventArrays, pl.DataFrame]]:
    """The market as a lake would give it, in one chunk."""
    columns = {
        c: market.bars[:, i] for i, c in enumerate(("open", "high", "low", "close", "volume"))
    }
    table = pl.DataFrame({"event_ns": market.end_ns, "known_ns": market.end_ns, **columns})
    yield market.events(), table


@cache
def learnt(days: int, seed: int, announced: bool, start_ns: int = T0) -> tuple[Kept, np.ndarray]:
    """What is kept of such a market, and all its features."""
    events = breaking(days, seed, announced=announced, start_ns=start_ns).events()
    frames = events.frames(1)
    frames = Frames(frames.end_ns, frames.values, BAR_NS, 1)
    features = FeatureStream(BAR_NS, 1).batch(frames)
    squeezes = catalogue(frames)
    sample = Sample(features, targets(frames, squeezes),
                    np.array([q.severity_bps for q in squeezes]))  # fmt: skip
    onsets = np.array([q.onset_ns for q in squeezes], dtype=np.int64)
    longs = np.array([q.side == "long" for q in squeezes])
    return keep(sample, frames.end_ns, onsets, longs, seed), features


def blank(features: np.ndarray) -> LogisticWeights:
    """Weights that have standards and know nothing."""
    mean, scale, seen = standards(features[:, _INPUTS])
    design = 1 + N_DESIGN
    severity = np.zeros((2, fc.N_SEVERITY, design))
    severity[:, :, 0] = np.log([100.0, 250.0, 500.0, 600.0, 900.0])
    return LogisticWeights(
        mean, scale, seen, np.ones(len(MODEL_FAMILIES)) * (N_INPUTS > 0),
        np.zeros((2, N_GROUPS, design)), np.full((2, N_ONSET), 0.25),
        np.zeros((2, N_GROUPS, design)), np.full((2, N_PEAK), 0.25), severity,
        np.zeros((len(PHASES), design)),
        np.full((len(VOL_MINUTES), design), 0.0), np.array([2.0]),
    )  # fmt: skip


def forecaster(weights: LogisticWeights, name: str) -> LogisticForecaster:
    """The weights as a model that serves frames of five minutes."""
    return LogisticForecaster(weights, name, fv.FeatureSchema(BAR_NS).hash)


def hedging(leverage: float = 10.0) -> Hedging:
    """The default policy on a position of that leverage."""
    settings = Settings()
    position = settings.position.model_copy(update={"leverage": leverage})
    settings = settings.model_copy(update={"position": position})
    return Hedging(settings, packaged_tiers(), policy_named("plugin", settings))


# --- what can go wrong in learning ------------------------------------------------------------


def replay(kept: Kept, **changes: np.ndarray) -> Replayed:
    """What was kept, to learn on from; of its targets or features some may be changed."""
    asked = kept.sample.targets
    names = {f.name for f in fields(Targets)}
    asked = replace(asked, **{k: v for k, v in changes.items() if k in names})
    features = changes.get("features", kept.sample.features)
    return Replayed(Sample(features, asked, kept.sample.severity_bps),
                    changes.get("weight", kept.weight))  # fmt: skip


def poisoned(name: str, champion: LogisticWeights, kept: Kept, seed: int) -> LogisticWeights:
    """The champion after a retraining that went wrong in the way of that name."""
    rng = np.random.default_rng(seed)
    t = kept.sample.targets
    features = kept.sample.features
    n = features.shape[0]
    order = rng.permutation(n)
    shuffled = {f.name: getattr(t, f.name)[order] for f in fields(Targets)}
    loose = 5.0  # what went wrong was believed
    match name:
        case "labels shuffled":
            return refit(champion, replay(kept, **shuffled), strength=loose)
        case "labels of other days":
            shift = n // 3
            moved = {f.name: np.roll(getattr(t, f.name), shift, axis=0) for f in fields(Targets)}
            return refit(champion, replay(kept, **moved), strength=loose)
        case "sides exchanged":
            names = ("to_onset_min", "has_onset", "at_risk", "inside", "to_peak_min", "event")
            turned = {k: getattr(t, k)[:, ::-1].copy() for k in names}
            return refit(champion, replay(kept, **turned), strength=loose)
        case "features shifted":
            return refit(champion, replay(kept, features=np.roll(features, 5, axis=1)),
                         strength=loose)  # fmt: skip
        case "features of other frames":
            return refit(champion, replay(kept, features=features[order]), strength=loose)
        case "features scaled":
            return refit(champion, replay(kept, features=features * 10.0), strength=loose)
        case "future leaked":
            leaked = features.copy()
            soon = np.where(t.has_onset & t.at_risk, t.to_onset_min, 240.0).min(axis=1)
            leaked[:, fv.INDEX["ret_5m" if "ret_5m" in fv.INDEX else "ret_15m"]] = 8.0 - soon / 30.0
            leaked[:, fv.INDEX["vol_60m"]] = 3.0 - soon / 60.0
            return refit(champion, replay(kept, features=leaked), strength=loose)
        case "signs flipped":
            onset = champion.onset.copy()
            onset[:, :, 1:] *= -1.0
            return replace(champion, onset=onset)
        case "constant":
            onset = champion.onset.copy()
            onset[:, :, 1:] = 0.0
            return replace(champion, onset=onset)
        case "overconfident":
            return replace(champion, onset=champion.onset * 3.0)
        case "always alarmed":
            onset = champion.onset.copy()
            onset[:, :, 0] += 3.0
            return replace(champion, onset=onset)
        case "never alarmed":
            onset = champion.onset.copy()
            onset[:, :, 0] -= 5.0
            return replace(champion, onset=onset)
        case "tiny data":
            few = np.zeros(n)
            few[: n // 3] = kept.weight[: n // 3]
            return refit(champion, replay(kept, weight=few), strength=0.01)
        case "noise added":
            noisy = champion.onset + 0.5 * rng.standard_normal(champion.onset.shape)
            return replace(champion, onset=noisy)
        case "squeezes forgotten":
            kinder = np.where(kept.is_event, 0.02, 1.0) * kept.weight
            return refit(champion, replay(kept, weight=kinder), strength=loose)
        case "only squeezes":
            kinder = np.where(kept.is_event, 1.0, 0.02) * kept.weight
            return refit(champion, replay(kept, weight=kinder), strength=loose)
        case "one group lost":
            onset = champion.onset.copy()
            onset[:, 0] = -20.0 * (np.arange(1 + N_DESIGN) == 0)
            return replace(champion, onset=onset)
        case "one side lost":
            onset = champion.onset.copy()
            onset[0] = -20.0 * (np.arange(1 + N_DESIGN) == 0)
            return replace(champion, onset=onset)
        case "the champion itself":
            return champion
        case "not a number":
            onset = champion.onset.copy()
            onset[0, 1, 3] = np.nan
            return replace(champion, onset=onset)
    raise ValueError(f"no such way: {name}")


POISONS = (
    "labels shuffled", "labels of other days", "sides exchanged", "features shifted",
    "features of other frames", "features scaled", "future leaked", "signs flipped", "constant",
    "overconfident", "always alarmed", "never alarmed", "tiny data", "noise added",
    "squeezes forgotten", "only squeezes", "one group lost", "one side lost",
    "the champion itself", "not a number",
)  # fmt: skip
DAY_NS = NS_PER_DAY

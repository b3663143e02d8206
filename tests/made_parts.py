"""A small made-up market whose volatility comes in waves, as parts to fit baselines on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from litehedge.features import vector as fv
from litehedge.market import schema as sc
from litehedge.market.frames import Frames
from litehedge.model.baselines.part import Part
from litehedge.squeeze.targets import Targets
from litehedge.squeeze.times import Times, passage_times
from litehedge.units import NS_PER_MINUTE

FRAME_NS = 5 * NS_PER_MINUTE
COLD = 300


def walk(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log closes and the log volatility of the frame after each."""
    rng = np.random.default_rng(seed)
    wave = np.empty(n)
    wave[0] = 0.0
    for i in range(1, n):
        wave[i] = 0.98 * wave[i - 1] + 0.16 * rng.normal()
    log_vol = np.log(0.0015) + wave
    returns = np.concatenate(([0.0], np.exp(log_vol[:-1]) * rng.standard_t(5, n - 1)))
    return np.cumsum(returns), log_vol


def made_part(n: int = 6_000, seed: int = 0, gaps: tuple[int, ...] = ()) -> Part:
    """Frames of five minutes; each gap leaves out 100 frames after that many."""
    log, log_vol = walk(n, seed)
    rng = np.random.default_rng(seed + 1)
    close = 80.0 * np.exp(log)
    wiggle = np.exp(0.5 * np.exp(log_vol) * np.abs(rng.normal(size=(2, n))))
    values = np.full((n, sc.N_COLUMNS), np.nan)
    values[:, sc.OPEN] = np.concatenate((close[:1], close[:-1]))
    values[:, sc.CLOSE] = close
    values[:, sc.HIGH] = np.maximum(values[:, sc.OPEN], close) * wiggle[0]
    values[:, sc.LOW] = np.minimum(values[:, sc.OPEN], close) / wiggle[1]
    values[:, sc.VOLUME] = 1.0
    end_ns = (1 + np.arange(n, dtype=np.int64)) * FRAME_NS
    for gap in gaps:
        end_ns[gap:] += 100 * FRAME_NS

    features = np.full((n, fv.N_FEATURES), np.nan)
    tells = log_vol + 0.1 * rng.normal(size=n)
    noise = rng.normal(size=(n, fv.N_FEATURES))
    for name in (*fv.FAMILIES["price"], *fv.FAMILIES["volatility"], *fv.FAMILIES["btc"]):
        features[:, fv.INDEX[name]] = noise[:, fv.INDEX[name]]
    features[:, fv.LOG_SIGMA] = np.log(0.0015 / np.sqrt(5.0))
    features[:, fv.INDEX["vol_60m"]] = tells - np.log(0.0015)
    features[:, fv.INDEX["vol_rule"]] = np.exp(tells)
    move = np.zeros(n)
    move[3:] = log[3:] - log[:-3]
    features[:, fv.INDEX["move_15m"]] = move
    features[:, fv.INDEX["squeezing_down"]] = np.maximum(-move, 0.0) / 0.015
    features[:, fv.INDEX["squeezing_up"]] = np.maximum(move, 0.0) / 0.015
    features[:COLD] = np.nan

    percent, sigma = passage_times(Frames(end_ns, values, FRAME_NS, 1))
    squeeze = replace(percent, competing=True)
    nothing = np.full((n, 2), np.nan)
    targets = Targets(
        to_onset_min=squeeze.minutes, has_onset=squeeze.happened, at_risk=squeeze.at_risk,
        inside=np.zeros((n, 2), dtype=bool), to_peak_min=nothing, to_come_bps=nothing,
        event=np.full((n, 2), -1), phase=np.zeros(n, dtype=np.int64),
        log_vol=np.full((n, 3), np.nan),
    )  # fmt: skip
    tasks = {"squeeze": squeeze, "percent": percent, "sigma": sigma}
    return Part(end_ns, FRAME_NS, features, values, tasks, targets, np.empty(0))


def changed_after(part: Part, frame: int) -> Part:
    """The same part with another future: features and prices after the frame are other ones."""
    features, values = part.features.copy(), part.values.copy()
    features[frame + 1 :] = features[frame + 1 :][::-1]
    values[frame + 1 :] *= np.linspace(1.1, 2.0, values.shape[0] - frame - 1)[:, np.newaxis]
    values[frame + 1 :, sc.HIGH] *= 1.05  # else ranges, which some scores use, stay as they were
    values[frame + 1 :, sc.LOW] /= 1.05
    return replace(part, features=features, values=values)


def times(minutes, happened, at_risk=None, competing=False) -> Times:
    """Times of a few frames, from lists ``(frame, side)``."""
    minutes = np.array(minutes, dtype=float)
    at_risk = np.ones(minutes.shape, dtype=bool) if at_risk is None else np.array(at_risk)
    return Times(minutes, np.array(happened), at_risk, competing)

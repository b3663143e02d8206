"""Small lessons for tests: streams in which a feature announces what comes."""

from __future__ import annotations

import numpy as np

from litehedge.model.material import Material, material
from litehedge.squeeze.hazard import ONSET_HORIZON_MIN
from litehedge.squeeze.targets import Targets
from litehedge.squeeze.times import Times
from litehedge.units import NS_PER_MINUTE


def minutes_to(at: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Minutes from each frame to the next event, and whether one comes."""
    frames = np.arange(n)
    which = np.searchsorted(at, frames, side="left")
    came = which < at.size
    return np.append(at, n - 1)[which] - frames.astype(float), came


def targets_of(squeeze: Times, phase: np.ndarray | None = None) -> Targets:
    """Targets of frames that are never inside a squeeze."""
    n = squeeze.minutes.shape[0]
    nothing = np.full((n, 2), np.nan)
    return Targets(
        to_onset_min=squeeze.minutes, has_onset=squeeze.happened, at_risk=squeeze.at_risk,
        inside=np.zeros((n, 2), dtype=bool), to_peak_min=nothing, to_come_bps=nothing,
        event=np.full((n, 2), -1), phase=np.zeros(n, dtype=int) if phase is None else phase,
        log_vol=np.full((n, 3), -7.0),
    )  # fmt: skip


def announced(
    n: int = 3_000, seed: int = 0, *, inputs: int = 6, cold: int = 0, weight: float = 1.0,
    gaps: tuple[int, ...] = (),
) -> Material:  # fmt: skip
    """An event about every 100 minutes; the first two inputs rise before those of their side."""
    rng = np.random.default_rng(seed)
    at = np.cumsum(rng.integers(30, 170, n // 30))
    at = at[at < n]
    side = rng.integers(0, 2, at.size)
    told = [minutes_to(at[side == s], n) for s in range(2)]
    times = Times(
        np.stack([m for m, _ in told], axis=1), np.stack([c for _, c in told], axis=1),
        np.ones((n, 2), dtype=bool), True,
    )  # fmt: skip
    seen = times.happened & (times.minutes <= ONSET_HORIZON_MIN)
    alone = Times(np.minimum(times.minutes, ONSET_HORIZON_MIN), seen, times.at_risk, False)
    z = rng.normal(size=(n, inputs)).astype(np.float32)
    z[:, :2] = 4.0 * np.exp(-times.minutes / 15.0) + 0.3 * z[:, :2]
    z[rng.random(z.shape) < 0.02] = np.nan
    z[:cold] = np.nan
    end_ns = NS_PER_MINUTE * np.arange(1, n + 1, dtype=np.int64)
    for gap in gaps:
        end_ns[gap:] += 100 * NS_PER_MINUTE
    return material(
        f"announced {seed}", end_ns, NS_PER_MINUTE, z, targets_of(times), np.empty(0), times,
        [alone, alone], weight,
    )  # fmt: skip

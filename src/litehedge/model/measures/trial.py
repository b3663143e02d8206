"""What happened to every frame of a span, as all measures of skill take it.

Squeezes are competing risks: the first event of a side at risk ends the wait of both, a forecast
for a side is P(it comes within the horizon, before the other), and a frame at which the other side
came first is one at which it did not. A frame censored before the horizon is unknown and left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.model.measures.blocks import DRAWS, draw_counts, event_blocks, pending
from litehedge.squeeze.hazard import N_ONSET, ONSET_EDGES, incidence
from litehedge.squeeze.times import Times
from litehedge.units import NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HORIZONS_MIN: Final = (5, 15, 30, 60, 120, 240)
"""Each of them is an edge of the bins."""

BIN_OF_HORIZON: Final = {h: int(np.flatnonzero(h == ONSET_EDGES)[0]) - 1 for h in HORIZONS_MIN}
CENSORED: Final = -1


@dataclass(frozen=True, slots=True)
class Trial:
    """One task on one span: what happened, and the draws by which forecasters are compared.

    Shapes: `times` ``(frame, side)``; `end_ns` and `block` ``(frame,)``; `counts`
    ``(block, 1 + draw)``, how often each draw takes a block, the first column all ones.
    """

    times: Times
    end_ns: Ints
    block: Ints
    counts: Floats
    frame_min: float

    @classmethod
    def of(cls, times: Times, end_ns: Ints, *, draws: int = DRAWS, seed: int = 0) -> Trial:
        """Cut a span into blocks and draw from them."""
        block = event_blocks(times, end_ns)
        counts = draw_counts(int(block.max(initial=0)) + 1, draws, seed)
        steps = np.diff(np.sort(end_ns))
        frame_min = float(np.median(steps)) / NS_PER_MINUTE if steps.size else np.nan
        return cls(times, end_ns, block, counts, frame_min)

    def __getitem__(self, rows: Bools | Ints) -> Trial:
        """Return the same of some frames, with the same blocks and draws."""
        return Trial(
            self.times[rows], self.end_ns[rows], self.block[rows], self.counts, self.frame_min
        )

    def __len__(self) -> int:
        return self.end_ns.size

    @property
    def horizons(self) -> tuple[int, ...]:
        """The horizons that a frame is not too long for, in minutes."""
        return tuple(h for h in HORIZONS_MIN if not h < self.frame_min)

    def first(self, side: int) -> tuple[Floats, Ints]:
        """Return when the wait of a side ended, and by which side's event.

        Returns
        -------
        tuple
            Minutes and side, `CENSORED` for none, ``(frame,)`` each. Of two events in the same
            minute a side's own counts for it. NaN and `CENSORED` where it is not at risk.
        """
        times = self.times
        mine = np.where(times.at_risk[:, side], times.minutes[:, side], np.nan)
        cause = np.where(times.happened[:, side], side, CENSORED)
        if times.competing:
            other = 1 - side
            before = times.at_risk[:, other] & (times.minutes[:, other] < mine)
            before |= (
                times.at_risk[:, other] & times.happened[:, other] & ~times.happened[:, side]
                & (times.minutes[:, other] == mine)
            )  # fmt: skip
            mine = np.where(before, times.minutes[:, other], mine)
            cause = np.where(before, np.where(times.happened[:, other], other, CENSORED), cause)
        return mine, np.where(np.isfinite(mine), cause, CENSORED)

    def outcome(self, side: int, horizon_min: float) -> tuple[Bools, Bools]:
        """Return where it is known whether the event came within the horizon, and whether it did.

        Shapes: ``(frame,)`` each.
        """
        minutes, cause = self.first(side)
        within = minutes <= horizon_min
        happened = within & (cause == side)
        ended = within & (cause != CENSORED)
        return ended | (minutes >= horizon_min), happened

    def events(self, side: int) -> int:
        """Count the events of a side that frames at risk wait for within the horizon."""
        waits = pending(self.times)[:, side]
        return int(np.unique(moments_ns(self.end_ns[waits], self.times.minutes[waits, side])).size)


def moments_ns(end_ns: Ints, minutes: Floats) -> Ints:
    """Return the instants that lie so many minutes after the ends of frames."""
    return end_ns + np.rint(minutes * NS_PER_MINUTE).astype(np.int64)


def incidences(hazards: Floats, *, competing: bool) -> Floats:
    """Return P(event up to the end of each bin), of the shape of the hazards.

    Shapes: ``(frame, side, bin)``; NaN where a hazard is NaN.
    """
    if not competing:
        alive = np.cumprod(1.0 - np.clip(hazards, 0.0, 1.0), axis=2)
        return np.asarray(1.0 - alive, dtype=np.float64)
    out = np.empty_like(hazards)
    _incidences(np.ascontiguousarray(hazards), out)
    return out


@kernel
def _incidences(hazards: Floats, out: Floats) -> None:
    for i in range(hazards.shape[0]):
        incidence(hazards[i], out[i])


def base_rates(times: Times, end_ns: Ints) -> Floats:
    """Return how often the event came within each of `HORIZONS_MIN`, ``(side, horizon)``.

    Taken from the training span, this is what Brier skill is measured against.
    """
    trial = Trial.of(times, end_ns, draws=1)
    out = np.full((2, len(HORIZONS_MIN)), np.nan)
    for side in range(2):
        for i, horizon in enumerate(HORIZONS_MIN):
            known, happened = trial.outcome(side, horizon)
            if known.any():
                out[side, i] = happened[known].mean()
    return out


def checked(hazards: Floats, frames: int) -> Floats:
    """Return hazards as they must be.

    Raises
    ------
    ValueError
        When they are not ``(frame, 2, 13)``.
    """
    if hazards.shape != (frames, 2, N_ONSET):
        raise ValueError(f"hazards are {hazards.shape}, wanted {(frames, 2, N_ONSET)}")
    return np.asarray(hazards, dtype=np.float64)

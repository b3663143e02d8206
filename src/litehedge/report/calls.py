"""What the hedge did in each squeeze: caught, partly, missed, or not needed."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import Run
from litehedge.config import Settings
from litehedge.report.series import align, legs_pnl, smallest
from litehedge.sim.episode import PATH_DISTANCE, PATH_RATIO
from litehedge.squeeze.labels import Squeeze
from litehedge.tape import Tape

CAUGHT_SHARE: Final = 0.5
PARTLY_SHARE: Final = 0.1


class Call(enum.StrEnum):
    """How a squeeze went for the position."""

    CAUGHT = "caught"  # at least half of the move was hedged
    PARTLY = "partly"  # at least a tenth
    MISSED = "missed"
    LIQUIDATED = "liquidated"  # the position died between onset and end
    IN_FAVOUR = "in favour"  # it squeezed the other side
    NO_POSITION = "no position"


@dataclass(frozen=True, slots=True)
class SqueezeCall:
    """One squeeze and what the hedge did in it.

    Ratios at onset and peak are NaN where no position was held. `hedged_share` is the part of
    the price move from onset to peak that the hedge took; `nearest` the smallest distance to
    liquidation at a close until its end, as a fraction of price.
    """

    squeeze: Squeeze
    ratio_at_onset: float
    ratio_at_peak: float
    hedged_share: float
    nearest: float
    call: Call


def squeeze_calls(run: Run, tape: Tape, settings: Settings) -> list[SqueezeCall]:
    """Judge the hedge in every squeeze of the tape, in order of onset."""
    run = align(run, tape)
    legs = legs_pnl(run, tape, settings)
    deaths = np.array(run.liquidated_ns, dtype=np.int64)
    ratio = run.path[:, PATH_RATIO]
    distance = run.path[:, PATH_DISTANCE]
    calls = []
    for squeeze in tape.squeezes:
        onset, peak, end = (
            int(np.searchsorted(run.end_ns, when, side="left"))
            for when in (squeeze.onset_ns, squeeze.peak_ns, squeeze.end_ns)
        )
        lost = -float(legs.position_usdt[onset + 1 : peak + 1].sum())
        share = float(legs.hedge_usdt[onset + 1 : peak + 1].sum()) / lost if lost else np.nan
        died = bool(((deaths > squeeze.onset_ns) & (deaths <= squeeze.end_ns)).any())
        held = bool(np.isfinite(ratio[onset : peak + 1]).any())
        against = squeeze.side == settings.position.side
        calls.append(
            SqueezeCall(
                squeeze=squeeze,
                ratio_at_onset=_at(ratio, onset),
                ratio_at_peak=_at(ratio, peak),
                hedged_share=share if held and not died else float("nan"),
                nearest=smallest(distance[onset : end + 1]),
                call=_judge(died, held, against, share),
            )
        )
    return calls


def _judge(died: bool, held: bool, against: bool, hedged_share: float) -> Call:
    if died:
        return Call.LIQUIDATED
    if not held:
        return Call.NO_POSITION
    if not against:
        return Call.IN_FAVOUR
    if hedged_share >= CAUGHT_SHARE:
        return Call.CAUGHT
    return Call.PARTLY if hedged_share >= PARTLY_SHARE else Call.MISSED


def _at(values: NDArray[np.float64], place: int) -> float:
    return float(values[place]) if place < values.size else float("nan")

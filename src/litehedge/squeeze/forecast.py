"""The forecast of one frame, and what every forecaster must offer.

Between model and policy a forecast travels as one row of numbers, so that kernels can use
millions of them; `Forecast` is the same row with names, for people and journals. Whatever the
model is, nothing downstream of this file knows.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.squeeze.hazard import (
    N_ONSET,
    N_PEAK,
    ONSET_EDGES,
    PEAK_EDGES,
    incidence,
    incidence_at,
    time_quantile,
)
from litehedge.squeeze.labels import SIDES
from litehedge.squeeze.targets import PHASES, VOL_MINUTES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Memory = NDArray[Any]
"""What a forecaster remembers, one row per phase; only the forecaster knows what it means."""

SEVERITY_LEVELS: Final[Floats] = np.array([0.1, 0.5, 0.9, 0.95, 0.99])
N_SEVERITY: Final = len(SEVERITY_LEVELS)
OUTLOOK_MIN: Final = (5.0, 15.0, 30.0, 60.0)
OUTLOOK_SHARES: Final = (0.1, 0.5, 0.9)

# Layout of a forecast row
ONSET_AT: Final = 0  # (side, bin) hazards of onset
PEAK_AT: Final = ONSET_AT + 2 * N_ONSET  # (side, bin) hazards of the peak, if inside
SEVERITY_AT: Final = PEAK_AT + 2 * N_PEAK  # (side, level) log move onset to peak, bps
PHASE_AT: Final = SEVERITY_AT + 2 * N_SEVERITY  # (phase,)
VOL_AT: Final = PHASE_AT + len(PHASES)  # volatility per root minute over 5, 30, 120 minutes
CONFIDENCE_AT: Final = VOL_AT + len(VOL_MINUTES)
STATE_AT: Final = CONFIDENCE_AT + 1
N_FORECAST: Final = STATE_AT + 1


class ForecastState(enum.IntEnum):
    """Whether a forecast may be relied on; anything but OK makes the policy more careful."""

    OK = 0
    DEGRADED = 1  # a feed the model was trained with is missing
    COLD = 2  # not enough history since the start or the last gap
    EXPIRED = 3  # the model is older than its card allows


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the next squeeze of each side starts, peaks, and how bad it gets.

    Shapes: `onset_hazard` ``(side, 13)``; `onset_cif` the same, cumulated; `peak_hazard`
    ``(side, 12)``; `severity_bps` ``(side, 5)`` at `SEVERITY_LEVELS`; `phase` ``(4,)`` over
    normal, before, during, after; `vol` ``(3,)`` per root minute over 5, 30, 120 minutes.
    """

    end_ns: int
    state: ForecastState
    confidence: float
    onset_hazard: Floats
    onset_cif: Floats
    peak_hazard: Floats
    severity_bps: Floats
    phase: Floats
    vol: Floats

    @classmethod
    def of_row(cls, end_ns: int, row: Floats) -> Forecast:
        """Read a row ``(N_FORECAST,)``."""
        onset = row[ONSET_AT:PEAK_AT].reshape(2, N_ONSET)
        cif = np.empty_like(onset)
        incidence(onset, cif)
        return cls(
            end_ns=end_ns,
            state=ForecastState(int(row[STATE_AT])),
            confidence=float(row[CONFIDENCE_AT]),
            onset_hazard=onset,
            onset_cif=cif,
            peak_hazard=row[PEAK_AT:SEVERITY_AT].reshape(2, N_PEAK),
            severity_bps=row[SEVERITY_AT:PHASE_AT].reshape(2, N_SEVERITY),
            phase=row[PHASE_AT:VOL_AT],
            vol=row[VOL_AT:CONFIDENCE_AT],
        )

    def onset_probability(self, side: str, minutes: float) -> float:
        """Return P(a squeeze of `side` starts within `minutes`)."""
        return float(incidence_at(self.onset_cif[SIDES.index(side)], ONSET_EDGES, minutes))

    def onset_minutes(self, side: str, share: float = 0.5) -> float:
        """Return when a squeeze of `side`, if one comes within the horizon, has started."""
        return float(time_quantile(self.onset_cif[SIDES.index(side)], ONSET_EDGES, share))

    def peak_minutes(self, side: str, share: float = 0.5) -> float:
        """Return when a running squeeze of `side` peaks, in minutes from now."""
        hazards = self.peak_hazard[SIDES.index(side)][np.newaxis]
        cif = np.empty_like(hazards)
        incidence(hazards, cif)
        return float(time_quantile(cif[0], PEAK_EDGES, share))


class Outlook(msgspec.Struct, frozen=True):
    """A forecast as people are shown it; each list has the long side first.

    `onset` are the probabilities that a squeeze starts within `OUTLOOK_MIN` minutes;
    `onset_min` and `peak_min` hold the 10 %, 50 % and 90 % quantiles of the minutes to the onset,
    if one comes within the horizon, and from then on to the peak; `severity_bps` the 50 % and
    90 % quantiles of the move. `phase` is the probability of normal, before, during, after.
    """

    onset: list[list[float]]
    onset_min: list[list[float]]
    peak_min: list[list[float]]
    severity_bps: list[list[float]]
    phase: list[float]


def outlook_of(row: Floats) -> Outlook:
    """Read a row ``(N_FORECAST,)`` as people are shown it."""
    onset = np.empty((2, len(OUTLOOK_MIN)))
    onset_min, peak_min = np.empty((2, 2, len(OUTLOOK_SHARES)))
    _look_out(row, onset, onset_min, peak_min)
    severity = row[SEVERITY_AT:PHASE_AT].reshape(2, N_SEVERITY)[:, 1:3]
    phase = row[PHASE_AT:VOL_AT]
    return Outlook(
        onset.tolist(), onset_min.tolist(), peak_min.tolist(), severity.tolist(), phase.tolist()
    )


@kernel
def _look_out(row: Floats, onset: Floats, onset_min: Floats, peak_min: Floats) -> None:
    """Write what `Forecast` tells of a row, in one go: an order waits for it.

    Shapes: `onset` ``(side, minute)``; `onset_min` and `peak_min` ``(side, share)``.
    """
    onset_cif = np.empty((2, N_ONSET))
    incidence(row[ONSET_AT:PEAK_AT].reshape(2, N_ONSET), onset_cif)
    peak_cif = np.empty((1, N_PEAK))
    for side in range(2):
        for i in range(onset.shape[1]):
            onset[side, i] = incidence_at(onset_cif[side], ONSET_EDGES, OUTLOOK_MIN[i])
        first = PEAK_AT + side * N_PEAK
        incidence(row[first : first + N_PEAK].reshape(1, N_PEAK), peak_cif)
        for i in range(onset_min.shape[1]):
            share = OUTLOOK_SHARES[i]
            onset_min[side, i] = time_quantile(onset_cif[side], ONSET_EDGES, share)
            peak_min[side, i] = time_quantile(peak_cif[0], PEAK_EDGES, share)


class Forecaster(Protocol):
    """A model behind the final interface: streaming, explicit memory, no I/O, never an exception.

    `step` advances one frame of one phase; `batch` is many steps at once. Both carry the memory
    on in place, so that one batch, its chunks in turn and single steps give the same rows. A
    model without memory ignores it.
    """

    @property
    def id(self) -> str:
        """Name and version, as journals record it."""
        ...

    @property
    def schema_hash(self) -> str:
        """The feature schema the model was trained on."""
        ...

    def start(self, phases: int) -> Memory:
        """Return the memory before the first frame, for this many phases."""
        ...

    def step(self, memory: Memory, phase: int, end_ns: int, features: Floats) -> Floats:
        """Advance one frame in place; return the forecast row ``(N_FORECAST,)``.

        `features` ``(feature,)`` may hold NaN; a cold or degraded input gives a row that says so.
        """
        ...

    def batch(self, memory: Memory, phases: Ints, end_ns: Ints, features: Floats) -> Floats:
        """Advance many frames in place, in time order; return ``(frame, N_FORECAST)``.

        Shapes: `phases`, the phase of each frame, and `end_ns` ``(frame,)``; `features`
        ``(frame, feature)``.
        """
        ...


def cold_row() -> Floats:
    """Return the row ``(N_FORECAST,)`` of a forecaster that knows nothing."""
    row = np.full(N_FORECAST, np.nan)
    row[CONFIDENCE_AT] = 0.0
    row[STATE_AT] = ForecastState.COLD
    return row


def heard(
    forecaster: Forecaster, memory: Memory, phase: int, end_ns: int, features: Floats
) -> Floats:
    """Return what a forecaster says of a frame, a cold row where it breaks its word.

    Guards must not depend on the model being alive: one that raises, or answers something else
    than a row of numbers, counts as one that knows nothing.
    """
    try:
        row = np.ascontiguousarray(
            forecaster.step(memory, phase, end_ns, features), dtype=np.float64
        )
    except Exception:  # whatever it is, the position is to be guarded
        return cold_row()
    return row if row.shape == (N_FORECAST,) else cold_row()


def from_scratch(forecaster: Forecaster, end_ns: Ints, features: Floats) -> Floats:
    """Return the rows of frames of one phase by a forecaster that remembers nothing yet."""
    phases = np.zeros(end_ns.size, dtype=np.int64)
    return forecaster.batch(forecaster.start(1), phases, end_ns, features)

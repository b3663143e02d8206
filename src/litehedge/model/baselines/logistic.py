"""The logistic forecaster: discrete-time hazards that are linear in the features.

Bins are joined into groups (0-5, 5-15, 15-60, 60-240 minutes for the onset). Per side and group
one logistic regression gives P(onset in the group | none before, features); inside a group the
log survival is shared out in fixed proportions, so that

    h_k = 1 - (1 - p_group) ** share_k,   sum of share_k over the group = 1

Severity quantiles are linear in log severity, the phase is a softmax, the coming volatility a
ridge regression in logs. Missing features count as average and switch on the mask of their
family. What training never saw (a feed that its data lack) acts neither by value nor by mask when
it appears. Fitting is in `logistic_fit`; serving needs NumPy and numba alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import ArtefactError
from litehedge.features import vector as fv
from litehedge.jit import kernel
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET, N_PEAK, ONSET_EDGES, incidence, incidence_at
from litehedge.squeeze.targets import PHASES, VOL_MINUTES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MODEL_FAMILIES: Final = tuple(family for family in fv.FAMILIES if family != "raw")
INPUTS: Final = tuple(fv.INDEX[name] for family in MODEL_FAMILIES for name in fv.FAMILIES[family])
FAMILY_OF_INPUT: Final = tuple(
    i for i, family in enumerate(MODEL_FAMILIES) for _ in fv.FAMILIES[family]
)
N_INPUTS: Final = len(INPUTS)
N_DESIGN: Final = N_INPUTS + len(MODEL_FAMILIES)
CLIP: Final = 8.0

ONSET_GROUPS: Final = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3], dtype=np.int64)
PEAK_GROUPS: Final = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3], dtype=np.int64)
N_GROUPS: Final = 4

_INPUTS: Final = np.array(INPUTS, dtype=np.int64)
_FAMILY: Final = np.array(FAMILY_OF_INPUT, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class LogisticWeights:
    """Everything that was fitted.

    Shapes: `mean`, `scale`, `seen` ``(input,)``, the last 1 where training had it;
    `trained_family` ``(family,)`` 1 where training had it;
    `onset` and `peak` ``(side, group, 1 + design)`` with the intercept first; `onset_share`
    ``(side, 13)``; `peak_share` ``(side, 12)``; `severity` ``(side, level, 1 + design)``; `phase`
    ``(4, 1 + design)``; `vol` ``(3, 1 + design)``; `usual_rms` ``(1,)``: 99 % quantile of the
    root mean square of standardised inputs in training.
    """

    mean: Floats
    scale: Floats
    seen: Floats
    trained_family: Floats
    onset: Floats
    onset_share: Floats
    peak: Floats
    peak_share: Floats
    severity: Floats
    phase: Floats
    vol: Floats
    usual_rms: Floats

    def to_json(self) -> dict[str, Any]:
        """Return the weights as nested lists."""
        return {field.name: getattr(self, field.name).tolist() for field in fields(self)}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> LogisticWeights:
        """Read what `to_json` wrote.

        Raises
        ------
        ArtefactError
            When a part is missing or has another shape.
        """
        shapes = {
            "mean": (N_INPUTS,),
            "scale": (N_INPUTS,),
            "seen": (N_INPUTS,),
            "trained_family": (len(MODEL_FAMILIES),),
            "onset": (2, N_GROUPS, 1 + N_DESIGN),
            "onset_share": (2, N_ONSET),
            "peak": (2, N_GROUPS, 1 + N_DESIGN),
            "peak_share": (2, N_PEAK),
            "severity": (2, fc.N_SEVERITY, 1 + N_DESIGN),
            "phase": (len(PHASES), 1 + N_DESIGN),
            "vol": (len(VOL_MINUTES), 1 + N_DESIGN),
            "usual_rms": (1,),
        }
        parts = {}
        for name, shape in shapes.items():
            try:
                parts[name] = np.array(tree[name], dtype=np.float64)
            except (KeyError, ValueError, TypeError):
                raise ArtefactError(f"the weights lack {name}", "train the model again") from None
            if parts[name].shape != shape or not np.isfinite(parts[name]).all():
                raise ArtefactError(
                    f"the weights' {name} has shape {parts[name].shape} or holds NaN",
                    f"expected finite numbers of shape {shape}; train the model again",
                )
        return cls(**parts)


@kernel
def write_design(
    features: Floats, inputs: Ints, family: Ints, mean: Floats, scale: Floats, seen: Floats,
    out: Floats,
) -> float:  # fmt: skip
    """Standardise one feature row into a design row ``(N_DESIGN,)``.

    Inputs are clipped at 8 deviations; NaN becomes 0 and switches on the mask of its family; an
    input that training did not see is 0. Returns the root mean square of the inputs that are
    present.
    """
    n = inputs.size
    out[n:] = 0.0
    total = 0.0
    present = 0
    for j in range(n):
        x = features[inputs[j]]
        if seen[j] == 0.0:
            out[j] = 0.0
        elif np.isnan(x):
            out[j] = 0.0
            out[n + family[j]] = 1.0
        else:
            z = (x - mean[j]) / scale[j]
            z = min(max(z, -CLIP), CLIP)
            out[j] = z
            total += z * z
            present += 1
    return np.sqrt(total / present) if present > 0 else np.inf


@kernel
def _linear(weights: Floats, row: int, design: Floats) -> float:
    total = weights[row, 0]
    for j in range(design.size):
        total += weights[row, 1 + j] * design[j]
    return total


@kernel
def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + np.exp(-x))


@kernel
def write_onset(
    design: Floats, onset: Floats, onset_share: Floats, onset_groups: Ints, out: Floats
) -> None:
    """Write the hazards of onset, ``(side, bin)`` flattened, at the begin of a forecast row."""
    n_groups = onset.shape[0] // 2
    n_onset = onset_groups.size
    for side in range(2):
        for k in range(n_onset):
            p = _sigmoid(_linear(onset, side * n_groups + onset_groups[k], design))
            share = onset_share[side, k]
            out[fc.ONSET_AT + side * n_onset + k] = 1.0 - (1.0 - p) ** share


@kernel
def write_row(
    features: Floats, inputs: Ints, family: Ints, mean: Floats, scale: Floats,
    seen: Floats, trained_family: Floats, onset: Floats, onset_share: Floats, onset_groups: Ints,
    peak: Floats, peak_share: Floats, peak_groups: Ints, severity: Floats, phase: Floats,
    vol: Floats, usual_rms: Floats, cold_feature: int, design: Floats, out: Floats,
) -> None:  # fmt: skip
    """Forecast one frame. Weights come flattened: ``(side * group, 1 + design)`` and so on.

    Shapes: `features` ``(feature,)``; `design` scratch ``(N_DESIGN,)``; `out` ``(N_FORECAST,)``.
    """
    n_groups = peak.shape[0] // 2
    n_peak = peak_groups.size
    n_levels = severity.shape[0] // 2
    out[:] = np.nan
    if np.isnan(features[cold_feature]):
        out[fc.CONFIDENCE_AT] = 0.0
        out[fc.STATE_AT] = 2.0
        return
    rms = write_design(features, inputs, family, mean, scale, seen, design)
    write_onset(design, onset, onset_share, onset_groups, out)
    for side in range(2):
        for k in range(n_peak):
            p = _sigmoid(_linear(peak, side * n_groups + peak_groups[k], design))
            share = peak_share[side, k]
            out[fc.PEAK_AT + side * n_peak + k] = 1.0 - (1.0 - p) ** share
        last = 1.0
        for level in range(n_levels):
            value = np.exp(min(_linear(severity, side * n_levels + level, design), 9.2))
            last = max(value, last * 1.0001)  # quantiles never cross
            out[fc.SEVERITY_AT + side * n_levels + level] = last
    top = -np.inf
    for i in range(phase.shape[0]):
        out[fc.PHASE_AT + i] = _linear(phase, i, design)
        top = max(top, out[fc.PHASE_AT + i])
    total = 0.0
    for i in range(phase.shape[0]):
        out[fc.PHASE_AT + i] = np.exp(out[fc.PHASE_AT + i] - top)
        total += out[fc.PHASE_AT + i]
    for i in range(phase.shape[0]):
        out[fc.PHASE_AT + i] /= total
    for i in range(vol.shape[0]):
        out[fc.VOL_AT + i] = np.exp(min(_linear(vol, i, design), 0.0))
    missing = 0.0
    trained = 0.0
    for f in range(trained_family.size):
        trained += trained_family[f]
        missing += trained_family[f] * design[inputs.size + f]
    out[fc.CONFIDENCE_AT] = (1.0 - 0.5 * missing / trained) * min(1.0, usual_rms[0] / rms)
    out[fc.STATE_AT] = 1.0 if missing > 0.0 else 0.0


@kernel
def _write_rows(
    features: Floats, inputs: Ints, family: Ints, mean: Floats, scale: Floats,
    seen: Floats, trained_family: Floats, onset: Floats, onset_share: Floats, onset_groups: Ints,
    peak: Floats, peak_share: Floats, peak_groups: Ints, severity: Floats, phase: Floats,
    vol: Floats, usual_rms: Floats, cold_feature: int, design: Floats, out: Floats,
) -> None:  # fmt: skip
    for i in range(out.shape[0]):
        write_row(
            features[i], inputs, family, mean, scale, seen, trained_family, onset, onset_share,
            onset_groups, peak, peak_share, peak_groups, severity, phase, vol, usual_rms,
            cold_feature, design, out[i],
        )  # fmt: skip


def _expire(rows: Floats) -> Floats:
    """Let forecasts that are not cold say that they are too old, and half as sure."""
    warm = rows[:, fc.STATE_AT] < fc.ForecastState.COLD
    rows[warm, fc.STATE_AT] = fc.ForecastState.EXPIRED
    rows[warm, fc.CONFIDENCE_AT] *= 0.5
    return rows


class LogisticForecaster:
    """The fitted model behind the forecaster interface. It has no memory of its own.

    Parameters
    ----------
    expires_ns
        Forecasts of frames that end later say that they are too old; None: they never do.
    """

    __slots__ = ("_arguments", "_expires_ns", "_weights", "family", "id", "schema_hash")

    def __init__(
        self, weights: LogisticWeights, id: str, schema_hash: str, expires_ns: int | None = None
    ) -> None:
        self._expires_ns = expires_ns
        self.id = id
        self.schema_hash = schema_hash
        self.family = _FAMILY
        self._weights = weights
        w = weights
        flat = 1 + N_DESIGN
        self._arguments = (
            _INPUTS, _FAMILY, w.mean, w.scale, w.seen, w.trained_family, w.onset.reshape(-1, flat),
            w.onset_share, ONSET_GROUPS, w.peak.reshape(-1, flat), w.peak_share, PEAK_GROUPS,
            w.severity.reshape(-1, flat), w.phase, w.vol, w.usual_rms, fv.LOG_SIGMA,
            np.empty(N_DESIGN),
        )  # fmt: skip

    def start(self, phases: int) -> fc.Memory:
        """Return an empty memory."""
        return np.empty((phases, 0))

    def step(self, memory: fc.Memory, phase: int, end_ns: int, features: Floats) -> Floats:
        """Return the forecast row of one frame."""
        out = np.empty(fc.N_FORECAST)
        write_row(features, *self._arguments, out)
        if self._expires_ns is not None and end_ns > self._expires_ns:
            _expire(out[np.newaxis])
        return out

    def batch(self, memory: fc.Memory, phases: Ints, end_ns: Ints, features: Floats) -> Floats:
        """Return the forecast rows of many frames."""
        out = np.empty((features.shape[0], fc.N_FORECAST))
        _write_rows(features, *self._arguments, out)
        if self._expires_ns is not None:
            late = end_ns > self._expires_ns
            out[late] = _expire(out[late])
        return out

    def inputs_of(self, features: Floats) -> Floats:
        """Return the inputs of a frame as a window ``(1, 2n)``: values beside masks of missing.

        What training never saw is missing too: it says nothing here.
        """
        w = self._weights
        design = np.empty(N_DESIGN)
        write_design(features, _INPUTS, _FAMILY, w.mean, w.scale, w.seen, design)
        missing = np.isnan(features[_INPUTS]) | (w.seen == 0.0)
        return np.concatenate([design[:N_INPUTS], missing.astype(np.float64)])[np.newaxis]

    def onset_of_windows(self, windows: NDArray[np.floating[Any]], minutes: float) -> Floats:
        """Return P(onset within `minutes`), ``(window, side)``, by the last frame of each window.

        A window ``(frame, 2n)`` is as `inputs_of` gives it. With all that is there, the
        probability is that of `step`, to the last bit.
        """
        w = self._weights
        flat = w.onset.reshape(-1, 1 + N_DESIGN)
        out = np.empty((len(windows), 2))
        row, cif = np.empty(2 * N_ONSET), np.empty((2, N_ONSET))
        for number, window in enumerate(windows):
            last = np.asarray(window[-1], dtype=np.float64)
            is_missing = (last[N_INPUTS:] == 1.0) & (w.seen == 1.0)
            masks = np.zeros(len(MODEL_FAMILIES))
            masks[_FAMILY[is_missing]] = 1.0
            design = np.concatenate([np.where(is_missing, 0.0, last[:N_INPUTS]), masks])
            write_onset(design, flat, w.onset_share, ONSET_GROUPS, row)
            incidence(row.reshape(2, N_ONSET), cif)
            out[number] = [incidence_at(cif[side], ONSET_EDGES, minutes) for side in range(2)]
        return out

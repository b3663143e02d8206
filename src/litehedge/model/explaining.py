"""A model asked about one moment: what it says there, and where that comes from.

A network is taken apart family by family over all that it looks back on, a logistic model over
its one frame, in the same way: see `attribution`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.model import explain as ex
from litehedge.model.artefact import Artefact
from litehedge.model.baselines.logistic import MODEL_FAMILIES, LogisticForecaster
from litehedge.model.explain import Explanation
from litehedge.model.layout import AGES
from litehedge.model.outputs import spread_of
from litehedge.model.serve import NetworkForecaster
from litehedge.model.squeeze_index import PREFIX, SqueezeIndex
from litehedge.squeeze.forecast import SEVERITY_LEVELS, Forecast, Forecaster, ForecastState
from litehedge.squeeze.labels import SIDES
from litehedge.squeeze.targets import PHASES
from litehedge.units import iso_utc

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZONS_MIN: Final = (5.0, 15.0, 30.0, 60.0, 240.0)
PAIRS: Final = 4
"""Orders of families, each with its reverse: a few seconds for five members."""
LINEAR_PAIRS: Final = 32
"""The same of a logistic model, which answers in microseconds."""
INSIDE: Final = 48
"""So many of the last frames are looked into; what a network computes for all would fill memory."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The frames up to a moment: `end_ns` ``(frame,)`` and `features` ``(frame, feature)``."""

    data: str
    frame_ns: int
    end_ns: Ints
    features: Floats


@dataclass(frozen=True, slots=True)
class Explained:
    """A forecast and where it comes from; `explanation` is None for a cold one.

    `dissimilarity` is about 1 in a market like training, `spread` ``(side,)`` how far members
    differ in nats; NaN where the model has no sample of training, or one member.
    """

    data: str
    model: str
    forecast: Forecast
    dissimilarity: float
    spread: Floats
    explanation: Explanation | None

    def row(self) -> dict[str, Any]:
        """Return everything as JSON takes it; probabilities by minutes, severity by level."""
        f = self.forecast
        told = None if self.explanation is None else self.explanation.row()
        sides = {
            side: {
                "probability_within": {
                    f"{h:g}": f.onset_probability(side, h) for h in HORIZONS_MIN
                },
                "severity_bps": {
                    f"{level:g}": float(bps)
                    for level, bps in zip(SEVERITY_LEVELS, f.severity_bps[s], strict=True)
                },
                **({} if told is None else told["sides"][side]),
            }
            for s, side in enumerate(SIDES)
        }  # fmt: skip
        return {
            "data": self.data, "model": self.model, "end": iso_utc(f.end_ns),
            "state": f.state.name.lower(), "confidence": f.confidence,
            "dissimilarity": self.dissimilarity,
            "spread": dict(zip(SIDES, self.spread.tolist(), strict=True)),
            "phase": dict(zip(PHASES, f.phase.tolist(), strict=True)),
            **({"attention": [], "nearest": [], "running": None} if told is None else told),
            "sides": sides,
        }  # fmt: skip


def explain_moment(loaded: Artefact, moment: Moment, *, pairs: int = PAIRS) -> Explained:
    """Forecast the last frame and explain it."""
    lived = live(loaded.forecaster, moment.end_ns, moment.features)
    return explain_frame(loaded, moment, lived, pairs=pairs)


@dataclass(frozen=True, slots=True)
class Lived:
    """What a model made of the last frame: its row, and of a network what it computed.

    Shapes: `row` ``(N_FORECAST,)``; `trunk` ``(hidden,)``; `attention` ``(member, age)``;
    `spread` ``(side,)``. NaN where the model has no such thing.
    """

    row: Floats
    trunk: NDArray[np.floating[Any]]
    attention: NDArray[np.floating[Any]]
    spread: Floats


def live(forecaster: Forecaster, end_ns: Ints, features: Floats) -> Lived:
    """Let a model live through frames of one phase, from an empty memory.

    Shapes: `end_ns` ``(frame,)``; `features` ``(frame, feature)``. The rows are those of frames
    given one by one, bit for bit.
    """
    memory = forecaster.start(1)
    phases = np.zeros(end_ns.size, dtype=np.int64)
    nan = np.full(2, np.nan)
    if not isinstance(forecaster, NetworkForecaster):
        rows = forecaster.batch(memory, phases, end_ns, features)
        return Lived(rows[-1], np.full(1, np.nan), np.full((1, AGES), np.nan), nan)
    early = max(0, end_ns.size - INSIDE)
    forecaster.batch(memory, phases[:early], end_ns[:early], features[:early])
    inside = forecaster.inside_batch(memory, phases[early:], end_ns[early:], features[early:])
    spread = np.empty(2)
    spread_of(inside.raw, inside.raw.shape[1] - 1, spread)
    return Lived(inside.rows[-1], inside.trunk[:, -1].mean(axis=0), inside.attention[:, -1], spread)


def explain_frame(
    loaded: Artefact, moment: Moment, lived: Lived, *, pairs: int = PAIRS
) -> Explained:
    """Explain the last frame of `moment`, of which a model made `lived`.

    Raises
    ------
    UsageError
        When nothing is known of how such a model forecasts.
    """
    forecaster = loaded.forecaster
    end_ns = int(moment.end_ns[-1])
    forecast = Forecast.of_row(end_ns, lived.row)
    if forecast.state is ForecastState.COLD:
        nan = np.full(2, np.nan)
        return Explained(moment.data, loaded.id, forecast, np.nan, nan, None)
    window: NDArray[np.floating[Any]]
    if isinstance(forecaster, NetworkForecaster):
        family, near = forecaster.standards.family, forecaster.neighbours
        window = forecaster.standards.write(moment.features[-AGES:])
    elif isinstance(forecaster, LogisticForecaster):
        family, near = forecaster.family, None
        window = forecaster.inputs_of(moment.features[-1])
        pairs = max(pairs, LINEAR_PAIRS)
    else:
        raise UsageError(
            f"{loaded.card.name} is a {loaded.card.kind} model, which has no explanation",
            "see: litehedge models",
        )
    has_index = loaded.index is not None and any(n.startswith(PREFIX) for n in loaded.index)
    squeezing = [float(moment.features[-1, fv.INDEX[f"squeezing_{way}"]]) for way in ("down", "up")]
    rates = loaded.card.baseline_scores
    base_rate = [
        rates[name].value if (name := f"base_rate_{ex.HORIZON_MIN:.0f}_{side}") in rates else np.nan
        for side in SIDES
    ]
    explanation = ex.explain(
        end_ns,
        lambda windows: forecaster.onset_of_windows(windows, ex.HORIZON_MIN),
        window,
        family,
        MODEL_FAMILIES,
        lived.attention,
        lived.trunk,
        SqueezeIndex.from_arrays(loaded.index) if has_index else None,  # type: ignore[arg-type]
        frame_min=moment.frame_ns / 60e9,
        base_rate=np.array(base_rate),
        seed=0,
        served=np.array([forecast.onset_probability(side, ex.HORIZON_MIN) for side in SIDES]),
        before_ns=end_ns,
        pairs=pairs,
        running=ex.running_of(lived.row, (squeezing[0], squeezing[1])),
    )
    return Explained(
        moment.data, loaded.id, forecast,
        np.nan if near is None else near.dissimilarity(lived.trunk), lived.spread, explanation,
    )  # fmt: skip

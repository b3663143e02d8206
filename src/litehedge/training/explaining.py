"""One moment of a data set explained: what a network said then, from what was known then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.features.vector import FeatureStream
from litehedge.market.frames import FrameFold
from litehedge.model import explain as ex
from litehedge.model.artefact import Artefact
from litehedge.model.baselines.logistic import MODEL_FAMILIES
from litehedge.model.explain import Explanation
from litehedge.model.layout import AGES
from litehedge.model.outputs import spread_of
from litehedge.model.serve import NetworkForecaster
from litehedge.model.squeeze_index import PREFIX, SqueezeIndex
from litehedge.squeeze.forecast import SEVERITY_LEVELS, Forecast, ForecastState
from litehedge.squeeze.labels import SIDES
from litehedge.squeeze.targets import PHASES
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import WARM_UP_NS, event_chunks, per_frame_of
from litehedge.units import iso_utc

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZONS_MIN: Final = (5.0, 15.0, 30.0, 60.0, 240.0)
FED: Final = 10 * AGES
"""Frames that the network lives through before it is asked; what it saw earlier has faded."""
PAIRS: Final = 4
"""Orders of families, each with its reverse: a few seconds for five members."""


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


def moment(lake: Lake, dataset: Dataset, at_ns: int) -> Moment:
    """Read the frames that had ended by `at_ns`, the last of them less than a frame ago.

    Of bars below a minute those frames that end where the last one does. Features warm up on 31
    days.

    Raises
    ------
    UsageError
        When the data set has no bar that ended just before.
    """
    per_frame = per_frame_of(dataset.interval_ns)
    frame_ns = dataset.interval_ns * per_frame
    fold = FrameFold(dataset.interval_ns, per_frame)
    stream = FeatureStream(dataset.interval_ns, per_frame)
    ends, phases, features = [np.empty(0, dtype=np.int64)], [], []
    begin = max(dataset.start_ns, at_ns - WARM_UP_NS)
    for events, _ in event_chunks(lake, dataset, begin, min(at_ns, dataset.end_ns)):
        frames = fold.push_arrays(events.kinds, events.known_ns, events.values)
        ends.append(frames.end_ns)
        phases.append(frames.phases)
        features.append(stream.batch(frames))
    end_ns = np.concatenate(ends)
    if end_ns.size == 0 or at_ns - end_ns[-1] >= frame_ns:
        raise UsageError(
            f"{dataset.name} has no bars just before {iso_utc(at_ns)}",
            f"it covers {dataset.span}; for gaps see: litehedge data check {dataset.name}",
        )
    phase = np.concatenate(phases)
    mine = np.flatnonzero(phase == phase[-1])[-FED:]
    return Moment(dataset.name, frame_ns, end_ns[mine], np.concatenate(features)[mine])


def explain_moment(loaded: Artefact, moment: Moment, *, pairs: int = PAIRS) -> Explained:
    """Forecast the last frame and explain it.

    Raises
    ------
    UsageError
        When the model is no network.
    """
    network = loaded.forecaster
    if not isinstance(network, NetworkForecaster):
        raise UsageError(
            f"{loaded.card.name} is a {loaded.card.kind} model, which has no explanation",
            "give a network with --model; see: litehedge models",
        )
    end_ns = int(moment.end_ns[-1])
    phases = np.zeros(moment.end_ns.size, dtype=np.int64)
    inside = network.inside_batch(network.start(1), phases, moment.end_ns, moment.features)
    row = inside.rows[-1]
    forecast = Forecast.of_row(end_ns, row)
    if forecast.state is ForecastState.COLD:
        nan = np.full(2, np.nan)
        return Explained(moment.data, loaded.id, forecast, np.nan, nan, None)
    trunk = inside.trunk[:, -1].mean(axis=0)
    spread = np.empty(2)
    spread_of(inside.raw, inside.raw.shape[1] - 1, spread)
    near = network.neighbours
    has_index = loaded.index is not None and any(n.startswith(PREFIX) for n in loaded.index)
    squeezing = [float(moment.features[-1, fv.INDEX[f"squeezing_{way}"]]) for way in ("down", "up")]
    rates = loaded.card.baseline_scores
    base_rate = [
        rates[name].value if (name := f"base_rate_{ex.HORIZON_MIN:.0f}_{side}") in rates else np.nan
        for side in SIDES
    ]
    explanation = ex.explain(
        end_ns,
        lambda windows: network.onset_of_windows(windows, ex.HORIZON_MIN),
        network.standards.write(moment.features[-AGES:]),
        network.standards.family,
        MODEL_FAMILIES,
        inside.attention[:, -1],
        trunk,
        SqueezeIndex.from_arrays(loaded.index) if has_index else None,  # type: ignore[arg-type]
        frame_min=moment.frame_ns / 60e9,
        base_rate=np.array(base_rate),
        seed=0,
        served=np.array([forecast.onset_probability(side, ex.HORIZON_MIN) for side in SIDES]),
        before_ns=end_ns,
        pairs=pairs,
        running=ex.running_of(row, (squeezing[0], squeezing[1])),
    )
    return Explained(
        moment.data, loaded.id, forecast,
        np.nan if near is None else near.dissimilarity(trunk), spread, explanation,
    )  # fmt: skip

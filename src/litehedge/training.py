"""Training from the lake: samples, fit, honest validation, card.

The split is by time alone. Scores on the card come from a model that was fitted before the
validation span began; the model that is saved is then fitted on everything up to `until`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

import litehedge
from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.features.vector import FeatureSchema, FeatureStream
from litehedge.market import schema as sc
from litehedge.market.frames import FrameFold, Frames
from litehedge.model import artefact
from litehedge.model.artefact import Card, Score, Span
from litehedge.model.baselines.logistic import LogisticForecaster
from litehedge.model.baselines.logistic_fit import Sample, fit
from litehedge.model.evaluate import onset_scores
from litehedge.squeeze.forecast import from_scratch
from litehedge.squeeze.labels import SNAPSHOT_MINUTES, Side, Squeeze, catalogue, spec_hash
from litehedge.squeeze.targets import targets
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import WARM_UP_NS, event_chunks, per_frame_of
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND, iso_utc

Progress = Callable[[str], None]

PURGE_NS: Final = 8 * 3600 * NS_PER_SECOND
"""Between training and validation: the horizon of the labels and the longest squeeze."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Frames of one data set with their features, and the sample that training sees."""

    dataset: Dataset
    frames: Frames
    sample: Sample
    squeezes: list[Squeeze]

    def before(self, squeeze: Squeeze) -> dict[str, float]:
        """Return the market thirty minutes before an onset; NaN where it was not known.

        Price in USDT, moves as log returns, volatilities as multiples of the slow one, the last
        funding rate in bps, the change of open interest, the 60-minute move of Bitcoin.
        """
        at = int(
            np.searchsorted(
                self.frames.end_ns,
                squeeze.onset_ns - int(SNAPSHOT_MINUTES * NS_PER_MINUTE),
                side="right",
            )
        )
        vector = self.sample.features[at - 1] if at > 0 else np.full(fv.N_FEATURES, np.nan)
        price = float(self.frames.values[at - 1, sc.CLOSE]) if at > 0 else float("nan")
        value = {name: float(vector[i]) for name, i in fv.INDEX.items()}
        sigma = np.exp(value["log_sigma"])
        return {
            "price": price,
            "move_60m": value["ret_60m"] * sigma * np.sqrt(60.0),
            "move_240m": value["ret_240m"] * sigma * np.sqrt(240.0),
            "vol_ratio_60m": float(np.exp(value["vol_60m"])),
            "volume_ratio_60m": float(np.exp(value["volume_60m"])),
            "funding_bps": value["funding_bps"],
            "oi_60m": value["oi_60m"],
            "btc_ret_60m_sigma": value["btc_ret_60m"],
        }

    def span(self) -> Span:
        """Return the span for the card."""
        ends = self.frames.end_ns
        return Span(
            self.dataset.name, iso_utc(int(ends[0])), iso_utc(int(ends[-1])), len(self.frames)
        )


def prepare(
    lake: Lake, dataset: Dataset, start_ns: int, end_ns: int, say: Progress = lambda _: None
) -> Prepared | None:
    """Read frames ``start < end_ns <= end``, their features, and targets that end at the edge.

    Features warm up on what lies before the start; labels use nothing after the edge. Returns
    None when the data set has nothing in the span.
    """
    if dataset.end_ns <= start_ns or dataset.start_ns >= end_ns:
        return None
    say(f"reading {dataset.name}")
    per_frame = per_frame_of(dataset.interval_ns)
    fold = FrameFold(dataset.interval_ns, per_frame)
    stream = FeatureStream(dataset.interval_ns, per_frame)
    ends, values, features = [], [], []
    begin = max(dataset.start_ns, start_ns - WARM_UP_NS)
    for events, _ in event_chunks(lake, dataset, begin, min(end_ns, dataset.end_ns)):
        frames = fold.push_arrays(events.kinds, events.known_ns, events.values)
        vectors = stream.batch(frames)
        one = frames.phases == 0  # one label set per frame: phases would repeat each squeeze
        ends.append(frames.end_ns[one])
        values.append(frames.values[one])
        features.append(vectors[one])
    if not ends:
        return None
    frame_ns = dataset.interval_ns * per_frame
    frames = Frames(np.concatenate(ends), np.concatenate(values), frame_ns, 1)
    squeezes = catalogue(frames)
    kept = (frames.end_ns > start_ns) & (frames.end_ns <= end_ns)
    if not kept.any():
        return None
    inside = Frames(frames.end_ns[kept], frames.values[kept], frame_ns, 1)
    mine = [q for q in squeezes if start_ns < q.onset_ns <= end_ns]
    sample = Sample(
        np.concatenate(features)[kept],
        targets(inside, mine, edge_ns=end_ns),
        np.array([q.severity_bps for q in mine]),
    )
    return Prepared(dataset, inside, sample, mine)


def train_logistic(
    lake: Lake,
    datasets: list[Dataset],
    name: str,
    folder: Path,
    *,
    until_ns: int,
    validate_from_ns: int,
    validate_until_ns: int,
    created: str,
    penalty: float = 0.001,
    seed: int = 0,
    say: Progress = lambda _: None,
) -> Card:
    """Fit on everything up to `until_ns`, score honestly, save the artefact.

    The scores are of a model fitted on what lies before the validation span.

    Raises
    ------
    UsageError
        When the data sets have different bars, or one of the spans is empty.
    """
    lengths = {d.interval_ns * per_frame_of(d.interval_ns) for d in datasets}
    if len(lengths) != 1:
        raise UsageError(
            "the data sets have frames of different length",
            "train on data sets with the same bar length",
        )
    frame_ns = lengths.pop()
    before_ns = validate_from_ns - PURGE_NS
    early = _prepare_all(lake, datasets, 0, before_ns, say, "training before the validation span")
    later = _prepare_all(lake, datasets, validate_from_ns, validate_until_ns, say, "validation")
    scores: dict[str, Score] = {}
    baselines: dict[str, Score] = {}
    say("fitting for validation")
    schema = FeatureSchema(frame_ns).hash
    weights, _ = fit([p.sample for p in early], penalty=penalty, say=say)
    model = LogisticForecaster(weights, name, schema)
    say("scoring")
    # Data sets overlap in time, so each is scored by itself and the longest one goes on the card.
    longest = max(later, key=lambda p: len(p.frames))
    rows = from_scratch(model, longest.frames.end_ns, longest.sample.features)
    scores, baselines = onset_scores(
        longest.frames.end_ns, rows, longest.sample.features, longest.sample.targets, seed
    )
    final = _prepare_all(lake, datasets, 0, until_ns, say, "training")
    say("fitting on everything")
    weights, _ = fit([p.sample for p in final], penalty=penalty, say=say)
    card = Card(
        name=name,
        kind="logistic",
        format=artefact.FORMAT,
        litehedge=litehedge.__version__,
        created=created,
        frame_s=frame_ns // NS_PER_SECOND,
        feature_schema=schema,
        label_spec=spec_hash(),
        weights_sha256="",
        trained_on=[p.span() for p in final],
        events_long=distinct(final, "long"),
        events_short=distinct(final, "short"),
        parameters={"penalty": penalty, "seed": float(seed)},
        validated_on=[longest.span()],
        validation_note=f"scores of a model fitted on data up to {iso_utc(before_ns)} only",
        scores=scores,
        baseline_scores=baselines,
    )
    return artefact.save(folder, card, weights)


def distinct(prepared: list[Prepared], side: Side) -> int:
    """Count squeezes; the same one in spot and perpetual (onsets within an hour) counts once."""
    seen = np.empty(0)
    for one in prepared:
        onsets = np.array([q.onset_ns for q in one.squeezes if q.side == side], dtype=np.float64)
        apart = np.abs(onsets[:, np.newaxis] - seen).min(axis=1, initial=np.inf)
        seen = np.concatenate((seen, onsets[apart > NS_PER_HOUR]))
    return int(seen.size)


def _prepare_all(
    lake: Lake, datasets: list[Dataset], start_ns: int, end_ns: int, say: Progress, what: str
) -> list[Prepared]:
    found = [p for d in datasets if (p := prepare(lake, d, start_ns, end_ns, say)) is not None]
    if not found:
        raise UsageError(
            f"no data for {what} between {iso_utc(start_ns)} and {iso_utc(end_ns)}",
            "; ".join(f"{d.name} covers {d.span}, perhaps with gaps" for d in datasets)
            + "; choose --validate-from, --validate-until and --until inside",
        )
    return found

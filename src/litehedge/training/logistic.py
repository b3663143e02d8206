"""Training the logistic forecaster from the lake: fit, honest validation, card.

The split is by time alone. Scores on the card come from a model that was fitted before the
validation span began; the model that is saved is then fitted on everything up to `until`.
"""

from __future__ import annotations

from pathlib import Path

import litehedge
from litehedge.errors import UsageError
from litehedge.features.vector import FeatureSchema
from litehedge.model import artefact
from litehedge.model.artefact import Card, Score
from litehedge.model.baselines.logistic import LogisticForecaster
from litehedge.model.baselines.logistic_fit import fit
from litehedge.model.evaluate import onset_scores
from litehedge.squeeze.forecast import from_scratch
from litehedge.squeeze.labels import spec_hash
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import per_frame_of
from litehedge.training.samples import PURGE_NS, Progress, distinct, prepare_all
from litehedge.units import NS_PER_SECOND, iso_utc


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
    expires_days: int | None = None,
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
    early = prepare_all(lake, datasets, 0, before_ns, say, "training before the validation span")
    later = prepare_all(lake, datasets, validate_from_ns, validate_until_ns, say, "validation")
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
    final = prepare_all(lake, datasets, 0, until_ns, say, "training")
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
        events_long=distinct([p.squeezes for p in final], "long"),
        events_short=distinct([p.squeezes for p in final], "short"),
        parameters={"penalty": penalty, "seed": float(seed)},
        validated_on=[longest.span()],
        validation_note=f"scores of a model fitted on data up to {iso_utc(before_ns)} only",
        scores=scores,
        baseline_scores=baselines,
        expires_days=expires_days,
    )
    return artefact.save(folder, card, weights)

"""A model artefact: a folder with weights and a card, refused on any mismatch.

``card.json`` says what the model is and how good it was; ``weights-<hash>.json`` holds its
numbers. The card carries the hash of the weights, the feature schema and the label spec, so that
a folder that was changed, or belongs to another version, cannot be loaded by mistake. The card is
replaced last and in one step: whoever reads sees the old model or the new one, never half of one.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Final

import msgspec

from litehedge.errors import ArtefactError
from litehedge.features.vector import FeatureSchema
from litehedge.model.baselines.logistic import LogisticForecaster, LogisticWeights
from litehedge.squeeze.forecast import Forecaster
from litehedge.squeeze.labels import spec_hash
from litehedge.units import NS_PER_SECOND

FORMAT: Final = 1
CARD: Final = "card.json"


class Span(msgspec.Struct, frozen=True):
    """Data that a model saw: data set, UTC dates, and how much was in it."""

    data: str
    start: str
    end: str
    frames: int


class Score(msgspec.Struct, frozen=True):
    """One measured figure with its 90 % interval, bootstrapped over events."""

    value: float
    low: float
    high: float


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model is, what it saw, and how good it was on data it had not seen."""

    name: str
    kind: str
    format: int
    litehedge: str
    created: str
    frame_s: int
    feature_schema: str
    label_spec: str
    weights_sha256: str
    trained_on: list[Span]
    events_long: int
    events_short: int
    parameters: dict[str, float]
    validated_on: list[Span]
    validation_note: str
    scores: dict[str, Score]
    baseline_scores: dict[str, Score]


class Artefact(msgspec.Struct, frozen=True):
    """A loaded model: its card, and the forecaster."""

    card: Card
    forecaster: Any  # a Forecaster; msgspec cannot name protocols

    @property
    def id(self) -> str:
        """Name and a piece of the weights' hash."""
        return f"{self.card.name}@{self.card.weights_sha256[:8]}"


def sha256_of(payload: bytes) -> str:
    """Return the hash of some bytes in hexadecimal."""
    return hashlib.sha256(payload).hexdigest()


def save(folder: Path, card: Card, weights: LogisticWeights) -> Card:
    """Write an artefact, all of it or nothing; an older one of the same name is replaced.

    Returns the card with the hash of the weights filled in.
    """
    payload = msgspec.json.encode(weights.to_json())
    card = msgspec.structs.replace(card, weights_sha256=sha256_of(payload))
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / weights_file(card), payload)
    _write(folder / CARD, msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
    for stale in folder.glob("weights-*.json"):
        if stale.name != weights_file(card):
            stale.unlink()
    return card


def weights_file(card: Card) -> str:
    """Return the name of the file that holds a card's weights."""
    return f"weights-{card.weights_sha256[:16]}.json"


def _write(path: Path, payload: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_card(folder: Path) -> Card:
    """Read the card of an artefact.

    Raises
    ------
    ArtefactError
        When there is none or it cannot be read.
    """
    path = folder / CARD
    if not path.is_file():
        raise ArtefactError(
            f"{folder} is not a model: it has no {CARD}",
            "give the folder of an artefact, or train one with: litehedge train --model logistic",
        )
    try:
        return msgspec.json.decode(path.read_bytes(), type=Card)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ArtefactError(f"{path} cannot be read ({error})", "train the model again") from None


def load(folder: Path, frame_ns: int) -> Artefact:
    """Load an artefact for frames of `frame_ns`.

    Raises
    ------
    ArtefactError
        When it is incomplete, changed, or made for other features, labels or frames.
    """
    card = load_card(folder)
    where = f"model {card.name} ({folder})"
    if card.format != FORMAT or card.kind != "logistic":
        raise ArtefactError(
            f"{where} has format {card.format} and kind {card.kind!r}",
            "this version reads logistic models of format 1; train the model again",
        )
    if card.frame_s * NS_PER_SECOND != frame_ns:
        raise ArtefactError(
            f"{where} was trained on frames of {card.frame_s} s, "
            f"but the data have frames of {frame_ns // NS_PER_SECOND} s",
            "choose another model with --model, or train one on this data set",
        )
    for what, mine, theirs in (
        ("feature schema", FeatureSchema(frame_ns).hash, card.feature_schema),
        ("label spec", spec_hash(), card.label_spec),
    ):
        if mine != theirs:
            raise ArtefactError(
                f"{where} was trained with {what} {theirs}, this version has {mine}",
                "train the model again with: litehedge train --model logistic",
            )
    try:
        payload = (folder / weights_file(card)).read_bytes()
    except OSError as error:
        raise ArtefactError(
            f"{where}: its weights cannot be read ({error.strerror})", "train the model again"
        ) from None
    if sha256_of(payload) != card.weights_sha256:
        raise ArtefactError(
            f"{where}: its weights are not those the card was written for", "train the model again"
        )
    weights = LogisticWeights.from_json(msgspec.json.decode(payload))
    name = f"{card.name}@{card.weights_sha256[:8]}"
    forecaster: Forecaster = LogisticForecaster(weights, name, card.feature_schema)
    return Artefact(card, forecaster)

"""A model artefact: a folder with weights and a card, refused on any mismatch.

``card.json`` says what the model is and how good it was. The numbers of a logistic model are in
``weights-<hash>.json``; a network has ``model-<hash>.onnx``, ``standards-<hash>.json``,
``calibration-<hash>.json`` and perhaps ``index-<hash>.npz``. The card carries the hashes of these
files, of the feature schema and of the label spec, so that a folder that was changed, or belongs
to another version, cannot be loaded by mistake. The card is replaced last and in one step:
whoever reads sees the old model or the new one, never half of one.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.errors import ArtefactError
from litehedge.features.vector import FeatureSchema
from litehedge.model.baselines.logistic import LogisticForecaster, LogisticWeights
from litehedge.model.calibration import Calibration, calibration_of
from litehedge.model.distance import PREFIX as SAMPLE
from litehedge.model.distance import Neighbours
from litehedge.model.layout import HIDDEN
from litehedge.model.serve import NetworkForecaster
from litehedge.model.session import open_session
from litehedge.model.standards import Standards
from litehedge.squeeze.forecast import Forecaster
from litehedge.squeeze.labels import spec_hash
from litehedge.units import NS_PER_DAY, NS_PER_SECOND, instant_ns

FORMAT: Final = 1
NETWORK_FORMAT: Final = 2
FORMATS: Final = {"logistic": FORMAT, "network": NETWORK_FORMAT}
CARD: Final = "card.json"

WORLD: Final = "world "
"""What the names of simulated worlds begin with."""

WEIGHTS: Final = "weights.json"
MODEL: Final = "model.onnx"
STANDARDS: Final = "standards.json"
CALIBRATION: Final = "calibration.json"
INDEX: Final = "index.npz"
_PARTS: Final = (WEIGHTS, MODEL, STANDARDS, CALIBRATION, INDEX)


class Span(msgspec.Struct, frozen=True):
    """Data that a model saw: data set, UTC dates, and how much was in it."""

    data: str
    start: str
    end: str
    frames: int

    @property
    def is_simulated(self) -> bool:
        """Whether this was a simulated world: its dates say nothing about history."""
        return self.data.startswith(WORLD)


class Score(msgspec.Struct, frozen=True):
    """One measured figure with its 90 % interval, bootstrapped over events."""

    value: float
    low: float
    high: float


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model is, what it saw, and how good it was on data it had not seen.

    For a network `weights_sha256` covers all its files, and `files` has the hash of each by name
    (``model.onnx`` and so on). `expires_days` counts from the end of what it was trained on; None:
    never. `seeds` has one seed per member. `feeds` are the families of features it was trained
    with.
    """

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
    files: dict[str, str] = {}
    expires_days: int | None = None
    members: int = 1
    seeds: list[int] = []
    frames_labelled: int = 0
    feeds: list[str] = []

    @property
    def expires_ns(self) -> int | None:
        """When the model is too old: that long after the last history it was trained on."""
        lived = [s for s in self.trained_on if not s.is_simulated]
        if self.expires_days is None or not lived:
            return None
        return max(instant_ns(s.end) for s in lived) + self.expires_days * NS_PER_DAY


class Artefact(msgspec.Struct, frozen=True):
    """A loaded model: its card, the forecaster, and the arrays of its index, if it has one."""

    card: Card
    forecaster: Any  # a Forecaster; msgspec cannot name protocols
    index: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """Name and a piece of the weights' hash."""
        return id_of(self.card)


def sha256_of(payload: bytes) -> str:
    """Return the hash of some bytes in hexadecimal."""
    return hashlib.sha256(payload).hexdigest()


def save(folder: Path, card: Card, weights: LogisticWeights) -> Card:
    """Write a logistic artefact, all of it or nothing; an older one is replaced.

    Returns the card with the hash of the weights filled in.
    """
    payload = msgspec.json.encode(weights.to_json())
    card = msgspec.structs.replace(card, weights_sha256=sha256_of(payload))
    _save(folder, card, {WEIGHTS: payload})
    return card


def save_network(
    folder: Path,
    card: Card,
    model: bytes,
    standards: Standards,
    calibration: Calibration | None = None,
    index: Mapping[str, NDArray[Any]] | None = None,
) -> Card:
    """Write a network's artefact, all of it or nothing; an older one is replaced.

    `model` is an ONNX graph as `litehedge.model.graph` writes it; `index` holds what finds
    earlier squeezes that looked alike. Returns the card with kind, format, members and hashes
    filled in.

    Raises
    ------
    ArtefactError
        When the model could not be loaded again.
    """
    _, members, _ = open_session(model, len(standards))
    parts = {
        MODEL: model,
        STANDARDS: msgspec.json.encode(standards.to_json()),
        CALIBRATION: (Calibration() if calibration is None else calibration).to_bytes(),
    }
    if index is not None:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **index)
        parts[INDEX] = buffer.getvalue()
    files = {name: sha256_of(payload) for name, payload in parts.items()}
    card = msgspec.structs.replace(
        card,
        kind="network",
        format=NETWORK_FORMAT,
        members=members,
        files=files,
        weights_sha256=_sha256_of_files(files),
    )
    _save(folder, card, parts)
    return card


def _sha256_of_files(files: Mapping[str, str]) -> str:
    return sha256_of("\n".join(f"{name} {sha}" for name, sha in sorted(files.items())).encode())


def _save(folder: Path, card: Card, parts: Mapping[str, bytes]) -> None:
    """Write parts, then the card; then remove what an older card had."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {part_file(name, sha256_of(payload)): payload for name, payload in parts.items()}
    for name, payload in kept.items():
        write_part(folder / name, payload)
    write_part(folder / CARD, msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
    for stale in _part_files(folder):
        if stale.name not in kept:
            stale.unlink()


def part_file(part: str, sha256: str) -> str:
    """Return the name of the file that holds a part of a model."""
    stem, ending = part.split(".")
    return f"{stem}-{sha256[:16]}.{ending}"


def weights_file(card: Card) -> str:
    """Return the name of the file that holds the weights of a logistic card."""
    return part_file(WEIGHTS, card.weights_sha256)


def _part_files(folder: Path) -> Iterable[Path]:
    for part in _PARTS:
        stem, ending = part.split(".")
        yield from folder.glob(f"{stem}-*.{ending}")


def write_part(path: Path, payload: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def copy(folder: Path, target: Path, name: str) -> Card:
    """Copy an artefact under a name, all of it or nothing; what else lies in `folder` stays there.

    Raises
    ------
    ArtefactError
        When a part is missing or changed.
    """
    card = load_card(folder)
    parts = _parts(folder, card)
    card = msgspec.structs.replace(card, name=name)
    _save(target, card, parts)
    return card


def parts_of(folder: Path) -> dict[str, bytes]:
    """Return the parts of an artefact by the names of their files, without the card.

    Raises
    ------
    ArtefactError
        When a part is missing or changed.
    """
    parts = _parts(folder, load_card(folder))
    return {part_file(part, sha256_of(payload)): payload for part, payload in parts.items()}


def _parts(folder: Path, card: Card) -> dict[str, bytes]:
    where = f"model {card.name} ({folder})"
    files = card.files if card.kind == "network" else {WEIGHTS: card.weights_sha256}
    unknown = set(files) - set(_PARTS)
    if unknown:
        raise ArtefactError(
            f"{where}: its card lists the files {', '.join(sorted(files))}",
            f"an artefact has some of {', '.join(_PARTS)}",
        )
    return {part: _read(folder, part, sha, where) for part, sha in files.items()}


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
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
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
    if FORMATS.get(card.kind) != card.format:
        known = " and ".join(f"{kind} models of format {n}" for kind, n in FORMATS.items())
        raise ArtefactError(
            f"{where} has format {card.format} and kind {card.kind!r}",
            f"this version reads {known}; train the model again",
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
                f"train the model again with: litehedge train --model {card.kind}",
            )
    if card.kind == "network":
        return _load_network(folder, card, where)
    payload = _read(folder, WEIGHTS, card.weights_sha256, where)
    weights = LogisticWeights.from_json(msgspec.json.decode(payload))
    forecaster: Forecaster = LogisticForecaster(
        weights, id_of(card), card.feature_schema, card.expires_ns
    )
    return Artefact(card, forecaster)


def id_of(card: Card) -> str:
    """Return name and a piece of the weights' hash, as journals record a model."""
    return f"{card.name}@{card.weights_sha256[:8]}"


def _read(folder: Path, part: str, sha256: str, where: str) -> bytes:
    name = part_file(part, sha256)
    try:
        payload = (folder / name).read_bytes()
    except OSError as error:
        raise ArtefactError(
            f"{where}: {name} cannot be read ({error.strerror})", "train the model again"
        ) from None
    if sha256_of(payload) != sha256:
        raise ArtefactError(
            f"{where}: {name} is not the one the card was written for", "train the model again"
        )
    return payload


def _load_network(folder: Path, card: Card, where: str) -> Artefact:
    needed = {MODEL, STANDARDS, CALIBRATION}
    names = set(card.files)
    if needed - names or names - needed - {INDEX}:
        raise ArtefactError(
            f"{where}: its card lists the files {', '.join(sorted(names)) or 'none'}",
            f"a network has {', '.join(sorted(needed))} and perhaps {INDEX}; train it again",
        )
    if _sha256_of_files(card.files) != card.weights_sha256:
        raise ArtefactError(
            f"{where}: the hashes on its card contradict each other", "train the model again"
        )
    parts = {name: _read(folder, name, sha, where) for name, sha in card.files.items()}
    try:
        index = _index_of(parts[INDEX]) if INDEX in parts else None
        forecaster = NetworkForecaster(
            parts[MODEL],
            Standards.from_json(msgspec.json.decode(parts[STANDARDS])),
            calibration_of(parts[CALIBRATION]),
            frame_ns=card.frame_s * NS_PER_SECOND,
            id=id_of(card),
            schema_hash=card.feature_schema,
            expires_ns=card.expires_ns,
            neighbours=_neighbours_of(index),
        )
    except ArtefactError as error:
        raise ArtefactError(f"{where}: {error.what}", error.remedy) from None
    except msgspec.DecodeError as error:
        raise ArtefactError(
            f"{where}: its standards cannot be read ({error})", "train the model again"
        ) from None
    if forecaster.members != card.members:
        raise ArtefactError(
            f"{where} has {forecaster.members} members, its card says {card.members}",
            "train the model again",
        )
    return Artefact(card, forecaster, index)


def _neighbours_of(index: Mapping[str, NDArray[Any]] | None) -> Neighbours | None:
    """Return the sample of training frames, None where an index has none of it."""
    if index is None or not any(name.startswith(SAMPLE) for name in index):
        return None
    found = Neighbours.from_arrays(index)
    if found.mean.size != HIDDEN:
        raise ArtefactError(
            f"the sample of training frames has {found.mean.size} columns, expected {HIDDEN}",
            "train the model again",
        )
    return found


def _index_of(payload: bytes) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # zip, format and pickle errors have no common base
        raise ArtefactError(
            f"its index cannot be read ({error})", "train the model again"
        ) from None

"""What people do with the registry: register, promote, roll back; what stands in it, in words."""

from __future__ import annotations

import getpass
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from litehedge.errors import ArtefactError, DataError, UsageError
from litehedge.model import artefact
from litehedge.model.artefact import Card
from litehedge.model.probe import probe
from litehedge.shelf.champion import opened, own_registry
from litehedge.shelf.home import home
from litehedge.shelf.models import auto_folders, find_model
from litehedge.store.artefacts import hash_of
from litehedge.store.manifest import read_manifest
from litehedge.store.registry import Registry
from litehedge.store.versions import Change, Held, Lineage, Version
from litehedge.units import NS_PER_SECOND, describe_ns, iso_utc

SERVED: Final = "served before the registry had a champion"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a registry knows of one model: its role, since when, why, and what may follow."""

    name: str
    role: str
    since_ns: int
    words: str
    can_promote: bool = False
    can_bring_back: bool = False
    frame_s: int = 0


def who() -> str:
    """Return the name of the person at this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"


def lineage_of(card: Card, parent: str = "") -> Lineage:
    """Return what a model came from, as far as that can be known here."""
    data = {span.data: _data_hash(span.data) for span in card.trained_on if not span.is_simulated}
    return Lineage(data, card.litehedge, card.label_spec, card.feature_schema, parent)


def _data_hash(name: str) -> str:
    """Return the hash of the files that a data set was made of, "" where it is not in the lake."""
    try:
        found = read_manifest(home() / "lake" / name)
    except DataError:
        return ""
    return hash_of({source.file: source.sha256.encode() for source in found.sources})


def fits(folder: Path) -> Card:
    """Load a model and feed it made-up frames; return its card.

    Raises
    ------
    ArtefactError
        When it is damaged, made for other features, labels or versions, or breaks its word.
    """
    frame_ns = artefact.load_card(folder).frame_s * NS_PER_SECOND
    loaded = artefact.load(folder, frame_ns)
    probe(loaded.forecaster, frame_ns)
    return loaded.card


def enlist(
    registry: Registry, folder: Path, name: str, *, why: str, parent: str = "",
    challenges: bool = True, expires_days: int | None = None, by: str = "",
) -> Version:  # fmt: skip
    """Check a model and register it as the next version of `name`.

    Raises
    ------
    ArtefactError
        When it does not fit. Nothing was registered.
    RegistryError
        When it cannot be kept. Nothing was registered.
    """
    card = fits(folder)
    return registry.register(
        folder, name, lineage_of(card, parent), now_ns=time.time_ns(), who=by or who(), why=why,
        challenges=challenges, expires_days=expires_days,
    )  # fmt: skip


def version_of(registry: Registry, name: str) -> Version:
    """Return the version of that name; a model of yours or one that ships is registered first.

    Raises
    ------
    ArtefactError
        When it does not fit.
    UsageError
        When there is none.
    """
    try:
        return registry.find(name)
    except UsageError:
        folder = find_model(name)
    known = artefact.load_card(folder).name
    return enlist(registry, folder, known, why=f"found in {folder}", challenges=False)


def promote(name: str, why: str, *, by: str = "") -> Change:
    """Let a model serve the sessions that choose by themselves.

    Raises
    ------
    ArtefactError
        When it cannot be loaded here, or is too old to say anything.
    RegistryError
        When the registry cannot be changed.
    UsageError
        When there is no such model, or it serves already.
    """
    registry = opened()
    try:
        version = version_of(registry, name)
        card = fits(registry.folder(version))
        now_ns = time.time_ns()
        if card.expires_ns is not None and card.expires_ns < now_ns:
            raise ArtefactError(
                f"{version.label} expired on {iso_utc(card.expires_ns)[:10]}: it would say nothing",
                "train it on newer data: litehedge train",
            )
        incumbent = None
        if registry.holder("champion", version.frame_s) is None:
            incumbent = _incumbent(registry, version)
        return registry.promote(
            version, now_ns=now_ns, who=by or who(), why=why, incumbent=incumbent
        )
    finally:
        registry.close()


def _incumbent(registry: Registry, version: Version) -> Version | None:
    """Register what sessions used while there was no champion, so that it can come back."""
    for folder in auto_folders(version.frame_s * NS_PER_SECOND):
        if folder.name != version.name:
            return enlist(registry, folder, folder.name, why=SERVED, challenges=False)
    return None


def roll_back(frame_s: int, why: str, *, by: str = "") -> Change:
    """Let the previous champion serve again.

    Raises
    ------
    ArtefactError
        When it is not here any more.
    RegistryError
        When the registry cannot be changed.
    UsageError
        When there is none.
    """
    registry = opened()
    try:
        return registry.roll_back(frame_s, now_ns=time.time_ns(), who=by or who(), why=why)
    finally:
        registry.close()


def in_words(change: Change) -> str:
    """Say what a change of the champion does."""
    frames = describe_ns(change.frame_s * NS_PER_SECOND)
    before = "" if change.before is None else f", in place of {change.before.label}"
    again = " again" if change.act == "rollback" else ""
    return (
        f"{change.version.label} is the champion for frames of {frames}{again}{before}. Sessions "
        "that choose by themselves (model auto) take it between two frames, not in a squeeze."
    )


class RegistryLineage:
    """The registry as the page of models shows it."""

    def standings(self) -> list[Standing]:
        """Return champions, challengers and previous champions, then the other versions.

        Raises
        ------
        RegistryError
            When the registry cannot be read.
        """
        registry = own_registry()
        if registry is None:
            return []
        try:
            held, versions = registry.held(), registry.versions()
        finally:
            registry.close()
        named = {h.version.key for h in held}
        others = [
            Standing(v.label, f"registered, {_frames(v)}", v.time_ns, v.why, can_promote=True,
                     frame_s=v.frame_s)
            for v in versions
            if v.key not in named
        ]  # fmt: skip
        return [_standing(h) for h in held] + others

    def promote(self, name: str) -> str:
        """Let a model serve, and say what happened."""
        done = promote(name, "promoted on the screen", by=f"{who()} on the screen")
        return in_words(done)

    def roll_back(self, frame_s: int) -> str:
        """Let the champion before this one serve again, and say what happened."""
        by = f"{who()} on the screen"
        return in_words(roll_back(frame_s, "rolled back on the screen", by=by))


def _standing(held: Held) -> Standing:
    version = held.version
    return Standing(
        version.label, f"{held.role}, {_frames(version)}", held.time_ns,
        f"{held.why} ({held.who})", can_promote=held.role == "challenger",
        can_bring_back=held.role == "previous", frame_s=version.frame_s,
    )  # fmt: skip


def _frames(version: Version) -> str:
    return f"frames of {describe_ns(version.frame_s * NS_PER_SECOND)}"


def told(held: Held) -> dict[str, Any]:
    """Return a role for JSON."""
    return {
        "role": held.role, "model": held.version.label, "frame_s": held.version.frame_s,
        "since": iso_utc(held.time_ns, seconds=True), "who": held.who, "why": held.why,
    }  # fmt: skip

"""What the registry tells of models: versions, what they came from, roles, and what was done."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from litehedge.model import artefact
from litehedge.model.artefact import Card

Role = Literal["champion", "challenger", "previous"]
Act = Literal["register", "promote", "rollback", "judge"]
ROLES: Final[tuple[Role, ...]] = ("champion", "challenger", "previous")


class Lineage(msgspec.Struct, frozen=True):
    """What a model came from. A hash that is not known is empty, never a guess.

    `data` holds the hash of each data set by name, as it lay in the lake when the model was
    registered; `parent` is the id of the model that it was trained on from.
    """

    data: dict[str, str]
    code: str
    label_spec: str
    feature_schema: str
    parent: str = ""


class Version(msgspec.Struct, frozen=True):
    """One registered model. `sha256` is of everything in its folder."""

    key: int
    name: str
    number: int
    frame_s: int
    sha256: str
    card: Card
    lineage: Lineage
    time_ns: int
    who: str
    why: str

    @property
    def label(self) -> str:
        """How people name it: ``deep@2``."""
        return f"{self.name}@{self.number}"

    @property
    def id(self) -> str:
        """How journals name it: name and a piece of the weights' hash."""
        return artefact.id_of(self.card)


class Held(msgspec.Struct, frozen=True):
    """A role, the version that holds it, since when, by whom and why."""

    role: Role
    version: Version
    time_ns: int
    who: str
    why: str


class Change(msgspec.Struct, frozen=True):
    """One line of history: what was done with which version, and the champion before it."""

    time_ns: int
    frame_s: int
    act: Act
    version: Version
    before: Version | None
    who: str
    why: str

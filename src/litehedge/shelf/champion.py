"""The registry of a home folder, and which of its models serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from litehedge.shelf.home import home
from litehedge.store.registry import Registry, registry_at, registry_folder
from litehedge.store.versions import Held, Role, Version

VARIABLE: Final = "LITEHEDGE_REGISTRY"
"""The environment may hold the registry's SQLAlchemy URL; it may hold a password, so no setting."""


class Champion(NamedTuple):
    """The version that serves frames of one length, and the folder that it lies in."""

    version: Version
    folder: Path


def own_registry(*, create: bool = False) -> Registry | None:
    """Return the registry, None where there is none yet.

    Raises
    ------
    RegistryError
        When there is one, and it cannot be opened.
    """
    return registry_at(home(), os.environ.get(VARIABLE, ""), create=create)


def opened() -> Registry:
    """Return the registry, made where there is none yet.

    Raises
    ------
    RegistryError
        When it cannot be opened.
    """
    found = own_registry(create=True)
    assert found is not None
    return found


def champion_of(frame_s: int) -> Champion | None:
    """Return the champion for frames of that length, None where there is none.

    Raises
    ------
    RegistryError
        When the registry cannot be read.
    ArtefactError
        When the champion's artefact is not here, or not what was registered.
    """
    held = holder_of("champion", frame_s)
    return None if held is None else Champion(held.version, folder_of(held.version))


def holder_of(role: Role, frame_s: int) -> Held | None:
    """Return who holds a role for frames of that length, None where nobody does.

    Raises
    ------
    RegistryError
        When the registry cannot be read.
    """
    registry = own_registry()
    if registry is None:
        return None
    try:
        return next((h for h in registry.held(frame_s) if h.role == role), None)
    finally:
        registry.close()


def folder_of(version: Version) -> Path:
    """Return the folder of a version's artefact, which is there and whole.

    Raises
    ------
    ArtefactError
        When it is not.
    """
    return registry_folder(home()).check(version.sha256, version.name)

"""Artefacts of the registry on disk: each in a folder that is named by what it holds.

A folder is written aside, made durable and given its name in one step, and is never changed after
that. So a process that dies leaves whole artefacts only, and the same artefact lies there once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from litehedge.errors import ArtefactError, DataError, RegistryError
from litehedge.model import artefact, reliability
from litehedge.model.artefact import Card
from litehedge.store import durable

ASIDE: Final = ".new"
REMEDY: Final = "register the model again from the folder that it came from"


class Artefacts:
    """The artefacts below a folder.

    Parameters
    ----------
    root
        Where they lie; it is made with the first one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, sha256: str, name: str) -> Path:
        """Return where an artefact lies, or would."""
        return self.root / sha256[:16] / name

    def keep(self, source: Path, card: Card) -> str:
        """Copy an artefact in under the name on `card`; return the hash of what it holds.

        Raises
        ------
        ArtefactError
            When a part is missing or is not the one that its card was written for.
        RegistryError
            When the disk refuses, or another process writes there now.
        """
        payloads = payloads_of(source, card)
        sha256 = hash_of(payloads)
        try:
            with durable.exclusive(self.root):
                self._sweep()
                target = self.folder(sha256, card.name)
                if not target.is_dir() or payloads_in(target) != payloads:
                    self._write(target, payloads)
        except OSError as error:
            raise RegistryError(
                f"the model cannot be kept in {self.root} ({error.strerror or error})",
                "nothing was registered; check the disk",
            ) from None
        except DataError as error:
            raise RegistryError(error.what, error.remedy) from None
        return sha256

    def check(self, sha256: str, name: str) -> Path:
        """Return the folder of an artefact that is there and whole.

        Raises
        ------
        ArtefactError
            When it is not here, or holds something else than was registered.
        """
        folder = self.folder(sha256, name)
        try:
            found = payloads_in(folder)
        except OSError as error:
            raise ArtefactError(
                f"the artefact of model {name} is not in {folder} ({error.strerror or error})",
                REMEDY,
            ) from None
        if hash_of(found) != sha256:
            raise ArtefactError(f"model {name} ({folder}) is not what was registered", REMEDY)
        return folder

    def _write(self, target: Path, payloads: dict[str, bytes]) -> None:
        aside = self.root / f"{ASIDE}-{os.getpid()}"
        durable.remove_tree(aside)
        inner = aside / target.name
        inner.mkdir(parents=True)
        for name, payload in payloads.items():
            durable.write_synced(inner / name, payload)
        durable.sync_tree(aside)
        if target.parent.exists():  # what is there is damaged
            durable.remove_tree(target.parent)
        durable.move(aside, target.parent)

    def _sweep(self) -> None:
        """Remove what processes left that died while they wrote; nobody else writes now."""
        for left in self.root.glob(f"{ASIDE}-*"):
            durable.remove_tree(left)


def payloads_of(source: Path, card: Card) -> dict[str, bytes]:
    """Return the files of an artefact by name, with `card` as its card.

    Raises
    ------
    ArtefactError
        When a part is missing or is not the one that its card was written for.
    """
    found = artefact.parts_of(source)
    found[artefact.CARD] = msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n"
    counted = reliability.load(source, artefact.id_of(artefact.load_card(source)))
    if counted is not None:
        mine = msgspec.structs.replace(counted, model=artefact.id_of(card))
        found[reliability.FILE] = msgspec.json.encode(mine)
    return found


def payloads_in(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder by name."""
    return {f.name: f.read_bytes() for f in sorted(folder.iterdir()) if f.is_file()}


def hash_of(payloads: dict[str, bytes]) -> str:
    """Return the hash of files and their names."""
    lines = (f"{name} {artefact.sha256_of(payload)}" for name, payload in sorted(payloads.items()))
    return artefact.sha256_of("\n".join(lines).encode())

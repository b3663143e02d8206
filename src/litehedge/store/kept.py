"""Results of long work, kept for a second try after a kill: by what they depend on."""

from __future__ import annotations

import hashlib
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

from litehedge.store.durable import write_whole


class _Digest:
    """A file that keeps the hash of what is written to it, and nothing else."""

    def __init__(self) -> None:
        self.of = hashlib.sha256()

    def write(self, payload: Any) -> int:
        self.of.update(payload)
        return memoryview(payload).nbytes


def name_of(value: Any) -> str:
    """Return the name of the file for a result of these inputs."""
    digest = _Digest()
    pickle.Pickler(digest, protocol=5).dump(value)
    return f"{digest.of.hexdigest()}.pickle"


def read(path: Path) -> tuple[Any] | None:
    """Return a kept result, in a tuple; None when none is there whole."""
    try:
        return (pickle.loads(path.read_bytes()),)
    except Exception:  # not there, cut or damaged: what pickle raises has no common base
        return None


def write(path: Path, result: Any) -> None:
    """Keep a result, whole or not at all; a full disk costs the second try, not this one."""
    with suppress(OSError):
        write_whole(path, pickle.dumps(result, protocol=5), 0o600)

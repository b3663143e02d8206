"""One engine on one account: who guards it holds its lease.

Two sessions on one account would hedge it twice. The lease is a lock of the system on a file that
is named after the venue and a hash of the key: it ends with the process, whatever ends that.
It cannot see another machine, another home, or a second key of the same account. There the venue's
books tell: they differ from ours after the other one's first trade, and trading only reduces.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from litehedge.errors import UsageError
from litehedge.live.session import locked
from litehedge.venues.keys import Keys


def lease_of(root: Path, keys: Keys) -> Path:
    """Return the file that stands for an account; it never tells the key."""
    digest = hashlib.sha256(f"{keys.venue}\n{keys.key}".encode()).hexdigest()
    return root / "accounts" / f"{keys.venue}-{digest[:16]}.lock"


@contextmanager
def leased(root: Path, accounts: Iterable[Keys], session: str) -> Iterator[None]:
    """Hold the leases of accounts for this process.

    Raises
    ------
    UsageError
        When another process holds one, or the disk refuses.
    """
    with ExitStack() as leases:
        for keys in accounts:
            path = lease_of(root, keys)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                lease = leases.enter_context(path.open("a+"))
            except OSError as error:
                raise UsageError(
                    f"the lease {path} cannot be used ({error.strerror})",
                    "set LITEHEDGE_HOME to a folder that can be written",
                ) from None
            if not locked(lease):
                lease.seek(0)
                raise UsageError(
                    f"this account on {keys.venue} is guarded already ({lease.read().strip()})",
                    "two engines would hedge it twice: stop that one first; nothing was started",
                )
            lease.truncate(0)
            lease.write(f"session {session}, process {os.getpid()}")
            lease.flush()
        yield

"""Says how far a soak is, on the error stream; silent in an ordinary run."""

from __future__ import annotations

import os
import sys
from collections import Counter

EVERY = 1000
_done: Counter[str] = Counter()


def passed(what: str, of: int) -> None:
    """Count one more history."""
    _done[what] += 1
    if os.environ.get("LITEHEDGE_PROGRESS") and _done[what] % EVERY == 0:
        print(f"{what}: {_done[what]:,} of {of:,}", file=sys.stderr, flush=True)

"""A thread of its own that looks at something for as long as a block lasts."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Looking(ABC):
    """Looks from the begin of a ``with`` block to its end.

    Parameters
    ----------
    name
        Of the thread.
    end_s
        How long the end waits for a look that hangs, in seconds; None: until it is through.
    """

    def __init__(self, name: str, end_s: float | None = None) -> None:
        self._ends = threading.Event()
        self._end_s = end_s
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Look no more."""
        self._ends.set()
        self._thread.join(self._end_s)

    @abstractmethod
    def _run(self) -> None:
        """Look until `_ends` is set."""

"""Recorded tables become one stream of events, in the order in which they were known.

At equal times the companion comes first and settlements last, so that the frame which a bar
closes holds exactly what was known at that moment (`frames.KIND_*` are that order).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.market import frames as fr
from litehedge.market.events import MarketEvent
from litehedge.market.frames import FrameFold, Frames

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EventArrays:
    """Market events as arrays, in order.

    Shapes: `kinds`, `event_ns`, `known_ns` ``(event,)``; `values` ``(event, 5)`` as
    `frames.row_of` gives them.
    """

    kinds: NDArray[np.int8]
    event_ns: Ints
    known_ns: Ints
    values: Floats
    interval_ns: int

    def __len__(self) -> int:
        return int(self.kinds.size)

    def events(self) -> Iterator[MarketEvent]:
        """Yield the events as objects."""
        for kind, event_ns, known_ns, values in zip(
            self.kinds.tolist(), self.event_ns.tolist(), self.known_ns.tolist(), self.values,
            strict=True,
        ):  # fmt: skip
            yield fr.event_of(kind, event_ns, known_ns, values, self.interval_ns)

    def frames(self, per_frame: int = 1) -> Frames:
        """Fold the events into frames of `per_frame` bars."""
        fold = FrameFold(self.interval_ns, per_frame)
        return fold.push_arrays(self.kinds, self.known_ns, self.values)


_VALUES: dict[str, tuple[int, tuple[str, ...]]] = {
    "btc": (fr.KIND_BTC_BAR, ("open", "high", "low", "close", "volume")),
    "bars": (fr.KIND_BAR, ("open", "high", "low", "close", "volume")),
    "funding": (fr.KIND_FUNDING, ("rate",)),
    "open_interest": (fr.KIND_OPEN_INTEREST, ("oi",)),
}


def merge(tables: Mapping[str, pl.DataFrame], interval_ns: int) -> EventArrays:
    """Merge tables into one ordered stream.

    Parameters
    ----------
    tables
        ``bars`` and any of ``btc``, ``funding``, ``open_interest``, ``liquidations``, each with
        ``event_ns`` and ``known_ns``.
    interval_ns
        Length of a bar.
    """
    kinds, event_ns, known_ns, values = [], [], [], []
    for role, table in tables.items():
        n = table.height
        rows = np.zeros((n, fr.N_VALUES))
        if role == "liquidations":
            kind = fr.KIND_LIQUIDATION
            notional = table["notional_usdt"].to_numpy()
            is_long = (table["side"] == "long").to_numpy()
            rows[:, 0] = np.where(is_long, notional, 0.0)
            rows[:, 1] = np.where(is_long, 0.0, notional)
        else:
            kind, columns = _VALUES[role]
            for i, column in enumerate(columns):
                rows[:, i] = table[column].to_numpy()
        kinds.append(np.full(n, kind, dtype=np.int8))
        event_ns.append(table["event_ns"].to_numpy())
        known_ns.append(table["known_ns"].to_numpy())
        values.append(rows)
    all_kinds = np.concatenate(kinds)
    all_known = np.concatenate(known_ns)
    order = np.lexsort((all_kinds, all_known))
    return EventArrays(
        kinds=all_kinds[order],
        event_ns=np.concatenate(event_ns)[order],
        known_ns=all_known[order],
        values=np.concatenate(values)[order],
        interval_ns=interval_ns,
    )

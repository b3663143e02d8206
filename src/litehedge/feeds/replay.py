"""Recorded tables become one stream of events, in the order in which they were known.

At equal times the companion comes first and settlements last, so that the frame which a bar
closes holds exactly what was known at that moment (`rows.KIND_*` are that order).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.market import rows as rw
from litehedge.market.events import FUNDING_VENUES, MarketEvent
from litehedge.market.frames import FrameFold, Frames

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EventArrays:
    """Market events as arrays, in order.

    Shapes: `kinds`, `event_ns`, `known_ns` ``(event,)``; `values` ``(event, N_VALUES)``
    as `rows.row_of` gives them.
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
            yield rw.event_of(kind, event_ns, known_ns, values, self.interval_ns)

    def frames(self, per_frame: int = 1) -> Frames:
        """Fold the events into frames of `per_frame` bars."""
        fold = FrameFold(self.interval_ns, per_frame)
        return fold.push_arrays(self.kinds, self.known_ns, self.values)


_BAR: Final = ("open", "high", "low", "close", "volume", "buy_volume")
_DEPTHS: Final = tuple(
    f"{side}_depth{band}_usdt" for band in ("", "_near", "_far") for side in ("bid", "ask")
)
_VALUES: Final[dict[str, tuple[tuple[int, tuple[str, ...]], ...]]] = {
    "btc": ((rw.KIND_BTC_BAR, _BAR),),
    "bars": ((rw.KIND_BAR, _BAR),),
    "book": ((rw.KIND_BOOK, ("bid", "ask", *_DEPTHS)),),
    "funding": ((rw.KIND_FUNDING, ("rate",)),),
    "open_interest": ((rw.KIND_OPEN_INTEREST, ("oi",)),),
    "mark_index": ((rw.KIND_MARK, ("mark",)), (rw.KIND_INDEX, ("index",))),
    "long_short_ratio": ((rw.KIND_LONG_SHORT_RATIO, ("ratio",)),),
    "transfers": ((rw.KIND_TRANSFER, ("notional_usdt", "to_exchange")),),
    "sentiment": ((rw.KIND_SENTIMENT, ("score",)),),
}
"""Role -> the kinds of event that a row becomes, and the columns of their values."""

ROLES: Final = frozenset(_VALUES) | {"liquidations", "predicted_funding", "across"}
"""What `merge` takes."""


def merge(tables: Mapping[str, pl.DataFrame], interval_ns: int) -> EventArrays:
    """Merge tables into one ordered stream.

    Parameters
    ----------
    tables
        By role, ``bars`` and any of `ROLES`, each with ``event_ns`` and ``known_ns``. A column
        that a table lacks was not told: NaN, and forced orders are all there are.
    interval_ns
        Length of a bar.
    """
    parts = [part for role, table in tables.items() for part in _streams(role, table)]
    kinds = np.concatenate([part[0] for part in parts])
    known_ns = np.concatenate([part[2] for part in parts])
    order = np.lexsort((kinds, known_ns))
    return EventArrays(
        kinds=kinds[order],
        event_ns=np.concatenate([part[1] for part in parts])[order],
        known_ns=known_ns[order],
        values=np.concatenate([part[3] for part in parts])[order],
        interval_ns=interval_ns,
    )


_Stream = tuple[NDArray[np.int8], Ints, Ints, Floats]


def _streams(role: str, table: pl.DataFrame) -> Iterator[_Stream]:
    """Yield kinds, both times and values of the events that a table holds."""
    event_ns, known_ns = table["event_ns"].to_numpy(), table["known_ns"].to_numpy()
    n = table.height
    if role == "liquidations":
        values = np.zeros((n, rw.N_VALUES))
        is_long = (table["side"] == "long").to_numpy()
        values[:, 0] = np.where(is_long, table["notional_usdt"].to_numpy(), 0.0)
        values[:, 1] = np.where(is_long, 0.0, table["notional_usdt"].to_numpy())
        kinds = np.full(n, rw.KIND_LIQUIDATION, dtype=np.int8)
        if "feed" in table.columns:
            kinds[(table["feed"] == "largest").to_numpy()] = rw.KIND_LARGEST_LIQUIDATION
        yield kinds, event_ns, known_ns, values
        return
    if role in ("predicted_funding", "across"):
        values = np.zeros((n, rw.N_VALUES))
        for number, venue in enumerate(FUNDING_VENUES):
            values[(table["venue"] == venue).to_numpy(), 0] = number
        values[:, 1] = table["rate"].to_numpy()
        yield np.full(n, rw.KIND_PREDICTED_FUNDING, dtype=np.int8), event_ns, known_ns, values
        return
    for kind, columns in _VALUES[role]:
        values = np.zeros((n, rw.N_VALUES))
        for i, column in enumerate(columns):
            values[:, i] = table[column].to_numpy() if column in table.columns else np.nan
        if role == "mark_index":  # a message may have told one of the two alone
            told = ~np.isnan(values[:, 0])
            kinds = np.full(int(told.sum()), kind, dtype=np.int8)
            yield kinds, event_ns[told], known_ns[told], values[told]
        else:
            yield np.full(n, kind, dtype=np.int8), event_ns, known_ns, values

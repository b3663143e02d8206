"""What a data set is like: how much of its time it covers, and what looks odd in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from litehedge.store.manifest import Dataset

_MOVES: Final = 5


@dataclass(frozen=True, slots=True)
class Gap:
    """A span without rows, from the last row before to the first after."""

    start_ns: int
    end_ns: int

    @property
    def length_ns(self) -> int:
        """How long it lasts."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Move:
    """How far the price went within one bar: close over open, minus 1."""

    open_ns: int
    fraction: float


@dataclass(frozen=True, slots=True)
class BarSurvey:
    """What `survey_bars` found.

    Parameters
    ----------
    coverage
        Share of the span that bars cover.
    gaps
        All of them, the longest first.
    flat_bars
        Bars whose price did not move at all.
    zero_volume_bars
        Bars without a trade; None where the data has no volume, as mark prices have none.
    largest_moves
        The five largest, either way.
    """

    coverage: float
    gaps: tuple[Gap, ...]
    flat_bars: int
    zero_volume_bars: int | None
    largest_moves: tuple[Move, ...]


def gaps_of(dataset: Dataset, close_ns: np.typing.NDArray[np.int64]) -> list[Gap]:
    """Return the gaps between bars, in order of time.

    Shapes: `close_ns` ``(bar,)``.
    """
    before = np.flatnonzero(np.diff(close_ns) > dataset.interval_ns)
    return [Gap(int(close_ns[i]), int(close_ns[i + 1]) - dataset.interval_ns) for i in before]


def survey_bars(dataset: Dataset, table: pl.DataFrame) -> BarSurvey:
    """Look through all bars of a data set."""
    close_ns = table["event_ns"].to_numpy()
    volume = table["volume"].to_numpy()
    fraction = (table["close"] / table["open"] - 1.0).to_numpy()
    largest = np.argsort(-np.abs(fraction), kind="stable")[:_MOVES]
    gaps = gaps_of(dataset, close_ns)
    return BarSurvey(
        coverage=table.height * dataset.interval_ns / (dataset.end_ns - dataset.start_ns),
        gaps=tuple(sorted(gaps, key=lambda gap: (-gap.length_ns, gap.start_ns))),
        flat_bars=int((table["high"] == table["low"]).sum()),
        zero_volume_bars=None if np.isnan(volume).all() else int((volume == 0.0).sum()),
        largest_moves=tuple(
            Move(int(close_ns[i]) - dataset.interval_ns, float(fraction[i])) for i in largest
        ),
    )


def longest_silence(table: pl.DataFrame) -> Gap | None:
    """Return the longest time between two rows; None when there is a single row."""
    event_ns = table["event_ns"].to_numpy()
    if event_ns.size < 2:
        return None
    i = int(np.argmax(np.diff(event_ns)))
    return Gap(int(event_ns[i]), int(event_ns[i + 1]))

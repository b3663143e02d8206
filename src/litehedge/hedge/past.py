"""What became of positions that were opened in a market like this one: counted, not modelled.

The starts of history lie in ten equal groups by the deviation that was forecast (see `leverage`).
For each side, horizon and group the table holds the share of starts whose worst moment went beyond
a move. It is the sentence beside the advice: "at 20x, 7 of 10 such weeks ended in liquidation".
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.errors import DataError

Floats = NDArray[np.float64]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    weeks: int
    horizons_days: list[float]
    moves: list[float]
    edges: list[list[float]]
    shares: list[list[list[list[float]]]]


@dataclass(frozen=True, slots=True)
class PastStarts:
    """Shares of past starts, by how wild the market was.

    Shapes: `horizons_days` ``(horizon,)``; `moves` ``(move,)`` in log price; `edges`
    ``(horizon, group - 1)`` of the deviation; `shares` ``(side, horizon, group, move)``. `weeks`
    is how many weeks the starts come from: the starts overlap, the weeks do not.
    """

    source: str
    weeks: int
    horizons_days: Floats
    moves: Floats
    edges: Floats
    shares: Floats

    def group_of(self, units: Floats, horizon_days: float) -> int:
        """Return the group of a market with these deviations, 0 the calmest of ten."""
        nearest = int(np.argmin(np.abs(np.log(self.horizons_days / horizon_days))))
        return int(np.searchsorted(self.edges[nearest], units[nearest], side="right"))

    def share_beyond(self, side: float, move: float, units: Floats, horizon_days: float) -> float:
        """Return the share of like starts that a move (log price, inf for none) would have ended.

        Between horizons and moves it is interpolated in their logarithms.
        """
        if not np.isfinite(units).all():
            return float("nan")
        if move == np.inf:
            return 0.0
        shares = [
            self._at(0 if side > 0.0 else 1, h, int(np.searchsorted(edges, unit, side="right")),
                     move)
            for h, (edges, unit) in enumerate(zip(self.edges, units, strict=True))
        ]  # fmt: skip
        return float(np.interp(np.log(horizon_days), np.log(self.horizons_days), shares))

    def _at(self, row: int, horizon: int, group: int, move: float) -> float:
        shares = self.shares[row, horizon, group]
        if move <= self.moves[0]:
            return float(1.0 - (1.0 - shares[0]) * max(move, 0.0) / self.moves[0])
        return float(np.interp(np.log(move), np.log(self.moves), shares))


def parse_past(text: bytes, where: str) -> PastStarts:
    """Read the table that ``python -m studies.fit_advice`` writes.

    Raises
    ------
    DataError
        When it is not such a table.
    """
    try:
        file = msgspec.json.decode(text, type=_File)
        horizons, moves = np.array(file.horizons_days), np.array(file.moves)
        edges, shares = np.array(file.edges), np.array(file.shares)
    except (msgspec.DecodeError, ValueError) as error:
        raise DataError(f"{where} is not a table of past starts ({error})") from None
    shape = (2, horizons.size, edges.shape[-1] + 1, moves.size)
    if edges.shape[:1] != horizons.shape or shares.shape != shape:
        raise DataError(f"{where}: {shares.shape} shares do not fit its horizons and moves")
    return PastStarts(file.source, file.weeks, horizons, moves, edges, shares)


def of_ten(share: float) -> str:
    """Say a share as so many of ten, or of a hundred where ten are too few."""
    if 0.05 <= share <= 0.95:
        return f"{share * 10:.0f} of 10"
    return f"{share * 100:.0f} of 100" if share >= 0.005 else "none of 100"


def span_words(horizon_days: float) -> str:
    """Say what a stretch of so many days is called: weeks, or spans of 3 days."""
    if horizon_days == 7.0:
        return "weeks"
    return "days" if horizon_days == 1.0 else f"spans of {horizon_days:g} days"


def told(share: float, leverage: float, horizon_days: float) -> str:
    """Say how such stretches ended at this leverage."""
    return f"at {leverage:g}x, {of_ten(share)} such {span_words(horizon_days)} ended in liquidation"

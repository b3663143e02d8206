"""What becomes of the system when a family of feeds dies: the end state, and within what time.

The table is what the manual shows and what the tests hold: each family is taken away, alone, one
after another and all together, and the system has to be in the stated state in time.
"""

from __future__ import annotations

from typing import Final

import msgspec

from litehedge.config import Parachute as Limits
from litehedge.risk.parachute import WATCHES, Watch

LOOK_S: Final = 1.0
"""Watches are judged with the clock, once a second: so much later they open at worst."""


class Dead(msgspec.Struct, frozen=True):
    """A family of feeds that is silent from a moment on.

    `watches` are those that open, none where the system goes on without it. `kinds` are the names
    of its events.
    """

    kinds: tuple[str, ...]
    watches: tuple[Watch, ...]
    means: str

    def within_s(self, limits: Limits) -> float:
        """Return the time in seconds within which the end state is reached, 0 without a watch."""
        return max((opens_s(watch, limits) + LOOK_S for watch in self.watches), default=0.0)


_PRICES: Final = ("Book", "Trade", "Bar", "Mark", "Index")
_FORECAST = "the forecast goes on without it and says that it is degraded"

FAMILIES: Final[dict[str, Dead]] = {
    "book": Dead(
        ("Book",), (Watch.BOOK_SILENT,), "depth is unknown; trades and mark tell the price"
    ),
    "trades": Dead(("Trade",), (), "the book tells the price"),
    "mark": Dead(("Mark",), (Watch.MARK_SILENT,), "the book's middle stands in for the mark"),
    "bars": Dead(("Bar",), (), "frames are made of the book and trades; Bitcoin is unknown"),
    "index": Dead(("Index",), (), "contradictions are looked for between book and mark alone"),
    "liquidations": Dead(("Liquidation",), (), _FORECAST),
    "funding": Dead(("PredictedFunding", "Funding"), (), _FORECAST),
    "open interest": Dead(("OpenInterest", "LongShortRatio"), (), _FORECAST),
    "chain": Dead(("Transfer",), (), _FORECAST),
    "mood": Dead(("Sentiment",), (), _FORECAST),
    "account": Dead(
        ("Reported",), (Watch.ACCOUNT_SILENT,), "our own books of the account are what is left"
    ),
    "all prices": Dead(
        _PRICES, (Watch.PRICE_SILENT,),
        "nothing is decided by a frame; the rule decides once a minute on the last price",
    ),
    "everything": Dead(
        (*_PRICES, "Liquidation", "PredictedFunding", "Funding", "OpenInterest", "LongShortRatio",
         "Transfer", "Sentiment", "Reported"),
        (Watch.PRICE_SILENT, Watch.ACCOUNT_SILENT), "only the clock is left",
    ),
}  # fmt: skip


def opens_s(watch: Watch, limits: Limits) -> float:
    """Return for how many seconds a watch must see it wrong before it opens."""
    name = WATCHES[watch].opens
    return float(getattr(limits, name)) if name else 0.0


def table(limits: Limits) -> str:
    """Return the families as Markdown, for the manual."""
    rows = [
        "| silent | opens | within | end state | why that is enough |",
        "|---|---|---|---|---|",
    ]
    for family, dead in FAMILIES.items():
        names = ", ".join(f"`{watch}`" for watch in dead.watches) or "nothing"
        within = f"{dead.within_s(limits):g} s" if dead.watches else ""
        worst = max((WATCHES[watch].fallback for watch in dead.watches), default=None)
        state = worst.name if worst is not None else "as before"
        rows.append(f"| {family} | {names} | {within} | {state} | {dead.means} |")
    return "\n".join(rows)

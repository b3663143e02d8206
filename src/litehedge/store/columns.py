"""The columns of each kind of data set, and which kinds stand beside bars."""

from __future__ import annotations

from typing import Final

SCHEMAS: Final[dict[str, tuple[str, ...]]] = {
    "bars": ("event_ns", "known_ns", "open", "high", "low", "close", "volume"),
    "funding": ("event_ns", "known_ns", "rate"),
    "open_interest": ("event_ns", "known_ns", "oi", "unit"),
    "liquidations": ("event_ns", "known_ns", "side", "price", "qty", "notional_usdt"),
    "book": (
        "event_ns", "known_ns", "bid", "ask", "bid_depth_usdt", "ask_depth_usdt",
        "bid_depth_near_usdt", "ask_depth_near_usdt", "bid_depth_far_usdt", "ask_depth_far_usdt",
    ),
    "mark_index": ("event_ns", "known_ns", "mark", "index"),
    "long_short_ratio": ("event_ns", "known_ns", "ratio"),
    "transfers": ("event_ns", "known_ns", "notional_usdt", "to_exchange"),
    "sentiment": ("event_ns", "known_ns", "score"),
    "predicted_funding": ("event_ns", "known_ns", "venue", "rate"),
    "trades": ("event_ns", "known_ns", "price", "qty_ltc", "taker_buys"),
    "gaps": ("event_ns", "known_ns", "start_ns", "source", "kinds", "why"),
}  # fmt: skip
OPTIONAL: Final[dict[str, tuple[str, ...]]] = {"bars": ("buy_volume",), "liquidations": ("feed",)}
"""Columns that a data set has where its source told them."""
COMPANIONS: Final = (
    "funding", "liquidations", "book", "mark_index", "long_short_ratio", "transfers", "sentiment",
    "predicted_funding",
)  # fmt: skip
"""Kinds of which a bars data set may have one each as companion, under the kind's name."""

"""Made-up markets as data sets of a lake."""

from __future__ import annotations

import polars as pl

from litehedge.feeds.archive import Series
from litehedge.feeds.replay import EventArrays
from litehedge.market import rows as rw
from litehedge.store.lake import Lake
from synthetic import Market, bitcoin, funding

CRASH_AT = 4_000  # bar at which the market of the `crashed` fixture begins to fall


def store(lake: Lake, name: str, own: Market, asset: str = "LTC") -> None:
    """Put bars into a lake."""
    table = pl.DataFrame(
        {
            "event_ns": own.end_ns, "known_ns": own.end_ns,
            **{c: own.bars[:, i] for i, c in enumerate(("open", "high", "low", "close", "volume"))},
        }
    )  # fmt: skip
    _put(lake, name, "bars", table, asset, own.bar_ns)


def store_companions(lake: Lake, own: Market) -> None:
    """Put the Bitcoin bars and funding that belong to a market into a lake."""
    btc: EventArrays = bitcoin(own)
    assert set(btc.kinds.tolist()) == {rw.KIND_BTC_BAR}
    store(lake, "btc", Market(btc.known_ns, btc.values, own.bar_ns), "BTC")
    store_funding(lake, funding(own))


def store_funding(lake: Lake, paid: EventArrays) -> None:
    """Put settlements into a lake."""
    table = pl.DataFrame(
        {"event_ns": paid.event_ns, "known_ns": paid.known_ns, "rate": paid.values[:, 0]}
    )
    _put(lake, "funding", "funding", table, "LTC", 0)


def _put(lake, name, kind, table, asset, interval_ns):
    lake.write(
        [
            Series(
                kind, asset, f"{asset}USDT", "binance", "perp", interval_ns, "", table,
                f"{name}.csv", f"{abs(hash(name)):064x}",
            )
        ],
        name,
    )  # fmt: skip

"""``litehedge data check`` of what was recorded."""

from __future__ import annotations

import asyncio

from litehedge.live.recorder import Options, Recorder
from litehedge.market import events as ev
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND, instant_ns

T0 = instant_ns("2026-11-22T10:00:00")


def recorded(tmp_path, lake) -> None:
    """An hour with a squeeze of longs, and ten minutes in which the trades were down."""
    now = [T0]

    async def main():
        options = Options(flush_s=3600.0, min_free_bytes=0)
        async with Recorder(tmp_path / "rec", lake, options, clock=lambda: now[0]) as recorder:
            out = recorder.outlet("fake.trades")
            other = recorder.outlet("fake.rest")
            for minute in range(120):
                now[0] = T0 + minute * NS_PER_MINUTE + NS_PER_SECOND
                if minute == 90:
                    out.health("fake.trades", "down", "closed")
                if not 90 <= minute < 100:
                    price = 100.0 if minute < 40 else 95.0
                    out.put(ev.Trade(now[0] - 7_000_000, now[0], price, 1.0, False))
                level = 1e4 if minute < 40 else 9e3
                other.put(ev.OpenInterest(now[0], now[0], level))
                if minute in (40, 41):
                    other.put(ev.Liquidation(now[0], now[0], "long", 2e4, "largest"))
            now[0] = T0 + 2 * NS_PER_HOUR

    asyncio.run(main())


def test_all_recorded_feeds(litehedge, lake, tmp_path) -> None:
    recorded(tmp_path, lake)
    done = litehedge("data", "check")
    assert done.code == 0, done.err
    assert "recorded_fake_trades" in done.out
    assert "forced orders of fake (largest): about 40 %" in done.out
    told = litehedge("data", "check", "--json").json
    trades = next(one for one in told["feeds"] if one["name"] == "recorded_fake_trades")
    (day,) = trades["days"]
    assert (day["gaps"], day["gap_s"], day["age_ms"]) == (1, 600.0, 7.0)
    assert 0.9 < day["coverage"] < 0.93
    assert told["forced"][0]["windows"] == 1


def test_one_recorded_feed(litehedge, lake, tmp_path) -> None:
    recorded(tmp_path, lake)
    done = litehedge("data", "check", "recorded_fake_trades")
    assert "2026-11-22" in done.out
    assert "1 daily file matches the manifest" in done.out
    assert litehedge("data", "check", "recorded_fake_ltc_1m").code == 0


def test_nothing_was_recorded(litehedge) -> None:
    done = litehedge("data", "check")
    assert (done.code, "nothing was recorded yet" in done.err) == (2, True)

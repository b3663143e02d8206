"""The recorder as sources and people see it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recorded_sources import Broken, Steady

from litehedge.errors import BadMessage, DataError
from litehedge.feeds.replay import merge
from litehedge.live.recorder import Options, Recorder, record
from litehedge.market import events as ev
from litehedge.store.lake import Lake
from litehedge.units import NS_PER_HOUR, NS_PER_SECOND, instant_ns

T0 = instant_ns("2026-11-23T05:00:00")
FAST = Options(flush_s=0.01, min_free_bytes=0)


class Clock:
    def __init__(self) -> None:
        self.now_ns = T0

    def __call__(self) -> int:
        return self.now_ns


class Noted:
    """An outlet that remembers."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def now_ns(self) -> int:
        return T0 + 7

    def put(self, event) -> None:
        self.said.append(event)

    def bad(self, source, error, payload) -> None:
        self.said.append(("bad", source))

    def health(self, source, state, detail="") -> None:
        self.said.append((source, state, detail))


def test_sources_are_recorded_and_one_that_breaks_costs_no_other(tmp_path) -> None:
    lake, notices = Lake(tmp_path / "lake"), []

    async def main():
        stop, steady = asyncio.Event(), Steady(count=50, every_s=0.0)
        async with Recorder(tmp_path / "rec", lake, FAST, notice=notices.append) as recorder:
            running = asyncio.create_task(record([steady, Broken()], recorder, stop))
            while steady.told < 50:
                await asyncio.sleep(0.005)
            stop.set()
            await running
        return recorder

    recorder = asyncio.run(main())
    assert lake.read("recorded_fake_trades")["price"].to_list() == [float(i + 1) for i in range(50)]
    steady, broken = recorder.heard["fake.trades"], recorder.heard["fake.broken"]
    assert (steady.events, steady.state, steady.kinds) == (50, "ok", {"trade"})
    assert (broken.bad, broken.state, broken.gaps) == (1, "down", 1)
    assert "RuntimeError: a mistake" in broken.detail
    assert "broke (RuntimeError" in lake.read("recorded_fake_gaps")["why"][0]
    assert recorder.bytes_written > 0
    assert notices == []


def test_gaps_begin_when_a_source_fell_silent_and_end_when_it_speaks(tmp_path) -> None:
    lake, clock = Lake(tmp_path / "lake"), Clock()

    async def main():
        recorder = Recorder(tmp_path / "rec", lake, FAST, clock=clock)
        async with recorder:
            out = recorder.outlet("fake.mark")

            def mark_after(seconds):
                clock.now_ns += seconds * NS_PER_SECOND
                out.put(ev.Mark(out.now_ns(), out.now_ns(), 83.0))

            out.health("fake.mark", "ok")
            mark_after(1)
            clock.now_ns += 30 * NS_PER_SECOND
            out.health("fake.mark", "stale", "silent for 30 s")
            out.health("fake.mark", "down", "closed")
            mark_after(5)
            clock.now_ns += 9 * NS_PER_SECOND
            out.health("fake.mark", "down", "reset")
            clock.now_ns += 2 * NS_PER_SECOND
            await recorder.flush()
            out.health("fake.mark", "ok")

    asyncio.run(main())
    gaps = lake.read("recorded_fake_gaps")
    spans = [
        ((a - T0) // NS_PER_SECOND, (b - T0) // NS_PER_SECOND)
        for a, b in zip(gaps["start_ns"], gaps["event_ns"], strict=True)
    ]
    assert spans == [(1, 36), (45, 47)]
    assert gaps["why"].to_list() == ["stale: silent for 30 s", "down: reset"]
    assert gaps["kinds"].to_list() == ["mark", "mark"]


def test_a_running_system_hears_what_is_recorded(tmp_path) -> None:
    async def main():
        noted = Noted()
        async with Recorder(tmp_path / "rec", Lake(tmp_path / "lake"), FAST) as recorder:
            out = recorder.outlet("fake.mark", onto=noted)
            out.health("fake.mark", "ok", "hello")
            out.put(ev.Mark(1, out.now_ns(), 83.0))
            out.bad("fake.mark", BadMessage("no"), b"")
        return noted.said

    assert asyncio.run(main()) == [
        ("fake.mark", "ok", "hello"), ev.Mark(1, T0 + 7, 83.0), ("bad", "fake.mark"),
    ]  # fmt: skip


def test_every_kind_of_event_comes_back_from_the_lake(tmp_path) -> None:
    lake, clock = Lake(tmp_path / "lake"), Clock()
    heard = [
        ev.Trade(T0, T0, 83.0, 1.0, False), ev.Book(T0, T0, 82.9, 83.1, 1e5, 2e5),
        ev.Liquidation(T0, T0, "long", 500.0, "largest"), ev.Funding(T0, T0, 1e-4),
        ev.OpenInterest(T0, T0, 5e5), ev.Mark(T0, T0, 83.0), ev.Index(T0, T0, 83.2),
        ev.LongShortRatio(T0, T0, 1.4), ev.Transfer(T0, T0, 1e6, True), ev.Sentiment(T0, T0, -1.0),
        ev.PredictedFunding(T0, T0, "bybit", 2e-4),
        ev.Bar(T0 + 60 * NS_PER_SECOND, T0, "BTC", 60 * NS_PER_SECOND, 1.0, 2.0, 0.5, 1.5, 9.0),
        ev.Tick(T0, T0),
    ]  # fmt: skip

    async def main():
        async with Recorder(tmp_path / "rec", lake, FAST, clock=clock) as recorder:
            for event in heard:
                recorder.outlet("fake.all").put(event)
            clock.now_ns += NS_PER_HOUR

    asyncio.run(main())
    held = {one.name.removeprefix("recorded_fake_"): one for one in lake.datasets()}
    assert set(held) == {
        "trades", "book", "liquidations", "funding", "open_interest", "mark_index",
        "long_short_ratio", "transfers", "sentiment", "predicted_funding", "ltc_5s", "ltc_1m",
        "btc_1m",
    }  # fmt: skip
    for name, dataset in held.items():
        lake.read(f"recorded_fake_{name}")
        assert lake.problems(dataset) == []
    companions = lake.companions(held["ltc_1m"])
    assert companions["btc"].name == "recorded_fake_btc_1m"
    assert lake.read("recorded_fake_mark_index").row(0)[2:] == (83.0, 83.2)


def test_what_was_recorded_is_replayed_as_it_was_known(tmp_path) -> None:
    lake, clock = Lake(tmp_path / "lake"), Clock()
    marks = [ev.Mark(T0, T0 + 1, 83.0), ev.Index(T0, T0 + 2, 83.2), ev.Mark(T0 + 9, T0 + 3, 83.1)]

    async def main():
        async with Recorder(tmp_path / "rec", lake, FAST, clock=clock) as recorder:
            out = recorder.outlet("fake.all")
            out.put(ev.Trade(T0, T0, 83.0, 1.0, False))
            for event in marks:
                out.put(event)
            clock.now_ns += NS_PER_HOUR

    asyncio.run(main())
    dataset = lake.dataset("recorded_fake_ltc_1m")
    tables = {"bars": lake.read(dataset.name)}
    tables |= {role: lake.read(one.name) for role, one in lake.companions(dataset).items()}
    events = list(merge(tables, dataset.interval_ns).events())
    assert events[:3] == marks
    assert all(type(event) is ev.Bar for event in events[3:])
    assert len(events) == 63


def test_two_recorders_of_one_folder(tmp_path) -> None:
    async def main():
        lake = Lake(tmp_path / "lake")
        async with Recorder(tmp_path / "rec", lake, FAST) as one:
            one.outlet("fake.a")
            await one.flush()
            async with Recorder(tmp_path / "rec", lake, FAST) as two:
                with pytest.raises(DataError, match="another process is writing"):
                    await record([Steady()], two, asyncio.Event())

    asyncio.run(main())


def test_a_folder_that_cannot_be_made(tmp_path) -> None:
    (tmp_path / "rec").write_text("in the way")

    async def main():
        async with Recorder(tmp_path / "rec", Lake(tmp_path / "lake"), FAST) as recorder:
            await record([Steady()], recorder, asyncio.Event())

    with pytest.raises(DataError, match="cannot record to"):
        asyncio.run(main())


def test_kill_9_costs_the_last_moment_alone(tmp_path) -> None:
    script = Path(__file__).with_name("recorded_sources.py")
    source = str(Path(__file__).parents[2] / "src")
    folder = tmp_path / "rec" / "fake"
    for number in (1, 2):
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / "killed")],
            env=os.environ | {"PYTHONPATH": source},
        )
        folder = tmp_path / "killed" / "recordings" / "fake"
        path = folder / f"{number:010d}.open"
        for _ in range(3_000):
            if path.exists() and path.stat().st_size > 3_000:
                break
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert path.stat().st_size > 3_000
    lake = Lake(tmp_path / "killed" / "lake")

    async def main():
        options = Options(flush_s=0.01, min_free_bytes=0)
        async with Recorder(tmp_path / "killed" / "recordings", lake, options) as recorder:
            recorder.outlet("fake.trades")

    asyncio.run(main())
    prices = lake.read("recorded_fake_trades")["price"].to_list()
    again = prices.index(1.0, 1)
    for run in (prices[:again], prices[again:]):
        assert run == [float(i + 1) for i in range(len(run))], "nothing is lost, nothing twice"
        assert len(run) > 20
    assert lake.read("recorded_fake_gaps")["why"].to_list() == ["recording was stopped"] * 2

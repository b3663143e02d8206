"""What is recorded comes into the lake once, whatever dies and whenever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litehedge.errors import DataError
from litehedge.live import recorder_compact as compacting
from litehedge.live import recorder_files as files
from litehedge.live import recorder_track as tracks
from litehedge.live.recorder_track import Batch, Track
from litehedge.market import events as ev
from litehedge.store import growing
from litehedge.store import segments as sg
from litehedge.store.lake import Lake
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND, instant_ns

T0 = instant_ns("2026-11-22T23:58:30")
SECOND = NS_PER_SECOND


class Bench:
    """A track, its folder, its lake, and a disk that can be full."""

    def __init__(self, root: Path, **options) -> None:
        self.folder = root / "recordings" / "binance"
        self.lake = Lake(root / "lake")
        self.now_ns = T0
        self.notices: list[str] = []
        self.free = 10**12
        self.options = {"rotate_bytes": 10**9, "min_free_bytes": 0} | options
        self.track = self.fresh()

    def fresh(self) -> Track:
        return Track(
            self.folder, "binance", "LTCUSDT", self.lake, self.now_ns,
            notice=self.notices.append, free_bytes=lambda _: self.free, **self.options,
        )  # fmt: skip

    def write(self, *events, gaps=()) -> bool:
        told = {"binance.trades": list(events)} if events else {}
        return self.track.write(Batch(self.now_ns, told, list(gaps)))

    def trade(self, price: float) -> ev.Trade:
        return ev.Trade(self.now_ns - 5_000_000, self.now_ns, price, 2.0, True)

    def crash(self) -> None:
        """End as a kill does: nothing is closed, the lock falls."""
        if self.track._open is not None:
            os.close(self.track._open._descriptor)
        self.track.release()

    def restart(self) -> None:
        self.crash()
        self.track = self.fresh()

    def stop(self) -> None:
        self.track.finish(Batch(self.now_ns))
        compacting.compact(self.folder, self.lake, self.notices.append)

    def rows(self, what: str):
        return self.lake.read(f"recorded_binance_{what}")


step = st.one_of(
    st.tuples(st.just("tell"), st.integers(1, 5)),
    st.tuples(st.just("wait"), st.sampled_from([1, 7, 70, 1_000, 4_000])),
    st.tuples(st.just("crash"), st.binary(max_size=30)),
    st.tuples(st.just("compact"), st.none() | st.integers(1, 4)),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, max_size=14))
def test_each_event_that_was_written_is_in_the_lake_once(tmp_path_factory, steps) -> None:
    bench = Bench(tmp_path_factory.mktemp("recorded"), rotate_bytes=1_000)
    append, told = growing.append, []
    for what, value in steps:
        if what == "tell":
            events = []
            for _ in range(value):
                bench.now_ns += SECOND
                told.append(float(len(told) + 1))
                events.append(bench.trade(told[-1]))
            bench.write(*events)
        elif what == "wait":
            bench.now_ns += value * SECOND
            bench.write()
        elif what == "crash":
            for path in bench.folder.glob("*.open"):
                with path.open("ab") as torn:
                    torn.write(value)
            bench.now_ns += SECOND
            bench.restart()
        else:
            left = [value]

            def dying(*args, left=left, **more):
                if left[0] is not None:
                    left[0] -= 1
                    if left[0] == 0:
                        raise KeyboardInterrupt
                return append(*args, **more)

            growing.append = dying
            try:
                compacting.compact(bench.folder, bench.lake, bench.notices.append)
            except KeyboardInterrupt:
                pass  # killed between two data sets
            finally:
                growing.append = append
    bench.stop()
    if not told:
        return
    assert bench.rows("trades")["price"].to_list() == told
    for dataset in bench.lake.datasets():
        assert bench.lake.problems(dataset) == []
        if dataset.kind == "bars":
            close_ns = bench.lake.read(dataset.name)["event_ns"]
            assert (close_ns.diff().drop_nulls() >= dataset.interval_ns).all()
    assert len(files.finished(bench.folder)) == 1, "only the newest segment stays"


def test_bars_are_whole_and_silence_is_no_gap(tmp_path) -> None:
    bench = Bench(tmp_path)
    bench.now_ns = T0 + 32 * SECOND  # 23:59:02
    bench.write(bench.trade(80.0), bench.trade(82.0))
    bench.now_ns = T0 + 90 * SECOND + NS_PER_HOUR  # 01:00:00
    assert bench.write() is True, "a new hour, a new segment"
    bench.now_ns += 7 * SECOND
    bench.write(bench.trade(81.0))
    bench.now_ns += 64 * SECOND
    bench.stop()
    fives = bench.rows("ltc_5s")
    assert fives["event_ns"][0] == T0 + 35 * SECOND, "the first that was covered and has a price"
    assert fives.row(0)[2:] == (80.0, 82.0, 80.0, 82.0, 4.0, 4.0)
    assert (fives["event_ns"].diff().drop_nulls() == 5 * SECOND).all(), "the next hour goes on"
    assert fives.row(1)[2:] == (82.0, 82.0, 82.0, 82.0, 0.0, 0.0)
    minutes = bench.rows("ltc_1m")
    # What was traded until 23:59:02 was recorded from 23:58:30 on: that minute is not whole.
    assert minutes["event_ns"][0] == T0 + 90 * SECOND
    assert minutes["close"].to_list() == [82.0] * 61 + [81.0]
    assert "1m" in {one.interval for one in bench.lake.datasets()}


def test_a_source_that_is_down_leaves_a_gap_over_the_hour(tmp_path) -> None:
    bench = Bench(tmp_path)
    bench.now_ns = T0 + 20 * SECOND
    bench.write(bench.trade(80.0))
    bench.now_ns = T0 + 40 * SECOND
    opened = sg.GapRow("binance.trades", ("trade",), bench.now_ns, None, "down: closed")
    bench.write(gaps=[opened])
    for _ in range(70):
        bench.now_ns += NS_PER_MINUTE
        bench.write()
    closed = sg.GapRow(opened.source, opened.kinds, opened.start_ns, bench.now_ns, opened.why)
    bench.write(gaps=[closed])
    bench.now_ns += NS_PER_MINUTE
    bench.write(bench.trade(90.0))
    bench.now_ns += NS_PER_MINUTE
    bench.stop()
    gaps = bench.rows("gaps")
    assert gaps["start_ns"][0] == opened.start_ns
    assert gaps["event_ns"][-1] == closed.end_ns
    assert gaps["start_ns"][1:].to_list() == gaps["event_ns"][:-1].to_list(), "cut at the hour"
    assert set(gaps["why"]) == {"down: closed"}
    fives = bench.rows("ltc_5s")
    ends = fives["event_ns"].to_list()
    assert ends[:4] == [T0 + second * SECOND for second in (25, 30, 35, 40)]
    assert ends[4] > closed.end_ns + 55 * SECOND, "after a gap nobody knows the price"
    assert fives["close"].to_list() == [80.0] * 4 + [90.0] * (len(ends) - 4)


def test_the_time_without_a_recorder_is_a_gap(tmp_path) -> None:
    bench = Bench(tmp_path)
    bench.write(bench.trade(80.0))
    bench.restart()
    bench.now_ns += 300 * SECOND
    bench.track = bench.fresh()
    bench.write(bench.trade(90.0))
    bench.stop()
    gap = bench.rows("gaps").row(0, named=True)
    assert (gap["start_ns"], gap["event_ns"], gap["source"], gap["why"]) == (
        T0, T0 + 300 * SECOND, "", "recording was stopped",
    )  # fmt: skip


def test_a_full_disk_pauses_and_tears_nothing(tmp_path, monkeypatch) -> None:
    bench = Bench(tmp_path)
    bench.write(bench.trade(1.0))
    real, room = os.write, [20]

    def little_room(descriptor, payload):
        if room[0] == 0:
            raise OSError(28, "No space left on device")
        count = real(descriptor, bytes(payload)[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", little_room)
    for price in (2.0, 3.0):
        bench.now_ns += SECOND
        bench.write(bench.trade(price))
        room[0] = 20
    assert bench.track.is_paused
    assert len(bench.notices) == 1
    assert "No space left on device): recording pauses and goes on by itself" in bench.notices[0]
    (path,) = bench.folder.glob("*.open")
    assert not sg.read_segment(path.read_bytes()).is_torn
    monkeypatch.setattr(os, "write", real)
    bench.now_ns += SECOND
    bench.write(bench.trade(4.0))
    assert "goes on" in bench.notices[1]
    bench.stop()
    assert bench.rows("trades")["price"].to_list() == [1.0, 2.0, 3.0, 4.0]


def test_what_does_not_fit_into_memory_either_is_a_gap(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tracks, "PENDING_BYTES", 300)
    bench = Bench(tmp_path, min_free_bytes=100)
    bench.write(bench.trade(1.0))
    bench.free = 99
    for price in range(2, 22):
        bench.now_ns += SECOND
        bench.write(bench.trade(float(price)))
    bench.free = 200
    for price in (22, 23, 24):
        bench.now_ns += SECOND
        bench.write(bench.trade(float(price)))
    bench.stop()
    prices = bench.rows("trades")["price"].to_list()
    gap = bench.rows("gaps").row(0, named=True)
    assert gap["why"] == "no room on the disk"
    assert prices[0] == 1.0
    assert prices[-1] == 24.0
    missing = sorted(set(range(1, 25)) - {int(price) for price in prices})
    assert missing
    assert gap["start_ns"] == T0 + (missing[0] - 1) * SECOND
    assert gap["event_ns"] >= T0 + (missing[-1] - 1) * SECOND


def test_one_recorder_at_a_time(tmp_path) -> None:
    bench = Bench(tmp_path)
    bench.write()
    with pytest.raises(DataError, match="another process is writing"):
        bench.fresh().write(Batch(T0))
    bench.crash()


def test_a_damaged_segment_is_kept_and_told(tmp_path) -> None:
    bench = Bench(tmp_path)
    for _ in range(3):
        bench.now_ns += NS_PER_HOUR
        bench.write(bench.trade(80.0))
    bench.crash()
    first, second = files.finished(bench.folder)
    payload = bytearray(first.read_bytes())
    payload[-30] ^= 1
    first.write_bytes(payload)
    second.write_bytes(b"nothing of ours")
    bench.track = bench.fresh()
    bench.now_ns += SECOND
    bench.write(bench.trade(85.0))
    bench.stop()
    told = " ".join(bench.notices)
    assert "is damaged after" in told
    assert "cannot be read" in told
    assert len(list(bench.folder.glob("*.damaged"))) == 2
    assert bench.rows("trades")["price"][-1] == 85.0


def test_numbers_go_on_when_segments_and_lake_disagree(tmp_path) -> None:
    bench = Bench(tmp_path)
    bench.write(bench.trade(1.0))
    bench.stop()
    for path in bench.folder.glob("*.seg"):
        path.unlink()
    bench.now_ns += SECOND
    bench.track = bench.fresh()
    bench.write(bench.trade(2.0))
    bench.stop()
    assert bench.rows("trades")["price"].to_list() == [1.0, 2.0]

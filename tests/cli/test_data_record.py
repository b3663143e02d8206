"""``litehedge data record``, fed by sources that need no network."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from litehedge.live import sources as registry
from litehedge.market import events as ev


class Told:
    """Tells three trades, then what a test wants."""

    name = "fake.trades"

    def __init__(self, then=lambda: None) -> None:
        self.then = then

    async def run(self, out) -> None:
        out.health(self.name, "ok")
        for price in (1.0, 2.0, 3.0):
            out.put(ev.Trade(out.now_ns(), out.now_ns(), price, 1.0, True))
        self.then()
        await asyncio.sleep(3600)


@pytest.fixture
def fake(monkeypatch):
    def use(then=lambda: None):
        monkeypatch.setitem(registry._REGISTERED, "fake", lambda context: [Told(then)])

    use()
    return use


def test_it_records_for_a_time(litehedge, lake, fake) -> None:
    done = litehedge("data", "record", "--venue", "fake", "--for", "0.2s", "--json")
    assert done.code == 0, done.err
    told = done.json
    assert (told["events"], told["feeds"][0]["source"], told["feeds"][0]["kinds"]) == (
        3, "fake.trades", ["trade"],
    )  # fmt: skip
    assert lake.read("recorded_fake_trades")["price"].to_list() == [1.0, 2.0, 3.0]


def test_ctrl_c_ends_it_cleanly(litehedge, lake, fake) -> None:
    fake(lambda: os.kill(os.getpid(), signal.SIGINT))
    done = litehedge("data", "record", "--venue", "fake", "--keep", "90d", "--max-size", "1GB")
    assert done.code == 0, done.err
    assert "recorded 3 events and 0 gaps" in done.out
    assert "fake.trades" in done.err
    assert lake.read("recorded_fake_trades").height == 3


class Down:
    """Is never reached."""

    name = "fake.trades"

    async def run(self, out) -> None:
        out.health(self.name, "down", "no route to host " + "x" * 200)
        await asyncio.sleep(3600)


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_with_every_feed_down_it_says_so_and_fails(litehedge, fake, monkeypatch, words) -> None:
    monkeypatch.setitem(registry._REGISTERED, "fake", lambda context: [Down()])
    done = litehedge("data", "record", "--venue", "fake", "--for", "0.2s", *words)
    assert done.code == 1
    assert "nothing was recorded: no feed was reached" in " ".join(done.err.split())
    assert "litehedge data list" not in done.out
    checked = litehedge("data", "check")
    assert checked.code == 0, checked.err
    assert "heard nothing: 1 gaps" in checked.out
    assert "fake.trades" in checked.out
    assert litehedge("data", "check", "--json").json["gaps"][0]["source"] == "fake.trades"


def test_the_table_fits_a_usual_terminal(tmp_path) -> None:
    from rich.console import Console

    from litehedge.cli.data_record import _table
    from litehedge.live.recorder import Options, Recorder
    from litehedge.store.lake import Lake

    async def main() -> None:
        async with Recorder(tmp_path / "rec", Lake(tmp_path / "lake"), Options()) as recorder:
            for name in ("binance.open_interest", "across.bybit.predicted_funding", "mood.gdelt"):
                out = recorder.outlet(name)
                out.put(ev.Trade(out.now_ns(), out.now_ns(), 84.0, 1.0, True))
                out.health(name, "down", "a very long reason " * 10)
            console = Console(width=80, record=True)
            rates = dict.fromkeys(recorder.heard, 12_345.0)
            console.print(_table(recorder, rates))
            lines = console.export_text().splitlines()
            assert max(map(len, lines)) <= 80
            assert len(lines) == 1 + 3 + 3 + 1  # head, feeds, what is wrong, what was written
            assert "across.bybit.predicted_funding" in lines[2]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--venue", "moon"), "there is no venue moon: choose from: "),
        (("--feed", "stars"), "there is no feed stars: choose from: all, across"),
        (("--for", "soon"), "not a duration"),
        (("--max-size", "much"), "not a size"),
        (("--max-size", "xGB"), "not a size"),
    ],
)
def test_what_cannot_be_meant_is_said(litehedge, words, message) -> None:
    done = litehedge("data", "record", *words)
    assert done.code == 2
    assert message in " ".join(done.err.split()).replace("\n", " ").replace(
        "moon choose", "moon: choose"
    ).replace("stars choose", "stars: choose")

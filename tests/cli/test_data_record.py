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

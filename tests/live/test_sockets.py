"""The thread of the sockets: failing sources start again, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from litehedge.live import sockets
from litehedge.live.funnel import Funnel
from litehedge.live.sockets import SocketThread
from litehedge.market import events as ev


class Failing:
    """A source that puts one event and then breaks its promise never to raise."""

    name = "failing"

    async def run(self, out):
        out.health(self.name, "ok")
        out.put(ev.Mark(out.now_ns(), out.now_ns(), 84.0))
        raise RuntimeError("broken")


def test_a_source_that_fails_is_told_of_and_started_again(monkeypatch, caplog):
    monkeypatch.setattr(sockets, "FIRST_RESTART_S", 0.01)
    funnel = Funnel()
    with SocketThread() as thread:
        thread.run_sources([Failing()], funnel)
        marks = 0
        for event in funnel.events():
            marks += type(event) is ev.Mark
            if marks == 3:
                break
    assert funnel.sources["failing"].failures >= 2
    assert "broken" in caplog.text


def test_a_call_returns_or_raises_what_the_coroutine_does():
    async def seven():
        return 7

    async def fails():
        raise ValueError("no")

    async def waits():
        await asyncio.sleep(60)

    with SocketThread() as thread:
        assert thread.call(seven()) == 7
        with pytest.raises(ValueError, match="no"):
            thread.call(fails())
        with pytest.raises(TimeoutError):
            thread.call(waits(), 0.01)


def test_closing_cancels_everything_and_ends_the_thread():
    ended = []

    async def forever():
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(threading.current_thread().name)

    before = threading.active_count()
    with SocketThread() as thread:
        thread.start(forever(), "one")
        thread.start(forever(), "two")
        until = time.monotonic() + 10
        while thread.running < 2 and time.monotonic() < until:
            time.sleep(0.001)
    assert ended == ["sockets", "sockets"]
    assert threading.active_count() == before
    thread.close()  # twice is fine

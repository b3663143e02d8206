"""What comes at once is told once, newest first and never late."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from litehedge import net
from litehedge.net import Newest


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=20), max_size=10))
def test_of_each_turn_the_last_is_told(turns):
    async def main():
        told = []
        newest = Newest(told.append)
        for turn in turns:
            for item in turn:
                newest.put(item)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return told

    before, net.HOLD_S = net.HOLD_S, 60.0
    try:
        assert asyncio.run(main()) == [turn[-1] for turn in turns]
    finally:
        net.HOLD_S = before


def test_it_does_not_wait_for_an_end_that_does_not_come(monkeypatch):
    monkeypatch.setattr(net, "HOLD_S", 0.0)

    async def main():
        told = []
        newest = Newest(told.append)
        for item in range(5):
            newest.put(item)  # with no turn of the loop in between
        return told

    assert asyncio.run(main())[:2] == [1, 3]


def test_what_was_dropped_is_not_told():
    async def main():
        told = []
        newest = Newest(told.append)
        newest.put(1)
        newest.drop()
        await asyncio.sleep(0.01)
        newest.put(2)
        await asyncio.sleep(0.01)
        return told

    assert asyncio.run(main()) == [2]

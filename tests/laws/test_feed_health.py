"""How the feeds are is told to people alone: nothing that the engine does depends on it."""

from __future__ import annotations

import copy

from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine import BUSY, World, encode, engine, some_settings

from litehedge.config import Settings
from litehedge.engine import relive, step
from litehedge.engine_state import State, take_checkpoint
from litehedge.market import events as ev
from litehedge.store.journal import encode_effect


def told(state: State, now_ns: int) -> bytes:
    return encode_effect(take_checkpoint(state, now_ns))


@given(st.data(), some_settings(), st.sampled_from(BUSY))
@settings(max_examples=40)
def test_decisions_are_the_same_with_or_without(
    data: st.DataObject, settings_: Settings, policy: str
) -> None:
    state = engine(settings_, policy)
    world = World(data, settings_)
    twin = copy.deepcopy(state)
    for happened in world.events(data.draw(st.integers(5, 40))):
        for bad in range(data.draw(st.integers(0, 2))):
            now = happened.known_ns
            health = ev.FeedHealth(now, now, "quotes", data.draw(st.sampled_from(["ok", "down"])),
                                   "closed by the other side", bad, 1)  # fmt: skip
            twin, nothing = step(twin, health)
            assert nothing == []
        state, effects = step(state, happened)
        twin, same = step(twin, happened)
        assert encode(same) == encode(effects)
        assert told(twin, happened.known_ns) == told(state, happened.known_ns)
        world.sent = state.order if state.order is not None else world.sent


def test_it_outlives_the_journal_and_a_restart() -> None:
    health = ev.FeedHealth(5, 7, "quotes", "stale", "silent for 9 s", 2, 1)
    assert ev.decode_batch(ev.encode_batch([health])) == [health]
    state = engine(Settings(), "plugin")
    before = told(state, 7)
    assert told(relive(state, [health]), 7) == before

"""Events are frozen, survive the wire, and garbage is one kind of error."""

from __future__ import annotations

import contextlib
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import BadMessage
from litehedge.market import events as ev
from litehedge.market.events import decode, decode_batch, encode, encode_batch
from strategies import any_events


@given(any_events())
def test_an_event_survives_the_wire(event: ev.AnyEvent) -> None:
    again = decode(encode(event))
    assert again == event
    assert type(again) is type(event)


@given(st.lists(any_events(), max_size=8))
def test_a_batch_survives_the_wire(events: list[ev.AnyEvent]) -> None:
    assert decode_batch(encode_batch(events)) == events


@given(st.binary(max_size=200))
def test_garbage_is_a_bad_message_and_nothing_else(payload: bytes) -> None:
    for read in (decode, decode_batch):
        with contextlib.suppress(BadMessage):
            read(payload)


@given(any_events(), st.data())
def test_a_damaged_event_is_a_bad_message_or_an_event(
    event: ev.AnyEvent, data: st.DataObject
) -> None:
    payload = bytearray(encode(event))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)))
    with contextlib.suppress(BadMessage):
        assert isinstance(decode(bytes(payload[:cut])), ev.Event)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x84\xa4type\xa7\x80unding",  # a name that is not UTF-8
        b"\x91" * 200_000,  # lists in lists in lists
        b"\x82\xa4type\xa3bar\xa1x" + b"\x91" * 200_000,
    ],
)
def test_hostile_bytes_are_a_bad_message(payload: bytes) -> None:
    for read in (decode, decode_batch):
        with pytest.raises(BadMessage):
            read(payload)


@pytest.mark.parametrize(
    "tree",
    [
        {"type": "bar", "event_ns": 1, "known_ns": 1},
        {"type": "nothing", "event_ns": 1, "known_ns": 1},
        {"event_ns": 1, "known_ns": 1},
        {"type": "mark", "event_ns": 1.5, "known_ns": 1, "price": 2.0},
        {"type": "liquidation", "event_ns": 1, "known_ns": 1, "side": "up", "notional_usdt": 1.0},
        [],
        None,
    ],
)
def test_a_message_of_another_shape_is_refused(tree: object) -> None:
    with pytest.raises(BadMessage, match="not an event"):
        decode(msgspec.msgpack.encode(tree))
    with pytest.raises(BadMessage, match="not a batch of events"):
        decode_batch(msgspec.msgpack.encode({"a": tree}))


@given(any_events())
def test_events_are_frozen(event: ev.AnyEvent) -> None:
    with pytest.raises(AttributeError):
        event.known_ns = 0  # type: ignore[misc]


def test_every_kind_of_event_is_in_the_strategy_and_on_the_wire() -> None:
    known = {cls for cls in vars(ev).values() if isinstance(cls, type)}
    kinds = {cls for cls in known if issubclass(cls, ev.Event) and cls is not ev.Event}
    on_the_wire = set(ev.AnyEvent.__args__)
    assert kinds == on_the_wire
    tags = [cls.__struct_config__.tag for cls in kinds]
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize(
    ("tree", "event"),
    [
        (
            {"type": "bar", "event_ns": 2, "known_ns": 3, "asset": "LTC", "interval_ns": 5,
             "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 7.0},
            ev.Bar(2, 3, "LTC", 5, 1.0, 2.0, 0.5, 1.5, 7.0),
        ),
        (
            {"type": "book", "event_ns": 2, "known_ns": 3, "bid": 1.0, "ask": 2.0,
             "bid_depth_usdt": 3.0, "ask_depth_usdt": 4.0},
            ev.Book(2, 3, 1.0, 2.0, 3.0, 4.0),
        ),
        (
            {"type": "liquidation", "event_ns": 2, "known_ns": 3, "side": "long",
             "notional_usdt": 9.0},
            ev.Liquidation(2, 3, "long", 9.0, "all"),
        ),
    ],
)  # fmt: skip
def test_old_bytes_are_read_and_written_as_before(
    tree: dict[str, object], event: ev.AnyEvent
) -> None:
    """Fields that came later are not told in old journals, and take no room where not told."""
    old = msgspec.msgpack.encode(tree)
    assert decode(old) == event
    assert encode(event) == old


def test_what_is_not_told_is_nan() -> None:
    assert math.isnan(ev.Bar(2, 3, "LTC", 5, 1.0, 2.0, 0.5, 1.5, 7.0).buy_volume)
    assert math.isnan(ev.Book(2, 3, 1.0, 2.0, 3.0, 4.0).ask_depth_far_usdt)

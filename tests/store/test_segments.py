"""Segments: what was written is read, and a torn tail costs no more than itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import BadMessage
from litehedge.market import events as ev
from litehedge.store import segments as sg

HEADER = sg.Header("binance", "LTCUSDT", 7, 1_000, 83.5)

times = st.integers(0, 2**62)
finite = st.floats(allow_nan=False, allow_infinity=False)
told = st.one_of(
    st.builds(ev.Trade, times, times, finite, finite, st.booleans()),
    st.builds(ev.Mark, times, times, finite),
    st.builds(ev.Liquidation, times, times, st.sampled_from(["long", "short"]), finite),
    st.builds(ev.Book, times, times, finite, finite, finite, finite),
)
batches = st.lists(
    st.tuples(st.sampled_from(["binance.trades", "bybit.ö"]), st.lists(told, max_size=8)),
    max_size=6,
)


def written(some, end_ns=None):
    pieces = [sg.begin(HEADER), *(sg.events_block(name, list(events)) for name, events in some)]
    if end_ns is not None:
        pieces.append(sg.end_block(end_ns))
    return pieces


@given(batches)
def test_what_was_written_is_read(some) -> None:
    found = sg.read_segment(b"".join(written(some, 9_000)))
    assert found.header == HEADER
    assert [(name, list(events)) for name, events in some] == found.batches
    assert (found.end_ns, found.is_finished, found.is_torn) == (9_000, True, False)


@given(batches, st.data())
def test_cut_anywhere_the_whole_blocks_are_read(some, data) -> None:
    pieces = written(some)
    payload = b"".join(pieces)
    at = data.draw(st.integers(0, len(payload)))
    ends = [sum(map(len, pieces[: i + 1])) for i in range(len(pieces))]
    whole = sum(end <= at for end in ends)
    if whole == 0:
        with pytest.raises(BadMessage):
            sg.read_segment(payload[:at])
        return
    found = sg.read_segment(payload[:at])
    assert len(found.batches) == whole - 1
    assert found.good_bytes == ends[whole - 1]
    assert found.is_torn == (at > found.good_bytes)
    assert not found.is_finished


@given(batches, st.data())
def test_a_flipped_bit_never_changes_what_is_read(some, data) -> None:
    payload = bytearray(b"".join(written(some, 9_000)))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = sg.read_segment(bytes(payload))
    except BadMessage:
        return
    assert found.batches == [(n, list(e)) for n, e in some][: len(found.batches)]
    assert found.is_torn


@given(st.binary(max_size=200))
def test_anything_else_is_a_bad_message(junk) -> None:
    for payload in (junk, sg.MAGIC + junk, sg.MAGIC + sg.block(sg.HEADER, junk),
                    sg.begin(HEADER) + sg.block(sg.EVENTS, junk)):  # fmt: skip
        try:
            sg.read_segment(payload)
        except BadMessage:
            continue


def test_gaps_bad_messages_and_signs_of_life() -> None:
    opened = sg.GapRow("binance.depth", ("book",), 2_000, None, "down: closed")
    closed = sg.GapRow("binance.depth", ("book",), 2_000, 3_000, "down: closed")
    later = sg.GapRow("binance.depth", ("book",), 4_000, None, "stale")
    payload = b"".join(
        [
            sg.begin(HEADER), sg.gap_block(opened), sg.gap_block(closed), sg.gap_block(later),
            sg.bad_block(sg.BadRow("binance.depth", 3, 2_500, "no price")), sg.beat_block(5_000),
        ]
    )  # fmt: skip
    found = sg.read_segment(payload)
    assert [(gap.start_ns, gap.end_ns) for gap in found.gaps] == [(2_000, 3_000), (4_000, 5_000)]
    assert found.bad[0].count == 3
    assert found.end_ns == 5_000


def test_a_batch_that_unpacks_to_too_much_is_refused(monkeypatch) -> None:
    block = sg.events_block("x", [ev.Mark(1, 1, 80.0)] * 1_000)
    monkeypatch.setattr(sg, "LARGEST_BLOCK", 2_000)
    with pytest.raises(BadMessage, match="does not end"):
        sg.read_segment(sg.begin(HEADER) + block)

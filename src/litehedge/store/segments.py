"""The file that a recorder writes to while the market speaks. Pure: bytes in, values out.

A segment only ever grows at its end, so that whatever kills the writer can spoil no more than the
last block. It is the eight bytes of `MAGIC` and then blocks::

    length of the payload   4 bytes, little-endian
    CRC-32                  4 bytes, little-endian, over kind and payload
    kind                    1 byte
    payload                 that many bytes

The first block is the `Header`. Blocks of events hold the name of their source (one byte for its
length) and a batch of `market.events.encode_batch`, compressed by zlib. All other payloads are
msgpack. Reading ends at the first block that is not whole: what follows is a torn tail.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from litehedge.errors import BadMessage
from litehedge.market.events import AnyEvent, decode_batch, encode_batch

MAGIC: Final = b"LHSEG\x00\x01\n"
LARGEST_BLOCK: Final = 64 * 2**20
"""Bytes of a payload, packed or unpacked; nothing that is written comes near."""

HEADER, EVENTS, GAP, BAD, BEAT, END = range(1, 7)
_FRAME: Final = struct.Struct("<IIB")
_Told = TypeVar("_Told", bound=msgspec.Struct)


class Header(msgspec.Struct, frozen=True):
    """What a segment is of. `number` rises by one from segment to segment of a venue.

    `last_price_usdt` is the last trade before the segment when recording just goes on, None when
    it begins: then nobody knows what was traded before.
    """

    venue: str
    symbol: str
    number: int
    start_ns: int
    last_price_usdt: float | None = None


class GapRow(msgspec.Struct, frozen=True):
    """A time of which a source told nothing. `source` is empty when that goes for all of them.

    `kinds` are the tags of the events that the source had told before; `end_ns` None while the gap
    is open.
    """

    source: str
    kinds: tuple[str, ...]
    start_ns: int
    end_ns: int | None
    why: str


class BadRow(msgspec.Struct, frozen=True):
    """So many messages of a source could not be read; `first` says what was wrong with one."""

    source: str
    count: int
    known_ns: int
    first: str


class End(msgspec.Struct, frozen=True):
    """The last block of a segment that was finished."""

    end_ns: int


@dataclass(slots=True)
class Segment:
    """What a segment holds.

    Parameters
    ----------
    batches
        Source and its events, in the order of writing.
    gaps
        Each once; the open ones end with the segment.
    end_ns
        Until when it tells: its end, or the last sign of life.
    good_bytes
        Length of the part that is whole.
    is_torn
        Whether something follows that is not.
    is_finished
        Whether it was ended on purpose.
    """

    header: Header
    batches: list[tuple[str, list[AnyEvent]]] = field(default_factory=list)
    gaps: list[GapRow] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    end_ns: int = 0
    good_bytes: int = 0
    is_torn: bool = False
    is_finished: bool = False


# --- writing ----------------------------------------------------------------------------------


def block(kind: int, payload: bytes) -> bytes:
    """Return a payload with its frame."""
    return _FRAME.pack(len(payload), zlib.crc32(payload, kind), kind) + payload


def begin(header: Header) -> bytes:
    """Return the first bytes of a segment."""
    return MAGIC + block(HEADER, msgspec.msgpack.encode(header))


def events_block(source: str, events: list[AnyEvent]) -> bytes:
    """Return a block of events; `source` has at most 255 bytes."""
    name = source.encode()
    return block(EVENTS, bytes([len(name)]) + name + zlib.compress(encode_batch(events), 1))


def gap_block(gap: GapRow) -> bytes:
    """Return a block that opens a gap, or closes it (the same with an `end_ns`)."""
    return block(GAP, msgspec.msgpack.encode(gap))


def bad_block(bad: BadRow) -> bytes:
    """Return a block that counts messages which could not be read."""
    return block(BAD, msgspec.msgpack.encode(bad))


def beat_block(now_ns: int) -> bytes:
    """Return a sign of life: until then nothing that was told is missing."""
    return block(BEAT, now_ns.to_bytes(8, "little"))


def end_block(end_ns: int) -> bytes:
    """Return the last block."""
    return block(END, msgspec.msgpack.encode(End(end_ns)))


# --- reading ----------------------------------------------------------------------------------


def blocks(payload: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield kind, payload and end of each whole block, up to the first that is not.

    Raises
    ------
    BadMessage
        When the bytes do not begin like a segment.
    """
    if payload[: len(MAGIC)] != MAGIC:
        raise BadMessage("this is no segment of a recorder", "it is left alone")
    at = len(MAGIC)
    while at + _FRAME.size <= len(payload):
        length, checksum, kind = _FRAME.unpack_from(payload, at)
        end = at + _FRAME.size + length
        if length > LARGEST_BLOCK or end > len(payload):
            return
        body = payload[at + _FRAME.size : end]
        if zlib.crc32(body, kind) != checksum:
            return
        yield kind, body, end
        at = end


def read_segment(payload: bytes, *, with_events: bool = True) -> Segment:
    """Read a segment as far as it is whole.

    Parameters
    ----------
    with_events
        False leaves the batches packed, and out: enough to see how far it goes.

    Raises
    ------
    BadMessage
        When not even its header is whole, or a block whose checksum is right is not what it says.
    """
    found: Segment | None = None
    open_gaps: dict[tuple[str, int], GapRow] = {}
    for kind, body, end in blocks(payload):
        if found is None:
            if kind != HEADER:
                raise BadMessage("a segment does not begin with its header", "it is left alone")
            found = Segment(_decode(body, Header))
            found.end_ns = found.header.start_ns
        elif kind == EVENTS:
            if with_events:
                found.batches.append(_events(body))
        elif kind == GAP:
            gap = _decode(body, GapRow)
            open_gaps[gap.source, gap.start_ns] = gap
        elif kind == BAD:
            found.bad.append(_decode(body, BadRow))
        elif kind == BEAT:
            found.end_ns = max(found.end_ns, int.from_bytes(body, "little"))
        elif kind == END:
            found.end_ns = max(found.end_ns, _decode(body, End).end_ns)
            found.is_finished = True
        found.good_bytes = end
    if found is None:
        raise BadMessage("the header of a segment is not whole", "it holds nothing")
    found.is_torn = found.good_bytes < len(payload)
    found.gaps = [
        gap if gap.end_ns is not None
        else msgspec.structs.replace(gap, end_ns=max(gap.start_ns, found.end_ns))
        for gap in open_gaps.values()
    ]  # fmt: skip
    return found


def _decode(body: bytes, what: type[_Told]) -> _Told:
    try:
        return msgspec.msgpack.decode(body, type=what)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"not a {what.__name__} ({error})", "the segment is left alone") from None


def _events(body: bytes) -> tuple[str, list[AnyEvent]]:
    size = body[0] if body else 0
    try:
        source = body[1 : 1 + size].decode()
        unpacker = zlib.decompressobj()
        batch = unpacker.decompress(body[1 + size :], LARGEST_BLOCK)
        if not unpacker.eof:
            raise BadMessage("a batch of events does not end", "the segment is left alone")
    except (zlib.error, UnicodeDecodeError) as error:
        raise BadMessage(f"not a batch of events ({error})", "the segment is left alone") from None
    return source, decode_batch(batch)

"""What a node says over ZMQ (doc/zmq.md of Litecoin Core): parts in, notices out. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from litehedge.errors import BadMessage

Happened = Literal["tx", "block", "unblocked", "removed"]
_LABELS: Final[dict[int, Happened]] = {
    ord("A"): "tx", ord("C"): "block", ord("D"): "unblocked", ord("R"): "removed",
}  # fmt: skip
_TOPICS: Final[dict[bytes, Happened | None]] = {
    b"hashtx": "tx", b"hashblock": "block", b"sequence": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notice:
    """What a node says over ZMQ: of which hash, and the count of its topic's messages."""

    topic: str
    happened: Happened
    of: str
    count: int
    mempool_sequence: int | None = None


def zmq_notice(parts: list[bytes]) -> Notice:
    """Read a multipart message `[topic, body, uint32 LE]` of `hashtx`, `hashblock`, `sequence`.

    A `sequence` body is a hash, a label (C, D: block connected, disconnected; A, R: transaction
    added, removed) and, for A and R, the mempool's own count. Hashes come as people write them.

    Raises
    ------
    BadMessage
        When it is no such message.
    """
    if len(parts) != 3 or parts[0] not in _TOPICS or len(parts[2]) != 4:
        shape = [len(part) for part in parts[:5]]
        raise BadMessage(f"not a notice of a node (parts of {shape} bytes)", "it is skipped")
    topic, body, raw_count = parts
    count = int.from_bytes(raw_count, "little")
    happened, mempool = _TOPICS[topic], None
    if happened is None:
        happened = _LABELS.get(body[32]) if len(body) > 32 else None
        counted = happened in ("tx", "removed")
        if happened is None or len(body) != (41 if counted else 33):
            raise BadMessage(f"a sequence notice of {len(body)} bytes", "it is skipped")
        mempool = int.from_bytes(body[33:], "little") if counted else None
    elif len(body) != 32:
        raise BadMessage(f"a {topic.decode()} notice of {len(body)} bytes", "it is skipped")
    return Notice(topic.decode(), happened, body[:32].hex(), count, mempool)


@dataclass(slots=True)
class Drops:
    """Finds out from the counts that messages were dropped."""

    _last: dict[str, int] = field(default_factory=dict)

    def missed(self, notice: Notice) -> int:
        """Return how many messages of the topic are missing before this one.

        A count that goes back is a node that started again: at least one is missing.
        """
        last = self._last.get(notice.topic)
        self._last[notice.topic] = notice.count
        if last is None:
            return 0
        ahead = (notice.count - last - 1) % 2**32
        return ahead if ahead < 2**31 else max(1, notice.count)

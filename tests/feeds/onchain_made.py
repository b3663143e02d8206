"""A made chain: addresses, transactions in both forms, an outlet that keeps what it is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litehedge.errors import BadMessage
from litehedge.feeds.exchange_tags import ExchangeTag
from litehedge.units import NS_PER_SECOND

FIXTURES = Path(__file__).parents[1] / "fixtures" / "venues"
NOW_NS = 1_777_300_000 * NS_PER_SECOND

HOT, COLD, OTHER, SOMEBODY, ELSE = "Lhot", "Mcold", "Lother", "ltc1somebody", "Lelse"
TAGS = {
    HOT: ExchangeTag("binance", 0.7),
    COLD: ExchangeTag("binance", 0.7),
    OTHER: ExchangeTag("kraken", 0.7),
}


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def txid(n: int) -> str:
    return f"{n:064x}"


def core_json(
    n: int, inputs: list[tuple[int, int]], outputs: list[tuple[str, float]], **script: Any
) -> dict[str, Any]:
    """A transaction as Litecoin Core 0.21 tells it: `addresses`, and nothing of what was spent."""
    return {
        "txid": txid(n),
        "version": 2,
        "vin": [{"txid": txid(t), "vout": v, "ismweb": False} for t, v in inputs],
        "vout": [
            {
                "ismweb": False, "value": value, "n": k,
                "scriptPubKey": {"type": "scripthash", "addresses": [address], **script},
            }
            for k, (address, value) in enumerate(outputs)
        ],
    }  # fmt: skip


def space_json(
    n: int, inputs: list[tuple[int, int, str, float]], outputs: list[tuple[str, float]]
) -> dict[str, Any]:
    """A transaction as an explorer tells it."""
    return {
        "txid": txid(n),
        "vin": [
            {"txid": txid(t), "vout": v, "is_coinbase": False, "prevout": _coins(a, value)}
            for t, v, a, value in inputs
        ],
        "vout": [_coins(a, value) for a, value in outputs],
        "status": {"confirmed": False},
    }


def _coins(address: str, value: float) -> dict[str, Any]:
    return {
        "scriptpubkey": "00", "scriptpubkey_type": "v0_p2wpkh",
        "scriptpubkey_address": address, "value": round(value * 1e8),
    }  # fmt: skip


def dumps(thing: Any) -> bytes:
    return json.dumps(thing).encode()


class Kept:
    """An outlet that keeps everything."""

    def __init__(self, now_ns: int = NOW_NS) -> None:
        self.now = now_ns
        self.events: list[Any] = []
        self.bads: list[tuple[str, str]] = []
        self.healths: list[tuple[str, str, str]] = []

    def now_ns(self) -> int:
        return self.now

    def put(self, event: Any) -> None:
        self.events.append(event)

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        self.bads.append((source, str(error)))

    def health(self, source: str, state: str, detail: str = "") -> None:
        self.healths.append((source, state, detail))

    def state(self, source: str) -> str:
        return next((state for name, state, _ in reversed(self.healths) if name == source), "")

    def words(self) -> str:
        return " ".join(detail for _, _, detail in self.healths)


async def until(true: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait until something is so; fail when it is not within a time no machine needs."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.005)


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel what runs for ever; what it raised by itself is raised here."""
    assert not task.done(), "a source never ends by itself"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

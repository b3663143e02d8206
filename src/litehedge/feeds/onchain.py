"""Whale transfers of Litecoin over the network: from a node of one's own, or from an explorer.

Both may run at once and share one `Whales`, so that a transfer counts once. Neither is needed:
what is not reached says so in its health and tells nothing. Prices come from the caller; without
one nothing is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from litehedge.errors import BadMessage
from litehedge.feeds.onchain_whales import Remembered, Whales
from litehedge.feeds.onchain_wire import Block, Transaction
from litehedge.ports import Health, Outlet
from litehedge.units import NS_PER_SECOND

OLDEST_BLOCK_S: Final = 3600
"""Blocks older than this, met when a connection is made again, tell nothing: that is past."""


class Teller:
    """What both sources do with what they hear."""

    def __init__(
        self, name: str, whales: Whales, price_usdt: Callable[[], float], out: Outlet
    ) -> None:
        self.name = name
        self.whales = whales
        self._price_usdt = price_usdt
        self._out = out
        self._said: tuple[Health, str] | None = None

    def health(self, state: Health, detail: str = "") -> None:
        """Say how the source is, once for each change."""
        if self._said != (state, detail):
            self._said = state, detail
            self._out.health(self.name, state, detail)

    def now_ns(self) -> int:
        """Return the time, nanoseconds since 1970."""
        return self._out.now_ns()

    def bad(self, error: BadMessage, payload: bytes) -> None:
        """Count an answer that cannot be read."""
        self._out.bad(self.name, error, payload)

    def is_large(self, litoshi: int) -> bool:
        """Tell whether a transaction is worth a closer look now."""
        return self.whales.is_large(litoshi, self._price_usdt())

    def transaction(self, tx: Transaction, block: Block | None = None) -> None:
        """Put the transfers of a transaction that is in the mempool, or in a block."""
        now_ns = self._out.now_ns()
        event_ns = now_ns if block is None else min(now_ns, block.time_s * NS_PER_SECOND)
        if now_ns - event_ns <= OLDEST_BLOCK_S * NS_PER_SECOND:
            for transfer in self.whales.tell(tx, self._price_usdt(), event_ns, now_ns):
                self._out.put(transfer)

    def tags_words(self) -> str:
        """Return what health says of the tags."""
        n = len(self.whales.tags)
        return f"{n} exchange address{'' if n == 1 else 'es'} tagged"


class KnownBlocks:
    """Which blocks were looked at; those that were there when we came count as looked at."""

    def __init__(self) -> None:
        self._seen = Remembered(2000)

    @property
    def is_new(self) -> bool:
        """Whether no block is known yet."""
        return len(self._seen) == 0

    def __contains__(self, block_hash: str) -> bool:
        return block_hash in self._seen

    def add(self, block_hash: str) -> None:
        """Remember a block as looked at."""
        self._seen.add(block_hash)

"""From transactions to whale transfers: what moved to exchanges and from them. No I/O.

Per transaction and exchange what it received less what it spent counts, so that change and coins
that an exchange moves about among its own addresses cancel. What is told is a lower bound: where
it is not known whose coins were spent, nothing counts as moved to an exchange, since it may have
been the exchange's own change.
"""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from collections.abc import Hashable
from typing import Final

from litehedge.feeds.exchange_tags import ExchangeTags
from litehedge.feeds.onchain_wire import LITOSHI, Transaction
from litehedge.market.events import Transfer

LEAST_USDT: Final = 1_500_000.0
"""From here on it is a whale: the smallest transfer of the simulated market's whales."""
REMEMBERED: Final = 50_000


class Remembered:
    """The last so many things; the oldest are forgotten."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._things: OrderedDict[Hashable, None] = OrderedDict()

    def __contains__(self, thing: Hashable) -> bool:
        return thing in self._things

    def __len__(self) -> int:
        return len(self._things)

    def add(self, thing: Hashable) -> bool:
        """Remember a thing; return whether it is new."""
        new = thing not in self._things
        self._things[thing] = None
        self._things.move_to_end(thing)
        if len(self._things) > self._most:
            self._things.popitem(last=False)
        return new


def exchange_flows(tx: Transaction, tags: ExchangeTags) -> tuple[int, int]:
    """Return what a transaction moved to exchanges and from them, in litoshi.

    Inputs that are signed together belong together: when all are known and one exchange is among
    them, all are its own, and so is what goes back to their addresses.
    """
    spent = [s.output for s in tx.spends if s.output is not None]
    known = tx.is_hogex or len(spent) == len(tx.spends)
    theirs = {o.address for o in spent if o.address}
    exchanges = {tags[a].exchange for a in theirs if a in tags}
    owner = next(iter(exchanges)) if known and len(exchanges) == 1 else None
    net: defaultdict[str, int] = defaultdict(int)
    for output in spent:
        if not output.is_balance:
            tag = tags.get(output.address)
            whose = owner if tag is None else tag.exchange
            if whose is not None:
                net[whose] -= output.litoshi
    for output in tx.outputs:
        if not output.is_balance:
            tag = tags.get(output.address)
            back = owner if output.address in theirs else None
            whose = back if tag is None else tag.exchange
            if whose is not None:
                net[whose] += output.litoshi
    into = sum(n for n in net.values() if n > 0) if known else 0
    return into, -sum(n for n in net.values() if n < 0)


class Whales:
    """Tells transfers at or above a notional, each once, whoever tells of it how often.

    One is shared by all sources of a chain. A transaction is told when it is first seen, in the
    mempool or in a block; a block that is undone and comes again, or a replacement that spends
    the same coins with a higher fee, tells nothing more.
    """

    def __init__(
        self, tags: ExchangeTags, least_usdt: float = LEAST_USDT, remembered: int = REMEMBERED
    ) -> None:
        self.tags = tags
        self.least_usdt = least_usdt
        self._told = Remembered(remembered)
        self._spent = Remembered(remembered)

    def is_large(self, litoshi: int, price_usdt: float) -> bool:
        """Tell whether a sum of outputs could hold a whale's transfer; False without a price."""
        if not math.isfinite(price_usdt) or price_usdt <= 0.0:
            return False
        return litoshi / LITOSHI * price_usdt >= self.least_usdt

    def is_told(self, txid: str) -> bool:
        """Tell whether this transaction was told."""
        return txid in self._told

    def tell(
        self, tx: Transaction, price_usdt: float, event_ns: int, known_ns: int
    ) -> list[Transfer]:
        """Return the transfers of a transaction that are to be told: to exchanges, from them.

        Without a price nothing is told; the transaction may be told later.
        """
        if tx.txid in self._told:
            return []
        transfers = [
            Transfer(event_ns, known_ns, litoshi / LITOSHI * price_usdt, to_exchange)
            for litoshi, to_exchange in zip(
                exchange_flows(tx, self.tags), (True, False), strict=True
            )
            if self.is_large(litoshi, price_usdt)
        ]
        if not transfers:
            return []
        again = any((s.txid, s.n) in self._spent for s in tx.spends)
        self._told.add(tx.txid)
        for s in tx.spends:
            self._spent.add((s.txid, s.n))
        return [] if again else transfers

"""What was traded of a contract: the last trades, and the last minutes as candles."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from litehedge.exchange.happenings import LTC, Traded
from litehedge.exchange.terms import ZERO

BTC: Final = "BTCUSDT"
"""Bitcoin is told and never traded by us: it has a tape, and no book."""
SYMBOLS: Final = (LTC, BTC)
KEPT: Final = 2_000


@dataclass(slots=True)
class Candle:
    """One minute of trades; prices USDT, volumes LTC and USDT."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    first_id: int
    last_id: int
    volume_ltc: Decimal = ZERO
    volume_usdt: Decimal = ZERO
    bought_ltc: Decimal = ZERO
    bought_usdt: Decimal = ZERO
    trades: int = 0

    def add(self, trade: Traded) -> None:
        """Add a trade."""
        price, qty = trade.price_usdt, trade.qty_ltc
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.last_id = trade.trade_id
        self.volume_ltc += qty
        self.volume_usdt += qty * price
        self.trades += 1
        if trade.taker_buys:
            self.bought_ltc += qty
            self.bought_usdt += qty * price


@dataclass(slots=True)
class Tape:
    """One contract's tape."""

    trades: deque[Traded] = field(default_factory=lambda: deque(maxlen=KEPT))
    candles: deque[Candle] = field(default_factory=lambda: deque(maxlen=KEPT))

    def note(self, trade: Traded) -> None:
        """Add a trade to the tape and to the candle of its minute."""
        self.trades.append(trade)
        minute = trade.at_ms - trade.at_ms % 60_000
        if not self.candles or self.candles[-1].open_ms != minute:
            price, number = trade.price_usdt, trade.trade_id
            self.candles.append(Candle(minute, price, price, price, price, number, number))
        self.candles[-1].add(trade)

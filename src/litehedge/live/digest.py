"""One line a day: how the account did, what the hedge cost, how the feeds held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from litehedge.decision import sizes
from litehedge.effects import Alert, Decision, Effect
from litehedge.engine_state import State
from litehedge.hedge.band import Action
from litehedge.live.funnel import SourceState
from litehedge.margin.account import equity
from litehedge.market import events as ev
from litehedge.units import NS_PER_DAY, NS_PER_SECOND

_QUOTED: Final = (ev.Book, ev.Trade, ev.Bar)


class Day(msgspec.Struct):
    """What happened in a UTC day, or the part of it that was run. Money in USDT.

    `nearest` is the smallest distance to liquidation that a decision saw, as a fraction of price;
    `hedged` the mean hedge ratio over decisions.
    """

    date: str
    equity_first: float = float("nan")
    equity_last: float = float("nan")
    fees: float = 0.0
    slippage: float = 0.0
    funding: float = 0.0
    trades: int = 0
    increases: int = 0
    decreases: int = 0
    refused: int = 0
    alerts: int = 0
    liquidations: int = 0
    nearest: float = float("nan")
    hedged: float = float("nan")
    decisions: int = 0
    feed_failures: dict[str, int] = {}
    bad_messages: int = 0

    def text(self) -> str:
        """Return the day in one line."""
        made = self.equity_last - self.equity_first
        parts = [
            f"{self.date}: equity {self.equity_last:,.2f} USDT ({made:+,.2f})",
            f"{self.trades} trades",
            f"fees {self.fees:.2f}, slippage {self.slippage:.2f}, funding {self.funding:.2f} USDT",
        ]
        if self.decisions:
            parts.append(
                f"hedged {self.hedged:.0%} on average, nearest liquidation {self.nearest:.1%} away"
            )
        if self.liquidations:
            parts.append(f"{self.liquidations} liquidations")
        if self.refused:
            parts.append(f"{self.refused} decisions cut or refused by guards")
        if self.feed_failures:
            worst = sorted(self.feed_failures.items(), key=lambda item: -item[1])[:3]
            parts.append("feeds lost: " + ", ".join(f"{name} {n}x" for name, n in worst))
        if self.bad_messages:
            parts.append(f"{self.bad_messages} unreadable messages")
        return "; ".join(parts)


class Digest:
    """Watches a session and tells each day when it ends; an observer of `runner.run`.

    Parameters
    ----------
    sources
        Returns how every feed is.
    tell
        Is given each finished day.
    """

    def __init__(
        self,
        state: State,
        sources: Callable[[], Mapping[str, SourceState]],
        tell: Callable[[Day], Any],
    ) -> None:
        self._state = state
        self._sources = sources
        self._tell = tell
        self._price = float("nan")
        self._funding_before = self._paid()
        self._failures_before = self._failures()
        self._bad_before = self._bad()
        self.today: Day | None = None

    def __call__(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        """Take in an event and what it led to."""
        if type(event) in _QUOTED:
            self._quote(event)
        if self.today is None and self._state.is_open and self._price == self._price:
            self._begin(event.known_ns)
        if isinstance(event, ev.OrderFilled) and self.today is not None:
            self.today.trades += 1
            self.today.fees += event.fee_usdt
            self.today.slippage += event.slippage_usdt
        elif isinstance(event, ev.Liquidated) and self.today is not None:
            self.today.liquidations += 1
        if effects and self.today is not None:
            self._effects(self.today, effects)
        if isinstance(event, ev.Tick) and event.known_ns % (60 * NS_PER_SECOND) == 0:
            self._minute(event.known_ns)

    def finish(self) -> Day | None:
        """Return the day so far."""
        if self.today is not None:
            self.today.equity_last = float(equity(self._state.books, self._price))
            self._close(self.today)
        return self.today

    def _quote(self, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.Book):
            self._price = 0.5 * (event.bid + event.ask)
        elif isinstance(event, ev.Trade):
            self._price = event.price
        elif isinstance(event, ev.Bar) and event.asset == "LTC":
            self._price = event.close

    def _minute(self, now_ns: int) -> None:
        if self.today is None:
            return
        if now_ns % NS_PER_DAY < 60 * NS_PER_SECOND:
            self._close(self.today)
            self._tell(self.today)
            self._begin(now_ns)
        self.today.equity_last = float(equity(self._state.books, self._price))

    def _begin(self, now_ns: int) -> None:
        date = datetime.fromtimestamp(now_ns // NS_PER_SECOND, tz=UTC).date().isoformat()
        worth = float(equity(self._state.books, self._price))
        self.today = Day(date, equity_first=worth, equity_last=worth)
        self._funding_before = self._paid()
        self._failures_before = self._failures()
        self._bad_before = self._bad()

    def _effects(self, day: Day, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Alert):
                day.alerts += effect.level == "act_now"
            if not isinstance(effect, Decision):
                continue
            day.decisions += 1
            action = effect.recommendation.action
            day.increases += action is Action.INCREASE and bool(effect.order_id)
            day.decreases += action is Action.DECREASE and bool(effect.order_id)
            day.refused += bool(effect.verdicts)
            day.nearest = (
                min(effect.distance, day.nearest) if day.decisions > 1 else (effect.distance)
            )
            position, hedge = sizes(self._state.terms, self._state.books)
            ratio = hedge / position if position > 0.0 else 0.0
            before = 0.0 if day.decisions == 1 else day.hedged
            day.hedged = before + (ratio - before) / day.decisions

    def _close(self, day: Day) -> None:
        day.funding = self._paid() - self._funding_before
        counts = self._failures()
        lost = {n: c - self._failures_before.get(n, 0) for n, c in counts.items()}
        day.feed_failures = {name: count for name, count in lost.items() if count > 0}
        day.bad_messages = self._bad() - self._bad_before

    def _paid(self) -> float:
        return float(self._state.books["funding"][0])

    def _failures(self) -> dict[str, int]:
        return {name: source.failures for name, source in self._sources().items()}

    def _bad(self) -> int:
        return sum(source.bad for source in self._sources().values())

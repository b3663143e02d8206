"""One course of a session from an act on: the engine, the simulated venue, and how it went."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.effects import Effect
from litehedge.engine_state import State, tiers_by_venue
from litehedge.ledger.seat import Seat
from litehedge.margin.account import equity
from litehedge.margin.liquidation import distance_apart
from litehedge.market import events as ev
from litehedge.runner import run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Course(msgspec.Struct, frozen=True):
    """How one course went.

    Money in USDT, positive costs; `pnl_usdt` counts from the act on and has every cost in it.
    Shapes: `time_ns`, `equity_usdt`, `ratio` and `distance` ``(minute,)``; the last two are NaN
    where no position is held. `nearest` is the smallest distance to liquidation, a fraction of
    price, 0 where it was reached.
    """

    pnl_usdt: float
    fees_usdt: float
    slippage_usdt: float
    funding_usdt: float
    forced_usdt: float
    drawdown_usdt: float
    nearest: float
    mean_ratio: float
    trades: int
    liquidated_ns: int  # when the position died, -1 if it did not
    liquidations: int  # partial ones too
    time_ns: Ints
    equity_usdt: Floats
    ratio: Floats
    distance: Floats


class Branch:
    """A session's engine and account, driven on by the runner against a simulated venue.

    Commands wait until the next event of the market: there they were given.
    """

    def __init__(self, state: State, venue: Seat) -> None:
        self.state = state
        self.venue = venue
        self._commands: list[ev.Command] = []
        self._path: list[tuple[float, float, float]] = []
        self._times: list[int] = []
        self._liquidated_ns = -1
        self._trades = 0
        self._begun = False
        self._costs: Floats = np.zeros(4)
        self._forced = 0

    def ask(self, command: ev.Command) -> None:
        """Give a command at the next event of the market."""
        self._commands.append(command)

    def take(self) -> Iterable[ev.Command]:
        """Return the commands that wait, as the runner's inbox."""
        asked, self._commands = self._commands, []
        for command in asked:
            before = self.state.books["qty"][0].tolist()
            yield command
            if isinstance(command, ev.Adopt) and self.state.books["qty"][0].tolist() != before:
                self.venue.take_over(self.state)

    def hear(self, event: ev.AnyEvent) -> None:
        """Live through an event."""
        self.state = run(self.state, (event,), self.venue, inbox=self, observe=self._watch)
        if not self._begun:
            self._begun = True
            self._costs, self._forced = self._paid(), self._died()

    def sample(self, now_ns: int) -> None:
        """Write down how it stands."""
        price, books = self.venue.price, self.venue.books
        ratio = away = float("nan")
        if self.venue.is_open:
            position, hedge = self.venue.sizes()
            ratio = hedge / position if position > 0.0 else 0.0
            away = float(distance_apart(books, price, *tiers_by_venue(self.state)))
        self._times.append(now_ns)
        self._path.append((float(equity(books, price)), ratio, away))

    def course(self) -> Course:
        """Return how it went so far; it must have been sampled."""
        path = np.array(self._path).reshape(-1, 3)
        worth, ratio, away = path[:, 0], path[:, 1], path[:, 2]
        fees, slippage, funding, forced = (self._paid() - self._costs).tolist()
        held = ratio[np.isfinite(ratio)]
        near = away[np.isfinite(away)]
        died = self._died() > self._forced
        return Course(
            pnl_usdt=float(worth[-1] - worth[0]),
            fees_usdt=fees, slippage_usdt=slippage, funding_usdt=funding, forced_usdt=forced,
            drawdown_usdt=float((np.maximum.accumulate(worth) - worth).max()),
            nearest=0.0 if died else float(near.min()) if near.size else float("nan"),
            mean_ratio=float(held.mean()) if held.size else 0.0,
            trades=self._trades, liquidated_ns=self._liquidated_ns,
            liquidations=self._died() - self._forced,
            time_ns=np.array(self._times, dtype=np.int64), equity_usdt=worth, ratio=ratio,
            distance=away,
        )  # fmt: skip

    def _watch(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        if isinstance(event, ev.OrderFilled | ev.StopFilled):
            self._trades += 1
        elif isinstance(event, ev.Liquidated) and not event.alive and self._liquidated_ns < 0:
            self._liquidated_ns = event.known_ns

    def _paid(self) -> Floats:
        """Return fees, slippage, funding, and what forced closings and transfers cost, USDT."""
        account = self.venue.books[0]
        forced = account["clearance"] + account["transfer_fees"]
        return np.array([account["fees"], account["slippage"], account["funding"], forced])

    def _died(self) -> int:
        return int(self.venue.books["liquidations"][0])

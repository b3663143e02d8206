"""The live view of a session in the terminal: distance, forecast, hedge, decisions, feeds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from litehedge.decision import sizes
from litehedge.effects import Alert, Decision, Effect
from litehedge.engine_state import State, distance_now
from litehedge.features.vector import FeatureSchema
from litehedge.hedge import signals as sg
from litehedge.hedge.band import Action
from litehedge.live.funnel import SourceState
from litehedge.margin.account import equity
from litehedge.market import events as ev
from litehedge.report.style import percent, usdt
from litehedge.squeeze.forecast import ForecastState
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND, iso_utc

BLOCKS: Final = "▁▂▃▄▅▆▇█"
NEAR, CLOSE = 0.02, 0.04  # distances to liquidation at which the colour changes
FORECASTS: Final = {
    ForecastState.OK: "ok",
    ForecastState.DEGRADED: "careful: a feed it was trained with is missing",
    ForecastState.EXPIRED: "none: the model is too old",
}
_COLOURS: Final = {"ok": "green", "starting": "yellow", "stale": "red", "down": "red", "off": "dim"}


class Board:
    """Collects what the view shows; an observer of `runner.run`."""

    def __init__(
        self, state: State, mode: str, sources: Callable[[], Mapping[str, SourceState]]
    ) -> None:
        self._state = state
        self._mode = mode
        self._sources = sources
        self._prices: deque[float] = deque(maxlen=72)
        self._told: deque[Decision] = deque(maxlen=6)
        self._alerts: deque[tuple[int, Alert]] = deque(maxlen=4)
        self._last: Decision | None = None
        self._now_ns = 0
        self._first_ns = 0  # since when the market was heard of
        self.price = float("nan")
        self.events = 0

    def __call__(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        """Take in an event and what it led to."""
        self.events += 1
        self._now_ns = event.known_ns
        self._first_ns = self._first_ns or event.known_ns
        if isinstance(event, ev.Book):
            self.price = 0.5 * (event.bid + event.ask)
        elif isinstance(event, ev.Trade):
            self.price = event.price
        elif isinstance(event, ev.Bar) and event.asset == "LTC":
            self.price = event.close
        elif isinstance(event, ev.Tick) and event.known_ns % (60 * NS_PER_SECOND) == 0:
            self._prices.append(self.price)
        for effect in effects:
            if isinstance(effect, Alert):
                self._alerts.append((event.known_ns, effect))
            elif isinstance(effect, Decision):
                self._last = effect
                if effect.recommendation.action is not Action.MAINTAIN or effect.verdicts:
                    self._told.append(effect)

    @property
    def frame_minutes(self) -> float:
        """How often decisions are made, minutes."""
        return self._state.fixed.frame_ns / NS_PER_MINUTE

    # --- what is shown ------------------------------------------------------------------------

    def view(self) -> Panel:
        """Return the whole view."""
        state = self._state
        side = state.fixed.settings.position.side
        title = f"litehedge · {self._mode} · {side} LTC · {iso_utc(self._now_ns, seconds=True)} UTC"
        body = Group(
            Text(self._spark(), style="blue"), Text(), self._facts(), Text(), self._decisions(),
            Text(), self._feeds(), *self._said(),
        )  # fmt: skip
        return Panel(body, title=title, subtitle="Ctrl-C ends it cleanly")

    def _facts(self) -> Table:
        state, signals = self._state, self._state.signals
        facts = Table.grid(padding=(0, 3))
        for style in ("dim", "", "dim", ""):
            facts.add_column(style=style, justify="left" if style else "right")
        if not state.is_open:
            waits = "asking the venue" if state.needs_reconciling else "no position yet"
            facts.add_row("position", waits, "price", _price(self.price))
            return facts
        away = distance_now(state, self.price)
        colour = "red" if away < NEAR else "yellow" if away < CLOSE else "green"
        position, hedge = sizes(state.terms, state.books)
        ratio = hedge / position if position > 0.0 else 0.0
        facts.add_row(
            "to liquidation", Text(percent(away), style=f"bold {colour}"),
            "price", _price(self.price),
        )  # fmt: skip
        soon = f"{_p(signals[sg.ONSET, 0])} / {_p(signals[sg.ONSET + 1, 0])}"
        band = ""
        if self._last is not None:
            advice = self._last.recommendation
            band = f"  (wants {percent(advice.lo, 0)} to {percent(advice.hi, 0)})"
        facts.add_row(
            "squeeze of longs in 15 / 60 min", soon, "hedged", percent(float(ratio), 0) + band
        )
        worth = float(equity(state.books, self.price))
        forecast = self.forecast()
        trading = Text(state.trading.name, style="green" if state.trading == 0 else "bold red")
        facts.add_row("equity", usdt(worth), "forecast", forecast)
        facts.add_row("trading", trading, "events", f"{self.events:,}")
        return facts

    def forecast(self) -> str:
        """Say whether there is a forecast, and if not, from when there may be one."""
        state = self._state
        if state.fixed.forecaster.id == "none":
            return "none: no model, the policy's own rules"
        known = float(state.signals[sg.STATE, 0])
        if known == known and known != ForecastState.COLD:
            return FORECASTS[ForecastState(int(known))]
        ready_ns = self._first_ns + FeatureSchema(state.fixed.frame_ns).warm_up_ns
        if not self._first_ns or ready_ns <= self._now_ns:
            return "none yet: too little of the market was heard"
        return f"none before about {iso_utc(ready_ns)} UTC"

    def _decisions(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for told in self._told:
            advice = told.recommendation
            what = "refused" if told.verdicts and not told.order_id else advice.action.value
            table.add_row(
                iso_utc(told.time_ns, seconds=True)[11:], what,
                f"{percent(advice.ratio, 0)} → {percent(advice.target, 0)}",
                Text(advice.reason, style="dim"),
            )  # fmt: skip
        return table

    def _feeds(self) -> Text:
        line = Text("feeds  ", style="dim")
        for name, source in sorted(self._sources().items()):
            line.append(f"{name} ", style=_COLOURS[source.state])
        return line

    def _said(self) -> list[Text]:
        return [
            Text(
                f"{iso_utc(when, seconds=True)[11:]} {alert.text}",
                style="red" if alert.level == "act_now" else "dim",
            )
            for when, alert in self._alerts
        ]

    def _spark(self) -> str:
        prices = [price for price in self._prices if price == price]
        if len(prices) < 2:
            return ""
        low, high = min(prices), max(prices)
        span = max(high - low, 1e-9)
        return "".join(BLOCKS[int((price - low) / span * 7.999)] for price in prices)

    def result(self) -> dict[str, Any]:
        """Return where the session stands, for scripts."""
        state = self._state
        position, hedge = sizes(state.terms, state.books)
        return {
            "mode": self._mode,
            "time": iso_utc(self._now_ns, seconds=True) if self._now_ns else None,
            "is_open": state.is_open,
            "price": self.price,
            "equity_usdt": float(equity(state.books, self.price)) if state.is_open else None,
            "position_ltc": float(position),
            "hedge_ltc": float(hedge),
            "trading": state.trading.name,
            "events": self.events,
            "feeds": {
                name: {"state": s.state, "detail": s.detail, "failures": s.failures, "bad": s.bad}
                for name, s in sorted(self._sources().items())
            },
        }


def _price(value: float) -> str:
    return f"{value:.2f} USDT" if value == value else "-"


def _p(value: float) -> str:
    return "-" if value != value else percent(float(value))

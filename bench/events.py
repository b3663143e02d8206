"""Claim: 250 k events/s through runner, engine and venue in Python, with full objects.

Nine quotes and a trade a second fold into 5-second atoms and 60-second frames; each atom is a
decision with features, policy and guards; orders, fills and accounts are the real objects.
"""

from __future__ import annotations

import numpy as np

from bench.market import NS
from bench.timing import Figure, best_seconds
from litehedge.backtest import with_position
from litehedge.effects import Effect, Submit
from litehedge.engine_state import start
from litehedge.hedge.policies import MARGIN_VOLATILITY, N_PARAMETERS, Policy
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster, Floats, Ints
from litehedge.runner import run
from litehedge.settings import load_settings
from litehedge.sim.venue import Opening, SimVenue
from litehedge.squeeze import forecast as fc
from litehedge.store.bundled import tier_table

EVENTS = 500_000
PAIRS = 5
STEP_NS = NS // 10
START_NS = 1_700_000_000 * NS


class Calm(BlindForecaster):
    """Sees no squeeze, and is well: without a forecast the parachute would lift nothing."""

    def batch(
        self, memory: fc.Memory, phases: Ints, end_ns: Ints, features: Floats
    ) -> Floats:  # fmt: skip
        """Return rows that are all the same."""
        rows = np.zeros((features.shape[0], fc.N_FORECAST))
        rows[:, fc.VOL_AT : fc.CONFIDENCE_AT] = 1e-3
        rows[:, fc.CONFIDENCE_AT] = 1.0
        rows[:, fc.STATE_AT] = fc.ForecastState.OK
        return rows


def measure() -> list[Figure]:
    """Time quotes and trades, and bars of one minute (a decision each)."""
    rng = np.random.default_rng(0)
    price = 100.0 * np.exp(np.cumsum(rng.standard_normal(EVENTS) * 4e-5))
    stream = [_event(i, p) for i, p in enumerate(price.tolist())]
    orders = _orders(stream)
    assert orders > 100, "the rule of this benchmark does not trade"
    seconds = best_seconds(lambda: _run(stream, 5 * NS, 12), 3)
    share = _guards_share(stream)
    bars = [
        ev.Bar(START_NS + (i + 1) * 60 * NS, START_NS + (i + 1) * 60 * NS, "LTC", 60 * NS,
               p, p * 1.001, p * 0.999, p, 1e4)
        for i, p in enumerate(price[::20].tolist())
    ]  # fmt: skip
    bar_seconds = best_seconds(lambda: _run(bars, 60 * NS, 1), 3)
    decisions = EVENTS // 50
    return [
        Figure(f"event path, {decisions:,} decisions, {orders} orders", EVENTS / seconds / 1e3,
               "k events/s", "claim: 250"),
        Figure("of it for what looks between decisions: margin health, stops, parachute",
               100.0 * share, "%"),
        Figure("event path, bars, a decision each", len(bars) / bar_seconds / 1e3, "k bars/s"),
    ]  # fmt: skip


def _guards_share(stream: list[ev.MarketEvent]) -> float:
    """Return the share of the time that goes to the guards between decisions, median of pairs."""
    shares = []
    for _ in range(PAIRS):
        without = best_seconds(lambda: _run(stream, 5 * NS, 12, looks_between=False), 1)
        with_them = best_seconds(lambda: _run(stream, 5 * NS, 12), 1)
        shares.append(1.0 - without / with_them)
    return float(np.median(shares))


def _event(i: int, price: float) -> ev.MarketEvent:
    """Nine quotes, then a trade, ten events a second."""
    now_ns = START_NS + i * STEP_NS
    if i % 10 == 9:
        return ev.Trade(now_ns, now_ns, price, 1.0, i % 20 == 9)
    return ev.Book(now_ns, now_ns, price - 0.01, price + 0.01, 1e6, 1e6)


def _orders(events: list[ev.MarketEvent]) -> int:
    count = 0

    def observe(event: ev.AnyEvent, effects: list[Effect]) -> None:
        nonlocal count
        count += sum(isinstance(effect, Submit) for effect in effects)

    _run(events, 5 * NS, 12, observe)
    return count


def _run(
    events: list, atom_ns: int, per_frame: int, observe: object = None, *,
    looks_between: bool = True,
) -> None:  # fmt: skip
    settings = with_position(load_settings(), "long", 3.0)
    limits = settings.limits.model_copy(
        update={"max_orders_per_day": 10**6, "daily_cost_share": 1.0, "weekly_cost_share": 1.0}
    )
    settings = settings.model_copy(update={"limits": limits})
    tiers = tier_table("binance", "LTCUSDT")
    parameters = np.zeros(N_PARAMETERS)
    parameters[:3] = 0.0022, 0.0022, 1.0
    rule = Policy("rule", MARGIN_VOLATILITY, parameters, "trades as often as it can")
    state = start(
        settings, rule, tiers, Calm(), session="bench", atom_ns=atom_ns,
        per_frame=per_frame, looks_between=looks_between,
    )  # fmt: skip
    venue = SimVenue(settings, tiers, Opening(START_NS, reopens=True), atom_ns)
    run(state, iter(events), venue, observe=observe)

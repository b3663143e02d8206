"""Claim: the compiled loop runs 50 M bars/s with margin account, and 20 times vectorbt.

One rule on the same bars: a long is hedged fully when the mean of 20 closes falls below that of 100
by a threshold, and released when it rises above it by as much. Both work out the rule, simulate it,
and tell final equity, drawdown and fees. Ours also keeps a cross margin account with tiers and
liquidation on the bar's range, funding every eight hours, hard limits, collar, impact, and the
venue's liquidity; vectorbt has none of these. One core each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.market import tape_of, walk_bars
from bench.timing import Figure, best_seconds
from litehedge.backtest import walk, with_position
from litehedge.config import Settings
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import MARGIN_VOLATILITY, N_PARAMETERS, Policy, policies
from litehedge.jit import kernel
from litehedge.settings import load_settings
from litehedge.store.bundled import tier_table

BARS = 1_000_000
FAST, SLOW = 20, 100
THRESHOLD = 5e-4
SIZE_LTC = 12.0
WALLET_USDT = 1e6
ALWAYS = 1e9


@kernel
def write_rule(bars: NDArray[np.float64], fast: int, slow: int, out: NDArray[np.float32]) -> None:
    """Write how far the fast mean of closes lies below the slow one, ``(bar,)``."""
    fast_sum = 0.0
    slow_sum = 0.0
    for i in range(bars.shape[0]):
        fast_sum += bars[i, 3]
        slow_sum += bars[i, 3]
        if i >= fast:
            fast_sum -= bars[i - fast, 3]
        if i >= slow:
            slow_sum -= bars[i - slow, 3]
            out[i] = 1.0 - (fast_sum / fast) / (slow_sum / slow)


def measure() -> list[Figure]:
    """Time our loop and, if it is installed, vectorbt."""
    settings = _rich(with_position(load_settings(), "long", SIZE_LTC * 100.0 / WALLET_USDT))
    tiers = tier_table("binance", "LTCUSDT")
    tape = tape_of(walk_bars(BARS))
    write_rule(tape.bars, FAST, SLOW, tape.signals[sg.VOL_RULE])
    parameters = np.zeros(N_PARAMETERS)
    parameters[:3] = THRESHOLD, -THRESHOLD, ALWAYS
    rule = Policy("rule", MARGIN_VOLATILITY, parameters, "the rule of this benchmark")

    def loop() -> None:
        walk(tape, settings, tiers, rule, records=False)

    def both() -> None:
        write_rule(tape.bars, FAST, SLOW, tape.signals[sg.VOL_RULE])
        loop()

    outcome = walk(tape, settings, tiers, rule, records=False).outcomes[0]
    assert outcome["bars"] == BARS
    alone = BARS / best_seconds(loop, 15)
    ours = BARS / best_seconds(both, 15)
    recording = BARS / best_seconds(lambda: walk(tape, settings, tiers, rule), 10)
    figures = [
        Figure(f"episode loop, {outcome['trades']} trades", alone / 1e6, "M bars/s", "claim: 50"),
        Figure("  with working out the rule", ours / 1e6, "M bars/s"),
        Figure("  without the rule, recording its path", recording / 1e6, "M bars/s"),
    ]
    theirs, orders = _vectorbt(tape.bars[:, 3])
    against = f"ours is {ours / theirs:.0f} times as fast; claim: 20" if orders else "not installed"
    name = f"  vectorbt, rule, simulation and figures, {orders} orders"
    figures.append(Figure(name, theirs / 1e6, "M bars/s", against))
    plugin = policies(settings)["plugin"]
    _forecast(tape.signals)
    fast = BARS / best_seconds(lambda: walk(tape, settings, tiers, plugin, records=False))
    figures.append(Figure("episode loop, plug-in policy", fast / 1e6, "M bars/s"))
    return figures


def _rich(settings: Settings) -> Settings:
    """A wallet and limits that refuse no order, as vectorbt refuses none."""
    position = settings.position.model_copy(update={"wallet_usdt": WALLET_USDT})
    limits = settings.limits.model_copy(
        update={"max_orders_per_day": 10**6, "daily_cost_share": 1.0, "weekly_cost_share": 1.0}
    )
    return settings.model_copy(update={"position": position, "limits": limits})


def _forecast(signals: NDArray[np.float32]) -> None:
    """A forecast that is the same in every frame, for the plug-in to work on."""
    signals[sg.STATE] = 0.0
    signals[sg.CONFIDENCE] = 1.0
    signals[[sg.VOL_30, sg.VOL_120, sg.SIGMA]] = 8e-4
    signals[sg.ONSET : sg.SEVERITY] = np.array([0.005, 0.02, 0.05] * 2)[:, None]
    signals[sg.SEVERITY : sg.VOL_30] = np.array([0.02, 0.03, 0.06, 0.08, 0.12] * 2)[:, None]


def _vectorbt(close: NDArray[np.float64]) -> tuple[float, int]:
    try:
        import pandas as pd
        import vectorbt as vbt
    except ImportError:
        return float("nan"), 0
    price = pd.Series(close)

    def run() -> int:
        gap = vbt.MA.run(price, FAST).ma / vbt.MA.run(price, SLOW).ma - 1.0
        portfolio = vbt.Portfolio.from_signals(
            price, gap < -THRESHOLD, gap > THRESHOLD, direction="shortonly", size=SIZE_LTC,
            fees=0.0005, slippage=0.0001, init_cash=WALLET_USDT, freq="1min",
        )  # fmt: skip
        portfolio.final_value()
        portfolio.max_drawdown()
        portfolio.orders.fees.sum()
        return int(portfolio.orders.count())

    return BARS / best_seconds(run), run()

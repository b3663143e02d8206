"""What was spent before a restart still counts after it, whatever is told first."""

from __future__ import annotations

import pytest

from litehedge.config import Settings
from litehedge.engine import step
from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.margin.account import HEDGE
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.risk.governor import spend_cost
from litehedge.risk.limits import refill, spend_order
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE
from synthetic import packaged_tiers


@pytest.mark.parametrize("amount", [-1.0, float("nan")])
def test_funding_before_the_first_price_of_a_run_takes_no_budget_away(amount):
    """What was told since the last checkpoint is lived through again, and no price has come yet."""
    now_ns = 20_416 * NS_PER_DAY + 5 * NS_PER_HOUR
    settings = Settings()
    state = start(
        settings, policy_named("plugin", settings), packaged_tiers(), BlindForecaster(),
        session="f", atom_ns=NS_PER_MINUTE,
    )  # fmt: skip
    state, _ = step(state, ev.Opened(now_ns, now_ns, 1000.0, None, 50.0, 80.0, 5.0, False))
    state.books["qty"][0] = 50.0, -20.0
    refill(state.budgets, state.limits, now_ns)
    spend_cost(state.budgets, 30.0)
    spend_order(state.budgets, 0.0)
    state, _ = step(state, ev.FundingPaid(now_ns, now_ns, 80.0, -0.001, amount, HEDGE))
    refill(state.budgets, state.limits, now_ns + NS_PER_MINUTE)
    assert state.budgets["cost_today"][0] > 30.0
    assert state.budgets["cost_week"][0] > 30.0
    assert state.budgets["orders_today"][0] == 1.0

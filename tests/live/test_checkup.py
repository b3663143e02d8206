"""What the doctor says of settings is what the guards do."""

from __future__ import annotations

import pytest

from litehedge.config import Settings
from litehedge.live.checkup import settings_checks
from litehedge.risk.limits import allow_leverage

PRICE = 80.0


@pytest.mark.parametrize("leverage", [5.0, 25.0, 40.0])
@pytest.mark.parametrize("most", [20.0, 40.0, 60.0])
def test_of_leverage_it_says_how_far_a_hedge_can_be_lifted(leverage, most):
    position = {"leverage": leverage, "wallet_usdt": 1000.0}
    limits = {"max_leverage": most, "max_hedge_notional_usdt": 1e7}
    hedge = {"location": "same_account"}
    settings = Settings.model_validate({"position": position, "limits": limits, "hedge": hedge})
    size = 1000.0 * leverage / PRICE
    assert allow_leverage(size, size, 0.0, PRICE, 1000.0, most) >= size, "hedging is never cut"
    left = 1.0 - min(1.0, allow_leverage(-size, size, size, PRICE, 1000.0, most) / size)
    told = [c.what for c in settings_checks(settings) if "max_leverage" in c.what]
    assert bool(told) == (left > 1e-12)
    if told:
        assert told[0].endswith(f"below {left:.0%}")

"""The crowd's large positions are closed as ours would be: held to the margin account."""

import numpy as np
import pytest

from litehedge.margin.account import POSITION, new_account
from litehedge.margin.liquidation import bounds, liquidate
from litehedge.sim.market import brackets as br
from litehedge.sim.market.parameters import LEVERAGES, N_LAYERS, RESTS
from litehedge.units import LONG, SHORT

PRICE = 80.0
SIZES = [*br.SIZES_USDT, *(br.TIERS.rows[tier + 1, 0] for tier in range(br.N_RESTS))]


@pytest.mark.parametrize("kind", range(len(SIZES)))
@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_position_is_closed_in_the_steps_of_the_margin_account(kind: int, side: int) -> None:
    """At its liquidation price the account keeps what the crowd keeps, and dies where it dies."""
    size = SIZES[kind] * (1.0 - 1e-9)  # a rest at the very top of its tier
    qty = side * size / PRICE
    books = new_account(br.RATES[kind] * size, qty, PRICE, 10.0)  # equity is what must be kept
    assert liquidate(books, PRICE, br.TIERS.rows, br.TIERS.clearance_fee)
    left = float(books["qty"][0, POSITION])
    assert left / qty == pytest.approx(br.STAYS[kind], abs=2e-9)
    if left == 0.0:
        assert br.REST_OF[kind] == -1
        return
    low, high = bounds(books, PRICE, br.TIERS.rows)
    dies_at = low if side == LONG else high
    further = br.FURTHER[0 if side == LONG else 1, kind]
    assert abs(np.log(dies_at / PRICE)) == pytest.approx(further, rel=1e-4)


def test_less_leverage_means_larger_positions_that_must_keep_more() -> None:
    assert list(br.SIZES_USDT) == sorted(br.SIZES_USDT, reverse=True)
    assert (np.diff(br.MAINTENANCE) <= 0.0).all()
    for leverage, rate in zip(LEVERAGES, br.MAINTENANCE, strict=True):
        assert rate < 1.0 / leverage, "a position would be born dead"


def test_every_rest_becomes_a_smaller_one_or_ends() -> None:
    assert N_LAYERS == RESTS + br.N_RESTS
    n = len(br.SIZES_USDT)
    for kind, rest in enumerate(br.REST_OF.tolist()):
        assert (br.STAYS[kind] > 0.0) == (rest >= 0)
        if rest >= 0:
            assert 0.0 < br.STAYS[kind] < 1.0
            assert (br.FURTHER[:, kind] > 0.0).all()
            assert n + rest < kind or kind < n, "a rest of a rest lies lower"

"""Maintenance tiers: continuous, rising, convex; and every table that cannot be true is refused."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest
from books import REFERENCE_TIERS, ROWS, TIERS
from hypothesis import given
from hypothesis import strategies as st
from reference import maintenance as integrated

from litehedge.errors import DataError, UsageError
from litehedge.margin.tiers import (
    CUM,
    FLOOR,
    MAX_LEVERAGE,
    RATE,
    TierTable,
    maintenance,
    parse_tiers,
    tier_index,
)
from strategies import log_floats

notionals = st.one_of(log_floats(1.0, 1e8), st.sampled_from([float(r[FLOOR]) for r in ROWS[1:]]))


# --- laws -------------------------------------------------------------------------------------


@given(notionals)
def test_maintenance_is_the_integral_of_the_marginal_rates(notional: float) -> None:
    expected = integrated(notional, REFERENCE_TIERS)
    assert maintenance(notional, ROWS) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("tier", range(1, len(ROWS)))
def test_maintenance_is_continuous_at_each_floor(tier: int) -> None:
    floor = float(ROWS[tier, FLOOR])
    below, above = floor * (1 - 1e-12), floor * (1 + 1e-12)
    assert tier_index(below, ROWS) == tier_index(floor, ROWS) == tier - 1
    assert tier_index(above, ROWS) == tier
    assert maintenance(above, ROWS) == pytest.approx(maintenance(below, ROWS), rel=1e-10)


@given(notionals, st.floats(1e-9, 1.0))
def test_maintenance_rises_with_size_and_never_faster_than_the_top_rate(
    notional: float, more: float
) -> None:
    step = notional * more
    rise = maintenance(notional + step, ROWS) - maintenance(notional, ROWS)
    assert 0.0 < rise <= step * ROWS[-1, RATE] * (1 + 1e-6)


@given(notionals, notionals, st.floats(0.0, 1.0))
def test_maintenance_is_convex(one: float, other: float, share: float) -> None:
    between = maintenance(share * one + (1 - share) * other, ROWS)
    chord = share * maintenance(one, ROWS) + (1 - share) * maintenance(other, ROWS)
    assert between <= chord * (1 + 1e-12) + 1e-9


@given(notionals, notionals)
def test_two_halves_never_need_more_than_the_whole(one: float, other: float) -> None:
    parts = maintenance(one, ROWS) + maintenance(other, ROWS)
    assert maintenance(one + other, ROWS) >= parts * (1 - 1e-12)


@given(notionals)
def test_larger_positions_never_get_more_leverage(notional: float) -> None:
    assert TIERS.max_leverage(notional) >= TIERS.max_leverage(2 * notional)
    assert maintenance(notional, ROWS) < notional / TIERS.max_leverage(notional)


@given(log_floats(1.0, 7e7))
def test_the_largest_leverage_is_allowed_and_more_is_not(equity: float) -> None:
    """The position grows with leverage, and the bracket with the position."""
    most = TIERS.largest_leverage(equity)
    TIERS.check_leverage(most * (1 - 1e-9), most * (1 - 1e-9) * equity)
    with pytest.raises(UsageError):
        TIERS.check_leverage(most * 1.001, most * 1.001 * equity)


# --- the packaged tables ----------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["LTCUSDT", "LTCUSDC"])
def test_packaged_tables_are_complete(symbol: str) -> None:
    name = f"binance-{symbol}.toml"
    text = (resources.files("litehedge.margin") / "tables" / name).read_text(encoding="utf-8")
    table = parse_tiers(text, name)
    assert (table.venue, table.symbol) == ("binance", symbol)
    assert table.rows.shape == (10, 4)
    assert table.cap_usdt > table.rows[-1, FLOOR]
    assert 0.0 < table.clearance_fee < 0.05


def test_brackets_of_binance_ltcusdt() -> None:
    assert ROWS[1].tolist() == [10_000, 0.01, 50, 50]
    assert ROWS[5].tolist() == [1_600_000, 0.05, 45_100, 10]
    assert maintenance(10_940.6, ROWS) == pytest.approx(59.406)


# --- refusals ---------------------------------------------------------------------------------

GOOD = """
venue = "v"
symbol = "S"
version = "2026-01"
source = "somewhere"
clearance_fee = 0.01
cap_usdt = 1000
tiers = [[0, 0.01, 0, 50], [100, 0.02, 1, 25], [500, 0.05, 16, 10]]
"""


def test_a_good_table_is_read() -> None:
    table = parse_tiers(GOOD, "t.toml")
    assert table.rows[:, CUM].tolist() == [0, 1, 16]
    assert table.rows[:, MAX_LEVERAGE].tolist() == [50, 25, 10]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('venue = "v"', "venue = ", "t.toml is not a tier table ("),
        ('symbol = "S"\n', "", "t.toml is not a tier table ('symbol'): compare it with a packaged"),
        ("clearance_fee = 0.01", 'clearance_fee = "x"', "could not convert string to float"),
        ("cap_usdt = 1000", "cap_usdt = []", "t.toml is not a tier table"),
        ("[0, 0.01, 0, 50]", "[0, 0.01, 0]", "t.toml is not a tier table"),
        ("tiers = [[0, 0.01, 0, 50], [100, 0.02, 1, 25], [500, 0.05, 16, 10]]", "tiers = []",
         "tiers must be rows of 4 numbers, the first from 0 USDT with cum 0"),
        ("[0, 0.01, 0, 50]", "[1, 0.01, 0, 50]", "the first from 0 USDT with cum 0"),
        ("[0, 0.01, 0, 50]", "[0, 0.01, 3, 50]", "the first from 0 USDT with cum 0"),
        ("[500, 0.05, 16, 10]", "[100, 0.05, 4, 10]", "floors and maintenance rates must rise"),
        ("[500, 0.05, 16, 10]", "[500, 0.02, 1, 10]", "floors and maintenance rates must rise"),
        ("[500, 0.05, 16, 10]", "[500, nan, 16, 10]", "holds a number that is not finite"),
        ("[100, 0.02, 1, 25]", "[100, 0.02, 2, 25]",
         "cumulative amount of tier 2 is 2.00: maintenance is continuous only with 1.00"),
        ("[500, 0.05, 16, 10]", "[500, 0.05, 15, 10]",
         "cumulative amount of tier 3 is 15.00: maintenance is continuous only with 16.00"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_true_is_refused(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(DataError) as refused:
        parse_tiers(GOOD.replace(old, new), "t.toml")
    assert str(refused.value).startswith("t.toml")
    assert message in str(refused.value)


def _small() -> TierTable:
    return parse_tiers(GOOD, "t.toml")


def test_leverage_that_the_venue_allows_passes() -> None:
    _small().check_leverage(50, 100)
    _small().check_leverage(10, 1000)


def test_too_much_leverage_is_refused_with_the_largest_allowed() -> None:
    with pytest.raises(UsageError) as refused:
        _small().check_leverage(26, 101)
    assert refused.value.what == "26x on 101 USDT is above the maximum of v S (tiers of 2026-01)"
    assert refused.value.remedy == "use at most 25x at this size, or a smaller wallet"


def test_too_large_a_position_is_refused_with_the_cap() -> None:
    with pytest.raises(UsageError) as refused:
        _small().check_leverage(1, 1000.5)
    assert "above the cap of v S (tiers of 2026-01)" in refused.value.what
    assert refused.value.remedy == "use at most 1,000 USDT"


@given(log_floats(1.0, 2e8), log_floats(1.0, 200.0))
def test_a_leverage_passes_exactly_when_the_bracket_allows_it(
    notional: float, leverage: float
) -> None:
    row = ROWS[max(np.flatnonzero(notional > ROWS[:, FLOOR]))]
    if leverage <= row[MAX_LEVERAGE] and notional <= TIERS.cap_usdt:
        TIERS.check_leverage(leverage, notional)
    else:
        with pytest.raises(UsageError):
            TIERS.check_leverage(leverage, notional)

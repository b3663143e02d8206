"""The ledger of recommendations: one account, every ratio, nothing from the future."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acted import at, journaled, part_of, set_hedge
from litehedge.hedge.policies import policy_named
from litehedge.hedge.terms import terms_of
from litehedge.learning import entries as en
from litehedge.learning.outcomes import RATIOS, outcomes_of_ratios
from litehedge.learning.past import past_of
from litehedge.margin.account import HEDGE, apply_fill, equity, new_account
from litehedge.settings import load_settings
from synthetic import Crash, market, packaged_tiers

OWN = market(420, seed=3, vol=0.001, crashes=(Crash(at=120, bars=15, depth=0.12),))
NONE = np.empty(0)


def past(path, commands=(), **options):
    journal = journaled(path, OWN, commands, **options)
    return past_of([part_of(journal, n, head) for n, head in journal.runs()])


def outcomes(bars, ratio_now, *, price, leverage=5.0, ratios=RATIOS, location="same_account"):
    chosen = load_settings()
    hedge = chosen.hedge.model_copy(update={"location": location})
    chosen = chosen.model_copy(update={"hedge": hedge})
    size = 1000.0 * leverage / price
    books = new_account(1000.0, size, price, leverage)
    terms = terms_of(chosen, policy_named("plugin", chosen), packaged_tiers(), size)
    if ratio_now:
        apply_fill(books, HEDGE, -ratio_now * size, price, 0.0, 0.0)
    out = np.empty((ratios.size, 3))
    outcomes_of_ratios(
        books, terms, price, 0.001, 1e5, ratios, bars, 0, len(bars), NONE.astype(np.int64), NONE,
        NONE, out,
    )  # fmt: skip
    return out, books, terms, size


def rising(first, last, n=30):
    close = np.linspace(first, last, n)
    open_ = np.concatenate(([first], close[:-1]))
    return np.column_stack((open_, np.maximum(open_, close), np.minimum(open_, close), close))


@settings(max_examples=20, deadline=None)
@given(st.floats(95.0, 105.0), st.sampled_from([0.0, 0.3, 1.0]))
def test_an_outcome_is_the_move_of_what_is_left_less_what_the_change_costs(ends, now):
    out, books, terms, size = outcomes(rising(100.0, ends), now, price=100.0)
    for ratio, (gain, _, died) in zip(RATIOS, out, strict=True):
        moved = (1.0 - ratio) * size * (ends - 100.0)
        cost = gain - moved
        traded = abs(ratio - now) * size
        if traded < 1e-9 * size:
            assert cost == pytest.approx(0.0, abs=1e-9)  # what is not changed costs nothing
        else:
            rate = float(terms["taker_fee"][0] + terms["half_spread"][0])
            assert -cost >= rate * traded * 100.0 * (1.0 - 0.01)
        assert not died
    assert equity(books, 100.0) == pytest.approx(1000.0)  # the account itself stays as it was


def test_a_fall_to_liquidation_kills_small_hedges_and_spares_large_ones():
    out, *_ = outcomes(rising(100.0, 70.0, 200), 0.0, price=100.0, leverage=5.0)
    died = out[:, 2] > 0.0
    assert died[0]
    assert not died[-1]
    assert (np.diff(died.astype(int)) <= 0).all()  # more hedge never dies where less lives
    assert (out[died, 1] == 0.0).all()
    assert (out[~died, 1] > 0.0).all()
    reduced, *_ = outcomes(rising(100.0, 70.0, 200), 0.0, price=100.0, location="reduce")
    assert reduced[0, 2] == 1.0
    assert reduced[-1, 2] == 0.0


def test_every_decision_whose_horizon_is_over_has_an_entry_and_no_other(tmp_path):
    told = past(tmp_path / "j", [set_hedge(100, 0.9, 60)], policy="unhedged")
    found = en.entries_of(told)
    last_ns = int(told.bar_ns[-1])
    due = [a for a in told.asked if a.decision.time_ns + 240 * 60_000_000_000 <= last_ns]
    assert [e.time_ns for e in found] == [a.decision.time_ns for a in due]
    assert 0 < len(found) < len(told.asked)
    (hedged,) = [e for e in found if e.done and e.target > 0.5]
    assert hedged.target == pytest.approx(0.9)
    assert hedged.fills
    assert hedged.cost_usdt > 0.0
    assert hedged.worth_usdt > 0.0  # before a fall
    assert hedged.gains_usdt == sorted(hedged.gains_usdt)
    assert len(hedged.features) == 16
    assert hedged.model == "none"


def test_what_comes_after_the_horizon_changes_no_entry(tmp_path):
    """No look-ahead: the same session on a market that differs later has the same entries."""
    other = market(420, seed=3, vol=0.001, crashes=(Crash(at=120, bars=15, depth=0.12),))
    later = 300
    other.bars[later:, :4] *= 1.07
    one = past(tmp_path / "a")
    journal = journaled(tmp_path / "b", other)
    two = past_of([part_of(journal, n, head) for n, head in journal.runs()])
    until = at(later)
    first = [e for e in en.entries_of(one) if e.until_ns < until]
    assert first
    assert first == [e for e in en.entries_of(two) if e.until_ns < until]


def test_the_outcome_of_what_was_done_is_what_the_session_earned(tmp_path):
    """With nothing done the counterfactual of the ratio as it was is the session's own course."""
    told = past(tmp_path / "j", policy="unhedged", leverage=2.0)
    entry = en.entries_of(told)[0]
    size = abs(float(told.asked[0].books["qty"][0, 0]))
    closes = dict(zip(told.bar_ns.tolist(), told.bars[:, 3].tolist(), strict=True))
    moved = size * (closes[entry.until_ns] - entry.price)
    assert entry.kept_usdt == pytest.approx(moved, abs=0.05 * size)
    assert entry.gains_usdt[0] == pytest.approx(entry.kept_usdt)


def test_the_sum_says_nothing_of_few_changes_and_draws_over_days():
    assert en.sum_of([]).worth_usdt is None
    values = np.array([1.0, 1.0, 3.0, 3.0])
    assert en.interval_of(values, np.zeros(4, dtype=np.int64)) is None
    told = en.interval_of(values, np.array([0, 0, 1, 1]))
    assert told.value == 2.0
    assert told.low == 1.0
    assert told.high == 3.0


def test_of_events_at_one_moment_none_is_passed_over(tmp_path):
    """Companions are known with the bar that ends a frame: every frame is there all the same."""
    journal = journaled(tmp_path / "j", OWN, is_full=True)
    parts = [part_of(journal, n, head) for n, head in journal.runs()]
    told = past_of(parts)
    assert told.end_ns.tolist() == OWN.end_ns[: told.end_ns.size].tolist()
    assert told.end_ns.size >= len(OWN) - 1
    assert len(told.asked) > 300
    # A second run that warms up on the first one adds nothing to it.
    again = past_of([*parts, *parts])
    assert again.end_ns.tolist() == told.end_ns.tolist()
    assert len(again.asked) == len(told.asked)

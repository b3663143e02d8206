"""The hard limits: tighter never allows more, and no verdict ever raises risk."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from litehedge.config import Limits, Settings, VenueRules
from litehedge.margin.tiers import maintenance
from litehedge.risk import limits as rl
from litehedge.risk.backoff import (
    FIRST_WAIT_NS,
    LONGEST_WAIT_NS,
    PROTECTING_WAIT_NS,
    allow_after_refusal,
    order_refused,
    orders_taken,
    wait_after,
)
from litehedge.risk.governor import (
    EASE_FROM,
    ease,
    eased,
    eases_below,
    roll_days,
    spend_cost,
    spend_funding,
    used_share,
)
from litehedge.risk.limits import (
    LIMITS,
    MEANING,
    N_GUARDS,
    Code,
    allowances,
    equity_stopped,
    limits_array,
    new_budget,
    refill,
    spend_order,
    spend_transfer,
    transfer_budget,
    whole_lots,
)
from litehedge.risk.sliding import note_left
from litehedge.risk.verdicts import (
    SANE,
    SETTINGS,
    WITHOUT_CODE,
    Case,
    Verdict,
    table,
    verdicts,
)
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE
from strategies import log_floats
from synthetic import packaged_tiers

ROWS = packaged_tiers().rows


@dataclass(frozen=True)
class Context:
    """A wish to change the hedge, and everything that guards look at."""

    position: float
    ratio: float
    wish: float  # wanted change as a share of the position, signed
    price: float
    leverage: float
    depth_usdt: float
    age_s: float
    has_leg: bool
    taken: float
    is_reduce_only: bool
    state: int
    spent: tuple[tuple[float, float, float], ...]  # seconds since, ratio, cost as share of equity
    rest_s: float
    lot: float
    min_notional: float

    @property
    def equity(self) -> float:
        return self.position * self.price / self.leverage

    @property
    def delta(self) -> float:
        return self.wish * self.position


contexts = st.builds(
    Context,
    position=log_floats(0.05, 2e5),
    ratio=st.one_of(st.just(0.0), st.floats(0.0, 1.0)),
    wish=st.one_of(st.just(1.0), st.just(-1.0), st.floats(-1.0, 1.0).filter(lambda x: x != 0.0)),
    price=log_floats(20.0, 400.0),
    leverage=st.one_of(log_floats(0.5, 80.0), st.just(1e9)),
    depth_usdt=st.one_of(st.just(math.nan), st.just(0.0), log_floats(1.0, 1e8)),
    age_s=log_floats(0.01, 1e5),
    has_leg=st.booleans(),
    taken=st.floats(0.0, 100.0),
    is_reduce_only=st.booleans(),
    state=st.sampled_from([0, 0, 0, 1, 2]),
    spent=st.lists(
        st.tuples(st.floats(0.0, 300.0), st.floats(0.0, 1.0), st.floats(0.0, 0.05)), max_size=8
    ).map(tuple),
    rest_s=st.floats(0.0, 120.0),
    lot=st.sampled_from([0.001, 0.01, 0.1]),
    min_notional=st.sampled_from([0.0, 5.0, 20.0, 500.0]),
)

settings_limits = st.builds(
    Limits,
    max_hedge_notional_usdt=log_floats(10.0, 1e7),
    max_leverage=log_floats(0.5, 200.0),
    max_ratio_per_minute=log_floats(0.01, 2.0),
    max_orders_per_minute=st.integers(1, 6),
    max_orders_per_day=st.integers(6, 12),
    daily_cost_share=log_floats(1e-3, 0.1),
    weekly_cost_share=log_floats(0.1, 1.0),
    max_depth_share=log_floats(0.01, 1.0),
    min_margin_buffer=st.floats(0.0, 0.95),
    equity_stop_share=st.floats(0.0, 0.95),
    max_price_age_s=log_floats(0.1, 1e5),
)


def asked(context: Context, limits: Limits) -> tuple[float, list[float]]:
    """Live through what was spent, then ask: the size that all guards together allow."""
    kept = limits_array(limits)
    budgets = new_budget(context.equity)
    now = 20_000 * NS_PER_DAY
    for seconds, ratio, cost in context.spent:
        now += int(seconds * 1e9)
        refill(budgets, kept, now)
        spend_order(budgets, ratio)
        spend_cost(budgets, cost * context.equity)
    now += int(context.rest_s * 1e9)
    refill(budgets, kept, now)
    budgets["state"] = context.state
    # The account has lost a part of its equity since.
    if equity_stopped(budgets, kept, 0.4 * context.equity):
        budgets["state"] = 2
    out = np.empty(N_GUARDS)
    size = allowances(
        context.delta, context.position, context.ratio * context.position, context.price,
        0.4 * context.equity, context.depth_usdt, context.age_s,
        0.4 * context.equity if context.has_leg else INF, context.taken, context.is_reduce_only,
        budgets, kept, ROWS, context.lot, context.min_notional, out,
    )  # fmt: skip
    return float(size), out.tolist()


# How each limit is made tighter: a smaller number, or a larger one.
SMALLER = {
    "max_hedge_notional_usdt", "max_leverage", "max_ratio_per_minute", "max_orders_per_minute",
    "max_orders_per_day", "daily_cost_share", "weekly_cost_share", "max_depth_share",
    "max_price_age_s",
}  # fmt: skip
LARGER = {"min_margin_buffer", "equity_stop_share"}
ELSEWHERE = {"collar_bps", "max_clock_skew_ms"}  # in the order's limit, and in the engine


def test_every_limit_is_tested() -> None:
    assert set(Limits.model_fields) == SMALLER | LARGER | ELSEWHERE
    assert len(LIMITS.names) == len(SMALLER | LARGER)


def tightened(limits: Limits, name: str, share: float) -> Limits:
    before = getattr(limits, name)
    if name in LARGER:
        after = before + share * (0.99 - before)
    elif isinstance(before, int):
        after = max(1, int(before * (1.0 - share)))
    else:
        after = before * (1.0 - share)
    return limits.model_copy(update={name: after})


@pytest.mark.parametrize("name", sorted(SMALLER | LARGER))
@given(context=contexts, limits=settings_limits, share=st.floats(0.0, 0.99))
@settings(max_examples=100)
def test_a_tighter_limit_never_allows_more(
    name: str, context: Context, limits: Limits, share: float
) -> None:
    loose, _ = asked(context, limits)
    tight, _ = asked(context, tightened(limits, name, share))
    event("the tighter limit bit" if tight < loose else "no difference")
    assert tight <= loose


@given(context=contexts, limits=settings_limits)
@settings(max_examples=200)
def test_no_verdict_ever_raises_risk(context: Context, limits: Limits) -> None:
    wanted = abs(context.delta)
    size, allowed = asked(context, limits)
    assert 0.0 <= size <= wanted * (1 + 1e-12) + 1e-12 * context.lot
    assert all(a >= 0.0 for a in allowed)
    assert size <= min(allowed) * (1 + 1e-9) + 1e-9 * context.lot
    spoke = verdicts(wanted, np.array(allowed))
    assert {v.code for v in spoke} == {
        code for code, a in zip(Code, allowed, strict=True) if a < wanted
    }
    if not spoke:
        assert size > wanted - context.lot
    if size == 0.0:
        assert spoke or wanted < context.lot


@given(context=contexts, limits=settings_limits)
def test_halted_allows_nothing(context: Context, limits: Limits) -> None:
    halted = Context(**{**vars(context), "state": 2})
    size, allowed = asked(halted, limits)
    assert size == allowed[list(Code).index(Code.TRADING_HALTED)] == 0.0


@given(context=contexts, limits=settings_limits)
def test_reducing_never_lifts_the_hedge_and_does_not_stop_protection(
    context: Context, limits: Limits
) -> None:
    reducing = Context(**{**vars(context), "state": 1})
    active = Context(**{**vars(context), "state": 0})
    if context.delta < 0.0:
        assert asked(reducing, limits)[0] == 0.0
    else:
        assert asked(reducing, limits)[0] == asked(active, limits)[0]


# --- each guard -------------------------------------------------------------------------------

INF = math.inf


@pytest.mark.parametrize(
    ("guard", "arguments", "allowed"),
    [
        ("allow_halted", (1,), INF),
        ("allow_reducing", (1, -1.0), 0.0),
        ("allow_reducing", (0, -1.0), INF),
        ("allow_notional", (1.0, 3.0, 100.0, 500.0), 2.0),
        ("allow_notional", (1.0, 6.0, 100.0, 500.0), 0.0),
        ("allow_notional", (-1.0, 6.0, 100.0, 500.0), INF),
        ("allow_leverage", (-1.0, 10.0, 6.0, 100.0, 100.0, 5.0), 1.0),
        ("allow_leverage", (-1.0, 10.0, 2.0, 100.0, 100.0, 5.0), 0.0),
        ("allow_leverage", (-1.0, 10.0, 6.0, 100.0, -5.0, 5.0), 0.0),
        ("allow_leverage", (1.0, 10.0, 2.0, 100.0, 100.0, 5.0), INF),
        ("allow_ratio_step", (-1.0, 10.0, 0.25), 2.5),
        ("allow_ratio_step", (1.0, 10.0, 0.25), np.inf),
        ("allow_ratio_step", (-1.0, 10.0, -0.25), 0.0),
        ("allow_orders", (1.0, 1.0, 1.0), INF),
        ("allow_orders", (1.0, 0.999, 0.0), 0.0),
        ("allow_orders", (-1.0, 1.0, 0.0), INF),
        ("allow_orders", (-1.0, 1.999, 1.0), 0.0),
        ("allow_orders", (-1.0, 2.0, 1.0), INF),
        ("minute_reserve", (1,), 0.0),
        ("minute_reserve", (6,), 1.0),
        ("day_reserve", (1,), 0.0),
        ("day_reserve", (2,), 1.0),
        ("day_reserve", (200,), 50.0),
        ("allow_cost", (-1.0, 3.0, 100.0, 0.03), 0.0),
        ("allow_cost", (-1.0, 2.9, 100.0, 0.03), INF),
        ("allow_cost", (1.0, 50.0, 100.0, 0.03), INF),
        ("allow_cost", (-1.0, 0.0, -1.0, 0.03), 0.0),
        ("allow_depth", (math.nan, 100.0, 0.2), INF),
        ("allow_depth", (5_000.0, 100.0, 0.2), 10.0),
        ("allow_depth", (-1.0, 100.0, 0.2), 0.0),
        ("allow_age", (-1.0, 901.0, 900.0), 0.0),
        ("allow_age", (-1.0, 900.0, 900.0), INF),
        ("allow_age", (1.0, 1e9, 900.0), INF),
        ("allow_minimum", (0.1, 100.0, 20.0, False), 0.0),
        ("allow_minimum", (0.2, 100.0, 20.0, False), INF),
        ("allow_minimum", (0.1, 100.0, 20.0, True), INF),
    ],
)  # fmt: skip
def test_a_guard_by_hand(guard: str, arguments: tuple[float, ...], allowed: float) -> None:
    assert getattr(rl, guard)(*arguments) == pytest.approx(allowed)


def test_the_margin_buffer_is_kept_by_the_second_leg() -> None:
    """100 LTC at 100 need 50 USDT; of 200 equity 10 % stay free: 130 for the hedge's maintenance.

    In bracket 2 that is worth (130 + 50) / 1 % = 18,000 USDT.
    """
    position = maintenance(10_000.0, ROWS)
    allowed = rl.allow_margin(300.0, 0.0, 100.0, 200.0, position, 0.1, ROWS)
    assert allowed == pytest.approx(180.0)
    assert rl.allow_margin(179.0, 0.0, 100.0, 200.0, position, 0.1, ROWS) == INF
    assert rl.allow_margin(300.0, 0.0, 100.0, INF, 0.0, 0.1, ROWS) == INF
    assert rl.allow_margin(-5.0, 90.0, 100.0, 1.0, position, 0.1, ROWS) == INF
    assert rl.allow_margin(5.0, 10.0, 100.0, 50.0, position, 0.1, ROWS) == 0.0


# --- budgets ----------------------------------------------------------------------------------


def test_what_was_sent_counts_for_sixty_seconds() -> None:
    limits = limits_array(Limits(max_orders_per_minute=6, max_ratio_per_minute=0.5))
    budgets = new_budget(1000.0)
    now = 20_000 * NS_PER_DAY
    refill(budgets, limits, now)
    assert (budgets["order_tokens"][0], budgets["ratio_tokens"][0]) == (6.0, 0.5)
    for _ in range(6):
        spend_order(budgets, 0.1)
    assert budgets["order_tokens"][0] == 0.0
    assert budgets["ratio_tokens"][0] == pytest.approx(-0.1)
    refill(budgets, limits, now + NS_PER_MINUTE - 1)
    assert budgets["order_tokens"][0] == 0.0
    assert budgets["ratio_tokens"][0] == pytest.approx(-0.1)
    refill(budgets, limits, now + NS_PER_MINUTE)
    assert (budgets["order_tokens"][0], budgets["ratio_tokens"][0]) == (6.0, 0.5)


@given(back=st.integers(1, 20 * 86_400), sent=st.integers(1, 6))
def test_a_clock_that_goes_back_gives_no_orders_and_takes_none_for_good(
    back: int, sent: int
) -> None:
    """However far it is set back, what was sent counts, and a minute later no more."""
    limits = limits_array(Limits(max_orders_per_minute=6))
    budgets = new_budget(1000.0)
    now = 20_000 * NS_PER_DAY
    refill(budgets, limits, now)
    for _ in range(sent):
        spend_order(budgets, 0.1)
    then = now - back * 10**9
    refill(budgets, limits, then)
    assert budgets["order_tokens"][0] == 6.0 - sent
    refill(budgets, limits, then + 2 * NS_PER_MINUTE)
    assert budgets["order_tokens"][0] == 6.0


def test_an_order_counts_from_when_it_left() -> None:
    """A frame is decided when the next word comes, which may be long after its end."""
    limits = limits_array(Limits(max_orders_per_minute=1))
    budgets = new_budget(1000.0)
    now = 20_000 * NS_PER_DAY
    refill(budgets, limits, now)
    spend_order(budgets, 0.1)
    note_left(budgets, now + NS_PER_MINUTE // 2)
    refill(budgets, limits, now + NS_PER_MINUTE)
    assert budgets["order_tokens"][0] == 0.0
    refill(budgets, limits, now + 3 * NS_PER_MINUTE // 2)
    assert budgets["order_tokens"][0] == 1.0


def test_counters_begin_anew_at_midnight_utc() -> None:
    limits = limits_array(Limits())
    budgets = new_budget(1000.0)
    refill(budgets, limits, 20_000 * NS_PER_DAY + 5)
    spend_order(budgets, 0.1)
    spend_cost(budgets, 3.0)
    refill(budgets, limits, 20_001 * NS_PER_DAY - 1)
    assert (budgets["orders_today"][0], budgets["cost_today"][0]) == (1.0, 3.0)
    refill(budgets, limits, 20_001 * NS_PER_DAY)
    assert (budgets["orders_today"][0], budgets["cost_today"][0]) == (0.0, 0.0)


@given(
    st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 0.3), st.booleans()), max_size=120),
    st.integers(1, 60), st.floats(0.05, 2.0),
)  # fmt: skip
def test_no_sixty_seconds_see_more_than_the_limit(
    trades: list[tuple[float, float, bool]], per_minute: int, ratio: float
) -> None:
    """Whichever sixty seconds: those around a full minute too. What protects may move more."""
    limits = limits_array(Limits(max_orders_per_minute=per_minute, max_ratio_per_minute=ratio))
    budgets = new_budget(1000.0)
    now = 20_000 * NS_PER_DAY
    sent: list[tuple[int, float]] = []
    for seconds, wish, protects in trades:
        now += int(seconds * 1e9 / per_minute)
        refill(budgets, limits, now)
        room = INF if protects else rl.allow_ratio_step(-1.0, 1.0, budgets["ratio_tokens"][0])
        size = min(wish, room)
        delta = 1.0 if protects else -1.0
        reserve = rl.minute_reserve(per_minute)
        if rl.allow_orders(delta, budgets["order_tokens"][0], reserve) > 0.0 and size > 0.0:
            spend_order(budgets, size)
            sent.append((now, 0.0 if protects else size))
        lately = [moved for time, moved in sent if now - time < NS_PER_MINUTE]
        assert len(lately) <= per_minute
        assert sum(lately) <= ratio + 1e-9


@given(st.integers(1, 6))
def test_what_may_be_sent_is_sent(per_minute: int) -> None:
    """Nor does it see less: as many as the limit says, and then again a minute later."""
    limits = limits_array(Limits(max_orders_per_minute=per_minute))
    budgets = new_budget(1000.0)
    sent = 0
    for second in range(180):
        refill(budgets, limits, 20_000 * NS_PER_DAY + second * 10**9)
        if rl.allow_orders(1.0, budgets["order_tokens"][0], 0.0) > 0.0:
            spend_order(budgets, 0.0)
            sent += 1
    assert sent == 3 * per_minute


def test_the_equity_stop() -> None:
    limits = limits_array(Limits(equity_stop_share=0.25))
    budgets = new_budget(1000.0)
    assert not equity_stopped(budgets, limits, 250.1)
    assert equity_stopped(budgets, limits, 250.0)


# --- what is kept for protection ----------------------------------------------------------------


@given(st.integers(1, 8), st.integers(8, 40), st.integers(1, 60))
def test_churn_never_uses_up_what_protects(per_minute: int, per_day: int, minutes: int) -> None:
    """However often a hedge is lifted, the last quarter of the day's orders is left."""
    limits = limits_array(Limits(max_orders_per_minute=per_minute, max_orders_per_day=per_day))
    budgets = new_budget(1000.0)
    now = 20_000 * NS_PER_DAY
    for i in range(4 * minutes):
        refill(budgets, limits, now + i * NS_PER_MINUTE // 4)
        left = per_day - budgets["orders_today"][0]
        tokens = float(budgets["order_tokens"][0])
        lifts = min(
            rl.allow_orders(-1.0, tokens, rl.minute_reserve(per_minute)),
            rl.allow_orders(-1.0, left, rl.day_reserve(per_day)),
        )
        if lifts > 0.0:
            spend_order(budgets, 0.0)
            assert per_minute == 1 or budgets["order_tokens"][0] >= 1.0
    assert per_day - budgets["orders_today"][0] >= per_day // 4
    assert rl.allow_orders(1.0, per_day - budgets["orders_today"][0], 99.0) == INF


@given(st.lists(st.tuples(st.floats(0.0, 400.0), st.booleans(), st.floats(0.0, 1.0)), max_size=40))
def test_what_is_refused_costs_neither_order_nor_ratio_and_waits_grow(
    tries: list[tuple[float, bool, float]],
) -> None:
    limits = limits_array(Limits(max_orders_per_minute=6))
    budgets = new_budget(1000.0)
    now = 20_000 * NS_PER_DAY
    waits = [0]
    for seconds, protects, ratio in tries:
        now += int(seconds * 1e9)
        refill(budgets, limits, now)
        before = (float(budgets["orders_today"][0]), float(budgets["ratio_tokens"][0]))
        spend_order(budgets, ratio)
        order_refused(budgets, now)
        after = (float(budgets["orders_today"][0]), float(budgets["ratio_tokens"][0]))
        assert after == (before[0], pytest.approx(before[1]))
        refused = int(budgets["refused"][0])
        wait = wait_after(refused, 1.0 if protects else -1.0)
        longest = PROTECTING_WAIT_NS if protects else LONGEST_WAIT_NS
        assert wait == min(FIRST_WAIT_NS * 2 ** (refused - 1), longest)
        assert wait_after(refused, -1.0) >= max(waits)
        waits.append(wait_after(refused, -1.0))
        delta = 1.0 if protects else -1.0
        assert allow_after_refusal(delta, refused, wait - 1) == 0.0
        assert allow_after_refusal(delta, refused, wait) == INF
        assert allow_after_refusal(delta, refused, -1) == INF  # a clock that was set back
    orders_taken(budgets)
    assert wait_after(int(budgets["refused"][0]), -1.0) == 0


# --- the cost governor --------------------------------------------------------------------------


@given(st.floats(0.0, 3.0), st.floats(0.0, 3.0))
def test_the_band_widens_smoothly_and_never_narrows_with_use(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= ease(low) <= ease(high) + 1e-15 <= 1.0 + 1e-15
    assert abs(ease(high) - ease(low)) <= 1.5 / (1.0 - EASE_FROM) * (high - low) + 1e-12
    assert ease(EASE_FROM) == 0.0
    assert ease(1.0) == 1.0


spends = st.lists(
    st.tuples(st.floats(0.0, 60.0), st.one_of(st.just(0.0), st.floats(-5.0, 20.0))), max_size=40
)


@given(spends)
def test_a_week_is_today_and_the_six_days_before(spent: list[tuple[float, float]]) -> None:
    limits = limits_array(Limits())
    budgets = new_budget(1000.0)
    now = 20_000 * NS_PER_DAY
    booked: list[tuple[int, float]] = []
    for hours, cost in spent:
        now += int(hours * 3600e9)
        spend_funding(budgets, cost, now)
        booked.append((now // NS_PER_DAY, max(0.0, cost)))
        roll_days(budgets, now)
        roll_days(budgets, now - NS_PER_DAY // 2)  # a clock that is set back gives nothing back
        today = now // NS_PER_DAY
        week = sum(c for day, c in booked if day > today - 7)
        assert budgets["cost_today"][0] == pytest.approx(sum(c for d, c in booked if d == today))
        assert budgets["cost_week"][0] == pytest.approx(week)
    used = max(budgets["cost_today"][0] / 30.0, budgets["cost_week"][0] / 100.0)  # of a thousand
    assert used_share(budgets, limits, 1000.0) == pytest.approx(used)
    assert (eases_below(budgets, limits) > 1000.0) == (used > EASE_FROM)
    hi = eased(0.25, 0.85, 1000.0, now, budgets, limits)
    assert hi == pytest.approx(0.25 + 0.6 * ease(used))


@given(st.integers(0, 400), st.floats(0.0, 0.99))
def test_a_clock_set_back_and_right_again_gives_nothing_back(hours: int, share: float) -> None:
    budgets = new_budget(1000.0)
    limits = limits_array(Limits())
    now = 20_000 * NS_PER_DAY + int(share * NS_PER_DAY)
    refill(budgets, limits, now)
    spend_order(budgets, 0.1)
    spend_cost(budgets, 10.0)
    transfer_budget(budgets, now, 100.0)
    spend_transfer(budgets, 60.0)
    for then in (now - (25 + hours) * NS_PER_HOUR, now):
        refill(budgets, limits, then)
        assert budgets["orders_today"][0] == 1.0
        assert (budgets["cost_today"][0], budgets["cost_week"][0]) == (10.0, 10.0)
        assert transfer_budget(budgets, then, 100.0) == 40.0
    refill(budgets, limits, now + NS_PER_DAY)
    assert (budgets["orders_today"][0], budgets["cost_today"][0]) == (0.0, 0.0)
    assert budgets["cost_week"][0] == 10.0
    assert transfer_budget(budgets, now + NS_PER_DAY, 100.0) == 100.0


@given(st.integers(2, 60), st.integers(1, 9))
def test_after_a_clock_that_ran_ahead_days_pass_again(ahead: int, days: int) -> None:
    """What was spent while the clock was wrong must not hold what protects for weeks."""
    budgets = new_budget(1000.0)
    now = 20_000 * NS_PER_DAY
    roll_days(budgets, now + ahead * NS_PER_DAY)
    spend_cost(budgets, 10.0)
    transfer_budget(budgets, now + ahead * NS_PER_DAY, 100.0)
    spend_transfer(budgets, 60.0)
    roll_days(budgets, now)
    assert budgets["cost_today"][0] == 10.0
    assert transfer_budget(budgets, now, 100.0) == 40.0
    for day in range(1, days + 1):
        roll_days(budgets, now + day * NS_PER_DAY)
        assert budgets["cost_today"][0] == 0.0
        assert budgets["cost_week"][0] == (10.0 if day < 7 else 0.0)
        assert transfer_budget(budgets, now + day * NS_PER_DAY, 100.0) == 100.0


def test_a_week_without_a_word_forgets() -> None:
    budgets = new_budget(1000.0)
    roll_days(budgets, 20_000 * NS_PER_DAY)
    spend_cost(budgets, 10.0)
    roll_days(budgets, 20_006 * NS_PER_DAY)
    assert (budgets["cost_today"][0], budgets["cost_week"][0]) == (0.0, 10.0)
    roll_days(budgets, 20_007 * NS_PER_DAY)
    assert budgets["cost_week"][0] == 0.0


# --- lots -------------------------------------------------------------------------------------


@given(log_floats(1e-6, 1e6), st.sampled_from(["0.001", "0.01", "0.1", "1"]))
def test_whole_lots_round_down_to_the_float_nearest_to_a_multiple(qty: float, lot: str) -> None:
    got = whole_lots(qty, float(lot))
    lots = round(Decimal(got) / Decimal(lot))
    assert got == float(lots * Decimal(lot))
    assert qty - float(lot) < got <= qty * (1 + 2e-15) + 1e-8 * float(lot)


@given(st.integers(0, 10**8))
def test_a_whole_number_of_lots_stays_as_it_is(lots: int) -> None:
    qty = float(lots * Decimal("0.001"))
    assert whole_lots(qty, 0.001) == qty


# --- words ------------------------------------------------------------------------------------


def test_every_code_is_explained_with_its_settings_and_a_sane_value() -> None:
    assert set(MEANING) == set(SETTINGS) == set(Code)
    text = table()
    for code in Code:
        assert f"| `{code}` | {MEANING[code]} |" in text
    named = {name for names in SETTINGS.values() for name in names} | set(WITHOUT_CODE)
    assert named == set(SANE)
    assert {f"limits.{name}" for name in Limits.model_fields} <= named
    values = {name.removeprefix("limits."): json.loads(v) for name, v in SANE.items()}
    assert values.pop("parachute.calm_s") > 0
    least = values.pop("venue.min_notional_usdt")
    sane = Settings(limits=Limits(**values), venue=VenueRules(min_notional_usdt=least))
    assert sane.limits.max_orders_per_day == 100


def test_a_verdict_says_its_numbers() -> None:
    verdict = Verdict(Code.COST_ABOVE_BUDGET, 12.3456, 0.0)
    assert str(verdict) == "COST_ABOVE_BUDGET wanted_ltc=12.346 allowed_ltc=0.000"
    verdict = Verdict(Code.COST_ABOVE_BUDGET, 1.0, 0.0, {"limit_usdt": 30.0, "spent_usdt": 31.5})
    assert str(verdict).endswith(" limit_usdt=30 spent_usdt=31.5")
    assert verdict.told().endswith("; limit usdt 30; spent usdt 31.5)")
    assert Verdict(Code.PRICE_TOO_OLD, 1.0, 0.0).numbers == {}


@given(context=contexts, limits=settings_limits)
def test_every_verdict_has_numbers_that_agree_with_it(context: Context, limits: Limits) -> None:
    kept = limits_array(limits)
    budgets = new_budget(context.equity)
    refill(budgets, kept, 20_000 * NS_PER_DAY)
    for _, ratio, cost in context.spent:
        spend_order(budgets, ratio)
        spend_cost(budgets, cost * context.equity)
    budgets["state"] = context.state
    out = np.empty(N_GUARDS)
    hedge = context.ratio * context.position
    allowances(
        context.delta, context.position, hedge, context.price, context.equity, context.depth_usdt,
        context.age_s, context.equity, context.taken, context.is_reduce_only, budgets, kept, ROWS,
        context.lot, context.min_notional, out,
    )  # fmt: skip
    case = Case(
        context.delta, context.position, hedge, context.price, context.equity, context.depth_usdt,
        context.age_s, context.equity, context.taken, context.min_notional, budgets, kept, ROWS,
    )  # fmt: skip
    for verdict in verdicts(abs(context.delta), out, case):
        said = verdict.numbers
        assert all(not math.isnan(value) for value in said.values())
        if verdict.code in (Code.NOTIONAL_ABOVE_LIMIT, Code.DEPTH_SHARE_ABOVE_LIMIT):
            assert said["would_be_usdt"] > said["limit_usdt"] * (1 - 1e-9)
        if verdict.code in (Code.COST_ABOVE_BUDGET, Code.WEEKLY_COST_ABOVE_BUDGET):
            assert said["spent_usdt"] >= said["limit_usdt"]
        if verdict.code is Code.LEVERAGE_ABOVE_LIMIT:
            assert said["would_be"] > said["limit"] * (1 - 1e-9)
        if verdict.code is Code.MARGIN_BUFFER_BELOW_LIMIT:
            assert said["would_be_share"] < said["limit_share"] * (1 + 1e-9) + 1e-9
        if verdict.code is Code.PRICE_TOO_OLD:
            assert said["age_s"] > said["limit_s"]
        if verdict.code is Code.ORDER_BELOW_MINIMUM:
            assert said["would_be_usdt"] < said["limit_usdt"] * (1 + 1e-9)

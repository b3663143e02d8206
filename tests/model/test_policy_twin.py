"""The account with a gradient is the account: held equal to the kernels, path by path."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.backtest import Episodes as Where
from litehedge.backtest import run_grid
from litehedge.blowup.lives import opened
from litehedge.config import Costs, Hedge, Limits, Position, Settings
from litehedge.hedge import network_policy as net
from litehedge.hedge import signals as sg
from litehedge.hedge.exposure import REDUCED, SHARED
from litehedge.hedge.network_policy import Brain
from litehedge.hedge.policies import policies, policy_named
from litehedge.hedge.terms import terms_of
from litehedge.margin.account import apply_fill, apply_funding, equity, new_account
from litehedge.margin.liquidation import bounds, liquidate_within
from litehedge.model.policy_batch import NOTHING_HARDER, Harder, Plan, Stretch, draw, stretch_of
from litehedge.model.policy_paths import (
    CLOSE,
    HALF,
    HIGH,
    IMPACT,
    LOW,
    N_MARKET,
    OPEN,
    PAID,
    Course,
    Episodes,
    roll_out,
)
from litehedge.model.policy_twin import follow, worth_of
from litehedge.sim.execution import liquidity_decays
from policy_tapes import FIVE, tape
from synthetic import packaged_tiers

TIERS = packaged_tiers()
BARS = 300


def stretch(seed: int, start: int) -> Stretch:
    one = tape(seed)
    made = stretch_of(
        one.end_ns, FIVE, one.bars, one.signals, one.funding_at, one.funding,
        liquidity_decays(5.0), 5.0, BARS, 288,
    )  # fmt: skip
    return Stretch(made.bars, made.signals, made.liquidity, made.paid, np.array([start]))


def some_settings(side: str, leverage: float, location: str, budget: float = 0.6) -> Settings:
    return Settings(
        position=Position(side=side, leverage=leverage),  # type: ignore[arg-type]
        hedge=Hedge(location=location, risk_budget=budget),  # type: ignore[arg-type]
        limits=opened(Limits()), costs=Costs(),
    )  # fmt: skip


def brain(seed: int) -> Brain:
    rng = np.random.default_rng(seed)
    weights = (0.25 * rng.standard_normal(net.N_WEIGHTS)).astype(np.float32)
    weights[-2:] = -0.3, -1.5
    return Brain("made up", weights)


def accounts(seed: int, start: int, leverage: float, location: str, budget: float) -> Episodes:
    """One long and one short on the same stretch, as the settings open them."""
    here = some_settings("long", leverage, location, budget)
    plan = Plan(
        here, TIERS, policies(here)["plugin"], BARS, 1, (leverage, leverage), (budget, budget),
        (1000.0, 1000.0),
    )  # fmt: skip
    harder = NOTHING_HARDER if location == "same_account" else Harder(
        0.0, 1.0, 1, 0.0, 0.0, 0.0, 0.0, (1.0, 1.0), 1.0
    )  # fmt: skip
    episodes = draw([stretch(seed, start)], plan, harder, 1, np.random.default_rng(0))
    entry = episodes.market[0, 0, OPEN]
    episodes.terms["size"] = np.floor(leverage * 1000.0 / entry * 1000.0 + 1e-9) / 1000.0
    episodes.wallet[:] = 1000.0
    episodes.terms["collar"] = here.limits.collar_bps * 1e-4
    episodes.collar = float(episodes.terms["collar"][0])
    return episodes


# --- a policy -----------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 5), start=st.integers(300, 1150), weights=st.integers(0, 30),
    leverage=st.sampled_from([3.0, 8.0, 15.0, 30.0, 50.0]),
    location=st.sampled_from(["same_account", "reduce"]), budget=st.floats(0.2, 0.9),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_a_network_lives_the_same_in_training_and_in_the_backtest(
    seed: int, start: int, weights: int, leverage: float, location: str, budget: float
) -> None:
    """Guards open; up to the first forced closing, after which training looks away."""
    made = brain(weights)
    episodes = accounts(seed, start, leverage, location, budget)
    course = roll_out(episodes, made.weights)
    worth = worth_of(episodes, course, torch.from_numpy(course.ratio))
    for e, side in enumerate(("long", "short")):
        here = some_settings(side, leverage, location, budget)
        policy = policy_named("network", here, made)
        where = Where(np.array([start]), np.array([start + BARS]))
        [done] = run_grid(tape(seed), where, here, TIERS, policy)
        forced = done["forced_at"] - start if done["forced_at"] >= 0 else -1
        assert course.died[e] == forced
        assert float(worth.closed[e]) == pytest.approx(float(forced >= 0))
        if forced >= 0:
            continue
        assert float(worth.equity[e]) * 1000.0 == pytest.approx(done["equity"], rel=1e-6)
        assert float(worth.funding[e]) * 1000.0 == pytest.approx(done["funding"], abs=1e-4)
        paid = done["fees"] + done["slippage"]
        assert float(worth.paid[e]) * 1000.0 == pytest.approx(paid, rel=1e-5, abs=1e-6)
        assert (course.source[e] >= 0).sum() == done["trades"]
        assert (1.0 - float(worth.kept[e])) == pytest.approx(done["ratio_sum"] / BARS, abs=1e-9)


# --- given ratios -------------------------------------------------------------------------------


def lived(rng: np.random.Generator, leverage: float, side: float, reduced: bool) -> Episodes:
    """One account on a made-up path with wild bars."""
    here = some_settings("long" if side > 0 else "short", leverage,
                         "reduce" if reduced else "same_account")  # fmt: skip
    n = 60
    close = 80.0 * np.exp(np.cumsum(rng.normal(0.0, 0.008, n)))
    open_ = np.concatenate(([80.0], close[:-1])) * np.exp(rng.normal(0.0, 0.001, n))
    market_ = np.zeros((1, n, N_MARKET))
    market_[0, :, OPEN], market_[0, :, CLOSE] = open_, close
    market_[0, :, HIGH] = np.maximum(open_, close) * np.exp(rng.exponential(0.004, n))
    market_[0, :, LOW] = np.minimum(open_, close) * np.exp(-rng.exponential(0.004, n))
    market_[0, :, HALF], market_[0, :, IMPACT] = 2e-4, 1e-5
    market_[0, ::20, PAID] = rng.normal(0.0, 1e-3, 3)
    terms = terms_of(here, policies(here)["plugin"], TIERS, leverage * 1000.0 / 80.0)
    flags = np.zeros((1, n), dtype=np.bool_)
    return Episodes(
        terms, np.array([1000.0]), market_, np.zeros((1, sg.N_SIGNALS, n), dtype=np.float32),
        np.full((1, n), np.inf), flags, flags, np.ones(1, dtype=np.int64),
    )  # fmt: skip


def by_kernels(episodes: Episodes, ratios: np.ndarray) -> tuple[int, float, float, float]:
    """The same trades in the books: bar and price of the first forced closing, equity, fee."""
    row, market_ = episodes.terms[0], episodes.market[0]
    side, size = float(row["side"]), float(row["size"])
    leg = 0 if row["coupling"] == REDUCED else 1
    tiers = np.ascontiguousarray(row["tiers"])
    books = new_account(1000.0, side * size, market_[0, OPEN], float(row["leverage"]))
    before = 0.0
    for t, bar in enumerate(market_):
        change = ratios[t] - before
        before = ratios[t]
        if change != 0.0:
            qty = -side * change * size
            rate = bar[HALF] + bar[IMPACT] * np.sqrt(abs(qty))
            price = bar[OPEN] * (1.0 + np.sign(qty) * rate)
            fee = abs(qty) * price * row["taker_fee"]
            apply_fill(books, leg, qty, price, fee, abs(qty) * bar[OPEN] * rate)
        low, high = bounds(books, bar[OPEN], tiers)
        price = liquidate_within(
            books, low, high, bar[OPEN], bar[LOW], bar[HIGH], tiers, float(row["clearance"])
        )
        if not np.isnan(price):
            return t, price, equity(books, price), float(books[0]["clearance"])
        apply_funding(books, bar[CLOSE], bar[PAID])
    return -1, np.nan, equity(books, market_[-1, CLOSE]), 0.0


@given(
    seed=st.integers(0, 10_000), side=st.sampled_from([1.0, -1.0]), reduced=st.booleans(),
    leverage=st.sampled_from([2.0, 6.0, 15.0, 40.0]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_ratios_are_worth_what_the_books_say(
    seed: int, side: float, reduced: bool, leverage: float
) -> None:
    rng = np.random.default_rng(seed)
    episodes = lived(rng, leverage, side, reduced)
    n = episodes.bars
    ratios = np.zeros(n)
    for at in np.sort(rng.choice(np.arange(1, n), 6, replace=False)):
        ratios[at:] = rng.choice([0.0, 0.25, 0.5, 1.0, rng.random()])
    died, price, rest, cleared = by_kernels(episodes, ratios)
    course = course_of(episodes, ratios, died, price, rest, cleared)
    worth = worth_of(episodes, course, torch.from_numpy(course.ratio))
    assert float(worth.equity[0]) * 1000.0 == pytest.approx(rest, rel=1e-6, abs=1e-6)
    found = first_closing(episodes, ratios)
    assert found == died


def course_of(
    episodes: Episodes, ratios: np.ndarray, died: int, price: float, rest: float, cleared: float
) -> Course:
    n = episodes.bars
    moved = np.concatenate(([False], np.diff(ratios) != 0.0))
    none = np.zeros((1, n), dtype=np.bool_)
    return Course(
        ratios[None].copy(), np.zeros((1, n)), np.ones((1, n)), none,
        np.where(moved, np.arange(n) - 1, -1)[None], none,
        np.zeros((1, n, net.N_INPUTS), dtype=np.float32), np.array([died]), np.array([price]),
        np.array([cleared]), np.array([rest]), np.zeros(1, dtype=np.int64),
        np.array([episodes.market[0, 0, LOW]]),
    )  # fmt: skip


def first_closing(episodes: Episodes, ratios: np.ndarray) -> int:
    """The first bar in which the twin's equity falls to the maintenance at an extreme."""
    from litehedge.margin.tiers import maintenance

    row = episodes.terms[0]
    tiers = np.ascontiguousarray(row["tiers"])
    for t in range(episodes.bars):
        for extreme in (LOW, HIGH):
            cut = lived_until(episodes, t, extreme)
            course = course_of(cut, ratios[: t + 1], -1, np.nan, np.nan, 0.0)
            owned = float(worth_of(cut, course, torch.from_numpy(course.ratio)).equity[0]) * 1000.0
            notional = float(row["size"]) * episodes.market[0, t, extreme]
            if row["coupling"] == SHARED:
                needed = maintenance(notional, tiers) + maintenance(notional * ratios[t], tiers)
            else:
                needed = maintenance(notional * (1.0 - ratios[t]), tiers)
            if owned - needed <= 0.0 < notional * (1.0 if row["coupling"] == SHARED
                                                   else 1.0 - ratios[t]):  # fmt: skip
                return t
    return -1


def lived_until(episodes: Episodes, t: int, extreme: int) -> Episodes:
    """The same account up to the extreme of a bar."""
    market_ = episodes.market[:, : t + 1].copy()
    market_[0, t, CLOSE] = market_[0, t, extreme]
    market_[0, t, PAID] = 0.0
    flags = np.zeros((1, t + 1), dtype=np.bool_)
    return Episodes(
        episodes.terms, episodes.wallet, market_, episodes.signals, episodes.most[:, : t + 1],
        flags, flags, episodes.latency,
    )  # fmt: skip


# --- gradients ----------------------------------------------------------------------------------


@given(seed=st.integers(0, 1000), side=st.sampled_from([1.0, -1.0]), reduced=st.booleans())
@settings(max_examples=20, deadline=None)
def test_the_gradient_by_the_ratios_is_the_slope(seed: int, side: float, reduced: bool) -> None:
    """Where the account lives; by finite differences in every bar that traded."""
    rng = np.random.default_rng(seed)
    episodes = lived(rng, 2.0, side, reduced)
    ratios = np.zeros(episodes.bars)
    at = np.sort(rng.choice(np.arange(1, episodes.bars), 4, replace=False))
    for k, t in enumerate(at):
        ratios[t:] = (0.3, 0.8, 0.2, 0.5)[k]

    def value(path: np.ndarray, grad: bool = False) -> torch.Tensor:
        course = course_of(episodes, path, -1, np.nan, np.nan, 0.0)
        course.source[0, at] = 0
        return worth_of(episodes, course, torch.tensor(path[None], requires_grad=grad)).equity[0]

    path = torch.tensor(ratios[None], requires_grad=True)
    course = course_of(episodes, ratios, -1, np.nan, np.nan, 0.0)
    torch.autograd.backward(worth_of(episodes, course, path).equity[0])
    assert path.grad is not None
    for t, until in zip(at, [*at[1:], episodes.bars], strict=True):
        up, down = ratios.copy(), ratios.copy()
        up[t:until] += 1e-5
        down[t:until] -= 1e-5
        slope = float(value(up) - value(down)) / 2e-5
        assert float(path.grad[0, t:until].sum()) == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_bands_get_the_gradient_of_what_they_moved() -> None:
    """A lower edge that was followed takes what came after it; one far below takes a leak."""
    rng = np.random.default_rng(1)
    episodes = lived(rng, 2.0, 1.0, False)
    course = course_of(episodes, np.zeros(episodes.bars), -1, np.nan, np.nan, 0.0)
    course.lo[:], course.hi[:] = -1.0, 2.0
    course.lo[0, 9] = 0.6
    course.ratio[0, 10:] = 0.6
    course.source[0, 10] = 9
    lo, hi = (torch.from_numpy(x).requires_grad_() for x in (course.lo, course.hi))
    ratio, _ = follow(episodes, course, lo, hi)
    torch.autograd.backward(ratio[0, 20])
    assert lo.grad is not None
    assert hi.grad is not None
    assert float(lo.grad[0, 9]) == 1.0
    assert not lo.grad[0, 20:].any()
    assert 0.0 < float(lo.grad[0, 15]) < 1e-3 < float(lo.grad[0, 9])
    torch.testing.assert_close(lo.grad[0, 12], hi.grad[0, 12])

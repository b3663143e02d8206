"""How batches are drawn, what the loss holds, and that a stopped training goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.hedge import network_policy as net
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import policies
from litehedge.model.policy_batch import NOTHING_HARDER, Harder, Plan, Stretch, draw, stretch_of
from litehedge.model.policy_paths import CLOSE, LOW, OPEN, PAID, roll_out
from litehedge.model.policy_twin import Worth
from litehedge.model.train_policy import (
    N_BUCKETS,
    Multipliers,
    PolicyNetwork,
    Recipe,
    Step,
    Trained,
    buckets,
    copy_plugin,
    loss_of,
    seen,
    told_step,
    train_policy,
    update,
)
from litehedge.sim.execution import liquidity_decays
from policy_tapes import FIVE, tape
from synthetic import packaged_tiers

SETTINGS = Settings()
PLAN = Plan(SETTINGS, packaged_tiers(), policies(SETTINGS)["plugin"], 60, 3)
SMALL = Recipe(steps=3, pairs=12, rows=300, copy_steps=20, every=1)


def stretch(seed: int = 0, length: int = 180) -> Stretch:
    one = tape(seed)
    return stretch_of(
        one.end_ns, FIVE, one.bars, one.signals, one.funding_at, one.funding,
        liquidity_decays(5.0), 5.0, length, 288,
    )  # fmt: skip


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- batches ------------------------------------------------------------------------------------


def test_a_long_and_a_short_live_through_the_same() -> None:
    drawn = draw([stretch()], PLAN, Harder(share=1.0), 30, chance())
    for values in (drawn.market[..., : PAID - 2], drawn.signals, drawn.wallet, drawn.latency,
                   drawn.most, drawn.refused, drawn.deleveraged):  # fmt: skip
        np.testing.assert_array_equal(values[:30], values[30:])
    for name in ("size", "leverage", "budget", "coupling", "taker_fee"):
        np.testing.assert_array_equal(drawn.terms[name][:30], drawn.terms[name][30:])
    assert set(drawn.terms["side"][:30]) == {1.0}
    assert set(drawn.terms["side"][30:]) == {-1.0}
    assert drawn.deleveraged.any() or drawn.refused.any()
    assert drawn.latency.max() == 3
    again = draw([stretch()], PLAN, Harder(share=1.0), 30, chance())
    np.testing.assert_array_equal(drawn.market, again.market)


def test_unharmed_episodes_are_what_was_recorded() -> None:
    one = stretch()
    where = Stretch(one.bars, one.signals, one.liquidity, one.paid, np.array([400]))
    drawn = draw([where], PLAN, NOTHING_HARDER, 1, chance())
    whole = one.bars[400:580]
    np.testing.assert_array_equal(drawn.market[0, :, OPEN], whole[::3, 0])
    np.testing.assert_array_equal(drawn.market[0, :, CLOSE], whole[2::3, 3])
    np.testing.assert_array_equal(drawn.market[0, :, LOW], whole[:, 2].reshape(60, 3).min(axis=1))
    np.testing.assert_array_equal(drawn.signals[0], one.signals[:, 402:580:3])
    assert drawn.market[0, :, PAID].sum() == pytest.approx(one.paid[400:580].sum())


def test_a_wilder_path_is_told_as_wilder() -> None:
    one = stretch()
    where = Stretch(one.bars, one.signals, one.liquidity, one.paid, np.array([400]))
    wild = draw([where], PLAN, Harder(1.0, 1.0, 1, 0.0, 0.0, 0.0, 0.0, (1.5, 1.5)), 1, chance())
    calm = draw([where], PLAN, NOTHING_HARDER, 1, chance())
    moves = [np.log(x.market[0, :, CLOSE] / x.market[0, 0, OPEN]) for x in (wild, calm)]
    np.testing.assert_allclose(moves[0], 1.5 * moves[1])
    np.testing.assert_allclose(
        wild.signals[0, sg.VOL_30], 1.5 * calm.signals[0, sg.VOL_30], rtol=1e-6
    )


# --- the loss -----------------------------------------------------------------------------------


def worth(equity: torch.Tensor) -> Worth:
    nothing = torch.zeros_like(equity)
    return Worth(equity, nothing, nothing, nothing + 0.5, nothing)


def test_losses_beyond_the_budget_are_held_and_those_within_are_not() -> None:
    drawn = draw([stretch()], PLAN, NOTHING_HARDER, 200, chance())
    budget = torch.from_numpy(drawn.terms["budget"].copy())
    for equity, breaks in ((1.0 - 0.9 * budget, False), (1.0 - 1.1 * budget, True)):
        held = Multipliers()
        equity.requires_grad_()
        loss, figures = loss_of(worth(equity), drawn, Recipe(), held, 7.0)
        torch.autograd.backward(loss)
        assert (figures["cvar broken"] > 0.0) == breaks
        update(held, Recipe())
        assert (held.weight[0].max() > 0.0) == breaks
        assert not held.weight[1:].any()
    assert buckets(drawn).max() < N_BUCKETS


def test_the_copy_hedges_where_the_budget_is_spent() -> None:
    drawn = draw([stretch()], PLAN, NOTHING_HARDER, 40, chance())
    course = roll_out(drawn, None)
    inputs, lo, hi = seen(course)
    spent = inputs[:, net.KEPT] / 4.0 < -(0.55 + inputs[:, net.BUDGET] / 4.0) - 1e-6
    assert spent.any()
    assert (lo[spent] == 1.0).all()
    torch.manual_seed(0)
    network = PolicyNetwork()
    errors = [
        copy_plugin(network, [(inputs, lo, hi)], Recipe(copy_steps=n), chance()) for n in (1, 150)
    ]
    assert errors[1] < 0.5 * errors[0]


# --- training -----------------------------------------------------------------------------------


def train(
    folder: Path, steps: list[int], judge: Callable[[np.ndarray], dict[str, float]], stop: int = 99
) -> Trained:
    def watch(step: Step, left: float) -> None:
        steps.append(step.number)
        assert "validation" in told_step(0, step, left)
        if step.number == stop:
            raise KeyboardInterrupt

    return train_policy(
        [stretch()], PLAN, 5.0, SMALL, 3, judge, checkpoint=folder / "seed.ckpt", key="k",
        watch=watch,
    )  # fmt: skip


def test_a_stopped_training_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    def judge(weights: np.ndarray) -> dict[str, float]:
        return {"score": -float(np.abs(weights).sum())}

    whole_steps: list[int] = []
    whole = train(tmp_path / "a", whole_steps, judge)
    steps: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "b", steps, judge, stop=2)
    again = train(tmp_path / "b", steps, judge)
    assert steps == whole_steps == [1, 2, 3]
    np.testing.assert_array_equal(again.weights, whole.weights)
    assert again.score == whole.score == max(s.valid["score"] for s in whole.steps)


def test_a_span_without_room_is_refused() -> None:
    with pytest.raises(UsageError, match="no episode of 180 bars fits"):
        train_policy([stretch(0, 5000)], PLAN, 5.0, SMALL, 0, lambda weights: {"score": 0.0})

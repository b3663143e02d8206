"""Training the network policy through the margin account.

What is wanted: the largest mean return, with the owner's view of the market, such that in every
bucket of leverage and risk budget

- the worst 5 % of episodes lose on average no more than the budget (CVaR),
- hardly any account is closed by force, and
- trading costs no more than a share of the position.

The constraints are held by multipliers that grow while one is broken (augmented Lagrangian); a sum
of mean and weighted CVaR would end fully hedged whatever the weight. The CVaR is Rockafellar and
Uryasev's: the mean excess over a quantile that is followed from batch to batch.

The owner's view is a drift in favour of the position, a few basis points of it per day. Without one
the best policy is to have no position: prices have next to no drift, so all that trading brings is
cost. The view is what makes exposure worth keeping.

A network begins as a copy of the plug-in policy that also hedges fully once four fifths of the risk
budget are lost. The plug-in's own ladder of rungs is flat between its steps, so it cannot be
corrected by a gradient; its copy can.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from litehedge.errors import UsageError
from litehedge.hedge.network_policy import (
    BUDGET_RANGE,
    HIDDEN,
    N_INPUTS,
    N_WEIGHTS,
    REACH,
    SHAPES,
)
from litehedge.model.policy_batch import Harder, Plan, Stretch, draw
from litehedge.model.policy_paths import Course, Episodes, roll_out
from litehedge.model.policy_twin import Worth, follow, worth_of
from litehedge.model.train import read_kept, save_kept

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

LEVERAGE_EDGES: Final = (6.0, 12.5, 25.0)
BUDGET_EDGES: Final = (0.43, 0.67)
CALM_BUCKETS: Final = 3 * (len(BUDGET_EDGES) + 1)
"""Buckets of leverage up to 25. Above, an accident closes accounts whatever the policy does, and
only the CVaR is held."""
N_BUCKETS: Final = (len(LEVERAGE_EDGES) + 1) * (len(BUDGET_EDGES) + 1)
CONSTRAINTS: Final = ("cvar", "closed", "cost")
TAIL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a policy is trained."""

    steps: int = 80
    pairs: int = 256  # stretches per batch, each lived as a long and as a short
    rate: float = 2e-3
    clip: float = 1.0
    rows: int = 30_000  # decisions per step that the gradient goes through
    copy_steps: int = 800
    noise: float = 0.05  # largest change of an input, against the network
    view_bps: float = 10.0  # per day, of the position
    timing: float = 0.25  # weight of the realised return in the mean; the rest is what was paid
    most_closed: float = 0.003
    most_cost: float = 0.004  # of the position
    aim: float = 2.0  # weight of the mean beside the constraints
    push: float = 10.0  # of a broken constraint
    learn: float = 2.0  # of its multiplier
    every: int = 20  # steps between validations
    patience: int = 4  # validations without a better one
    harder: Harder = field(default_factory=Harder)


class PolicyNetwork(nn.Module):
    """Two hidden layers and two outputs: the torch side of `hedge.network_policy.outputs`.

    ReLU costs no exponential where a decision takes half a microsecond; the inputs are bounded, so
    bounded units are not needed to stay sane far from what was seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(N_INPUTS, HIDDEN)
        self.second = nn.Linear(HIDDEN, HIDDEN)
        self.last = nn.Linear(HIDDEN, 2)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the edges of the band before they are cut to [0, 1].

        Shapes: `inputs` ``(decision, N_INPUTS)``; edges ``(decision,)``.
        """
        out: Tensor = self.last(torch.relu(self.second(torch.relu(self.first(inputs)))))
        middle = 0.5 + REACH * torch.tanh(out[:, 0])
        half = REACH * torch.sigmoid(out[:, 1])
        return middle - half, middle + half

    def flat(self) -> Singles:
        """Return the weights as kernels read them, ``(N_WEIGHTS,)``."""
        parts = []
        for layer in (self.first, self.second, self.last):
            parts += [layer.weight.detach().T.reshape(-1), layer.bias.detach()]
        return np.ascontiguousarray(torch.cat(parts).numpy(), dtype=np.float32)

    def set_flat(self, weights: Singles) -> None:
        """Take weights as kernels read them."""
        at = 0
        tensors = [
            t for layer in (self.first, self.second, self.last) for t in (layer.weight, layer.bias)
        ]
        with torch.no_grad():
            for tensor, (_, shape) in zip(tensors, SHAPES, strict=True):
                n = int(np.prod(shape))
                part = torch.from_numpy(weights[at : at + n].reshape(shape))
                tensor.copy_(part.T if part.ndim == 2 else part)
                at += n


@dataclass(slots=True)
class Multipliers:
    """What holds the constraints. Shapes: ``(constraint, bucket)``; `quantile` ``(bucket,)``.

    `least` is what full hedging from the first bar leaves of the CVaR beyond the budget and of the
    forced closings: accidents, and leverage that both legs' maintenance eats up. Nobody can do
    better, so nothing better is asked.
    """

    least: Floats = field(default_factory=lambda: np.zeros((2, N_BUCKETS)))
    weight: Floats = field(default_factory=lambda: np.zeros((len(CONSTRAINTS), N_BUCKETS)))
    broken: Floats = field(default_factory=lambda: np.zeros((len(CONSTRAINTS), N_BUCKETS)))
    quantile: Floats = field(default_factory=lambda: np.full(N_BUCKETS, np.nan))


@dataclass(frozen=True, slots=True)
class Step:
    """What came of a step: figures of the batch, and of the validation where there was one."""

    number: int
    figures: dict[str, float]
    valid: dict[str, float]
    seconds: float


@dataclass(frozen=True, slots=True)
class Trained:
    """The weights with the best validation, and how they were found."""

    weights: Singles
    score: float
    steps: list[Step]


Judge = Callable[[Singles], dict[str, float]]
"""Carries weights through the exact kernel; its answer holds ``score``, the larger the better."""
Watch = Callable[[Step, float], None]


def buckets(episodes: Episodes) -> NDArray[np.int64]:
    """Return the bucket of leverage and risk budget of each episode, ``(episode,)``."""
    by_leverage = np.searchsorted(LEVERAGE_EDGES, episodes.terms["leverage"])
    by_budget = np.searchsorted(BUDGET_EDGES, episodes.terms["budget"])
    return np.asarray(by_leverage * (len(BUDGET_EDGES) + 1) + by_budget)


def loss_of(
    worth: Worth, episodes: Episodes, recipe: Recipe, held: Multipliers, days: float
) -> tuple[Tensor, dict[str, float]]:
    """Return the augmented Lagrangian of a batch, and what it is made of.

    The mean is in per cent of the position, so that every leverage counts alike. `held` follows the
    batch: quantiles and how far constraints are broken.
    """
    leverage = torch.from_numpy(np.ascontiguousarray(episodes.terms["leverage"]))
    budget = torch.from_numpy(np.ascontiguousarray(episodes.terms["budget"]))
    gain = worth.equity - 1.0
    net = recipe.timing * gain - (1.0 - recipe.timing) * (worth.paid + worth.funding)
    view = 0.01 * recipe.view_bps * days * worth.kept
    mean = (100.0 * net / leverage + view).mean()
    short = -gain - budget
    bucket = buckets(episodes)
    total = -recipe.aim * mean
    for k in range(N_BUCKETS):
        inside = torch.from_numpy(np.flatnonzero(bucket == k))
        if inside.numel() < 10:
            continue
        lost = short[inside]
        now = float(torch.quantile(lost.detach(), 1.0 - TAIL))
        seen = held.quantile[k]
        held.quantile[k] = now if np.isnan(seen) else 0.8 * seen + 0.2 * now
        level = float(held.quantile[k])
        cvar = level + (lost - level).clamp_min(0.0).mean() / TAIL - held.least[0, k]
        closed = worth.closed[inside].mean() - recipe.most_closed - held.least[1, k]
        spent = (worth.paid[inside] / leverage[inside]).mean() - recipe.most_cost
        for c, value in enumerate((cvar, 4.0 * closed, 20.0 * spent)):
            if c == 1 and k >= CALM_BUCKETS:
                continue
            held.broken[c, k] = 0.8 * held.broken[c, k] + 0.2 * float(value.detach())
            pull = max(0.0, held.weight[c, k] + recipe.push * held.broken[c, k])
            total = total + pull * value / N_BUCKETS
    figures = {
        "mean": float(mean.detach()), "view": float(view.mean().detach()),
        "gain": float(gain.mean().detach()), "paid": float(worth.paid.mean().detach()),
        "kept": float(worth.kept.mean().detach()),
        "closed": float(worth.closed.mean().detach()),
    }  # fmt: skip
    for name, some in (("5x", leverage < 6.0), ("9x", (leverage >= 6.0) & (leverage < 12.5))):
        if bool(some.any()):
            figures[f"kept {name}"] = float(worth.kept.detach()[some].mean())
    for c, name in enumerate(CONSTRAINTS):
        figures[f"{name} broken"] = float(np.maximum(held.broken[c], 0.0).mean())
        figures[f"{name} held"] = float(held.weight[c].mean())
    return total, figures


def update(held: Multipliers, recipe: Recipe) -> None:
    """Let the multipliers follow what is broken."""
    held.weight = np.clip(held.weight + recipe.learn * held.broken, 0.0, 200.0)


def least_of(
    stretches: Sequence[Stretch], plan: Plan, recipe: Recipe, chance: np.random.Generator
) -> Floats:
    """Return what full hedging leaves: CVaR beyond the budget, and closings, ``(2, bucket)``."""
    weights = np.zeros(N_WEIGHTS, dtype=np.float32)
    weights[-2:] = 4.0, -8.0
    short, closed, bucket = [], [], []
    for _ in range(4):
        episodes = draw(stretches, plan, recipe.harder, recipe.pairs, chance)
        course = roll_out(episodes, weights)
        worth = worth_of(episodes, course, torch.from_numpy(course.ratio))
        short.append(1.0 - worth.equity.numpy() - episodes.terms["budget"])
        closed.append(course.died >= 0)
        bucket.append(buckets(episodes))
    shorts, dead, where = (np.concatenate(x) for x in (short, closed, bucket))
    out = np.zeros((2, N_BUCKETS))
    for k in range(N_BUCKETS):
        mine = np.sort(shorts[where == k])
        tail = mine[mine.size - max(1, round(TAIL * mine.size)) :]
        out[:, k] = max(0.0, float(tail.mean())) if tail.size else 0.0, dead[where == k].mean()
    return np.nan_to_num(out)


def copy_plugin(
    network: PolicyNetwork, batches: Sequence[tuple[Singles, Floats, Floats]], recipe: Recipe,
    chance: np.random.Generator,
) -> float:  # fmt: skip
    """Teach the network what the plug-in does; return the mean squared error of an edge.

    Shapes: of a batch, inputs ``(decision, N_INPUTS)`` and both edges ``(decision,)``.
    """
    x = torch.from_numpy(np.concatenate([b[0] for b in batches]))
    wanted = torch.from_numpy(
        np.stack([np.concatenate([b[i] for b in batches]) for i in (1, 2)], axis=1)
    ).float()
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    error = torch.tensor(0.0)
    for _ in range(recipe.copy_steps):
        some = torch.from_numpy(chance.integers(0, len(x), 4096))
        lo, hi = network(x[some])
        # Beyond [0, 1] there is nothing left to copy.
        got = torch.stack((lo, hi), dim=1)
        aim = wanted[some]
        far = ((aim >= 1.0) & (got > 1.0)) | ((aim <= 0.0) & (got < 0.0))
        error = torch.where(far, 0.01 * (got - aim) ** 2, (got - aim) ** 2).mean()
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(error)
        optimiser.step()
    return float(error.detach())


def seen(course: Course) -> tuple[Singles, Floats, Floats]:
    """Return the inputs of all decisions that had a forecast, and the edges of the plug-in."""
    return course.inputs[course.known], course.lo[course.known], course.hi[course.known]


def gradients(
    episodes: Episodes, course: Course, recipe: Recipe, held: Multipliers, days: float
) -> tuple[Floats, Floats, dict[str, float]]:
    """Return the gradient of the loss by both edges, ``(episode, bar)``, and figures."""
    lo = torch.from_numpy(np.nan_to_num(course.lo)).requires_grad_()
    hi = torch.from_numpy(np.nan_to_num(course.hi)).requires_grad_()
    worth = worth_of(episodes, course, *follow(episodes, course, lo, hi))
    loss, figures = loss_of(worth, episodes, recipe, held, days)
    torch.autograd.backward(loss)
    assert lo.grad is not None
    assert hi.grad is not None
    figures["loss"] = float(loss.detach())
    return lo.grad.numpy(), hi.grad.numpy(), figures


def descend(
    network: PolicyNetwork, optimiser: torch.optim.Optimizer, course: Course, by_lo: Floats,
    by_hi: Floats, recipe: Recipe, chance: np.random.Generator,
) -> float:  # fmt: skip
    """Send the gradients of the edges through the network; return the norm of what came of it.

    A sample of the decisions goes, drawn in proportion to what they pull and weighed by the
    reverse: most bars of a week change little. To take those that pull most alone would leave the
    constraints, which pull hard on few, and drop the mean, which pulls gently on all. Their inputs
    are first moved by at most `recipe.noise` to where the loss is larger (fast gradient sign).
    """
    lo_pull, hi_pull = by_lo[course.known], by_hi[course.known]
    pull = np.abs(lo_pull) + np.abs(hi_pull)
    chances = pull / max(pull.sum(), 1e-300)
    rows = np.searchsorted(np.cumsum(chances), chance.random(recipe.rows))
    rows = np.minimum(rows, pull.size - 1)
    weight = 1.0 / (recipe.rows * np.maximum(chances[rows], 1e-300))
    x = torch.from_numpy(course.inputs[course.known][rows])
    grad_lo = torch.from_numpy(lo_pull[rows] * weight).float()
    grad_hi = torch.from_numpy(hi_pull[rows] * weight).float()
    if recipe.noise > 0.0:
        x.requires_grad_()
        lo, hi = network(x)
        (by_input,) = torch.autograd.grad((grad_lo * lo + grad_hi * hi).sum(), x)
        x = (x + recipe.noise * torch.sign(by_input) * (x != 0.0)).detach()
    optimiser.zero_grad(set_to_none=True)
    lo, hi = network(x)
    torch.autograd.backward((grad_lo * lo + grad_hi * hi).sum())
    norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
    optimiser.step()
    return float(norm)


def train_policy(
    stretches: Sequence[Stretch],
    plan: Plan,
    bar_minutes: float,
    recipe: Recipe,
    seed: int,
    judge: Judge,
    *,
    checkpoint: Path | None = None,
    key: str = "",
    watch: Watch = lambda step, left: None,
) -> Trained:
    """Train one network; the best by `judge` wins.

    Parameters
    ----------
    bar_minutes
        Length of a recorded bar.
    checkpoint
        Written at every validation, and gone on from when it is there and of the same `key`.

    Raises
    ------
    UsageError
        When no episode fits the data, or the weights are no longer numbers.
    """
    if not any(s.starts.size for s in stretches):
        raise UsageError(
            f"no episode of {plan.length * plan.step} bars fits into the data",
            "give a longer span, or one with fewer gaps",
        )
    days = plan.length * plan.step * bar_minutes / 1440.0
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    network = PolicyNetwork()
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.rate)
    held = Multipliers()
    steps: list[Step] = []
    best: tuple[float, Singles] = (-np.inf, network.flat())
    kept = read_kept(checkpoint, key) if checkpoint is not None else None
    if kept is not None:
        network.load_state_dict(kept["network"])
        optimiser.load_state_dict(kept["optimiser"])
        held, steps, best = kept["held"], kept["steps"], kept["best"]
        chance.bit_generator.state = kept["chance"]
    else:
        batches = [
            seen(roll_out(draw(stretches, plan, recipe.harder, recipe.pairs, chance), None))
            for _ in range(2)
        ]
        copy_plugin(network, batches, recipe, chance)
        held.least = least_of(stretches, plan, recipe, chance)
        del batches
    waited = 0
    while len(steps) < recipe.steps and waited < recipe.patience:
        began = time.perf_counter()
        done = len(steps) + 1
        for group in optimiser.param_groups:
            share = done / recipe.steps
            group["lr"] = recipe.rate * 0.5 * (1.0 + np.cos(np.pi * share)) + 1e-5
        episodes = draw(stretches, plan, recipe.harder, recipe.pairs, chance)
        course = roll_out(episodes, network.flat())
        by_lo, by_hi, figures = gradients(episodes, course, recipe, held, days)
        figures["slope"] = descend(network, optimiser, course, by_lo, by_hi, recipe, chance)
        update(held, recipe)
        if not all(np.isfinite(v) for v in figures.values()):
            raise UsageError(
                f"the training of seed {seed} came apart in step {done}",
                f"take a lower rate than {recipe.rate:g}",
            )
        valid: dict[str, float] = {}
        if done % recipe.every == 0 or done == recipe.steps or done == 1:
            valid = judge(network.flat())
            waited += 1
            # While constraints are still being learnt, a lower score is no reason to stop.
            if valid["score"] > best[0] or done * 2 < recipe.steps:
                waited = 0
            if valid["score"] > best[0]:
                best = (valid["score"], network.flat())
        steps.append(Step(done, figures, valid, time.perf_counter() - began))
        if checkpoint is not None and valid:
            save_kept(checkpoint, {
                "network": network.state_dict(), "optimiser": optimiser.state_dict(),
                "held": held, "steps": steps, "best": best,
                "chance": chance.bit_generator.state, "key": key,
            })  # fmt: skip
        recent = [s.seconds for s in steps[-recipe.every :]]
        watch(steps[-1], float(np.mean(recent)) * (recipe.steps - done))
    return Trained(best[1], best[0], steps)


def told_step(seed: int, step: Step, left_s: float) -> str:
    """Return a step in one line."""

    def shown(values: Mapping[str, Any]) -> str:
        return "  ".join(f"{name} {value:.4g}" for name, value in values.items())

    line = f"seed {seed}  step {step.number}  {shown(step.figures)}"
    if step.valid:
        line += f"  | validation: {shown(step.valid)}"
    return f"{line}  | {left_s / 60:.0f} min left"


assert BUDGET_RANGE[0] < BUDGET_EDGES[0] < BUDGET_EDGES[-1] < BUDGET_RANGE[1]

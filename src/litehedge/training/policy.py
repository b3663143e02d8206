"""Training the network policy: from data sets to an artefact with a card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

import litehedge
from litehedge.config import Hedge, Position, Settings
from litehedge.hedge.network_policy import VERSION, Brain
from litehedge.hedge.policies import Policy, policies, policy_named
from litehedge.margin.tiers import TierTable
from litehedge.model.artefact import Span, sha256_of
from litehedge.model.policy_artefact import PolicyCard, save_policy
from litehedge.model.policy_batch import Plan, Stretch, stretch_of
from litehedge.model.train_policy import Judge, Recipe, Step, train_policy
from litehedge.sim.execution import liquidity_decays
from litehedge.tape import Tape
from litehedge.units import iso_utc

Singles = NDArray[np.float32]

DAYS: Final = 7
STEP_MINUTES: Final = 15
"""Between decisions while training: a third of the work, and as good a teacher."""
LEVERAGES: Final = (5.0, 10.0, 20.0)
BUDGETS: Final = (0.3, 0.6, 0.9)


def stretch_from(tape: Tape, length: int) -> Stretch:
    """Prepare a tape for episodes of `length` bars."""
    return stretch_of(
        tape.end_ns, tape.bar_ns, tape.bars, tape.signals, tape.funding_at, tape.funding,
        liquidity_decays(tape.bar_minutes), tape.bar_minutes, length,
        int(1440.0 / tape.bar_minutes),
    )  # fmt: skip


def with_kind(
    settings: Settings, side: str, leverage: float, budget: float | None = None
) -> Settings:
    """Return the settings with another position and risk budget."""
    position = Position.model_validate(
        settings.position.model_dump() | {"side": side, "leverage": leverage}
    )
    changed: dict[str, object] = {"position": position}
    if budget is not None:
        changed["hedge"] = Hedge.model_validate(
            settings.hedge.model_dump() | {"risk_budget": budget}
        )
    return settings.model_copy(update=changed)


def judged(
    weights: Singles, settings: Settings, carry: Callable[[Settings, Policy], NDArray[np.void]],
    view_bps: float, leverages: Sequence[float] = LEVERAGES, budgets: Sequence[float] = BUDGETS,
) -> dict[str, float]:  # fmt: skip
    """Carry weights through the exact kernel, guards and all: what a validation says.

    The score is the mean net of costs with the owner's view, in per cent of the position, less a
    tenth for each per cent of the wallet by which a budget is broken, and for each 0.1 % of
    accounts closed by force beyond the first 0.5 %.
    """
    brain = Brain("in training", weights)
    scores, worst, closed, kept, spent = [], [], [], [], []
    for leverage, budget in product(leverages, budgets):
        outcomes = []
        for side in ("long", "short"):
            here = with_kind(settings, side, leverage, budget)
            outcomes.append(carry(here, policy_named("network", here, brain)))
        out = np.concatenate(outcomes)
        gain = np.sort(out["equity"] / out["wallet"] - 1.0)
        cvar = gain[: max(1, gain.size // 20)].mean()
        length = (out["stop"] - out["start"]).max()
        keeps = ((out["bars"] - out["ratio_sum"]) / length).mean()
        paid = (out["fees"] + out["slippage"] + out["clearance"] + out["funding"]) / out["wallet"]
        shut = (out["liquidations"] > 0).mean()
        broken = max(0.0, -cvar - budget)
        net = 0.25 * gain.mean() - 0.75 * paid.mean()
        score = 100.0 * net / leverage + 0.01 * view_bps * DAYS * keeps
        scores.append(score - 10.0 * broken - 100.0 * max(0.0, shut - 0.005))
        worst.append(broken)
        closed.append(shut)
        kept.append(keeps)
        spent.append(paid.mean() / leverage)
    return {
        "score": float(np.mean(scores)), "broken": float(np.mean(worst)),
        "closed": float(np.mean(closed)), "kept": float(np.mean(kept)),
        "cost of position": float(np.mean(spent)),
    }  # fmt: skip


def train_and_save(
    tapes: Sequence[Tape], valid: Tape, settings: Settings, tiers: TierTable, recipe: Recipe,
    seeds: Sequence[int], name: str, folder: Path, work: Path, *, judge: Judge, forecaster: str,
    created: str, told: Callable[[int, Step, float], None] = lambda seed, step, left: None,
) -> PolicyCard:  # fmt: skip
    """Train every seed, keep the best by `judge`, and save the artefact with its card.

    Parameters
    ----------
    tapes, valid
        To learn from, and to choose by; bars of one length.
    work
        Folder of what is half-done.

    Raises
    ------
    UsageError
        When no episode fits the data.
    """
    step = max(1, round(STEP_MINUTES / valid.bar_minutes))
    length = round(DAYS * 1440 / valid.bar_minutes) // step
    plan = Plan(settings, tiers, policies(settings)["plugin"], length, step)
    stretches = [stretch_from(tape, length * step) for tape in tapes]
    spans = [_span(tape) for tape in tapes]
    key = sha256_of(msgspec.json.encode([asdict(recipe), spans, forecaster, VERSION]))
    runs = {}
    for seed in seeds:
        runs[seed] = train_policy(
            stretches, plan, valid.bar_minutes, recipe, seed, judge,
            checkpoint=work / f"seed-{seed}.ckpt", key=key,
            watch=lambda step, left, seed=seed: told(seed, step, left),  # type: ignore[misc]
        )  # fmt: skip
    best = max(runs, key=lambda seed: runs[seed].score)
    weights = runs[best].weights
    of_seeds = {f"score of seed {seed}": run.score for seed, run in runs.items()}
    numbers = {k: float(v) for k, v in asdict(recipe).items() if isinstance(v, (int, float))}
    card = PolicyCard(
        name=name, format=0, litehedge=litehedge.__version__, created=created, layout="", sha256="",
        forecaster=forecaster, trained_on=spans, validated_on=_span(valid), seed=best,
        seeds=list(seeds), budgets=plan.budgets, leverages=plan.leverages, parameters=numbers,
        scores=judge(weights) | of_seeds,
    )  # fmt: skip
    return save_policy(folder, card, weights)


def _span(tape: Tape) -> Span:
    return Span(tape.name, iso_utc(int(tape.end_ns[0])), iso_utc(int(tape.end_ns[-1])), len(tape))

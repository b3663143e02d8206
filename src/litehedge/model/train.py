"""Training one member: truncated back-propagation along contiguous streams.

A run is read as it will be served: from a state of zeros through a warm-up that is not scored,
then in chunks that carry their state on and cut its gradient. Runs with squeezes are drawn
oftener and weigh less (`material.draw_runs`). Some are shown in the mirror. Whole feature
families are dropped in a part of the runs, from their first frame or from a later one, because
feeds die when it matters.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litehedge.errors import UsageError
from litehedge.model.baserates import base_rates
from litehedge.model.inputs import inputs_of
from litehedge.model.layout import AGES
from litehedge.model.loss import PARTS, SCORED, Asked, parts, total
from litehedge.model.material import Material, Run, draw_runs, lanes
from litehedge.model.mirror import Mirror
from litehedge.model.network import Network, NetworkConfig

WARM: Final = 2 * AGES
BY_SIDE: Final = (
    "onset_risk", "passage_bin", "passage_hit", "peak_bin", "peak_hit", "severity",
)  # fmt: skip
"""Answers whose last axis are the sides."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a member is trained. `cost` weighs the parts of the loss."""

    epochs: int = 20
    patience: int = 10
    batch: int = 16
    chunk: int = 256
    run: int = 1024
    rate: float = 2e-3
    decay: float = 0.1
    clip: float = 1.0
    balance: float = 0.5
    lose_family: float = 0.05
    mirror: float = 0.3
    average: float = 0.998
    cost: dict[str, float] = field(
        default_factory=lambda: {
            "squeeze": 1.0, "percent": 0.5, "sigma": 0.5, "peak": 0.1, "severity": 0.1,
            "phase": 0.1, "vol": 0.2,
        }
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Epoch:
    """What came of an epoch: losses per part in training and validation, labels per second."""

    number: int
    train: dict[str, float]
    valid: dict[str, float]
    score: float
    labels_per_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trained:
    """The member with the best validation score, and how it got there."""

    network: Network
    score: float
    epochs: list[Epoch]


Watch = Callable[[Epoch, float], None]
"""Told each epoch and the seconds that are left."""


def choose_device(name: str = "auto") -> torch.device:
    """Return the device: a GPU where there is one (torchrun's local rank), else the CPU."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def train_member(
    config: NetworkConfig,
    recipe: Recipe,
    train: Sequence[Material],
    valid: Sequence[Material],
    families: Sequence[NDArray[np.int64]],
    seed: int,
    *,
    device: torch.device | None = None,
    begin: dict[str, Tensor] | tuple[Tensor, Tensor] | None = None,
    mirror: Mirror | None = None,
    checkpoint: Path | None = None,
    key: str = "",
    keeps_best: bool = True,
    watch: Watch = lambda epoch, left: None,
) -> Trained:
    """Train one member.

    Parameters
    ----------
    families
        Columns that are lost together.
    begin
        Weights to begin with (pre-training), or those of the linear part alone; else base rates.
    mirror
        Shows a share ``recipe.mirror`` of the runs with their sides exchanged.
    checkpoint
        Written after every epoch, and gone on from when it is there and of the same `key`: a
        killed training loses at most an epoch. One that cannot be read is as good as none.
    keeps_best
        Return the weights with the best validation score; else the last ones.

    Raises
    ------
    UsageError
        When the loss is no longer a number.
    """
    device = device or choose_device()
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    network = Network(config).to(device)
    if isinstance(begin, dict):
        network.load_state_dict(begin)
    elif begin is not None:
        begin_linear(network, *begin)
    else:
        with torch.no_grad():
            network.head.bias.copy_(torch.from_numpy(base_rates(train)))
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.rate, weight_decay=recipe.decay, fused=True
    )
    steps = recipe.epochs * _steps_per_epoch(train, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=steps + recipe.epochs, pct_start=0.15
    )
    epochs: list[Epoch] = []
    best = (float("inf"), {k: v.clone() for k, v in average.items()})
    done = 0
    kept = read_kept(checkpoint, key) if checkpoint is not None else None
    if kept is not None:
        done = kept["done"]
        network.load_state_dict(kept["network"])
        optimiser.load_state_dict(kept["optimiser"])
        schedule.load_state_dict(kept["schedule"])
        average = {k: v.to(device) for k, v in kept["average"].items()}
        best, epochs = kept["best"], kept["epochs"]
        chance.bit_generator.state = kept["chance"]
        torch.set_rng_state(kept["torch"])
    while done < recipe.epochs and not _is_stale(epochs, recipe.patience):
        began = time.perf_counter()
        runs = draw_runs(train, recipe.run, WARM, recipe.balance, chance)
        network.train()
        told, labels = _one_epoch(
            network,
            recipe,
            train,
            runs,
            families,
            mirror,
            optimiser,
            schedule,
            average,
            chance,
            device,
        )
        rate = labels / (time.perf_counter() - began)
        judged = Network(config).to(device)
        judged.load_state_dict(average)
        measured = evaluate(judged, valid, device)
        score = sum(measured[name] for name in SCORED)
        if not np.isfinite(score):
            raise UsageError(
                f"the training of seed {seed} came apart in epoch {done + 1}: its loss is {score}",
                f"take a lower rate than {recipe.rate:g}, or look at the data for absurd values",
            )
        done += 1
        seconds = time.perf_counter() - began
        epochs.append(Epoch(done, told, measured, score, rate, seconds))
        if score < best[0] or not keeps_best:
            best = (score, {k: v.clone() for k, v in average.items()})
        if checkpoint is not None:
            save_kept(checkpoint, {
                "network": network.state_dict(), "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(), "average": average, "best": best,
                "epochs": epochs, "done": done, "chance": chance.bit_generator.state,
                "torch": torch.get_rng_state(), "key": key,
            })  # fmt: skip
        watch(epochs[-1], seconds * (recipe.epochs - done))
    network.load_state_dict(best[1])
    network.eval()
    return Trained(network, best[0], epochs)


def _is_stale(epochs: list[Epoch], patience: int) -> bool:
    scores = [e.score for e in epochs]
    return len(scores) - 1 - int(np.argmin(scores)) >= patience if scores else False


def _steps_per_epoch(train: Sequence[Material], recipe: Recipe) -> int:
    # Segments are cut anew each epoch; this is an upper bound of batches of chunks.
    runs = sum((stop - start) // recipe.run + 2 for m in train for start, stop in m.segments())
    return (runs // recipe.batch + 1) * -(-recipe.run // recipe.chunk)


def _one_epoch(
    network: Network, recipe: Recipe, train: Sequence[Material], runs: list[Run],
    families: Sequence[NDArray[np.int64]], mirror: Mirror | None,
    optimiser: torch.optim.Optimizer, schedule: Any, average: dict[str, Tensor],
    chance: np.random.Generator, device: torch.device,
) -> tuple[dict[str, float], int]:  # fmt: skip
    told = torch.zeros(len(PARTS), 2, dtype=torch.float64, device=device)
    labels = 0
    for at in range(0, len(runs), recipe.batch):
        some = runs[at : at + recipe.batch]
        z, asked = collate(train, some, WARM, recipe.run)
        if mirror is not None and recipe.mirror > 0.0:
            exchange_sides(z, asked, mirror, chance.random(len(some)) < recipe.mirror)
        lose_families(z, families, recipe.lose_family, chance)
        u = inputs_of(torch.from_numpy(z)).to(device)
        counts = (asked.weight > 0).sum(dim=0)  # counted here: a GPU is never waited for
        asked = Asked(*(t.to(device) for t in asked))
        with torch.no_grad():
            state = network.warm(u[:, :WARM], network.start(len(some)))
        for first in range(0, recipe.run, recipe.chunk):
            chunk = slice(first, first + recipe.chunk)
            mine = Asked(*(t[:, chunk] for t in asked))
            out = network(u[:, WARM + first : WARM + first + recipe.chunk], state)
            state = out.state.detached()
            costs = parts(out.raw, mine, network.config.pmf)
            count = max(int(counts[chunk].sum()), 1)
            loss = total(costs, recipe.cost) / count
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip, foreach=True)
            optimiser.step()
            schedule.step()
            _follow(average, network, recipe.average)
            told += torch.stack([torch.stack(costs[name]) for name in PARTS]).detach()
            labels += count
    return {k: s / max(w, 1e-9) for k, (s, w) in zip(PARTS, told.tolist(), strict=True)}, labels


def _follow(average: dict[str, Tensor], network: Network, keep: float) -> None:
    now = network.state_dict()
    torch._foreach_lerp_([average[name] for name in now], list(now.values()), 1.0 - keep)


@torch.no_grad()
def evaluate(
    network: Network, data: Sequence[Material], device: torch.device, count: int = 16
) -> dict[str, float]:
    """Return the loss of each part in nats per frame asked, over whole data sets."""
    network.eval()
    sums = {name: np.zeros(2) for name in PARTS}
    for one in data:
        cut = lanes(one, count, WARM)
        length = max(run.stop - run.start for run in cut)
        for at in range(0, len(cut), count):
            z, asked = collate([one], cut[at : at + count], WARM, length)
            state = network.start(z.shape[0])
            u = inputs_of(torch.from_numpy(z)).to(device)
            for first in range(0, WARM + length, 480):
                out = network(u[:, first : first + 480], state)
                state = out.state
                a, b = max(first - WARM, 0), first + 480 - WARM
                if b > 0:
                    mine = Asked(*(t[:, a:b].to(device) for t in asked))
                    raw = out.raw[:, max(WARM - first, 0) :]
                    for k, (s, w) in parts(raw, mine, network.config.pmf).items():
                        sums[k] += (float(s), float(w))
    return {k: float(s / max(w, 1e-9)) for k, (s, w) in sums.items()}


def collate(
    data: Sequence[Material], runs: Sequence[Run], warm: int, length: int
) -> tuple[NDArray[np.float32], Asked]:
    """Lay runs beside each other: warm-up right-aligned before frame `warm`, answers after it.

    Returns
    -------
    tuple
        `z` ``(run, warm + length, input)``; answers ``(run, length, ...)``, asking nothing beyond
        the end of a run.
    """
    n = data[0].z.shape[1]
    z = np.full((len(runs), warm + length, n), np.nan, dtype=np.float32)
    like = data[0]
    answers: dict[str, NDArray[Any]] = {}
    for name in Asked._fields[:-1]:
        one = getattr(like, name)
        blank = np.nan if one.dtype.kind == "f" else -1 if one.dtype.kind == "i" else 0
        answers[name] = np.full((len(runs), length, *one.shape[1:]), blank, dtype=one.dtype)
    weight = np.zeros((len(runs), length), dtype=np.float32)
    for i, run in enumerate(runs):
        m = data[run.of]
        before = run.start - run.warm_from
        size = run.stop - run.start
        z[i, warm - before : warm + size] = m.z[run.warm_from : run.stop]
        for name, out in answers.items():
            out[i, :size] = getattr(m, name)[run.start : run.stop]
        weight[i, :size] = run.weight
    whole = {name: torch.from_numpy(a) for name, a in answers.items()}
    return z, Asked(**whole, weight=torch.from_numpy(weight))


def lose_families(
    z: NDArray[np.float32], families: Sequence[NDArray[np.int64]], share: float,
    chance: np.random.Generator,
) -> None:  # fmt: skip
    """Take each family away from a `share` of the runs, half of them only from some frame on."""
    runs, length = z.shape[:2]
    lost = chance.random((runs, len(families))) < share
    since = np.where(chance.random(lost.shape) < 0.5, 0, chance.integers(0, length, lost.shape))
    for i, f in zip(*np.nonzero(lost), strict=True):
        z[i, since[i, f] :, families[f]] = np.nan


def exchange_sides(
    z: NDArray[np.float32], asked: Asked, mirror: Mirror, which: NDArray[np.bool_]
) -> None:
    """Show these runs in the mirror, in place: values, and every answer by side."""
    z[which] = mirror.of(z[which])
    rows = torch.from_numpy(np.flatnonzero(which))
    for name in BY_SIDE:
        answers = getattr(asked, name)
        answers[rows] = answers[rows].flip(-1)
    cause = asked.onset_cause[rows]
    asked.onset_cause[rows] = torch.where(cause >= 0, 1 - cause, cause)


def begin_linear(network: Network, weights: Tensor, biases: Tensor) -> None:
    """Begin with a fitted linear part, and with little of everything else."""
    with torch.no_grad():
        network.skip.weight.copy_(weights)
        network.head.bias.copy_(biases)
        network.head.weight.mul_(0.1)


def save_kept(path: Path, what: dict[str, Any]) -> None:
    """Write what a training knows, all of it or nothing."""
    rank = os.environ.get("RANK", "0")  # under torchrun two may write the same at once
    partial = path.with_name(f".{path.name}.{rank}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(what, partial)
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def read_kept(path: Path, key: str) -> dict[str, Any] | None:
    """Return what was saved under this key; None when nothing whole of that key is there."""
    try:
        kept: dict[str, Any] = torch.load(path, weights_only=False, map_location="cpu")
        return kept if kept["key"] == key else None
    except Exception:  # cut or damaged: pickle, zip and torch errors have no common base
        return None

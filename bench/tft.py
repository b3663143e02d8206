"""Skill of a temporal fusion transformer, beside a linear model and the network.

``python -m bench.tft --data ltc_spot_5m --data ltc_perp_5m`` trains on what lies before 2024 and
scores on the validation span, never later. All see the same standardised features. Four events
within 30 minutes are asked for: a squeeze of longs or shorts begins; price falls or rises 2 per
cent. A transformer on one core learns some fifty windows a second, so it gets a draw of windows,
busy ones oftener and weighing less; the linear model is fitted on the same draw, and on all
frames; the network learns from all frames in less processor time than the transformer's draw.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn
from torch.nn import functional

from bench.peers import WINDOW, Transformer
from litehedge.model import layout as ly
from litehedge.model.baselines.part import Part
from litehedge.model.inputs import inputs_of
from litehedge.model.linear import fit_linear
from litehedge.model.loss import split
from litehedge.model.material import Material, family_columns
from litehedge.model.network import Network, NetworkConfig
from litehedge.model.train import Recipe, train_member
from litehedge.shelf.home import home
from litehedge.squeeze.hazard import N_ONSET, ONSET_EDGES
from litehedge.squeeze.times import Times
from litehedge.store.lake import Lake
from litehedge.training.ensemble import Lesson, lesson_of
from litehedge.training.parts import part_of
from litehedge.training.samples import PURGE_NS, prepare_all
from litehedge.units import instant_ns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

VALIDATE_FROM: Final = "2024-01-01"
VALIDATE_UNTIL: Final = "2024-07-01"
MINUTES: Final = 30.0
EVENTS: Final = ("longs squeezed", "shorts squeezed", "falls 2 %", "rises 2 %")
TRANSFORMER: Final = "temporal fusion transformer"
BATCH: Final = 64
BUSY_SHARE: Final = 0.5
PENALTY: Final = 0.01
BINS: Final = int(np.searchsorted(ONSET_EDGES, MINUTES))


@dataclass(frozen=True, slots=True)
class Asked:
    """Windows by data set and last frame ``(window, 2)``, the answers ``(window, event)``, NaN
    where there is none, and for how many windows each stands ``(window,)``."""

    rows: Ints
    came: Floats
    weight: Floats

    def __getitem__(self, some: Any) -> Asked:
        """Return some of the windows."""
        return Asked(self.rows[some], self.came[some], self.weight[some])


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", action="append", required=True, help="a data set in the lake")
    parser.add_argument("--windows", type=int, default=16_000, help="windows in the draw")
    parser.add_argument("--every", type=int, default=6, help="score every so many frames")
    parser.add_argument("--epochs", type=int, default=Recipe().epochs, help="epochs of the network")
    parser.add_argument("--home", type=Path, default=None, help="instead of LITEHEDGE_HOME")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    console = Console()
    lesson, train, valid = _read(asked.home or home(), asked.data, console)
    everything = _windows(lesson.train, train)
    scored = _windows(lesson.valid, valid)[:: asked.every]
    drawn = _draw(everything, asked.windows, np.random.default_rng(0))
    jobs: dict[str, Callable[[], tuple[Floats, float]]] = {
        "linear, the same draw": lambda: _linear(lesson, drawn, scored),
        "linear, all frames": lambda: _linear(lesson, everything, scored),
        f"network, all frames, {asked.epochs} epochs": lambda: _network(
            lesson, asked.epochs, scored
        ),
        TRANSFORMER: lambda: _transformer(lesson, drawn, scored, console),
    }
    rates = np.nanmean(scored.came, axis=0)
    table = Table(title=f"{len(scored.rows)} windows of {VALIDATE_FROM} to {VALIDATE_UNTIL}; "
                        f"draw of {len(drawn.rows)} of {len(everything.rows)}")  # fmt: skip
    for heading in ("within 30 min: AUC / AP", *EVENTS, "CPU s"):
        table.add_column(heading, justify="left" if ":" in heading else "right")
    table.add_row("happens", *(f"{100 * rate:.2f} %" for rate in rates), "")
    for name, job in jobs.items():
        try:
            chances, seconds = job()
        except ImportError as missing:
            console.print(f"[bold red]{name} SKIPPED[/]: {missing}")
            continue
        row = (name, *_scores(chances, scored.came), f"{seconds:.0f}")
        console.print(" | ".join(row))  # told at once: the slowest comes last
        table.add_row(*row)
    console.print(table)


def _read(
    folder: Path, names: Sequence[str], console: Console
) -> tuple[Lesson, list[Part], list[Part]]:
    lake = Lake(folder / "lake")
    datasets = [lake.dataset(name) for name in names]
    begin, until = instant_ns(VALIDATE_FROM), instant_ns(VALIDATE_UNTIL)
    parts = []
    for start, end, what in ((0, begin - PURGE_NS, "training"), (begin, until, "validation")):
        found = prepare_all(lake, datasets, start, end, console.print, what)
        parts.append([(p.dataset.name, part_of(p, end)) for p in found])
    train, valid = parts
    lesson = lesson_of([(name, part, 1.0) for name, part in train], valid)
    return lesson, [part for _, part in train], [part for _, part in valid]


def _windows(data: Sequence[Material], parts: Sequence[Part]) -> Asked:
    """Return every whole window that ends in a warm frame with an answer."""
    rows, came = [], []
    for i, (one, part) in enumerate(zip(data, parts, strict=True)):
        since = np.arange(len(one)) - np.repeat(one.edges[:-1], np.diff(one.edges))
        answers = np.concatenate(
            [_within(part.tasks["squeeze"]), _within(part.tasks["percent"])], axis=1
        )
        usable = part.warm & (since >= WINDOW - 1) & ~np.isnan(answers).all(axis=1)
        frames = np.flatnonzero(usable)
        rows.append(np.stack((np.full(frames.size, i), frames), axis=1))
        came.append(answers[frames])
    joined = np.concatenate(rows)
    return Asked(joined, np.concatenate(came), np.ones(len(joined)))


def _within(times: Times) -> Floats:
    """Return 1 where the event comes in time, 0 where not, NaN where nobody knows."""
    came = times.happened & (times.minutes <= MINUTES)
    known = times.at_risk & (came | (times.minutes >= MINUTES))
    return np.where(known, came, np.nan)


def _draw(asked: Asked, count: int, chance: np.random.Generator) -> Asked:
    """Draw windows, those with an event oftener, weighing as much less."""
    busy = np.nansum(asked.came, axis=1) > 0.0
    p = np.where(busy, BUSY_SHARE / busy.sum(), (1.0 - BUSY_SHARE) / (~busy).sum())
    picked = chance.choice(len(p), count, p=p)
    return Asked(asked.rows[picked], asked.came[picked], 1.0 / (len(p) * p[picked]))


def _z(data: Sequence[Material], rows: Ints, window: int) -> torch.Tensor:
    """Return standardised values ``(row, window, input)``, NaN where missing."""
    back = np.arange(window)[::-1]
    found = np.empty((len(rows), window, data[0].z.shape[1]), dtype=np.float32)
    for i, one in enumerate(data):
        mine = rows[:, 0] == i
        found[mine] = one.z[rows[mine, 1][:, np.newaxis] - back]
    return torch.from_numpy(found)


def _linear(lesson: Lesson, train: Asked, scored: Asked) -> tuple[Floats, float]:
    began = time.process_time()
    u = inputs_of(_z(lesson.train, train.rows, 1)[:, 0]).numpy()
    v = inputs_of(_z(lesson.valid, scored.rows, 1)[:, 0]).numpy()
    chances = np.empty(scored.came.shape)
    for k in range(len(EVENTS)):
        known = ~np.isnan(train.came[:, k])
        model = LogisticRegression(C=PENALTY, max_iter=200)
        model.fit(u[known], train.came[known, k], sample_weight=train.weight[known])
        chances[:, k] = model.decision_function(v)
    return chances, time.process_time() - began


def _transformer(
    lesson: Lesson, train: Asked, scored: Asked, console: Console
) -> tuple[Floats, float]:
    """Train on the draw, once through it; forecast."""
    network = Transformer(lesson.train[0].z.shape[1], len(EVENTS))
    began = time.process_time()
    recipe = Recipe()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.rate, weight_decay=recipe.decay, fused=True
    )
    batches = len(train.rows) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=batches + 1, pct_start=0.15
    )
    network.train()
    for number in range(batches):
        some = train[number * BATCH : (number + 1) * BATCH]
        came = torch.from_numpy(some.came).float()
        known = ~torch.isnan(came)
        logits = network(torch.nan_to_num(_z(lesson.train, some.rows, WINDOW)))
        lost = functional.binary_cross_entropy_with_logits(
            logits, torch.nan_to_num(came), reduction="none"
        )
        weight = known * torch.from_numpy(some.weight).float()[:, np.newaxis]
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward((lost * weight).sum() / known.sum().clamp(min=1))
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip, foreach=True)
        optimiser.step()
        schedule.step()
        if number % 50 == 49:
            console.print(f"transformer: {number + 1} of {batches} batches")
    seconds = time.process_time() - began
    network.eval()
    with torch.no_grad():
        chances = [
            network(torch.nan_to_num(_z(lesson.valid, rows, WINDOW))).numpy()
            for rows in np.array_split(scored.rows, -(-len(scored.rows) // BATCH))
        ]
    return np.concatenate(chances).astype(np.float64), seconds


def _network(lesson: Lesson, epochs: int, scored: Asked) -> tuple[Floats, float]:
    """Train one member for so many epochs; validation neither stops nor chooses it."""
    began = time.process_time()
    device, recipe = torch.device("cpu"), Recipe(epochs=epochs, patience=epochs)
    trained = train_member(
        NetworkConfig(inputs=len(lesson.standards)), recipe,
        lesson.train, [], family_columns(lesson.standards.inputs.tolist()), 0,
        device=device, begin=fit_linear(lesson.train, recipe.cost, device), keeps_best=False,
    )  # fmt: skip
    seconds = time.process_time() - began
    chances = np.empty(scored.came.shape)
    for i, one in enumerate(lesson.valid):
        mine = scored.rows[:, 0] == i
        chances[mine] = _stream(trained.network, one)[scored.rows[mine, 1]]
    return chances, seconds


@torch.no_grad()
def _stream(network: Network, one: Material) -> Floats:
    """Return the chance of each event within the horizon, ``(frame, event)``."""
    u = inputs_of(torch.from_numpy(one.z))
    rows = []
    for first, stop in one.segments():
        state = network.start(1)
        for at in range(first, stop, 4_096):
            out = network(u[np.newaxis, at : min(at + 4_096, stop)], state)
            state = out.state
            onset = split(out.raw[0, :, ly.ONSET], 2, N_ONSET)[..., :BINS]
            odds = torch.softmax(functional.pad(onset, (0, 0, 1, 0)), dim=-2)
            before = torch.cat((torch.ones_like(odds[:, 0, :1]), odds[:, 0, :-1]), dim=-1)
            onsets = (odds[:, 1:] * before.cumprod(dim=-1)[:, np.newaxis]).sum(dim=-1)
            hazards = torch.sigmoid(split(out.raw[0, :, ly.PASSAGE], 2, 2, N_ONSET)[:, 0, :, :BINS])
            rows.append(torch.cat((onsets, 1.0 - (1.0 - hazards).prod(dim=-1)), dim=-1).numpy())
    return np.concatenate(rows).astype(np.float64)


def _scores(chances: Floats, came: Floats) -> list[str]:
    found = []
    for k in range(len(EVENTS)):
        known = ~np.isnan(came[:, k])
        y, p = came[known, k], chances[known, k]
        found.append(f"{roc_auc_score(y, p):.3f} / {average_precision_score(y, p):.3f}")
    return found


if __name__ == "__main__":
    main()

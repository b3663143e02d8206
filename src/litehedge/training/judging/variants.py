"""The network with a part taken out or exchanged, trained like the whole: what is the part worth?

Each has the seeds, the data and the recipe of the network that it stands beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from litehedge.model import layout as ly
from litehedge.model.baselines.part import Part
from litehedge.model.inputs import inputs_of
from litehedge.model.loss import hazard_logits_of_pmf, passage_logits_of_pmf, split
from litehedge.model.material import lanes
from litehedge.model.network import Network, NetworkConfig
from litehedge.model.train import WARM, Recipe, collate
from litehedge.squeeze.hazard import N_ONSET
from litehedge.training.ensemble import Lesson, Told, material_of, train_ensemble
from litehedge.training.judging.field import Entry
from litehedge.training.told import by_raw, calibrated_on
from litehedge.training.workers import Workers

Singles = NDArray[np.float32]

LANES: Final = 16
CHUNK: Final = 480
AUXILIARY: Final = ("peak", "severity", "phase", "vol")


@dataclass(frozen=True, slots=True)
class Variant:
    """A change of the network, of its recipe, or of what it learns from."""

    config: NetworkConfig
    recipe: Recipe
    lesson: Lesson


def variants(whole: Variant) -> dict[str, Variant]:
    """Return every variant by name, the whole first."""
    config, recipe, lesson = whole.config, whole.recipe, whole.lesson
    own = replace(lesson, train=lesson.train[: lesson.own])
    found = {
        "whole": whole,
        "LSTM without attention": replace(whole, config=replace(config, attends=False)),
        "LSTM without selection": replace(whole, config=replace(config, selects=False)),
        "GRU": replace(whole, config=replace(config, cell="gru")),
        "DeepHit PMF head": replace(whole, config=replace(config, pmf=True)),
        "without the linear part": replace(whole, config=replace(config, skips=False)),
        "without losing families": replace(whole, recipe=replace(recipe, lose_family=0.0)),
        "without the mirror": replace(whole, recipe=replace(recipe, mirror=0.0)),
    }
    for head in AUXILIARY:
        found[f"without the head of {head}"] = replace(
            whole, recipe=replace(recipe, cost=recipe.cost | {head: 0.0})
        )
    if lesson.own < len(lesson.train):
        found["without other coins"] = replace(whole, lesson=own)
    if lesson.before:
        found["without worlds before"] = replace(whole, lesson=replace(lesson, before=[]))
    return found


def variant_names() -> list[str]:
    """Return the names of all variants but the whole; some need other coins, or worlds."""
    return [
        "LSTM without attention", "LSTM without selection", "GRU", "DeepHit PMF head",
        "without the linear part", "without losing families", "without the mirror",
        *(f"without the head of {head}" for head in AUXILIARY), "without other coins",
        "without worlds before",
    ]  # fmt: skip


def judged_variant(
    name: str, variant: Variant, valid: Part, test: Part, seeds: Sequence[int], work: Path,
    told: Told = lambda seed, epoch, left: None, processes: Workers = None,
) -> Entry:  # fmt: skip
    """Train a variant, calibrate it like the whole, return what it says."""
    members = train_ensemble(
        variant.lesson, variant.config, variant.recipe, seeds, work, processes=processes, told=told
    )
    networks = [m.network for m in members]
    said = [np.stack([raw_of(n, variant, p) for n in networks]) for p in (valid, test)]
    calibration = calibrated_on([by_raw(said[0])], [valid])
    return Entry(name, by_raw(said[0], calibration), by_raw(said[1], calibration))


@torch.no_grad()
def raw_of(network: Network, variant: Variant, part: Part) -> Singles:
    """Return the raw outputs of a part in torch, ``(frame, N_RAW)``; NaN where cold.

    Cut into lanes that each warm up on the frames before. A PMF head is turned into the logits of
    its hazards.
    """
    network.eval()
    one = material_of("judged", part, variant.lesson.standards)
    cut = lanes(one, LANES, WARM)
    length = max(run.stop - run.start for run in cut)
    out = np.full((len(one), ly.N_RAW), np.nan, dtype=np.float32)
    for at in range(0, len(cut), LANES):
        some = cut[at : at + LANES]
        z, _ = collate([one], some, WARM, length)
        u = inputs_of(torch.from_numpy(z))
        state = network.start(len(some))
        rows = []
        for first in range(0, u.shape[1], CHUNK):
            found = network(u[:, first : first + CHUNK], state)
            state = found.state
            rows.append(found.raw)
        raw = torch.cat(rows, dim=1)[:, WARM:]
        if variant.config.pmf:
            raw = as_hazards(raw)
        for i, run in enumerate(some):
            out[run.start : run.stop] = raw[i, : run.stop - run.start].numpy()
    out[np.isnan(one.z).all(axis=1)] = np.nan
    return out


def as_hazards(raw: torch.Tensor) -> torch.Tensor:
    """Return raw outputs of a PMF head with logits of hazards in their place."""
    raw = raw.clone()
    onset = hazard_logits_of_pmf(split(raw[..., ly.ONSET], 2, N_ONSET))
    passage = passage_logits_of_pmf(split(raw[..., ly.PASSAGE], 4, N_ONSET))
    raw[..., ly.ONSET] = onset.flatten(-2)
    raw[..., ly.PASSAGE] = passage.flatten(-2)
    return raw

"""One retraining: the champion learns on, and becomes a challenger.

Months of the lake are reduced to what is replayed, each a checkpoint on disk; then the champion is
refitted to all of it. A process that is killed loses a month's reading at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

import litehedge
from litehedge.errors import ArtefactError, UsageError
from litehedge.model import artefact
from litehedge.model.artefact import Card, Span
from litehedge.model.baselines.logistic import LogisticWeights
from litehedge.model.baselines.logistic_anchor import STRENGTH, refit
from litehedge.model.optional import train_module
from litehedge.retraining.material import Told, replay_of
from litehedge.retraining.reservoir import HALF_LIFE_DAYS, Kept, joined
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import per_frame_of
from litehedge.units import NS_PER_HOUR, iso_utc

NOTE: Final = "learnt on from the champion; judged by a shadow run: litehedge retrain status"
READING: Final = 0.8
"""Which share of a retraining is reading, on screens."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the champion learns on: how it is held, and how fast calm is forgotten."""

    strength: float = STRENGTH
    half_life_days: float = HALF_LIFE_DAYS
    seed: int = 0


def learn_on(
    lake: Lake, datasets: Sequence[Dataset], champion: Path, name: str, folder: Path, work: Path,
    *, until_ns: int, created: str, recipe: Recipe | None = None,
    told: Told = lambda what, share: None,
) -> Card:  # fmt: skip
    """Let the champion learn on from what the lake holds up to a moment, and save it.

    Parameters
    ----------
    champion
        Folder of its artefact.
    folder, work
        Where the challenger is saved; where checkpoints lie.

    Raises
    ------
    ArtefactError
        When the champion cannot be read, or is of a kind that cannot learn on.
    UsageError
        When there is too little to learn from, or the ``train`` extra is missing.
    """
    recipe = recipe or Recipe()
    lengths = {d.interval_ns * per_frame_of(d.interval_ns) for d in datasets}
    if len(lengths) != 1:
        raise UsageError("give data sets with frames of one length", "see: litehedge data list")
    frame_ns = lengths.pop()
    weights, card = champion_weights(champion, frame_ns)
    kept = replay_of(
        lake, datasets, until_ns, work / "replay", seed=recipe.seed,
        told=lambda what, share: told(what, READING * share),
    )  # fmt: skip
    if not kept:
        raise UsageError("there is nothing to learn from", "choose other --data, or fetch more")
    fitted = refitted(weights, kept, until_ns, recipe, told)
    made = msgspec.structs.replace(
        card, name=name, litehedge=litehedge.__version__, created=created,
        trained_on=_spans(datasets, until_ns),
        events_long=_distinct(kept, longs=True), events_short=_distinct(kept, longs=False),
        parameters={
            "strength": recipe.strength, "half_life_days": recipe.half_life_days,
            "seed": float(recipe.seed),
        },
        validated_on=[], validation_note=NOTE, scores={}, baseline_scores={},
        frames_labelled=sum(k.frames for k in kept),
    )  # fmt: skip
    told("saving", 1.0)
    return artefact.save(folder, made, fitted)


def champion_weights(folder: Path, frame_ns: int) -> tuple[LogisticWeights, Card]:
    """Read the weights of a logistic champion.

    Raises
    ------
    ArtefactError
        When it does not fit, or is of another kind.
    """
    card = artefact.load(folder, frame_ns).card
    if card.kind != "logistic":
        raise ArtefactError(
            f"{card.name} is a {card.kind}: it cannot learn on from its artefact",
            "retrain a logistic one: litehedge retrain --model ltc-5m-logistic",
        )
    payload = (folder / artefact.weights_file(card)).read_bytes()
    return LogisticWeights.from_json(msgspec.json.decode(payload)), card


def refitted(
    weights: LogisticWeights, kept: list[Kept], now_ns: int, recipe: Recipe,
    told: Told = lambda what, share: None,
) -> LogisticWeights:  # fmt: skip
    """Refit weights to what is kept, as of a moment, on one thread: others trade here.

    Raises
    ------
    UsageError
        When there are too few squeezes, or the ``train`` extra is missing.
    """
    replay = joined(kept, now_ns, recipe.half_life_days)
    with one_thread():
        return refit(
            weights, replay, strength=recipe.strength, say=lambda what: told(what, READING)
        )


def one_thread() -> AbstractContextManager[Any]:
    """Keep linear algebra on one thread: several are slower beside a session, and disturb it."""
    limits: AbstractContextManager[Any] = train_module("threadpoolctl").threadpool_limits(1)
    return limits


def _spans(datasets: Sequence[Dataset], until_ns: int) -> list[Span]:
    found = []
    for d in datasets:
        end_ns = min(d.end_ns, until_ns)
        frames = (end_ns - d.start_ns) // (d.interval_ns * per_frame_of(d.interval_ns))
        found.append(Span(d.name, iso_utc(d.start_ns), iso_utc(end_ns), int(frames)))
    return found


def _distinct(kept: Sequence[Kept], *, longs: bool) -> int:
    """Count squeezes of a side; the same one in two data sets (within an hour) counts once."""
    onsets = np.sort(np.concatenate([k.onsets_ns[k.squeezed_long == longs] for k in kept]))
    return int(onsets.size and 1 + (np.diff(onsets) > NS_PER_HOUR).sum())

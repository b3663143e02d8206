"""Training the neural forecaster: from data sets or worlds to an artefact with a card.

The network learns from what lies before the validation span; that span stops the training, and
calibrates. What comes later was seen by nobody. Companion coins may be learnt from too, and
simulated worlds before all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import litehedge
from litehedge.errors import UsageError
from litehedge.features.vector import FeatureSchema
from litehedge.model import artefact
from litehedge.model.artefact import Card, Span
from litehedge.model.baselines.logistic import MODEL_FAMILIES
from litehedge.model.baselines.part import Part
from litehedge.model.calibration import Calibration
from litehedge.model.distance import Neighbours, fit_neighbours
from litehedge.model.evaluate import onset_scores
from litehedge.model.graph import onnx_bytes
from litehedge.model.network import DROPOUT, NetworkConfig
from litehedge.model.serve import NetworkForecaster
from litehedge.model.squeeze_index import Seen, SqueezeIndex, build_index
from litehedge.model.standards import Standards
from litehedge.model.train import Recipe
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.labels import Side, Squeeze, spec_hash
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import per_frame_of
from litehedge.training.ensemble import Lesson, Told, lesson_of, train_ensemble
from litehedge.training.parts import part_of, part_of_world
from litehedge.training.samples import PURGE_NS, Progress, distinct, prepare_all
from litehedge.training.told import by_forecaster, calibrated_on
from litehedge.training.workers import in_processes
from litehedge.units import NS_PER_SECOND, instant_ns, iso_utc

Floats = NDArray[np.float64]

SLICE: Final = 16_384
WORLD_SEEDS: Final = 20_000
"""Worlds to learn from; those of the skill ladder and of studies have other seeds."""
VALID_SEEDS: Final = 21_000
VALID_WORLDS: Final = 2
WORLD_BEGIN: Final = "2021-01-01"
EXPIRES_DAYS: Final[int | None] = None


@dataclass(frozen=True, slots=True)
class Source:
    """A part with its name, and the squeezes in it; `weight` in the loss."""

    name: str
    part: Part
    squeezes: list[Squeeze]
    weight: float = 1.0

    def span(self) -> Span:
        """Return the span for the card."""
        ends = self.part.end_ns
        return Span(self.name, iso_utc(int(ends[0])), iso_utc(int(ends[-1])), ends.size)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a network learns from: `pool` are other coins, `before` worlds for pre-training."""

    train: list[Source]
    pool: list[Source]
    valid: list[Source]
    before: list[Source]

    @property
    def frame_ns(self) -> int:
        """Length of every frame."""
        return self.valid[0].part.frame_ns


def sources_of(
    lake: Lake,
    datasets: Sequence[Dataset],
    pool: Sequence[Dataset],
    *,
    until_ns: int,
    validate_from_ns: int,
    validate_until_ns: int,
    worlds: int,
    world_days: int,
    processes: int | None = None,
    say: Progress = lambda _: None,
) -> Sources:
    """Read the data, and let worlds live, `processes` at once (None: one per core).

    Raises
    ------
    UsageError
        When there is nothing to learn from, a span is empty, bars differ in length, or a
        process died.
    """
    if not datasets:
        if worlds == 0:
            raise UsageError("there is nothing to learn from", "give --data, or --worlds")
        return Sources(
            _worlds(WORLD_SEEDS, worlds, world_days, 1, processes, say), [],
            _worlds(VALID_SEEDS, VALID_WORLDS, world_days, 1, processes, say), [],
        )  # fmt: skip
    if len({d.interval_ns * per_frame_of(d.interval_ns) for d in (*datasets, *pool)}) > 1:
        raise UsageError(
            "the data sets have frames of different length",
            "train on data sets with the same bar length",
        )
    edge_ns = min(until_ns, validate_from_ns - PURGE_NS)

    def read(some: Sequence[Dataset], start_ns: int, end_ns: int, what: str) -> list[Source]:
        found = prepare_all(lake, list(some), start_ns, end_ns, say, what)
        return [Source(p.dataset.name, part_of(p, end_ns), p.squeezes) for p in found]

    train = read(datasets, 0, edge_ns, "training before the validation span")
    valid = read(datasets, validate_from_ns, validate_until_ns, "validation")
    others = read(pool, 0, edge_ns, "the pool") if pool else []
    minutes = round(train[0].part.minutes)
    before = _worlds(WORLD_SEEDS, worlds, world_days, minutes, processes, say)
    return Sources(train, others, valid, before)


def _worlds(
    first: int, count: int, days: int, minutes: int, processes: int | None, say: Progress
) -> list[Source]:
    """Let worlds live, several at once."""
    if count == 0:
        return []
    begin_s = instant_ns(WORLD_BEGIN) // NS_PER_SECOND
    seeds = range(first, first + count)
    say(f"{count} worlds live {days} days each")
    live = partial(part_of_world, begin_s=begin_s, days=days, frame_minutes=minutes)
    lived = in_processes(live, seeds, "lets a world live", processes=processes)
    return [
        Source(f"{artefact.WORLD}{seed}", part, squeezes)
        for seed, (part, squeezes) in zip(seeds, lived, strict=True)
    ]


def lesson_from(sources: Sources) -> Lesson:
    """Standardise what a network learns from."""
    return lesson_of(
        [(s.name, s.part, s.weight) for s in (*sources.train, *sources.pool)],
        [(s.name, s.part) for s in sources.valid],
        [(s.name, s.part) for s in sources.before],
        own=len(sources.train),
    )


def train_network(
    sources: Sources,
    name: str,
    folder: Path,
    work: Path,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    dropout: float = DROPOUT,
    created: str,
    processes: int | None = None,
    expires_days: int | None = EXPIRES_DAYS,
    told: Told = lambda seed, epoch, left: None,
    say: Progress = lambda _: None,
) -> Card:
    """Train an ensemble, calibrate it, and save the artefact.

    Raises
    ------
    UsageError
        When the ``train`` extra is missing or a process died.
    """
    lesson = lesson_from(sources)
    config = NetworkConfig(inputs=len(lesson.standards), dropout=dropout)
    members = train_ensemble(lesson, config, recipe, seeds, work, processes=processes, told=told)
    say("writing the graph")
    graph = onnx_bytes([m.network.weights() for m in members])
    return finished(
        graph, lesson.standards, sources, name, folder, created=created, expires_days=expires_days,
        parameters={"dropout": dropout}
        | {k: float(v) for k, v in asdict(recipe).items() if not isinstance(v, dict)},
        seeds=seeds, say=say,
        note="this span stopped the training and calibrated: scores on it flatter",
    )  # fmt: skip


def finished(
    graph: bytes,
    standards: Standards,
    sources: Sources,
    name: str,
    folder: Path,
    *,
    created: str,
    expires_days: int | None,
    parameters: Mapping[str, float],
    seeds: Sequence[int],
    note: str,
    say: Progress = lambda _: None,
) -> Card:
    """Calibrate a graph, score it, index the squeezes that it saw, and save the artefact.

    The validation spans of `sources` calibrate, the longest of them gives the scores. The first of
    `seeds` is that of the intervals; `note` says on the card what the scores are worth.

    Raises
    ------
    ArtefactError
        When the graph has another interface.
    """
    frame_ns = sources.frame_ns
    schema = FeatureSchema(frame_ns).hash

    def served(calibration: Calibration) -> NetworkForecaster:
        return NetworkForecaster(
            graph, standards, calibration, frame_ns=frame_ns, id=name, schema_hash=schema
        )

    say("calibrating")
    plain, parts = served(Calibration()), [s.part for s in sources.valid]
    calibration = calibrated_on([by_forecaster(plain, p) for p in parts], parts)
    forecaster = served(calibration)
    index: dict[str, NDArray[Any]] | None = None
    if "trunk" in forecaster.offers:
        say("indexing the squeezes of history")
        neighbours, squeezes = indexed(forecaster, sources.train)
        index = neighbours.arrays() | squeezes.arrays()
    judged = sorted(sources.valid, key=lambda s: -len(s.part.end_ns))
    longest = judged[0].part
    say("scoring")
    rows = fc.from_scratch(forecaster, longest.end_ns, longest.features)
    scores, baselines = onset_scores(
        longest.end_ns, rows, longest.features, longest.targets, seeds[0]
    )
    everything = (*sources.before, *sources.train, *sources.pool)
    card = Card(
        name=name,
        kind="network",
        format=artefact.NETWORK_FORMAT,
        litehedge=litehedge.__version__,
        created=created,
        frame_s=frame_ns // NS_PER_SECOND,
        feature_schema=schema,
        label_spec=spec_hash(),
        weights_sha256="",
        trained_on=[s.span() for s in everything],
        events_long=counted(sources.train, "long"),
        events_short=counted(sources.train, "short"),
        parameters=dict(parameters),
        validated_on=[s.span() for s in judged],
        validation_note=note,
        scores=scores,
        baseline_scores=baselines,
        expires_days=expires_days,
        seeds=list(seeds),
        frames_labelled=sum(s.part.end_ns.size for s in everything),
        feeds=[f for f, t in zip(MODEL_FAMILIES, standards.trained, strict=True) if t],
    )
    return artefact.save_network(folder, card, graph, standards, calibration, index)


def counted(sources: Sequence[Source], side: Side) -> int:
    """Count squeezes to learn from; worlds share dates, so that theirs are all different."""
    if all(s.span().is_simulated for s in sources):
        return sum(distinct([s.squeezes], side) for s in sources)
    return distinct([s.squeezes for s in sources], side)


def indexed(
    forecaster: NetworkForecaster, sources: Sequence[Source]
) -> tuple[Neighbours, SqueezeIndex]:
    """Keep a sample of training frames, and every squeeze thirty minutes before its onset."""
    trunks = [np.concatenate(list(_trunks(forecaster, s.part)), axis=0) for s in sources]
    neighbours = fit_neighbours(
        np.concatenate(trunks),
        np.concatenate([s.part.targets.phase for s in sources]),
        np.concatenate([s.part.end_ns for s in sources]),
        seed=0,
    )
    index = build_index(
        [Seen(t, s.part.end_ns, s.squeezes, s.name) for t, s in zip(trunks, sources, strict=True)],
        mean=neighbours.mean, scale=neighbours.scale, frame_ns=sources[0].part.frame_ns,
    )  # fmt: skip
    return neighbours, index


def _trunks(forecaster: NetworkForecaster, part: Part) -> Iterator[NDArray[np.float32]]:
    """Yield the mean trunk of the members, ``(frame, hidden)``, slice by slice."""
    memory = forecaster.start(1)
    for begin in range(0, part.end_ns.size, SLICE):
        at = slice(begin, begin + SLICE)
        ends = part.end_ns[at]
        phases = np.zeros(ends.size, dtype=np.int64)
        _, trunks = forecaster.trunk_batch(memory, phases, ends, part.features[at])
        yield trunks.mean(axis=0)

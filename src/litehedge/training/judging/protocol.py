"""The protocol: who is fitted on what, and what of him is judged where.

Learning ends eight hours before the validation span, which tunes and calibrates; the test span
follows it, and nobody learns from it. Walking forward, spans move on month by month, everything
is fitted anew, and what was said of all test spans is judged together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import litehedge
from litehedge.errors import UsageError
from litehedge.model.baselines.logistic import MODEL_FAMILIES
from litehedge.model.baselines.part import Part
from litehedge.model.layout import TASKS
from litehedge.model.measures.measure import measure, scores_of
from litehedge.model.measures.result import Ablation, Crisis, Evaluation, Stratum
from litehedge.model.measures.trial import Trial, base_rates
from litehedge.model.network import NetworkConfig
from litehedge.model.serve import NetworkForecaster
from litehedge.model.train import Recipe
from litehedge.squeeze.forecast import Forecaster
from litehedge.store.lake import Dataset, Lake
from litehedge.training.ensemble import Told
from litehedge.training.judging import crises as cr
from litehedge.training.judging.field import BOOSTED, LOGISTIC, Entry, Span, baselines
from litehedge.training.judging.judge import (
    Bench,
    ablation,
    oracle_shares,
    over_seeds,
    skills_of,
    strata_of,
)
from litehedge.training.judging.variants import Variant, judged_variant, variants
from litehedge.training.network import Sources, lesson_from, sources_of
from litehedge.training.parts import joined_parts
from litehedge.training.samples import PURGE_NS
from litehedge.training.told import (
    Said,
    by_forecaster,
    by_raw,
    calibrated_on,
    family_features,
    without,
)
from litehedge.training.workers import Workers
from litehedge.units import instant_ns, iso_utc

Progress = Callable[[str], None]

AGAINST: Final = (LOGISTIC, BOOSTED)
NETWORK: Final = "network"


@dataclass(frozen=True, slots=True)
class Dates:
    """Spans of a fold in nanoseconds: learn until, validate, test."""

    until_ns: int
    valid_from_ns: int
    valid_until_ns: int
    test_from_ns: int
    test_until_ns: int

    def folds(self, every_ns: int | None) -> list[Dates]:
        """Return one fold, or as many as cover the test span in steps of `every_ns`.

        In each the validation span is as long as in the first and ends where its test begins.
        """
        if every_ns is None:
            return [self]
        length = self.valid_until_ns - self.valid_from_ns
        found = []
        for start in range(self.test_from_ns, self.test_until_ns, every_ns):
            stop = min(start + every_ns, self.test_until_ns)
            found.append(Dates(start - length - PURGE_NS, start - length, start - PURGE_NS,
                               start, stop))  # fmt: skip
        return found


@dataclass(frozen=True, slots=True)
class Field:
    """A fold, read: sources of the network, and the span of everybody."""

    sources: Sources
    span: Span


def read_fold(
    lake: Lake, judged: Dataset, others: Sequence[Dataset], pool: Sequence[Dataset], dates: Dates,
    say: Progress, *, worlds: int = 0, world_days: int = 0, processes: Workers = None,
) -> Field:  # fmt: skip
    """Read a fold; networks learn in so many worlds before.

    Raises
    ------
    UsageError
        When one of the spans holds no data.
    """

    def sources(
        start_ns: int, end_ns: int, some: Sequence[Dataset], more: Sequence[Dataset], lived: int
    ) -> Sources:
        return sources_of(
            lake, some, more, until_ns=dates.until_ns, validate_from_ns=start_ns,
            validate_until_ns=end_ns, worlds=lived, world_days=world_days, processes=processes,
            say=say,
        )  # fmt: skip

    learn = sources(dates.valid_from_ns, dates.valid_until_ns, [judged, *others], pool, worlds)
    test = sources(dates.test_from_ns, dates.test_until_ns, [judged], [], 0).valid
    valid = next((s for s in learn.valid if s.name == judged.name), None)
    if valid is None:
        raise UsageError(
            f"{judged.name} has nothing between {iso_utc(dates.valid_from_ns)} and "
            f"{iso_utc(dates.valid_until_ns)}",
            "choose another --validate-from, --validate-until, or data set",
        )
    return Field(learn, Span([s.part for s in learn.train], valid.part, test[0].part))


def said_by(name: str, forecaster: Forecaster, span: Span) -> Entry:
    """Return what a loaded model says of a span."""
    return Entry(name, by_forecaster(forecaster, span.valid), by_forecaster(forecaster, span.test))


def each_member(name: str, forecaster: NetworkForecaster, span: Span) -> list[Entry]:
    """Return what every member of an ensemble would say alone, calibrated by itself."""
    raws = []
    for part in (span.valid, span.test):
        phases = np.zeros(part.end_ns.size, dtype=np.int64)
        inside = forecaster.inside_batch(forecaster.start(1), phases, part.end_ns, part.features)
        cold = np.isnan(inside.rows[:, 0])
        inside.raw[:, cold] = np.nan
        raws.append(inside.raw)
    found = []
    for m in range(forecaster.members):
        valid, test = (np.ascontiguousarray(raw[m : m + 1]) for raw in raws)
        fitted = calibrated_on([by_raw(valid)], [span.valid])
        found.append(Entry(f"{name} seed {m}", by_raw(valid, fitted), by_raw(test, fitted)))
    return found


def without_families(
    bench: Bench, forecaster: NetworkForecaster, whole: Entry, say: Progress
) -> list[Ablation]:
    """Measure the network when a feed is dead: nothing is fitted anew."""
    rows: list[Ablation] = []
    for number in np.unique(forecaster.standards.family).tolist():
        family = MODEL_FAMILIES[number]
        say(f"without {family}")
        lesser = by_forecaster(forecaster, without(bench.span.test, family_features(family)))
        rows += ablation(bench, f"feed dead: {family}", whole.test, lesser)
    return rows


def whole_of(
    bench: Bench, sources: Sources, recipe: Recipe, seeds: Sequence[int], work: Path, told: Told,
    processes: Workers,
) -> tuple[Entry, Variant]:  # fmt: skip
    """Train the network on a fold; return what it says."""
    lesson = lesson_from(sources)
    whole = Variant(NetworkConfig(inputs=len(lesson.standards)), recipe, lesson)
    entry = judged_variant(
        NETWORK, whole, bench.span.valid, bench.span.test, seeds, work, told, processes
    )
    return entry, whole


def without_parts(
    bench: Bench, sources: Sources, recipe: Recipe, seeds: Sequence[int], work: Path,
    names: Sequence[str] | None, say: Progress, told: Told, processes: Workers,
) -> tuple[list[Entry], list[Ablation]]:  # fmt: skip
    """Train every variant and measure it against the whole with the same seeds."""
    lesson = lesson_from(sources)
    whole = Variant(NetworkConfig(inputs=len(lesson.standards)), recipe, lesson)
    entries: list[Entry] = []
    rows: list[Ablation] = []
    for name, variant in variants(whole).items():
        if names is not None and name not in ("whole", *names):
            continue
        say(f"variant: {name}")
        entry = judged_variant(
            name, variant, bench.span.valid, bench.span.test, seeds,
            work / name.replace(" ", "-"), told, processes,
        )  # fmt: skip
        if entries:
            rows += ablation(bench, name, entries[0].test, entry.test)
        entries.append(entry)
    return entries[1:], rows


def crises(
    lake: Lake, judged: Dataset, others: Sequence[Dataset], sources: Sources, valid: Part,
    dates: Dates, recipe: Recipe, seeds: Sequence[int], work: Path, say: Progress, told: Told,
    processes: Workers,
) -> list[Crisis]:  # fmt: skip
    """Leave every crisis out of training, and judge the network and the logistic on it."""
    rows: list[Crisis] = []
    for number, crisis in enumerate(cr.CRISES):
        is_over = instant_ns(crisis.end) + PURGE_NS < dates.until_ns
        at = cr.during(lake, judged, crisis, say) if is_over else None
        if at is None:
            continue
        say(f"crisis: {crisis.name}")
        rest = cr.without(lake, [judged, *others], crisis, dates.until_ns, say)
        lesson = lesson_from(Sources(rest, [], sources.valid, []))
        variant = Variant(NetworkConfig(inputs=len(lesson.standards)), recipe, lesson)
        entry = judged_variant(
            NETWORK, variant, valid, at.part, seeds, work / f"crisis-{number}", told, processes
        )
        span = Span([s.part for s in rest], valid, at.part)
        both = [entry, *baselines(span, [LOGISTIC], seeds[0], processes)]
        rates = {t: base_rates(rest[0].part.tasks[t], rest[0].part.end_ns) for t in TASKS}
        for one in both:
            for task in TASKS:
                trial = Trial.of(at.part.tasks[task], at.part.end_ns)
                rows += [
                    Crisis(
                        crisis.name, crisis.start, crisis.end, one.name, task, found.side,
                        found.events, scores_of(found.drawn),
                    )
                    for found in measure(trial, one.test.hazards[task], rates[task])
                ]  # fmt: skip
    return rows


def joined_fields(fields: Sequence[Field]) -> Field:
    """Return folds as one: learnt from what the first did, judged on all test spans together.

    What reaches beyond the end of a fold is censored there.
    """
    first = fields[0]
    tests = [f.span.test for f in fields]
    return Field(first.sources, Span(first.span.train, first.span.valid, joined_parts(tests)))


def joined(folds: Sequence[list[Entry]]) -> list[Entry]:
    """Return entries whose test spans follow one another; thresholds are those of the first."""
    found = []
    for entry in folds[0]:
        same = [next(e for e in fold if e.name == entry.name) for fold in folds]
        found.append(Entry(entry.name, entry.valid, Said.joined([e.test for e in same]),
                           entry.trials))  # fmt: skip
    return found


def evaluation_of(
    bench: Bench, entries: Sequence[Entry], seeds: Sequence[Entry], chosen: str, *,
    ablations: Sequence[Ablation] = (), found_crises: Sequence[Crisis] = (),
    ladder: Mapping[str, Any] | None = None, meta: dict[str, str], say: Progress,
) -> Evaluation:  # fmt: skip
    """Measure everybody and put it into one object."""
    skills, differences = skills_of(bench, entries, AGAINST, say)
    names = [e.name for e in seeds]
    alone, apart = skills_of(bench, [*seeds, *(e for e in entries if e.name in AGAINST)], AGAINST,
                             say) if seeds else ([], [])  # fmt: skip
    strata: list[Stratum] = []
    main = next(e for e in entries if e.name == chosen)
    if set(TASKS) <= set(main.test.hazards):
        say("measuring strata")
        strata = strata_of(bench, main)
    told = meta | {"litehedge": litehedge.__version__}
    for key, score in over_seeds(alone, names).items():
        told[f"seeds alone, {key}"] = f"{score.value:.4f} ({score.low:.4f} to {score.high:.4f})"
    for e in entries:
        if e.trials > 1:
            told[f"trials, {e.name}"] = str(e.trials)
    mine = set(names)
    return Evaluation(
        chosen=chosen,
        shown=[chosen, *(n for n in (*AGAINST, "volatility", "base rate") if n != chosen)],
        meta=told,
        skills=[*skills, *(s for s in alone if s.forecaster in mine)],
        differences=[*differences, *(d for d in apart if d.forecaster in mine)],
        strata=strata,
        ablations=list(ablations),
        crises=list(found_crises),
        oracle=[] if ladder is None else oracle_shares(ladder),
    )

"""From what forecasters said to an `Evaluation`: skills, differences, strata, parts taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.model.artefact import Score
from litehedge.model.baselines.part import Part
from litehedge.model.layout import TASKS
from litehedge.model.measures.compare import common, compare, difference, in_strata
from litehedge.model.measures.course import Course, peak_course, severity_course
from litehedge.model.measures.measure import alarm_thresholds, measure, skill_of_course
from litehedge.model.measures.result import (
    PEAK,
    SEVERITY,
    Ablation,
    Difference,
    OracleShare,
    Skill,
    Stratum,
)
from litehedge.model.measures.strata import strata, volatility_edges
from litehedge.model.measures.trial import Trial, base_rates
from litehedge.squeeze.forecast import SEVERITY_LEVELS
from litehedge.squeeze.labels import SIDES
from litehedge.training.judging.adaptive import adaptive_peaks, adaptive_severities
from litehedge.training.judging.field import Entry, Span
from litehedge.training.told import Said

Floats = NDArray[np.float64]
Progress = Callable[[str], None]

RANKERS: Final = ("vol_rule", "vol_60m")
ABLATED: Final = ("log_loss", "auc_30", "ap_30")


@dataclass(frozen=True, slots=True)
class Bench:
    """The judged span, cut into trials once, with the base rates of the training span."""

    span: Span
    trials: dict[str, Trial]
    valid: dict[str, Trial]
    rates: dict[str, Floats]

    @classmethod
    def of(cls, span: Span, draws: int, seed: int) -> Bench:
        """Cut a span."""
        longest = max(span.train, key=lambda p: p.end_ns.size)
        return cls(
            span,
            {t: Trial.of(span.test.tasks[t], span.test.end_ns, draws=draws, seed=seed)
             for t in TASKS},
            {t: Trial.of(span.valid.tasks[t], span.valid.end_ns, draws=1) for t in TASKS},
            {t: base_rates(longest.tasks[t], longest.end_ns) for t in TASKS},
        )  # fmt: skip


def skills_of(
    bench: Bench, entries: Sequence[Entry], against: Sequence[str], say: Progress = lambda _: None
) -> tuple[list[Skill], list[Difference]]:
    """Measure every entry at every task that it speaks of, and against some of them."""
    skills: list[Skill] = []
    differences: list[Difference] = []
    for task in TASKS:
        say(f"measuring {task}")
        mine = [e for e in entries if task in e.test.hazards]
        names = {e.name for e in mine}
        found, apart = compare(
            bench.trials[task], {e.name: e.test.hazards[task] for e in mine}, bench.rates[task],
            task,
            thresholds={
                e.name: alarm_thresholds(bench.valid[task], e.valid.hazards[task]) for e in mine
            },
            against=[name for name in against if name in names],
        )  # fmt: skip
        skills += found
        differences += apart
    say("measuring peaks and severity")
    for entry in entries:
        for task, side, course in courses(bench, entry):
            skills.append(skill_of_course(course, entry.name, task, side))
    return skills, differences


def courses(bench: Bench, entry: Entry) -> Iterable[tuple[str, int, Course]]:
    """Yield the measures of time to peak and of severity, where a forecaster speaks of them."""
    trial, part, said = bench.trials["squeeze"], bench.span.test, entry.test
    for side in range(len(SIDES)):
        if said.peak is not None:
            issued = adaptive_peaks(bench.span, entry, side)
            yield PEAK, side, peak_course(trial, said.peak, part.targets, side, issued)
        usual = usual_severity(bench.span.train, side)
        if said.severity_bps is not None and usual is not None:
            yield SEVERITY, side, severity_course(
                trial, said.severity_bps, part.targets, part.severity_bps, usual, side,
                adaptive_severities(bench.span, entry, side),
            )  # fmt: skip


def usual_severity(train: Sequence[Part], side: int) -> Floats | None:
    """Return the quantiles of severity of the squeezes of training, one count each, ``(5,)``.

    None when there was no squeeze of that side.
    """
    found = []
    for part in train:
        event = part.targets.event[:, side]
        found.append(part.severity_bps[np.unique(event[event >= 0])])
    severities = np.concatenate(found)
    if severities.size == 0:
        return None
    return np.asarray(np.quantile(severities, SEVERITY_LEVELS), dtype=np.float64)


def strata_of(bench: Bench, entry: Entry) -> list[Stratum]:
    """Measure one entry in every kind of market."""
    edges = volatility_edges(np.concatenate([p.features for p in bench.span.train]))
    masks = strata(bench.span.test.features, bench.span.test.end_ns, edges)
    rows: list[Stratum] = []
    for task in TASKS:
        rows += in_strata(
            bench.trials[task], entry.test.hazards[task], bench.rates[task], masks, entry.name, task
        )
    return rows


def ablation(
    bench: Bench, name: str, whole: Said, lesser: Said, tasks: Iterable[str] = TASKS
) -> list[Ablation]:
    """Measure what is lost without a part: log-loss as a gain (negative is a loss), AUC, AP."""
    rows: list[Ablation] = []
    for task in tasks:
        kept = common([whole.hazards[task], lesser.hazards[task]])
        trial = bench.trials[task][kept]
        one, other = (
            measure(trial, s.hazards[task][kept], bench.rates[task], only=("auc", "ap", "log_loss"))
            for s in (lesser, whole)
        )
        for mine, all_of_it in zip(one, other, strict=True):
            for what, score in difference(mine, all_of_it).items():
                if what in ("log_loss_gain", *ABLATED):
                    rows.append(Ablation(name, task, mine.side, what, score))
    return rows


def middle(values: Sequence[float]) -> Score:
    """Return the median of seeds, with the worst and best of them in place of an interval."""
    found = sorted(values)
    return Score(float(np.median(found)), found[0], found[-1])


def over_seeds(skills: Sequence[Skill], names: Sequence[str]) -> dict[str, Score]:
    """Return the median over seeds of the main measures, by ``task side measure``."""
    found: dict[str, list[float]] = {}
    for skill in skills:
        if skill.forecaster in names:
            for what in ("log_loss", "auc_30", "ap_30", "slope_30", "concordance"):
                score = skill.score(what)
                if score is not None:
                    found.setdefault(f"{skill.task} {skill.side} {what}", []).append(score.value)
    return {key: middle(values) for key, values in found.items()}


def oracle_shares(ladder: Mapping[str, Any]) -> list[OracleShare]:
    """Return what `study skill` found: how much of the way from volatility to the truth.

    ``auc`` is (AUC - volatility's) / (truth's - volatility's), with the interval of what is
    lacking; ``brier_skill`` the share of the truth's Brier skill.
    """
    found = []
    for side in SIDES:
        rungs = {r["rung"]: r for r in ladder["rungs"] if r["side"] == side}
        if not rungs:
            continue
        start = max(rungs[name]["auc"] for name in RANKERS if name in rungs)
        way = rungs["truth"]["auc"] - start
        for name, r in rungs.items():
            if name in (*RANKERS, "truth"):
                continue
            lacking = (1.0 - r[f"below_truth{edge}"] / way for edge in ("", "_high", "_low"))
            found.append(OracleShare(name, side, "auc", Score(*lacking)))
            share = Score(*(r[f"share{edge}"] for edge in ("", "_low", "_high")))
            found.append(OracleShare(name, side, "brier_skill", share))
    return found

"""How measures of skill are called and written, in the page and in the docs' tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from litehedge.model.artefact import Score
from litehedge.model.measures.result import BOTH, PEAK, SEVERITY, TASKS, Evaluation, Skill, Stratum
from litehedge.report.style import UNKNOWN, number, percent
from litehedge.squeeze.labels import SIDES

TASK_WORDS: Final = {
    "squeeze": "Onset of a squeeze",
    "percent": "Price moves 2%",
    "sigma": "Price moves 5 weekly sigma",
    PEAK: "Peak of a running squeeze",
    SEVERITY: "Severity of a squeeze to come",
}
SIDE_WORDS: Final = {
    "long": "down (longs are liquidated)",
    "short": "up (shorts are liquidated)",
    BOTH: "both sides",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A measure in a table: `unit` is empty, ``%`` for a fraction told in per cent, or a word."""

    name: str
    head: str
    digits: int
    unit: str = ""
    is_better_higher: bool | None = True

    def write(self, value: float, *, signed: bool = False) -> str:
        """Write a value of the measure."""
        if self.unit == "%":
            return percent(value, self.digits, signed=signed)
        return number(value, self.digits, signed=signed)

    def interval(self, score: Score, *, signed: bool = False) -> str:
        """Write the 90 % interval of a score."""
        low, high = (self.write(end, signed=signed) for end in (score.low, score.high))
        return f"{low} .. {high}"


MAIN: Final = (
    Shown("auc_30", "AUC 30 min", 3),
    Shown("ap_lift_30", "AP / base rate", 1),
    Shown("brier_skill_30", "Brier skill", 1, "%"),
    Shown("concordance", "Uno C", 3),
    Shown("log_loss", "log-loss, nats", 4, "", False),
    Shown("slope_30", "slope", 2, "", None),
    Shown("recall", "recall", 0, "%"),
    Shown("false_per_day", "false a day", 2, "", False),
    Shown("lead_min", "lead, min", 0),
)
DIFFERENT: Final = (
    Shown("auc_30", "AUC 30 min", 3),
    Shown("ap_30", "AP 30 min", 4),
    Shown("brier_skill_30", "Brier skill", 1, "%"),
    Shown("concordance", "Uno C", 3),
    Shown("log_loss_gain", "log-loss saved", 2, "%"),
    Shown("recall", "recall", 0, "%"),
)
OF_PEAK: Final = (
    Shown("error_min", "error, min", 1, "", False),
    Shown("error_share", "error / duration", 0, "%", False),
    Shown("coverage", "in the 80% interval", 0, "%", None),
    Shown("width_min", "its width, min", 1, "", False),
    Shown("coverage_adaptive", "in the adaptive one", 0, "%", None),
    Shown("width_adaptive_min", "its width, min", 1, "", False),
)
OF_SEVERITY: Final = (
    Shown("pinball", "pinball loss", 4, "", False),
    Shown("pinball_gain", "saved over constants", 1, "%"),
    Shown("coverage", "in the 80% interval", 0, "%", None),
    Shown("coverage_adaptive", "in the adaptive one", 0, "%", None),
    Shown("below_q95", "below the 95% quantile", 0, "%", None),
)
OF_STRATA: Final = (
    Shown("auc_30", "AUC 30 min", 3),
    Shown("base_rate_30", "base rate", 2, "%", None),
    Shown("brier_skill_30", "Brier skill", 1, "%"),
    Shown("log_loss", "log-loss, nats", 4, "", False),
)
_FAMILIES: Final = (
    Shown("auc", "AUC", 3), Shown("ap_lift", "AP / base rate", 1), Shown("ap", "AP", 4),
    Shown("base_rate", "base rate", 2, "%", None), Shown("brier_skill", "Brier skill", 1, "%"),
    Shown("slope", "calibration slope", 2, "", None),
    Shown("intercept", "calibration intercept", 2, "", None),
    Shown("ece", "calibration error", 2, "%", False),
)  # fmt: skip
_KNOWN: Final = {shown.name: shown for shown in (*MAIN, *DIFFERENT, *OF_PEAK, *OF_SEVERITY)}


def shown_as(name: str) -> Shown:
    """Return how a measure is shown: ``auc_15`` is the AUC at 15 minutes."""
    if name in _KNOWN:
        return _KNOWN[name]
    family, _, horizon = name.rpartition("_")
    for one in _FAMILIES:
        if one.name == family and horizon.isdigit():
            head = f"{one.head} {horizon} min"
            return Shown(name, head, one.digits, one.unit, one.is_better_higher)
    return Shown(name, name.replace("_", " "), 4)


def score_of(evaluation: Evaluation, who: str, task: str, side: str, name: str) -> Score | None:
    """Return a score of a side or, where sides have it only together, of both."""
    for where in (side, BOTH):
        skill = evaluation.skill(who, task, where)
        score = None if skill is None else skill.score(name)
        if score is not None:
            return score
    return None


def value_and_interval(shown: Shown, score: Score | None, *, signed: bool = False) -> list[str]:
    """Return a score as two texts, the second empty where there is none."""
    if score is None:
        return [UNKNOWN, ""]
    return [shown.write(score.value, signed=signed), shown.interval(score, signed=signed)]


def verdict(shown: Shown, score: Score) -> str:
    """Say whether a difference is one: ``better``, ``worse``, or nothing."""
    if shown.is_better_higher is None or score.low <= 0.0 <= score.high:
        return ""
    return "better" if (score.low > 0.0) == shown.is_better_higher else "worse"


def tasks_of(evaluation: Evaluation, tasks: Sequence[str] = TASKS) -> list[tuple[str, str]]:
    """Return the tasks and sides that were measured, in the order in which they are told."""
    there = {(one.task, one.side) for one in evaluation.skills}
    return [(task, side) for task in tasks for side in SIDES if (task, side) in there]


def skills_at(evaluation: Evaluation, task: str, side: str) -> list[Skill]:
    """Return what every forecaster did at a task."""
    found = (evaluation.skill(name, task, side) for name in evaluation.forecasters)
    return [one for one in found if one is not None]


def worst_strata(strata: Iterable[Stratum], chosen: str) -> list[Stratum]:
    """Return the stratum with the lowest AUC at 30 minutes, for every task and side of one."""
    worst: dict[tuple[str, str], Stratum] = {}
    for one in strata:
        if one.forecaster != chosen or "auc_30" not in one.scores:
            continue
        key = (one.task, one.side)
        if key not in worst or one.scores["auc_30"].value < worst[key].scores["auc_30"].value:
            worst[key] = one
    return list(worst.values())


# --- for the docs -----------------------------------------------------------------------------


def markdown_table(
    evaluation: Evaluation, task: str, side: str, shown: Sequence[Shown] = MAIN
) -> str:
    """Return the table of all forecasters at a task as Markdown, intervals in brackets."""
    heads = ("forecaster", *(one.head for one in shown))
    lines = [_line(heads), _line(("---", *("---:" for _ in shown)))]
    for skill in skills_at(evaluation, task, side):
        cells = [skill.forecaster]
        for one in shown:
            score = score_of(evaluation, skill.forecaster, task, side, one.name)
            value, interval = value_and_interval(one, score)
            cells.append(f"{value} ({interval})" if interval else value)
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

"""The skill of all forecasters as one page that needs no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from litehedge import __version__
from litehedge.model.artefact import Score
from litehedge.model.measures.result import (
    PEAK,
    SEVERITY,
    TASKS,
    Ablation,
    Difference,
    Evaluation,
)
from litehedge.report.axes import Option
from litehedge.report.markup import (
    Column,
    Row,
    Safe,
    Text,
    card,
    chart,
    element,
    join,
    table,
    two_lines,
)
from litehedge.report.skill_charts import (
    ablation_chart,
    alarm_chart,
    horizon_chart,
    reliability_chart,
)
from litehedge.report.skill_words import (
    DIFFERENT,
    MAIN,
    OF_PEAK,
    OF_SEVERITY,
    OF_STRATA,
    SIDE_WORDS,
    TASK_WORDS,
    Shown,
    score_of,
    shown_as,
    skills_at,
    tasks_of,
    value_and_interval,
    verdict,
    worst_strata,
)
from litehedge.report.style import counted, number
from litehedge.report.tearsheet import page
from litehedge.squeeze.labels import SIDES
from litehedge.units import iso_utc

MEANINGS: Final = {
    "AUC": "chance that a moment before an event was given a higher probability than another; "
    "0.5 is a guess",
    "AP / base rate": "average precision over what a guess reaches",
    "Brier skill": "by how much the squared error is smaller than that of the base rate of the "
    "training span",
    "Uno C": "chance that of two moments the one whose event came first was ranked first, up to "
    "240 minutes",
    "log-loss": "of the whole time to the event, censored, per frame; lower is better",
    "slope": "of a logistic recalibration at 30 minutes: 1 is right, below 1 is too bold",
    "recall, false a day, lead": "alarms at P(30 minutes) above a threshold chosen on the "
    "validation span for one false alarm a day; an alarm speaks for one hour",
    "90% interval": "small figures: bootstrap over blocks of events; differences are taken in "
    "the same draws",
}


def skill_page(evaluation: Evaluation, made_ns: int) -> str:
    """Return the report as the text of one HTML file."""
    title = f"How well {evaluation.chosen} foretells"
    made = f"made {iso_utc(made_ns)} UTC by litehedge {__version__}"
    body = [
        element("header", element("h1", title), element("p", made, css="hg-lead")),
        *_main_cards(evaluation),
        *_differences_card(evaluation),
        *_chart_cards(evaluation),
        *_course_card(evaluation, PEAK, OF_PEAK, "Median over events of the mean error inside."),
        *_course_card(
            evaluation, SEVERITY, OF_SEVERITY, "Asked in the last thirty minutes before an onset."
        ),
        *_strata_card(evaluation),
        *_ablations_cards(evaluation),
        *_crises_card(evaluation),
        *_oracle_card(evaluation),
        *_everything_card(evaluation),
        card("What the measures mean", _list(MEANINGS)),
        card("How it was made", _list(evaluation.meta)),
    ]
    return page(title, join(body))


def _list(words: Mapping[str, str]) -> Safe:
    return element("ul", *(element("li", f"{name}: {about}") for name, about in words.items()))


def _cell(shown: Shown, score: Score | None, *, signed: bool = False) -> Text:
    value, interval = value_and_interval(shown, score, signed=signed)
    return two_lines(value, interval) if interval else value


def _table(name: str, words: Sequence[str], shown: Sequence[Shown], rows: Iterable[Row]) -> Safe:
    columns = [Column(head, is_number=False, is_prose=i == 0) for i, head in enumerate(words)]
    return table(name, [*columns, *(Column(one.head) for one in shown)], rows, cards=False)


def _main_cards(evaluation: Evaluation) -> list[Safe]:
    cards = []
    for task in TASKS:
        parts: list[Text] = []
        for side in SIDES:
            skills = skills_at(evaluation, task, side)
            if not skills:
                continue
            rows = [
                Row(
                    [s.forecaster, *(
                        _cell(m, score_of(evaluation, s.forecaster, task, side, m.name))
                        for m in MAIN
                    )],
                    "hg-chosen" if s.forecaster == evaluation.chosen else "",
                )
                for s in skills
            ]  # fmt: skip
            most = max(skills, key=lambda s: s.frames)
            counts = f"{counted(most.events, 'event')}, {counted(most.frames, 'frame')}"
            missing = max(s.left_out for s in skills)
            if missing:
                counts += f", {number(missing, 0)} without a forecast left out"
            parts += [
                element("h3", f"{SIDE_WORDS[side]}: {counts}"),
                _table(f"main-{task}-{side}", ["forecaster"], MAIN, rows),
            ]
        if parts:
            cards.append(card(TASK_WORDS[task], *parts))
    return cards


def _differences_card(evaluation: Evaluation) -> list[Safe]:
    if not evaluation.differences:
        return []
    rows = [
        Row([
            f"{d.forecaster} less {d.than}", d.task, d.side,
            *(_difference(one, d) for one in DIFFERENT),
        ])
        for d in evaluation.differences
    ]  # fmt: skip
    heads = ["forecasters", "task", "side"]
    return [
        card(
            "One forecaster less another, on the same draws",
            _table("differences", heads, DIFFERENT, rows),
            lead="Better or worse: the 90% interval does not hold zero.",
        )
    ]


def _difference(shown: Shown, d: Difference) -> Text:
    score = d.scores.get(shown.name)
    if score is None:
        return ""
    word = verdict(shown, score)
    css = {"better": "hg-done", "worse": "hg-danger"}.get(word, "")
    value, interval = value_and_interval(shown, score, signed=True)
    said = join([value, " ", element("span", word, css=css)]) if word else value
    return two_lines(said, interval)


def _chart_cards(evaluation: Evaluation) -> list[Safe]:
    kinds: tuple[tuple[str, str, str, Callable[[str, str], Option]], ...] = (
        ("auc", "AUC by horizon", "", lambda t, s: horizon_chart(evaluation, t, s, "auc")),
        ("brier", "Brier skill by horizon", "",
         lambda t, s: horizon_chart(evaluation, t, s, "brier_skill")),
        ("reliable", "What was foretold, and what came",
         "Ten bins of equally many frames; on the diagonal probabilities are right.",
         lambda t, s: reliability_chart(evaluation, t, s)),
        ("alarms", "Events caught against false alarms",
         "Every threshold of P(30 minutes); the tooltip tells the median lead.",
         lambda t, s: alarm_chart(evaluation, t, s)),
    )  # fmt: skip
    cards = []
    for name, title, lead, draw in kinds:
        parts: list[Text] = []
        for task, pairs in groupby(tasks_of(evaluation), key=lambda pair: pair[0]):
            drawn = [
                element(
                    "div",
                    element("h3", f"{TASK_WORDS[task]}, {SIDE_WORDS[side]}"),
                    chart(f"{name}-{task}-{side}", draw(task, side),
                          f"{title}: {task}, {side}", height=300),
                )
                for _, side in pairs
            ]  # fmt: skip
            parts.append(element("div", *drawn, css="hg-pair"))
        if parts:
            cards.append(card(title, *parts, lead=lead))
    return cards


def _course_card(
    evaluation: Evaluation, task: str, shown: Sequence[Shown], lead: str
) -> list[Safe]:
    rows = [
        Row(
            [s.forecaster, s.side, f"{s.events}", *(_cell(m, s.score(m.name)) for m in shown)],
            "hg-chosen" if s.forecaster == evaluation.chosen else "",
        )
        for s in evaluation.skills
        if s.task == task
    ]
    if not rows:
        return []
    heads = ["forecaster", "side", "events"]
    return [card(TASK_WORDS[task], _table(task, heads, shown, rows), lead=lead)]


def _strata_card(evaluation: Evaluation) -> list[Safe]:
    if not evaluation.strata:
        return []
    worst = worst_strata(evaluation.strata, evaluation.chosen)
    named = "; ".join(
        f"{w.task}, {w.side}: {w.name} (AUC {number(w.scores['auc_30'].value, 3)})" for w in worst
    )
    rows = [
        Row(
            [s.name, s.forecaster, s.task, s.side, f"{s.events}",
             *(_cell(m, s.scores.get(m.name)) for m in OF_STRATA)],
            "hg-chosen" if s in worst else "",
        )
        for s in evaluation.strata
    ]  # fmt: skip
    heads = ["market", "forecaster", "task", "side", "events"]
    lead = f"Worst of {evaluation.chosen}: {named}." if named else ""
    return [card("In which market", _table("strata", heads, OF_STRATA, rows), lead=lead)]


def _ablations_cards(evaluation: Evaluation) -> list[Safe]:
    if not evaluation.ablations:
        return []
    by_measure: dict[str, list[Ablation]] = {}
    for row in evaluation.ablations:
        by_measure.setdefault(row.measure, []).append(row)
    parts: list[Text] = []
    for i, (measure, found) in enumerate(by_measure.items()):
        shown = shown_as(measure)
        rows = [Row([r.name, r.task, r.side, _cell(shown, r.score, signed=True)]) for r in found]
        height = 110 + 40 * len(found)
        parts += [
            element("h3", shown.head),
            chart(f"ablations-{i}", ablation_chart(found), f"Ablations: {shown.head}",
                  height=height),
            _table(f"ablations-table-{i}", ["without", "task", "side"],
                   [Shown(measure, "difference", shown.digits, shown.unit)], rows),
        ]  # fmt: skip
    return [card("What each part is worth", *parts, lead="With the part taken away, less whole.")]


def _crises_card(evaluation: Evaluation) -> list[Safe]:
    if not evaluation.crises:
        return []
    rows = [
        Row([
            c.name, f"{c.start} .. {c.end}", c.forecaster, c.task, c.side, f"{c.events}",
            *(_cell(m, c.scores.get(m.name)) for m in OF_STRATA),
        ])
        for c in evaluation.crises
    ]  # fmt: skip
    heads = ["crisis", "days", "forecaster", "task", "side", "events"]
    lead = "Each foretold by a model that was trained without it."
    return [
        card("Crises left out of training", _table("crises", heads, OF_STRATA, rows), lead=lead)
    ]


def _oracle_card(evaluation: Evaluation) -> list[Safe]:
    if not evaluation.oracle:
        return []
    share = Shown("share", "share", 0, "%")
    rows = [
        Row([o.forecaster, o.side, shown_as(o.measure).head, _cell(share, o.score)])
        for o in evaluation.oracle
    ]
    found = _table("oracle", ["forecaster", "side", "measure"], [share], rows)
    return [card("Share of what can be known", found)]


def _everything_card(evaluation: Evaluation) -> list[Safe]:
    """All scores of the chosen forecaster."""
    tasks = tasks_of(evaluation)
    skills = [evaluation.skill(evaluation.chosen, *pair) for pair in tasks]
    names = list(dict.fromkeys(name for s in skills if s is not None for name in s.scores))
    rows = [
        Row([
            shown_as(name).head,
            *(_cell(shown_as(name), score_of(evaluation, evaluation.chosen, *pair, name))
              for pair in tasks),
        ])
        for name in names
    ]  # fmt: skip
    if not rows:
        return []
    columns = [Column("measure", is_number=False), *(Column(f"{t}, {s}") for t, s in tasks)]
    return [
        card(
            f"Every measure of {evaluation.chosen}",
            table("everything", columns, rows, cards=False),
        )
    ]

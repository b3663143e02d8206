"""The page of skill as a reader meets it, its charts, its tables, and JSON there and back."""

from __future__ import annotations

import json
import re

import made_skill
import msgspec
import pytest
from test_report_tearsheet import HOSTILE, Page, own

from litehedge.model.artefact import Score
from litehedge.model.measures.result import Evaluation
from litehedge.report import skill_charts as sc
from litehedge.report.markup import javascript
from litehedge.report.skill_page import skill_page
from litehedge.report.skill_words import (
    MAIN,
    Shown,
    markdown_table,
    score_of,
    shown_as,
    verdict,
    worst_strata,
)

MADE = made_skill.evaluation()
BARE = Evaluation("m", ["m"], {}, [])


def test_json_there_and_back() -> None:
    assert Evaluation.from_json(MADE.to_json()) == MADE
    tree = json.loads(MADE.to_json())
    assert tree["skills"][0]["scores"]["auc_5"] == {"value": 0.85, "low": 0.83, "high": 0.87}
    with pytest.raises(msgspec.ValidationError):
        Evaluation.from_json(b'{"chosen": "m", "stranger": 1}')


def test_sections_come_in_the_order_people_ask() -> None:
    assert Page(own(skill_page(MADE, 0))).headings == [
        "How well network foretells",
        "Onset of a squeeze", "Price moves 2%", "Price moves 5 weekly sigma",
        "One forecaster less another, on the same draws",
        "AUC by horizon", "Brier skill by horizon", "What was foretold, and what came",
        "Events caught against false alarms", "Peak of a running squeeze",
        "Severity of a squeeze to come", "In which market", "What each part is worth",
        "Crises left out of training", "Share of what can be known", "Every measure of network",
        "What the measures mean", "How it was made",
    ]  # fmt: skip


def test_what_was_not_measured_is_not_there() -> None:
    assert Page(own(skill_page(BARE, 0))).headings == [
        "How well m foretells", "What the measures mean", "How it was made",
    ]  # fmt: skip


def test_every_chart_has_a_place_and_an_option() -> None:
    text = own(skill_page(MADE, 0))
    places = re.findall(r'id="chart-([\w-]+)"', text)
    assert places == re.findall(r'litehedgeDraw\("chart-([\w-]+)",', text)
    assert len(set(places)) == len(places) == 4 * 6 + 2
    ids = re.findall(r' id="([\w-]+)"', text)
    assert len(set(ids)) == len(ids)


def test_the_page_asks_the_network_for_nothing() -> None:
    text = own(skill_page(MADE, 0))
    assert not re.search(r"https?://", text)
    for name, attributes in Page(text).elements:
        assert name not in ("link", "img", "iframe")
        assert "src" not in attributes


def test_hostile_names_stay_text() -> None:
    skills = [msgspec.structs.replace(one, forecaster=HOSTILE) if one.forecaster == "network"
              else one for one in MADE.skills]  # fmt: skip
    hostile = msgspec.structs.replace(
        MADE, chosen=HOSTILE, shown=[HOSTILE, "logistic"], skills=skills, meta={HOSTILE: HOSTILE}
    )
    text = own(skill_page(hostile, 0))
    assert "<img" not in text
    assert HOSTILE in Page(text).words


def test_the_main_table_tells_value_interval_and_what_sides_have_together() -> None:
    words = Page(own(skill_page(MADE, 0))).words
    assert "0.810" in words
    assert "0.790 .. 0.830" in words
    assert score_of(MADE, "network", "squeeze", "long", "log_loss") == made_skill.around(2.25, 0.05)
    assert score_of(MADE, "network", "percent", "long", "log_loss") == made_skill.around(1.5, 0.1)
    assert score_of(MADE, "network", "squeeze", "long", "nothing") is None
    assert "130 events, 75,000 frames, 12 without a forecast left out" in words


def test_worst_strata_are_named() -> None:
    worst = worst_strata(MADE.strata, "network")
    assert [(w.side, w.name) for w in worst] == [("long", "00-08 UTC"), ("short", "00-08 UTC")]
    assert "squeeze, long: 00-08 UTC (AUC 0.680)" in Page(own(skill_page(MADE, 0))).words


@pytest.mark.parametrize(
    ("score", "higher", "word"),
    [
        (Score(0.1, 0.05, 0.2), True, "better"),
        (Score(-0.1, -0.2, -0.05), True, "worse"),
        (Score(-0.1, -0.2, -0.05), False, "better"),
        (Score(0.1, -0.01, 0.2), True, ""),
        (Score(0.0, 0.0, 0.0), True, ""),
        (Score(0.1, 0.05, 0.2), None, ""),
    ],
)
def test_a_difference_is_one_when_its_interval_does_not_hold_zero(
    score: Score, higher: bool | None, word: str
) -> None:
    assert verdict(Shown("x", "x", 2, "", higher), score) == word


def test_names_of_measures() -> None:
    assert shown_as("auc_15").head == "AUC 15 min"
    assert shown_as("ap_lift_120").head == "AP / base rate 120 min"
    assert shown_as("brier_skill_5").unit == "%"
    assert shown_as("recall").head == "recall"
    assert shown_as("new_thing").head == "new thing"


def test_the_table_of_the_docs() -> None:
    lines = markdown_table(MADE, "squeeze", "long").splitlines()
    assert len(lines) == 2 + len(made_skill.NAMES)
    assert len({line.count("|") for line in lines}) == 1
    assert lines[0].startswith("| forecaster | AUC 30 min | AP / base rate |")
    assert lines[2].startswith("| network | 0.810 (0.790 .. 0.830) | 8.0 (7.0 .. 9.0) | 4.0% (2.0%")
    missing = markdown_table(MADE, "peak", "long", MAIN[:1]).splitlines()
    assert missing[2] == "| network | n/a |"


def all_options() -> list[dict]:
    tasks = [(task, side) for task in ("squeeze", "percent", "sigma") for side in ("long", "short")]
    options = []
    for pair in tasks:
        options += [
            sc.horizon_chart(MADE, *pair, "auc"),
            sc.horizon_chart(MADE, *pair, "brier_skill"),
        ]
        options += [sc.reliability_chart(MADE, *pair), sc.alarm_chart(MADE, *pair)]
    return [*options, sc.ablation_chart(MADE.ablations)]


def test_options_are_plain_json() -> None:
    for option in all_options():
        json.dumps(option, allow_nan=False)
        assert javascript(option)


def test_charts_tell_what_was_measured() -> None:
    auc = sc.horizon_chart(MADE, "squeeze", "long", "auc")
    assert [one["name"] for one in auc["series"]] == list(made_skill.NAMES)
    assert auc["series"][0]["data"] == [0.85, 0.83, 0.81, 0.79, 0.77, 0.75]
    brier = sc.horizon_chart(MADE, "squeeze", "long", "brier_skill")
    assert brier["series"][0]["data"][0] == 6.0
    reliable = sc.reliability_chart(MADE, "squeeze", "long")
    assert [one["name"] for one in reliable["series"]] == [*made_skill.NAMES, "right"]
    assert len(reliable["series"][0]["data"]) == 10
    alarms = sc.alarm_chart(MADE, "squeeze", "long")
    assert all(x <= sc.MOST_FALSE for x, _, _ in alarms["series"][0]["data"])
    parts = sc.ablation_chart(MADE.ablations[:2])
    assert parts["series"][1]["data"] == [[-0.004, 0], [-0.004, 1]]


def test_charts_without_anything_are_empty_and_not_broken() -> None:
    for draw in (sc.reliability_chart, sc.alarm_chart):
        assert json.dumps(draw(BARE, "squeeze", "long"), allow_nan=False)

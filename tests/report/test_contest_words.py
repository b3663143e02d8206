"""The tables and charts of a contest: whole, in every form, whoever takes part."""

from __future__ import annotations

from xml.etree import ElementTree

import made
import numpy as np
import pytest

from litehedge.hedge import signals as sg
from litehedge.hedge.policies import policies
from litehedge.report.contest import words
from litehedge.report.contest.charts import frontier_svg, strata_chart, tail_chart
from litehedge.report.contest.families import families
from litehedge.report.contest.judge import (
    Cell,
    Contest,
    bench_of,
    judge,
    steps_of,
    weekly_of,
)
from litehedge.report.contest.overfitting import verdict
from litehedge.report.contest.page import contest_cards
from litehedge.units import NS_PER_DAY

NAMES = ("unhedged", "static-50", "margin-vol", "move-3pct", "oracle")


def cell_of(names: tuple[str, ...] = NAMES) -> tuple[Cell, Contest]:
    """Daily episodes of 5x longs in forty days of hourly bars, with one fall in them."""
    closes = made.wandering(24 * 60, seed=3, step=0.008)
    closes[480:504] *= np.linspace(1.0, 0.66, 24)
    closes[504:] *= 0.66
    tape = made.tape_of(closes)
    tape.signals[sg.VOL_RULE] = np.where(np.arange(len(tape)) % 300 < 150, 0.006, 0.0005)
    tape.signals[sg.SIGMA] = np.linspace(0.001, 0.002, len(tape))
    tape.squeezes.append(made.squeeze_at(tape, 479, 503, 505))
    bench = bench_of(tape, made.TIERS, NS_PER_DAY, NS_PER_DAY // 4)
    given = made.settings()
    known = policies(given)
    traced = families(given)[:1]
    told: list[str] = []
    wanted = [known[name] for name in names]
    cell = judge(bench, given, wanted, traced, reach=told.append)
    assert len(told) == steps_of(wanted, traced)
    crises = list(dict.fromkeys(c.name for c in bench.entries.crises))
    held = Contest([cell], traced, verdict(weekly_of([cell]), None), crises, {"data": "made | up"})
    return cell, held


@pytest.fixture(scope="module")
def held() -> tuple[Cell, Contest]:
    return cell_of()


def test_every_table_has_as_many_cells_as_heads_and_is_there(held):
    tables = words.tables(held[1], "margin-vol")
    titles = " / ".join(one.title for one in tables)
    for part in ("against the margin", "in bad times", "differences", "kind of market", "crises",
                 "luck"):  # fmt: skip
        assert part in titles
    for one in tables:
        assert all(len(row) == len(one.heads) for row in one.rows), one.title


def test_markdown_says_every_note_once(held):
    text = words.markdown(held[1], "margin-vol")
    assert text.count(words.BAD_TIMES_NOTE) == 1
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") - line.count("\\|") for line in block.split("\n")}) == 1


def test_the_plot_is_an_svg_that_names_every_policy_but_the_oracle(held):
    root = ElementTree.fromstring(frontier_svg([held[0]] * 4, "margin-vol"))
    assert root.tag.endswith("svg")
    said = [one.text for one in root.iter() if one.tag.endswith("title")]
    assert {"margin-vol", "move-3pct"} <= set(said)
    assert "oracle" not in said


def test_charts_leave_out_the_oracle_and_show_every_stratum(held):
    drawn = tail_chart(held[0], "margin-vol")
    points = [p["name"] for s in drawn["series"] if s["type"] == "scatter" for p in s["data"]]
    assert sorted(points) == ["margin-vol", "move-3pct"]
    heat = strata_chart(held[0])
    assert len(heat["series"][0]["data"]) == len(heat["xAxis"]["data"]) * len(heat["yAxis"]["data"])


def test_the_report_escapes_what_is_not_its_own(held):
    page = "".join(contest_cards(held[1], "margin-vol"))
    assert "Against the volatility rule" in page
    assert "<script>alert" not in page


def test_a_policy_is_judged_alike_whoever_else_takes_part(held):
    alone, _ = cell_of(("margin-vol",))
    row = next(r for r in held[0].rows if r["policy"] == "margin-vol")
    mine = dict(alone.rows[0])
    for name, value in row.items():
        if name != "oracle_share":  # without the oracle there is none
            assert mine[name] == pytest.approx(value, nan_ok=True), name


def test_the_rule_itself_never_beats_its_own_envelope(held):
    [own] = [c for c in held[0].contests if c["policy"] == "margin-vol"]
    assert own["family_liquidation_rate"] <= own["liquidation_rate"] + 1e-12
    assert own["family_mean_return"] >= own["mean_return"] - 1e-12
    assert own["family_cvar5"] >= own["cvar5"] - 1e-12

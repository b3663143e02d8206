"""Figures of the blow-up study on lives made by hand, and what is drawn of them."""

import json
import xml.etree.ElementTree as ET
from itertools import product

import numpy as np
import pytest

from litehedge.backtest import STATIC_GRID
from litehedge.blowup.lives import LIFE, Arm, crowd_mix
from litehedge.blowup.wrong import Wrong
from litehedge.report.ruin import (
    ARMS,
    AS_SAFE,
    GUARDED,
    SMALLER,
    UNGUARDED,
    UNHEDGED,
    Key,
    arms_of,
    ruin_study,
)
from litehedge.report.ruin_charts import RIGHT, WRONG, alive_chart, alive_svg
from litehedge.report.ruin_sheet import ruin_page

WORLDS, DAYS = 20, 10
LEVERAGES = (3.0, 10.0)
RIGHT_KEYS = [Key(name, Wrong.NOT) for name in ARMS]


def made_lives(worlds=WORLDS):
    """At 10x every unhedged life ends on day 2, hedged ones in every fourth world on day 5.

    A position smaller by r lives like its leverage: at 10x it is ruined below r = 0.5, and in
    every fourth world from there to 0.8. Guarded lives hedge 0.31 on average.
    """
    rows = []
    for seed, leverage, side in product(range(worlds), LEVERAGES, range(2)):
        high, unlucky = leverage == 10.0, seed % 4 == 0

        def life(arm, wrong, ratio, ends, hedge, seed=seed, leverage=leverage, side=side):
            row = np.zeros(1, dtype=LIFE)
            row["seed"], row["arm"], row["wrong"], row["ratio"] = seed, arm, wrong, ratio
            row["side"], row["leverage"], row["hedge"] = side, leverage, hedge
            row["forced_at"], row["poor_at"] = ends, -1
            row["equity"] = 0.02 * seed if ends >= 0 else 1.0
            rows.append(row)

        for ratio in STATIC_GRID.tolist():
            ruined = high and (ratio < 0.5 or (unlucky and ratio < 0.8))
            life(Arm.STATIC, Wrong.NOT, ratio, 2 * 1440 if ruined else -1, ratio)
        for wrong, arm in product(Wrong, (Arm.UNGUARDED, Arm.GUARDED)):
            ruined = high and (unlucky or (wrong is Wrong.FLIPS and arm is Arm.UNGUARDED))
            life(arm, wrong, 0.0, 5 * 1440 if ruined else -1, 0.31)
    return np.concatenate(rows)


LIVES = made_lives()
STUDY = ruin_study(LIVES, DAYS)
HIGH = crowd_mix(LEVERAGES)[10.0]


# --- laws -------------------------------------------------------------------------------------


def test_every_arm_has_the_same_traders():
    groups = arms_of(LIVES)
    assert set(groups) == {*RIGHT_KEYS, *(
        Key(arm, wrong) for arm in (UNGUARDED, GUARDED) for wrong in (Wrong.FLIPS, Wrong.STUCK)
    )}  # fmt: skip
    wanted = set(product(range(WORLDS), LEVERAGES, range(2)))
    for group in groups.values():
        assert group.size == len(wanted)
        assert set(zip(group["seed"], group["leverage"], group["side"], strict=True)) == wanted


def test_the_order_of_the_lives_changes_nothing():
    shuffled = np.random.default_rng(1).permutation(LIVES)
    for one, other in zip(ruin_study(shuffled, DAYS).rows, STUDY.rows, strict=True):
        for name, value in one.items():
            expected = pytest.approx(other[name], nan_ok=True) if name not in (
                "arm", "forecaster", "side") else other[name]  # fmt: skip
            assert value == expected, name


@pytest.mark.parametrize("row", STUDY.rows, ids=lambda r: f"{r['arm']} {r['leverage']}")
def test_intervals_hold_their_rate(row):
    assert 0.0 <= row["ruin_low"] <= row["ruin_rate"] <= row["ruin_high"] <= 1.0
    assert row["ruin_low"] < row["ruin_high"] or row["ruin_rate"] not in (0.0, 1.0)
    assert row["cvar5"] <= row["median_equity"]


def test_the_living_become_no_more_and_end_with_those_who_are_never_ruined():
    for key, alive in STUDY.alive.items():
        assert alive[0] == 1.0
        assert (np.diff(alive) <= 0.0).all()
        assert alive[-1] == pytest.approx(1.0 - STUDY.row(key.arm, key.wrong)["ruin_rate"])


# --- examples ---------------------------------------------------------------------------------


def test_rates():
    assert STUDY.row(UNHEDGED, Wrong.NOT, "long", 10.0)["ruin_rate"] == 1.0
    assert STUDY.row(GUARDED, Wrong.NOT, "short", 10.0)["ruin_rate"] == 0.25
    assert STUDY.row(UNHEDGED, Wrong.NOT)["ruin_rate"] == pytest.approx(HIGH)
    assert STUDY.row(UNGUARDED, Wrong.FLIPS)["ruin_rate"] == pytest.approx(HIGH)
    assert STUDY.row(UNGUARDED, Wrong.STUCK)["ruin_rate"] == pytest.approx(0.25 * HIGH)


def test_what_never_happened_is_bounded_by_the_number_of_worlds():
    never = STUDY.row(UNHEDGED, Wrong.NOT, "long", 3.0)
    assert (never["ruin_rate"], never["ruin_low"]) == (0.0, 0.0)
    assert never["ruin_high"] == pytest.approx(1.0 - 0.05 ** (1.0 / WORLDS))
    always = STUDY.row(UNHEDGED, Wrong.NOT, "long", 10.0)
    assert always["ruin_low"] == pytest.approx(0.05 ** (1.0 / WORLDS))
    assert always["ruin_high"] == 1.0


def test_twins_in_a_world_do_not_narrow_an_interval():
    """Two sides that die in the same worlds tell no more than one of them."""
    alone = STUDY.row(GUARDED, Wrong.NOT, "long", 10.0)
    mix = STUDY.row(GUARDED, Wrong.NOT)
    assert mix["ruin_high"] == pytest.approx(HIGH * alone["ruin_high"])
    assert mix["ruin_low"] == pytest.approx(HIGH * alone["ruin_low"])


def test_smaller_is_by_the_average_hedge_and_as_safe_by_the_ruin():
    groups = arms_of(LIVES)
    assert set(groups[Key(SMALLER, Wrong.NOT)]["ratio"]) == {STATIC_GRID[6]}
    as_safe = groups[Key(AS_SAFE, Wrong.NOT)]
    assert set(as_safe["ratio"][as_safe["leverage"] == 3.0]) == {0.0}
    assert set(as_safe["ratio"][as_safe["leverage"] == 10.0]) == {0.5}


def test_equity_is_weighted():
    row = STUDY.row(UNHEDGED, Wrong.NOT)
    poor = 0.02 * np.arange(WORLDS)
    assert row["mean_equity"] == pytest.approx(1.0 - HIGH + HIGH * poor.mean())
    assert row["median_equity"] == 1.0
    per_life = HIGH / WORLDS
    whole = int(0.05 / per_life)
    rest = 0.05 - whole * per_life
    expected = (per_life * poor[:whole].sum() + rest * poor[whole]) / 0.05
    assert row["cvar5"] == pytest.approx(expected)


def test_the_median_lies_between_the_two_in_the_middle():
    row = STUDY.row(UNHEDGED, Wrong.NOT, "long", 10.0)
    assert row["median_equity"] == pytest.approx(0.02 * (WORLDS - 1) / 2)


def test_differences_are_of_the_same_worlds():
    found = {(d["arm"], d["than"], d["forecaster"]): d for d in STUDY.differences}
    none = found[GUARDED, UNGUARDED, "right"]
    assert none["ruin"] == 0.0
    assert none["ruin_high"] == -none["ruin_low"] == pytest.approx(1.0 - 0.05 ** (1.0 / WORLDS))
    flips = found[GUARDED, UNGUARDED, "flips"]
    assert flips["ruin"] == pytest.approx(-0.75 * HIGH)
    assert flips["ruin_low"] < flips["ruin"] < flips["ruin_high"] < 0.0


def test_the_day_of_ruin_is_seen():
    alive = STUDY.alive[Key(UNHEDGED, Wrong.NOT)]
    assert alive[:3].tolist() == [1.0, 1.0, 1.0]  # ruined in the first minute of the third day
    assert alive[3] == pytest.approx(1.0 - HIGH)


# --- drawn ------------------------------------------------------------------------------------


def test_the_svg_is_xml_with_a_line_for_every_arm():
    root = ET.fromstring(alive_svg(STUDY))
    lines = list(root.iter("{http://www.w3.org/2000/svg}path"))
    assert len(lines) == 2 * (len(RIGHT) + len(WRONG))  # with their keys
    texts = {t.text for t in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {UNHEDGED, SMALLER, AS_SAFE, UNGUARDED, GUARDED, "guards, flips"} <= texts
    assert "nan" not in alive_svg(STUDY)


def test_the_chart_holds_every_day():
    option = alive_chart(STUDY, RIGHT)
    assert [s["name"] for s in option["series"]] == list(ARMS)
    assert all(len(s["data"]) == DAYS + 1 for s in option["series"])
    json.dumps(option, allow_nan=False)


def test_the_page_tells_rates_and_escapes_what_it_is_given():
    page = ruin_page(STUDY, {"worlds": WORLDS, "scenarios": "<b>"}, 0)
    assert f"Blow-ups: {DAYS} days, {WORLDS} simulated worlds" in page
    assert "scenarios: &lt;b&gt;" in page
    assert f"{100 * HIGH:.1f}%" in page
    for about in ARMS.values():
        assert about in page

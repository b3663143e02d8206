"""Why a decision was made, in words: nothing is lost, and nothing is invented."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.config import Settings
from litehedge.effects import Decision
from litehedge.hedge.band import Action, Recommendation
from litehedge.hedge.leverage import LeverageAdvice
from litehedge.model.artefact import Span
from litehedge.model.attribution import Attribution
from litehedge.model.reliability import EDGES, Promise, Reliability, promises
from litehedge.risk.limits import Code
from litehedge.risk.verdicts import SETTINGS, Verdict
from litehedge.ui import reasons

T = 1_767_571_200_000_000_000
ADVICE = LeverageAdvice(3.0, 0.05, 1.0, 0.2)
FAMILIES = ("price", "funding", "book", "crowd", "btc", "volume", "memory")


def decision(
    size: float = 2.0, *, order: str = "a-1", verdicts: list[Verdict] | None = None,
    action: Action = Action.INCREASE, price: float = 80.0,
) -> Decision:  # fmt: skip
    wants = Recommendation(
        action, 0.32, 0.40, 0.40, 0.55, size, 0.8, 12.0, 3.0, "P(ruin) is high",
        {"onset_60_min": 0.36, "cost": 7e-4, "strange": 2.0},
    )  # fmt: skip
    return Decision(
        T, price, "ACTIVE", wants, verdicts or [], order, 1000.0, 0.18, ADVICE,
        [0.1] * 6, 0,
    )  # fmt: skip


def attribution(points: list[float], remainder: float = 0.0) -> Attribution:
    both = np.array([points, points]).T
    whole = np.full(2, 0.1 + (sum(points) + remainder) / 100.0)
    return Attribution(FAMILIES[: len(points)], both, np.full(2, remainder), whole, np.full(2, 0.1))


@given(st.lists(st.floats(-30, 30), min_size=0, max_size=7), st.floats(-5, 5))
def test_bars_are_few_and_sum_to_the_whole(points, remainder):
    told = attribution(points, remainder)
    shown = reasons.bars(told, 0)
    assert len(shown) <= reasons.MOST_BARS + 1
    tiny = 0.005 * (len(points) + 1)
    assert sum(p for _, p in shown) == pytest.approx(sum(points) + remainder, abs=tiny)
    named = [abs(p) for name, p in shown if name != "all else"]
    assert named == sorted(named, reverse=True)
    json.dumps(reasons.bars_option(told, 0), allow_nan=False)


def test_signs_words_and_colours_go_together():
    told = attribution([14.0, -3.0])
    option = reasons.bars_option(told, 0)
    low, high = option["series"][0]["data"]
    assert (high["itemStyle"]["color"], high["label"]["formatter"]) == (reasons.AMBER, "▲ +14.0 pt")
    assert (low["itemStyle"]["color"], low["label"]["formatter"]) == (reasons.BLUE, "▼ -3.0 pt")
    text = reasons.bars_text(told, 0)
    assert "recent price moves raises it by 14.0 pt" in text
    assert "the funding rate lowers it by 3.0 pt" in text


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (decision(), "hedged"),
        (decision(order="", action=Action.MAINTAIN), "held"),
        (decision(order="", verdicts=[Verdict(Code.TRADING_HALTED, 2.0, 0.0)]), "refused"),
    ],
)
def test_every_decision_is_of_one_kind_and_found_under_it(told, kind):
    assert reasons.kind_of(told) == kind
    for show in reasons.KINDS:
        assert reasons.meant_by(show)(told) == (show == kind)
    assert reasons.meant_by("everything")(told)
    assert reasons.line("s", told, kind)["href"] == f"/why?session=s&at={T}&show={kind}"


def test_numbers_have_words_and_units_and_none_is_left_out():
    rows = dict(reasons.terms(decision()))
    assert rows["Squeeze against the position, 60 min"] == "36%"
    assert rows["Cost of one trade of the whole hedge"] == "7.0 bps"
    assert rows["strange"] == "2"
    assert rows["Equity"] == "1,000 USDT"


@pytest.mark.parametrize("code", list(Code))
def test_every_verdict_names_the_setting_that_changes_it_and_its_value(code):
    said = reasons.verdict(Verdict(code, 3.0, 1.0, {"limit_usdt": 5000.0}), Settings())
    assert said["code"] == code.value
    assert said["meaning"]
    assert "limit usdt 5000" in said["numbers"]
    for name in SETTINGS[code]:
        assert name in said["setting"]
        assert "None" not in said["setting"]


@given(st.sampled_from(["long", "short"]), st.floats(-5, 5), st.floats(40, 120))
def test_what_would_have_been_mirrors_the_hedge(position, size, price):
    told = decision(size, price=80.0)
    rows = reasons.without_it(told, position, {15: price}, math.nan)
    if reasons.allowed_ltc(told) == 0.0:
        assert rows == []
        return
    worth = (1.0 if position == "long" else -1.0) * size * (price - 80.0)
    ((words, said),) = rows
    assert words.startswith("after 15 min, at $")
    assert said.startswith("no difference" if abs(worth) < 0.005 else "+" if worth > 0 else "-")


def test_what_guards_cut_is_not_counted_as_done():
    cut = decision(verdicts=[Verdict(Code.DEPTH_SHARE_ABOVE_LIMIT, 2.0, 0.5)])
    assert reasons.allowed_ltc(cut) == 0.5
    refused = decision(order="", verdicts=[Verdict(Code.TRADING_HALTED, 2.0, 0.0)])
    assert reasons.without_it(refused, "long", {15: 70.0}, 70.0) == []


def test_calibration_says_what_was_counted_or_that_nothing_was():
    span = Span("ltc_perp_1m", "2024-12-01 00:00", "2025-01-17 00:00", 1000)
    told = Reliability("m@1", 60.0, [span], {"long": [Promise(214, 0.30, 0.28, 9)]})
    said = reasons.calibration(told, "long", 0.33)
    assert said.startswith("When it said about 30%, a squeeze of longs came within 60 min 28% of")
    assert "214 times, from 9 squeezes" in said
    assert "ltc_perp_1m 2024-12-01 to 2025-01-17" in said
    assert "never foretold" in reasons.calibration(told, "short", 0.33)
    assert "not counted" in reasons.calibration(None, "long", 0.33)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.integers(0, 99))
def test_counts_cover_every_forecast_once(said, seed):
    rng = np.random.default_rng(seed)
    foretold = np.array(said)
    came = rng.random(foretold.size) < foretold
    event = rng.integers(0, 5, foretold.size)
    found = promises(foretold, came, event)
    assert sum(p.frames for p in found) == foretold.size
    assert sum(p.came * p.frames for p in found) == pytest.approx(came.sum())
    assert all(p.events <= 5 for p in found)
    assert len(found) <= len(EDGES) - 1
    told = Reliability("m", 60.0, [], {"long": found})
    for p in found:
        assert told.of("long", p.foretold) == p


def test_attention_is_drawn_from_the_past_to_now():
    option = reasons.attention_option([0.5, 0.3, 0.2], 5.0)
    assert option["series"][0]["data"] == [[-5.0, 50.0], [-10.0, 30.0], [-15.0, 20.0]]

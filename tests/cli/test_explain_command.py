"""``explain``: what a network says of a moment, from nothing that came after it."""

import numpy as np
import pytest

from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, iso_utc
from made_lakes import CRASH_AT, store, store_companions
from networks import save_network
from synthetic import T0, Crash, market

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

NOON = T0 + 2 * NS_PER_DAY
IN_CRASH = T0 + (CRASH_AT + 12) * NS_PER_MINUTE


@pytest.fixture
def deep(crashed):
    """A network in the home folder, with squeezes before and after."""
    onsets = [T0 - 3 * NS_PER_DAY, T0 - NS_PER_DAY, NOON - 10 * NS_PER_MINUTE, NOON + NS_PER_DAY]
    save_network(crashed.parent / "models" / "deep", members=2, onsets_ns=onsets)


def at(moment_ns):
    return ("explain", "--data", "crash", "--at", iso_utc(moment_ns), "--model", "deep")


def test_points_and_remainder_are_the_whole_probability(litehedge, deep):
    result = litehedge(*at(NOON), "--json", "-")
    assert result.code == 0, result.err
    told = result.json
    assert told["end"] == iso_utc(NOON)
    assert told["model"].startswith("deep@")
    assert told["state"] in ("ok", "degraded")
    assert 0.0 < told["confidence"] <= 1.0
    assert told["dissimilarity"] > 0.0
    assert sum(told["phase"].values()) == pytest.approx(1.0)
    for side in ("long", "short"):
        one = told["sides"][side]
        within = list(one["probability_within"].values())
        assert within == sorted(within)
        assert one["probability"] == pytest.approx(one["probability_within"]["30"])
        total = sum(one["points"].values()) + one["remainder"]
        assert total == pytest.approx(100.0 * (one["probability"] - one["masked"]))
        assert list(one["severity_bps"].values()) == sorted(one["severity_bps"].values())
        assert one["sentence"].startswith("Chance that price")


def test_squeezes_that_had_not_peaked_are_not_known(litehedge, deep):
    nearest = litehedge(*at(NOON), "--json", "-").json["nearest"]
    assert sorted(n["onset"] for n in nearest) == [
        iso_utc(T0 - 3 * NS_PER_DAY), iso_utc(T0 - NS_PER_DAY)
    ]  # fmt: skip
    later = litehedge(*at(NOON + 15 * NS_PER_MINUTE), "--json", "-").json["nearest"]
    assert len(later) == 3


def test_what_comes_after_the_moment_changes_nothing(litehedge, deep, lake):
    own = market(5_760, seed=5, crashes=(Crash(at=CRASH_AT, bars=25, depth=0.35),))
    known = own.end_ns <= NOON
    before = litehedge(*at(NOON), "--json", "-").json
    rng = np.random.default_rng(1)
    own.bars[~known] *= np.exp(rng.normal(0.0, 0.01, (int((~known).sum()), 1)))
    store(lake, "other", own)
    after = litehedge(*at(NOON)[:2], "other", *at(NOON)[3:], "--json", "-").json
    assert after | {"data": "crash"} == before


def test_a_running_squeeze_is_named_with_the_time_to_its_peak(litehedge, deep):
    told = litehedge(*at(IN_CRASH), "--json", "-").json
    assert told["running"]["side"] == "long"
    assert told["sides"]["long"]["sentence"].startswith("A squeeze seems to run: the fall should")
    assert "A squeeze" not in told["sides"]["short"]["sentence"]
    assert litehedge(*at(NOON), "--json", "-").json["running"] is None


def test_people_get_tables_and_sentences(litehedge, deep, tmp_path):
    result = litehedge(*at(NOON), "--json", tmp_path / "told.json")
    assert result.code == 0, result.err
    for text in ("240 min", "Chance that price falls", "recent price moves", "confidence",
                 "attention", "squeezes of history", "how far, if one starts"):  # fmt: skip
        assert text in result.out
    assert (tmp_path / "told.json").is_file()
    one = litehedge(*at(NOON), "--side", "short").out
    assert "price jumps" in one
    assert "price falls" not in one


def test_a_moment_without_history_is_cold_and_said_so(litehedge, deep):
    result = litehedge(*at(T0 + 60 * NS_PER_MINUTE))
    assert result.code == 0, result.err
    assert "state cold, confidence 0.00" in result.out
    assert "Not enough history" in result.out
    told = litehedge(*at(T0 + 60 * NS_PER_MINUTE), "--json", "-").json
    assert told["sides"]["long"]["probability_within"]["30"] is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"--side": "up"}, "there is no side 'up'"),
        ({"--at": "yesterday"}, "is not a date"),
        ({"--at": "2019-01-01"}, "has no bars just before 2019-01-01"),
        ({"--at": "2030-01-01"}, "has no bars just before 2030-01-01"),
        ({"--model": "shallow"}, "there is no model 'shallow'"),
        ({"--data": "funding"}, "holds funding, not bars"),
    ],
)
def test_what_cannot_be_explained_is_refused(litehedge, deep, change, says):
    asked = {"--data": "crash", "--at": iso_utc(NOON), "--model": "deep"} | change
    result = litehedge("explain", *(part for pair in asked.items() for part in pair))
    assert result.code == 2
    assert says in result.err


def test_a_logistic_model_says_why_too(litehedge, lake, tmp_path):
    own = market(2_000, bar_ns=5 * NS_PER_MINUTE)
    store(lake, "five", own)
    store_companions(lake, own)
    asked = ("explain", "--data", "five", "--at", iso_utc(int(own.end_ns[-1])))
    result = litehedge(*asked, "--model", "ltc-5m-logistic", "--json", "-")
    assert result.code == 0, result.err
    told = result.json
    assert told["model"].startswith("ltc-5m-logistic@")
    assert told["attention"] == told["nearest"] == []
    for side in ("long", "short"):
        one = told["sides"][side]
        assert any(one["points"].values())
        assert one["remainder"] == pytest.approx(0.0, abs=1e-9)
        total = sum(one["points"].values())
        assert total == pytest.approx(100.0 * (one["probability"] - one["masked"]))
    assert litehedge(*asked).code == 0

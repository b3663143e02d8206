"""``evaluate`` on a small lake, from the command line."""

import pytest

from litehedge.units import NS_PER_MINUTE
from made_lakes import store
from synthetic import Crash, market

SPANS = ("--validate-from", "2023-03-13", "--validate-until", "2023-03-18",
         "--from", "2023-03-18", "--to", "2023-03-23")  # fmt: skip
CHEAP = ("--baseline", "base rate", "--baseline", "3 % in 15 min", "--draws", 20)


@pytest.fixture
def month(lake):
    """Five-minute bars with two squeezes a day."""
    n = 22 * 288
    crashes = tuple(
        Crash(at=at, bars=4, depth=0.06 if i % 2 else -0.06)
        for i, at in enumerate(range(400, n - 100, 150))
    )
    store(lake, "month", market(n, bar_ns=5 * NS_PER_MINUTE, vol=0.0008, crashes=crashes))


def test_everybody_is_judged_on_what_nobody_has_seen(litehedge, month, tmp_path):
    result = litehedge(
        "evaluate", "--data", "month", *SPANS, *CHEAP, "--report", tmp_path / "skill.html",
        "--table", tmp_path / "skill.md", "--json", "-",
    )  # fmt: skip
    assert result.code == 0, result.err
    told = result.json
    assert told["meta"]["judged on"] == "month, 2023-03-18 to 2023-03-23"
    names = {s["forecaster"] for s in told["skills"]}
    assert names == {"base rate", "3 % in 15 min"}
    of_base_rate = [
        s["scores"]["auc_30"]["value"]
        for s in told["skills"]
        if s["forecaster"] == "base rate" and "auc_30" in s["scores"]
    ]
    assert of_base_rate
    assert set(of_base_rate) == {0.5}
    assert "### squeeze, long" in (tmp_path / "skill.md").read_text()
    assert (tmp_path / "skill.html").read_text().startswith("<!doctype html>")


def test_a_part_is_taken_out_and_worlds_come_before(litehedge, month):
    result = litehedge(
        "evaluate", "--data", "month", *SPANS, "--baseline", "base rate", "--draws", 20,
        "--parts", "without worlds before", "--worlds", 1, "--world-days", 30, "--seeds", 1,
        "--epochs", 1, "--processes", 1, "--json", "-",
    )  # fmt: skip
    assert result.code == 0, result.err
    rows = result.json["ablations"]
    assert {r["name"] for r in rows} == {"without worlds before"}
    assert {r["task"] for r in rows} == {"squeeze", "percent", "sigma"}


def test_walking_forward_everything_is_fitted_anew(litehedge, month, monkeypatch):
    monkeypatch.setattr("litehedge.cli.evaluate.MONTH_DAYS", 3)
    result = litehedge(
        "evaluate", "--data", "month", *SPANS, "--baseline", "base rate", "--draws", 20,
        "--months", 1, "--seeds", 1, "--epochs", 1, "--processes", 1, "--json", "-",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert result.json["meta"]["fitted anew"].startswith("every 1 months")
    assert {s["forecaster"] for s in result.json["skills"]} == {"base rate", "network"}
    assert result.err.count("the network, 2023-03-") == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--baseline", "none"), "nobody to judge"),
        (("--baseline", "oracle"), "oracle"),
        (("--worlds", 2), "trained here"),
        (("--parts", "wheels"), "no part 'wheels'"),
        (("--months", 1, "--feeds"), "of one split"),
        (("--oracle", "nowhere.json"), "no file nowhere.json"),
        (("--model", "nobody"), "no model 'nobody'"),
    ],
)
def test_what_cannot_be_judged_is_said_in_a_line(litehedge, month, given, said):
    result = litehedge("evaluate", "--data", "month", *SPANS, *given)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err

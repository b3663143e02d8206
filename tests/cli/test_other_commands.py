"""``label``, ``train``, ``demo``, ``export-schema``."""

import json

import pytest
from rich.panel import Panel

from litehedge.cli.common import console
from litehedge.cli.demo import LABEL
from litehedge.units import NS_PER_MINUTE, iso_utc
from made_lakes import CRASH_AT, store
from synthetic import T0, Crash, market


def test_label_finds_the_crash(litehedge, crashed, tmp_path):
    plot = tmp_path / "plot.html"
    result = litehedge("label", "--data", "crash", "--tier", 2, "--plot", plot, "--json", "-")
    assert result.code == 0, result.err
    worst = max(result.json["squeezes"], key=lambda q: q["severity_bps"])
    assert worst["side"] == "long"
    assert abs(worst["onset_ns"] - T0 - CRASH_AT * NS_PER_MINUTE) <= 5 * NS_PER_MINUTE
    assert abs(worst["peak_ns"] - T0 - (CRASH_AT + 25) * NS_PER_MINUTE) <= 5 * NS_PER_MINUTE
    assert worst["before_30m"]["price"] > worst["peak_price"]
    assert "squeezes" in plot.read_text()


def test_label_prints_a_table_and_refuses_nonsense(litehedge, crashed):
    day = iso_utc(T0 + CRASH_AT * NS_PER_MINUTE)[:10]
    assert day in litehedge("label", "--data", "crash", "--side", "long").out
    assert litehedge("label", "--data", "crash", "--side", "up").code == 2


@pytest.fixture
def year(lake):
    """Five-minute bars with a squeeze every other day."""
    n = 60 * 288
    crashes = tuple(
        Crash(at=at, bars=4, depth=0.06 if i % 2 else -0.06)
        for i, at in enumerate(range(500, n - 300, 290))
    )
    store(lake, "year", market(n, bar_ns=5 * NS_PER_MINUTE, vol=0.0008, crashes=crashes))


def test_train_writes_a_card_and_a_model_that_a_backtest_uses(litehedge, year, tmp_path):
    result = litehedge(
        "train", "--data", "year", "--name", "mine", "--until", "2023-04-20",
        "--validate-from", "2023-04-20", "--validate-until", "2023-05-05", "--json", "-",
    )  # fmt: skip
    assert result.code == 0, result.err
    card = result.json
    assert card["trained_on"][0]["end"] <= "2023-04-20 00:00"
    assert card["validated_on"][0]["start"] >= "2023-04-20 00:00"
    assert 0.4 < card["scores"]["auc_30_long"]["value"] <= 1.0
    used = litehedge("backtest", "--data", "year", "--from", "2023-04-25", "--model", "mine",
                     "--json", "-")  # fmt: skip
    assert used.json["meta"]["model"].startswith("mine@")
    assert not used.json["meta"]["model_saw_this_span"]


def test_train_needs_squeezes_and_a_known_kind(litehedge, lake):
    store(lake, "calm", market(5_000, bar_ns=5 * NS_PER_MINUTE, vol=0.0001))
    dates = (
        "--until",
        "2023-03-15",
        "--validate-from",
        "2023-03-15",
        "--validate-until",
        "2024-01-01",
    )
    result = litehedge("train", "--data", "calm", *dates)
    assert result.code == 2
    assert "squeezes to learn from" in result.err
    assert litehedge("train", "--data", "calm", "--model", "oracle").code == 2


def test_demo_is_labelled_simulated_and_hedges(litehedge):
    result = litehedge("demo", "--json", "--minutes", 40)
    assert result.code == 0, result.err
    assert "SIMULATED MARKET" in result.json["label"]
    assert result.json["unhedged_liquidated"]
    assert not result.json["liquidated"]
    again = litehedge("demo", "--json", "--minutes", 40)
    assert again.json == result.json


def test_what_the_demo_decided_can_be_proved(litehedge, tmp_path):
    journal = tmp_path / "demo.db"
    told = litehedge("demo", "--json", "--minutes", 30, "--journal", journal)
    assert told.code == 0, told.err
    proof = litehedge("replay", journal, "--json")
    assert proof.code == 0, proof.err
    assert proof.json["runs"][0]["decisions"] > 30


def test_what_the_demo_is_fits_under_a_narrow_screen():
    with console.capture() as drawn:
        console.print(Panel("", subtitle=LABEL), width=80)
    assert LABEL in drawn.get()


def test_demo_ends_with_a_sentence(litehedge):
    assert "with litehedge" in litehedge("demo", "--minutes", 5).out


def test_schema_names_every_section(litehedge, tmp_path):
    out = tmp_path / "schema.json"
    assert litehedge("export-schema", "--out", out).code == 0
    assert {"position", "limits", "plugin"} <= set(json.loads(out.read_text())["properties"])


def test_settings_mistakes_come_all_at_once_and_nothing_starts(litehedge, crashed, tmp_path):
    (tmp_path / "litehedge.toml").write_text("[limits]\nmax_leverge = 3\n[costs]\nimpact = -1\n")
    result = litehedge("backtest", "--data", "crash")
    assert result.code == 2
    assert "litehedge.toml:2" in result.err
    assert "Did you mean max_leverage?" in result.err
    assert "litehedge.toml:4" in result.err
    assert "nothing was started" in result.err

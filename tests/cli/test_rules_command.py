"""``litehedge rules``, and commands that take rules."""

from __future__ import annotations

import json
import time

from litehedge.cli import common
from litehedge.cli.backtest import idle_plans
from litehedge.config import Settings
from litehedge.hedge.policies import policy_named, with_rules
from litehedge.hedge.quantities import QUANTITIES
from litehedge.hedge.rule_reading import parse_rules
from litehedge.store.bundled import preset_names, preset_text

BAD = """[[rules]]
hedge_at_least = "50 %"
when_all = ["volatilty above 1 %"]
[[rules]]
never_above = 20
always = true
"""
MINE = """policy = "unhedged"
[[rules]]
name = "half"
hedge_at_least = "50 %"
always = true
"""


def test_list_and_show(litehedge):
    told = litehedge("rules", "list")
    assert told.code == 0
    assert all(name in told.out for name in preset_names())
    assert "Hedge at least 25 %, always." in told.out
    listed = litehedge("rules", "list", "--json").json["presets"]
    assert [one["name"] for one in listed] == preset_names()
    shown = litehedge("rules", "show", "balanced", "--json").json
    assert shown["policy"] == "plugin"
    assert shown["tree"]["rules"][0]["hedge_at_least"] == "25 %"
    missing = litehedge("rules", "show", "balanecd")
    assert missing.code == 2
    assert "there are no rules balanecd" in missing.err
    assert "Did you mean balanced?" in missing.err


def test_quantities(litehedge):
    told = litehedge("rules", "quantities")
    assert all(name in told.out for name in QUANTITIES)
    assert len(litehedge("rules", "quantities", "--json").json["quantities"]) == len(QUANTITIES)


def test_copy_and_check(litehedge, tmp_path):
    mine = tmp_path / "mine.toml"
    assert litehedge("rules", "new", "balanced", "--out", mine).code == 0
    assert mine.read_text() == preset_text("balanced")
    assert litehedge("rules", "new", "balanced", "--out", mine).code == 2
    assert litehedge("rules", "new", "balanced", "--out", mine, "--replace").code == 0
    assert "Did you mean balanced?" in litehedge("rules", "new", "balance", "--out", "x").err
    nowhere = litehedge("rules", "new", "foo")
    assert nowhere.code == 2
    assert "there is no preset foo" in nowhere.err, "before it is asked where to write it"
    assert "--out balanced.toml" in litehedge("rules", "new", "balanced").err
    checked = litehedge("rules", "check", mine)
    assert checked.code == 0
    assert "no mistakes" in checked.out
    mine.write_text(BAD)
    told = litehedge("rules", "check", mine)
    assert told.code == 2
    assert f"{mine}:3  rule 1: " in told.err
    assert f"{mine}:5  rule 2: never_above = 20: " in told.err
    told = litehedge("rules", "check", mine, "--json")
    assert told.code == 2
    assert [line.split("  ")[0][-2:] for line in told.json["mistakes"]] == [":3", ":5"]
    mine.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in litehedge("rules", "check", mine).err
    for odd in (tmp_path, "a\0b", "x" * 5000, ""):
        assert litehedge("rules", "check", odd).code == 2


def test_a_backtest_with_rules_and_its_replay(litehedge, crashed, tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(MINE)
    run = litehedge(
        "backtest", "--data", "crash", "--from", "2023-03-08", "--leverage", 5, "--model", "none",
        "--rules", mine, "--json", "run.json", "--journal", "run.db", "--report", "run.html",
    )  # fmt: skip
    assert run.code == 0, run.err
    told = json.loads((tmp_path / "run.json").read_text())
    assert [row["policy"] for row in told["rows"]] == ["unhedged+mine", "unhedged"]
    assert told["meta"]["rules"] == ["Hedge at least 50 %, always."]
    assert told["rows"][0]["avg_hedge"] > 0.4
    assert told["rows"][1]["avg_hedge"] == 0.0
    assert "Your rule 'half'" in told["decisions"][0]["recommendation"]["reason"]
    mine.unlink()  # the journal holds them
    again = litehedge("replay", "run.db")
    assert again.code == 0, again.out
    assert "identical" in again.out


def test_episodes_with_rules(litehedge, crashed, tmp_path):
    (tmp_path / "mine.toml").write_text(MINE)
    (tmp_path / "litehedge.toml").write_text('[hedge]\nrules = "mine.toml"\n')
    common = ("backtest", "--data", "crash", "--episodes", "1d", "--every", "12h", "--model",
              "none", "--json", "-")  # fmt: skip

    def names(*more):
        return [row["policy"] for row in litehedge(*common, *more).json["rows"]]

    assert names() == ["unhedged", "unhedged+mine"]
    assert names("--policy", "margin-vol") == ["unhedged", "margin-vol", "margin-vol+mine"]
    assert names("--rules", "none") == ["unhedged", "plugin"]
    assert names("--rules", "none", "--compare", "unhedged,plugin+balanced") == [
        "unhedged", "plugin+balanced",
    ]  # fmt: skip
    assert litehedge(*common, "--compare", "static-50+balanced").code == 2
    wrong = litehedge(*common, "--rules", "no.toml")
    assert wrong.code == 2
    assert "there are no rules no.toml" in wrong.err


def test_plans_that_a_comparison_leaves_out_are_told():
    plain = policy_named("plugin", Settings())
    plan = '[[plan]]\nname = "the end"\nwhen_all = ["weekend"]\nthen = "halt"\n'
    planned = with_rules(plain, parse_rules(plan, "mine", ""))
    [told] = idle_plans([plain, planned])
    assert "the end" in told
    assert "not carried out in episodes" in told
    ruled = with_rules(plain, parse_rules(MINE, "mine", ""))
    assert idle_plans([plain, ruled]) == []


def test_what_takes_long_is_told_in_one_line_where_nothing_can_be_drawn(monkeypatch, capsys):
    monkeypatch.setattr(common, "PATIENCE_S", 0.0)
    with common.patience("getting ready"):
        time.sleep(0.2)
    assert capsys.readouterr().err.splitlines() == [
        "getting ready: compiling, about a minute, once"
    ]
    monkeypatch.setattr(common, "PATIENCE_S", 60.0)
    with common.patience("getting ready"):
        pass
    assert capsys.readouterr().err == ""

"""``litehedge backtest`` and ``replay``: the main job, and what bad input gets."""

import json
import math
import os
import signal
import sqlite3
from contextlib import contextmanager
from pathlib import Path

import pytest

from litehedge.cli import backtest as backtest_command
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, iso_utc
from made_lakes import CRASH_AT, store
from synthetic import T0, market

KEYS = {
    "policy", "side", "leverage", "episodes", "liquidation_rate", "mean_return", "cvar5", "worst",
    "cost_fees", "cost_slippage", "cost_funding", "avg_hedge", "turnover", "trades",
    "static_liquidation_rate", "static_mean_return", "location",
}  # fmt: skip
DAY_OF_CRASH = iso_utc(T0 + CRASH_AT * NS_PER_MINUTE)[:10]
RUN = ("backtest", "--data", "crash", "--from", iso_utc(T0 + 2 * 1440 * NS_PER_MINUTE)[:10])


def test_run_tells_the_death_without_hedge_and_every_decision_with(litehedge, crashed, tmp_path):
    report, told = tmp_path / "out.html", tmp_path / "out.json"
    result = litehedge(*RUN, "--leverage", 5, "--report", report, "--json", told)
    assert result.code == 0, result.err
    page = json.loads(told.read_text())
    rows = {row["policy"]: row for row in page["rows"]}
    assert all(set(row) >= KEYS for row in rows.values())
    assert [t[:10] for t in page["meta"]["liquidated"]["unhedged"]] == [DAY_OF_CRASH]
    assert page["meta"]["liquidated"]["plugin"] == []
    assert rows["plugin"]["mean_return"] > rows["unhedged"]["mean_return"]
    changes = [d for d in page["decisions"] if d["recommendation"]["action"] != "maintain"]
    assert changes
    for decision in changes:
        assert decision["recommendation"]["reason"]
        assert decision["order_id"] or decision["verdicts"]
    assert "<html" in report.read_text()
    assert "never" in result.out


def test_a_cancelled_run_is_the_run_up_to_there_and_says_so(litehedge, crashed, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(backtest_command, "progress", ending_after(1.5 * NS_PER_DAY))
        cut = litehedge(*RUN, "--json", "cut.json", "--report", "cut.html")
    assert cut.code == 0, cut.err
    told = json.loads(Path("cut.json").read_text())
    meta = told["meta"]
    assert meta["cancelled"].startswith("cancelled after ")
    assert meta["cancelled"] in meta["notes"]
    assert "cancelled after" in Path("cut.html").read_text()
    until = litehedge(*RUN, "--to", meta["to"], "--json", "-").json
    assert told["rows"] == until["rows"]
    assert meta["summaries"] == until["meta"]["summaries"]
    assert told["decisions"] == until["decisions"]


def test_a_run_that_is_cancelled_while_it_warms_up_tells_that_there_is_nothing(
    litehedge, crashed, monkeypatch
):
    def chunks(*told):
        os.kill(os.getpid(), signal.SIGTERM)
        yield from event_chunks(*told)

    event_chunks = backtest_command.event_chunks
    monkeypatch.setattr(backtest_command, "event_chunks", chunks)
    result = litehedge(*RUN, "--json", "cut.json")
    assert result.code == 2
    assert "cancelled before a position was opened" in result.err
    assert not Path("cut.json").exists()


def ending_after(done_ns):
    """Return what shows progress, and ends the process when the run has come so far."""

    @contextmanager
    def progress(what, total, *, begin_ns=0):
        def reach(done, label=what):
            if begin_ns and done > done_ns and not ended:
                ended.append(done)
                os.kill(os.getpid(), signal.SIGTERM)

        ended = []
        yield reach

    return progress


def test_refused_decisions_are_told(litehedge, crashed, tmp_path):
    settings = tmp_path / "tight.toml"
    settings.write_text("[limits]\nmax_hedge_notional_usdt = 100\n")
    result = litehedge(*RUN, "--settings", settings, "--json", "-")
    verdicts = [v for d in result.json["decisions"] for v in d["verdicts"]]
    assert any(v.startswith("NOTIONAL_ABOVE_LIMIT wanted_ltc=") for v in verdicts)


@pytest.mark.parametrize("location", ["same_account", "second_venue", "reduce"])
def test_episodes_give_a_row_for_each_policy_side_and_leverage(litehedge, crashed, location):
    result = litehedge(
        "backtest", "--data", "crash", "--episodes", "6h", "--every", "1h", "--leverage", "5,20",
        "--side", "both", "--compare", "unhedged,plugin,oracle", "--location", location,
        "--json", "-",
    )  # fmt: skip
    assert result.code == 0, result.err
    rows = result.json["rows"]
    assert len(rows) == 3 * 2 * 2
    for row in rows:
        assert set(row) >= KEYS
        assert all(math.isfinite(row[key]) for key in KEYS if isinstance(row[key], float))
        assert 0.0 <= row["liquidation_rate"] <= 1.0
        assert row["worst"] <= row["cvar5"] <= row["mean_return"]
        if row["policy"] == "unhedged":
            assert row["static_liquidation_rate"] == row["liquidation_rate"]


def test_all_places_of_the_hedge_stand_beside_each_other(litehedge, crashed):
    result = litehedge(
        "backtest", "--data", "crash", "--episodes", "6h", "--every", "6h", "--compare",
        "unhedged,plugin", "--location", "all", "--json", "-",
    )  # fmt: skip
    assert result.code == 0, result.err
    rows = {(row["policy"], row["location"]): row for row in result.json["rows"]}
    assert set(rows) == {
        (f"{policy} @ {place}", place) for policy in ("unhedged", "plugin")
        for place in ("same_account", "second_venue", "reduce")
    }  # fmt: skip
    assert all(set(row) >= KEYS for row in rows.values())
    result = litehedge("backtest", "--data", "crash", "--location", "all")
    assert result.code == 2
    assert "one place for its hedge" in result.err


def test_compare_all_is_every_policy_on_both_sides_at_every_leverage(litehedge, crashed, tmp_path):
    table, plot, report = (tmp_path / f"out.{end}" for end in ("md", "svg", "html"))
    result = litehedge(
        "backtest", "--data", "crash", "--episodes", "12h,1d", "--every", "6h",
        "--compare", "all", "--table", table, "--plot", plot, "--report", report, "--json", "-",
    )  # fmt: skip
    assert result.code == 0, result.err
    told = result.json
    names = {row["policy"] for row in told["rows"]}
    assert {"unhedged", "static-50", "vol-target", "move-3pct", "hazard", "margin-vol", "plugin",
            "oracle"} <= names  # fmt: skip
    cells = {(row["side"], row["leverage"], row["episode_days"]) for row in told["rows"]}
    assert len(cells) == 2 * 5 * 2
    assert len(told["rows"]) == len(cells) * len(names)
    for row in told["rows"]:
        assert row["drawdown_mean"] <= row["drawdown_q95"] + 1e-12
        assert 0.0 <= row["cost_clearance"] <= row["cost_fees"] + 1e-12
        if row["policy"] == "static-50":
            assert row["static_cvar5"] == pytest.approx(row["cvar5"])
    contest = told["meta"]["contest"]
    assert {c["family"] for c in contest["against"]} == {"margin-vol"}
    rule = next(t for t in contest["traces"] if t["family"] == "margin-vol")
    assert len(rule["avg_hedge"]) == len(contest["families"]["margin-vol"]["members"])
    fates = [(c["crisis"], c["days_before"], c["policy"], c["side"], c["leverage"])
             for c in contest["crises"]]  # fmt: skip
    assert any("longs squeezed by" in fate[0] for fate in fates)
    assert len(fates) == len(set(fates))  # once, whatever the lengths of episodes
    assert contest["overfitting"]["trials"] == len(names) - 1  # the oracle is no policy
    assert "| plugin |" in table.read_text()
    assert plot.read_text().startswith("<svg")
    page = report.read_text()
    for heading in ("Against the volatility rule", "In bad times", "Crises, one by one",
                    "How much may be luck"):  # fmt: skip
        assert heading in page


def test_a_comparison_is_told_in_the_terminal_with_its_contest_on_demand(litehedge, crashed):
    asked = ("backtest", "--data", "crash", "--episodes", "12h", "--every", "6h",
             "--leverage", "20", "--compare", "unhedged,plugin")  # fmt: skip
    short, whole = litehedge(*asked), litehedge(*asked, "--contest")
    assert short.code == whole.code == 0, whole.err
    assert "in bad times" in short.out
    assert "against the margin-aware volatility rule" not in short.out
    assert "against the margin-aware volatility rule" in whole.out
    assert "plugin less unhedged" in short.out


def test_one_run_has_no_contest(litehedge, crashed, tmp_path):
    for option in (("--contest",), ("--table", "x.md"), ("--plot", "x.svg")):
        refused = litehedge(*RUN, *option)
        assert refused.code == 2
        assert "--compare all" in refused.err
    refused = litehedge(*RUN, "--compare", "all", "--trials", tmp_path / "none.npz")
    assert refused.code == 2
    assert "studies.fit_policies" in refused.err


def test_replay_proves_a_journal_in_which_money_moved(litehedge, crashed, tmp_path):
    settings, journal = tmp_path / "two.toml", tmp_path / "two.db"
    settings.write_text(
        "[hedge]\nlocation = 'second_venue'\n[transfer]\ntrigger_ratio = 0.15\ndelay_min = 2.0\n"
    )
    told = litehedge(*RUN, "--leverage", 10, "--settings", settings, "--journal", journal,
                     "--json", "-", "--policy", "unhedged")  # fmt: skip
    assert told.code == 0, told.err
    with sqlite3.connect(journal) as book:
        kinds = [kind for (kind,) in book.execute("select kind from effects")]
    assert "Transfer" in kinds
    proof = litehedge("replay", journal, "--json")
    assert proof.code == 0, proof.out
    assert all(run["difference"] is None for run in proof.json["runs"])


def test_replay_proves_the_journal_and_sees_a_forged_one(litehedge, crashed, tmp_path):
    journal = tmp_path / "run.db"
    assert litehedge(*RUN, "--journal", journal, "--decisions", "none").code == 0
    proof = litehedge("replay", journal, "--json")
    assert proof.code == 0
    assert proof.json["runs"][0]["difference"] is None
    assert proof.json["runs"][0]["decisions"] > 10
    with sqlite3.connect(journal) as forged:
        rowid, payload = forged.execute(
            "select rowid, payload from effects where kind = 'Decision' limit 1"
        ).fetchone()
        forged.execute(
            "update effects set payload = ? where rowid = ?",
            (payload.replace(b"ACTIVE", b"HALTED"), rowid),
        )
    forged.close()
    told = litehedge("replay", journal)
    assert told.code == 1
    assert "trading_state = HALTED, the replay ACTIVE" in " ".join(told.out.split())


def test_a_journal_of_other_settings_is_refused_in_words(litehedge, crashed, tmp_path):
    journal = tmp_path / "run.db"
    assert litehedge(*RUN, "--journal", journal, "--decisions", "none").code == 0
    with sqlite3.connect(journal) as other:
        [(header,)] = other.execute("select header from runs").fetchall()
        changed = json.loads(header)
        changed["settings"]["model"]["half_life_days"] = 45.0
        other.execute("update runs set header = ?", (json.dumps(changed),))
    other.close()
    told = litehedge("replay", journal)
    assert told.code == 2
    assert "does not know: model.half_life_days" in told.err


BAD = [
    (("--leverage", 100), "above the maximum", "use at most"),
    (("--leverage", "x"), "not a list of numbers", "3,5,10"),
    (("--leverage", "5,-10", "--compare", "plugin"), "position long at -10x", "above 0"),
    (("--leverage", "5,nan", "--compare", "plugin"), "position long at nanx", "above 0"),
    (("--report", "."), "it is a folder", "name of a file"),
    (("--json", "/proc/none/x.json"), "cannot write", "another path"),
    (("--policy", "magic"), "no policy 'magic'", "plugin"),
    (("--model", "nope"), "no model 'nope'", "ltc-1m"),
    (("--model", "ltc-5m"), "frames of 300 s", "60 s"),
    (("--from", "2023-03-09", "--to", "2023-03-08"), "is empty", "--from < --to"),
    (("--from", "2030-01-01"), "range", "covers"),
    (("--from", "yesterday"), "not a date", "2021-05-19"),
    (("--episodes", "30d"), "no episode of 30 days", "longest stretch"),
    (("--episodes", "soon"), "not a duration", "7d"),
    (("--location", "moon"), "hedge.location", "same_account"),
    (("--wallet", -1), "--wallet  position.wallet_usdt", "above 0"),
    (("--side", "both"), "one side", "--episodes"),
    (("--decisions", "some"), "--decisions some", "changes"),
]


@pytest.mark.parametrize(("arguments", "what", "remedy"), BAD, ids=lambda x: str(x)[:40])
def test_bad_input_gets_one_clear_message(litehedge, crashed, arguments, what, remedy):
    result = litehedge("backtest", "--data", "crash", *arguments)
    assert result.code == 2
    assert what in result.err
    assert remedy in result.err
    assert "Traceback" not in result.err


def test_unknown_data_and_data_that_are_no_bars(litehedge, crashed):
    assert "did you mean crash" in litehedge("backtest", "--data", "crush").err
    for command in ("backtest", "label", "train"):
        refused = litehedge(command, "--data", "funding")
        assert refused.code == 2
        assert "not bars" in refused.err
    assert "the contract is LTCUSDT" in litehedge("backtest", "--data", "btc").err


def test_data_without_a_model_for_its_frames_says_so_and_goes_on(litehedge, lake):
    store(lake, "hours", market(800, bar_ns=60 * NS_PER_MINUTE))
    result = litehedge("backtest", "--data", "hours", "--json", "-")
    assert result.code == 0
    assert "no model for frames of 3600 s" in result.err
    assert result.json["meta"]["model"] == "none"


def test_in_sample_is_said(litehedge, lake):
    from litehedge.units import instant_ns

    store(lake, "may", market(3_000, start_ns=instant_ns("2021-05-01")))
    assert litehedge("backtest", "--data", "may", "--json", "-").json["meta"]["model_saw_this_span"]


def test_replay_of_nothing(litehedge, tmp_path):
    assert litehedge("replay", "nothing.db").code == 2
    (tmp_path / "text.db").write_text("not a database, but long enough to look like one" * 50)
    result = litehedge("replay", "text.db")
    assert result.code == 1
    assert "cannot be opened" in result.err

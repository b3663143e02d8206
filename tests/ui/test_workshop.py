"""Reports made by commands: they outlive the screen, end when asked, and are never half-done."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

import fake_litehedge
from litehedge.errors import UsageError
from litehedge.store.durable import is_locked
from litehedge.ui import arguments as arguments_of
from litehedge.ui import reports_view as view
from litehedge.ui.programs import Commands, _locked, end, wish_end
from litehedge.ui.workshop import Progress, Workshop, split

FAKE = (sys.executable, fake_litehedge.__file__)


@pytest.fixture
def workshop(tmp_path):
    made = Workshop(tmp_path, Commands(tmp_path, FAKE))
    yield made
    for report in made.reports():
        made.delete(report.id)


def wait(workshop, name, state="done"):
    until = time.monotonic() + 20.0
    while time.monotonic() < until:
        report = workshop.report(name)
        if report is not None and report.state == state:
            return report
        time.sleep(0.02)
    raise AssertionError(workshop.report(name))


def ask(workshop, data="made", kind="backtest"):
    return workshop.begin(kind, ["backtest", f"--data={data}"], {"data": data, "side": "long",
                                                                 "leverage": "5"})  # fmt: skip


def test_a_report_is_made_and_kept(workshop, tmp_path):
    name = ask(workshop)
    report = wait(workshop, name)
    assert report.progress == Progress("plugin on made", 10.0, 10.0)
    figures = {figure.name: figure for figure in view.figures(report)}
    assert figures["Profit"].value == "-51.50 USDT"
    assert figures["Liquidated"].value == "never"
    assert figures["Liquidated"].unhedged == "1 time"
    assert "a sheet" in workshop.sheet(name).read_text()
    again = Workshop(tmp_path, Commands(tmp_path, FAKE))  # the screen was started again
    assert [one.id for one in again.reports()] == [name]
    again.delete(name)
    assert again.reports() == []
    assert list((tmp_path / "reports").iterdir()) == []


def test_one_that_runs_goes_on_without_the_screen_that_asked(workshop, tmp_path):
    name = ask(workshop, "slow")
    wait(workshop, name, "running")
    other = Workshop(tmp_path, Commands(tmp_path, FAKE))
    assert other.report(name).state == "running"


def test_cancelling_ends_the_process_and_leaves_nothing(workshop, tmp_path):
    name = ask(workshop, "slow")
    wait(workshop, name, "running")
    lock = tmp_path / "reports" / name / "lock"
    workshop.delete(name)
    assert not is_locked(lock)
    assert list((tmp_path / "reports").iterdir()) == []


def test_what_a_cancelled_one_found_is_kept_and_says_so(workshop):
    name = ask(workshop, "partial")
    wait(workshop, name, "running")
    until = time.monotonic() + 20.0
    while workshop.report(name).progress is None and time.monotonic() < until:
        time.sleep(0.02)  # it listens by then
    workshop.cancel(name)
    report = wait(workshop, name)
    assert report.cancelled
    assert view.cut_short(report).startswith("Cancelled after 4 of 9 days: ")
    assert view.figures(report)
    assert "the beginning to 2020-01-05" in view.about(report)
    whole = wait(workshop, ask(workshop))
    assert view.cut_short(whole) == ""
    ends = ("came to its end", "Cancelled after 4 of 9 days", "yes")
    assert ends in view.differ(report, whole)


def test_one_that_was_cancelled_too_early_says_that_nothing_was_found(workshop):
    name = ask(workshop, "slow")
    wait(workshop, name, "running")
    workshop.cancel(name)
    report = wait(workshop, name, "failed")
    assert view.why_failed(report) == "Cancelled before there was anything to tell."
    workshop.cancel(name)  # it has ended: nothing happens
    assert workshop.report(name) == report


def test_a_process_that_nobody_knows_is_never_ended(tmp_path):
    """The id 0 would be this process itself, with all that it started."""
    descriptor = _locked(tmp_path / "lock")
    wish_end(0)
    assert not end(0, tmp_path / "lock")
    os.close(descriptor)
    assert end(0, tmp_path / "lock")


def test_one_that_fails_says_why_and_is_no_report(workshop):
    report = wait(workshop, ask(workshop, "bad"), "failed")
    assert view.why_failed(report) == "bad cannot be used give another"
    assert report.result is None
    assert view.figures(report) == []
    assert workshop.sheet(report.id) is None


def test_one_that_was_killed_is_not_taken_for_done(workshop, tmp_path):
    name = ask(workshop, "slow")
    report = wait(workshop, name, "running")
    folder = tmp_path / "reports" / name
    (folder / "result.json").write_text("{}")  # written, and the sheet not yet
    assert end(json.loads((folder / "asked.json").read_text())["pid"], folder / "lock")
    assert workshop.report(report.id).state == "failed"


def test_no_more_than_two_at_a_time(workshop):
    for _ in range(2):
        wait(workshop, ask(workshop, "slow"), "running")
    with pytest.raises(UsageError, match="2 reports are being made"):
        ask(workshop)
    assert len(workshop.reports()) == 2


@pytest.mark.parametrize("name", ["../x", "", ".", "a/b", "A", "..", "x" * 90, "nope"])
def test_no_name_leads_out_of_the_folder(workshop, tmp_path, name):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "sheet.html").write_text("secret")
    (tmp_path / "reports").mkdir()
    assert workshop.sheet(name) is None
    assert workshop.report(name) is None
    workshop.delete(name)
    assert (tmp_path / "x" / "sheet.html").is_file()


def test_what_cannot_be_started_leaves_nothing(tmp_path):
    broken = Workshop(tmp_path, Commands(tmp_path, ["/no/such/program"]))
    with pytest.raises(UsageError, match="cannot be started"):
        ask(broken)
    assert broken.reports() == []


def test_a_folder_that_is_damaged_is_left_out(workshop, tmp_path):
    folder = tmp_path / "reports" / "20260101-000000-backtest-aaaa"
    folder.mkdir(parents=True)
    (folder / "asked.json").write_text("{")
    assert workshop.reports() == []


def test_progress_is_told_apart_from_words():
    said = '@progress {"what": "a", "done": 1, "of": 2, "begin_ns": 0}\nhello\n@progress {broken\n'
    assert split(said) == (Progress("a", 1, 2), "hello")


def test_a_short_command_that_hangs_or_is_missing_is_told(tmp_path):
    sleeper = Commands(tmp_path, [sys.executable, "-c", "import time; time.sleep(30)"])
    with pytest.raises(UsageError, match="did not end"):
        sleeper.ask(["x"], 0.3)
    with pytest.raises(UsageError, match="cannot be started"):
        Commands(tmp_path, ["/no/such/program"]).ask(["x"], 1.0)


# --- what it is asked for ---------------------------------------------------------------------

SPANS = {"made": (1_704_067_200 * 10**9, 1_706_745_600 * 10**9)}
TYPED = {"data": "made", "side": "long", "leverage": "10", "wallet": "500", "policy": "plugin",
         "from": "2024-01-02", "to": "2024-01-20"}  # fmt: skip


def test_a_backtest_is_asked_for_with_what_was_typed():
    arguments, wrong = arguments_of.backtest(TYPED, SPANS, ["plugin"])
    assert wrong == {}
    assert arguments == [
        "backtest", "--data=made", "--side=long", "--leverage=10", "--wallet=500",
        "--policy=plugin", "--decisions=none", "--from=2024-01-02", "--to=2024-01-20",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("data", "other"), ("side", "both"), ("leverage", "x"), ("leverage", "126"),
     ("leverage", "-1"), ("leverage", "nan"), ("wallet", "inf"), ("wallet", ""),
     ("policy", "--help"), ("from", "yesterday"), ("from", "2023-01-01"), ("to", "2025-01-01"),
     ("to", "2024-01-01")],
)  # fmt: skip
def test_every_mistake_stands_at_its_field(name, value):
    _, wrong = arguments_of.backtest(TYPED | {name: value}, SPANS, ["plugin"])
    assert list(wrong) == [name]


def test_all_mistakes_are_told_at_once():
    _, wrong = arguments_of.backtest({}, SPANS, ["plugin"])
    assert set(wrong) == {"data", "side", "leverage", "wallet", "policy"}


PAPER = {"name": "paper", "venue": "binance", "side": "short", "leverage": "5", "wallet": "100",
         "policy": "plugin", "rules": "balanced"}  # fmt: skip


def test_a_session_is_asked_for_with_what_was_typed():
    arguments, wrong = arguments_of.paper(PAPER, ["plugin"], ["balanced"])
    assert wrong == {}
    assert arguments == [
        "paper", "--name=paper", "--venue=binance", "--side=short", "--leverage=5", "--wallet=100",
        "--policy=plugin", "--rules=balanced", "--no-ui",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "../x", "A", "-x", "x" * 41, "a b", "taken", "ü"])
def test_a_name_that_is_none_or_taken_is_refused(name):
    _, wrong = arguments_of.paper(PAPER | {"name": name}, ["plugin"], ["balanced"], ["taken"])
    assert list(wrong) == ["name"]


def test_a_study_has_bounds():
    assert arguments_of.study({"worlds": "4", "days": "30"})[1] == {}
    assert set(arguments_of.study({"worlds": "1", "days": "x"})[1]) == {"worlds", "days"}


# --- how it is told ---------------------------------------------------------------------------


def test_progress_in_words_has_day_share_rate_and_time_left():
    day = 86_400 * 10**9
    progress = Progress("plugin on made", 5.0 * day, 10.0 * day, SPANS["made"][0])
    told = view.progress_words(progress, rate=0.5 * day, age_s=3.0)
    assert told == "plugin on made, 2024-01-06, 50%, 0.5 days of the market a second, 10 s left"
    assert view.progress_words(None, rate=0.0, age_s=3.0) == "at work, 3 s so far"
    assert view.share(None) != view.share(None)


def test_two_reports_stand_side_by_side(workshop):
    one, other = (wait(workshop, ask(workshop, name)) for name in ("made", "other"))
    assert ("Trades", "4", "4") in view.beside(one, other)
    assert view.differ(one, other) == [("data", "made", "other")]
    assert view.title(one) == "5x long on made"


@pytest.mark.parametrize(
    ("kind", "arguments", "name", "value"),
    [("session", ["report", "paper"], "Gap to its backtest", "+0.120% of wallet"),
     ("ledger", ["override", "ledger", "paper"], "All of them together", "Two acts, no difference"),
     ("ledger", ["override", "ledger", "paper"], "Acts by hand", "1"),
     ("ledger", ["override", "ledger", "paper"], "By your plans", "1"),
     ("blowup", ["study", "blowup"], "Ruined, guards", "1.0%")],
)  # fmt: skip
def test_other_reports_have_their_figures(workshop, kind, arguments, name, value):
    report = wait(workshop, workshop.begin(kind, arguments, {"session": "paper"}))
    assert {figure.name: figure.value for figure in view.figures(report)}[name] == value
    assert Path(workshop.sheet(report.id)).name == "sheet.html"


def test_what_is_done_is_read_once_however_often_it_is_shown(workshop, monkeypatch):
    name = ask(workshop)
    wait(workshop, name)
    first, reads = workshop.reports(), []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or read(path))
    for _ in range(5):
        assert workshop.reports() == first
    assert reads == []


def test_one_that_failed_is_read_again_when_its_folder_changed(workshop, tmp_path):
    name = ask(workshop, "bad")
    wait(workshop, name, "failed")
    folder = tmp_path / "reports" / name
    os.utime(folder, (0, 0))  # long ago
    assert workshop.report(name).state == "failed"
    (folder / "result.json").write_text('{"meta": {}}')
    (folder / "sheet.html").write_text("a sheet")
    assert workshop.report(name).state == "done"


def test_one_that_is_just_being_started_is_not_taken_for_failed_for_ever(workshop, tmp_path):
    name = ask(workshop, "slow")
    wait(workshop, name, "running")
    folder = tmp_path / "reports" / name
    lock = (folder / "lock").rename(folder / "no-lock")  # as before it was taken
    assert workshop.report(name).state == "failed"
    changed_ns = folder.stat().st_mtime_ns
    lock.rename(folder / "lock")
    os.utime(folder, ns=(changed_ns, changed_ns))  # within one tick of the clock of the disk
    assert workshop.report(name).state == "running"

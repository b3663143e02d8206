"""The beginning in words, and sessions that are started and stopped from the screen."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

import fake_litehedge
from litehedge.errors import UsageError
from litehedge.live.session import session_at
from litehedge.store.journal import Journal
from litehedge.store.lake import Lake
from litehedge.ui import begin_view as view
from litehedge.ui import starting
from litehedge.ui.checks import alert_lines, key_lines, newest
from litehedge.ui.programs import Commands
from litehedge.ui.tools import Bars, Tools
from litehedge_runs import header
from made_lakes import store
from synthetic import market

FETCH = "fetching 8d of the past from binance …\n"
WARM = FETCH + "warming up on 2,000 events of the past …\n"
HALF = WARM + "warming up: 1,000 of 2,000 events of the past\n"
DONE = HALF + "warmed up on 2,000 events in 3 s; forecast: long 1%\n"


@pytest.mark.parametrize(
    ("said", "at", "detail"),
    [("", 0, ""), (FETCH, 1, ""), (WARM, 2, "2,000 events"), (HALF, 2, "50% of 2,000 events"),
     (DONE, 3, "Warmed up on 2,000 events in 3 s; forecast: long 1%")],
)  # fmt: skip
def test_stages_follow_what_the_process_says(said, at, detail):
    alive = view.start_of(said, alive=True)
    assert [stage.state for stage in alive.stages] == (
        ["done"] * at + ["now"] + [""] * (len(view.STAGES) - at - 1)
    )
    assert alive.stages[at].detail == detail
    assert alive.is_done is (at == 3)
    dead = view.start_of(said, alive=False)
    assert dead.stages[at].state == "bad"
    assert dead.problem
    assert dead.is_over
    assert not dead.is_done


def test_what_ended_early_has_its_last_words():
    said = FETCH + "error: binance cannot be reached\n  look at the network\n"
    assert view.start_of(said, alive=False).problem == (
        "Binance cannot be reached look at the network"
    )
    assert view.last_words("") == "It ended without a word."
    assert view.last_words("a\nb\nc\nd") == "B c d"


def test_the_plan_is_one_sentence():
    typed = {"side": "short", "leverage": "10", "wallet": "500", "venue": "okx",
             "policy": "plugin", "rules": "balanced"}  # fmt: skip
    assert view.sentence(typed, "reduce", "x") == (
        "On paper, a 10x short of 5,000 USDT opens at the first price of okx with a wallet of "
        "500 USDT, and plugin within the rules balanced hedges it by a smaller position."
    )
    assert "nothing is hedged" in view.sentence(typed | {"policy": "unhedged"}, "reduce", "")
    assert "not complete" in view.sentence({"leverage": "x"}, "reduce", "")


def test_advice_is_told_in_words():
    told = {
        "horizon_days": 7.0, "tolerance": 0.05, "time": "2024-01-01 00:00:00", "data": "made",
        "own": {"leverage": 5.0, "probability": 0.0853, "price_usdt": 67.14, "distance": 0.196},
        "advised": {"leverage": 3.9}, "past": {"told": "1 of 10"}, "what_to_do": ["carry less"],
    }  # fmt: skip
    assert view.advice_lines(told) == [
        (("Without a hedge, 5x is liquidated within a week with a probability of 8.5%, at 67.14 "
         "USDT, 19.6% away."), "hg-warn"),
        ("Advised: at most 3.9x, for the 5.0% that you accept.", ""),
        ("In the past, 1 of 10.", ""),
        ("Carry less.", "hg-dim"),
        ("As of 2024-01-01 00:00 UTC, on made.", "hg-dim"),
    ]  # fmt: skip
    calm = told | {"own": {"leverage": 2.0, "probability": 0.01, "price_usdt": None}}
    assert view.advice_lines(calm)[0] == (
        "Without a hedge, 2x is liquidated within a week with a probability of 1.0%.", "hg-good"
    )  # fmt: skip


def test_what_places_took_and_which_keys_are_known():
    found = {"places": [{"place": "ntfy", "taken": ["a"], "why": "refused"},
                        {"place": "mail", "taken": ["a", "b", "c"]}]}  # fmt: skip
    assert alert_lines(found) == [
        ("ntfy: 1 of 3 taken: refused.", "hg-bad"), ("mail: 3 of 3 taken.", "hg-good"),
    ]  # fmt: skip
    assert alert_lines({}) == [("No place for alerts is set up.", "hg-warn")]
    assert key_lines({"keys": {"okx": "none", "bybit": "keyring"}}) == [
        ("bybit", "in the keyring"), ("okx", "not known"),
    ]  # fmt: skip


def test_advice_takes_the_newest_bars():
    bars = [Bars("a", "5m", 0, 5, ""), Bars("b", "1m", 0, 5, ""), Bars("c", "1h", 0, 9, "")]
    assert newest(bars).name == "a"
    assert newest([]) is None


# --- starting and stopping ----------------------------------------------------------------------


@pytest.fixture
def programs(tmp_path):
    return Commands(tmp_path, (sys.executable, fake_litehedge.__file__))


def wait(session, done):
    until = time.monotonic() + 20.0
    while time.monotonic() < until:
        now = starting.progress(session)
        if done(now):
            return now
        time.sleep(0.02)
    raise AssertionError(now)


def test_a_start_goes_through_its_stages_and_is_seen_by_a_screen_that_comes_later(
    tmp_path, programs
):
    session = session_at(tmp_path, "paper")
    pid = starting.start(programs, session, ["paper", "--name=paper"], {"side": "long"})
    try:
        assert wait(session, lambda now: now.is_done).problem == ""
        with pytest.raises(UsageError, match="runs already"):
            starting.start(programs, session, ["paper", "--name=paper"], {})
        kept = json.loads((session.folder / starting.ASKED).read_text())
        assert kept["arguments"] == ["paper", "--name=paper"]
        assert kept["pid"] == pid
    finally:
        assert starting.call_off(session)
    assert not starting.call_off(session_at(tmp_path, "other"))
    assert wait(session, lambda now: now.is_over).problem


def test_a_start_that_fails_says_why(tmp_path, programs):
    session = session_at(tmp_path, "bad")
    starting.start(programs, session, ["paper", "--name=bad"], {})
    assert wait(session, lambda now: now.is_over).problem == (
        "Binance cannot be reached look at the network"
    )


def test_nothing_but_paper_is_ever_started(tmp_path, programs):
    with pytest.raises(UsageError, match="only sessions on paper"):
        starting.start(programs, session_at(tmp_path, "x"), ["live", "--name=x"], {})
    assert not (tmp_path / "sessions").exists()


def journaled(tmp_path, mode):
    session = session_at(tmp_path, mode)
    session.folder.mkdir(parents=True)
    journal = Journal(session.journal)
    journal.begin(header(mode=mode, data="okx", policy="hazard"))
    journal.close()
    return session


def test_a_paper_session_goes_on_with_what_it_was_asked_for_before(tmp_path):
    session = journaled(tmp_path, "paper")
    assert starting.again(session) == [
        "paper", "--name=paper", "--venue=okx", "--policy=hazard", "--no-ui",
    ]  # fmt: skip
    (session.folder / starting.ASKED).write_text('{"arguments": ["paper", "--name=paper", "--x"]}')
    assert starting.again(session) == ["paper", "--name=paper", "--x"]
    (session.folder / starting.ASKED).write_text('{"arguments": ["live", "--name=paper"]}')
    assert starting.again(session)[0] == "paper"


def test_a_live_session_is_neither_started_nor_stopped(tmp_path):
    session = journaled(tmp_path, "live")
    with pytest.raises(UsageError, match="no session on paper"):
        starting.again(session)
    holder = _holding(session)
    try:
        with pytest.raises(UsageError, match="stopped where it was started"):
            starting.stop(session)
        assert holder.poll() is None
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_a_session_whose_journal_cannot_be_read_is_not_stopped_it_may_be_live(tmp_path):
    session = journaled(tmp_path, "live")
    with closing(sqlite3.connect(session.journal)) as file:
        file.execute("UPDATE runs SET header = '{}'")
        file.commit()
    holder = _holding(session)
    try:
        with pytest.raises(UsageError, match="stopped where it was started"):
            starting.stop(session)
        assert holder.poll() is None
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_to_look_what_a_session_is_writes_nothing_into_its_journal(tmp_path):
    session = session_at(tmp_path, "t")
    session.folder.mkdir(parents=True)
    session.journal.write_bytes(b"")
    assert starting.header_of(session) is None
    assert session.journal.read_bytes() == b""
    assert starting.header_of(journaled(tmp_path, "live")).mode == "live"


def test_a_paper_session_is_asked_politely_to_stop(tmp_path):
    session = journaled(tmp_path, "paper")
    with pytest.raises(UsageError, match="does not run"):
        starting.stop(session)
    holder = _holding(session)
    starting.stop(session)
    assert holder.wait(20) == 7
    holder.stdout.close()
    assert not starting.known(session).runs


def test_a_session_in_another_container_is_not_stopped_its_number_is_somebody_else_s_here(tmp_path):
    session = journaled(tmp_path, "paper")
    holder = _holding(session)
    try:
        lock = session.folder / "lock"
        lock.write_text(f"process {holder.pid} in pid:[1]")
        with pytest.raises(UsageError, match="another container"):
            starting.stop(session)
        assert holder.poll() is None
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def _holding(session):
    """Start a process that holds a session, and ends with 7 when it is asked to end."""
    code = (
        "import signal,sys,time\n"
        "from pathlib import Path\n"
        "from litehedge.live.session import Session, held\n"
        "signal.signal(signal.SIGTERM, lambda *told: sys.exit(7))\n"
        f"with held(Session({session.name!r}, Path({str(session.folder)!r}))):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ.copy()
    )
    assert holder.stdout.readline() == b"held\n"
    return holder


def test_the_lists_of_the_tools_are_the_lakes_own(tmp_path):
    store(Lake(tmp_path / "lake"), "mine", market(600, seed=3))
    (tmp_path / "lake" / "broken").mkdir()
    (tmp_path / "lake" / "broken" / "manifest.json").write_text("{")
    found = Tools.at(tmp_path, tmp_path / "none.toml").bars()
    one = Lake(tmp_path / "lake").bars("mine")
    assert [(b.name, b.interval, b.start_ns, b.end_ns) for b in found] == [
        (one.name, one.interval, one.start_ns, one.end_ns)
    ]
    assert Tools.at(tmp_path / "empty").bars() == []

"""Health says one word to anybody; metrics are what a monitor reads, and are for who may."""

from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from screens import Screen, copy_session, wire

from litehedge.learning.kept import say_watch
from litehedge.learning.watch import Finding, Fit, Look, Word
from litehedge.live.session import held


def test_health_says_one_word_and_nothing_of_the_account(screen, session):
    answer = screen.get("/health")
    assert (answer.status, answer.json) == (503, {"status": "down"})
    with held(session):
        answer = screen.get("/health")
        assert (answer.status, answer.json) == (200, {"status": "ok"})
        screen.home.meant("paper")._monotonic_s = lambda: time.monotonic() + 61.0
        answer = screen.get("/health")
        assert (answer.status, answer.json) == (503, {"status": "stale"})


def test_a_session_that_runs_and_cannot_be_read_is_stale(screen, session):
    session.journal.write_bytes(b"no journal")
    for file in session.folder.glob("journal.sqlite-*"):
        file.unlink()
    with held(session):
        assert screen.get("/health").json == {"status": "stale"}


def test_one_that_is_stale_is_told_beside_one_that_is_well(screen, session, left_session, tmp_path):
    second = copy_session(left_session, tmp_path, "second")
    with held(session), held(second):
        assert screen.get("/health").json == {"status": "ok"}
        screen.home.meant("second")._monotonic_s = lambda: time.monotonic() + 61.0
        assert screen.get("/health").json == {"status": "stale"}


def test_without_sessions_it_is_down(tmp_path):
    assert Screen(tmp_path).get("/health").json == {"status": "down"}


@pytest.fixture
def told(screen, session):
    token = screen.door.make_token("prometheus", "read")
    with held(session):
        answer = wire(screen.app, "GET", "/metrics",
                      screen.headers(cookie=None, authorization=f"Bearer {token}"))  # fmt: skip
    assert answer.status == 200
    assert answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


def test_a_monitor_reads_the_metrics_and_they_are_the_session_s(told, screen):
    families = {f.name: f for f in text_string_to_metric_families(told)}
    seen = screen.home.meant("paper").seen
    account = seen.account()

    def value(name: str, **labels: str) -> float:
        (sample,) = (s for s in families[f"litehedge_{name}"].samples
                     if labels.items() <= s.labels.items())  # fmt: skip
        assert sample.labels["session"] == "paper"
        return sample.value

    assert value("price_usdt") == seen.price
    assert value("liquidation_distance_ratio") == account.away
    assert value("hedge_ratio") == account.ratio
    assert value("equity_usdt") == account.equity_usdt
    assert value("session_runs") == 1.0
    assert value("trading_state", state="ACTIVE") == 1.0
    assert value("trading_state", state="HALTED") == 0.0
    assert value("decisions_recent") == len(seen.decisions)
    assert value("alerts_recent") == len(seen.alerts)
    assert value("watches_open") == len(seen.watches)
    assert value("feed_age_seconds", feed="bar") >= 0.0
    assert value("data_age_seconds") >= 0.0
    assert all(family.documentation and family.type == "gauge" for family in families.values())


def test_each_family_is_described_once_and_its_samples_stand_together(told, screen, left_session,
                                                                     tmp_path):  # fmt: skip
    from litehedge.ui.health import every, written

    copy_session(left_session, tmp_path, "second")
    text = written(asyncio.run(every(screen.home)))
    heads = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads))
    names = [line.partition("{")[0] for line in text.splitlines() if not line.startswith("#")]
    assert names == sorted(names, key=heads.index)
    assert text.endswith("\n")


def test_labels_and_numbers_are_written_so_that_they_are_read_back():
    from litehedge.ui.health import _labels, _value

    odd = 'a "b" \\ c\nd'
    text = f"x{_labels({'l': odd})} {_value(0.1)}\ny{_labels({'l': ''})} {_value(float('inf'))}\n"
    first, second = (f.samples[0] for f in text_string_to_metric_families(text))
    assert (first.labels, first.value) == ({"l": odd}, 0.1)
    assert second.value == float("inf")


def test_what_is_not_known_is_left_out(screen):
    from litehedge.ui.health import every, written

    screen.home.meant("paper").seen.price = float("nan")
    text = written(asyncio.run(every(screen.home)))
    assert "price_usdt" not in text
    assert "nan" not in text.lower()


def test_how_the_model_fits_is_among_the_metrics_where_somebody_looked(screen, session, told):
    assert "model_watch" not in told
    look = Look(5_000_000_000, "m@1", 9, 3, [Finding("x", Word.DRIFT, "it broke")], [])
    say_watch(session.folder, Fit("m@1", Word.WATCH, 1, look))
    token = screen.door.make_token("monitor", "read")
    answer = wire(screen.app, "GET", "/metrics",
                  screen.headers(cookie=None, authorization=f"Bearer {token}"))  # fmt: skip
    families = {f.name: f for f in text_string_to_metric_families(answer.text)}
    words = {s.labels["word"]: s.value for s in families["litehedge_model_watch"].samples}
    assert words == {"too little yet": 0.0, "fine": 0.0, "watch": 1.0, "drift": 0.0}
    [moment] = families["litehedge_model_watch_time_seconds"].samples
    assert moment.value == 5.0

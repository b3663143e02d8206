"""``litehedge alerts``, what the doctor says of them, and what a session tells at its end."""

from __future__ import annotations

import sqlite3

import keyring
import pytest
from typer.testing import CliRunner

from keyrings import Ring
from litehedge.cli.alerts import telling
from litehedge.cli.app import app
from litehedge.config import Settings
from litehedge.errors import ConfigError, UsageError, VenueDown
from litehedge.live.session import session_at
from litehedge.settings import load_settings
from litehedge.store.journal import Journal
from receivers import web


def test_help_says_where_the_settings_are(litehedge):
    for words in ([], ["alerts"]):
        shown = " ".join(litehedge(*words, "--help").out.replace("│", " ").split())
        assert "when and what is set under alerts" in shown


def test_a_test_sends_each_level_and_says_how_many_places_took_it(litehedge, monkeypatch):
    nowhere = litehedge("alerts", "test")
    assert nowhere.code == 2
    assert "litehedge keys set alerts" in nowhere.err
    with web() as server:
        url = f"json://127.0.0.1:{server.port}/hook-of-mine"
        monkeypatch.setenv("LITEHEDGE_ALERTS", url)
        done = litehedge("alerts", "test")
        assert done.code == 0, done.err
        assert "3 of 3 taken" in done.out
        assert "1 of 1 places took every alert" in done.out
        assert [one["title"] for one in server.came] == [
            "litehedge test: act now",
            "litehedge test: for your information",
            "litehedge test: digest",
        ]
        server.answer["status"] = 403
        failed = litehedge("alerts", "test", "--json")
        assert failed.code == 1
        assert failed.json["places"][0]["failed"] == ["act_now", "done", "digest"]
        assert "hook-of-mine" not in done.out + failed.out + failed.err


def test_show_hides_addresses(litehedge, monkeypatch, tmp_path):
    assert "none: the log alone" in litehedge("alerts", "show").out
    monkeypatch.setenv("LITEHEDGE_ALERTS", "ntfy://my-secret-topic")
    (tmp_path / "litehedge.toml").write_text(
        '[alerts]\nleast = "done"\nquiet_hours = "22-6"\nheartbeat_url = "https://hc.example/uuid"\n'
    )
    shown = litehedge("alerts", "show")
    assert "ntfy (from the environment)" in shown.out
    assert "22-6 UTC" in shown.out
    told = litehedge("alerts", "show", "--json")
    assert told.json["places"] == ["ntfy"]
    assert told.json["heartbeat"] is True
    for said in (shown.out, told.out):
        assert "secret-topic" not in said
        assert "uuid" not in said


def test_addresses_are_kept_in_the_keyring_when_apprise_understands_them():
    keyring.set_keyring(Ring())
    runner = CliRunner()
    done = runner.invoke(app, ["keys", "set", "alerts"], input="ntfy://a-topic json://host/x\n")
    assert done.exit_code == 0, done.output
    assert "litehedge alerts test" in done.output
    assert "alerts          keyring" in runner.invoke(app, ["keys", "show"]).output
    assert "ntfy, JSON (from the keyring)" in runner.invoke(app, ["alerts", "show"]).output
    wrong = runner.invoke(app, ["keys", "set", "alerts"], input="what-is-this\n")
    assert wrong.exit_code != 0
    assert "what-is-this" not in str(wrong.exception) + wrong.output


def test_the_address_of_the_heartbeat_is_in_no_dump():
    settings = load_settings('[alerts]\nheartbeat_url = "https://hc.example/secret"')
    assert settings.alerts.heartbeat_url.endswith("secret")
    assert "secret" not in str(settings.model_dump()) + repr(settings)
    assert Settings.model_validate(settings.model_dump()).alerts.heartbeat_url == ""


@pytest.mark.parametrize("text", ["22", "22-22", "24-6", "a-b", "-1-6", "1-2-3"])
def test_quiet_hours_that_are_none_are_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="for example 22-6"):
        load_settings(f'[alerts]\nquiet_hours = "{text}"')


def test_the_end_of_a_session_is_told_and_asks_to_act_where_money_is_real(monkeypatch):
    with web() as server:
        monkeypatch.setenv("LITEHEDGE_ALERTS", f"json://127.0.0.1:{server.port}")
        with telling(Settings(), "litehedge a", is_real=True):
            pass
        with pytest.raises(VenueDown), telling(Settings(), "litehedge b", is_real=True):
            raise VenueDown("binance cannot be reached", "wait")
        with pytest.raises(ZeroDivisionError), telling(Settings(), "litehedge c", is_real=False):
            raise ZeroDivisionError("what is secret")
        with pytest.raises(UsageError), telling(Settings(), "litehedge d", is_real=True):
            raise UsageError("not confirmed", "nothing was started")
    first, second, third, fourth = server.came
    assert first["title"] == "litehedge a: act now"
    assert "nobody guards now" in first["message"]
    assert "binance cannot be reached" in second["message"]
    assert third["title"] == "litehedge c: for your information"
    assert "ZeroDivisionError" in third["message"]
    assert "secret" not in third["message"]
    assert "not confirmed" in fourth["message"]  # nobody is at the terminal here


def checks_of(result):
    return {check["name"]: check for check in result.json["checks"]}


def test_the_doctor_judges_settings_caches_alerts_and_heartbeat(litehedge, monkeypatch, tmp_path):
    fine = litehedge("doctor", "--offline", "--json")
    assert fine.code == 0, fine.out
    told = checks_of(fine)
    assert {"python", "disk", "journal", "compiled code", "settings", "model", "sessions",
            "alerts", "heartbeat", "keys"} <= set(told)  # fmt: skip
    assert told["alerts"]["outcome"] == "note"
    with web() as server:
        monkeypatch.setenv("LITEHEDGE_ALERTS", f"json://127.0.0.1:{server.port}")
        beat = f'[alerts]\nheartbeat_url = "http://127.0.0.1:{server.port}/x"\n'
        (tmp_path / "litehedge.toml").write_text(beat + "[position]\nleverage = 60\n")
        told = checks_of(litehedge("doctor", "--json"))
        assert told["alerts"]["what"] == "JSON answers"
        assert told["heartbeat"]["outcome"] == "ok"
        assert "limits.max_leverage" in told["settings"]["what"]
        assert server.came == []  # nothing was sent
    told = checks_of(litehedge("doctor", "--json"))
    assert told["alerts"]["what"] == "JSON is not reached"
    (tmp_path / "litehedge.toml").write_text("[position]\nleverage = -1\n")
    wrong = litehedge("doctor", "--offline", "--json")
    assert wrong.code == 1
    assert "position.leverage" in checks_of(wrong)["settings"]["what"]
    monkeypatch.setenv("LITEHEDGE_ALERTS", "nonsense-secret")
    bad = litehedge("doctor", "--offline", "--json")
    assert checks_of(bad)["alerts"]["outcome"] == "fault"
    assert "nonsense" not in bad.out + bad.err
    assert litehedge("doctor", "--offline", "--venue", "binance").code == 2


def test_the_doctor_finds_a_damaged_journal_and_changes_none(litehedge, tmp_path):
    session = session_at(tmp_path / "home", "one")
    Journal(session.journal).close()
    told = checks_of(litehedge("doctor", "--offline", "--json"))["session one"]
    assert told["outcome"] == "ok"
    assert "0 runs" in told["what"]
    with sqlite3.connect(session.journal) as database:
        database.execute("INSERT INTO runs VALUES (1, x'00')")
    database.close()
    before = session.journal.read_bytes()
    damaged = litehedge("doctor", "--offline", "--json")
    assert damaged.code == 1
    assert "header of run 1" in checks_of(damaged)["session one"]["what"]
    assert session.journal.read_bytes() == before
    session.journal.write_bytes(b"no database" * 1000)
    told = checks_of(litehedge("doctor", "--offline", "--json"))["session one"]
    assert told["outcome"] == "fault"

"""What runs it as a service fits what there is: commands, options, metrics, events."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from litehedge.cli.app import app
from litehedge.market import events as ev
from litehedge.risk.state import TradingState
from litehedge.ui.facts import Facts
from litehedge.ui.health import written
from litehedge.ui.seen import Account

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
RULES = DEPLOY / "prometheus" / "litehedge.rules.yml"
BOARD = DEPLOY / "grafana" / "litehedge.json"
METRIC = re.compile(r"\blitehedge_[a-z_]+")


@pytest.fixture(scope="module")
def metrics() -> set[str]:
    facts = Facts(
        name="a", mode="live", health="ok", runs=True, trading=TradingState.ACTIVE, price=80.0,
        age_s=1.0, trouble="", holds=True, override="", override_until_ns=0, is_closing=False,
        decisions=1, alerts=1, watches=("frozen",), feeds_age_s={"book": 1.0},
        account=Account(*(1.0 for _ in Account.__dataclass_fields__)),
    )  # fmt: skip
    return set(METRIC.findall(written([facts])))


def rules() -> list[dict]:
    return [r for g in yaml.safe_load(RULES.read_text())["groups"] for r in g["rules"]]


def test_rules_ask_for_metrics_that_there_are(metrics):
    asked = {name for rule in rules() for name in METRIC.findall(rule["expr"])}
    assert asked
    assert asked <= metrics


def test_the_dashboard_shows_every_metric_and_no_other(metrics):
    board = json.loads(BOARD.read_text())
    shown = {n for p in board["panels"] for t in p["targets"] for n in METRIC.findall(t["expr"])}
    assert shown <= metrics
    assert metrics - shown == {"litehedge_session_info", "litehedge_position_ltc",
                               "litehedge_hedge_ltc"}  # fmt: skip
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_feeds_that_rules_wait_for_are_kinds_of_events():
    (expression,) = (r["expr"] for r in rules() if r["alert"] == "LitehedgeFeedSilent")
    kinds = {
        kind.__struct_config__.tag for kind in vars(ev).values()
        if isinstance(kind, type) and issubclass(kind, ev.Event) and kind is not ev.Event
    }  # fmt: skip
    (asked,) = re.findall(r'feed=~"([a-z|]+)"', expression)
    assert set(asked.split("|")) <= kinds


def test_every_alert_says_how_urgent_it_is_what_is_and_what_to_do():
    commands = get_command(app).commands
    for rule in rules():
        assert rule["labels"]["severity"] in ("act_now", "done"), rule
        assert rule["annotations"].keys() == {"summary", "action"}, rule
        for named in re.findall(r"\blitehedge (\w+)", rule["annotations"]["action"]):
            assert named in commands, rule


def test_every_alert_is_tried():
    tried = yaml.safe_load((RULES.parent / "litehedge.rules.test.yml").read_text())
    fired = {
        c["alertname"] for t in tried["tests"] for c in t["alert_rule_test"] if c["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules()}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed here")
def test_alerts_fire_as_their_tests_say():
    subprocess.run(["promtool", "test", "rules", RULES.parent / "litehedge.rules.test.yml"],
                   check=True, capture_output=True)  # fmt: skip


def unit(path: Path) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None, comment_prefixes="#")
    parser.optionxform = str
    parser.read_string(path.read_text())
    return parser


@pytest.mark.parametrize("path", UNITS, ids=lambda p: p.stem)
def test_units_start_commands_that_take_these_options(path):
    lines = [line.partition("=")[2] for line in path.read_text().splitlines()
             if line.startswith("ExecStart=")]  # fmt: skip
    assert lines
    for line in lines:
        line = line.replace("${LITEHEDGE_BACKUPS}", "/tmp").replace("%i", "binance")
        for given in (
            ("live --venue binance", "paper") if "$LITEHEDGE_ARGS --name" in line else ("",)
        ):
            words = shlex.split(line.replace("$LITEHEDGE_ARGS", given))
            name, *rest = words[1:]
            get_command(app).commands[name].make_context(name, rest)


def test_a_session_that_hangs_or_dies_is_started_anew_for_ever_and_keeps_what_it_writes():
    session = unit(DEPLOY / "systemd" / "litehedge@.service")
    assert session["Unit"]["StartLimitIntervalSec"] == "0"
    assert session["Service"]["Type"] == "notify"
    assert int(session["Service"]["WatchdogSec"]) >= 30
    assert session["Service"]["Restart"] == "on-failure"  # and not when people stop it
    assert "MemoryDenyWriteExecute" not in session["Service"]  # numba writes machine code


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd is installed here")
def test_systemd_reads_the_units_without_complaint():
    units = sorted((DEPLOY / "systemd").iterdir())
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units],
                          capture_output=True, text=True, check=False)  # fmt: skip
    told = [line for line in done.stderr.splitlines() if "is not executable" not in line]
    own = [line for line in told if "litehedge" in line]
    assert own == []


def test_the_image_is_made_of_files_that_there_are_and_services_use_commands_that_there_are():
    container = DEPLOY / "container"
    root = DEPLOY.parent
    for line in (container / "Containerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for name in line.split()[1:-1]:
                assert (root / name).exists(), line
    ignored = (container / "Containerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored  # nothing of a home folder gets into an image
    for service in yaml.safe_load((container / "compose.yaml").read_text())["services"].values():
        name, *rest = service["command"]
        get_command(app).commands[name].make_context(name, list(rest))

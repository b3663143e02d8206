"""``litehedge keys``: what is typed is kept, and never printed."""

from __future__ import annotations

import json

import keyring
from typer.testing import CliRunner

from keyrings import Ring
from litehedge.cli.app import app
from litehedge.feeds.fetch_api import api_key


def test_set_show_forget(monkeypatch):
    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    try:
        runner = CliRunner()
        done = runner.invoke(app, ["keys", "set", "bybit"], input="my-own-key\nmy-own-secret\n")
        assert done.exit_code == 0
        shown = runner.invoke(app, ["keys", "show"])
        assert "my-own" not in done.output + shown.output
        assert "bybit           keyring" in shown.output
        told = runner.invoke(app, ["keys", "show", "--json"])
        assert json.loads(told.output)["keys"]["bybit"] == "keyring"
        assert "my-own" not in told.output
        monkeypatch.setenv("LITEHEDGE_BINANCE_KEY", "a")
        monkeypatch.setenv("LITEHEDGE_BINANCE_SECRET", "b")
        assert "binance         environment" in runner.invoke(app, ["keys", "show"]).output
        assert "removed" in runner.invoke(app, ["keys", "forget", "bybit"]).output
        assert "no keys" in runner.invoke(app, ["keys", "forget", "bybit"]).output
        done = runner.invoke(app, ["keys", "set", "coinalyze"], input="a-free-key\n")
        assert done.exit_code == 0
        assert api_key("coinalyze", "COINALYZE_API_KEY") == "a-free-key"
        assert runner.invoke(app, ["keys", "set", "bitmex"]).exception is not None
    finally:
        keyring.set_keyring(before)

"""The settings file: whole or not at all, comments kept, secrets hidden."""

from __future__ import annotations

import pytest

from litehedge.errors import ConfigError, UsageError
from litehedge.settings import load_settings
from litehedge.ui import settings_file as sf

TEXT = """# mine
[limits]   # hard ones
max_leverage = 20.0  # not more

[position]
side = "short"
"""


def test_comments_and_order_stay():
    after = sf.edited(TEXT, {"limits.max_leverage": 10.0, "position.leverage": 3.0,
                             "costs.impact": 0.5})  # fmt: skip
    assert after.startswith("# mine\n[limits]   # hard ones\nmax_leverage = 10.0  # not more\n")
    assert after.index("[limits]") < after.index("[position]") < after.index("[costs]")
    told = load_settings(after)
    assert (told.limits.max_leverage, told.position.leverage, told.costs.impact) == (10, 3, 0.5)
    assert told.position.side == "short"


def test_the_difference_is_what_changes_and_nothing_else():
    after = sf.edited(TEXT, {"limits.max_leverage": 10.0})
    lines = [line for line in sf.difference(TEXT, after) if line[0] in "+-"]
    assert lines == ["-max_leverage = 20.0  # not more", "+max_leverage = 10.0  # not more"]
    secret = sf.difference("", sf.edited("", {"alerts.heartbeat_url": "https://x.example/abc"}))
    assert not any("abc" in line for line in secret)
    assert any("heartbeat_url" in line for line in secret)


def test_saving_writes_what_loads_and_makes_a_file_where_there_is_none(tmp_path):
    path = tmp_path / "litehedge.toml"
    file = sf.read_file(path)
    assert file.text is None
    saved = sf.save(file, {"position.leverage": 7.0})
    assert sf.read_file(path).settings == saved.settings
    assert saved.settings.position.leverage == 7.0
    assert path.stat().st_mode & 0o077 == 0
    assert [found.name for found in tmp_path.iterdir()] == ["litehedge.toml"]


def test_what_is_not_sound_is_not_written(tmp_path):
    path = tmp_path / "litehedge.toml"
    path.write_text(TEXT)
    path.chmod(0o644)
    with pytest.raises(ConfigError):
        sf.save(sf.read_file(path), {"limits.collar_bps": 0.5})
    assert path.read_text() == TEXT
    assert path.stat().st_mode & 0o777 == 0o644


def test_nobody_elses_change_is_overwritten(tmp_path):
    path = tmp_path / "litehedge.toml"
    path.write_text(TEXT)
    file = sf.read_file(path)
    path.write_text(TEXT + "leverage = 2.0\n")
    with pytest.raises(UsageError, match="changed by somebody else"):
        sf.save(file, {"position.leverage": 50.0})
    assert "leverage = 2.0" in path.read_text()


def test_a_disk_that_refuses_changes_nothing(tmp_path, monkeypatch):
    path = tmp_path / "litehedge.toml"
    path.write_text(TEXT)
    file = sf.read_file(path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("litehedge.store.durable.os.fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        sf.save(file, {"position.leverage": 7.0})
    assert path.read_text() == TEXT
    assert [found.name for found in tmp_path.iterdir()] == ["litehedge.toml"]


def test_the_environment_says_what_it_overrides():
    environ = {"LITEHEDGE_POSITION__LEVERAGE": "9", "LITEHEDGE_HOME": "/x", "LITEHEDGE_A__B": "1"}
    assert sf.from_environment(environ) == {"position.leverage": "LITEHEDGE_POSITION__LEVERAGE"}

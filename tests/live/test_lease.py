"""Two engines on one account: the second one is refused, whatever its session is called."""

from __future__ import annotations

import os
import signal

import pytest

from litehedge.errors import UsageError
from litehedge.live.lease import lease_of, leased
from litehedge.venues.keys import Keys

KEYS = Keys("binance", "a-key-of-some-length", "secret")


def test_a_second_engine_is_refused_and_told_who_holds_it(tmp_path):
    with leased(tmp_path, [KEYS], "one"):
        with (
            pytest.raises(UsageError, match=r"guarded already .session one, process"),
            leased(tmp_path, [Keys("bybit", "k", "s"), KEYS], "two"),
        ):
            pass
        with leased(tmp_path, [Keys("bybit", "k", "s")], "three"):  # let go of, after the refusal
            pass
    with leased(tmp_path, [KEYS], "two"):
        pass


def test_other_accounts_are_not_held_up_and_no_key_is_told(tmp_path):
    with (
        leased(tmp_path, [KEYS], "one"),
        leased(tmp_path, [Keys("binance", "another", "s"), Keys("okx", KEYS.key, "s")], "two"),
    ):
        for path in (tmp_path / "accounts").iterdir():
            assert KEYS.key not in path.name + path.read_text()


def test_the_lease_of_a_process_that_was_killed_is_free(tmp_path):
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        with leased(tmp_path, [KEYS], "one"):
            os.write(told, b"!")
            signal.pause()
    os.read(ready, 1)
    with pytest.raises(UsageError), leased(tmp_path, [KEYS], "two"):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with leased(tmp_path, [KEYS], "two"):
        assert lease_of(tmp_path, KEYS).read_text().startswith("session two")
    os.close(ready)
    os.close(told)

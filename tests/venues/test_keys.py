"""Keys come from the environment or the keyring, and never show."""

from __future__ import annotations

import pickle

import keyring
import pytest

from keyrings import NoRing, Ring
from litehedge.errors import WrongSetup
from litehedge.venues.keys import Keys, find_keys, forget_keys, store_keys, variable

SECRET = "s3cr3t-of-a-venue-0123456789"


@pytest.fixture
def ring():
    before = keyring.get_keyring()
    ours = Ring()
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


@pytest.fixture
def no_ring():
    before = keyring.get_keyring()
    keyring.set_keyring(NoRing())
    yield
    keyring.set_keyring(before)


def test_the_environment_comes_before_the_keyring(ring):
    store_keys(Keys("binance", "from-the-ring", SECRET))
    found = find_keys("binance", {variable("binance", "key"): "from-the-environment"})
    assert (found.key, found.secret) == ("from-the-environment", SECRET)
    assert find_keys("binance", {}).key == "from-the-ring"
    assert forget_keys("binance")
    assert not forget_keys("binance")
    with pytest.raises(WrongSetup, match="litehedge keys set binance"):
        find_keys("binance", {})


def test_without_a_keyring_the_environment_is_enough(no_ring):
    environ = {variable("okx", part): part for part in ("key", "secret", "passphrase")}
    assert find_keys("okx", environ).passphrase == "passphrase"
    with pytest.raises(WrongSetup, match="LITEHEDGE_OKX_PASSPHRASE"):
        find_keys("okx", {k: v for k, v in environ.items() if "PASS" not in k})
    with pytest.raises(WrongSetup, match="environment instead"):
        store_keys(Keys("okx", "a", "b", "c"))
    with pytest.raises(WrongSetup, match="keyring cannot be used"):
        forget_keys("okx")


def test_keys_never_show_and_are_never_written():
    keys = Keys("binance", "abcdefghijklmnop", SECRET)
    for text in (repr(keys), str(keys), f"{keys}", repr([keys])):
        assert SECRET not in text
        assert "abcdefgh" not in text
    with pytest.raises(TypeError):
        pickle.dumps(keys)

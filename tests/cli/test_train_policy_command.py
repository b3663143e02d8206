"""``train-policy`` on a small lake, from the command line, and a backtest with what it made."""

import sys

import pytest

from litehedge.shelf.policies import SHIPPED
from litehedge.store.bundled import pretrained_folder
from litehedge.units import NS_PER_MINUTE
from made_lakes import store
from synthetic import Crash, market


@pytest.fixture
def month(lake):
    """Five-minute bars with two squeezes a day."""
    n = 26 * 288
    crashes = tuple(
        Crash(at=at, bars=4, depth=0.06 if i % 2 else -0.06)
        for i, at in enumerate(range(400, n - 300, 150))
    )
    store(lake, "month", market(n, bar_ns=5 * NS_PER_MINUTE, vol=0.0008, crashes=crashes))


SPANS = ("--until", "2023-03-15", "--validate-until", "2023-03-26")


def test_train_a_policy_and_backtest_with_it(litehedge, month, monkeypatch):
    from litehedge.model import train_policy as tp

    class Small(tp.Recipe):
        def __init__(self, **given):
            super().__init__(**given, pairs=16, rows=500, copy_steps=20, every=1)

    monkeypatch.setattr(tp, "Recipe", Small)
    command = ("train-policy", "--data", "month", "--name", "tried", *SPANS, "--seeds", 2,
               "--steps", 1)  # fmt: skip
    result = litehedge(*command, "--json", "-")
    assert result.code == 0, result.err
    card = result.json
    assert card["seeds"] == [0, 1]
    assert card["trained_on"][0]["end"] <= "2023-03-15 00:00" < card["validated_on"]["end"]
    assert card["forecaster"].startswith("ltc-5m-logistic@")
    assert "seed 1  step 1" in result.err
    again = litehedge(*command)
    assert again.code == 0, again.err
    assert "saved in" in again.out
    assert "step 1 " not in again.err  # it was done
    monkeypatch.setenv("LITEHEDGE_HEDGE__NETWORK", "tried")
    used = litehedge("backtest", "--data", "month", "--from", "2023-03-15", "--episodes", "3d",
                     "--compare", "plugin,network", "--json", "-")  # fmt: skip
    assert used.code == 0, used.err
    assert [row["policy"] for row in used.json["rows"]] == ["plugin", "network"]


def test_without_torch_it_says_what_to_install(litehedge, month, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = litehedge("train-policy", "--data", "month", *SPANS)
    assert result.code == 2
    assert "training needs torch" in result.err


def test_an_unknown_network_policy_is_refused(litehedge, month, monkeypatch):
    monkeypatch.setenv("LITEHEDGE_HEDGE__NETWORK", "lost")
    result = litehedge("backtest", "--data", "month", "--policy", "network")
    assert result.code == 2
    assert "there is no network policy 'lost'" in result.err


def test_the_one_that_ships_is_read_by_default(litehedge, month):
    assert (pretrained_folder() / SHIPPED / "policy.json").is_file()
    used = litehedge("backtest", "--data", "month", "--from", "2023-03-20", "--episodes", "2d",
                     "--compare", "network", "--json", "-")  # fmt: skip
    assert used.code == 0, used.err

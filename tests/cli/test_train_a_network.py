"""``train --model network`` on a small lake, from the command line."""

import subprocess
import sys

import pytest

from litehedge.units import NS_PER_MINUTE
from made_lakes import store
from synthetic import Crash, market


@pytest.fixture
def month(lake):
    """Five-minute bars with two squeezes a day."""
    n = 20 * 288
    crashes = tuple(
        Crash(at=at, bars=4, depth=0.06 if i % 2 else -0.06)
        for i, at in enumerate(range(400, n - 300, 150))
    )
    store(lake, "month", market(n, bar_ns=5 * NS_PER_MINUTE, vol=0.0008, crashes=crashes))


SPANS = ("--until", "2023-03-17", "--validate-from", "2023-03-17", "--validate-until", "2023-03-22")


def test_train_a_network_and_backtest_with_it(litehedge, month):
    command = ("train", "--model", "network", "--data", "month", "--name", "deep", *SPANS,
               "--seeds", 1, "--epochs", 1)  # fmt: skip
    result = litehedge(*command, "--json", "-")
    assert result.code == 0, result.err
    card = result.json
    assert card["kind"] == "network"
    assert card["seeds"] == [0]
    assert card["trained_on"][0]["end"] < "2023-03-17"
    assert "seed 0  epoch 1" in result.err
    again = litehedge(*command)
    assert again.code == 0, again.err
    assert "saved in" in again.out
    assert "epoch 1 " not in again.err  # it was done
    used = litehedge("backtest", "--data", "month", "--from", "2023-03-23", "--model", "deep",
                     "--json", "-")  # fmt: skip
    assert used.code == 0, used.err
    assert used.json["meta"]["model"].startswith("deep@")
    assert not used.json["meta"]["model_saw_this_span"]


@pytest.mark.parametrize("missing", ["torch", "optuna"])
def test_without_the_extra_it_says_what_to_install(litehedge, month, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    search = ("--search", 1) if missing == "optuna" else ()
    result = litehedge("train", "--model", "network", "--data", "month", *SPANS, *search)
    assert result.code == 2
    assert f"training needs {missing}" in result.err
    assert "pip install 'litehedge[train]'" in result.err
    assert "Traceback" not in result.err


def test_the_command_line_itself_needs_no_torch():
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['torch', 'optuna', 'onnx', 'jaxtyping', 'beartype']))\n"
        "import litehedge.cli.app, litehedge.cli.train, litehedge.training.logistic\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                            check=False)  # fmt: skip
    assert result.returncode == 0, result.stderr


def test_nothing_to_learn_from_is_refused(litehedge, month):
    result = litehedge("train", "--model", "network", *SPANS)
    assert result.code == 2
    assert "nothing to learn from" in result.err

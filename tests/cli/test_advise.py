"""``litehedge advise``: leverage, past and capital in plain words, and what bad input gets."""

from __future__ import annotations

import pytest

from litehedge.cli.advise import read_horizon, read_tolerance
from litehedge.config import Plugin
from litehedge.errors import UsageError
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, iso_utc
from made_lakes import CRASH_AT, store
from synthetic import T0, Crash, market

CALM = iso_utc(T0 + 2 * NS_PER_DAY)
ASKED = ("advise", "--data", "crash", "--leverage", 20, "--wallet", 300)


def test_the_answer_in_words(litehedge, crashed):
    result = litehedge(*ASKED, "--at", CALM)
    assert result.code == 0, result.err
    assert "20x long" in result.out
    assert "Advised: at most" in result.out
    assert "such weeks ended in liquidation" in result.out
    assert "without hedge" in result.out
    assert "enough" in result.out
    assert "→" in result.out


def test_the_answer_as_json_agrees_with_itself(litehedge, crashed):
    told = litehedge(*ASKED, "--at", CALM, "--side", "short", "--json", "-").json
    assert told["side"] == "short"
    assert told["time"][:16] == CALM
    assert told["advised"]["probability"] <= told["tolerance"] * (1 + 1e-6)
    assert told["own"]["price_usdt"] > told["price_usdt"]
    assert told["own"]["price_usdt"] == pytest.approx(
        told["price_usdt"] * (1 + told["own"]["distance"])
    )
    rows = told["by_leverage"]
    assert [r["probability"] for r in rows] == sorted(r["probability"] for r in rows)
    assert [r["past"] for r in rows] == sorted(r["past"] for r in rows)
    smallest_step_usdt = 20.0 / Plugin().step  # at 20x, of an order of at least 20 USDT
    assert told["capital"]["minimum_usdt"] == pytest.approx(smallest_step_usdt / 20.0, rel=0.05)
    assert told["what_to_do"]


def test_a_crash_lowers_the_advice(litehedge, crashed):
    in_crash = iso_utc(T0 + (CRASH_AT + 25) * NS_PER_MINUTE)
    calm, wild = (
        litehedge(*ASKED, "--at", at, "--json", "-").json["advised"]["leverage"]
        for at in (CALM, in_crash)
    )
    assert wild < calm


def test_by_default_it_is_the_last_moment(litehedge, crashed):
    told = litehedge(*ASKED, "--json", "-").json
    assert told["time"] == iso_utc(T0 + 4 * NS_PER_DAY, seconds=True)


def test_what_comes_after_the_moment_changes_nothing(litehedge, crashed, lake):
    before = litehedge(*ASKED, "--at", CALM, "--json", "-").json
    own = market(5_760, seed=5, crashes=(Crash(at=CRASH_AT, bars=25, depth=0.35),))
    store(lake, "cut", own.without(slice(2 * 1440, None)))
    after = litehedge("advise", "--data", "cut", *ASKED[3:], "--json", "-").json
    assert after["advised"] == before["advised"]


def test_without_a_model_there_is_advice_too(litehedge, crashed):
    assert litehedge(*ASKED, "--model", "none", "--json", "-").json["advised"]["leverage"] > 0


def test_a_tiny_wallet_is_told(litehedge, crashed):
    result = litehedge("advise", "--data", "crash", "--leverage", 5, "--wallet", 6)
    assert "too small" in result.out
    assert "hedges come later and larger, below a wallet of" in result.out


@pytest.mark.parametrize(
    ("more", "what", "remedy"),
    [
        (("--horizon", "45d"), "outside of 1d to 30d", "use --horizon 30d"),
        (("--horizon", "2h"), "outside of 1d to 30d", "use --horizon 1d"),
        (("--tolerance", "5"), "outside of 0.1% to 50%", "use --tolerance 5%"),
        (("--tolerance", "0"), "outside of 0.1% to 50%", "use --tolerance 5%"),
        (("--tolerance", "some"), "is not a probability", "write 5% or 0.05"),
        (("--at", "2031-01-01"), "no data at 2031-01-01", "use --at"),
        (("--leverage", "300"), "must be 125 or less", "nothing was started"),
        (("--side", "up"), "must be 'long' or 'short'", "nothing was started"),
    ],
)
def test_bad_input_gets_one_clear_message(litehedge, crashed, more, what, remedy):
    result = litehedge("advise", "--data", "crash", *more)
    assert result.code == 2
    assert what in result.err
    assert remedy in result.err


def test_durations_and_probabilities_are_read():
    assert read_horizon("2w") == 14.0
    assert read_tolerance("5%") == read_tolerance("0.05") == 0.05
    with pytest.raises(UsageError):
        read_tolerance("60%")

"""What a ledger must be, whatever people do."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acted import MINUTE, at, journaled, ledger_of, set_hedge
from litehedge.ledger.scores import Verdict, total_of
from litehedge.market import events as ev
from synthetic import Crash, market

TAIL = 30 * MINUTE
CALM = market(160, seed=3, vol=0.0003)
WILD = market(200, seed=3, vol=0.001, crashes=(Crash(at=120, bars=15, depth=0.12),))


def kept(commands, own=WILD, tail_ns=TAIL, **options):
    with tempfile.TemporaryDirectory() as folder:
        journal = journaled(Path(folder) / "j", own, commands, **options)
        told = ledger_of(journal, tail_ns=tail_ns)
        journal.close()
        return told


minutes = st.integers(10, 140)


@settings(max_examples=5)
@given(minutes, st.integers(1, 40), st.sampled_from(["set", "freeze", "halt"]))
def test_an_act_that_is_what_the_policy_does_anyway_is_worth_nothing(minute, lasts, kind):
    commands = {
        "set": [set_hedge(minute, 0.0, lasts)],
        "freeze": [ev.Freeze(at(minute), at(minute), at(minute + lasts))],
        "halt": [ev.Halt(at(minute), at(minute), "coffee"),
                 ev.Resume(at(minute + lasts), at(minute + lasts), "RESUME")],
    }[kind]  # fmt: skip
    told = kept(commands, own=CALM, policy="unhedged")
    (score,) = told.scores
    assert score.pnl_usdt == 0.0
    assert score.verdict in (Verdict.SAME, Verdict.NOT_YET)
    assert score.liquidation == ""
    assert (score.with_act.equity_usdt == score.without.equity_usdt).all()


acts = st.lists(
    st.tuples(minutes, st.floats(0.0, 1.0), st.integers(5, 60)), min_size=1, max_size=4,
    unique_by=lambda act: act[0],
)  # fmt: skip


@settings(max_examples=3)
@given(acts)
def test_scores_tell_the_truth_the_same_each_time_and_add_up(drawn):
    commands = [set_hedge(minute, round(ratio, 2), lasts) for minute, ratio, lasts in drawn]
    told, again = kept(commands), kept(commands)
    for score, same in zip(told.scores, again.scores, strict=True):
        assert score.pnl_usdt == same.pnl_usdt
        assert score.without.equity_usdt.tolist() == same.without.equity_usdt.tolist()
        # The account was a simulated one on the same bars: told with the acts it is what it was.
        assert score.with_act.pnl_usdt == pytest.approx(score.true_pnl_usdt, abs=1e-9)
        parts = (score.fees_usdt, score.slippage_usdt, score.funding_usdt, score.forced_usdt,
                 score.price_usdt)  # fmt: skip
        assert sum(parts) == pytest.approx(score.pnl_usdt, abs=1e-9)
    assert told.differing == 0
    spans = [(score.begins_ns, score.until_ns) for score in told.scores]
    assert all(until <= begins for (_, until), (begins, _) in itertools.pairwise(spans))
    judged = [score.pnl_usdt for score in told.scores if score.verdict is not Verdict.NOT_YET]
    assert told.total.pnl_usdt == pytest.approx(sum(judged))
    assert told.total == total_of(told.scores)
    assert told.total.acts == len(drawn)
    assert told.total.helped + told.total.cost + told.total.same == told.total.scored

"""What was traded by hand at the venue, from its adoption on."""

from __future__ import annotations

import pytest

from acted import MINUTE, at, journaled, ledger_of
from litehedge.ledger.scores import Until, Verdict
from litehedge.market import events as ev
from synthetic import Crash, market

OWN = market(160, seed=3, vol=0.001, crashes=(Crash(at=80, bars=15, depth=0.1),))


def test_a_position_halved_by_hand_before_a_fall_helped(tmp_path):
    first = journaled(tmp_path / "a", OWN, [], policy="unhedged", leverage=3)
    (opened,) = [event for event in first.events(1) if isinstance(event, ev.Opened)]
    told = ev.Reported(at(60), at(60), qty_ltc=opened.qty_ltc / 2, entry_usdt=opened.entry_usdt)
    acts = [told, ev.Adopt(at(61), at(61))]
    journal = journaled(tmp_path / "b", OWN, acts, policy="unhedged", leverage=3)
    (score,) = ledger_of(journal, tail_ns=40 * MINUTE).scores
    assert [act.kind for act in score.acts] == ["by hand"]
    assert score.over_ns == at(61)
    assert score.until is Until.TAIL
    assert score.verdict is Verdict.HELPED
    # Half of the position fell with the market; nothing was traded in either course.
    assert score.with_act.pnl_usdt == pytest.approx(score.without.pnl_usdt / 2, rel=1e-3)
    assert score.with_act.trades == score.without.trades == 0


@pytest.mark.parametrize(("side", "verdict"), [("long", Verdict.HELPED), ("short", Verdict.COST)])
def test_closing_all_before_a_fall(tmp_path, side, verdict):
    """From then on the account does not move; what it did without is what the close was worth."""
    close = [ev.CloseAll(at(60), at(60), "enough")]
    journal = journaled(tmp_path / "a", OWN, close, policy="unhedged", leverage=3, side=side)
    (score,) = ledger_of(journal, tail_ns=40 * MINUTE).scores
    assert [act.kind for act in score.acts] == ["close all"]
    assert score.over_ns == at(60)
    assert score.verdict is verdict
    assert score.with_act.trades > 0 == score.without.trades
    # What it truly earned is what the course with the act did: nothing but what closing cost.
    assert score.with_act.pnl_usdt == pytest.approx(score.true_pnl_usdt, abs=5.0)
    assert abs(score.with_act.pnl_usdt) < 0.1 * abs(score.without.pnl_usdt)
    last = score.with_act.equity_usdt[-10:]
    assert last.max() == last.min()

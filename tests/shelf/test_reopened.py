"""A past decision, reopened: the forecast comes out as the engine made it, from its events."""

from __future__ import annotations

import shutil
import sqlite3

import numpy as np
import pytest

from forecasters import logistic
from litehedge.effects import Decision
from litehedge.errors import JournalError
from litehedge.market import events as ev
from litehedge.model import artefact
from litehedge.model.artefact import Artefact
from litehedge.shelf.reopened import prices_after, reopen
from litehedge.store.lookback import Past
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE
from networks import card, save_network
from synthetic import T0
from told_sessions import journaled, told_market


@pytest.fixture(scope="module")
def deep(tmp_path_factory) -> Artefact:
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("models") / "deep"
    save_network(folder, members=2, onsets_ns=[T0 - NS_PER_DAY])
    return artefact.load(folder, NS_PER_MINUTE)


def linear() -> Artefact:
    return Artefact(card(kind="logistic", format=artefact.FORMAT), logistic(4))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The journal of a session that a logistic model guarded."""
    return journaled(tmp_path_factory.mktemp("journal") / "j", linear())


def every(decision: Decision) -> bool:
    return True


def test_the_forecast_is_the_journaled_one_to_the_last_bit(told):
    loaded = linear()
    past = Past(told)
    found = past.decisions(every, most=1000)
    assert len(found) > 30
    shares: list[float] = []
    for one in (found[0], found[len(found) // 2], found[-1]):
        again = reopen(past, one, loaded, shares.append)
        assert again is not None
        assert again.is_same
        assert again.frames > 24 * 60
        assert again.attention == []
        explanation = again.explained.explanation
        assert explanation is not None
        a = explanation.attribution
        np.testing.assert_allclose(a.remainder, 0.0, atol=1e-9)
        outlook = one.decision.outlook
        assert outlook is not None
        assert a.probability.tolist() == [side[2] for side in outlook.onset]
    assert shares[-1] <= 1.0
    other = Artefact(loaded.card, logistic(5))
    again = reopen(past, found[0], other)
    assert again is not None
    assert not again.is_same


def test_a_network_remembers_again_what_it_remembered(tmp_path, deep):
    past = Past(journaled(tmp_path / "j", deep))
    one = past.decisions(every, most=20)[-1]
    told = reopen(past, one, deep)
    assert told is not None
    assert told.is_same
    explanation = told.explained.explanation
    assert explanation is not None
    assert np.isfinite(explanation.half_min)
    assert sum(told.attention) == pytest.approx(1.0)
    assert [n.data for n in explanation.nearest] == ["perp"]


def test_decisions_are_found_by_moment_and_in_pages(told):
    past = Past(told)
    found = past.decisions(every, most=1000)
    times = [one.decision.time_ns for one in found]
    assert times == sorted(times, reverse=True)
    one = past.decision_at(times[7])
    assert one is not None
    assert one.decision == found[7].decision
    assert past.decision_at(5) is None
    page = past.decisions(every, before_ns=times[7], most=5)
    assert [p.decision.time_ns for p in page] == times[8:13]
    refused = past.decisions(lambda d: bool(d.verdicts), most=1000)
    assert [r.decision.time_ns for r in refused] == [
        f.decision.time_ns for f in found if f.decision.verdicts
    ]


def test_prices_after_a_decision_are_those_that_were_known_then(told):
    past = Past(told)
    one = past.decisions(every, most=1000)[-1]
    began_ns = one.decision.time_ns
    found = prices_after(past, one, (1, 10, 1_000_000))
    assert sorted(found) == [1, 10]
    for minutes, price in found.items():
        until_ns = began_ns + minutes * NS_PER_MINUTE
        known = [
            e for e in told_market() if e.known_ns < until_ns and isinstance(e, ev.Book | ev.Bar)
        ]
        last = [e for e in known if isinstance(e, ev.Book) or e.asset == "LTC"][-1]
        assert price == (last.close if isinstance(last, ev.Bar) else 0.5 * (last.bid + last.ask))


def test_what_is_not_all_there_is_not_reopened(told, tmp_path):
    path = tmp_path / "j"
    shutil.copy(told, path)
    past = Past(path)
    one = past.decisions(every, most=1)[0]
    past.close()
    with sqlite3.connect(path) as file:
        file.execute('DELETE FROM event_batches WHERE "first" > 0 AND "first" < 5000')
    with pytest.raises(JournalError, match="lacks the events"):
        reopen(Past(path), one, linear())
    with pytest.raises(JournalError, match="cannot be read"):
        Past(tmp_path / "none")

"""What passes the gate and what does not; challengers are made by real training."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from breaking_markets import (
    BAR_NS,
    DAY_NS,
    POISONS,
    blank,
    breaking,
    forecaster,
    hedging,
    learnt,
    poisoned,
    replay,
    told,
)
from litehedge.model.baselines.logistic_anchor import refit
from litehedge.retraining.gate import (
    Reason,
    Terms,
    Watched,
    errors_needed,
    joined,
    judge,
)
from litehedge.retraining.outcome import Outcomes, better_at_equal_risk, draws_of
from litehedge.retraining.shadow import watched
from synthetic import T0

pytestmark = pytest.mark.xdist_group("gate")  # what it prepares is prepared once

TERMS = Terms()
LEARNT_DAYS, NEW_DAYS, WATCHED_DAYS = 100, 60, 40
FEW = ("labels shuffled", "features shifted", "future leaked", "signs flipped", "tiny data",
       "the champion itself", "not a number")  # fmt: skip


@cache
def champion():
    """A model that learnt from a market that broke since: unrest meant nothing then."""
    kept, features = learnt(LEARNT_DAYS, 1, False)
    return refit(blank(features), replay(kept), strength=100.0)


@cache
def new():
    return learnt(NEW_DAYS, 2, True, T0 + LEARNT_DAYS * DAY_NS)[0]


@cache
def market():
    start_ns = T0 + (LEARNT_DAYS + NEW_DAYS) * DAY_NS
    return breaking(WATCHED_DAYS, 3, announced=True, start_ns=start_ns)


def shadow_of(weights):
    start_ns = int(market().end_ns[0]) + 2 * DAY_NS
    models = (forecaster(champion(), "champion"), forecaster(weights, "challenger"))
    return watched("made", BAR_NS, lambda: told(market()), models, hedging(5.0), start_ns,
                   len(market()))  # fmt: skip


@cache
def better():
    return shadow_of(refit(champion(), replay(new()), strength=100.0))


def cut(shadow: Watched, rows) -> Watched:
    return replace(
        shadow, end_ns=shadow.end_ns[rows], times=shadow.times[rows],
        champion=shadow.champion[rows], challenger=shadow.challenger[rows],
        kinds={k: v[rows] for k, v in shadow.kinds.items()},
    )  # fmt: skip


def turned(shadow: Watched) -> Watched:
    """The same with the roles exchanged."""
    o = shadow.outcomes
    return replace(shadow, champion=shadow.challenger, challenger=shadow.champion,
                   outcomes=Outcomes(o.opens_ns, o.challenger, o.champion))  # fmt: skip


def reasons(verdict):
    return {f.reason for f in verdict.findings}


# --- laws -----------------------------------------------------------------------------------------


def test_more_judgements_never_ask_for_less_and_neither_do_fewer_blocks():
    asked = [errors_needed(n, 12, 0.95) for n in (1, 2, 5, 20, 100, 1000)]
    assert asked == sorted(asked)
    assert asked[-1] > asked[0] + 2.0
    assert errors_needed(5, 4, 0.95) > errors_needed(5, 40, 0.95)
    assert errors_needed(1, 100_000, 0.95) == pytest.approx(1.645, abs=0.001)


def test_equal_risk_does_not_reward_a_position_for_its_size():
    rng = np.random.default_rng(3)
    returns = 0.01 + 0.1 * rng.standard_normal(600)
    drawn = draws_of(np.arange(600) % 30, np.ones((30, 4)))
    opens = np.arange(600)
    half = Outcomes(opens, returns, 0.5 * returns)
    assert better_at_equal_risk(half, drawn).value == pytest.approx(0.0, abs=1e-12)
    kinder = np.where(returns < np.quantile(returns, 0.05), 0.5 * returns, returns)
    assert better_at_equal_risk(Outcomes(opens, returns, kinder), drawn).value > 0.0
    assert better_at_equal_risk(Outcomes(opens, kinder, returns), drawn).value < 0.0


# --- a better one is promoted ---------------------------------------------------------------------


def test_a_challenger_that_learnt_the_new_market_is_promoted():
    verdict = judge(better(), [], tried=1, terms=TERMS, seed=0)
    assert verdict.decision == "promote", verdict.words()
    assert verdict.skill.value > 0.05
    assert "passed the gate" in verdict.words()


def test_the_way_back_is_closed_and_luck_is_counted():
    back = judge(turned(better()), [], tried=1, terms=TERMS, seed=0)
    assert back.decision == "refuse"
    assert Reason.SKILL in reasons(back)
    crowd = judge(better(), [], tried=10**9, terms=TERMS, seed=0)
    assert crowd.decision == "wait"
    assert Reason.SKILL in reasons(crowd)


def test_too_little_is_too_little():
    shadow = better()
    few = cut(shadow, shadow.end_ns < shadow.end_ns[0] + 3 * DAY_NS)
    verdict = judge(few, [], tried=1, terms=TERMS, seed=0)
    assert verdict.decision == "wait"
    assert reasons(verdict) == {Reason.FEW}


def test_a_challenger_that_fails_in_the_frozen_crises_alone_is_refused():
    shadow = better()
    verdict = judge(shadow, [replace(turned(shadow), name="a crisis")], tried=1, terms=TERMS,
                    seed=0)  # fmt: skip
    assert verdict.decision == "refuse"
    assert reasons(verdict) == {Reason.CRISIS}
    assert "a crisis" in {g.name for g in verdict.crises}


def test_a_challenger_that_fails_in_one_kind_of_market_alone_does_not_pass():
    shadow = better()
    wrong = shadow.kinds["00-08 UTC"][:, np.newaxis, np.newaxis]
    spoilt = np.where(wrong, np.clip(20.0 * shadow.challenger, 0.0, 0.45), shadow.challenger)
    verdict = judge(replace(shadow, challenger=spoilt), [], tried=1, terms=TERMS, seed=0)
    assert verdict.decision != "promote"
    assert Reason.STRATUM in reasons(verdict)
    assert any("00-08 UTC" in f.words for f in verdict.findings)


def test_a_challenger_that_proves_nothing_for_long_is_given_up():
    shadow = better()
    same = replace(shadow, challenger=shadow.champion,
                   outcomes=Outcomes(shadow.outcomes.opens_ns, shadow.outcomes.champion,
                                     shadow.outcomes.champion))  # fmt: skip
    assert judge(same, [], tried=1, terms=TERMS, seed=0).decision == "wait"
    late = judge(same, [], tried=1, terms=Terms(most_days=20.0), seed=0)
    assert late.decision == "refuse"
    assert Reason.GIVEN_UP in reasons(late)


def test_spans_that_follow_one_another_keep_their_names():
    shadow = better()
    later = replace(shadow, name="later", end_ns=shadow.end_ns + 100 * DAY_NS)
    whole = joined([shadow, later])
    assert list(whole.kinds) == ["made", "later"]
    assert whole.kinds["later"].sum() == shadow.end_ns.size


# --- poison ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", POISONS if os.environ.get("LITEHEDGE_POISONS") else FEW)
def test_a_poisoned_challenger_is_not_promoted(name):
    shadow = shadow_of(poisoned(name, champion(), new(), 5))
    verdict = judge(shadow, [], tried=1, terms=TERMS, seed=0)
    assert verdict.decision != "promote", name
    assert verdict.findings

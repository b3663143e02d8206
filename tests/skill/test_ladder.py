"""The ladder on a real, small world: what is drawn, what every rung is asked, what leaks."""

import numpy as np
import pytest

from forecasters import logistic
from litehedge.features.vector import NAMES
from litehedge.market import schema as sc
from litehedge.model.baselines.logistic import INPUTS
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.oracle.onsets import TAIL_MIN
from litehedge.skill.rungs import Learnt, inputs_of, judge
from litehedge.skill.seen import HIDDEN, WARM_MIN, Seen, draw, hidden_of, see

BEGIN_S = 1_767_571_200
MINUTES = 60.0


@pytest.fixture(scope="module")
def seen() -> Seen:
    return see(Parameters(), 3, BEGIN_S, 30, int(MINUTES) + TAIL_MIN)


class Constant:
    """A fitted model that always says the same."""

    def predict_proba(self, inputs: np.ndarray) -> np.ndarray:
        return np.repeat([[0.9, 0.1]], inputs.shape[0], axis=0)


def test_a_world_is_seen_minute_by_minute_with_all_feeds(seen: Seen) -> None:
    assert len(seen.frames) == 30 * 1440
    assert seen.record.size == 30 * 1440 + MINUTES + TAIL_MIN
    known = np.isfinite(seen.frames.values[WARM_MIN:]).mean(axis=0)
    assert (known[: sc.FIRST_AGE][[sc.CLOSE, sc.BID, sc.OPEN_INTEREST, sc.MARK]] > 0.99).all()
    at = 1000
    assert seen.frames.values[at, sc.CLOSE] == seen.record["close"][seen.minute[at] - 1]


def test_hidden_state_is_no_input_of_a_model(seen: Seen) -> None:
    assert inputs_of(seen).shape[1] == len(INPUTS) + len(HIDDEN)
    assert not any("hidden" in name for name in (*NAMES, *sc.NAMES))
    assert np.array_equal(inputs_of(seen)[:, len(INPUTS) :], seen.hidden)
    assert np.isfinite(hidden_of(seen.record)).all()


def test_draws_stand_for_all_warm_frames_and_prefer_alarming_ones(seen: Seen) -> None:
    alarm = seen.features[:, NAMES.index("vol_rule")].copy()
    alarm[5_000:5_010] = np.nan
    at, weight = draw(seen, alarm, 200, np.random.default_rng(1))
    assert (np.diff(at) > 0).all()
    assert at[0] >= WARM_MIN
    assert not np.isin(at, np.arange(5_000, 5_010)).any()
    warm = np.flatnonzero(np.isfinite(alarm) & (np.arange(alarm.size) >= WARM_MIN))
    assert weight.sum() == pytest.approx(warm.size)
    most = np.quantile(alarm[warm], 0.95)
    assert (alarm[at] >= most).mean() == pytest.approx(0.5, abs=0.02)
    assert np.average(alarm[at], weights=weight) == pytest.approx(alarm[warm].mean(), rel=0.1)


def test_every_rung_is_asked_about_the_same_instants(seen: Seen) -> None:
    told: list[tuple[int, int]] = []
    per_side = judge(
        seen, Learnt(logistic(1), (Constant(), Constant())), {"another": logistic(2)}, MINUTES,
        instants=12, branches=10, chance=np.random.default_rng(2),
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told[-1][0] == told[-1][1]
    for one in per_side:
        n = one.happened.size
        assert n > 0
        assert {"another", "logistic", "vol_60m"} <= set(one.said)
        assert all(p.shape == (n,) for p in one.said.values())
        assert one.came.shape == one.futures.shape == (n, 2)
        assert ((one.came >= 0) & (one.came <= one.futures)).all()
        assert (one.futures <= 5).all()
        assert one.hints.shape[0] == n

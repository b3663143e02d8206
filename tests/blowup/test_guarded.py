"""The engine's lives are those of the compiled loop, until the guards between bars do something."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from worlds_lived import PLAN, made_tape

from litehedge.backtest import with_position
from litehedge.blowup import guarded as gd
from litehedge.blowup.guarded import GUARDED_LIFE, READ, Kept, Told, guarded_life, guarded_lives
from litehedge.blowup.lives import LIFE, SIDES, ruined_at
from litehedge.blowup.minds import AHEAD_MIN, NEVER, NOW, Mind, ahead, rows_of
from litehedge.features import vector as fv
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import policy_named

SHORT = replace(PLAN, leverages=(20.0,), days=2)
POLICY = policy_named(PLAN.settings.hedge.policy, PLAN.settings)


@cache
def told() -> Told:
    """Two days of a world in which a crash happens."""
    return gd.told_world(SHORT, 1, warm_up_days=2)


@pytest.mark.parametrize("mind", [Mind.RIGHT, Mind.NAN, Mind.OPPOSITE])
@pytest.mark.parametrize("side", SIDES)
def test_without_looks_between_it_is_the_compiled_life(mind, side):
    one = told().by(mind)
    settings = with_position(PLAN.settings, side, 20.0)
    fast = gd._fast(one.tape, SHORT, Kept.LIMITS, settings, POLICY, 20.0, side)[0]
    slow = guarded_life(one, settings, PLAN.tiers, POLICY, looks_between=False)[0]
    for name in LIFE.names:
        if name not in ("arm", "leverage", "side"):
            assert slow[name] == pytest.approx(fast[name], rel=1e-9, abs=1e-9), name


def test_the_right_mind_says_what_the_tape_says():
    """What is written again from what was remembered are the same bits."""
    one = told()
    again = Told(one.tape, one.rows, one.read).by(Mind.SILENT)
    rest = [sg.SIGMA, sg.VOL_RULE, sg.MOVE_15M, sg.VOLUME, sg.FUNDING, sg.DEPTH]
    np.testing.assert_array_equal(again.tape.signals[rest], one.tape.signals[rest])
    assert (again.tape.signals[sg.ONSET : sg.SEVERITY] == 0.0).all()
    assert one.read.shape == (len(one.tape), len(READ))


def test_every_life_is_there():
    lives = guarded_lives(told(), SHORT, 1, (Mind.NAN,))
    assert lives.dtype == GUARDED_LIFE
    assert lives["arm"].tolist() == [Kept.NOTHING] * 2 + [Kept.POLICY, Kept.LIMITS, Kept.ALL] * 2
    for name in lives.dtype.names:
        assert np.isfinite(lives[name]).all(), name
    assert (ruined_at(lives[lives["arm"] == Kept.NOTHING]) >= 0).any()
    assert (lives["closed"][lives["arm"] != Kept.ALL] == 0.0).all()


def test_a_stop_keeps_a_blind_position_from_liquidation():
    """A fall within a minute, with a policy that sees nothing: the stop at the venue fires."""
    closes = np.concatenate((np.full(60, 100.0), np.linspace(100.0, 90.0, 12)))
    tape = made_tape(closes)
    rows = np.broadcast_to(NEVER, (closes.size, NEVER.size))
    read = np.zeros((closes.size, len(READ)))
    read[:, READ.index(fv.LOG_SIGMA)] = -9.0
    read[:, READ.index(fv.VOLUME_PER_MIN)] = 1e6
    read[:, READ.index(fv.DEPTH)] = 1e9
    settings = with_position(PLAN.settings, "long", 20.0)
    policy = policy_named("hazard", settings)
    alone = guarded_life(Told(tape, rows, read), settings, PLAN.tiers, policy, looks_between=False)
    kept = guarded_life(Told(tape, rows, read), settings, PLAN.tiers, policy)
    assert alone["forced_at"][0] >= 0
    assert kept["forced_at"][0] == -1
    assert kept["protections"][0] + kept["stops"][0] > 0
    assert kept["equity"][0] > alone["equity"][0]


def test_the_opposite_cries_wolf_and_is_silent_before_a_move():
    closes = np.concatenate((np.full(200, 100.0), np.full(200, 95.0)))
    bars = made_tape(closes).bars
    rows = rows_of(Mind.OPPOSITE, np.zeros((400, NEVER.size)), bars)
    np.testing.assert_array_equal(rows[0], NOW)
    before = rows[199]
    assert (before[:13] == 0.0).all()  # a fall comes: no word of a long squeeze
    assert (before[13:26] > 0.0).all()
    np.testing.assert_array_equal(rows[300], NOW)


def test_ahead_looks_at_what_comes_and_no_further():
    values = np.arange(200.0)
    np.testing.assert_array_equal(ahead(values, np.maximum)[:100], values[:100] + AHEAD_MIN)
    np.testing.assert_array_equal(ahead(values, np.minimum)[:199], values[:199] + 1.0)
    assert ahead(values, np.minimum)[-1] == values[-1]

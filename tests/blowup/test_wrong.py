"""Forecasters that go wrong: nothing before their day, nothing but the forecast, always alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds_lived import made_tape

from litehedge.blowup.wrong import Wrong, first_wrong_bar, gone_wrong
from litehedge.hedge import signals as sg

DAY = 1440
TAPE = made_tape(np.full(4 * DAY, 100.0))
FORECAST = {
    Wrong.FLIPS: set(range(sg.ONSET, sg.SEVERITY)),
    Wrong.STUCK: set(range(sg.ONSET, sg.SEVERITY)) | {sg.VOL_30, sg.VOL_120},
}
BROKEN = st.sampled_from([Wrong.FLIPS, Wrong.STUCK])


@given(st.integers(0, 2**31), BROKEN)
def test_it_touches_nothing_before_its_day_and_nothing_but_the_forecast(seed, wrong):
    first = first_wrong_bar(TAPE, seed)
    assert first in (DAY, 2 * DAY, 3 * DAY)
    before = TAPE.signals.copy()
    told = gone_wrong(TAPE, wrong, seed)
    np.testing.assert_array_equal(TAPE.signals, before)
    np.testing.assert_array_equal(told.signals[:, :first], before[:, :first])
    changed = {row for row in range(sg.N_SIGNALS) if (told.signals[row] != before[row]).any()}
    assert changed == FORECAST[wrong]
    assert told.bars is TAPE.bars


@given(st.integers(0, 2**31), BROKEN)
def test_the_seed_decides(seed, wrong):
    one, other = (gone_wrong(TAPE, wrong, seed).signals for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_every_day_but_the_first_may_be_the_one():
    days = {first_wrong_bar(TAPE, seed) // DAY for seed in range(60)}
    assert days == {1, 2, 3}


def test_flips_are_fair_coins_between_extremes():
    first = first_wrong_bar(TAPE, 7)
    onsets = gone_wrong(TAPE, Wrong.FLIPS, 7).signals[sg.ONSET : sg.SEVERITY, first:]
    assert set(np.unique(onsets)) == {0.0, 1.0}
    assert abs(onsets.mean() - 0.5) < 0.05
    long, short = onsets[:3], onsets[3:]
    assert (long == long[0]).all()  # one coin for all horizons of a side
    assert abs((long[0] == short[0]).mean() - 0.5) < 0.05  # and one for each side
    assert abs((long[0, 1:] == long[0, :-1]).mean() - 0.5) < 0.05


def test_stuck_says_the_calmest_of_the_day_before():
    first = first_wrong_bar(TAPE, 7)
    told = gone_wrong(TAPE, Wrong.STUCK, 7).signals[:, first:]
    assert (told[sg.ONSET : sg.SEVERITY] == 0.0).all()
    for row in (sg.VOL_30, sg.VOL_120):
        assert (told[row] == TAPE.signals[row, first - DAY : first].min()).all()


def test_a_right_forecaster_is_left_alone():
    assert gone_wrong(TAPE, Wrong.NOT, 7) is TAPE


def test_a_single_day_is_too_short():
    with pytest.raises(ValueError, match="too few"):
        gone_wrong(made_tape(np.full(2 * DAY - 1, 100.0)), Wrong.FLIPS, 1)

"""What the hedge did in a squeeze: one example per verdict."""

from __future__ import annotations

import math

import made
import numpy as np
import pytest

from litehedge.report.calls import Call, SqueezeCall, squeeze_calls

FALL = np.concatenate((np.full(10, 100.0), np.linspace(100.0, 90.0, 11), np.full(10, 91.0)))


def call_of(
    ratio: float | np.ndarray = 0.0,
    lives: list[made.Life] | None = None,
    side: made.Side = "long",
) -> SqueezeCall:
    chosen = made.settings(side)
    tape = made.tape_of(FALL)
    tape.squeezes.append(made.squeeze_at(tape, 10, 20, 25))
    (call,) = squeeze_calls(made.run_of(tape, chosen, ratio, lives), tape, chosen)
    return call


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [(1.0, Call.CAUGHT), (0.5, Call.CAUGHT), (0.3, Call.PARTLY), (0.1, Call.PARTLY),
     (0.05, Call.MISSED), (0.0, Call.MISSED)],
)  # fmt: skip
def test_the_hedged_share_of_the_move_decides(ratio: float, verdict: Call) -> None:
    call = call_of(ratio)
    assert call.call is verdict
    assert call.hedged_share == pytest.approx(ratio)
    assert call.ratio_at_onset == call.ratio_at_peak == ratio


def test_a_hedge_that_comes_with_the_last_bar_catches_nothing() -> None:
    ratio = np.where(np.arange(FALL.size) >= 20, 1.0, 0.0)
    call = call_of(ratio)
    assert call.ratio_at_peak == 1.0
    assert call.hedged_share == pytest.approx(0.1)
    assert call.call is Call.PARTLY


def test_a_position_that_dies_before_the_end_was_liquidated() -> None:
    call = call_of(0.0, [made.Life(0, 18, died=True)])
    assert call.call is Call.LIQUIDATED
    assert math.isnan(call.hedged_share)
    assert math.isnan(call.ratio_at_peak)


def test_without_a_position_there_is_nothing_to_catch() -> None:
    assert call_of(0.0, [made.Life(28, 31)]).call is Call.NO_POSITION


def test_a_squeeze_of_the_other_side_is_in_favour() -> None:
    assert call_of(0.5, side="short").call is Call.IN_FAVOUR


def test_the_nearest_distance_is_taken_until_the_end() -> None:
    chosen = made.settings()
    call = call_of(0.0)
    assert call.nearest == pytest.approx((1000.0 - 50.0 * 10.0) / (50.0 * 90.0))
    assert call.squeeze.side == chosen.position.side

"""What a gateway makes of orders: laws of load, and that what reduces is never too much."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.sim.market import gateway as gw
from litehedge.sim.market.gateway import Reply, load_of, reply

MS = 1_000_000
USUAL: dict[str, Any] = {
    "is_down": False, "only_reducing": False, "reduce_only": False, "latency_ns": 250 * MS,
}  # fmt: skip


def replies(stress: float, n: int = 4_000, **changes: Any) -> list[Reply]:
    return [reply(7, 1_767_571_200 + i, i, stress, **{**USUAL, **changes}) for i in range(n)]


def share(of: list[Reply], why: str) -> float:
    return float(np.mean([one.why == why for one in of]))


def unknown(of: list[Reply]) -> float:
    return float(np.mean([not one.is_told for one in of]))


@given(
    st.integers(0, 2**31), st.integers(0, 2**31), st.integers(0, 10**6), st.floats(0.0, 100.0),
    st.booleans(), st.booleans(), st.booleans(), st.integers(0, 600_000 * MS),
)  # fmt: skip
def test_laws(
    seed: int, second: int, number: int, stress: float, down: bool, reducing: bool,
    reduce_only: bool, latency_ns: int,
) -> None:  # fmt: skip
    asked = {
        "is_down": down, "only_reducing": reducing, "reduce_only": reduce_only,
        "latency_ns": latency_ns,
    }  # fmt: skip
    one = reply(seed, second, number, stress, **asked)
    assert one == reply(seed, second, number, stress, **asked)
    assert 0 <= one.latency_ns <= max(gw.LONGEST_NS, latency_ns)
    assert bool(one.why) == (one.is_told and not one.is_taken)
    if down:
        assert not (one.is_told and one.is_taken)
    if reducing and not reduce_only:
        assert not one.is_taken
    if reduce_only and not down:
        assert one.is_taken or not one.is_told


def test_a_usual_market_takes_everything_at_the_median_latency() -> None:
    usual = replies(1.0)
    assert all(one.is_taken and one.is_told for one in usual)
    waits = np.array([one.latency_ns for one in usual]) / MS
    assert np.median(waits) == pytest.approx(250.0, rel=0.03)
    assert np.log(waits).std() == pytest.approx(gw.USUAL_SPREAD, rel=0.05)


def test_load_makes_everything_worse_and_only_raising_orders_are_too_much() -> None:
    before = (0.0, 0.0, 0.0)
    for stress in (4.0, 8.0, 14.0, 20.0):
        loaded = replies(stress)
        load = load_of(stress)
        now = (
            share(loaded, gw.BUSY), unknown(loaded),
            float(np.quantile([one.latency_ns for one in loaded], 0.9)),
        )  # fmt: skip
        assert now[1] == pytest.approx(gw.MOST_UNKNOWN * load, abs=0.02)
        assert now[0] == pytest.approx(gw.MOST_BUSY * load * (1 - now[1]), abs=0.025)
        assert all(a <= b for a, b in zip(before, now, strict=True))
        before = now
        assert share(replies(stress, reduce_only=True), gw.BUSY) == 0.0
    waits = np.array([one.latency_ns for one in loaded])
    assert np.median(waits) > 10 * 250 * MS
    assert (waits == gw.LONGEST_NS).mean() > 0.05  # a heavy tail


def test_a_venue_that_is_down_refuses_or_says_nothing() -> None:
    down = replies(1.0, is_down=True)
    assert unknown(down) == pytest.approx(gw.MOST_UNKNOWN, abs=0.02)
    assert share(down, gw.DOWN) == pytest.approx(1 - gw.MOST_UNKNOWN, abs=0.02)
    silent = [one for one in down if not one.is_told]
    assert np.mean([one.is_taken for one in silent]) == pytest.approx(gw.TAKEN_UNKNOWN, abs=0.06)

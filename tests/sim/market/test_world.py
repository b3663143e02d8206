"""Laws of a simulated world: nothing is made of nothing, and chance is shared by branches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from litehedge.sim.market.book import consumption, displacement, usual_variance, walked
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.recording import ATOM
from litehedge.sim.market.shocks import SHOCK, Shock
from litehedge.sim.market.state import World, new_world
from litehedge.sim.market.step import run_world

MONDAY = 1_767_571_200  # 2026-01-05 00:00 UTC, in seconds
HOUR = 3_600
FLOAT_NAMES = tuple(ATOM.names or ())


def world(seed: int = 1, **changes: float) -> World:
    return new_world(Parameters(**changes), seed, MONDAY)


def shocks(*rows: tuple[Shock, int, int, float]) -> NDArray[np.void]:
    return np.array(
        [(int(kind), MONDAY + at, MONDAY + at + lasts, size) for kind, at, lasts, size in rows],
        dtype=SHOCK,
    )


@st.composite
def parameters(draw: st.DrawFn) -> Parameters:
    """Any parameters within their ranges."""
    values = {}
    for name, field in Parameters.model_fields.items():
        low = next(m.ge for m in field.metadata if hasattr(m, "ge"))
        high = next(m.le for m in field.metadata if hasattr(m, "le"))
        if draw(st.integers(0, 3)) == 0:
            values[name] = draw(st.floats(float(low), float(high)))
    return Parameters(**values)


def assert_sound(one: World, record: NDArray[np.void]) -> None:
    """Finite, positive where it must be, and every LTC accounted for."""
    for name in FLOAT_NAMES:
        assert np.isfinite(record[name]).all(), name
    for name in ("open", "high", "low", "close", "bid", "ask", "spot", "mark", "btc",
                 "bid_depth_usdt", "ask_depth_usdt", "open_interest_ltc"):  # fmt: skip
        assert (record[name] > 0.0).all(), name
    for name in ("buy_usdt", "sell_usdt", "liquidated_long_usdt", "stops_usdt", "outage"):
        assert (record[name] >= 0.0).all(), name
    assert (record["high"] >= np.maximum(record["open"], record["close"])).all()
    assert (record["low"] <= np.minimum(record["open"], record["close"])).all()
    assert (record["ask"] > record["bid"]).all()
    s = one.state[0]
    for side in range(2):
        opened = s["opened"][side]
        left = opened - s["closed"][side] - s["liquidated"][side] - s["stopped"][side]
        left -= s["deleveraged"][side]
        held = one.total[side].sum()
        assert held == pytest.approx(left, abs=1e-9 * opened)
        spread = (one.mass[side] * one.scale[side][:, None]).sum()
        assert held == pytest.approx(spread, abs=1e-9 * opened)
        queued = s["liquidated"][side] - s["executed"][side] - s["absorbed"][side]
        assert s["queue"][side] == pytest.approx(queued, abs=1e-9 * opened)


@given(parameters(), st.integers(0, 2**31))
@settings(max_examples=100)
def test_any_world_within_the_ranges_is_sound(given: Parameters, seed: int) -> None:
    one = new_world(given, seed, MONDAY)
    assert_sound(one, run_world(one, 2 * HOUR))


def test_a_month_is_sound() -> None:
    one = world(3)
    assert_sound(one, run_world(one, 30 * 24 * HOUR, atom_s=60))


def test_same_seed_same_bytes_other_seed_other_market() -> None:
    one, same, other = (run_world(world(seed), HOUR) for seed in (5, 5, 6))
    assert one.tobytes() == same.tobytes()
    assert (
        np.abs(np.corrcoef(np.diff(np.log(one["close"])), np.diff(np.log(other["close"])))[0, 1])
        < 0.2
    )


@pytest.mark.parametrize("pieces", [1, 7, 720])
def test_how_a_run_is_cut_changes_nothing(pieces: int) -> None:
    whole, cut = world(2), world(2)
    one = run_world(whole, 2 * 5 * 5040)
    parts = [run_world(cut, 2 * 5 * 5040 // pieces) for _ in range(pieces)]
    np.testing.assert_array_equal(np.concatenate(parts), one)
    assert cut.state.tobytes() == whole.state.tobytes()


def test_longer_atoms_tell_the_same_market() -> None:
    """Prices at the end of a minute are the same; volumes have noise of their own."""
    fine, coarse = run_world(world(4), HOUR, atom_s=5), run_world(world(4), HOUR, atom_s=60)
    for name in ("close", "spot", "mark", "btc", "open_interest_ltc"):
        np.testing.assert_array_equal(fine[name][11::12], coarse[name], err_msg=name)
    np.testing.assert_allclose(
        fine["liquidated_long_usdt"].reshape(-1, 12).sum(axis=1), coarse["liquidated_long_usdt"]
    )


def test_a_branch_shares_chance_and_leaves_its_origin_alone() -> None:
    origin = world(9)
    run_world(origin, HOUR)
    before = origin.state.tobytes()
    branch, twin = origin.copy(), origin.copy()
    a, b = run_world(branch, HOUR), run_world(twin, HOUR)
    assert a.tobytes() == b.tobytes()
    assert origin.state.tobytes() == before
    other = origin.copy()
    other.seed = 10  # another future of the same state
    assert run_world(other, HOUR)["close"][-1] != a["close"][-1]


# --- mechanics --------------------------------------------------------------------------------


def fall(size: float = -0.10, **changes: float) -> NDArray[np.void]:
    one = world(1, **changes)
    push = shocks((Shock.BTC_MOVE, HOUR, 600, size))
    return run_world(one, 3 * HOUR, shocks=push)


def test_a_fall_liquidates_longs_a_rise_shorts() -> None:
    for size, dying, living in (
        (-0.10, "liquidated_long_usdt", "liquidated_short_usdt"),
        (0.10, "liquidated_short_usdt", "liquidated_long_usdt"),
    ):
        record = fall(size)
        assert record[dying].sum() > 5.0 * record[living].sum()


def test_forced_selling_deepens_the_fall_and_depth_goes() -> None:
    """Common chance: the only difference is whether forced orders reach the book."""
    deeper = []
    for seed in range(3):
        origin = world(seed)
        run_world(origin, 2 * 24 * HOUR, atom_s=60)
        push = shocks((Shock.BTC_MOVE, 48 * HOUR, 600, -0.20))
        lows = []
        for forced in (1.0, 0.0):
            branch = origin.copy()
            branch.parameters["forced_impact"] = forced
            record = run_world(branch, HOUR, shocks=push)
            lows.append(record["low"].min())
            if forced == 1.0:
                assert record["bid_depth_usdt"].min() < 0.2 * record["bid_depth_usdt"][0]
        deeper.append(1.0 - lows[0] / lows[1])
    assert min(deeper) > 0.005
    assert max(deeper) > 0.02


def test_our_order_moves_price_more_the_larger_it_is() -> None:
    ends = []
    for usdt in (-3e6, -1e6, -5e4, 0.0, 5e4, 1e6, 3e6):
        one = world(1)
        run_world(one, HOUR)
        own = np.zeros(60)
        own[0] = usdt
        ends.append(float(run_world(one, 60, own_usdt=own)["close"][0]))
    assert ends == sorted(ends)
    moved = np.abs(np.log(np.array(ends) / ends[3]))
    assert moved[2] < 2e-4  # 50 k$ are nothing
    assert 5e-4 < moved[1] < 5e-3  # a million some basis points
    assert moved[0] < 3.0 * 1.6 * moved[1]


def test_impact_of_our_orders_is_monotone_and_within_the_square_root_band() -> None:
    """Worked off in ten minutes, a million or three move price by half to twice the law."""
    sizes = (5e4, 1e6, 3e6)
    moves: dict[float, list[float]] = {usdt: [] for usdt in sizes}
    for seed in range(4):
        origin = world(seed)
        run_world(origin, 6 * HOUR)
        alone = run_world(origin.copy(), 600)["close"][-1]
        for sign in (1.0, -1.0):
            here = [
                sign * np.log(
                    run_world(origin.copy(), 600, own_usdt=np.full(600, sign * usdt / 600))[
                        "close"
                    ][-1] / alone
                )
                for usdt in sizes
            ]  # fmt: skip
            assert 0.0 < here[0] < here[1] < here[2]
            for usdt, moved in zip(sizes, here, strict=True):
                moves[usdt].append(float(moved))
    p = world().parameters[0]
    daily = np.sqrt(usual_variance(p) * 86_400.0)
    for usdt in sizes:
        by_law = np.median(moves[usdt]) / (daily * np.sqrt(usdt / p["daily_volume_usdt"]))
        assert (0.5 if usdt > 1e5 else 0.1) < by_law < 2.0


@given(st.floats(0.0, 6.0))
def test_consumption_inverts_displacement_and_the_mean_price_is_between(taken: float) -> None:
    assert consumption(displacement(taken)) == pytest.approx(taken, abs=1e-9)
    assert 0.0 <= walked(taken) <= displacement(taken)
    steps = np.linspace(0.0, taken, 2001)
    mean = np.mean([displacement(float(z)) for z in steps]) if taken > 0 else 0.0
    assert walked(taken) == pytest.approx(mean, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "size", "check"),
    [
        (Shock.OWN_MOVE, -0.2, lambda a, b: a["close"][-1] < 0.9 * b["close"][-1]),
        (Shock.DEPTH, 0.1, lambda a, b: a["bid_depth_usdt"][800] < 0.3 * b["bid_depth_usdt"][800]),
        (Shock.OUTAGE, 0.0, lambda a, b: a["outage"][800] == 1.0 > b["outage"][800]),
        (Shock.PREMIUM, 0.01, lambda a, b: a["funding_rate"][-1] > b["funding_rate"][-1] + 1e-4),
        (Shock.FLOW, 3e6, lambda a, b: a["close"][800] > 1.002 * b["close"][800]),
        (Shock.REGIME, 3.0, lambda a, b: a["hidden_regime"][800] == 3.0),
        (Shock.VOL, 5.0, lambda a, b: np.diff(np.log(a["close"])).std()
         > 1.5 * np.diff(np.log(b["close"])).std()),
    ],
)  # fmt: skip
def test_each_shock_does_what_it_says(kind: Shock, size: float, check: object) -> None:
    push = shocks((kind, HOUR, HOUR, size))
    shocked, usual = run_world(world(1), 2 * HOUR, shocks=push), run_world(world(1), 2 * HOUR)
    before = slice(0, 719)
    np.testing.assert_array_equal(shocked[before], usual[before])
    assert check(shocked, usual)  # type: ignore[operator]


@pytest.mark.parametrize(("seconds", "atom_s"), [(7, 5), (60, 7), (60, 0)])
def test_atoms_make_up_minutes(seconds: int, atom_s: int) -> None:
    with pytest.raises(ValueError, match="whole atoms"):
        run_world(world(), seconds, atom_s=atom_s)

"""The oracle: its probabilities realise, it is the catalogue's question, nobody can see it."""

from dataclasses import dataclass

import numpy as np
import pytest

from litehedge.errors import UsageError
from litehedge.market import schema as sc
from litehedge.market.frames import Frames
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.shocks import SHOCK, Shock
from litehedge.sim.market.state import LONGS, World, bucket_of
from litehedge.sim.market.telling import OPEN_INTEREST_S
from litehedge.sim.oracle.futures import branch_seeds, futures
from litehedge.sim.oracle.onsets import TAIL_MIN, next_onsets, timeline_of
from litehedge.sim.oracle.truth import Truth, live_minutes, true_hazards
from litehedge.sim.study import warmed_world
from litehedge.squeeze.labels import catalogue

pytestmark = pytest.mark.xdist_group("truth")  # what it prepares is prepared once

BEGIN_S = 1_767_571_200
NS = 10**9
DAY_MIN = 1440


def frames_of(record: np.ndarray, begin_s: int) -> Frames:
    """Minutes of a record as frames, open interest as it is published."""
    values = np.full((record.size, sc.N_COLUMNS), np.nan)
    for column, name in (
        (sc.OPEN, "open"), (sc.HIGH, "high"), (sc.LOW, "low"), (sc.CLOSE, "close"),
        (sc.LIQUIDATED_LONGS, "liquidated_long_usdt"),
        (sc.LIQUIDATED_SHORTS, "liquidated_short_usdt"),
    ):  # fmt: skip
        values[:, column] = record[name]
    ends = begin_s + 60 * np.arange(1, record.size + 1)
    published = (ends - 1) // OPEN_INTEREST_S * OPEN_INTEREST_S
    at = (published - begin_s) // 60 - 1
    known = record["open_interest_ltc"][np.maximum(at, 0)]
    values[:, sc.OPEN_INTEREST] = np.where(at >= 0, known, np.nan)
    values[:, sc.FIRST_AGE + sc.FEED_OPEN_INTEREST] = ends - published
    return Frames(ends * NS, values, 60 * NS, 1)


@dataclass
class Lived:
    begin_s: int
    record: np.ndarray


@pytest.fixture(scope="module")
def lived() -> Lived:
    world = warmed_world(Parameters(), 3, BEGIN_S, days=2)
    return Lived(world.second, live_minutes(world, 60 * DAY_MIN))


def test_onsets_are_those_of_the_catalogue(lived: Lived) -> None:
    """Looked at from half an hour before, nearly every squeeze begins at the same minute."""
    timeline = timeline_of(lived.record, lived.begin_s)
    squeezes = [
        q for q in catalogue(frames_of(lived.record, lived.begin_s))
        if q.onset_ns > (lived.begin_s + DAY_MIN * 60) * NS and q.complete
    ]  # fmt: skip
    assert len(squeezes) >= 8
    same = 0
    for q in squeezes:
        onset = (q.onset_ns // NS - lived.begin_s) // 60
        now = onset - 30
        ahead = lived.record[np.newaxis, now : now + 240 + TAIL_MIN]
        minutes, _ = next_onsets(timeline, now, ahead)
        same += minutes[0, 0 if q.side == "long" else 1] == 30
    assert same >= 0.85 * len(squeezes)


def test_nothing_after_now_is_used_but_the_futures(lived: Lived) -> None:
    now = 20 * DAY_MIN
    ahead = lived.record[np.newaxis, now : now + 300]
    whole = next_onsets(timeline_of(lived.record, lived.begin_s), now, ahead)
    cut = next_onsets(timeline_of(lived.record[:now], lived.begin_s), now, ahead)
    assert whole[0].tolist() == cut[0].tolist()
    assert whole[1].tolist() == cut[1].tolist()


def calm_and_threatened(threat: float, n: int) -> list[Truth]:
    """Two instants of each of `n` worlds; at the second one a fall of Bitcoin may follow."""
    found = []
    for seed in range(n):
        world = warmed_world(Parameters(), 100 + seed, BEGIN_S, days=1)
        shocks = np.zeros(1, dtype=SHOCK)
        at = world.second + (DAY_MIN + 40) * 60
        shocks[0] = (Shock.BTC_MOVE, at, at + 900, threat)
        instants = np.array([DAY_MIN // 2, DAY_MIN + 30], dtype=np.int64)
        found.append(true_hazards(world, instants, 24, horizon_min=60.0, shocks=shocks))
    return found


@pytest.fixture(scope="module")
def truths() -> list[Truth]:
    return calm_and_threatened(-0.025, 24)


def test_probabilities_realise(truths: list[Truth]) -> None:
    """Of all that was foretold, about so much happened: within 3.5 standard errors."""
    p = np.concatenate([t.within(60.0)[:, LONGS] for t in truths])
    n = np.concatenate([t.branches[:, LONGS] for t in truths])
    y = np.concatenate([t.happened(60.0)[:, LONGS] for t in truths])
    risk = np.concatenate([t.at_risk[:, LONGS] for t in truths]) & (n > 0)
    p, n, y = p[risk], n[risk], y[risk]
    error = np.sqrt((p * (1.0 - p) * (1.0 + 1.0 / n)).sum() + 0.25)
    assert 3.0 < p.sum() < p.size - 3.0, "the test needs worlds where squeezes may come or not"
    assert abs(y.sum() - p.sum()) < 3.5 * error
    assert p[y].mean() > p[~y].mean() + 0.2


def test_probabilities_rise_with_the_horizon_and_the_threat(truths: list[Truth]) -> None:
    for truth in truths:
        known = truth.probability[np.isfinite(truth.probability).all(axis=2)]
        assert (np.diff(known, axis=1) >= 0.0).all()
        assert ((known >= 0.0) & (known <= 1.0)).all()
    longs = np.array([t.within(60.0)[:, LONGS] for t in truths])
    assert np.nanmean(longs[:, 1]) > np.nanmean(longs[:, 0]) + 0.1


def moved_towards_death(world: World) -> World:
    """The same longs in LTC, all of them now within 2 % of death: nobody outside can tell."""
    twin = world.copy()
    near = bucket_of(float(twin.state["mark"][0])) - 3
    for layer in range(twin.mass.shape[1]):
        mass = twin.mass[LONGS, layer].sum()
        twin.mass[LONGS, layer] = 0.0
        for away in range(20):
            twin.mass[LONGS, layer, (near - away) % twin.mass.shape[2]] = mass / 20.0
    return twin


def test_what_can_be_seen_does_not_contain_the_truth() -> None:
    """Two worlds that were one until now have told the same bytes, and face different hours."""
    world = warmed_world(Parameters(), 5, BEGIN_S, days=2)
    timeline = timeline_of(live_minutes(world, DAY_MIN), BEGIN_S)
    twin = moved_towards_death(world)
    assert twin.total.tobytes() == world.total.tobytes(), "the same open interest"
    assert twin.state.tobytes() == world.state.tobytes(), "the same prices, book, flows"
    seeds = branch_seeds(5, world.second, 16)
    chances = []
    for one in (world, twin):
        minutes, _ = next_onsets(timeline, DAY_MIN, futures(one, seeds, 300 * 60))
        chances.append(float(((minutes >= 0) & (minutes <= 240))[:, LONGS].mean()))
    assert chances[0] < 0.2
    assert chances[1] > chances[0] + 0.5


def test_the_table_has_a_row_per_instant_and_side(truths: list[Truth]) -> None:
    table = truths[0].table()
    assert table.height == 4
    assert table["side"].to_list() == ["long", "short"] * 2
    assert table["p_onset_60m"].to_list()[2] == truths[0].within(60.0)[1, LONGS]
    assert "p_onset_240m" not in table.columns


def test_the_same_seed_gives_the_same_truth() -> None:
    instants = np.array([400, 460], dtype=np.int64)
    both = [
        true_hazards(warmed_world(Parameters(), 9, BEGIN_S, days=1), instants, 8, horizon_min=5.0)
        for _ in range(2)
    ]
    assert both[0].table().equals(both[1].table())


@pytest.mark.parametrize(
    ("branches", "horizon", "says"), [(2, 60.0, "at least"), (8, 7.0, "edge|horizon")]
)
def test_questions_without_an_answer_are_refused(branches: int, horizon: float, says: str) -> None:
    world = warmed_world(Parameters(), 9, BEGIN_S, days=1)
    with pytest.raises(UsageError, match=says):
        true_hazards(world, np.array([60]), branches, horizon_min=horizon)

"""The index of squeezes: who is nearest, never the future, and arrays that keep every bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import ArtefactError
from litehedge.model.distance import Neighbours, fit_neighbours
from litehedge.model.squeeze_index import Seen, SqueezeIndex, build_index, usual_distance
from litehedge.squeeze.labels import Squeeze
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, instant_ns

HIDDEN = 8
FRAME_NS = 5 * NS_PER_MINUTE
START_NS = instant_ns("2021-05-01")
ONE = np.ones(HIDDEN, dtype=np.float32)


def squeeze(onset_ns, side="long", severity_bps=500.0, minutes=45):
    peak_ns = onset_ns + minutes * NS_PER_MINUTE
    return Squeeze(
        side, onset_ns, onset_ns + FRAME_NS, peak_ns, peak_ns + FRAME_NS, 100.0, 95.0,
        severity_bps, 5.0, 0.5, np.nan, np.nan, 2, True, True,
    )  # fmt: skip


def seen(count=30, seed=0, data="perp", days=40):
    """A data set of 5-minute frames with a squeeze a day, long and short in turn."""
    rng = np.random.default_rng(seed)
    end_ns = START_NS + FRAME_NS * np.arange(1, days * 288)
    trunks = rng.normal(size=(end_ns.size, HIDDEN)).astype(np.float32)
    squeezes = [
        squeeze(START_NS + (d + 1) * NS_PER_DAY, "long" if d % 2 == 0 else "short", 200.0 + d)
        for d in range(count)
    ]
    return Seen(trunks, end_ns, squeezes, data)


def built(*parts):
    return build_index(parts or [seen()], mean=0.0 * ONE, scale=ONE, frame_ns=FRAME_NS)


def trunk_before(one, q):
    return one.trunks[np.flatnonzero(one.end_ns == q.onset_ns - 30 * NS_PER_MINUTE)[0]]


def test_a_frame_half_an_hour_before_a_squeeze_finds_that_squeeze():
    one = seen()
    index = built(one)
    assert len(index) == 30
    for q in one.squeezes:
        best = index.nearest(trunk_before(one, q))[0]
        assert best.onset_ns == q.onset_ns
        assert (best.side, best.severity_bps, best.peak_min) == (q.side, q.severity_bps, 45.0)
        assert best.distance < 0.01
        assert best.similarity > 0.99


@given(st.integers(0, 1_000), st.integers(1, 8))
def test_nearest_is_brute_force(seed, count):
    index = built()
    x = np.random.default_rng(seed).normal(size=HIDDEN)
    found = index.nearest(x, count)
    exact = np.sort(np.linalg.norm(index.trunks.astype(float) - x, axis=1))
    np.testing.assert_allclose([f.distance for f in found], exact[:count])
    similar = [f.similarity for f in found]
    assert similar == sorted(similar, reverse=True)
    assert all(0.0 < s <= 1.0 for s in similar)


def test_a_replay_does_not_see_its_future():
    one = seen()
    index = built(one)
    q = one.squeezes[20]
    found = index.nearest(trunk_before(one, q), 30, before_ns=q.onset_ns - 30 * NS_PER_MINUTE)
    assert len(found) == 20
    assert max(f.onset_ns for f in found) < q.onset_ns
    running = index.nearest(trunk_before(one, q), 30, before_ns=q.peak_ns)
    assert max(f.onset_ns for f in running) < q.onset_ns  # its peak was not known yet
    assert len(index.nearest(trunk_before(one, q), 30, before_ns=q.peak_ns + 1)) == 21
    assert index.nearest(trunk_before(one, q), before_ns=START_NS) == ()


def test_one_squeeze_in_two_data_sets_is_shown_once():
    one = seen()
    late = [squeeze(q.onset_ns + 2 * FRAME_NS, q.side, q.severity_bps) for q in one.squeezes]
    index = built(one, Seen(one.trunks, one.end_ns, late, "spot"))
    assert len(index) == 60
    found = index.nearest(trunk_before(one, one.squeezes[3]), 60)
    assert len(found) == 30
    other_side = [squeeze(q.onset_ns, "short" if q.side == "long" else "long") for q in late]
    index = built(one, Seen(one.trunks, one.end_ns, other_side, "spot"))
    assert len(index.nearest(one.trunks[5], 60)) == 60


def test_similarity_is_a_half_at_the_usual_distance():
    one = seen()
    index = built(one)
    away = np.zeros(HIDDEN)
    away[0] = index.usual[0]
    found = index.nearest(index.trunks[7].astype(float) + away, 30)
    [mine] = [f for f in found if f.onset_ns == index.onset_ns[7]]
    assert mine.similarity == pytest.approx(0.5)
    assert usual_distance(np.zeros((1, 2)), np.array([0])) == 1.0
    apart = usual_distance(np.array([[0.0], [0.1], [4.0]]), np.array([0, 1, NS_PER_DAY]))
    assert apart == pytest.approx(3.9)  # the first two are one squeeze


def test_squeezes_without_a_frame_before_them_are_left_out():
    one = seen(3)
    gap = np.abs(one.end_ns - one.squeezes[1].onset_ns) > 40 * NS_PER_MINUTE
    trunks = one.trunks.copy()
    trunks[np.flatnonzero(one.end_ns == one.squeezes[2].onset_ns - 30 * NS_PER_MINUTE)] = np.nan
    index = built(Seen(trunks[gap], one.end_ns[gap], one.squeezes, "perp"))
    assert index.onset_ns.tolist() == [one.squeezes[0].onset_ns]
    early = Seen(one.trunks, one.end_ns, [squeeze(START_NS + FRAME_NS)], "perp")
    nothing = built(early)
    assert len(nothing) == 0
    assert nothing.nearest(one.trunks[0]) == ()
    assert len(SqueezeIndex.from_arrays(nothing.arrays())) == 0


def test_a_vector_that_is_not_finite_resembles_nothing():
    assert built().nearest(np.full(HIDDEN, np.nan)) == ()


def test_moves_are_signed():
    long, short = built().nearest(np.zeros(HIDDEN), 30)[0], None
    for found in built().nearest(np.zeros(HIDDEN), 30):
        long, short = (found, short) if found.side == "long" else (long, found)
    assert long.move == pytest.approx(np.exp(-long.severity_bps / 1e4) - 1.0)
    assert short.move == pytest.approx(np.exp(short.severity_bps / 1e4) - 1.0)
    assert short.row()["onset"].startswith("2021-05-")


def assert_same(one, two):
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, two.arrays()[name], strict=True)


def test_arrays_come_back_and_are_the_same_for_the_same_squeezes():
    index = built()
    again = SqueezeIndex.from_arrays(index.arrays())
    assert_same(again, index)
    assert_same(built(), index)
    x = np.zeros(HIDDEN)
    assert again.nearest(x, 5) == index.nearest(x, 5)


def test_it_is_stored_beside_the_sample_of_training():
    index = built()
    rng = np.random.default_rng(0)
    trunks = rng.normal(size=(50, HIDDEN))
    neighbours = fit_neighbours(trunks, np.zeros(50, np.int64), START_NS + np.arange(50), seed=0)
    both = index.arrays() | neighbours.arrays()
    assert len(both) == len(index.arrays()) + len(neighbours.arrays())
    assert_same(SqueezeIndex.from_arrays(both), index)
    assert Neighbours.from_arrays(both).dissimilarity(trunks[0]) == neighbours.dissimilarity(
        trunks[0]
    )


@pytest.mark.parametrize(
    "change",
    [{"squeeze_side": np.zeros(3, np.int8)}, {"squeeze_usual": np.ones(2)},
     {"squeeze_trunks": np.zeros((30, HIDDEN), np.int64)},
     {"squeeze_data": np.array([{}] * 30, dtype=object)}],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(change):
    [name] = change
    with pytest.raises(ArtefactError, match=f"has {name.removeprefix('squeeze_')} of shape"):
        SqueezeIndex.from_arrays(built().arrays() | change)


def test_an_array_that_is_missing_is_named():
    arrays = built().arrays()
    del arrays["squeeze_peak_min"]
    with pytest.raises(ArtefactError, match="peak_min"):
        SqueezeIndex.from_arrays(arrays)

"""What a network learns from: questions in bins, draws that change no expectation."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessons import announced, targets_of
from litehedge.features import vector as fv
from litehedge.model import layout as ly
from litehedge.model.baselines.part import log_loss, observed
from litehedge.model.baserates import base_rates
from litehedge.model.linear import fit_linear
from litehedge.model.loss import Asked
from litehedge.model.material import (
    NOT_ASKED,
    draw_runs,
    family_columns,
    lanes,
    material,
)
from litehedge.squeeze.hazard import N_ONSET, ONSET_EDGES, PEAK_EDGES, log_likelihood
from litehedge.squeeze.times import Times
from litehedge.units import NS_PER_MINUTE


def made(minutes, happened, at_risk=None, *, z=None, asked=None, severity=(), end_ns=None):
    """Material of a few frames, the same times for squeezes and passages."""
    minutes = np.array(minutes, dtype=float)
    n = minutes.shape[0]
    at_risk = np.ones((n, 2), dtype=bool) if at_risk is None else np.array(at_risk)
    squeezes = Times(minutes, np.array(happened), at_risk, True)
    return material(
        "made", NS_PER_MINUTE * np.arange(1, n + 1) if end_ns is None else end_ns, NS_PER_MINUTE,
        np.zeros((n, 3), dtype=np.float32) if z is None else z,
        targets_of(squeezes) if asked is None else asked, np.array(severity), squeezes,
        [replace(squeezes, competing=False)] * 2,
    )  # fmt: skip


MINUTES = st.one_of(
    st.sampled_from([0.0, *ONSET_EDGES.tolist(), 241.0, 1e5]),
    st.floats(0.0, 300.0, allow_subnormal=False),
)
SIDE = st.tuples(MINUTES, st.booleans())


@given(st.lists(st.tuples(SIDE, SIDE), min_size=1, max_size=8), st.integers(0, 1000))
def test_the_likelihood_of_the_bins_is_the_score_of_the_baselines(frames, seed):
    """Competing or not, at edges of bins, censored or not; NaN is a frame that asks nothing."""
    minutes = np.array([[m for m, _ in f] for f in frames])
    happened = np.array([[h for _, h in f] for f in frames])
    # Two sides in the same instant: the baselines count both, the network the first.
    tie = (minutes[:, 0] == minutes[:, 1]) & happened.all(axis=1)
    happened[tie, 1] = False
    one = made(minutes, happened)
    h = np.random.default_rng(seed).uniform(0.01, 0.4, (len(frames), 2, N_ONSET))
    squeezes = Times(minutes, happened, np.ones_like(happened), True)
    for i, expected in enumerate(log_loss(h, squeezes)):
        if np.isnan(expected):
            assert one.onset_bin[i] == NOT_ASKED
        else:
            found = -log_likelihood(h[i], int(one.onset_bin[i]), int(one.onset_cause[i]))
            assert found == pytest.approx(expected, rel=1e-9)
    seen = observed(replace(squeezes, competing=False))
    asked = one.passage_bin[:, 0] >= 0
    np.testing.assert_array_equal(asked, seen.stop > 0)
    own = one.passage_hit[:, 0]
    np.testing.assert_array_equal(own, seen.own)
    np.testing.assert_array_equal((one.passage_bin[:, 0] + own)[asked], seen.stop[asked])
    np.testing.assert_array_equal(one.passage_bin[:, 0], one.passage_bin[:, 1])


def test_what_is_censored_at_the_horizon_survived_every_bin():
    one = made([[240.0, 240.0], [240.0, 239.0], [240.0, 240.0]],
               [[False, False], [False, False], [True, False]])  # fmt: skip
    assert one.onset_bin.tolist() == [13, 12, 12]
    assert one.onset_cause.tolist() == [-1, -1, 0]
    assert one.passage_bin[:, 0].tolist() == [[13, 13], [13, 12], [12, 13]]
    assert one.passage_hit[:, 0].tolist() == [[False, False], [False, False], [True, False]]


def test_an_event_beyond_the_horizon_is_none():
    one = made([[240.5, 1e4]], [[True, True]])
    assert one.onset_bin.tolist() == [13]
    assert one.onset_cause.tolist() == [-1]
    assert not one.passage_hit.any()


def test_a_side_that_is_not_at_risk_is_not_waited_for():
    one = made([[2.0, 8.0], [2.0, 8.0]], [[True, True], [True, True]],
               [[False, True], [False, False]])  # fmt: skip
    assert one.onset_bin.tolist() == [4, NOT_ASKED]
    assert one.onset_cause.tolist() == [1, -1]
    assert one.passage_bin[0, 0].tolist() == [NOT_ASKED, 4]
    assert (one.passage_bin[1] == NOT_ASKED).all()


def inside_then_near():
    """Frames inside a long squeeze that peaks, then ever nearer to the next short one."""
    minutes = np.array([[500.0, 70.0], [500.0, 61.0], [500.0, 60.0], [500.0, 1.0]])
    squeezes = Times(minutes, np.ones((4, 2), bool), np.ones((4, 2), bool), True)
    return replace(
        targets_of(squeezes, np.array([2, 3, 0, 1])),
        inside=np.array([[True, False]] + [[False, False]] * 3),
        to_peak_min=np.array([[PEAK_EDGES[3], np.nan]] + [[np.nan, np.nan]] * 3),
        event=np.array([[0, 1], [2, 1], [2, 1], [2, 1]]),
    ), minutes


def test_peaks_are_asked_inside_and_severity_inside_and_shortly_before():
    asked, minutes = inside_then_near()
    one = made(minutes, np.ones((4, 2), bool), asked=asked, severity=[200.0, 300.0, 0.5])
    assert one.peak_bin.tolist() == [[2, -1]] + [[-1, -1]] * 3
    assert one.peak_hit[0, 0]
    nan = np.nan
    np.testing.assert_allclose(
        one.severity,
        [[np.log(200.0), nan], [nan, nan], [nan, np.log(300.0)], [nan, np.log(300.0)]],
        rtol=1e-6,
    )  # fmt: skip
    assert one.phase.tolist() == [2, 3, 0, 1]
    assert one.busy.all()


def test_cold_frames_ask_nothing():
    asked, minutes = inside_then_near()
    z = np.zeros((4, 3), dtype=np.float32)
    z[:2] = np.nan
    z[2, :2] = np.nan  # something is known: not cold
    one = made(minutes, np.ones((4, 2), bool), asked=asked, severity=[200.0, 300.0, 9.0], z=z)
    for name in ("onset_bin", "passage_bin", "peak_bin", "phase"):
        assert (getattr(one, name)[:2] == NOT_ASKED).all(), name
    assert np.isnan(one.severity[:2]).all()
    assert np.isnan(one.vol[:2]).all()
    assert (one.onset_bin[2:] >= 0).all()
    assert (one.phase[2:] >= 0).all()


def test_segments_end_where_frames_do_not_follow():
    end_ns = NS_PER_MINUTE * np.array([1, 2, 3, 7, 8, 20])
    one = made(np.full((6, 2), 9.0), np.ones((6, 2), bool), end_ns=end_ns)
    assert list(one.segments()) == [(0, 3), (3, 5), (5, 6)]


# --- drawing


@given(st.integers(0, 500), st.sampled_from([64, 250, 1024]), st.floats(0.0, 0.8))
def test_runs_stay_in_their_segment_and_warm_up_in_it(seed, length, balance):
    parts = [announced(900, 1, gaps=(7, 300)), announced(400, 2, weight=0.5)]
    runs = draw_runs(parts, length, 100, balance, np.random.default_rng(seed))
    assert runs
    for run in runs:
        (segment,) = [s for s in parts[run.of].segments() if s[0] <= run.start < s[1]]
        assert segment[0] <= run.warm_from <= run.start < run.stop <= segment[1]
        assert run.stop - run.start <= length
        assert run.warm_from == max(segment[0], run.start - 100)


def test_short_segments_are_learnt_from_too():
    runs = draw_runs([announced(30)], 1024, 480, 0.5, np.random.default_rng(0))
    assert {run.stop - run.start for run in runs} <= set(range(1, 31))
    assert runs


@pytest.mark.parametrize("balance", [0.0, 0.5, 0.8])
def test_weights_of_drawn_runs_are_unbiased(balance):
    """Summed over many epochs every frame counts once, but for crumbs at the ends of segments."""
    one, other = announced(1_500, 3), announced(700, 4, weight=0.25)
    length, epochs = 200, 1_500
    chance = np.random.default_rng(5)
    counts = [np.zeros(len(one)), np.zeros(len(other))]
    drawn_busy = 0
    for _ in range(epochs):
        for run in draw_runs([one, other], length, 100, balance, chance):
            counts[run.of][run.start : run.stop] += run.weight / epochs
            drawn_busy += one.busy[run.start : run.stop].sum() if run.of == 0 else 0
    for count, part in zip(counts, (one, other), strict=True):
        inner = count[length:-length]
        assert inner.mean() == pytest.approx(part.weight, rel=0.03)
        assert np.abs(inner / part.weight - 1.0).max() < 0.25
        ends = np.concatenate((count[: length // 2], count[-length // 2 :]))
        assert 0.7 * part.weight < ends.mean() < 1.05 * part.weight
    busy = counts[0] @ one.busy
    assert busy == pytest.approx(one.busy.sum(), rel=0.05)


def test_busy_runs_are_drawn_oftener():
    calm = announced(4_000, 6)
    cause = np.full(4_000, NOT_ASKED, dtype=np.int8)
    cause[:200] = 0
    calm = replace(calm, onset_cause=cause)
    share = []
    for balance in (0.0, 0.8):
        chance = np.random.default_rng(7)
        runs = [r for _ in range(100) for r in draw_runs([calm], 200, 0, balance, chance)]
        share.append(np.mean([r.start < 200 for r in runs]))
    assert share[1] > 5.0 * share[0]


@given(st.integers(1, 40), st.lists(st.integers(1, 999), max_size=3, unique=True))
def test_lanes_cover_every_frame_once(count, gaps):
    one = announced(1_000, 8, gaps=tuple(sorted(gaps)))
    seen = np.zeros(1_000, dtype=int)
    cut = lanes(one, count, 50)
    for run in cut:
        seen[run.start : run.stop] += 1
        assert run.weight == 1.0
        assert any(a <= run.warm_from and run.stop <= b for a, b in one.segments())
    assert (seen == 1).all()
    assert len(cut) >= min(count, 1_000 // -(-1_000 // count))


def test_family_columns_part_the_inputs():
    inputs = [fv.INDEX[n] for n in ("ret_5m", "vol_60m", "ret_60m", "funding_bps", "hour_sin")]
    found = [columns.tolist() for columns in family_columns(inputs)]
    assert found == [[0, 2], [1], [3], [4]]


# --- base rates


def test_base_rates_are_what_happened():
    one = announced(20_000, 9)
    raw = base_rates([one]).astype(float)
    assert np.isfinite(raw).all()
    e = np.exp(raw[ly.ONSET].reshape(2, N_ONSET))
    h = e / (1.0 + e.sum(axis=0))
    for side in range(2):
        for k in (0, 5, 9):
            reached = (one.onset_bin > k) | ((one.onset_bin == k) & (one.onset_cause >= 0))
            came = (one.onset_bin == k) & (one.onset_cause == side)
            assert h[side, k] == pytest.approx(came.sum() / reached.sum(), rel=0.02)
    np.testing.assert_allclose(raw[ly.VOL], -7.0, rtol=1e-6)


def test_base_rates_of_nothing_are_finite():
    assert np.isfinite(base_rates([made([[np.nan] * 2], [[False] * 2], [[False] * 2])])).all()


def test_the_linear_part_depends_on_no_chance_and_sees_what_announces():
    import torch

    from litehedge.model.train import Recipe

    lesson = [announced(6_000, 10)]
    fits = [fit_linear(lesson, Recipe().cost, torch.device("cpu")) for _ in range(2)]
    for a, b in zip(*fits, strict=True):
        assert torch.equal(a, b)
    weights, biases = fits[0]
    assert weights.shape == (ly.N_RAW, 2 * lesson[0].z.shape[1])
    long, short = weights[ly.ONSET].reshape(2, N_ONSET, -1)[:, 4]
    assert long[0] > long[1] + 0.03
    assert short[1] > short[0] + 0.03
    assert torch.isfinite(biases).all()


def test_material_has_every_answer_of_the_loss():
    names = {field.name for field in fields(announced(50))}
    assert set(Asked._fields) - {"weight"} <= names

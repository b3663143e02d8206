"""Binning and the score: what counts as seen, and the log-likelihood of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.model.baselines.part import log_loss, observed, weights_of_frames
from litehedge.squeeze.hazard import N_ONSET, log_likelihood
from made_parts import made_part, times


def test_an_event_counts_its_bin_and_censoring_only_whole_bins():
    seen = observed(times([[5.0, 7.0], [240.0, 240.0]], [[True, False], [False, True]]))
    assert seen.stop.tolist() == [[4, 4], [13, 13]]
    assert seen.own.tolist() == [[True, False], [False, True]]


def test_what_is_censored_at_the_horizon_survived_every_bin():
    """A first passage that does not come within 240 minutes is the usual case."""
    seen = observed(times([[240.0, 239.0]], [[False, False]]))
    assert seen.stop.tolist() == [[13, 12]]


def test_the_first_of_competing_events_ends_the_wait_for_both():
    seen = observed(times([[8.0, 50.0]], [[True, True]], competing=True))
    assert seen.stop.tolist() == [[5, 5]]
    assert seen.own.tolist() == [[True, False]]


def test_events_beyond_the_horizon_are_survival():
    seen = observed(times([[900.0, 4000.0]], [[True, False]], competing=True))
    assert seen.stop.tolist() == [[13, 13]]
    assert not seen.own.any()


def test_a_side_that_is_not_at_risk_neither_waits_nor_ends_anything():
    seen = observed(times([[2.0, 50.0]], [[True, True]], [[False, True]], competing=True))
    assert seen.stop.tolist() == [[0, 9]]
    assert seen.own.tolist() == [[False, True]]


@given(
    st.lists(
        st.tuples(st.floats(0.0, 300.0), st.floats(0.0, 300.0), st.booleans(), st.booleans()),
        min_size=1, max_size=20,
    ),
    st.integers(0, 100),
)  # fmt: skip
def test_the_score_of_competing_sides_is_the_likelihood_of_the_survival_mathematics(rows, seed):
    given_times = times([r[:2] for r in rows], [r[2:] for r in rows], competing=True)
    seen = observed(given_times)
    hazards = np.random.default_rng(seed).uniform(0.0, 0.4, (len(rows), 2, N_ONSET))
    losses = log_loss(hazards, given_times)
    for i in range(len(rows)):
        if seen.own[i].all():  # at the same instant: outside of the mathematics
            continue
        cause = int(np.argmax(seen.own[i])) if seen.own[i].any() else -1
        last = int(seen.stop[i].max()) - (cause >= 0)
        if seen.stop[i].max() == 0:
            assert np.isnan(losses[i])
        else:
            assert losses[i] == pytest.approx(-log_likelihood(hazards[i], last, cause))


@given(st.floats(0.0, 300.0), st.booleans(), st.integers(0, 100))
def test_sides_that_do_not_compete_are_two_observations(minutes, happened, seed):
    both = times([[minutes, 60.0]], [[happened, True]])
    hazards = np.random.default_rng(seed).uniform(0.0, 0.9, (1, 2, N_ONSET))
    alone = [
        log_loss(hazards, times([[minutes, 60.0]], [[happened, True]], [[s == 0, s == 1]]))[0]
        for s in range(2)
    ]
    assert log_loss(hazards, both)[0] == pytest.approx(np.nansum(alone))


def test_unknown_hazards_have_no_score():
    assert np.isnan(log_loss(np.full((1, 2, N_ONSET), np.nan), times([[9.0, 9.0]], [[True, True]])))


@given(st.integers(1, 9), st.integers(1, 5))
def test_thinned_frames_stand_for_all(every, near_every):
    part = made_part(3_000)
    weights = weights_of_frames(part, every, near_every)
    assert (weights[~part.warm] == 0.0).all()
    assert weights.sum() == pytest.approx(part.warm.sum(), rel=0.02)
    assert set(np.unique(weights)) <= {0.0, float(every), float(near_every)}

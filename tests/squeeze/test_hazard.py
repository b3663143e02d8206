"""Survival mathematics: identities, bounds, and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from litehedge.squeeze.forecast import SEVERITY_LEVELS
from litehedge.squeeze.hazard import (
    N_ONSET,
    N_PEAK,
    ONSET_EDGES,
    ONSET_HORIZON_MIN,
    PEAK_EDGES,
    PEAK_HORIZON_MIN,
    bin_of,
    incidence,
    incidence_at,
    log_likelihood,
    tail_probability,
    time_quantile,
)

Floats = NDArray[np.float64]


@st.composite
def hazards(draw: st.DrawFn, causes: int = 2, top: float = 0.5) -> Floats:
    values = st.one_of(st.just(0.0), st.floats(0.0, top), st.floats(0.0, 1e-4))
    flat = draw(st.lists(values, min_size=causes * N_ONSET, max_size=causes * N_ONSET))
    return np.array(flat).reshape(causes, N_ONSET)


def cumulated(h: Floats) -> Floats:
    out = np.full_like(h, np.nan)
    incidence(h, out)
    return out


# --- bins -------------------------------------------------------------------------------------


def test_bins() -> None:
    assert (N_ONSET, ONSET_HORIZON_MIN) == (13, 240.0)
    assert (N_PEAK, PEAK_HORIZON_MIN) == (12, 120.0)
    assert ONSET_EDGES.tolist() == [0, 1, 2, 3, 5, 10, 15, 30, 45, 60, 90, 120, 180, 240]


@pytest.mark.parametrize("edges", [ONSET_EDGES, PEAK_EDGES], ids=["onset", "peak"])
@given(minutes=st.floats(0.0, 1e4))
def test_a_bin_is_open_below_and_closed_above(edges: Floats, minutes: float) -> None:
    [k] = bin_of(np.array([minutes]), edges)
    if minutes > edges[-1]:
        assert k == edges.size - 1
    elif minutes > 0.0:
        assert edges[k] < minutes <= edges[k + 1]
    else:
        assert k == 0


@pytest.mark.parametrize("edges", [ONSET_EDGES, PEAK_EDGES], ids=["onset", "peak"])
def test_an_edge_belongs_to_the_bin_that_it_ends(edges: Floats) -> None:
    assert bin_of(edges[1:], edges).tolist() == list(range(edges.size - 1))
    assert bin_of(np.nextafter(edges[1:], np.inf), edges).tolist() == list(range(1, edges.size))


# --- incidence --------------------------------------------------------------------------------


@given(hazards())
def test_incidences_rise_and_never_sum_above_one(h: Floats) -> None:
    cif = cumulated(h)
    assert np.all(cif >= 0.0)
    assert np.all(np.diff(cif, axis=1) >= 0.0)
    assert np.all(cif.sum(axis=0) <= 1.0 + 1e-12)


@given(hazards())
def test_survival_is_what_incidence_leaves(h: Floats) -> None:
    survival = np.cumprod(1.0 - h.sum(axis=0))
    np.testing.assert_allclose(1.0 - cumulated(h).sum(axis=0), survival, atol=1e-12)


@given(hazards(top=1.0))
def test_hazards_that_sum_above_one_share_what_is_left(h: Floats) -> None:
    cif = cumulated(h)
    assert np.all(cif.sum(axis=0) <= 1.0 + 1e-12)
    for k in np.flatnonzero(h.sum(axis=0) >= 1.0)[:1]:
        assert cif[:, k:].sum(axis=0) == pytest.approx(1.0)


@given(hazards(causes=1))
def test_one_cause_alone_is_the_textbook(h: Floats) -> None:
    np.testing.assert_allclose(cumulated(h)[0], 1.0 - np.cumprod(1.0 - h[0]), atol=1e-12)


@given(hazards(), st.integers(0, 1), st.integers(0, N_ONSET - 1), st.floats(0.0, 0.4))
def test_more_hazard_of_one_side_never_means_less_of_it(
    h: Floats, side: int, k: int, more: float
) -> None:
    raised = h.copy()
    raised[side, k] += more
    before, after = cumulated(h), cumulated(raised)
    assert np.all(after[side] >= before[side] - 1e-12)
    assert np.all(after[1 - side] <= before[1 - side] + 1e-12)


# --- in between the edges ---------------------------------------------------------------------


@given(hazards(), st.floats(0.0, 300.0), st.floats(0.0, 1.0))
def test_incidence_between_edges_is_continuous_and_rising(
    h: Floats, minutes: float, later: float
) -> None:
    cif = cumulated(h)[0]
    here = incidence_at(cif, ONSET_EDGES, minutes)
    there = incidence_at(cif, ONSET_EDGES, minutes + later)
    steepest = np.max(np.diff(np.concatenate(([0.0], cif))) / np.diff(ONSET_EDGES))
    assert here - 1e-12 <= there <= here + steepest * later + 1e-12


@given(hazards())
def test_incidence_at_the_edges(h: Floats) -> None:
    cif = cumulated(h)[1]
    for k, edge in enumerate(ONSET_EDGES[1:]):
        assert incidence_at(cif, ONSET_EDGES, edge) == cif[k]
    assert incidence_at(cif, ONSET_EDGES, 0.0) == 0.0
    assert incidence_at(cif, ONSET_EDGES, -5.0) == 0.0
    assert incidence_at(cif, ONSET_EDGES, 1e9) == cif[-1]


@given(hazards(), st.floats(0.001, 1.0))
def test_the_quantile_of_time_is_the_inverse(h: Floats, share: float) -> None:
    cif = cumulated(h)[0]
    minutes = time_quantile(cif, ONSET_EDGES, share)
    if cif[-1] <= 0.0:
        assert np.isnan(minutes)
        return
    assert 0.0 <= minutes <= ONSET_HORIZON_MIN
    reached = incidence_at(cif, ONSET_EDGES, minutes)
    assert reached == pytest.approx(share * cif[-1], rel=1e-9, abs=1e-15)
    assert minutes <= time_quantile(cif, ONSET_EDGES, min(1.0, share * 1.1)) + 1e-9


# --- likelihood -------------------------------------------------------------------------------


@given(hazards(top=0.45), st.integers(0, N_ONSET - 1), st.integers(0, 1))
def test_the_likelihood_of_an_event(h: Floats, k: int, cause: int) -> None:
    probability = math.prod(1.0 - h[:, i].sum() for i in range(k)) * h[cause, k]
    got = log_likelihood(h, k, cause)
    if probability > 1e-11:
        assert got == pytest.approx(math.log(probability))
    else:
        assert got <= math.log(1e-11)
        assert math.isfinite(got)


@given(hazards(top=0.45), st.integers(0, N_ONSET))
def test_the_likelihood_of_censoring(h: Floats, k: int) -> None:
    survived = math.prod(1.0 - h[:, i].sum() for i in range(k))
    assert log_likelihood(h, k, -1) == pytest.approx(math.log(survived), abs=1e-12)


@given(hazards(top=0.45))
def test_the_likelihoods_of_all_outcomes_sum_to_one(h: Floats) -> None:
    outcomes = [math.exp(log_likelihood(h, k, c)) for k in range(N_ONSET) for c in range(2)]
    outcomes.append(math.exp(log_likelihood(h, N_ONSET, -1)))
    assert sum(outcomes) == pytest.approx(1.0, abs=1e-9)


# --- severity ---------------------------------------------------------------------------------


def tail(q: Floats, x: float) -> float:
    """Take the quantiles from rows 2 to 6 of the second column, as signals hold them."""
    table = np.column_stack((np.full(q.size, np.nan), q))
    return float(tail_probability(table, 2, 1, SEVERITY_LEVELS, x))


@st.composite
def quantiles(draw: st.DrawFn) -> Floats:
    first = draw(st.floats(1e-3, 0.05))
    steps = [draw(st.floats(1.001, 3.0)) for _ in range(SEVERITY_LEVELS.size - 1)]
    return np.concatenate(([7.0, 7.0], first * np.cumprod([1.0, *steps])))


@given(quantiles(), st.floats(0.0, 2.0), st.floats(0.0, 0.1))
def test_the_tail_falls_and_stays_a_probability(q: Floats, x: float, more: float) -> None:
    here = tail(q, x)
    assert 0.0 <= here <= 1.0
    assert tail(q, x + more) <= here + 1e-12


@given(quantiles())
def test_the_tail_is_right_at_the_quantiles_and_continuous(q: Floats) -> None:
    for i, level in enumerate(SEVERITY_LEVELS):
        x = q[2 + i]
        assert tail(q, x) == pytest.approx(1.0 - level)
        above = tail(q, x * (1 + 1e-9))
        assert above == pytest.approx(1.0 - level, rel=1e-4)
    assert tail(q, 0.0) == 1.0
    assert tail(q, 1e-12) == pytest.approx(1.0)


@given(quantiles(), st.floats(1.01, 5.0))
def test_the_far_tail_is_pareto(q: Floats, factor: float) -> None:
    top = q[-1]
    a, b, c = (tail(q, top * factor**n) for n in range(3))
    assert b * b == pytest.approx(a * c, rel=1e-6)

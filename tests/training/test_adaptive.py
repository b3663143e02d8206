"""Intervals of the judged span, as they would have been issued."""

from dataclasses import replace

import numpy as np
import pytest

from litehedge.model.measures.course import peak_course, severity_course, severity_rows
from litehedge.model.measures.trial import Trial
from litehedge.squeeze.forecast import SEVERITY_LEVELS
from litehedge.training.judging.adaptive import adaptive_peaks, adaptive_severities
from litehedge.training.judging.field import Entry, Span
from litehedge.training.told import Said
from made_parts import made_part

NARROW = np.array([0.99, 1.0, 1.005, 1.007, 1.01])
"""Quantiles around a guess: far too narrow."""


def with_squeezes(n, seed, every=60, length=12):
    """A part in which squeezes of both sides begin again and again, with severities of all sizes.

    The waits before them are of half an hour; what lies between them asks nothing.
    """
    part = made_part(n, seed)
    inside, at_risk, happened = (np.zeros((n, 2), bool) for _ in range(3))
    to_peak, to_onset = np.full((n, 2), np.nan), np.full((n, 2), np.nan)
    event = np.full((n, 2), -1)
    severities = np.random.default_rng(seed).lognormal(5.5, 0.5, n // every * 2)
    number = 0
    for side in range(2):
        for onset in range(40 + 20 * side, n - every, every):
            before, run = slice(onset - 5, onset + 1), slice(onset + 1, onset + length)
            inside[run, side] = True
            to_peak[run, side] = 5.0 * np.arange(length - 1, 0, -1)
            at_risk[before, side] = happened[before, side] = True
            to_onset[before, side] = 5.0 * np.arange(5, -1, -1)
            event[before, side] = event[run, side] = number
            number += 1
    targets = replace(
        part.targets, to_onset_min=to_onset, has_onset=happened, at_risk=at_risk, inside=inside,
        to_peak_min=to_peak, event=event,
    )  # fmt: skip
    return replace(part, targets=targets, severity_bps=severities)


@pytest.fixture(scope="module")
def span():
    return Span([made_part(500, 1)], with_squeezes(3_000, 2), with_squeezes(3_000, 3))


def said(part):
    n = part.end_ns.size
    peak = np.full((n, 2, 12), 0.02)
    peak[:, :, 2] = 0.95  # nearly sure of one bin: far too narrow as well
    severity = np.broadcast_to(200.0 * NARROW, (n, 2, SEVERITY_LEVELS.size)).copy()
    return Said({}, peak, severity)


@pytest.fixture(scope="module")
def entry(span):
    return Entry("sure of itself", said(span.valid), said(span.test))


@pytest.mark.parametrize("side", [0, 1])
def test_intervals_lie_where_something_is_asked(span, entry, side):
    for wanted, (low, high) in (
        (span.test.targets.inside[:, side], adaptive_peaks(span, entry, side)),
        (severity_rows(span.test.targets, side), adaptive_severities(span, entry, side)),
    ):
        assert wanted.any()
        assert (np.isfinite(low) == wanted).all()
        assert (low[wanted] <= high[wanted]).all()


def test_what_was_too_narrow_grows_and_covers_more(span, entry):
    trial = Trial.of(span.test.tasks["squeeze"], span.test.end_ns, draws=2)
    targets = span.test.targets
    peaks = peak_course(trial, entry.test.peak, targets, 0, adaptive_peaks(span, entry, 0)).drawn
    assert peaks["coverage_adaptive"].value >= peaks["coverage"].value
    severities = severity_course(
        trial, entry.test.severity_bps, targets, span.test.severity_bps, 200.0 * NARROW, 0,
        adaptive_severities(span, entry, 0),
    ).drawn  # fmt: skip
    assert severities["coverage_adaptive"].value > severities["coverage"].value


def test_nothing_that_comes_later_is_known(span, entry):
    """What a squeeze was is used from half an hour after its peak on, not before."""
    severity = span.test.severity_bps * 50.0
    other = replace(span, test=replace(span.test, severity_bps=severity))
    first = np.flatnonzero(severity_rows(span.test.targets, 0))[0]
    event = span.test.targets.event[first, 0]
    mine = severity_rows(span.test.targets, 0) & (span.test.targets.event[:, 0] == event)
    for a, b in zip(
        adaptive_severities(span, entry, 0), adaptive_severities(other, entry, 0), strict=True
    ):
        np.testing.assert_array_equal(a[mine], b[mine])


def test_who_says_nothing_of_it_gets_no_interval(span):
    silent = Entry("silent", Said({}), Said({}))
    for low, high in (adaptive_peaks(span, silent, 0), adaptive_severities(span, silent, 1)):
        assert np.isnan(low).all()
        assert np.isnan(high).all()

"""What is replayed."""

from __future__ import annotations

import numpy as np

from breaking_markets import DAY_NS, learnt
from litehedge.features import vector as fv
from litehedge.retraining.reservoir import (
    LEAST_OF_EVENTS,
    Kept,
    ages,
    chosen,
    joined,
    keep,
    near_squeezes,
)


def a_stretch():
    kept, features = learnt(60, 2, True, 1_686_700_800 * 10**9)
    return kept, features


def test_every_squeeze_stays_and_calm_stands_for_all_of_itself():
    kept, features = a_stretch()
    assert kept.is_event.sum() == near_squeezes(kept.sample.targets).sum()
    assert (kept.weight[kept.is_event] == 1.0).all()
    warm = np.isfinite(features[:, fv.LOG_SIGMA]).sum()
    np.testing.assert_allclose(kept.weight.sum(), warm)
    calm = kept.end_ns.size - kept.is_event.sum()
    assert calm < 0.6 * (warm - kept.is_event.sum())
    assert (np.diff(kept.end_ns) > 0).all()


def test_the_draw_depends_on_its_seed_alone():
    kept, _ = a_stretch()
    draws = [chosen(kept.sample.features, kept.sample.targets, kept.end_ns, seed, 20)
             for seed in (7, 7, 8)]  # fmt: skip
    np.testing.assert_array_equal(draws[0][0], draws[1][0])
    assert not np.array_equal(draws[0][0], draws[2][0])


def test_calm_is_forgotten_and_squeezes_never_wholly():
    kept, _ = a_stretch()
    now_ns = int(kept.end_ns[-1])
    fresh, old = (ages(kept, now_ns + days * DAY_NS, 100.0) for days in (0, 2_000))
    assert (old <= fresh).all()
    assert old[~kept.is_event].max() < 0.01
    assert old[kept.is_event].min() == LEAST_OF_EVENTS


def test_it_goes_to_disk_and_back_and_stretches_number_their_squeezes_through():
    kept, _ = a_stretch()
    again = Kept.from_arrays(kept.arrays())
    np.testing.assert_array_equal(again.sample.features, kept.sample.features)
    np.testing.assert_array_equal(again.sample.targets.event, kept.sample.targets.event)
    two = joined([kept, again], int(kept.end_ns[-1]))
    severity = two.sample.severity_bps
    events = two.sample.targets.event
    half = kept.end_ns.size
    told = events[:half] >= 0
    np.testing.assert_array_equal(severity[events[:half][told]], severity[events[half:][told]])
    assert events[half:].max() == severity.size - 1 or events[half:].max() >= severity.size // 2


def test_a_stretch_without_squeezes_is_calm_alone():
    kept, _ = a_stretch()
    t = kept.sample.targets
    calm = ~near_squeezes(t)
    few = type(t)(**{n: getattr(t, n)[calm] for n in t.__slots__})
    sample = type(kept.sample)(kept.sample.features[calm], few, kept.sample.severity_bps)
    alone = keep(sample, kept.end_ns[calm], np.empty(0, np.int64), np.empty(0, np.bool_), 1, 5)
    assert not alone.is_event.any()
    np.testing.assert_allclose(alone.weight.sum(), calm.sum())

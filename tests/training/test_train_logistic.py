"""Training sees nothing after its edge."""

import numpy as np
import pytest

from litehedge.errors import UsageError
from litehedge.store.lake import Lake
from litehedge.training.logistic import train_logistic
from litehedge.training.samples import prepare
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE
from made_lakes import store
from synthetic import T0, Crash, market

STEP = 5 * NS_PER_MINUTE
EDGE = T0 + 20 * NS_PER_DAY


def lake_of(folder, seed_after):
    """Forty days of bars; what comes after the edge depends on the seed."""
    n = 40 * 288
    crashes = tuple(
        Crash(at=at, bars=4, depth=0.06 if i % 2 else -0.06)
        for i, at in enumerate(range(400, n - 300, 130))
    )
    own = market(n, bar_ns=STEP, vol=0.0008, seed=1, crashes=crashes)
    other = market(n, bar_ns=STEP, vol=0.0012, seed=seed_after, price=float(own.bars[5760, 0]))
    own.bars[5760:] = other.bars[5760:]
    lake = Lake(folder / "lake")
    store(lake, "ltc", own)
    return lake


def test_a_sample_does_not_know_what_comes_after_its_edge(tmp_path):
    parts = []
    for seed in (7, 8):
        lake = lake_of(tmp_path / str(seed), seed)
        parts.append(prepare(lake, lake.dataset("ltc"), 0, EDGE))
    one, two = parts
    assert one.frames.end_ns[-1] == EDGE
    np.testing.assert_array_equal(one.sample.features, two.sample.features)
    for name in ("at_risk", "to_peak_min", "has_onset", "to_onset_min", "log_vol"):
        a, b = getattr(one.sample.targets, name), getattr(two.sample.targets, name)
        # Squeezes that run on past the edge may end otherwise; what precedes them may not change.
        last = one.frames.end_ns < EDGE - NS_PER_DAY
        np.testing.assert_array_equal(a[last], b[last], name)


def train(lake, folder, **spans):
    dates = {"until_ns": EDGE, "validate_from_ns": EDGE, "validate_until_ns": T0 + 40 * NS_PER_DAY}
    return train_logistic(
        lake, [lake.dataset("ltc")], "m", folder, created="2026-01-01", **(dates | spans)
    )


def test_the_saved_model_depends_on_nothing_after_until(tmp_path):
    cards = [train(lake_of(tmp_path / str(seed), seed), tmp_path / f"m{seed}") for seed in (7, 8)]
    assert cards[0].weights_sha256 == cards[1].weights_sha256
    assert cards[0].scores != cards[1].scores


def test_empty_spans_and_mixed_bars_are_refused(tmp_path):
    lake = lake_of(tmp_path, 7)
    with pytest.raises(UsageError, match="no data for validation"):
        train(lake, tmp_path / "m", validate_from_ns=T0 + 50 * NS_PER_DAY,
              validate_until_ns=T0 + 60 * NS_PER_DAY)  # fmt: skip
    store(lake, "minutes", market(100))
    with pytest.raises(UsageError, match="different length"):
        train_logistic(
            lake, [lake.dataset("ltc"), lake.dataset("minutes")], "m", tmp_path / "m",
            until_ns=EDGE, validate_from_ns=EDGE, validate_until_ns=EDGE + 1, created="",
        )  # fmt: skip
    assert not (tmp_path / "m").exists()

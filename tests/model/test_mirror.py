"""The market in a mirror."""

import numpy as np
import pytest
import torch

from litehedge.features.families import FAMILIES, INDEX, NAMES
from litehedge.features.vector import FeatureStream
from litehedge.market import schema as sc
from litehedge.market.frames import Frames
from litehedge.model.loss import Asked
from litehedge.model.mirror import EXCHANGED, TURNED, TURNED_AND_EXCHANGED, mirror_of
from litehedge.model.train import exchange_sides
from litehedge.units import NS_PER_MINUTE

INPUTS = [i for f, names in FAMILIES.items() if f != "raw" for i in (INDEX[n] for n in names)]


def some_mirror(seed=0, inputs=INPUTS):
    rng = np.random.default_rng(seed)
    return mirror_of(inputs, rng.normal(size=len(inputs)), rng.uniform(0.5, 2.0, len(inputs)))


def test_looking_twice_shows_what_is_there():
    z = np.random.default_rng(1).normal(size=(3, 5, len(INPUTS))).astype(np.float32)
    z[0, 0, 3] = np.nan
    mirror = some_mirror()
    np.testing.assert_allclose(mirror.of(mirror.of(z)), z, rtol=1e-4, atol=1e-5)


def test_every_feature_that_it_names_exists_and_no_rule_is_given_twice():
    named = {*TURNED, *EXCHANGED, *TURNED_AND_EXCHANGED}
    assert named <= set(NAMES)
    assert len(named) == len(TURNED) + len(EXCHANGED) + len(TURNED_AND_EXCHANGED)


def test_it_shows_the_features_of_the_mirrored_price():
    """Prices turned upside down in logs, longs' liquidations for shorts': the same features."""
    n = 3_000
    rng = np.random.default_rng(2)
    end_ns = NS_PER_MINUTE * np.arange(1, n + 1)
    close = np.cumsum(0.001 * rng.standard_normal(n))
    high, low = close + 0.001 * rng.random(n), close - 0.001 * rng.random(n)
    btc = np.cumsum(0.001 * rng.standard_normal(n))

    def features(sign):
        values = np.full((n, sc.N_COLUMNS), np.nan)
        values[:, sc.CLOSE] = np.exp(sign * close)
        values[:, sc.HIGH] = np.exp(sign * (high if sign > 0 else low))
        values[:, sc.LOW] = np.exp(sign * (low if sign > 0 else high))
        values[:, sc.OPEN] = values[:, sc.CLOSE]
        values[:, sc.VOLUME] = 10.0
        values[:, sc.BTC_CLOSE] = np.exp(sign * btc)
        values[:, sc.FIRST_AGE :] = 0.0
        return FeatureStream(NS_PER_MINUTE).batch(Frames(end_ns, values, NS_PER_MINUTE, 1))

    mirror = mirror_of(INPUTS, np.zeros(len(INPUTS)), np.ones(len(INPUTS)))
    there, shown = features(1.0)[:, INPUTS], features(-1.0)[:, INPUTS]
    kept = [
        c
        for c, i in enumerate(INPUTS)
        if NAMES[i] != "illiquidity"
        and np.isfinite(there[-1, c])  # in USDT: not of the price alone
    ]
    assert len(kept) > 40
    np.testing.assert_allclose(
        mirror.of(there[-1])[kept],
        shown[-1][kept],
        rtol=1e-4,
        atol=1e-4,
        err_msg=str([NAMES[INPUTS[c]] for c in kept]),
    )


def test_answers_change_sides_with_it():
    rng = np.random.default_rng(3)
    asked = Asked(
        torch.tensor([[3, 4], [5, -1]]), torch.tensor([[0, -1], [1, -1]]),
        torch.from_numpy(rng.random((2, 2, 2)) < 0.5),
        *(torch.from_numpy(rng.integers(-1, 9, (2, 2, 2, 2))) for _ in range(2)),
        *(torch.from_numpy(rng.integers(-1, 9, (2, 2, 2))) for _ in range(2)),
        torch.from_numpy(rng.random((2, 2, 2))), torch.zeros(2, 2, dtype=torch.int64),
        torch.zeros(2, 2, 3), torch.ones(2, 2),
    )  # fmt: skip
    before = Asked(*(t.clone() for t in asked))
    z = rng.normal(size=(2, 2, len(INPUTS))).astype(np.float32)
    untouched = z.copy()
    exchange_sides(z, asked, some_mirror(), np.array([True, False]))
    assert asked.onset_cause[0].tolist() == [1, -1]
    assert asked.onset_cause[1].tolist() == before.onset_cause[1].tolist()
    for name in ("onset_risk", "passage_bin", "passage_hit", "peak_bin", "peak_hit", "severity"):
        now, then = getattr(asked, name), getattr(before, name)
        assert torch.equal(now[0], then[0].flip(-1))
        assert torch.equal(now[1], then[1])
    assert torch.equal(asked.onset_bin, before.onset_bin)
    np.testing.assert_array_equal(z[1], untouched[1])


def test_a_feature_without_its_counterpart_stays():
    inputs = [INDEX["fall_60m"], INDEX["ret_5m"]]
    mirror = some_mirror(inputs=inputs)
    z = np.array([0.3, 0.4], dtype=np.float32)
    assert mirror.of(z)[0] == pytest.approx(0.3)
    assert mirror.of(z)[1] != pytest.approx(0.4)

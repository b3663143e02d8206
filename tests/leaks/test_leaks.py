"""Nothing of the future reaches a forecast, and nothing that is lost makes it fall silent.

From market events through features and the network to forecast rows, as serving sees them.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from litehedge.features import vector as fv
from litehedge.features.vector import FeatureSchema, FeatureStream
from litehedge.market import schema as sc
from litehedge.market.frames import Frames
from litehedge.model.baselines.logistic import MODEL_FAMILIES
from litehedge.model.calibration import Calibration
from litehedge.model.graph import onnx_bytes
from litehedge.model.layout import AGES
from litehedge.model.serve import NetworkForecaster
from litehedge.model.standards import AGES_OF, fit_standards
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import ForecastState, from_scratch
from litehedge.squeeze.hazard import N_ONSET
from litehedge.squeeze.labels import Squeeze
from litehedge.squeeze.targets import targets
from litehedge.squeeze.times import passage_times, squeeze_times
from litehedge.units import NS_PER_MINUTE
from networks import weights
from synthetic import everything, market

BARS = 2_600


@cache
def told():
    """A market with every feed, as frames of a minute."""
    return everything(market(BARS, seed=1)).frames()


def vectors(frames):
    return FeatureStream(NS_PER_MINUTE, 1).batch(frames)


@cache
def features():
    return vectors(told())


@cache
def forecaster():
    """Random weights on what that market tells."""
    found = fit_standards([features()])
    n = len(found)
    return NetworkForecaster(
        onnx_bytes([weights(seed, n) for seed in range(2)]), found, Calibration(),
        frame_ns=NS_PER_MINUTE, id="m", schema_hash=FeatureSchema(NS_PER_MINUTE).hash,
    )  # fmt: skip


def rows_of(frames):
    return from_scratch(forecaster(), frames.end_ns, vectors(frames))


@cache
def rows():
    return rows_of(told())


def first_spoken():
    return int(np.flatnonzero(rows()[:, fc.STATE_AT] != ForecastState.COLD)[0])


def spoken_at(share):
    """A frame at some share of the frames that are not cold."""
    begin = first_spoken()
    assert begin < len(told()) - 100
    return begin + int(share * (len(told()) - begin))


# --- the future


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_shuffling_the_future_leaves_every_forecast_up_to_now(share):
    """Bit for bit, through features, network and artefact."""
    frames, at = told(), spoken_at(share)
    order = np.arange(len(frames))
    np.random.default_rng(3).shuffle(order[at + 1 :])
    shuffled = Frames(frames.end_ns, frames.values[order], frames.frame_ns, 1)
    assert_array_equal(vectors(shuffled)[: at + 1], features()[: at + 1])
    found = rows_of(shuffled)
    assert_array_equal(found[: at + 1], rows()[: at + 1])
    assert (found[at + 1 :] != rows()[at + 1 :]).any()


def test_a_future_that_never_came_changes_nothing():
    frames, at = told(), spoken_at(0.5)
    until = Frames(frames.end_ns[: at + 1], frames.values[: at + 1], frames.frame_ns, 1)
    assert_array_equal(rows_of(until), rows()[: at + 1])


def test_the_present_frame_does_change_the_forecast():
    """The tests above would pass with a forecaster that is blind."""
    frames, at = told(), spoken_at(0.5)
    values = frames.values.copy()
    values[at, [sc.LOW, sc.CLOSE]] *= 0.99
    found = rows_of(Frames(frames.end_ns, values, frames.frame_ns, 1))
    assert_array_equal(found[:at], rows()[:at])
    assert (found[at] != rows()[at]).any()


@pytest.mark.parametrize("late", [1, 3])
def test_forecasts_from_late_features_are_late_forecasts(late):
    """No clock but the frames': what is known k frames later is said k frames later."""
    begin = int(np.flatnonzero(np.isfinite(features()[:, fv.LOG_SIGMA]))[0])
    known, ends = features()[begin:], told().end_ns[begin:]
    one = from_scratch(forecaster(), ends, known)
    two = from_scratch(forecaster(), ends[late:], known[:-late])
    assert_array_equal(two, one[:-late])
    assert np.isfinite(two[-1]).all()


# --- the bar of entry


def crossing(at):
    """Calm frames, after which price falls by 3 per cent in frame `at` alone."""
    own = market(2_000, vol=0.0002, seed=2)
    bars = own.bars.copy()
    bars[at:, :4] *= 0.97
    bars[at, :2] /= 0.97  # it opens where the one before closed
    return replace(own, bars=bars).events().frames()


def test_an_event_in_the_very_next_frame_is_one_frame_away():
    at = 1_800
    for times in passage_times(crossing(at)):
        assert times.happened[at - 5 : at, 0].all()
        assert times.minutes[at - 5 : at, 0].tolist() == [5.0, 4.0, 3.0, 2.0, 1.0]
        came = times.at_risk & times.happened
        assert times.minutes[came].min() >= 1.0  # a frame is not asked about itself


def test_an_onset_at_the_end_of_the_next_frame_is_one_frame_away():
    frames = crossing(1_800)
    ends = frames.end_ns
    squeeze = Squeeze(
        side="long", onset_ns=int(ends[1_800]), trigger_ns=int(ends[1_802]),
        peak_ns=int(ends[1_810]), end_ns=int(ends[1_830]), onset_price=100.0, peak_price=95.0,
        severity_bps=500.0, severity_sigma=1.0, retrace_60m=0.5, liquidated_usdt=np.nan,
        oi_change=np.nan, tier=1, proxy=True, complete=True,
    )  # fmt: skip
    times = squeeze_times(targets(frames, [squeeze]))
    assert times.minutes[1_799, 0] == 1.0
    assert times.minutes[1_800, 0] == 0.0  # the last frame before the move
    assert not times.at_risk[1_801:1_830, 0].any()  # those of the move are not asked


def test_the_forecast_before_an_event_does_not_use_the_frame_of_the_event():
    frames, at = told(), spoken_at(0.7)
    values = frames.values.copy()
    values[at:, [sc.OPEN, sc.HIGH, sc.LOW, sc.CLOSE]] *= 0.9
    fallen = Frames(frames.end_ns, values, frames.frame_ns, 1)
    one, _ = passage_times(fallen)
    assert one.minutes[at - 1, 0] == 1.0
    found = rows_of(fallen)
    assert_array_equal(found[:at], rows()[:at])
    assert (found[at] != rows()[at]).any()


# --- dead feeds

DIES_AT = 0.3
FEEDS = tuple(f for f in MODEL_FAMILIES if f not in ("volatility", *AGES_OF))


def dead(families):
    """Forecasts when some families are gone from a frame on."""
    lost = features().copy()
    columns = [fv.INDEX[n] for f in families for n in fv.FAMILIES[f]]
    lost[spoken_at(DIES_AT) :, columns] = np.nan
    return from_scratch(forecaster(), told().end_ns, lost)


def assert_speaks(found, state=ForecastState.DEGRADED):
    """Unchanged before the feeds died; after it in one state, and every number makes sense."""
    at = spoken_at(DIES_AT)
    assert_array_equal(found[:at], rows()[:at])
    after = found[at:]
    assert np.unique(after[:, fc.STATE_AT]).tolist() == [state]
    assert np.isfinite(after).all()
    hazards = after[:, fc.ONSET_AT : fc.PEAK_AT].reshape(-1, 2, N_ONSET)
    assert (hazards >= 0.0).all()
    assert (hazards.sum(axis=1) <= 1.0).all()
    peaks = after[:, fc.PEAK_AT : fc.SEVERITY_AT]
    assert ((peaks >= 0.0) & (peaks <= 1.0)).all()
    levels = after[:, fc.SEVERITY_AT : fc.PHASE_AT].reshape(-1, 2, fc.N_SEVERITY)
    assert (np.diff(levels, axis=2) > 0.0).all()
    np.testing.assert_allclose(after[:, fc.PHASE_AT : fc.VOL_AT].sum(axis=1), 1.0)
    assert (after[:, fc.CONFIDENCE_AT] > 0.0).all()


@pytest.mark.parametrize("family", FEEDS)
def test_a_dead_feed_degrades_and_no_more(family):
    standards = forecaster().standards
    if not standards.trained[MODEL_FAMILIES.index(family)]:
        pytest.fail(f"the market of this test does not tell {family}")
    assert_speaks(dead([family]))


@pytest.mark.parametrize("family", AGES_OF)
def test_ages_alone_are_no_feed(family):
    """Where an age is not known its feed is missing, and that degrades."""
    assert_speaks(dead([family]), ForecastState.OK)


def test_all_feeds_dead_at_once_degrade():
    found = dead([*FEEDS, *AGES_OF])
    assert_speaks(found)
    assert found[-1, fc.CONFIDENCE_AT] < rows()[-1, fc.CONFIDENCE_AT]


def test_without_even_volatility_it_is_cold_and_says_so():
    at, found = spoken_at(DIES_AT), dead(MODEL_FAMILIES)
    assert (found[at:, fc.STATE_AT] == ForecastState.COLD).all()
    assert np.isnan(found[at:, : fc.CONFIDENCE_AT]).all()
    assert not found[at:, fc.CONFIDENCE_AT].any()
    assert first_spoken() >= AGES - 1

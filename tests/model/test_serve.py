"""The network behind the forecaster interface: one memory, however the frames come."""

import copy
import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from litehedge.features import vector as fv
from litehedge.model.calibration import Calibration
from litehedge.model.layout import AGES, HIDDEN, N_RAW
from litehedge.model.serve import NetworkForecaster
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import Forecast, ForecastState, from_scratch
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE
from networks import features, network, reference, sample, standards, weights
from networks import model as graph

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

T0 = 27_000_000 * NS_PER_MINUTE


def ends(n, begin=T0, each=NS_PER_MINUTE):
    return begin + each * np.arange(n, dtype=np.int64)


def steps(model, memory, phases, end_ns, values):
    frames = zip(phases.tolist(), end_ns.tolist(), values, strict=True)
    return np.array([model.step(memory, *frame) for frame in frames])


def states(rows):
    return rows[:, fc.STATE_AT].astype(int)


def now(memory):
    """What a memory says: counters, and the copy of the state that is the present one."""
    rows = np.arange(memory.size)
    parts = [memory["cells"][rows, memory["slot"]], memory["ring"][rows, memory["slot"]]]
    return [memory["end_ns"], memory["seen"], *parts]


def assert_same_memory(one, other):
    for mine, theirs in zip(now(one), now(other), strict=True):
        assert_array_equal(mine, theirs)


def market(n, phases, seed, *, troubles=True):
    """Frames of interleaved phases: some cold, some missing features, with gaps."""
    rng = np.random.default_rng(seed)
    atom = NS_PER_MINUTE // phases
    end_ns = ends(n, each=atom)
    values = features(n, seed, 0.05)
    if troubles:
        for _ in range(3):
            at = int(rng.integers(0, n))
            end_ns[at:] += int(rng.integers(1, 500)) * atom
            at = int(rng.integers(0, n))
            values[at : at + int(rng.integers(1, 3 * phases)), fv.LOG_SIGMA] = np.nan
            values[int(rng.integers(0, n))] = np.nan
    return (end_ns // atom) % phases, end_ns, values


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([1, 3, 12]), st.integers(0, 10_000),
    st.lists(st.integers(0, 700), max_size=4),
)  # fmt: skip
def test_one_batch_its_chunks_and_steps_are_the_same_bits(phases, seed, cuts):
    model = network()
    n = 700
    which, end_ns, values = market(n, phases, seed)
    whole_memory, chunk_memory, step_memory = (model.start(phases) for _ in range(3))
    whole = model.batch(whole_memory, which, end_ns, values)
    edges = [0, *sorted(cuts), n]
    chunks = [
        model.batch(chunk_memory, which[a:b], end_ns[a:b], values[a:b]) for a, b in pairwise(edges)
    ]
    single = steps(model, step_memory, which, end_ns, values)
    assert_array_equal(np.concatenate(chunks), whole)
    assert_array_equal(single, whole)
    assert_same_memory(whole_memory, chunk_memory)
    assert_same_memory(whole_memory, step_memory)


def test_twelve_phases_live_apart():
    """Each of the interleaved phases says what it would say alone."""
    model = network(2)
    which, end_ns, values = market(12 * 260, 12, 1, troubles=False)
    together = model.batch(model.start(12), which, end_ns, values)
    for phase in (0, 5, 11):
        mine = which == phase
        alone = from_scratch(model, end_ns[mine], values[mine])
        assert_array_equal(together[mine], alone)
    assert (states(together)[-12:] != ForecastState.COLD).all()


@pytest.mark.parametrize("members", [1, 3])
def test_rows_are_those_of_the_network_in_plain_numpy(members):
    model = network(members)
    values = features(300, 4, 0.1)
    inside = model.inside_batch(model.start(1), np.zeros(300, int), ends(300), values)
    u = standards().write(values)
    for m in range(members):
        raw, trunk, attention = reference(weights(m, 60), u)
        assert_allclose(inside.raw[m], raw, atol=1e-5)
        assert_allclose(inside.trunk[m], trunk, atol=1e-5)
        assert_allclose(inside.attention[m], attention, atol=1e-5)
    assert_array_equal(inside.rows, from_scratch(model, ends(300), values))


def test_hazards_for_evaluation_are_those_of_the_rows_and_of_the_passages():
    model = network(2, calibration=Calibration(onset=(((0.8, 0.2),) * 5, ((1.1, -0.1),) * 5)))
    values = features(280, 5)
    found = model.hazards_batch(model.start(1), np.zeros(280, int), ends(280), values)
    inside = model.inside_batch(model.start(1), np.zeros(280, int), ends(280), values)
    assert_array_equal(found.rows, inside.rows)
    assert_array_equal(found.onset.reshape(280, -1), found.rows[:, : fc.PEAK_AT])
    assert np.isnan(found.passage[: AGES - 1]).all()
    logits = inside.raw[:, AGES:, 26:78].astype(np.float64)
    expected = (1.0 / (1.0 + np.exp(-logits))).mean(axis=0)
    assert_allclose(found.passage[AGES:].reshape(-1, 52), expected, rtol=1e-10)


def test_a_step_leaves_trunk_and_attention_behind():
    model = network(2)
    values = features(3, 6)
    memory = model.start(1)
    rows = steps(model, memory, np.zeros(3, int), ends(3), values)
    inside = model.inside_batch(model.start(1), np.zeros(3, int), ends(3), values)
    assert_array_equal(model.trunk[:, 0], inside.trunk[:, 2])
    assert_array_equal(model.attention[:, 0], inside.attention[:, 2])
    assert_allclose(model.attention.sum(axis=2), 1.0, rtol=1e-5)
    again, trunk = model.trunk_batch(model.start(1), np.zeros(3, int), ends(3), values)
    assert_array_equal(trunk, inside.trunk)
    assert_array_equal(again, rows)
    assert inside.raw.shape == (2, 3, N_RAW)
    assert model.trunk.shape == (2, 1, HIDDEN)
    assert len(rows) == 3


def test_a_window_says_what_a_stream_that_begins_with_it_says():
    model = network(2, calibration=Calibration(onset=(((0.8, 0.2),) * 5, ((1.1, -0.1),) * 5)))
    values = features(AGES, 5)
    row = from_scratch(model, ends(AGES), values)[-1]
    windows = np.stack([standards().write(values), standards().write(features(AGES, 6))])
    found = model.onset_of_windows(windows, 30.0)
    forecast = Forecast.of_row(T0, row)
    assert_array_equal(found[0], [forecast.onset_probability(s, 30.0) for s in ("long", "short")])
    assert_array_equal(model.onset_of_windows(windows[1:], 30.0), found[1:])


# --- cold, gaps, clocks


def test_a_start_is_cold_until_attention_has_its_past():
    rows = from_scratch(network(), ends(300), features(300))
    assert states(rows)[: AGES - 1].tolist() == [ForecastState.COLD] * (AGES - 1)
    assert (states(rows)[AGES - 1 :] == ForecastState.OK).all()
    assert np.isnan(rows[: AGES - 1, : fc.CONFIDENCE_AT]).all()
    assert np.isfinite(rows[AGES - 1 :]).all()


@pytest.mark.parametrize(
    "jump", [NS_PER_HOUR * 5, -NS_PER_HOUR, -NS_PER_MINUTE, NS_PER_MINUTE // 2, -T0]
)
def test_after_a_gap_or_a_clock_that_jumps_it_knows_nothing(jump):
    model = network()
    n = AGES + 30
    values = features(2 * n, 7)
    end_ns = np.concatenate((ends(n), ends(n, T0 + n * NS_PER_MINUTE + jump)))
    memory = model.start(1)
    rows = steps(model, memory, np.zeros(2 * n, int), end_ns, values)
    assert_array_equal(rows[n:], from_scratch(model, end_ns[n:], values[n:]))
    assert (states(rows)[n : n + AGES - 1] == ForecastState.COLD).all()
    assert states(rows)[n - 1] == states(rows)[-1] == ForecastState.OK


def test_the_same_frame_twice_is_no_succession():
    model = network()
    values = features(AGES + 2, 8)
    memory = model.start(1)
    steps(model, memory, np.zeros(AGES + 1, int), ends(AGES + 1), values[:-1])
    row = model.step(memory, 0, int(ends(AGES + 1)[-1]), values[-1])
    assert row[fc.STATE_AT] == ForecastState.COLD
    assert memory["seen"][0] == 1


def test_a_cold_frame_and_a_frame_of_nan_end_what_was_learnt():
    model = network()
    n = AGES + 10
    for trouble in (fv.LOG_SIGMA, slice(None)):
        values = features(2 * n + 1, 9)
        values[n, trouble] = np.nan
        rows = from_scratch(model, ends(2 * n + 1), values)
        assert states(rows)[n] == ForecastState.COLD
        assert rows[n, fc.CONFIDENCE_AT] == 0.0
        fresh = from_scratch(model, ends(n), values[n + 1 :])
        assert_array_equal(rows[n + 1 :], fresh)


def test_nothing_but_nan_never_raises():
    model = network()
    values = np.full((20, fv.N_FEATURES), np.nan)
    rows = from_scratch(model, ends(20), values)
    assert (states(rows) == ForecastState.COLD).all()
    values[:, fv.LOG_SIGMA] = -7.0  # warm, and nothing else is known
    rows = from_scratch(model, ends(300), np.repeat(values[:1], 300, axis=0))
    assert (states(rows)[AGES:] == ForecastState.DEGRADED).all()
    assert np.isfinite(rows[AGES:]).all()


@pytest.mark.parametrize(("replayed", "apart"), [(AGES, 0.02), (2 * AGES, 1e-5)])
def test_replay_of_the_last_frames_stands_for_the_whole_past(replayed, apart):
    """Attention sees 240 frames; what the cells hold from before fades."""
    model = network()
    n, later = 1_500, 50
    values, end_ns = features(n + later, 10), ends(n + later)
    zeros = np.zeros(n + later, int)
    whole = model.inside_batch(model.start(1), zeros, end_ns, values)
    memory = model.start(1)
    model.batch(memory, zeros[n - replayed : n], end_ns[n - replayed : n], values[n - replayed : n])
    after = model.inside_batch(memory, zeros[n:], end_ns[n:], values[n:])
    assert (states(after.rows) == ForecastState.OK).all()
    spread = whole.raw[:, n:].std()
    assert np.abs(after.raw - whole.raw[:, n:]).max() < apart * spread


# --- states


def test_a_missing_family_degrades_and_lowers_confidence():
    model = network()
    values = features(AGES + 20, 11)
    blind = values.copy()
    blind[-1, [fv.INDEX[name] for name in fv.FAMILIES["btc"]]] = np.nan
    whole, without = (from_scratch(model, ends(AGES + 20), v)[-1] for v in (values, blind))
    assert whole[fc.STATE_AT] == ForecastState.OK
    assert without[fc.STATE_AT] == ForecastState.DEGRADED
    assert 0.5 < without[fc.CONFIDENCE_AT] < whole[fc.CONFIDENCE_AT]


def test_an_age_that_is_not_known_is_no_loss_of_its_own():
    """Age of a feed that training rarely had: the network may see it, nobody misses it."""
    all_of_them = standards(96)
    ages = [fv.INDEX[name] for name in fv.FAMILIES["age"]]
    assert set(ages) <= set(all_of_them.inputs.tolist())
    model = NetworkForecaster(
        graph(1, 96), all_of_them, Calibration(), frame_ns=NS_PER_MINUTE, id="x", schema_hash="",
    )  # fmt: skip
    values = features(AGES + 2, 11)
    values[:, ages] = np.nan
    assert states(from_scratch(model, ends(AGES + 2), values))[-1] == ForecastState.OK
    values[:, fv.INDEX["funding_bps"]] = np.nan
    assert states(from_scratch(model, ends(AGES + 2), values))[-1] == ForecastState.DEGRADED


def test_strange_features_lower_confidence_but_never_silence():
    values = features(AGES + 20, 12)
    values[-1] *= 50.0
    values[-1, fv.LOG_SIGMA] = -7.0
    rows = from_scratch(network(), ends(AGES + 20), values)
    assert rows[-1, fc.CONFIDENCE_AT] < 0.5 * rows[-2, fc.CONFIDENCE_AT]
    assert np.isfinite(rows[-1]).all()


# --- strange markets


def strange(n, seed, size):
    """Random features that are `size` times as large from frame 300 on."""
    values = features(n, seed)
    values[300:] *= size
    values[:, fv.LOG_SIGMA] = -7.0
    return values


def severity(rows):
    return rows[:, fc.SEVERITY_AT : fc.PHASE_AT].reshape(-1, 2, fc.N_SEVERITY)


@settings(max_examples=6, deadline=None)
@given(st.sampled_from([1, 2]), st.integers(0, 1_000), st.floats(0.0, 8.0))
def test_strangeness_widens_and_never_narrows_or_silences(members, seed, size):
    n = 330
    values = strange(n, seed, size)
    plain = from_scratch(network(members), ends(n), values)
    judged = from_scratch(network(members, neighbours=sample(members)), ends(n), values)
    assert_array_equal(states(judged), states(plain))
    warm = states(plain) != ForecastState.COLD
    plain, judged = plain[warm], judged[warm]
    assert np.isfinite(judged).all()
    assert (judged[:, fc.CONFIDENCE_AT] <= plain[:, fc.CONFIDENCE_AT]).all()
    before, after = severity(plain), severity(judged)
    assert_array_equal(after[:, :, :2], before[:, :, :2])
    assert (after >= before).all()
    assert (np.diff(after, axis=2) > 0.0).all()
    peak = slice(fc.PEAK_AT, fc.SEVERITY_AT)
    others = np.ones(fc.N_FORECAST, dtype=bool)
    others[fc.PEAK_AT : fc.PHASE_AT] = others[fc.CONFIDENCE_AT] = False
    assert_array_equal(judged[:, others], plain[:, others])
    assert ((judged[:, peak] >= 0.0) & (judged[:, peak] <= 1.0)).all()


def far_away(one):
    """The same sample, as if training had been elsewhere."""
    return replace(one, points=one.points + np.float32(30.0))


def test_a_market_far_from_training_lowers_confidence_and_widens():
    n = AGES + 20
    values = features(n, 12)
    home = from_scratch(network(neighbours=sample()), ends(n), values)[AGES:]
    lost = from_scratch(network(neighbours=far_away(sample())), ends(n), values)[AGES:]
    assert (states(lost) == ForecastState.OK).all()
    assert (lost[:, fc.CONFIDENCE_AT] < 0.5 * home[:, fc.CONFIDENCE_AT]).all()
    assert (severity(lost)[:, :, 2:] > severity(home)[:, :, 2:]).all()


@settings(max_examples=6, deadline=None)
@given(st.sampled_from([1, 3]), st.integers(0, 10_000), st.booleans())
def test_with_a_sample_of_training_steps_are_batches_too(members, seed, lost):
    one = far_away(sample(members)) if lost else sample(members)
    model = network(members, neighbours=one)
    which, end_ns, values = market(600, 2, seed)
    whole = model.batch(model.start(2), which, end_ns, values)
    single = steps(model, model.start(2), which, end_ns, values)
    assert_array_equal(single, whole)
    assert_array_equal(
        pickle.loads(pickle.dumps(model)).batch(model.start(2), which, end_ns, values), whole
    )


def test_a_model_past_its_day_says_so_and_keeps_its_numbers():
    n = AGES + 10
    values, end_ns = features(n, 13), ends(n)
    for expires_ns, expired in ((int(end_ns[-3]), 2), (int(end_ns[0]) - NS_PER_DAY, 11)):
        fresh = from_scratch(network(), end_ns, values)
        late = from_scratch(network(expires_ns=expires_ns), end_ns, values)
        mine = states(late) == ForecastState.EXPIRED
        assert mine.sum() == expired
        assert mine[-1]
        assert_array_equal(late[:, : fc.CONFIDENCE_AT], fresh[:, : fc.CONFIDENCE_AT])
        assert_allclose(late[mine, fc.CONFIDENCE_AT], 0.5 * fresh[mine, fc.CONFIDENCE_AT])


def test_a_failing_runtime_is_cold_and_forgets_in_steps_as_in_batch():
    model = network()
    n = 2 * AGES + 60
    which, end_ns, values = np.zeros(n, int), ends(n), features(n, 14)
    sound = from_scratch(model, end_ns, values)
    calls = []

    class Broken:
        def __init__(self, session):
            self.session = session

        def io_binding(self):
            return self.session.io_binding()

        def run_with_iobinding(self, binding):
            calls.append(binding)
            raise RuntimeError("out of memory")

    whole = model._session
    model._session = Broken(whole)
    memory = model.start(1)
    assert (states(model.batch(memory, which, end_ns, values)) == ForecastState.COLD).all()
    assert memory["seen"][0] == 0
    assert calls
    row = model.step(memory, 0, int(end_ns[-1]) + NS_PER_MINUTE, values[0])
    assert row[fc.STATE_AT] == ForecastState.COLD
    model._session = whole
    after = model.batch(memory, which, end_ns, values)
    assert_array_equal(after, sound)


def test_a_network_that_puts_out_nan_is_cold_and_recovers():
    """Infinite features cannot come from the vector, but must not stay in the state either."""
    model = network()
    n = 2 * AGES + 60
    which, end_ns, values = np.zeros(n, int), ends(n), features(n, 15)
    memory = model.start(1)
    rows = model.batch(memory, which[:250], end_ns[:250], values[:250])
    assert states(rows)[-1] == ForecastState.OK
    slot = memory["slot"][0]
    memory["cells"][0, slot] = np.nan
    twin = memory.copy()
    rest = model.batch(memory, which[250:], end_ns[250:], values[250:])
    single = steps(model, twin, which[250:], end_ns[250:], values[250:])
    assert_array_equal(rest, single)
    assert_same_memory(memory, twin)
    assert states(rest)[0] == ForecastState.COLD
    assert_array_equal(rest[1:], from_scratch(model, end_ns[251:], values[251:]))
    assert states(rest)[-1] == ForecastState.OK


# --- memories


def test_memories_and_forecasters_are_copied_and_travel():
    model = network()
    n = AGES + 40
    which, end_ns, values = np.zeros(n, int), ends(n), features(n, 16)
    whole = from_scratch(model, end_ns, values)
    memory = model.start(1)
    steps(model, memory, which[:250], end_ns[:250], values[:250])
    for take in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        twin_model, twin = take((model, memory))
        for forecaster in (twin_model, model):
            mine = twin.copy()
            rows = steps(forecaster, mine, which[250:], end_ns[250:], values[250:])
            assert_array_equal(rows, whole[250:])
    rows = steps(model, memory, which[250:], end_ns[250:], values[250:])
    assert_array_equal(rows, whole[250:])


def test_many_memories_at_once_do_not_disturb_one_another():
    model = network()
    n = AGES + 5
    end_ns = ends(n)
    values = [features(n, 20 + i) for i in range(20)]
    memories = [model.start(1) for _ in values]
    rows = np.array(
        [
            [model.step(m, 0, int(end), v[i]) for m, v in zip(memories, values, strict=True)]
            for i, end in enumerate(end_ns)
        ]
    )
    for i, mine in enumerate(values):
        assert_array_equal(rows[:, i], from_scratch(model, end_ns, mine))

"""Training a member: it learns, the same every time, and goes on where it was stopped."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons import announced
from litehedge.model import train as tr
from litehedge.model.baserates import base_rates
from litehedge.model.layout import N_RAW
from litehedge.model.linear import fit_linear
from litehedge.model.loss import PARTS, SCORED, Asked, parts
from litehedge.model.material import Run, draw_runs
from litehedge.model.network import Network, NetworkConfig
from litehedge.model.train import Recipe, evaluate, train_member

CONFIG = NetworkConfig(inputs=6, hidden=8, dropout=0.1)
RECIPE = Recipe(epochs=2, batch=8, chunk=64, run=128, rate=1e-2, average=0.8)
FAMILIES = [np.array([0, 1]), np.array([2, 3, 4])]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Small matrices, short warm-up: what is learnt here is in the last few frames."""
    monkeypatch.setattr(tr, "WARM", 96)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def train(folder=None, *, seed=1, recipe=RECIPE, config=CONFIG, lesson=None, **more):
    checkpoint = None if folder is None else folder / "one.ckpt"
    lesson = lesson or [announced(1_200, 1)]
    return train_member(
        config, recipe, lesson, [announced(600, 2)], FAMILIES, seed, device=CPU,
        checkpoint=checkpoint, **({"key": "k"} | more),
    )  # fmt: skip


def assert_same(one, two):
    for (name, a), b in zip(
        one.network.state_dict().items(), two.network.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name
    assert one.score == two.score
    assert [(e.number, e.train, e.valid) for e in one.epochs] == [
        (e.number, e.train, e.valid) for e in two.epochs
    ]


def test_it_learns_to_beat_base_rates():
    lesson, valid = [announced(4_000, 3)], [announced(2_000, 4)]
    recipe = replace(RECIPE, epochs=4, lose_family=0.0)
    trained = train_member(CONFIG, recipe, lesson, valid, FAMILIES, 0, device=CPU)
    silent = Network(CONFIG)
    with torch.no_grad():
        for parameter in silent.parameters():
            parameter.zero_()
        silent.head.bias.copy_(torch.from_numpy(base_rates(lesson)))
    plain = evaluate(silent, valid, CPU)
    found = evaluate(trained.network, valid, CPU)
    for name in SCORED:
        assert found[name] < 0.97 * plain[name], name
    assert trained.score == pytest.approx(sum(found[n] for n in SCORED), rel=1e-5)
    assert not trained.network.training
    assert trained.epochs[0].labels_per_s > 0.0


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    one, two, other = train(), train(), train(seed=2)
    assert_same(one, two)
    assert not torch.equal(one.network.head.weight, other.network.head.weight)


class Killed(BaseException):
    """What no training catches."""


@pytest.mark.parametrize("after", [1, 2])
def test_killed_after_an_epoch_it_goes_on_as_if_nothing_had_been(tmp_path, after):
    recipe = replace(RECIPE, epochs=3)
    whole = train(recipe=recipe)

    def dies(epoch, left):
        if epoch.number == after:  # what is told is on disk
            raise Killed

    with pytest.raises(Killed):
        train(tmp_path, recipe=recipe, watch=dies)
    seen = []
    resumed = train(tmp_path, recipe=recipe, watch=lambda epoch, left: seen.append(epoch.number))
    assert seen == list(range(after + 1, 4))
    assert_same(resumed, whole)
    again = train(tmp_path, recipe=recipe, watch=lambda epoch, left: seen.append(99))
    assert 99 not in seen
    assert_same(again, whole)


def test_a_cut_or_damaged_checkpoint_is_as_good_as_none(tmp_path):
    whole = train(tmp_path)
    path = tmp_path / "one.ckpt"
    payload = path.read_bytes()
    flipped = bytearray(payload)
    for at in range(0, len(flipped), 97):
        flipped[at] ^= 0xFF
    for broken in (payload[: len(payload) // 2], payload[:-1], b"", b"no", bytes(flipped)):
        path.write_bytes(broken)
        seen = []
        assert_same(train(tmp_path, watch=lambda e, left, to=seen: to.append(e.number)), whole)
        assert seen == [1, 2]
        assert len(path.read_bytes()) > len(payload) // 2
    path.unlink()
    torch.save({"another": "file"}, path)
    assert_same(train(tmp_path), whole)


def test_a_process_killed_while_writing_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    whole = train()
    save = torch.save
    written = []

    def half(what, path):
        written.append(path)
        if len(written) == 2:
            path.write_bytes(b"half of")
            raise Killed
        save(what, path)

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(Killed):
        train(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(tr, "WARM", 96)
    seen = []
    assert_same(train(tmp_path, watch=lambda e, left: seen.append(e.number)), whole)
    assert seen == [2]


def test_a_checkpoint_of_another_key_is_ignored(tmp_path):
    train(tmp_path, seed=5)
    assert_same(train(tmp_path, key="another"), train())


def forced(monkeypatch, scores):
    """Let the validation say these scores, whatever was learnt."""
    left = iter(scores)

    def told(network, data, device, count=16):
        return dict.fromkeys(PARTS, 0.0) | {"squeeze": next(left)}

    monkeypatch.setattr(tr, "evaluate", told)


def test_it_stops_early_and_returns_the_best(monkeypatch):
    recipe = replace(RECIPE, epochs=6, patience=2)
    forced(monkeypatch, [3.0, 1.0, 2.0, 1.5, 0.0])
    stopped = train(recipe=recipe)
    assert [e.score for e in stopped.epochs] == [3.0, 1.0, 2.0, 1.5]
    assert stopped.score == 1.0
    weights = []
    forced(monkeypatch, [9.0, 8.0, 7.0, 6.0, 5.0, 4.0])
    best = train(recipe=recipe, watch=lambda e, left: weights.append(e))
    assert len(best.epochs) == 6
    assert not torch.equal(best.network.head.weight, stopped.network.head.weight)
    forced(monkeypatch, [9.0, 1.0, 9.0, 9.0])
    again = train(recipe=recipe)
    assert torch.equal(again.network.head.weight, stopped.network.head.weight)


def test_pre_training_returns_the_last_weights(monkeypatch):
    forced(monkeypatch, [1.0, 2.0])
    last = train(keeps_best=False)
    forced(monkeypatch, [2.0, 1.0])
    best = train()
    assert torch.equal(last.network.head.weight, best.network.head.weight)
    assert last.score == 2.0


def test_it_begins_where_it_is_told(monkeypatch):
    monkeypatch.setattr(tr, "_one_epoch", lambda *a: (dict.fromkeys(PARTS, 0.0), 1))
    lesson = [announced(1_200, 1)]
    linear = fit_linear(lesson, RECIPE.cost, CPU)
    begun = train(begin=linear).network
    assert torch.equal(begun.skip.weight, linear[0])
    assert torch.equal(begun.head.bias, linear[1])
    torch.manual_seed(9)
    other = Network(CONFIG)
    assert torch.equal(train(begin=other.state_dict()).network.trunk.weight, other.trunk.weight)
    np.testing.assert_array_equal(train().network.head.bias.detach(), base_rates(lesson))


@pytest.mark.parametrize("variant", [{"cell": "gru"}, {"attends": False}, {"selects": False},
                                     {"skips": False}, {"pmf": True}])  # fmt: skip
def test_every_variant_trains(variant):
    config = replace(CONFIG, **variant)
    trained = train(config=config, recipe=replace(RECIPE, epochs=1))
    assert np.isfinite(trained.score)


# --- pieces


def test_evaluation_in_lanes_is_that_of_one_long_run():
    """With a warm-up as long as the past that matters; every frame counts once."""
    torch.manual_seed(3)
    network = Network(replace(CONFIG, attends=False)).eval()
    one = announced(700, 5)
    lanes_of_it = evaluate(network, [one], CPU, count=5)
    whole = evaluate(network, [one], CPU, count=1)
    for name in PARTS:
        assert lanes_of_it[name] == pytest.approx(whole[name], rel=1e-3, abs=1e-4), name
    z, asked = tr.collate([one], [Run(0, 0, 0, 700, 1.0)], 0, 700)
    with torch.no_grad():
        blank = network(tr.inputs_of(torch.full((1, tr.WARM, 6), torch.nan)), network.start(1))
        out = network(tr.inputs_of(torch.from_numpy(z)), blank.state)
    for name, (lost, weight) in parts(out.raw, asked).items():
        assert whole[name] == pytest.approx(lost.item() / max(weight.item(), 1e-9), rel=1e-4)


def test_collated_runs_line_up_and_ask_nothing_beyond_their_end():
    data = [announced(300, 6), announced(200, 7)]
    runs = [Run(0, 40, 60, 100, 2.0), Run(1, 0, 0, 30, 0.5), Run(0, 250, 280, 300, 1.0)]
    z, asked = tr.collate(data, runs, 32, 64)
    assert z.shape == (3, 96, 6)
    np.testing.assert_array_equal(z[0, 12:72], data[0].z[40:100])
    np.testing.assert_array_equal(z[1, 32:62], data[1].z[:30])
    assert np.isnan(z[0, :12]).all()
    assert np.isnan(z[1, 62:]).all()
    for i, run in enumerate(runs):
        size = run.stop - run.start
        for name in Asked._fields[:-1]:
            found, true = getattr(asked, name)[i], getattr(data[run.of], name)
            np.testing.assert_array_equal(found[:size], true[run.start : run.stop])
        assert (asked.weight[i, :size] == run.weight).all()
        assert not asked.weight[i, size:].any()
    beyond = Asked(*(t[:, 40:] for t in asked))._replace(weight=torch.ones(3, 24))
    assert all(w.item() == 0.0 for _, w in parts(torch.zeros(3, 24, N_RAW), beyond).values())


@settings(max_examples=20)
@given(st.integers(0, 1_000), st.floats(0.1, 1.0))
def test_a_lost_family_is_gone_from_some_frame_on_and_others_stay(seed, share):
    z = np.random.default_rng(seed).normal(size=(12, 50, 6)).astype(np.float32)
    before = z.copy()
    tr.lose_families(z, FAMILIES, share, np.random.default_rng(seed))
    np.testing.assert_array_equal(z[..., 5], before[..., 5])
    for columns in FAMILIES:
        gone = np.isnan(z[..., columns])
        assert (gone.all(axis=2) == gone.any(axis=2)).all()
        assert (np.diff(gone[..., 0].astype(int), axis=1) >= 0).all()  # never back
        np.testing.assert_array_equal(z[..., columns][~gone], before[..., columns][~gone])


def test_families_are_lost_as_often_as_told_half_of_them_from_the_start():
    z = np.zeros((4_000, 20, 6), dtype=np.float32)
    tr.lose_families(z, FAMILIES, 0.2, np.random.default_rng(0))
    gone = np.isnan(z[..., 0])
    lost = gone.any(axis=1)
    assert lost.mean() == pytest.approx(0.2, abs=0.02)
    assert gone[lost, 0].mean() == pytest.approx(0.5 + 0.5 / 20, abs=0.05)
    z = np.zeros((50, 20, 6), dtype=np.float32)
    tr.lose_families(z, FAMILIES, 0.0, np.random.default_rng(0))
    assert not np.isnan(z).any()


@settings(max_examples=30)
@given(st.integers(0, 1_000), st.integers(1, 2_500), st.sampled_from([64, 128, 500]))
def test_the_schedule_is_long_enough_for_any_cut(seed, frames, length):
    lesson = [announced(frames, 8), announced(40, 9)]
    recipe = replace(RECIPE, run=length)
    runs = draw_runs(lesson, length, 96, 0.5, np.random.default_rng(seed))
    steps = -(-len(runs) // recipe.batch) * -(-length // recipe.chunk)
    assert steps <= tr._steps_per_epoch(lesson, recipe)


def test_the_device_is_chosen(monkeypatch):
    assert tr.choose_device("cpu") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert tr.choose_device() == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert tr.choose_device() == torch.device("cuda", 3)

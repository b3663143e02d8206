"""From data to an artefact: what goes where, and that what is saved can be used."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dying import dies
from litehedge.errors import UsageError
from litehedge.model import artefact
from litehedge.model.calibration import Calibration
from litehedge.model.train import Recipe
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import ForecastState, from_scratch
from litehedge.store.lake import Lake
from litehedge.training import network as tn
from litehedge.training.network import Source, sources_of, train_network
from litehedge.training.samples import PURGE_NS
from litehedge.training.told import by_forecaster, calibrated_on
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE
from made_lakes import store
from made_parts import made_part
from synthetic import T0, Crash, market

pytestmark = pytest.mark.xdist_group("train-network")  # what it prepares is prepared once

STEP = 5 * NS_PER_MINUTE
EDGE = T0 + 16 * NS_PER_DAY
END = T0 + 30 * NS_PER_DAY
SPANS = {"until_ns": EDGE, "validate_from_ns": EDGE, "validate_until_ns": END}
RECIPE = Recipe(epochs=1, batch=8, run=512, rate=3e-3, average=0.8)


def squeezed(seed, days=30, every=150):
    """Five-minute bars with a squeeze of either side twice a day."""
    n = days * 288
    crashes = tuple(
        Crash(at=at, bars=4, depth=0.06 if i % 2 else -0.06)
        for i, at in enumerate(range(400, n - 300, every))
    )
    return market(n, bar_ns=STEP, vol=0.0008, seed=seed, crashes=crashes)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("home") / "lake")
    store(lake, "ltc", squeezed(1))
    store(lake, "pooled", squeezed(2, every=190), "BTC")
    store(lake, "minutes", market(3_000))
    return lake


def read(lake, names, pool=(), worlds=0, **spans):
    return sources_of(
        lake, [lake.dataset(n) for n in names], [lake.dataset(n) for n in pool],
        worlds=worlds, world_days=30, **(SPANS | spans),
    )  # fmt: skip


@pytest.fixture
def made_worlds(monkeypatch):
    """Worlds that live in no time; tells which ones were asked for."""
    asked = []

    def lived(first, count, days, minutes, processes, say):
        seeds = range(first, first + count)
        asked.extend((seed, days, minutes) for seed in seeds)
        return [Source(f"world {seed}", made_part(700, seed), []) for seed in seeds]

    monkeypatch.setattr(tn, "_worlds", lived)
    return asked


def test_training_ends_a_purge_before_validation(lake, made_worlds):
    sources = read(lake, ["ltc"], ["pooled"], worlds=2)
    for source in (*sources.train, *sources.pool):
        assert source.part.end_ns[-1] <= EDGE - PURGE_NS
        assert max(q.onset_ns for q in source.squeezes) <= EDGE - PURGE_NS
    assert sources.valid[0].part.end_ns[0] > EDGE
    assert sources.valid[0].part.end_ns[-1] <= END
    assert [s.name for s in sources.pool] == ["pooled"]
    assert [seed for seed, _, _ in made_worlds] == [tn.WORLD_SEEDS, tn.WORLD_SEEDS + 1]
    assert {(days, minutes) for _, days, minutes in made_worlds} == {(30, 5)}
    assert sources.frame_ns == STEP


def test_worlds_alone_are_judged_on_worlds_of_other_seeds(lake, made_worlds):
    sources = read(lake, [], worlds=2)
    assert not sources.before
    seeds = [seed for seed, _, _ in made_worlds]
    assert len(set(seeds)) == 2 + tn.VALID_WORLDS
    assert len(sources.valid) == tn.VALID_WORLDS
    with pytest.raises(UsageError, match="nothing to learn from"):
        read(lake, [])


def test_a_world_whose_process_is_killed_is_an_error(lake, monkeypatch):
    monkeypatch.setattr(tn, "part_of_world", dies)
    with pytest.raises(UsageError, match="that lets a world live died"):
        read(lake, [], worlds=1, processes=1)


def test_frames_of_different_length_do_not_mix(lake):
    with pytest.raises(UsageError, match="different length"):
        read(lake, ["ltc"], ["minutes"])


def train(sources, folder, work, **more):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        facts = {"seeds": [4], "recipe": RECIPE, "created": "2026-01-01", "processes": 1}
        return train_network(sources, "m", folder, work, **(facts | more))
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(lake, tmp_path_factory):
    """One small ensemble, with a pool and a world before it."""
    folder = tmp_path_factory.mktemp("trained")
    sources = replace(
        read(lake, ["ltc"], ["pooled"]), before=[Source("w", made_part(700, 3), [])]
    )  # fmt: skip
    card = train(sources, folder / "m", folder / "work", seeds=[4, 5], dropout=0.3,
                 expires_days=90)  # fmt: skip
    return sources, card, folder


def test_the_card_says_what_was_done(trained):
    sources, card, folder = trained
    assert artefact.load_card(folder / "m") == card
    assert card.seeds == [4, 5]
    assert card.members == 2
    assert [s.data for s in card.trained_on] == ["w", "ltc", "pooled"]
    assert card.frames_labelled == sum(s.frames for s in card.trained_on)
    assert card.validated_on[0].start >= card.trained_on[1].end
    onsets = {q.onset_ns for q in sources.train[0].squeezes if q.side == "long"}
    assert card.events_long == len(onsets) > 0
    assert card.expires_days == 90
    assert card.parameters["dropout"] == 0.3
    assert card.parameters["epochs"] == 1.0
    assert "price" in card.feeds
    assert "book" not in card.feeds
    assert "flatter" in card.validation_note


def test_what_is_saved_loads_and_forecasts(trained):
    sources, card, folder = trained
    loaded = artefact.load(folder / "m", STEP)
    part = sources.valid[0].part
    rows = from_scratch(loaded.forecaster, part.end_ns[:600], part.features[:600])
    spoken = rows[:, fc.STATE_AT] == ForecastState.OK
    assert spoken[-300:].all()
    assert np.isfinite(rows[spoken]).all()
    hazards = rows[spoken, : fc.PEAK_AT]
    assert (hazards > 0.0).all()
    assert (hazards.reshape(-1, 2, 13).sum(axis=1) <= 1.0).all()
    assert loaded.index
    assert card.scores.keys() >= {"auc_30_long", "auc_30_short"}


def test_the_same_command_again_trains_nothing_and_writes_the_same(trained):
    sources, card, folder = trained

    def told(*news):
        raise AssertionError(news)

    again = train(sources, folder / "again", folder / "work", seeds=[4, 5], dropout=0.3,
                  expires_days=90, told=told)  # fmt: skip
    assert again == card


def test_calibration_is_fitted_on_the_validation_span_alone(trained):
    sources, _, folder = trained
    saved = artefact.load(folder / "m", STEP).forecaster
    graph, standards, calibration = saved._arguments[:3]
    plain = type(saved)(
        graph, standards, Calibration(), frame_ns=STEP, id="m", schema_hash=saved.schema_hash
    )

    def fitted_on(some):
        parts = [s.part for s in some]
        return calibrated_on([by_forecaster(plain, p) for p in parts], parts).to_bytes()

    assert fitted_on(sources.valid) == calibration.to_bytes()
    assert fitted_on(sources.train) != calibration.to_bytes()


def test_a_search_tries_the_given_recipe_first_keeps_every_trial_and_goes_on(lake, tmp_path):
    pytest.importorskip("optuna")
    import json

    from litehedge.training.search import search_recipe

    sources = read(lake, ["ltc"], until_ns=T0 + 6 * NS_PER_DAY,
                   validate_until_ns=EDGE + 4 * NS_PER_DAY)  # fmt: skip
    recipe = replace(RECIPE, run=256)
    heard = []

    def told(number, text):
        heard.append(number)

    one, dropout = search_recipe(sources, recipe, 1, tmp_path, 0, told)
    assert (one.rate, one.balance, one.cost, dropout) == (
        recipe.rate, recipe.balance, recipe.cost, 0.2
    )  # fmt: skip
    best, dropout = search_recipe(sources, recipe, 2, tmp_path, 0, told)
    assert heard == [1, 2]
    trials = json.loads((tmp_path / "trials.json").read_text())
    assert [t["number"] for t in trials] == [0, 1]
    winner = min(trials, key=lambda t: t["score"])
    assert (best.rate, dropout) == (winner["rate"], winner["dropout"])
    again = search_recipe(sources, recipe, 2, tmp_path, 0, told)
    assert again == (best, dropout)
    assert heard == [1, 2]

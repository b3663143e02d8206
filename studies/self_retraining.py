"""Six simulated months with regime breaks: a model that retrains itself against a frozen one.

Both begin with the same logistic model, fitted to worlds of the kind before the break. Every seed
is one world that lives on while its constants change between months. The one that retrains itself
learns on at the end of each month (and when a trigger fires, looked at weekly), its challengers are
judged by the real gate on what came after they were made, and a promoted one serves from then on;
the alarm may bring the one before it back. Month by month both are scored on the same frames.

    python -m studies.self_retraining --seeds 5 --json out.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from litehedge.config import Settings
from litehedge.features.vector import FeatureSchema, FeatureStream
from litehedge.feeds.replay import EventArrays, merge
from litehedge.hedge.policies import policy_named
from litehedge.market.frames import Frames
from litehedge.model.artefact import load, weights_file
from litehedge.model.baselines.logistic import _INPUTS, LogisticForecaster, LogisticWeights
from litehedge.model.baselines.logistic_anchor import refit
from litehedge.model.baselines.logistic_fit import Sample, standards
from litehedge.report.metrics import cvar5
from litehedge.retraining.gate import Paired, Terms, judge
from litehedge.retraining.judging import AGAIN, alarm
from litehedge.retraining.learner import Recipe, one_thread, refitted
from litehedge.retraining.living import lived_from
from litehedge.retraining.reservoir import Kept, joined, keep
from litehedge.retraining.service import PATIENCE_DAYS, REST_DAYS
from litehedge.retraining.shadow import Hedging, heard, watched
from litehedge.retraining.suite import coarser
from litehedge.retraining.triggers import TriggerTerms, fired, is_over
from litehedge.sim.market.parameters import Parameters, parameters_array
from litehedge.sim.market.step import run_world
from litehedge.sim.market.telling import Teller
from litehedge.sim.study import DAY_S, MINUTE_S, warmed_world
from litehedge.squeeze.labels import catalogue
from litehedge.squeeze.targets import targets
from litehedge.store.bundled import pretrained_folder, tier_table
from litehedge.store.worlds import tables_of
from litehedge.training.samples import PURGE_NS
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND, instant_ns

BAR_NS: Final = 5 * NS_PER_MINUTE
BEGIN_NS: Final = instant_ns("2024-01-01")
MONTH_DAYS: Final = 30
WARM_MONTHS: Final = 1
TRAIN_SEEDS: Final = (31_000, 31_001, 31_002)
TRAIN_DAYS: Final = 150

NEWS: Final[dict[str, float]] = {
    "arch_fast": 0.0, "arch_slow": 0.0, "vol_sd_25m": 0.05, "vol_sd_5h": 0.05, "vol_sd_3d": 0.05,
    "forced_impact": 0.0, "stop_share": 0.0, "news_excitation": 0.0, "btc_news_per_day": 0.4,
    "own_news_per_day": 0.6, "btc_news_size": 0.015, "own_news_size": 0.015,
}  # fmt: skip
CASCADES: Final[dict[str, float]] = {
    "arch_fast": 0.2, "arch_slow": 0.3, "vol_sd_25m": 0.8, "vol_sd_5h": 0.6, "stop_share": 0.8,
    "panic": 3.0, "depth_usdt": 6e5, "patient_capital_usdt": 8e5, "news_excitation": 0.6,
}  # fmt: skip
REGIMES: Final[dict[str, dict[str, float]]] = {
    "usual": {}, "news": NEWS, "cascades": CASCADES,
    "shorts": CASCADES | {
        "long_bias": -0.8, "news_down": 0.8, "news_skew": -0.1, "overshoot_up": 0.5,
        "overshoot_down": 0.1,
    },
    "thin": {
        "depth_usdt": 6e5, "stop_share": 0.8, "panic": 3.0, "patient_capital_usdt": 8e5,
    },
}  # fmt: skip
PATHS: Final = {
    "strong": ("news", "news", "cascades", "cascades", "cascades", "shorts", "shorts"),
    "mild": ("usual", "usual", "thin", "thin", "thin", "shorts", "shorts"),
}
"""The first is what both learnt from and what warms up; then the six months. Strong: squeezes come
from single pieces of news, until they come from crowds that fall over each other. Mild: the book
gets thin."""

Chunk = tuple[EventArrays, pl.DataFrame]


def lived(seed: int, months: tuple[str, ...]) -> list[Chunk]:
    """Let a world live through months of different constants; the first begins at `BEGIN_NS`."""
    begin_s = BEGIN_NS // NS_PER_SECOND
    world = warmed_world(Parameters(**REGIMES[months[0]]), seed, begin_s)
    teller = Teller(seed, MINUTE_S)
    found: list[Chunk] = []
    btc_before = 0.0
    for month in months:
        world.parameters = parameters_array(Parameters(**REGIMES[month]))
        now_s = world.second
        record = run_world(world, MONTH_DAYS * DAY_S, atom_s=MINUTE_S)
        told = teller.tell(record, now_s)
        btc_before = btc_before or float(record["btc"][0])
        tables = dict(tables_of(record, now_s, MINUTE_S, told, btc_before))
        btc_before = float(record["btc"][-1])
        tables["bars"] = coarser(tables.pop("ltc"), BAR_NS)
        tables["btc"] = coarser(tables["btc"], BAR_NS)
        filled = {role: table for role, table in tables.items() if table.height > 0}
        found.append((merge(filled, BAR_NS), tables["bars"]))
    return found


def kept_of(chunks: list[Chunk], seed: int, since_ns: int, until_ns: int) -> Kept:
    """Keep what a retraining replays of a span of a world; nothing after it is used."""
    streams = [events.frames(1) for events, _ in chunks]
    frames = Frames(
        np.concatenate([f.end_ns for f in streams]), np.concatenate([f.values for f in streams]),
        BAR_NS, 1,
    )  # fmt: skip
    seen = frames.end_ns <= until_ns
    frames = Frames(frames.end_ns[seen], frames.values[seen], BAR_NS, 1)
    features = FeatureStream(BAR_NS, 1).batch(frames)
    squeezes = catalogue(frames)
    sample = Sample(
        features, targets(frames, squeezes), np.array([q.severity_bps for q in squeezes])
    )
    rows = frames.end_ns > since_ns
    asked = type(sample.targets)(
        **{f.name: getattr(sample.targets, f.name)[rows] for f in fields(sample.targets)}
    )
    return keep(
        Sample(features[rows], asked, sample.severity_bps), frames.end_ns[rows],
        np.array([q.onset_ns for q in squeezes if q.onset_ns > since_ns], dtype=np.int64),
        np.array([q.side == "long" for q in squeezes if q.onset_ns > since_ns], dtype=np.bool_),
        seed,
    )  # fmt: skip


def first_champion(regime: str) -> tuple[LogisticWeights, list[Kept]]:
    """Fit the model that both begin with, to worlds of that regime."""
    folder = pretrained_folder() / "ltc-5m-logistic"
    card = load(folder, BAR_NS).card
    shipped = LogisticWeights.from_json(json.loads((folder / weights_file(card)).read_bytes()))
    months = (regime,) * (TRAIN_DAYS // MONTH_DAYS)
    kept = []
    for seed in TRAIN_SEEDS:
        chunks = lived(seed, months)
        kept.append(kept_of(chunks, seed, 0, BEGIN_NS + TRAIN_DAYS * NS_PER_DAY))
    features = np.concatenate([k.sample.features for k in kept])
    mean, scale, seen = standards(features[:, _INPUTS])
    trained = np.ones_like(shipped.trained_family)
    blank = replace(
        shipped, mean=mean, scale=scale, seen=seen, trained_family=trained,
        onset=np.zeros_like(shipped.onset), peak=np.zeros_like(shipped.peak),
        phase=np.zeros_like(shipped.phase), vol=np.zeros_like(shipped.vol),
    )  # fmt: skip
    with one_thread():
        # Long before the months that are judged, so that a half-life counts them as old.
        weights = refit(blank, joined(kept, BEGIN_NS, 1e6), strength=500.0)
    return weights, kept


@dataclass
class Serving:
    """Who serves from when, and what happened."""

    weights: LogisticWeights
    changes: list[tuple[int, LogisticWeights]] = field(default_factory=list)
    previous: LogisticWeights | None = None
    since_ns: int = 0
    challenger: LogisticWeights | None = None
    made_ns: int = 0
    judged_ns: int = 0
    tried: int = 0
    log: list[str] = field(default_factory=list)


def model(weights: LogisticWeights, name: str) -> LogisticForecaster:
    """Return weights as a forecaster."""
    return LogisticForecaster(weights, name, FeatureSchema(BAR_NS).hash)


def cut(chunks: list[Chunk], until_ns: int) -> Iterator[Chunk]:
    """Yield what was known up to a moment."""
    for events, bars in chunks:
        known = events.known_ns <= until_ns
        if not known.any():
            return
        some = EventArrays(
            events.kinds[known],
            events.event_ns[known],
            events.known_ns[known],
            events.values[known],
            events.interval_ns,
        )
        yield some, bars.filter(pl.col("event_ns") <= until_ns)


def run(
    seed: int, path: tuple[str, ...], begin: LogisticWeights, base: list[Kept], terms: Terms
) -> dict[str, Any]:  # fmt: skip
    """Live six months with one seed; return what both were worth in each, and what was done."""
    chunks = lived(seed, path)
    start_ns = BEGIN_NS + WARM_MONTHS * MONTH_DAYS * NS_PER_DAY
    settings = Settings()
    hedging = Hedging(
        settings, tier_table(settings.venue.name, settings.venue.symbol),
        policy_named("plugin", settings),
    )  # fmt: skip
    room = sum(bars.height for _, bars in chunks) + 2
    serving = Serving(begin, [(start_ns, begin)])
    days = MONTH_DAYS * len(path[1:])
    for day in range(7, days + 1):
        if day % 7 and day % MONTH_DAYS:
            continue
        now_ns = start_ns + day * NS_PER_DAY

        def pair(one: LogisticWeights, other: LogisticWeights, since_ns: int, until_ns: int) -> Any:
            return watched(
                f"seed {seed}", BAR_NS, lambda: cut(chunks, until_ns),
                (model(one, "one"), model(other, "other")), hedging, since_ns, room,
            )  # fmt: skip

        if serving.previous is not None and now_ns - serving.since_ns > NS_PER_DAY:
            trouble = alarm(pair(serving.previous, serving.weights, serving.since_ns, now_ns), seed)
            if trouble:
                serving.weights, serving.previous = serving.previous, None
                serving.changes.append((now_ns, serving.weights))
                serving.log.append(f"day {day}: rolled back: {trouble}")
        if serving.challenger is not None:
            waited = now_ns - serving.made_ns
            if waited >= terms.least_days * NS_PER_DAY and waited >= AGAIN * serving.judged_ns:
                serving.judged_ns = waited
                shadow = pair(
                    serving.weights, serving.challenger, serving.made_ns + PURGE_NS, now_ns
                )
                verdict = judge(shadow, [], tried=serving.tried + 1, terms=terms, seed=seed)
                serving.tried += verdict.skill is not None
                serving.log.append(f"day {day}: {verdict.words()}")
                if verdict.decision == "promote":
                    serving.previous, serving.weights = serving.weights, serving.challenger
                    serving.since_ns = now_ns
                    serving.changes.append((now_ns, serving.weights))
                if verdict.decision != "wait":
                    serving.challenger = None
        cause = "schedule" if day % MONTH_DAYS == 0 else ""
        if not cause and serving.challenger is None:
            said = heard("lived", BAR_NS, cut(chunks, now_ns), model(serving.weights, "champion"),
                         start_ns, room)  # fmt: skip
            seen = lived_from(said, now_ns)
            found = fired(
                seen, TriggerTerms(), max(serving.made_ns, now_ns - REST_DAYS * NS_PER_DAY)
            )
            if found and is_over(seen.squeezes, now_ns):
                cause = str(found[0].cause)
        is_pending = serving.challenger is not None and (
            now_ns - serving.made_ns < PATIENCE_DAYS * NS_PER_DAY
        )
        if cause and not is_pending:
            mine = kept_of(chunks, seed, BEGIN_NS + NS_PER_DAY, now_ns)
            serving.challenger = refitted(serving.weights, [*base, mine], now_ns, Recipe())
            serving.made_ns, serving.judged_ns = now_ns, 0
            serving.log.append(f"day {day}: retrained ({cause})")
    months = months_of(chunks, path[1:], serving, begin, hedging, start_ns, room, seed)
    return {"seed": seed, "log": serving.log, "months": months}


class Relay(LogisticForecaster):
    """Whoever serves at a moment speaks."""

    def __init__(self, changes: list[tuple[int, LogisticWeights]]) -> None:
        super().__init__(changes[0][1], "relay", FeatureSchema(BAR_NS).hash)
        self._changes = [(at, model(w, "served")) for at, w in changes]

    def batch(self, memory: Any, phases: Any, end_ns: Any, features: Any) -> Any:
        """Return the rows of frames, each by who served then."""
        out = self._changes[0][1].batch(memory, phases, end_ns, features)
        for at, one in self._changes[1:]:
            later = end_ns > at
            if later.any():
                out[later] = one.batch(memory, phases[later], end_ns[later], features[later])
        return out


def months_of(
    chunks: list[Chunk], path: tuple[str, ...], serving: Serving, begin: LogisticWeights,
    hedging: Hedging, start_ns: int, room: int, seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Score both month by month on the same frames."""
    rows = []
    for number, regime in enumerate(path):
        since_ns = start_ns + number * MONTH_DAYS * NS_PER_DAY
        until_ns = since_ns + MONTH_DAYS * NS_PER_DAY
        both = watched(
            regime,
            BAR_NS,
            lambda until_ns=until_ns: cut(chunks, until_ns),
            (model(begin, "frozen"), Relay(serving.changes)),
            hedging,
            since_ns,
            room,
        )
        paired = Paired.of(both, seed)
        rows.append(
            {
                "month": number + 1, "regime": regime, "squeezes": paired.events,
                "loss_frozen": float(np.nanmean(paired.champion)),
                "loss_self": float(np.nanmean(paired.challenger)),
                "gain": paired.gain().value,
                "mean_frozen": float(both.outcomes.champion.mean()),
                "mean_self": float(both.outcomes.challenger.mean()),
                "cvar_frozen": cvar5(both.outcomes.champion),
                "cvar_self": cvar5(both.outcomes.challenger),
            }
        )  # fmt: skip
    return rows


def main() -> None:
    """Run the study and print it."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--first", type=int, default=41_000)
    asked.add_argument("--path", choices=tuple(PATHS), default="strong")
    asked.add_argument("--json", type=Path, default=None)
    given = asked.parse_args()
    path = PATHS[given.path]
    begin, base = first_champion(path[0])
    found = []
    for seed in range(given.first, given.first + given.seeds):
        one = run(seed, path, begin, base, Terms())
        found.append(one)
        print(f"seed {seed}")
        for line in one["log"]:
            print(f"  {line}")
        for row in one["months"]:
            print("  " + "  ".join(
                f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
            ), flush=True)  # fmt: skip
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()

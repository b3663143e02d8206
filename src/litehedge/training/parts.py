"""Parts of history and of simulated worlds, as networks and baselines learn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from litehedge.features.vector import FeatureStream
from litehedge.market.frames import Frames
from litehedge.model.baselines.part import Part
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.telling import Teller
from litehedge.sim.oracle.truth import live_minutes
from litehedge.sim.study import MINUTE_S, warmed_world
from litehedge.squeeze.labels import Squeeze, catalogue
from litehedge.squeeze.targets import Targets, targets
from litehedge.squeeze.times import Times, passage_times, squeeze_times
from litehedge.store.worlds import events_of_world
from litehedge.training.samples import Prepared
from litehedge.units import MINUTES_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND


def part_of(prepared: Prepared, edge_ns: int) -> Part:
    """Return a sample from the lake with every task; nothing after `edge_ns` is used."""
    percent, sigma = passage_times(prepared.frames, edge_ns=edge_ns)
    return Part(
        end_ns=prepared.frames.end_ns,
        frame_ns=prepared.frames.frame_ns,
        features=prepared.sample.features,
        values=prepared.frames.values,
        tasks={
            "squeeze": squeeze_times(prepared.sample.targets), "percent": percent, "sigma": sigma,
        },
        targets=prepared.sample.targets,
        severity_bps=prepared.sample.severity_bps,
    )  # fmt: skip


def part_of_world(
    seed: int, begin_s: int, days: int, frame_minutes: int = 1, parameters: Parameters | None = None
) -> tuple[Part, list[Squeeze]]:
    """Let a world live so many days and return what can be seen of it, as frames of one phase.

    Parameters
    ----------
    begin_s
        When it begins, in seconds since 1970; it has lived some days before.
    """
    world = warmed_world(parameters or Parameters(), seed, begin_s)
    record = live_minutes(world, days * int(MINUTES_PER_DAY))
    told = Teller(seed, MINUTE_S).tell(record, begin_s)
    events, _ = events_of_world(record, begin_s, MINUTE_S, told, float(record["btc"][0]))
    frames = events.frames(frame_minutes)
    features = FeatureStream(MINUTE_S * NS_PER_SECOND, frame_minutes).batch(frames)
    one = frames.phases == 0
    frames = Frames(
        frames.end_ns[one], np.ascontiguousarray(frames.values[one]),
        frame_minutes * NS_PER_MINUTE, 1,
    )  # fmt: skip
    squeezes = catalogue(frames)
    asked = targets(frames, squeezes)
    percent, sigma = passage_times(frames)
    part = Part(
        end_ns=frames.end_ns,
        frame_ns=frames.frame_ns,
        features=features[one],
        values=np.ascontiguousarray(frames.values[:, :6]),
        tasks={"squeeze": squeeze_times(asked), "percent": percent, "sigma": sigma},
        targets=asked,
        severity_bps=np.array([q.severity_bps for q in squeezes]),
    )
    return part, squeezes


def joined_parts(parts: Sequence[Part]) -> Part:
    """Return parts that follow one another as one; their squeezes are numbered through."""
    if len(parts) == 1:
        return parts[0]
    events = np.cumsum([0, *(p.severity_bps.size for p in parts[:-1])]).tolist()

    def column(name: str) -> Any:
        return np.concatenate([getattr(p.targets, name) for p in parts])

    asked = {field.name: column(field.name) for field in fields(Targets)}
    asked["event"] = np.concatenate(
        [np.where(p.targets.event >= 0, p.targets.event + n, -1)
         for p, n in zip(parts, events, strict=True)]
    )  # fmt: skip
    tasks = {
        task: Times(
            np.concatenate([p.tasks[task].minutes for p in parts]),
            np.concatenate([p.tasks[task].happened for p in parts]),
            np.concatenate([p.tasks[task].at_risk for p in parts]),
            one.competing,
        )
        for task, one in parts[0].tasks.items()
    }
    return Part(
        end_ns=np.concatenate([p.end_ns for p in parts]),
        frame_ns=parts[0].frame_ns,
        features=np.concatenate([p.features for p in parts]),
        values=np.concatenate([p.values for p in parts]),
        tasks=tasks,
        targets=Targets(**asked),
        severity_bps=np.concatenate([p.severity_bps for p in parts]),
    )

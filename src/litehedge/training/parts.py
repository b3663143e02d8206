"""Parts of history and of simulated worlds, as networks and baselines learn from them."""

from __future__ import annotations

import numpy as np

from litehedge.features.vector import FeatureStream
from litehedge.market.frames import Frames
from litehedge.model.baselines.part import Part
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.telling import Teller
from litehedge.sim.oracle.truth import live_minutes
from litehedge.sim.study import MINUTE_S, warmed_world
from litehedge.squeeze.labels import Squeeze, catalogue
from litehedge.squeeze.targets import targets
from litehedge.squeeze.times import passage_times, squeeze_times
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

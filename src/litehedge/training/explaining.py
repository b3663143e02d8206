"""One moment of a data set, for `model.explaining`: its frames, from what was known then."""

from __future__ import annotations

from typing import Final

import numpy as np

from litehedge.errors import UsageError
from litehedge.features.vector import FeatureStream
from litehedge.market.frames import FrameFold
from litehedge.model.explaining import Moment
from litehedge.model.layout import AGES
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import WARM_UP_NS, event_chunks, per_frame_of
from litehedge.units import iso_utc

FED: Final = 10 * AGES
"""Frames that a network lives through before it is asked; what it saw earlier has faded."""


def moment(lake: Lake, dataset: Dataset, at_ns: int) -> Moment:
    """Read the frames that had ended by `at_ns`, the last of them less than a frame ago.

    Of bars below a minute those frames that end where the last one does. Features warm up on 31
    days.

    Raises
    ------
    UsageError
        When the data set has no bar that ended just before.
    """
    per_frame = per_frame_of(dataset.interval_ns)
    frame_ns = dataset.interval_ns * per_frame
    fold = FrameFold(dataset.interval_ns, per_frame)
    stream = FeatureStream(dataset.interval_ns, per_frame)
    ends, phases, features = [np.empty(0, dtype=np.int64)], [], []
    begin = max(dataset.start_ns, at_ns - WARM_UP_NS)
    for events, _ in event_chunks(lake, dataset, begin, min(at_ns, dataset.end_ns)):
        frames = fold.push_arrays(events.kinds, events.known_ns, events.values)
        ends.append(frames.end_ns)
        phases.append(frames.phases)
        features.append(stream.batch(frames))
    end_ns = np.concatenate(ends)
    if end_ns.size == 0 or at_ns - end_ns[-1] >= frame_ns:
        raise UsageError(
            f"{dataset.name} has no bars just before {iso_utc(at_ns)}",
            f"it covers {dataset.span}; for gaps see: litehedge data check {dataset.name}",
        )
    phase = np.concatenate(phases)
    mine = np.flatnonzero(phase == phase[-1])[-FED:]
    return Moment(dataset.name, frame_ns, end_ns[mine], np.concatenate(features)[mine])

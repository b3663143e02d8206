"""What a champion said since it serves, and what came of it: what triggers look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.errors import UsageError
from litehedge.feeds.replay import EventArrays
from litehedge.model.measures.course import severity_rows
from litehedge.model.measures.likelihood import log_loss
from litehedge.model.measures.trial import Trial
from litehedge.retraining.shadow import Heard, heard
from litehedge.retraining.triggers import Lived
from litehedge.squeeze import conformal as cf
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import Forecaster, ForecastState
from litehedge.squeeze.labels import SIDES, Squeeze
from litehedge.squeeze.targets import Targets
from litehedge.squeeze.times import squeeze_times
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import WARM_UP_NS, event_chunks
from litehedge.training.judging.adaptive import KNOWN_AFTER_MIN
from litehedge.units import NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_KNOWN_AFTER_NS: Final = round(KNOWN_AFTER_MIN * NS_PER_MINUTE)


def lived_of(
    lake: Lake, dataset: Dataset, champion: Forecaster, start_ns: int, end_ns: int
) -> Lived | None:
    """Run the champion over what the lake holds of a span; None where that is nothing.

    Raises
    ------
    DataError
        When the data set cannot be read.
    """
    start_ns, end_ns = max(start_ns, dataset.start_ns), min(end_ns, dataset.end_ns)
    if start_ns >= end_ns:
        return None

    def chunks() -> Iterator[tuple[EventArrays, pl.DataFrame]]:
        begin = max(dataset.start_ns, start_ns - WARM_UP_NS)
        return event_chunks(lake, dataset, begin, end_ns)

    room = int((end_ns - start_ns) // dataset.interval_ns) + 2
    try:
        said = heard(dataset.name, dataset.interval_ns, chunks(), champion, start_ns, room)
    except UsageError:
        return None
    return lived_from(said, end_ns)


def lived_from(said: Heard, end_ns: int) -> Lived:
    """Return what triggers look at of what was said up to a moment."""
    targets, squeezes = said.targets(end_ns)
    trial = Trial.of(squeeze_times(targets), said.end_ns, draws=1)
    loss = log_loss(trial, said.onset)[:, 0]
    is_whole = said.rows[:, fc.STATE_AT] == ForecastState.OK
    confidence = np.where(is_whole, said.rows[:, fc.CONFIDENCE_AT], np.nan)
    covered, covered_ns = coverage(said, targets, squeezes, end_ns)
    return Lived(said.end_ns, loss, confidence, covered, covered_ns, squeezes)


def coverage(
    said: Heard, targets: Targets, squeezes: list[Squeeze], now_ns: int
) -> tuple[Floats, Ints]:
    """Return which share of the adaptive intervals of severity held each squeeze that is over.

    Returns
    -------
    tuple
        Shares and when they were known, ``(event,)``, in the order of time.
    """
    severity = said.rows[:, fc.SEVERITY_AT : fc.PHASE_AT].reshape(-1, 2, fc.N_SEVERITY)
    came = np.array([q.severity_bps for q in squeezes])
    peaks = np.array([q.peak_ns for q in squeezes], dtype=np.int64)
    parts: list[tuple[Any, ...]] = []
    for side in range(len(SIDES)):
        told = np.isfinite(severity[:, side]).all(axis=1)
        at = np.flatnonzero(severity_rows(targets, side) & told)
        event = targets.event[at, side]
        known = np.maximum(peaks[event], said.end_ns[at]) + _KNOWN_AFTER_NS
        over = known <= now_ns
        parts.append((severity[at[over], side], said.end_ns[at[over]], known[over],
                      np.full(int(over.sum()), side), event[over]))  # fmt: skip
    quantiles, issued, known, sides, events = (np.concatenate(p) for p in zip(*parts, strict=True))
    if issued.size == 0:
        return np.empty(0), np.empty(0, np.int64)
    replayed = cf.replay(
        lambda i, alpha: cf.severity_interval(quantiles[i], fc.SEVERITY_LEVELS, alpha),
        issued, known, sides, events, came[events],
    )  # fmt: skip
    numbers, place = np.unique(events, return_inverse=True)
    shares = np.bincount(place, weights=replayed.covered) / np.bincount(place)
    over_ns = np.full(numbers.size, np.iinfo(np.int64).min)
    np.maximum.at(over_ns, place, known)
    order = np.argsort(over_ns, kind="stable")
    return shares[order], over_ns[order]

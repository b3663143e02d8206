"""Leave one crisis out: how is it foretold by who has never seen anything like it?"""

from __future__ import annotations

from litehedge.squeeze.crises import CRISES, Span
from litehedge.store.lake import Dataset, Lake
from litehedge.training.network import Source
from litehedge.training.parts import part_of
from litehedge.training.samples import PURGE_NS, Progress, prepare
from litehedge.units import instant_ns

__all__ = ["CRISES", "Span", "during", "without"]
# A crisis that is not over before learning ends is not judged: nobody learns from it anyway.


def without(
    lake: Lake, datasets: list[Dataset], crisis: Span, until_ns: int, say: Progress
) -> list[Source]:
    """Return what lies before and after a crisis, purged by eight hours on both sides."""
    found = []
    for start_ns, end_ns in (
        (0, min(instant_ns(crisis.start) - PURGE_NS, until_ns)),
        (instant_ns(crisis.end) + PURGE_NS, until_ns),
    ):
        if end_ns <= start_ns:
            continue
        for dataset in datasets:
            one = prepare(lake, dataset, start_ns, end_ns, say)
            if one is not None:
                found.append(Source(dataset.name, part_of(one, end_ns), one.squeezes))
    return found


def during(lake: Lake, dataset: Dataset, crisis: Span, say: Progress) -> Source | None:
    """Return the crisis itself, None where the data set does not hold it."""
    end_ns = instant_ns(crisis.end)
    one = prepare(lake, dataset, instant_ns(crisis.start), end_ns, say)
    return None if one is None else Source(dataset.name, part_of(one, end_ns), one.squeezes)

"""The replay on disk: months of the lake, reduced to what is kept of them, each a checkpoint.

A month is read once. What is kept of it lies in a file that is named by the hash of everything it
came from, so that a retraining that was killed, and every later one, goes on where it was; a month
whose rows changed since is read again.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from litehedge.features.vector import FeatureSchema
from litehedge.model.baselines.logistic_fit import Sample
from litehedge.retraining.reservoir import CALM_PER_KIND, Kept, keep
from litehedge.squeeze.labels import spec_hash
from litehedge.squeeze.targets import Targets
from litehedge.store.durable import write_whole
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import WARM_UP_NS, per_frame_of
from litehedge.training.samples import PURGE_NS, Prepared, prepare
from litehedge.units import NS_PER_SECOND

FORMAT: Final = 1
Told = Callable[[str, float], None]
"""Told what is being done, and which share of it is done."""


def months_of(dataset: Dataset, until_ns: int) -> list[tuple[int, int]]:
    """Return the months of a data set up to a moment as pairs of instants in ns (UTC)."""
    end_ns = min(dataset.end_ns, until_ns)
    at = datetime.fromtimestamp(dataset.start_ns / 1e9, UTC)
    year, month = at.year, at.month
    found: list[tuple[int, int]] = []
    while True:
        start_ns = _begin_ns(year, month)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        if start_ns >= end_ns:
            return found
        found.append((max(start_ns, dataset.start_ns), min(_begin_ns(year, month), end_ns)))


def _begin_ns(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * NS_PER_SECOND


def kept_of(prepared: Prepared, end_ns: int, seed: int, most: int = CALM_PER_KIND) -> Kept:
    """Keep what is to be replayed of a stretch that was read a little beyond its end."""
    inside = prepared.frames.end_ns <= end_ns
    mine = [q for q in prepared.squeezes if q.onset_ns <= end_ns]
    asked = prepared.sample.targets
    sample = Sample(
        prepared.sample.features[inside],
        Targets(**{f.name: getattr(asked, f.name)[inside] for f in fields(Targets)}),
        prepared.sample.severity_bps,
    )
    return keep(
        sample, prepared.frames.end_ns[inside],
        np.array([q.onset_ns for q in mine], dtype=np.int64),
        np.array([q.side == "long" for q in mine], dtype=np.bool_), seed, most,
    )  # fmt: skip


def replay_of(
    lake: Lake, datasets: Sequence[Dataset], until_ns: int, folder: Path, *, seed: int = 0,
    told: Told = lambda what, share: None,
) -> list[Kept]:  # fmt: skip
    """Return what is kept of every month of every data set, read or remembered.

    Parameters
    ----------
    until_ns
        Nothing after it is used, labels included.
    folder
        Where months are remembered; what no data set needs any more is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(d, *month) for d in datasets for month in months_of(d, until_ns)]
    found: list[Kept] = []
    used = set()
    for number, (dataset, start_ns, end_ns) in enumerate(jobs):
        told(f"reading {dataset.name}", number / len(jobs))
        edge_ns = min(end_ns + PURGE_NS, until_ns)
        key = _key(lake, dataset, start_ns, edge_ns, seed)
        path = folder / f"{key}.npz"
        used.add(path.name)
        one = _remembered(path)
        if one is None:
            prepared = prepare(lake, dataset, start_ns, edge_ns)
            if prepared is None:
                continue
            one = kept_of(prepared, end_ns, seed)
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **one.arrays())
            write_whole(path, buffer.getvalue())
        found.append(one)
    for stale in folder.glob("*.npz"):
        if stale.name not in used:
            stale.unlink(missing_ok=True)
    return found


def _remembered(path: Path) -> Kept | None:
    """Return a month that was read before; one that cannot be read is as good as none."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return Kept.from_arrays(dict(arrays))
    except Exception:  # zip, format and missing arrays have no common base
        return None


def _key(lake: Lake, dataset: Dataset, start_ns: int, edge_ns: int, seed: int) -> str:
    """Hash what a month is made of: its rows and those that warm it up, features, labels, draw."""
    schema = FeatureSchema(dataset.interval_ns * per_frame_of(dataset.interval_ns)).hash
    hashed = hashlib.sha256(
        f"{FORMAT} {dataset.name} {start_ns} {edge_ns} {seed} {schema} {spec_hash()}".encode()
    )
    begin_ns = start_ns - WARM_UP_NS
    for one in (dataset, *lake.companions(dataset).values()):
        low, high = _month(begin_ns), _month(edge_ns)
        for part in one.parts:
            if low <= part.month[:7] <= high:
                path = lake.part(one, part.month)
                hashed.update(f"{one.name} {part.month} {part.rows} {path.stat().st_size}".encode())
    return hashed.hexdigest()[:32]


def _month(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m")

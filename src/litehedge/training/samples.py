"""Samples from the lake: frames, features, and targets that know nothing after their edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.features.vector import FeatureStream
from litehedge.market import schema as sc
from litehedge.market.frames import FrameFold, Frames
from litehedge.model.artefact import Span
from litehedge.model.baselines.logistic_fit import Sample
from litehedge.squeeze.labels import SNAPSHOT_MINUTES, Side, Squeeze, catalogue
from litehedge.squeeze.targets import targets
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import WARM_UP_NS, event_chunks, per_frame_of
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND, iso_utc

Progress = Callable[[str], None]

PURGE_NS: Final = 8 * 3600 * NS_PER_SECOND
"""Between training and validation: the horizon of the labels and the longest squeeze."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Frames of one data set with their features, and the sample that training sees."""

    dataset: Dataset
    frames: Frames
    sample: Sample
    squeezes: list[Squeeze]

    def before(self, squeeze: Squeeze) -> dict[str, float]:
        """Return the market thirty minutes before an onset; NaN where it was not known.

        Price in USDT, moves as log returns, volatilities as multiples of the slow one, the last
        funding rate in bps, the change of open interest, the 60-minute move of Bitcoin.
        """
        at = int(
            np.searchsorted(
                self.frames.end_ns,
                squeeze.onset_ns - int(SNAPSHOT_MINUTES * NS_PER_MINUTE),
                side="right",
            )
        )
        vector = self.sample.features[at - 1] if at > 0 else np.full(fv.N_FEATURES, np.nan)
        price = float(self.frames.values[at - 1, sc.CLOSE]) if at > 0 else float("nan")
        value = {name: float(vector[i]) for name, i in fv.INDEX.items()}
        sigma = np.exp(value["log_sigma"])
        return {
            "price": price,
            "move_60m": value["ret_60m"] * sigma * np.sqrt(60.0),
            "move_240m": value["ret_240m"] * sigma * np.sqrt(240.0),
            "vol_ratio_60m": float(np.exp(value["vol_60m"])),
            "volume_ratio_60m": float(np.exp(value["volume_60m"])),
            "funding_bps": value["funding_bps"],
            "oi_60m": value["oi_60m"],
            "btc_ret_60m_sigma": value["btc_ret_60m"],
        }

    def span(self) -> Span:
        """Return the span for the card."""
        ends = self.frames.end_ns
        return Span(
            self.dataset.name, iso_utc(int(ends[0])), iso_utc(int(ends[-1])), len(self.frames)
        )


def prepare(
    lake: Lake, dataset: Dataset, start_ns: int, end_ns: int, say: Progress = lambda _: None
) -> Prepared | None:
    """Read frames ``start < end_ns <= end``, their features, and targets that end at the edge.

    Features warm up on what lies before the start; labels use nothing after the edge. Returns
    None when the data set has nothing in the span.
    """
    if dataset.end_ns <= start_ns or dataset.start_ns >= end_ns:
        return None
    say(f"reading {dataset.name}")
    per_frame = per_frame_of(dataset.interval_ns)
    fold = FrameFold(dataset.interval_ns, per_frame)
    stream = FeatureStream(dataset.interval_ns, per_frame)
    ends, values, features = [], [], []
    begin = max(dataset.start_ns, start_ns - WARM_UP_NS)
    for events, _ in event_chunks(lake, dataset, begin, min(end_ns, dataset.end_ns)):
        frames = fold.push_arrays(events.kinds, events.known_ns, events.values)
        vectors = stream.batch(frames)
        one = frames.phases == 0  # one label set per frame: phases would repeat each squeeze
        ends.append(frames.end_ns[one])
        values.append(frames.values[one])
        features.append(vectors[one])
    if not ends:
        return None
    frame_ns = dataset.interval_ns * per_frame
    frames = Frames(np.concatenate(ends), np.concatenate(values), frame_ns, 1)
    squeezes = catalogue(frames)
    kept = (frames.end_ns > start_ns) & (frames.end_ns <= end_ns)
    if not kept.any():
        return None
    inside = Frames(frames.end_ns[kept], frames.values[kept], frame_ns, 1)
    mine = [q for q in squeezes if start_ns < q.onset_ns <= end_ns]
    sample = Sample(
        np.concatenate(features)[kept],
        targets(inside, mine, edge_ns=end_ns),
        np.array([q.severity_bps for q in mine]),
    )
    return Prepared(dataset, inside, sample, mine)


def distinct(catalogues: Sequence[Sequence[Squeeze]], side: Side) -> int:
    """Count squeezes; the same one in spot and perpetual (onsets within an hour) counts once."""
    seen = np.empty(0)
    for squeezes in catalogues:
        onsets = np.array([q.onset_ns for q in squeezes if q.side == side], dtype=np.float64)
        apart = np.abs(onsets[:, np.newaxis] - seen).min(axis=1, initial=np.inf)
        seen = np.concatenate((seen, onsets[apart > NS_PER_HOUR]))
    return int(seen.size)


def prepare_all(
    lake: Lake, datasets: list[Dataset], start_ns: int, end_ns: int, say: Progress, what: str
) -> list[Prepared]:
    """Prepare every data set that has something in the span.

    Raises
    ------
    UsageError
        When none has.
    """
    found = [p for d in datasets if (p := prepare(lake, d, start_ns, end_ns, say)) is not None]
    if not found:
        raise UsageError(
            f"no data for {what} between {iso_utc(start_ns)} and {iso_utc(end_ns)}",
            "; ".join(f"{d.name} covers {d.span}, perhaps with gaps" for d in datasets)
            + "; choose --validate-from, --validate-until and --until inside",
        )
    return found

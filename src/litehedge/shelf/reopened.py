"""A past decision reopened: what the model knew then, lived through again from the journal.

Features, memory and phase are rebuilt by the code that the engine runs, from the events that it was
given, so that the forecast comes out as it was, and what it rested on can be asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.effects import Decision
from litehedge.features.vector import FeatureStream
from litehedge.market import events as ev
from litehedge.market import schema as sc
from litehedge.market.frames import FrameFold
from litehedge.market.rows import N_VALUES, row_of
from litehedge.model.artefact import Artefact
from litehedge.model.explaining import Explained, Moment, explain_frame, live
from litehedge.squeeze.forecast import STATE_AT, ForecastState, outlook_of
from litehedge.store.lookback import Found, Past
from litehedge.units import NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MARKET: Final = frozenset(get_args(ev.MarketEvent))


@dataclass(frozen=True, slots=True)
class Reopened:
    """A decision's forecast, made again and taken apart.

    `is_same` tells whether it came out as the journal has it, to the last bit; `frames` is how
    many frames the model lived through; `attention` is a network's share for every frame before,
    the newest first, else empty.
    """

    explained: Explained
    is_same: bool
    frames: int
    attention: list[float]


def reopen(
    past: Past,
    found: Found,
    loaded: Artefact,
    reached: Callable[[float], Any] = lambda share: None,
    from_ns: int = 0,
) -> Reopened | None:
    """Make a decision's forecast again; None where no frame had ended before it.

    Parameters
    ----------
    loaded
        The model that decided.
    reached
        Is told how much is done, from 0 to 1.
    from_ns
        The model lived through frames that ended from then on; 0: through all of the run.

    Raises
    ------
    JournalError
        When the events that led to it are not all there.
    UsageError
        When nothing is known of how such a model forecasts.
    """
    header = past.header(found.run_id)
    atom_ns, per_frame = header.atom_ns, header.per_frame

    def told() -> Iterator[list[ev.AnyEvent]]:
        for first, batch in past.events(found.run_id, found.event):
            reached(0.9 * first / max(1, found.event))
            yield batch

    phase = found.decision.time_ns // atom_ns % per_frame
    end_ns, features, last = frames_of(told(), atom_ns, per_frame, phase)
    if last >= 0 and last != phase:  # decided between two frames, on the signals of the last one
        end_ns, features, _ = frames_of(told(), atom_ns, per_frame, last)
    lived_through = end_ns >= from_ns
    end_ns, features = end_ns[lived_through], features[lived_through]
    if end_ns.size == 0:
        return None
    moment = Moment(header.session, atom_ns * per_frame, end_ns, features)
    lived = live(loaded.forecaster, end_ns, features)
    reached(0.95)
    explained = explain_frame(loaded, moment, lived)
    shares = lived.attention.mean(axis=0)
    attention = [float(x) for x in shares / shares.sum()] if np.isfinite(shares).all() else []
    same = is_same(found.decision, lived.row)
    return Reopened(explained, same, int(end_ns.size), attention)


def prices_after(past: Past, found: Found, minutes: Iterable[int]) -> dict[int, float]:
    """Return the last price that was known so many minutes after a decision, as far as told."""
    wanted = sorted(minutes)
    told: dict[int, float] = {}
    price, now_ns = found.decision.price, found.decision.time_ns
    for _, batch in past.after(found.run_id, found.event):
        for event in batch:
            while wanted and event.known_ns >= now_ns + wanted[0] * NS_PER_MINUTE:
                told[wanted.pop(0)] = price
            if not wanted:
                return told
            price = _price_of(event, price)
    return told


def _price_of(event: ev.AnyEvent, before: float) -> float:
    """Return the price that an event tells, else the one before."""
    if isinstance(event, ev.Book):
        price = 0.5 * (event.bid + event.ask)
    elif isinstance(event, ev.Trade):
        price = event.price
    elif isinstance(event, ev.Bar) and event.asset == "LTC":
        price = event.close
    else:
        return before
    return price if 0.0 < price < np.inf else before


def frames_of(
    batches: Iterable[list[ev.AnyEvent]], atom_ns: int, per_frame: int, phase: int
) -> tuple[Ints, Floats, int]:
    """Fold events into the frames of one phase that had a price, as the engine does.

    Returns
    -------
    tuple
        Ends ``(frame,)`` and features ``(frame, feature)``; the phase of the very last frame with
        a price of any phase, -1 without one.
    """
    fold, stream = FrameFold(atom_ns, per_frame), FeatureStream(atom_ns, per_frame)
    ends, features, last = [np.empty(0, np.int64)], [np.empty((0, 0))], -1
    for batch in batches:
        market = [event for event in batch if type(event) in _MARKET]
        if not market:
            continue
        rows = [row_of(event) for event in market]  # type: ignore[arg-type]
        frames = fold.push_arrays(
            np.array([row[0] for row in rows], dtype=np.int8),
            np.array([event.known_ns for event in market], dtype=np.int64),
            np.array([row[1:] for row in rows]).reshape(-1, N_VALUES),
        )
        found = stream.batch(frames)
        priced = np.isfinite(frames.values[:, sc.CLOSE])
        if priced.any():
            last = int(frames.phases[priced][-1])
        mine = priced & (frames.phases == phase)
        ends.append(frames.end_ns[mine])
        features.append(found[mine])
    kept = [part for part in features if part.size]
    return np.concatenate(ends), np.concatenate(kept) if kept else np.empty((0, 0)), last


def is_same(decision: Decision, row: Floats) -> bool:
    """Tell whether a forecast row ``(N_FORECAST,)`` is the one that a decision was made on."""
    state = int(row[STATE_AT])
    if decision.forecast_state != state:
        return False
    if state >= ForecastState.COLD:
        return decision.outlook is None
    return decision.outlook is not None and _equal(decision.outlook, outlook_of(row))


def _equal(one: Any, other: Any) -> bool:
    """Compare to the last bit; what is not a number equals itself."""
    return msgspec.msgpack.encode(one) == msgspec.msgpack.encode(other)

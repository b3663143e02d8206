"""The shadow run: champion and challenger over the same frames, which neither learnt from.

The frames are those that were recorded after the challenger was registered: then it could know
nothing of them, whatever it was trained on. Both are run over them from the lake, here, in a
process of its own: a session that trades is not asked and not slowed down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge import backtest as bt
from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.feeds.replay import EventArrays
from litehedge.hedge.policies import Policy
from litehedge.margin.tiers import TierTable
from litehedge.market import schema as sc
from litehedge.market.frames import Frames
from litehedge.model.measures.strata import kinds_of_market
from litehedge.report.metrics import episode_returns
from litehedge.retraining.gate import Watched
from litehedge.retraining.outcome import Outcomes
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import Forecaster, Memory
from litehedge.squeeze.hazard import N_ONSET
from litehedge.squeeze.labels import SIDES, Squeeze
from litehedge.squeeze.targets import Targets, targets
from litehedge.squeeze.times import squeeze_times
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import WARM_UP_NS, Tape, event_chunks, per_frame_of, tape_of
from litehedge.units import NS_PER_DAY, NS_PER_HOUR

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EPISODE_NS: Final = NS_PER_DAY
EVERY_NS: Final = 4 * NS_PER_HOUR
"""Positions of both sides are opened so often, and held so long."""

_READ: Final = (fv.LOG_SIGMA, fv.INDEX["ret_1440m"], fv.FUNDING_BPS)
Chunks = Iterable[tuple[EventArrays, pl.DataFrame]]


@dataclass(frozen=True, slots=True)
class Hedging:
    """How positions are held and hedged while models are compared."""

    settings: Settings
    tiers: TierTable
    policy: Policy


@dataclass(frozen=True, slots=True)
class Heard:
    """What one model said of a span.

    Shapes, of the frames of one phase: `end_ns` ``(frame,)``; `rows` ``(frame, N_FORECAST)``;
    `read` ``(frame, 3)``: log volatility, move of a day, funding.
    """

    tape: Tape
    end_ns: Ints
    rows: Floats
    read: Floats

    @property
    def onset(self) -> Floats:
        """Hazards of the onset, ``(frame, side, 13)``."""
        return self.rows[:, fc.ONSET_AT : fc.PEAK_AT].reshape(-1, 2, N_ONSET)

    def targets(self, edge_ns: int) -> tuple[Targets, list[Squeeze]]:
        """Return what came of every frame, up to the edge, and the squeezes among them."""
        squeezes = [q for q in self.tape.squeezes if self.end_ns[0] <= q.onset_ns <= edge_ns]
        values = np.full((self.end_ns.size, sc.N_COLUMNS), np.nan)
        at = np.minimum(np.searchsorted(self.tape.end_ns, self.end_ns), len(self.tape) - 1)
        values[:, sc.CLOSE] = self.tape.bars[at, 3]
        frame_ns = self.tape.bar_ns * per_frame_of(self.tape.bar_ns)
        frames = Frames(self.end_ns, values, frame_ns, 1)
        return targets(frames, squeezes, edge_ns=edge_ns), squeezes


class _Listening:
    """A forecaster whose words of one phase are kept."""

    def __init__(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster
        self.id, self.schema_hash = forecaster.id, forecaster.schema_hash
        self.start = forecaster.start
        self.step = forecaster.step
        self.ends: list[Ints] = [np.empty(0, np.int64)]
        self.rows: list[Floats] = [np.empty((0, fc.N_FORECAST))]
        self.read: list[Floats] = [np.empty((0, len(_READ)))]

    def batch(self, memory: Memory, phases: Ints, end_ns: Ints, features: Floats) -> Floats:
        """Return the rows of frames, and keep those of the first phase."""
        rows = self._forecaster.batch(memory, phases, end_ns, features)
        one = phases == 0
        self.ends.append(end_ns[one])
        self.rows.append(np.array(rows[one]))
        self.read.append(features[one][:, _READ])
        return rows


def heard(
    name: str, bar_ns: int, chunks: Chunks, forecaster: Forecaster, start_ns: int, room: int
) -> Heard:
    """Run a model over events in turn; what ends at `start_ns` or before warms it up.

    Raises
    ------
    UsageError
        When nothing comes after the start.
    """
    listening = _Listening(forecaster)
    tape = tape_of(name, bar_ns, chunks, cast(Forecaster, listening), start_ns, room)
    ends = np.concatenate(listening.ends)
    after = ends > start_ns
    if not after.any() or len(tape) == 0:
        raise UsageError(f"{name} has nothing after the challenger was made", "record on, or fetch")
    return Heard(
        tape, ends[after], np.concatenate(listening.rows)[after],
        np.concatenate(listening.read)[after],
    )  # fmt: skip


def watched(
    name: str, bar_ns: int, chunks: Callable[[], Chunks], models: tuple[Forecaster, Forecaster],
    hedging: Hedging, start_ns: int, room: int, edges: Floats | None = None,
) -> Watched:  # fmt: skip
    """Run champion and challenger over the same events, and open positions behind both.

    Parameters
    ----------
    models
        The champion, the challenger.
    edges
        Of calm, usual and wild volatility; None: the terciles of what was watched.

    Raises
    ------
    UsageError
        When nothing comes after the start.
    """
    one, other = (heard(name, bar_ns, chunks(), model, start_ns, room) for model in models)
    volatility, move, funding = one.read.T
    known = volatility[np.isfinite(volatility)]
    if edges is None:
        edges = np.quantile(known, [1 / 3, 2 / 3]) if known.size else np.full(2, np.nan)
    edge_ns = int(one.end_ns[-1])
    return Watched(
        name, one.end_ns, squeeze_times(one.targets(edge_ns)[0]), one.onset, other.onset,
        kinds_of_market(volatility, move, funding, one.end_ns, edges),
        outcomes(one.tape, other.tape, hedging),
    )  # fmt: skip


def outcomes(champion: Tape, challenger: Tape, hedging: Hedging) -> Outcomes:
    """Open positions of both sides every few hours, hedged by each model."""
    where = episodes(champion)
    if where is None:
        return Outcomes(np.empty(0, np.int64), np.empty(0), np.empty(0))
    opens = champion.end_ns[where.starts] - champion.bar_ns
    legs: list[list[Floats]] = [[], []]
    for side in SIDES:
        settings = bt.with_position(hedging.settings, side, hedging.settings.position.leverage)
        for leg, tape in zip(legs, (champion, challenger), strict=True):
            done = bt.run_grid(tape, where, settings, hedging.tiers, hedging.policy)
            leg.append(episode_returns(done))
    one, other = (np.concatenate(leg) for leg in legs)
    return Outcomes(np.tile(opens, len(SIDES)), one, other)


def episodes(tape: Tape) -> bt.Episodes | None:
    """Lay positions on a tape; None where none fits."""
    try:
        return bt.episodes(tape, EPISODE_NS, EVERY_NS, warm_ns=0)
    except UsageError:
        return None


def shadow_run(
    lake: Lake, dataset: Dataset, models: tuple[Forecaster, Forecaster], hedging: Hedging,
    start_ns: int, end_ns: int,
) -> Watched | None:  # fmt: skip
    """Run both over what the lake holds between two moments; None where it holds nothing.

    Raises
    ------
    DataError
        When the data set cannot be read.
    """
    start_ns, end_ns = max(start_ns, dataset.start_ns), min(end_ns, dataset.end_ns)
    if end_ns - start_ns < dataset.interval_ns * per_frame_of(dataset.interval_ns):
        return None

    def chunks() -> Iterator[tuple[EventArrays, pl.DataFrame]]:
        begin = max(dataset.start_ns, start_ns - WARM_UP_NS)
        return event_chunks(lake, dataset, begin, end_ns)

    room = int((end_ns - start_ns) // dataset.interval_ns) + 2
    try:
        return watched(dataset.name, dataset.interval_ns, chunks, models, hedging, start_ns, room)
    except UsageError:
        return None

"""A session told again for learning: what was forecast and recommended, and what the market did.

The market of a journal is lived through once more by the same engine, with the same model; nothing
is asked of a session that runs. What came of a forecast is looked at from outside, later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from litehedge.effects import Decision, ModelChange, Submit
from litehedge.engine import step
from litehedge.engine_state import State
from litehedge.features import vector as fv
from litehedge.hedge import signals as sg
from litehedge.learning.outcomes import expected_slippage
from litehedge.ledger.heard import Heard
from litehedge.ledger.walk import Part
from litehedge.market import events as ev
from litehedge.market import schema as sc
from litehedge.market.bars import as_bars
from litehedge.market.frames import Frames
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.labels import Squeeze, catalogue
from litehedge.units import BPS, NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BAR_NS: Final = NS_PER_MINUTE
READ: Final = (fv.LOG_SIGMA, fv.INDEX["ret_1440m"], fv.FUNDING_BPS)
"""Features that tell kinds of market apart: log volatility, move of a day, funding."""

_MARKET: Final = frozenset(get_args(ev.MarketEvent))


@dataclass(frozen=True, slots=True)
class Fill:
    """What one order was told of a trade: signed LTC, USDT; `expected` is what was to be paid.

    `middle` is the price at which it was decided, `half_spread` and `impact` the two parts of the
    slippage that the model of costs expected, as fractions of price.
    """

    client_id: str
    known_ns: int
    qty_ltc: float
    price: float
    fee_usdt: float
    middle: float
    half_spread: float
    impact: float

    @property
    def slippage(self) -> float:
        """What was paid beyond the price of the decision, as a fraction of it."""
        return float(np.sign(self.qty_ltc) * (self.price / self.middle - 1.0))


@dataclass(frozen=True, slots=True)
class Asked:
    """A decision, with the account as it was then: see `effects.Decision`.

    `features` is the hash of what the model saw; `books` and `terms` are copies ``(1,)``;
    `volatility` per root minute and `volume` in LTC per minute are what costs depend on.
    """

    decision: Decision
    model: str
    features: str
    books: NDArray[np.void]
    terms: NDArray[np.void]
    volatility: float
    volume: float


@dataclass(frozen=True, slots=True)
class Past:
    """What a session lived through, in order of time.

    Shapes: of frames of one phase `end_ns`, `is_live`, `model` ``(frame,)``, `values`
    ``(frame, column)``, `rows` and `served` ``(frame, N_FORECAST)``: what the model said, and what
    the engine went by; `read` ``(frame, 3)``. Of minutes `bar_ns` ``(bar,)`` their ends and `bars`
    ``(bar, 4)`` open, high, low, close. `funded` are (time, mark, rate) of settlements.
    `latency_ms` are (time, wait from a decision to the venue's first answer). Frames are live from
    the first position on: those before warmed the statistics.
    """

    frame_ns: int
    end_ns: Ints
    is_live: Bools
    model: NDArray[np.str_]
    values: Floats
    rows: Floats
    served: Floats
    read: Floats
    bar_ns: Ints
    bars: Floats
    asked: list[Asked]
    fills: list[Fill]
    latency_ms: list[tuple[int, float]]
    funded: list[tuple[int, float, float]]

    @property
    def now_ns(self) -> int:
        """The end of the last frame, 0 without any."""
        return int(self.end_ns[-1]) if self.end_ns.size else 0

    def frames(self) -> Frames:
        """Return the frames as the catalogue takes them."""
        return Frames(self.end_ns, self.values, self.frame_ns, 1)

    def squeezes(self) -> list[Squeeze]:
        """Return every squeeze, in order of onset; the last may go on."""
        return catalogue(self.frames()) if self.end_ns.size > 1 else []


class _Walk:
    """Collects what a journal tells."""

    def __init__(self) -> None:
        self.last_ns = -1
        self.frame_ns = 0
        self.frames: list[tuple[int, bool, str]] = []
        self.values: list[Floats] = []
        self.rows: list[Floats] = []
        self.served: list[Floats] = []
        self.read: list[Floats] = []
        self.bars: list[tuple[int, float, float, float, float]] = []
        self.asked: list[Asked] = []
        self.fills: list[Fill] = []
        self.latency: list[tuple[int, float]] = []
        self.funded: list[tuple[int, float, float]] = []
        self._sent: dict[str, Asked] = {}
        self._waits: dict[str, int] = {}
        self._terms: NDArray[np.void] | None = None

    def run(self, part: Part, reached: Callable[[], Any]) -> None:
        """Live through one run."""
        state = part.begin()
        fixed = state.fixed
        self.frame_ns = self.frame_ns or fixed.frame_ns
        lived = self._lived(part, state, reached)
        for event in as_bars(lived, BAR_NS):
            if isinstance(event, ev.Bar) and event.asset == "LTC":
                one = (event.event_ns, event.open, event.high, event.low, event.close)
                if not self.bars or one[0] > self.bars[-1][0]:
                    self.bars.append(one)

    def _lived(self, part: Part, state: State, reached: Callable[[], Any]) -> Iterator[ev.AnyEvent]:
        heard = Heard()
        model = state.fixed.forecaster.id
        heard.listen(state)
        sent = part.sent()
        is_live = False
        known_ns = self.last_ns
        for event in part.events():
            mind = None
            if type(event) in _MARKET:
                heard.frames = []
            else:
                is_live |= isinstance(event, ev.Opened)
                order = sent.get(getattr(event, "client_id", ""))
                if order is not None and (
                    state.order is None or state.order.client_id != order.client_id
                ):
                    state.order = order  # what was sent counts, whatever this version decides
                if isinstance(event, ev.ModelOffered):
                    mind = heard.listened(part.minds(state, event))
            state, effects = step(state, event, mind)
            is_new = event.known_ns > known_ns  # a restart warms up on what was lived through
            for effect in effects:
                if isinstance(effect, ModelChange):
                    model = effect.after
                elif isinstance(effect, Submit) and effect.order.client_id not in sent:
                    state.order = None
                elif isinstance(effect, Decision) and is_new:
                    self._ask(effect, state, heard, model)
            if is_new:
                self._note(event, state, heard, model, is_live=is_live)
                if type(event) not in _MARKET:
                    self._hear(event, sent)
                self.last_ns = event.known_ns if is_live else self.last_ns
            reached()
            yield event

    def _note(
        self, event: ev.AnyEvent, state: State, heard: Heard, model: str, *, is_live: bool
    ) -> None:
        """Keep the frames of one phase that an event ended."""
        if type(event) not in _MARKET:
            return
        for end_ns, frame in heard.frames:
            row = heard.rows.get(end_ns)
            known = self.frames[-1][0] if self.frames else -1
            if end_ns % state.fixed.frame_ns or row is None or end_ns <= known:
                continue
            if frame[sc.CLOSE] != frame[sc.CLOSE]:
                continue
            self.frames.append((end_ns, is_live, model))
            self.values.append(frame.copy())
            self.rows.append(row)
            last = end_ns == heard.frames[-1][0]
            self.served.append(state.row.copy() if last else row)
            self.read.append(heard.features[end_ns][list(READ)])

    def _ask(self, decision: Decision, state: State, heard: Heard, model: str) -> None:
        features = ""
        if heard.features:
            seen = heard.features[max(heard.features)]
            features = hashlib.sha256(np.ascontiguousarray(seen).tobytes()).hexdigest()[:16]
        volatility = float(state.signals[sg.VOL_RULE, 0]) / np.sqrt(5.0)
        volume = float(state.signals[sg.VOLUME, 0])
        self.asked.append(
            Asked(decision, model, features, state.books.copy(), self._kept_terms(state),
                  volatility, volume)
        )  # fmt: skip
        if decision.order_id:
            self._sent[decision.order_id] = self.asked[-1]
            self._waits[decision.order_id] = decision.time_ns

    def _kept_terms(self, state: State) -> NDArray[np.void]:
        """Return a copy of the terms, one for all decisions between two changes: it is large."""
        names = ("size", "taker_fee", "location")
        changed = self._terms is None or any(
            self._terms[name][0] != state.terms[name][0] for name in names
        )
        if changed or self._terms is None:
            self._terms = state.terms.copy()
            costs = state.fixed.settings.costs  # as set, whatever was learnt since
            self._terms["half_spread"] = costs.half_spread_bps * BPS
            self._terms["impact"] = costs.impact
        return self._terms

    def _hear(self, event: ev.AnyEvent, sent: Any) -> None:
        name = getattr(event, "client_id", "")
        if isinstance(event, ev.OrderAccepted | ev.OrderFilled) and name in self._waits:
            waited = event.known_ns - self._waits.pop(name)
            self.latency.append((event.known_ns, waited / 1e6))
        if isinstance(event, ev.FundingPaid) and np.isfinite(event.rate * event.mark):
            self.funded.append((event.known_ns, event.mark, event.rate))
        if not isinstance(event, ev.OrderFilled) or name not in self._sent:
            return
        asked = self._sent[name]
        half, impact = expected_slippage(
            asked.terms, asked.volatility, asked.volume, abs(event.qty_ltc)
        )
        self.fills.append(
            Fill(name, event.known_ns, event.qty_ltc, event.price, event.fee_usdt,
                 asked.decision.price, half, impact)
        )  # fmt: skip

    def past(self) -> Past:
        """Return it all."""
        n = len(self.frames)
        bars = np.array(self.bars, dtype=np.float64).reshape(-1, 5)
        return Past(
            self.frame_ns, np.array([f[0] for f in self.frames], dtype=np.int64),
            np.array([f[1] for f in self.frames], dtype=np.bool_),
            np.array([f[2] for f in self.frames], dtype=np.str_),
            np.array(self.values).reshape(n, sc.N_COLUMNS),
            np.array(self.rows).reshape(n, fc.N_FORECAST),
            np.array(self.served).reshape(n, fc.N_FORECAST),
            np.array(self.read).reshape(n, len(READ)),
            np.array([b[0] for b in self.bars], dtype=np.int64), bars[:, 1:], self.asked,
            self.fills, self.latency, self.funded,
        )  # fmt: skip


def past_of(parts: Sequence[Part], reached: Callable[[], Any] = lambda: None) -> Past:
    """Tell a session again.

    Parameters
    ----------
    parts
        The runs of its journal, in order.
    reached
        Is called after every event.

    Raises
    ------
    JournalError
        When the journal is torn or of another version.
    """
    walk = _Walk()
    for part in parts:
        walk.run(part, reached)
    return walk.past()

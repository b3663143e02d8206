"""Running a session: warm up, take up what was before, then guard until told to stop.

Paper and live differ in the venue that is handed in; everything else is this one way.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

import litehedge
from litehedge.config import HedgeLocation, Settings
from litehedge.effects import AlertLevel, Checkpoint, Effect
from litehedge.engine import relive, step
from litehedge.engine_state import State, start, take_checkpoint
from litehedge.errors import UsageError
from litehedge.hedge.policies import Policy
from litehedge.hedge.rules import to_toml
from litehedge.live.before import check_place, location_of
from litehedge.live.funnel import Funnel
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.ports import Inbox, Journal, Notifier, Venue
from litehedge.runner import run
from litehedge.squeeze.forecast import Forecaster
from litehedge.squeeze.history import Mind
from litehedge.store.header import Header, Tiers
from litehedge.store.journal import Journal as StoredJournal
from litehedge.store.journal import encode_effect
from litehedge.units import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND

log = logging.getLogger("litehedge.live")

ATOM_NS: Final = 5 * NS_PER_SECOND
HELD_NS: Final = NS_PER_MINUTE
FLUSH_NS: Final = 200 * NS_PER_MS

Observer = Callable[[ev.AnyEvent, list[Effect]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a session guards with."""

    settings: Settings
    policy: Policy
    tiers: TierTable
    forecaster: Forecaster
    model_folder: str
    frame_ns: int

    @property
    def per_frame(self) -> int:
        """How many atoms make a frame."""
        return self.frame_ns // ATOM_NS


@dataclass(frozen=True, slots=True)
class TakenUp:
    """The state to begin with, and when the run before it ended (0: there was none)."""

    state: State
    ended_ns: int


def take_up(
    plan: Plan,
    journal: StoredJournal,
    *,
    session: str,
    mode: str,
    data: str,
    now_ns: int,
    hedge_ltc: float | None = None,
) -> TakenUp:
    """Begin a run in the journal, where the last one ended if there was one.

    What came from the account and from people after the last checkpoint is lived through again,
    so that nothing that reached the disk is forgotten.

    Parameters
    ----------
    hedge_ltc
        What the venue holds of a hedge leg beside the position, where it was asked.

    Raises
    ------
    UsageError
        When the journal is of another mode or of other venues: what was decided for one account
        says nothing about another. Or when its hedge stands where it would not be minded any more.
    JournalError
        When the journal cannot be read or written.
    """
    last = journal.last_run()
    before = None if last is None else last[1]
    if before is not None and (before.mode, before.data) != (mode, data):
        raise UsageError(
            f"session {session} was {before.mode} on {before.data}, and this is {mode} on {data}",
            "give this one another --name",
        )
    point = journal.resume_point()
    trading = journal.trading_state()
    name = _name_of_run(session, now_ns, "" if before is None else before.session)

    def begin(checkpoint: Any = None, settings: Settings = plan.settings) -> State:
        return start(
            settings, plan.policy, plan.tiers, plan.forecaster, session=name,
            atom_ns=ATOM_NS, per_frame=plan.per_frame, held_every_ns=HELD_NS, trading=trading,
            keeps_checkpoints=True, checkpoint=checkpoint,
            needs_reconciling=checkpoint is not None and (
                checkpoint.is_open or checkpoint.order is not None
                or checkpoint.closing is not None
            ),
        )  # fmt: skip

    state, ended_ns, packed = begin(), 0, b""
    if point is not None:
        then = location_of(point)
        state = begin(point.checkpoint, _with_location(plan.settings, then))
        ended_ns = point.checkpoint.time_ns
        state = relive(state, point.events)
        ended_ns = max([ended_ns, *(event.known_ns for event in point.events)])
        taken = take_checkpoint(state, ended_ns)
        if then != plan.settings.hedge.location:
            taken = _moved(taken, plan.settings, then, session, hedge_ltc)
        state = begin(taken)
        packed = encode_effect(taken)
    journal.begin(
        Header(
            litehedge=litehedge.__version__,
            created=datetime.fromtimestamp(now_ns // NS_PER_SECOND, tz=UTC).isoformat(),
            mode=mode,
            settings=plan.settings.model_dump(),
            policy=plan.policy.name,
            free_ratio=plan.policy.free_ratio,
            model_id=plan.forecaster.id,
            model_folder=plan.model_folder,
            session=name,
            atom_ns=ATOM_NS,
            per_frame=plan.per_frame,
            held_every_ns=HELD_NS,
            trading_state=int(trading),
            data=data,
            rules="" if plan.policy.rules is None else to_toml(plan.policy.rules),
            policy_id=plan.policy.brain_id,
            keeps_checkpoints=True,
            checkpoint=packed,
            needs_reconciling=state.needs_reconciling,
            tiers=Tiers.of(plan.tiers),
            looks_between=True,
        )
    )
    return TakenUp(state, ended_ns)


def _with_location(settings: Settings, location: HedgeLocation) -> Settings:
    hedge = settings.hedge.model_copy(update={"location": location})
    return settings.model_copy(update={"hedge": hedge})


def _moved(
    point: Checkpoint, settings: Settings, then: HedgeLocation, session: str,
    hedge_ltc: float | None,
) -> Checkpoint:  # fmt: skip
    """Return where a run stood, for one that hedges in another place; refuse where it cannot."""
    held, hedge = point.books["qty"]
    is_open = point.is_open or point.order is not None
    check_place(
        session, then, settings.hedge.location,
        hedge_ltc=hedge if hedge_ltc is None else hedge_ltc,
        sold_ltc=point.size_ltc - abs(held) if then == "reduce" and point.is_open else 0.0,
        lot_ltc=settings.venue.lot_ltc, is_asking=point.order is not None, is_open=is_open,
    )  # fmt: skip
    return msgspec.structs.replace(point, size_ltc=abs(held))


def _name_of_run(session: str, now_ns: int, before: str) -> str:
    """Return what the ids of a run begin with. A venue must never see an id again.

    It holds when the run began: a new journal gives new ids too. Where the clock was set back it
    goes on from the run before.
    """
    begins_ms = now_ns // NS_PER_MS
    if before.startswith(f"{session[:8]}-"):
        begins_ms = max(begins_ms, int(before.rpartition("-")[2], 36) + 1)
    return f"{session[:8]}-{_base36(begins_ms)}"


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return text


def compile_kernels(plan: Plan) -> None:
    """Run the whole path once on made-up prices, so that nothing is compiled when it matters.

    Compiling holds up every thread; what is compiled stays on disk for the next start.
    """
    begins_ns = 1_700_000_000 * NS_PER_SECOND // plan.frame_ns * plan.frame_ns
    price = 84.0
    state = start(
        plan.settings, plan.policy, plan.tiers, plan.forecaster, session="warm", atom_ns=ATOM_NS,
        per_frame=plan.per_frame, held_every_ns=HELD_NS, keeps_checkpoints=True,
    )  # fmt: skip
    position = plan.settings.position
    sign = 1.0 if position.side == "long" else -1.0
    qty = sign * position.wallet_usdt * position.leverage / price
    for number in range(3 * plan.per_frame):
        now_ns = begins_ns + number * ATOM_NS
        state, _ = step(state, ev.Book(now_ns, now_ns, price, price + 0.01, 1e6, 1e6))
        state, _ = step(state, ev.Trade(now_ns, now_ns, price, 1.0, True))
        state, _ = step(state, ev.Bar(now_ns, now_ns, "BTC", ATOM_NS, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0))
        state, _ = step(state, ev.Mark(now_ns, now_ns, price))
        if number == plan.per_frame:
            state, _ = step(
                state,
                ev.Opened(
                    now_ns, now_ns, position.wallet_usdt, None, qty, price, position.leverage,
                    position.margin_mode == "isolated",
                ),
            )  # fmt: skip
        if number == 2 * plan.per_frame:
            state, _ = step(state, ev.SetHedge(now_ns, now_ns, 0.5, now_ns + NS_PER_MINUTE))
        if state.order is not None:
            order = state.order
            said: list[ev.AnyEvent] = [
                ev.OrderAccepted(now_ns, now_ns, order.client_id),
                ev.OrderFilled(
                    now_ns, now_ns, order.client_id, order.leg, float(order.qty_ltc), price, 0.0,
                    0.0,
                ),
                ev.Tick(now_ns, now_ns),
            ]  # fmt: skip
            for event in said:
                state, _ = step(state, event)


class LogNotifier:
    """Writes alerts to the log."""

    def alert(self, level: AlertLevel, text: str, key: str = "", *, clears: bool = False) -> None:
        """Deliver one alert."""
        log.log(logging.WARNING if level == "act_now" else logging.INFO, "%s: %s", level, text)


def guard(
    state: State,
    venue: Venue,
    funnel: Funnel,
    past: Sequence[ev.MarketEvent],
    *,
    journal: Journal,
    inbox: Inbox | None = None,
    notifier: Notifier | None = None,
    observers: Iterable[Observer] = (),
    begin: Callable[[], Iterable[ev.AnyEvent]] = lambda: (),
    warming: Callable[[int, int], Any] = lambda done, of: None,
    minds: Callable[[ev.ModelOffered], Mind | None] = lambda offered: None,
) -> State:
    """Warm up on the past, then follow the funnel until it is stopped. Return the last state.

    Parameters
    ----------
    past
        Market events of before, in order; nothing is traded on them.
    begin
        Called when the past was taken in, which takes a while: starts the sources, and returns
        what has to be known before the first of their events, such as the market meanwhile. So no
        decision is made late, on what waited in the queue.
    minds
        Gives the model that an offer speaks of: see `live.following`.
    warming
        Is told how many events of the past were taken in.
    """
    watching = list(observers)

    def feed() -> Iterator[ev.AnyEvent]:
        for number, event in enumerate(past):
            if number % 256 == 0:
                warming(number, len(past))
            yield event
        warming(len(past), len(past))
        gc.collect()
        gc.freeze()  # what is there by now stays: no later collection need look through it
        yield from begin()
        yield from funnel.events()

    def observe(event: ev.AnyEvent, effects: list[Effect]) -> None:
        for one in list(watching):
            try:
                one(event, effects)
            except Exception:  # what only looks on must not end the guarding
                log.exception("%s failed and looks on no more", one)
                watching.remove(one)

    try:
        return run(
            state, feed(), venue, journal=journal, inbox=inbox,
            notifier=notifier or LogNotifier(), observe=observe, flush_ns=FLUSH_NS,
            flush_from_ns=past[-1].known_ns if past else 0, minds=minds,
        )  # fmt: skip
    except BaseException:
        log.critical("guarding ended; position and hedge stay as they are", exc_info=True)
        raise

"""The only loop: feed -> venue -> engine -> effects -> venue. Everything goes to the journal.

Backtest, paper and live differ in the arguments alone. Time comes as events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, get_args

from litehedge.effects import (
    Alert,
    CancelAll,
    Effect,
    KeepStop,
    Query,
    QueryTransfer,
    Submit,
    Transfer,
)
from litehedge.engine import step
from litehedge.engine_state import State
from litehedge.margin.account import POSITION
from litehedge.market.events import (
    AnyEvent,
    MarketEvent,
    ModelOffered,
    OrderRejected,
    Recording,
    TransferRejected,
)
from litehedge.orders.manager import Order
from litehedge.ports import Inbox, Journal, Notifier, Venue
from litehedge.squeeze.history import Mind

_MARKET: Final = frozenset(get_args(MarketEvent))

Observer = Callable[[AnyEvent, list[Effect]], None]


def run(
    state: State,
    feed: Iterable[AnyEvent],
    venue: Venue,
    *,
    journal: Journal | None = None,
    inbox: Inbox | None = None,
    notifier: Notifier | None = None,
    observe: Observer | None = None,
    flush_ns: int | None = None,
    flush_from_ns: int = 0,
    minds: Callable[[ModelOffered], Mind | None] = lambda offered: None,
) -> State:
    """Drive the engine until the feed ends. Return its last state.

    For each market event: first what it did to our account, then what people asked for, then the
    event itself. An order is written before it is on the wire, so that it outlives this process; a
    transfer is on disk, so that it outlives a loss of power. What a live venue tells of our account
    over its own stream comes in the feed too.

    A journal that tells of trouble does not end it: nothing that raises risk is sent, what reduces
    it is, and the engine is told.

    Parameters
    ----------
    flush_ns
        How long, by the times of events, the journal may keep what is not on disk while no order
        leaves; None: until it is full.
    flush_from_ns
        Events up to then are the past, which can be had again: they wait until the journal is full.
    minds
        Gives the model that an offer speaks of, loaded and warm.
    observe
        Is shown every event with its effects, after they were carried out.
    """

    def deliver(event: AnyEvent) -> None:
        nonlocal state
        if journal is not None:
            journal.event(event)
        if type(event) is ModelOffered:
            state, effects = step(state, event, minds(event))
        else:
            state, effects = step(state, event)
        if effects:
            if journal is not None:
                for effect in effects:
                    journal.effect(effect)
            for effect in effects:
                perform(effect, event.known_ns)
            if journal is not None and any(type(effect) is Submit for effect in effects):
                journal.keep()  # not before: the order comes first
        if observe is not None:
            observe(event, effects)

    def perform(effect: Effect, now_ns: int) -> None:
        replies: Iterable[AnyEvent] = ()
        if isinstance(effect, Submit):
            if journal is not None:
                journal.write()
            if journal is not None and journal.trouble and _raises(state, effect.order):
                name = effect.order.client_id
                replies = [OrderRejected(now_ns, now_ns, name, "not sent: no journal")]
            else:
                replies = venue.submit(effect.order, now_ns)
        elif isinstance(effect, Query):
            replies = venue.query(effect.client_id, now_ns)
        elif isinstance(effect, Transfer):
            if journal is not None:
                journal.flush()
            if journal is not None and journal.trouble:
                name = effect.transfer.transfer_id
                replies = [TransferRejected(now_ns, now_ns, name, "there is no journal")]
            else:
                replies = venue.transfer(effect.transfer, now_ns)
        elif isinstance(effect, QueryTransfer):
            replies = venue.query_transfer(effect.transfer_id, now_ns)
        elif isinstance(effect, CancelAll):
            replies = venue.cancel_all(now_ns)
        elif isinstance(effect, KeepStop):
            replies = venue.keep_stop(effect, now_ns)
        elif isinstance(effect, Alert) and notifier is not None:
            notifier.alert(effect.level, effect.text, effect.key, clears=effect.clears)
        for reply in replies:
            deliver(reply)

    def is_news() -> bool:
        if journal is None:
            return False
        if journal.trouble:
            return not state.is_unrecorded
        return state.is_unrecorded or state.is_reduced_by_record

    written_ns = flush_from_ns
    for event in feed:
        if type(event) in _MARKET:
            for happened in venue.on_market(event):  # type: ignore[arg-type]
                deliver(happened)
        if inbox is not None:
            for command in inbox.take():
                deliver(command)
        deliver(event)
        if journal is None:
            continue
        if flush_ns is not None and event.known_ns - written_ns >= flush_ns:
            journal.write()
            journal.keep()
            written_ns = event.known_ns
        if is_news():
            deliver(Recording(event.known_ns, event.known_ns, journal.trouble))
    if journal is not None:
        journal.flush()
    return state


def _raises(state: State, order: Order) -> bool:
    """Return whether an order leaves more net exposure than there is, by our books.

    What only closes the position does not, nor what closes everything: in between it may.
    """
    if order.reduce_only and (order.leg == POSITION or state.closing is not None):
        return False
    net = float(state.books["qty"][0].sum())
    return abs(net + float(order.qty_ltc)) > abs(net)

"""The only loop: feed -> venue -> engine -> effects -> venue. Everything goes to the journal.

Backtest, paper and live differ in the arguments alone. Time comes as events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, get_args

from litehedge.effects import Alert, CancelAll, Effect, Query, QueryTransfer, Submit, Transfer
from litehedge.engine import step
from litehedge.engine_state import State
from litehedge.market.events import AnyEvent, MarketEvent
from litehedge.ports import Inbox, Journal, Notifier, Venue

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
) -> State:
    """Drive the engine until the feed ends. Return its last state.

    For each market event: first what it did to our account, then what people asked for, then the
    event itself. An order, or a transfer, is on disk before it is on the wire. What a live venue
    tells of our account over its own stream comes in the feed too.

    Parameters
    ----------
    flush_ns
        How long, by the times of events, the journal may keep what is not on disk while no order
        leaves; None: until it is full.
    observe
        Is shown every event with its effects, after they were carried out.
    """

    def deliver(event: AnyEvent) -> None:
        nonlocal state
        if journal is not None:
            journal.event(event)
        state, effects = step(state, event)
        for effect in effects:
            if journal is not None:
                journal.effect(effect)
        for effect in effects:
            perform(effect, event.known_ns)
        if observe is not None:
            observe(event, effects)

    def perform(effect: Effect, now_ns: int) -> None:
        replies: Iterable[AnyEvent] = ()
        if isinstance(effect, Submit):
            if journal is not None:
                journal.flush()
            replies = venue.submit(effect.order, now_ns)
        elif isinstance(effect, Query):
            replies = venue.query(effect.client_id, now_ns)
        elif isinstance(effect, Transfer):
            if journal is not None:
                journal.flush()
            replies = venue.transfer(effect.transfer, now_ns)
        elif isinstance(effect, QueryTransfer):
            replies = venue.query_transfer(effect.transfer_id, now_ns)
        elif isinstance(effect, CancelAll):
            replies = venue.cancel_all(now_ns)
        elif isinstance(effect, Alert) and notifier is not None:
            notifier.alert(effect.level, effect.text)
        for reply in replies:
            deliver(reply)

    flushed_ns = 0
    for event in feed:
        if type(event) in _MARKET:
            for happened in venue.on_market(event):  # type: ignore[arg-type]
                deliver(happened)
        if inbox is not None:
            for command in inbox.take():
                deliver(command)
        deliver(event)
        if flush_ns is not None and journal is not None and event.known_ns - flushed_ns >= flush_ns:
            journal.flush()
            flushed_ns = event.known_ns
    if journal is not None:
        journal.flush()
    return state

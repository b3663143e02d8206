"""A session on real accounts, from the first question to the last order.

Before anything is sent, contract and account are asked, checks are made, a person confirms, and
every account is brought to rest. From then on it runs as paper does, with another venue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from litehedge.config import PositionSide, Settings
from litehedge.engine_state import State
from litehedge.errors import WrongSetup
from litehedge.live.before import Before, hedge_leg_ltc
from litehedge.live.funnel import Funnel
from litehedge.live.opening import reconcile
from litehedge.live.running import Observer, Plan, TakenUp, guard, take_up
from litehedge.live.setup import as_before, held_leg, with_account, with_contract
from litehedge.live.sockets import SocketThread
from litehedge.live.trader import Account, LiveVenue, contract_changed
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.orders.desk import Desk
from litehedge.orders.manager import is_ours
from litehedge.orders.placing import Placement
from litehedge.orders.reports import AccountReport, Contract
from litehedge.ports import Inbox, Notifier, Source, VenueClient
from litehedge.squeeze.history import Mind
from litehedge.store.journal import Journal

ASK_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a venue told before anything was started."""

    client: VenueClient
    contract: Contract
    account: AccountReport
    skew_ms: float
    foreign_orders: tuple[str, ...] = ()  # open ones of the contract that are not ours


def look(thread: SocketThread, client: VenueClient) -> Seen:
    """Connect a client and ask for contract, account and clock.

    Raises
    ------
    VenueError
        When the venue does not answer, or keys, permissions or clock do not allow trading.
    """
    thread.call(client.open(), ASK_S)
    skew = thread.call(client.clock_skew_ms(), ASK_S)
    contract = thread.call(client.contract(), ASK_S)
    account = thread.call(client.account(), ASK_S)
    open_ = thread.call(client.open_orders(), ASK_S)
    foreign = tuple(name for name in open_ if not is_ours(name))
    return Seen(client, contract, account, skew, foreign)


def settings_of(
    settings: Settings,
    first: Seen,
    side: PositionSide | None = None,
    before: Before | None = None,
) -> Settings:
    """Return the settings with what the venue says of its contract and of our position.

    Parameters
    ----------
    side
        Which leg is the position, where a person said it (`held_leg`).
    before
        What the session guarded when it ended, where it did (`live.before`).

    Raises
    ------
    WrongSetup
        When there is no position to guard, or its margin does not allow the hedge's place.
    """
    ruled = with_contract(settings, first.contract)
    report, venue, symbol = first.account, first.client.name, first.contract.symbol
    is_flat = all(leg.qty_ltc == 0 for leg in report.legs)
    try:
        if before is not None and before.is_reduced and (before.may_be_flat or not is_flat):
            if not is_flat:  # what is held must be ours
                held_leg(report, venue, symbol, before.position.side)
            return as_before(ruled, report, venue, symbol, before)
        known = before.position.side if before is not None else side
        return with_account(ruled, report, held_leg(report, venue, symbol, known))
    except ValueError as error:  # pydantic's
        raise WrongSetup(
            f"the position on {venue} and the settings do not fit: {error}",
            "change hedge.location, or the position's margin mode; nothing was started",
        ) from None


@dataclass(frozen=True, slots=True)
class RealSession:
    """Everything that a session on real accounts needs, made by `prepare`."""

    thread: SocketThread
    funnel: Funnel
    taken: TakenUp
    first: Account
    second: Account | None
    venue: LiveVenue

    def run(
        self,
        sources: Iterable[Source],
        past: Sequence[ev.MarketEvent],
        since: Callable[[int], Sequence[ev.MarketEvent]] = lambda known_ns: (),
        *,
        journal: Journal,
        inbox: Inbox | None = None,
        notifier: Notifier | None = None,
        observers: Iterable[Observer] = (),
        warming: Callable[[int, int], Any] = lambda done, of: None,
        minds: Callable[[ev.ModelOffered], Mind | None] = lambda offered: None,
    ) -> State:
        """Warm up, bring the accounts to rest, then guard until the funnel is stopped.

        Parameters
        ----------
        since
            Returns what the market did after a moment: asked once, after the warm-up.

        Raises
        ------
        VenueError
            When the accounts do not come to rest. Nothing was sent.
        """
        state = self.taken.state

        def begin() -> Sequence[ev.AnyEvent]:
            meanwhile = since(past[-1].known_ns) if past else ()
            # What an earlier run knew of the contracts may have changed since.
            now_ns = self.funnel.now_ns()
            rules: list[ev.AnyEvent] = [contract_changed(self.first.desk.contract, now_ns)]
            if self.second is not None:
                contract = self.second.desk.contract
                rules.append(contract_changed(contract, now_ns, is_second=True))
            told = self.thread.call(
                reconcile(
                    self.first, self.second, state.order, self.funnel,
                    is_resumed=state.needs_reconciling,
                    kept=(
                        float(state.books["leverage"][0, POSITION]),
                        bool(state.books["is_isolated"][0, POSITION]),
                    ),
                )
            )  # fmt: skip
            self.venue.start()
            self.thread.run_sources(sources, self.funnel)
            return [*meanwhile, *rules, *told]

        return guard(
            state, self.venue, self.funnel, past, journal=journal, inbox=inbox, notifier=notifier,
            observers=observers, begin=begin, warming=warming, minds=minds,
        )  # fmt: skip

    def disarm(self) -> None:
        """Stop what would act on the venue without us: the dead man's switch."""
        for account in (self.first, self.second):
            if account is not None:
                self.thread.call(account.disarm(), ASK_S)

    def close(self) -> None:
        """Disarm what would act without us, and let go of every connection."""
        for account in (self.first, self.second):
            if account is not None:
                self.thread.call(account.close(), ASK_S)


def prepare(
    thread: SocketThread,
    funnel: Funnel,
    plan: Plan,
    journal: Journal,
    first: Seen,
    second: Seen | None = None,
    *,
    session: str,
    mode: str = "live",
) -> RealSession:
    """Begin a run in the journal and set up desks for the accounts; nothing is sent yet.

    Parameters
    ----------
    mode
        ``live``, or what tells that it is not real money. A journal has one.

    Raises
    ------
    UsageError
        When the journal is of another mode, of other venues, or its hedge stands elsewhere.
    JournalError
        When the journal cannot be read or written.
    """
    settings = plan.settings
    side, location = settings.position.side, settings.hedge.location
    names = [seen.client.name for seen in (first, second) if seen is not None]
    taken = take_up(
        plan, journal, session=session, mode=mode, data=" and ".join(names),
        now_ns=funnel.now_ns(), hedge_ltc=hedge_leg_ltc(first.account, settings.position),
    )  # fmt: skip
    placement = Placement(side, location, first.account.hedge_mode)
    dead_man = settings.venue.dead_man_switch
    one = Account(first.client, Desk(placement, first.contract), funnel, dead_man=dead_man)
    two = None
    if second is not None:
        apart = Placement(side, location, second.account.hedge_mode, is_second=True)
        two = Account(second.client, Desk(apart, second.contract), funnel, dead_man=dead_man)
    venue = LiveVenue(thread, funnel, {POSITION: one, HEDGE: two or one})
    return RealSession(thread, funnel, taken, one, two, venue)

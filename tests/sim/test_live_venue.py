"""Engine, venue and simulated market together: what is true, what is told, what is closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from litehedge.config import Hedge, Position, Settings
from litehedge.effects import Effect, Query, Submit
from litehedge.engine import step
from litehedge.engine_state import State, start
from litehedge.hedge.policies import policy_named
from litehedge.margin.account import HEDGE, POSITION
from litehedge.margin.liquidation import bounds
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.orders.manager import Order
from litehedge.runner import run
from litehedge.sim.market.feed import LiveMarket
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.recording import Second
from litehedge.sim.market.shocks import SHOCK, Shock
from litehedge.sim.market.state import new_world
from litehedge.sim.opening import Opening
from litehedge.sim.scenario import compose, load_scenario, shocks_array
from litehedge.sim.venue import SimVenue
from litehedge.store.journal import Journal, encode_effect
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND
from litehedge_runs import header
from synthetic import packaged_tiers

MONDAY = 1_767_571_200
BEGIN_NS = MONDAY * NS_PER_SECOND
TIERS = packaged_tiers()
AT = 600
"""Seconds from the opening of the position to the scenario."""


@dataclass
class Lived:
    """What came of a run."""

    state: State
    venue: SimVenue
    market: LiveMarket
    happened: list[tuple[ev.AnyEvent, list[Effect]]] = field(default_factory=list)

    def events(self, *kinds: type) -> list[Any]:
        return [event for event, _ in self.happened if isinstance(event, kinds)]

    def effects(self, *kinds: type) -> list[Any]:
        return [e for _, effects in self.happened for e in effects if isinstance(e, kinds)]


class People:
    """An inbox: at each time since the begin, a command."""

    def __init__(self, feed: LiveMarket, *commands: tuple[int, ev.Command]) -> None:
        self.market = feed
        self.waiting = list(commands)

    def take(self) -> Iterable[ev.Command]:
        while self.waiting and MONDAY + self.waiting[0][0] <= self.market.world.second:
            now_ns = self.market.world.second * NS_PER_SECOND
            yield replace(self.waiting.pop(0)[1], event_ns=now_ns, known_ns=now_ns)


def hold(ratio: float) -> ev.SetHedge:
    return ev.SetHedge(BEGIN_NS, BEGIN_NS, ratio, BEGIN_NS + NS_PER_DAY)


def engine(settings: Settings) -> State:
    return start(
        settings, policy_named("unhedged", settings), TIERS, BlindForecaster(), session="live",
        atom_ns=5 * NS_PER_SECOND, per_frame=12, held_every_ns=0,
    )  # fmt: skip


def live(
    scenario: str | None, minutes: int, *commands: tuple[int, ev.Command], seed: int = 1,
    leverage: float = 20.0, location: str = "same_account", shocks: Any = None,
    journal: Journal | None = None,
) -> Lived:  # fmt: skip
    """Live through a scenario that begins ten minutes after the position was opened."""
    parameters, told = compose([load_scenario(scenario)] if scenario else [])
    acting = shocks_array(told, MONDAY + AT) if shocks is None else shocks
    market = LiveMarket(new_world(parameters, seed, MONDAY), 5, acting)
    settings = Settings(
        position=Position(leverage=leverage),
        hedge=Hedge(location=location),  # type: ignore[arg-type]
    )
    venue = SimVenue(settings, TIERS, Opening(BEGIN_NS, False), 5 * NS_PER_SECOND, market)
    lived = Lived(engine(settings), venue, market)
    lived.state = run(
        lived.state, market.events(minutes * 12), venue, inbox=People(market, *commands),
        journal=journal, observe=lambda event, effects: lived.happened.append((event, effects)),
    )  # fmt: skip
    return lived


def assert_same_books(lived: Lived) -> None:
    """The engine's books are the venue's, to the byte, and money is where the events say."""
    assert lived.state.books.tobytes() == lived.venue.books.tobytes()
    books = lived.venue.books[0]
    opened = lived.events(ev.Opened)
    fills = lived.events(ev.OrderFilled)
    closed = lived.events(ev.Deleveraged)
    if lived.events(ev.Liquidated):
        return
    for leg in (0, 1):
        moved = sum(e.qty_ltc for e in [*fills, *closed] if e.leg == leg)
        held = opened[0].qty_ltc if leg == 0 else 0.0
        assert books["qty"][leg] == pytest.approx(held + moved, abs=1e-9)
    # Equity at a price is what came in, less what was paid for what is held.
    price = 70.0
    cash = opened[0].wallet_usdt + opened[0].qty_ltc * (price - opened[0].entry_usdt)
    cash += sum(e.qty_ltc * (price - e.price) for e in [*fills, *closed])
    cash -= sum(e.fee_usdt for e in fills) + books["funding"]
    worth = float(books["wallet"].sum() + (books["qty"] * (price - books["entry"])).sum())
    assert worth == pytest.approx(cash, abs=1e-6)


# --- what is true, and what is told -------------------------------------------------------------


def test_a_frozen_feed_does_not_save_an_account() -> None:
    lived = live("frozen-feed", 30)
    [dead] = lived.events(ev.Liquidated)
    frozen = range(MONDAY + AT, MONDAY + AT + 900)
    assert dead.event_ns // NS_PER_SECOND in frozen
    marks = [e for e in lived.events(ev.Mark) if e.known_ns // NS_PER_SECOND in frozen[5:]]
    assert len({mark.price for mark in marks}) == 1  # nothing of it was told
    assert marks[0].price > 1.03 * dead.price
    assert_same_books(lived)


def test_where_an_account_dies_follows_the_mark_not_the_quotes() -> None:
    """In a fall quotes are below the mark. A fill down there must not look like a liquidation."""
    settings = Settings(position=Position(leverage=5.0), hedge=Hedge(location="same_account"))
    market = LiveMarket(new_world(Parameters(), 1, MONDAY), 5)
    venue = SimVenue(settings, TIERS, Opening(BEGIN_NS, False), 5 * NS_PER_SECOND, market)
    next(iter(market.events(1)))
    entry = float(venue.books["entry"][0, 0])
    low, _ = bounds(venue.books, entry, TIERS.rows)
    below, above = 0.99 * low, 1.02 * low
    order = Order("o1", 1, Decimal("-1"), Decimal(f"{0.9 * below:.2f}"), False, 0)
    venue.submit(order, market.world.second * NS_PER_SECOND)
    venue._happened.clear()
    for later in (20, 21):  # longer than any latency
        now_ns = (market.world.second + later) * NS_PER_SECOND
        depth, calm = (2e6, 2e6), (float("nan"), 0.0, 0.0)
        venue._live_second(Second(now_ns, below - 0.01, below + 0.01, *depth, above, *calm))
    told = list(venue._happened)
    assert [type(e) for e in told] == [ev.OrderFilled]
    assert venue.is_open
    assert venue.books["liquidations"][0] == 0


def test_fills_are_at_true_prices_while_quotes_are_crossed() -> None:
    """Asks are told 0.4 % below bids; who bought at them would gain, so nobody does."""
    lived = live("crossed-prices", 20, (AT + 60, hold(0.5)), (AT + 240, hold(0.0)), leverage=3.0)
    quotes = {e.known_ns: e for e in lived.events(ev.Book)}
    sold, bought = lived.events(ev.OrderFilled)
    assert sold.qty_ltc < 0.0 < bought.qty_ltc
    for fill in (sold, bought):
        told = [b for ns, b in quotes.items() if 0 <= ns - fill.event_ns < 5 * NS_PER_SECOND]
        assert told[0].bid > told[0].ask  # it was while they were crossed
        assert fill.slippage_usdt > 0.0
        assert fill.slippage_usdt < 0.0005 * abs(fill.qty_ltc) * fill.price
    assert_same_books(lived)


# --- deleveraging -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lived, Path]:
    """The crash of 2025-10 with a small fund: the shorts that win are closed against longs."""
    path = tmp_path_factory.mktemp("crash") / "crash.db"
    journal = Journal(path)
    journal.begin(header(session="live"))
    lived = live("crash-2025-10", 80, (0, hold(1.0)), leverage=5.0, seed=3, journal=journal)
    journal.close()
    return lived, path


def test_the_crash_deleverages_a_full_hedge(crash: tuple[Lived, Path]) -> None:
    lived, _ = crash
    closed = lived.events(ev.Deleveraged)
    assert closed
    assert all(e.leg == HEDGE and e.qty_ltc > 0.0 for e in closed)
    refusing = range(MONDAY + AT + 1500, MONDAY + AT + 2700)
    assert closed[0].event_ns // NS_PER_SECOND in refusing
    crowd = lived.market.world.state[0]["deleveraged"]
    assert crowd[1] > 1e5 > 1e4 > crowd[0]
    assert_same_books(lived)


def test_after_it_the_engine_reduces_the_position_instead(crash: tuple[Lived, Path]) -> None:
    lived, _ = crash
    first = lived.events(ev.Deleveraged)[0].known_ns
    sent = [e.order for e in lived.effects(Submit) if e.order.decided_ns > first]
    assert sent
    assert sent[0].decided_ns - first <= NS_PER_MINUTE
    assert sent[0].reduce_only
    assert sent[0].leg == POSITION


def test_a_journal_of_it_can_be_proved(crash: tuple[Lived, Path]) -> None:
    lived, path = crash
    book = Journal(path)
    ((number, _),) = book.runs()
    events = list(book.events(number))
    assert any(isinstance(event, ev.Deleveraged) for event in events)
    state = engine(lived.state.fixed.settings)
    again = []
    for place, event in enumerate(events):
        state, effects = step(state, event)
        again += [(place, encode_effect(effect)) for effect in effects]
    assert again == list(book.effects(number))
    assert state.books.tobytes() == lived.state.books.tobytes()


def test_where_nobody_is_deleveraged_neither_are_we() -> None:
    lived = live("slow-grind", 30, (0, hold(1.0)))
    assert lived.market.world.state["deleveraged"].sum() == 0.0
    assert lived.events(ev.OrderFilled)
    assert lived.events(ev.Deleveraged) == []
    assert_same_books(lived)


# --- latency and refusals -----------------------------------------------------------------------


def outage(seconds: int) -> Any:
    return np.array([(int(Shock.OUTAGE), MONDAY + 60, MONDAY + 60 + seconds, 0.0)], dtype=SHOCK)


@pytest.mark.parametrize("seed", range(12))
def test_an_outage_is_survived_and_the_hedge_comes_after_it(seed: int) -> None:
    """Refused or without an answer, in the end there is one hedge of the size that was wanted."""
    lived = live(None, 20, (30, hold(0.5)), seed=seed, leverage=3.0, shocks=outage(400))
    assert lived.state.order is None
    assert lived.state.trading.name == "ACTIVE"
    position, hedge = lived.venue.sizes()
    assert hedge == pytest.approx(0.5 * position, abs=2e-3)
    for unknown in lived.events(ev.OrderUnknown):
        assert Query(unknown.client_id) in lived.effects(Query)
    assert_same_books(lived)


def test_outages_refuse_and_leave_orders_without_an_answer() -> None:
    """The runs above hold both kinds, and both ends of the second."""
    refused = unknown = lost = found = 0
    for seed in range(12):
        lived = live(None, 20, (30, hold(0.5)), seed=seed, leverage=3.0, shocks=outage(400))
        gone = {e.client_id: e.reason for e in lived.events(ev.OrderRejected)}
        refused += sum(reason == "the venue is down" for reason in gone.values())
        for event in lived.events(ev.OrderUnknown):
            unknown += 1
            lost += gone.get(event.client_id) == "the venue has no such order"
            found += event.client_id in {e.client_id for e in lived.events(ev.OrderFilled)}
    assert refused > 12
    assert lost > 0 < found
    assert lost + found == unknown


def test_orders_are_later_under_stress() -> None:
    """The same orders in a calm market and in one whose volatility was shaken."""
    waits = []
    for vol in (1.0, 12.0):
        shaken = np.array([(int(Shock.VOL), MONDAY + 60, MONDAY + 3600, vol)], dtype=SHOCK)
        ratios = [(300 + 120 * i, hold(0.2 + 0.2 * (i % 2))) for i in range(24)]
        lived = live(None, 60, *ratios, leverage=1.0, shocks=shaken)
        sent = {s.order.client_id: s.order.decided_ns for s in lived.effects(Submit)}
        filled = lived.events(ev.OrderFilled)
        waits.append(np.mean([e.event_ns - sent[e.client_id] for e in filled]) / NS_PER_SECOND)
        assert_same_books(lived)
    assert waits[0] == pytest.approx(1.0, abs=0.1)  # the grain: the second after
    assert waits[1] > 1.5


# --- laws ---------------------------------------------------------------------------------------


def test_halted_submits_nothing_whatever_happens() -> None:
    halt = ev.Halt(BEGIN_NS, BEGIN_NS, "enough")
    lived = live("crash-2025-10", 60, (0, hold(0.6)), (AT + 1600, halt), leverage=8.0)
    place = next(i for i, (e, _) in enumerate(lived.happened) if isinstance(e, ev.Halt))
    after = [e for _, effects in lived.happened[place:] for e in effects]
    assert lived.events(ev.OrderFilled)
    assert not [e for e in after if isinstance(e, Submit)]
    assert_same_books(lived)


def test_same_seed_same_bytes_with_orders_too() -> None:
    one, same, other = (
        live("flash-crash", 25, (0, hold(0.5)), seed=seed, leverage=6.0) for seed in (3, 3, 4)
    )
    assert one.events(ev.OrderFilled)
    assert [ev.encode(e) for e, _ in one.happened] == [ev.encode(e) for e, _ in same.happened]
    assert one.market.world.state.tobytes() == same.market.world.state.tobytes()
    assert one.market.world.state.tobytes() != other.market.world.state.tobytes()

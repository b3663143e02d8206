"""The engine on random histories.

It is a function of state and event; it never raises; halted, it sends nothing; it never has two
orders in flight; and every order is what the guards let through.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasters import Moody
from litehedge.config import Costs, Hedge, Limits, Position, Settings
from litehedge.effects import (
    Alert,
    CancelAll,
    Decision,
    Effect,
    Protection,
    Query,
    StateChange,
    Submit,
)
from litehedge.engine import step
from litehedge.engine_state import State, start
from litehedge.hedge.policies import policy_named
from litehedge.margin.account import equity
from litehedge.market import events as ev
from litehedge.orders.manager import Order, OrderState
from litehedge.risk.state import TradingState
from litehedge.units import BPS, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND
from synthetic import T0, packaged_tiers

MINUTE = NS_PER_MINUTE
HALTED = TradingState.HALTED
BUSY = ("hazard", "plugin", "margin-vol", "move-3pct", "vol-target")


@st.composite
def some_settings(draw: st.DrawFn) -> Settings:
    mode = draw(st.sampled_from(["cross", "isolated"]))
    places = ["same_account", "second_venue", "reduce"][mode == "isolated" :]
    return Settings(
        position=Position(
            side=draw(st.sampled_from(["long", "short"])),
            leverage=draw(st.sampled_from([2.0, 10.0, 30.0])),
            margin_mode=mode,
        ),
        hedge=Hedge(
            location=draw(st.sampled_from(places)),
            max_ratio=draw(st.sampled_from([1.0, 0.6])),
        ),
        costs=Costs(),
        limits=Limits(
            max_hedge_notional_usdt=draw(st.sampled_from([1e6, 900.0])),
            max_ratio_per_minute=draw(st.sampled_from([1.0, 0.3])),
            max_orders_per_minute=draw(st.sampled_from([6, 1])),
            collar_bps=draw(st.sampled_from([150.0, 5.0])),
            equity_stop_share=draw(st.sampled_from([0.05, 0.6])),
            daily_cost_share=draw(st.sampled_from([0.03, 0.001])),
        ),
    )


def engine(settings_: Settings, policy: str = "hazard", **changes: Any) -> State:
    return start(
        settings_, policy_named(policy, settings_), packaged_tiers(), Moody(), session="law",
        atom_ns=MINUTE, **changes,
    )  # fmt: skip


def opened(settings_: Settings, now: int, price: float) -> ev.Opened:
    held = settings_.position
    qty = held.leverage * held.wallet_usdt / price * (1 if held.side == "long" else -1)
    second = 800.0 if settings_.hedge.location == "second_venue" else None
    isolated = held.margin_mode == "isolated"
    return ev.Opened(now, now, held.wallet_usdt, second, qty, price, held.leverage, isolated)


class World:
    """Draws what happens next: mostly markets, sometimes the venue, a person, or nonsense."""

    def __init__(self, data: st.DataObject, settings_: Settings) -> None:
        self.draw = data.draw
        self.settings = settings_
        self.now = T0
        self.price = 100.0
        self.sent: Order | None = None

    def events(self, n: int) -> Iterator[ev.AnyEvent]:
        yield opened(self.settings, self.now, self.price)
        for _ in range(n):
            usual, rare = "bbbbbbbbbbbttkooooooarrufp", "hhlxxzddd"
            is_rare = self.draw(st.integers(0, 24)) == 24
            yield self.happening(self.draw(st.sampled_from(rare if is_rare else usual)))

    def happening(self, what: str) -> ev.AnyEvent:
        now = self.now
        draw = self.draw
        match what:
            case "b":
                return self.bar()
            case "t":
                self.now += draw(st.integers(0, 90 * NS_PER_SECOND))
                self.price *= draw(st.floats(0.98, 1.02))
                return ev.Trade(self.now, self.now, self.price, 1.0, draw(st.booleans()))
            case "k":
                self.now += draw(st.sampled_from([0, MINUTE, 20 * MINUTE, NS_PER_HOUR]))
                ahead = draw(st.sampled_from([0, 0, 0, 1_000_000_000, 3_000_000_000]))
                return ev.Tick(self.now + ahead, self.now)
            case "o":
                return self.about_the_order("aauffffxr")
            case "x":
                return self.about_the_order("axrfuz", known=False)
            case "z":
                return self.about_the_order("z")
            case "a":
                return self.bar(asset="BTC")
            case "f":
                return ev.FundingPaid(now, now, self.price, draw(st.floats(-0.01, 0.01)))
            case "r":
                word = draw(st.sampled_from(["RESUME", "RESUME", "resume", ""]))
                return ev.Resume(now, now, word)
            case "h":
                return ev.Halt(now, now, "enough")
            case "u":
                until = now + draw(st.integers(-1, 10)) * MINUTE
                if draw(st.booleans()):
                    return ev.Freeze(now, now, until)
                return ev.SetHedge(now, now, draw(st.floats(-1.0, 2.0)), until)
            case "d":
                leg = draw(st.sampled_from([0, 1, 1, 1, 2]))
                qty = draw(st.one_of(st.sampled_from([0.001, 1.0, 1e6]), st.floats()))
                return ev.Deleveraged(now, now, leg, qty, draw(st.floats(-1.0, 500.0)))
            case "p":
                return draw(st.sampled_from([ev.Follow(now, now), self.book()]))
            case _:
                alive = draw(st.booleans())
                if draw(st.integers(0, 3)) == 0:
                    return ev.Liquidated(now, now, self.price, alive)
                return opened(self.settings, now, self.price)

    def bar(self, asset: str = "LTC") -> ev.Bar:
        self.now = (self.now // MINUTE + 1) * MINUTE
        before = self.price
        move = self.draw(st.one_of(st.floats(0.995, 1.005), st.floats(0.93, 1.07)))
        if asset == "LTC":
            self.price = min(max(before * move, 20.0), 500.0)
        high, low = max(before, self.price), min(before, self.price)
        return ev.Bar(
            self.now, self.now, asset, MINUTE, before, high, low, self.price, 1e4  # type: ignore[arg-type]
        )  # fmt: skip

    def book(self) -> ev.Book:
        depth = self.draw(st.sampled_from([0.0, 1e3, 1e6]))
        return ev.Book(self.now, self.now, self.price * 0.999, self.price * 1.001, depth, depth)

    def about_the_order(self, kinds: str, *, known: bool = True) -> ev.AnyEvent:
        """Whatever a venue may say of the last order, in or out of turn, or of nobody's."""
        now, draw = self.now, self.draw
        order = self.sent
        if order is None and known:
            return self.bar()
        name = order.client_id if order is not None and known else "lh-other-000001"
        kind = draw(st.sampled_from(kinds))
        if kind in "fz":
            qty = float(order.qty_ltc) if order is not None else 1.0
            left = float(order.qty_ltc - order.filled_ltc) if order is not None else 1.0
            share = draw(st.sampled_from([1.0, 0.5, 0.001]))
            filled = left * share if kind == "f" else qty * draw(st.sampled_from([3.0, -1.0, 0.5]))
            filled = float(round(Decimal(filled), 3))
            leg = order.leg if order is not None else 1
            leg = draw(st.sampled_from([leg, 1 - leg])) if kind == "z" else leg
            return ev.OrderFilled(now, now, name, leg, filled, self.price, 0.1, 0.1)
        return {
            "a": ev.OrderAccepted(now, now, name),
            "r": ev.OrderRejected(now, now, name, "no"),
            "x": ev.OrderExpired(now, now, name, "gone"),
            "u": ev.OrderUnknown(now, now, name),
        }[kind]


# --- the laws ---------------------------------------------------------------------------------

encode = msgspec.msgpack.Encoder().encode


@given(st.data(), some_settings(), st.sampled_from(BUSY))
@settings(max_examples=150)
def test_the_laws_of_the_engine(data: st.DataObject, settings_: Settings, policy: str) -> None:
    state = engine(settings_, policy, held_every_ns=5 * MINUTE)
    world = World(data, settings_)
    ids: set[str] = set()
    for happened in world.events(data.draw(st.integers(5, 60))):
        twin = copy.deepcopy(state)
        before = (state.trading, state.order)
        state, effects = step(state, happened)
        twin, again = step(twin, happened)
        assert encode(effects) == encode(again)
        assert state.books.tobytes() == twin.books.tobytes()
        check(state, before, happened, effects, settings_)
        for effect in effects:
            note(type(effect).__name__)
            if isinstance(effect, Submit):
                assert effect.order.client_id not in ids
                ids.add(effect.order.client_id)
        world.sent = state.order if state.order is not None else world.sent


def check(
    state: State, before: tuple[TradingState, Order | None], happened: ev.AnyEvent,
    effects: list[Effect], settings_: Settings,
) -> None:  # fmt: skip
    was, in_flight = before
    submits = [e for e in effects if isinstance(e, Submit)]
    assert len(submits) <= 1
    if submits:
        # At once, if that ended and a person had spoken meanwhile
        assert in_flight is None or in_flight.client_id != submits[0].order.client_id
        assert was is not HALTED
        assert state.trading is not HALTED
        assert submits[0].order == state.order
        if any(isinstance(e, Protection) for e in effects):  # see `test_protecting`
            assert submits[0].order.reduce_only
            return
        [decision] = [e for e in effects if isinstance(e, Decision)]
        check_order(submits[0].order, decision, settings_)
    if was is HALTED and state.trading is not HALTED:
        assert isinstance(happened, ev.Resume)
        assert happened.word == "RESUME"
    if state.trading is TradingState.ACTIVE and was is not TradingState.ACTIVE:
        assert isinstance(happened, (ev.Resume, ev.Opened))
    if state.trading is not was:
        changes = [e for e in effects if isinstance(e, StateChange)]
        assert (changes[0].before, changes[-1].after) == (was.name, state.trading.name)
        assert any(isinstance(e, Alert) for e in effects)
    for decision in (e for e in effects if isinstance(e, Decision)):
        advice = decision.recommendation
        assert 0.0 <= advice.lo <= advice.hi <= settings_.hedge.max_ratio
        assert decision.trading_state == state.trading.name
        assert bool(decision.order_id) == bool(submits)
    order = state.order
    if order is not None and order.state is OrderState.UNKNOWN and order is not in_flight:
        assert effects == [Query(order.client_id)]
    if isinstance(happened, ev.Halt):
        assert any(isinstance(e, CancelAll) for e in effects)


def check_order(order: Order, decision: Decision, settings_: Settings) -> None:
    """What goes out lies within what the guards allowed, on the grid, inside the collar."""
    advice = decision.recommendation
    size = abs(order.qty_ltc)
    lot, tick = Decimal("0.001"), Decimal("0.01")
    assert size > 0
    assert size % lot == 0
    assert order.limit_usdt % tick == 0
    allowed = [v.allowed_ltc for v in decision.verdicts]
    wanted = [v.wanted_ltc for v in decision.verdicts]
    assert float(size) <= min([*allowed, *wanted, float("inf")]) + 1e-9
    assert size * Decimal(decision.price) >= 20 or order.reduce_only
    side = 1 if settings_.position.side == "long" else -1
    adds = (order.qty_ltc < 0) == (side > 0)
    if not decision.verdicts and not adds:
        target = settings_.limits.max_ratio_per_minute
        assert abs(advice.target - advice.ratio) <= target + 1e-9
    if decision.trading_state == "REDUCING":
        assert adds
    assert order.leg == (0 if settings_.hedge.location == "reduce" else 1)
    assert order.reduce_only == (adds if settings_.hedge.location == "reduce" else not adds)
    collar = settings_.limits.collar_bps * BPS * decision.price
    worse = float(order.limit_usdt) - decision.price
    assert abs(worse) <= collar + 1e-6
    assert (worse >= -0.01) if order.qty_ltc > 0 else (worse <= 0.01)
    if adds and settings_.hedge.location != "reduce":
        assert float(size) * decision.price <= settings_.limits.max_hedge_notional_usdt + 1e-6


# --- by hand ----------------------------------------------------------------------------------


def bars(state: State, closes: list[float], start_ns: int = T0) -> list[Effect]:
    effects: list[Effect] = []
    for i, close in enumerate(closes):
        now = start_ns + (i + 1) * MINUTE
        bar = ev.Bar(now, now, "LTC", MINUTE, close, close, close, close, 1e4)
        state, said = step(state, bar)
        effects += said
    return effects


def guarded() -> State:
    settings_ = Settings(hedge=Hedge(location="same_account"))
    state = engine(settings_, "margin-vol")
    state, _ = step(state, opened(settings_, T0, 100.0))
    return state


def test_a_person_may_hold_a_ratio_until_it_ends() -> None:
    state = guarded()
    state, _ = step(state, ev.SetHedge(T0, T0, 0.4, T0 + 3 * MINUTE))
    [submit] = [e for e in bars(state, [100.0]) if isinstance(e, Submit)]
    assert submit.order.qty_ltc == Decimal("-20")
    fill = ev.OrderFilled(T0, T0, submit.order.client_id, 1, -20.0, 100.0, 0.1, 0.1)
    state, _ = step(state, fill)
    assert state.order is None
    bars(state, [100.0], T0 + MINUTE)
    assert state.order is None
    assert state.override is not None
    bars(state, [100.0], T0 + 2 * MINUTE)
    assert state.override is None


def test_an_order_without_an_end_is_asked_about_and_nothing_else_is_sent() -> None:
    state = guarded()
    state, _ = step(state, ev.SetHedge(T0, T0, 0.4, T0 + NS_PER_HOUR))
    [submit] = [e for e in bars(state, [100.0]) if isinstance(e, Submit)]
    client_id = submit.order.client_id
    first = bars(state, [100.0], T0 + MINUTE)
    assert first[0] == Query(client_id)
    assert first[1].level == "act_now"  # type: ignore[union-attr]
    assert bars(state, [100.0], T0 + 2 * MINUTE) == [Query(client_id)]
    now = T0 + 4 * MINUTE
    assert step(state, ev.Tick(now, now))[1] == [Query(client_id)]
    state, _ = step(state, ev.OrderRejected(now, now, client_id, "the venue has no such order"))
    assert [e for e in bars(state, [100.0], now) if isinstance(e, Submit)]


def test_whatever_halts_cancels() -> None:
    now = T0 + MINUTE
    for cause in (
        ev.Halt(now, now, "enough"), ev.Tick(now + 2 * NS_PER_SECOND, now),
        ev.OrderAccepted(now, now, "lh-other-1"),
    ):  # fmt: skip
        state, effects = step(guarded(), cause)
        assert state.trading is HALTED
        assert len([e for e in effects if isinstance(e, CancelAll)]) == 1
        _, effects = step(state, ev.Halt(now, now, "again"))
        assert CancelAll("again") in effects


def test_an_override_ends_with_its_position() -> None:
    state, _ = step(guarded(), ev.SetHedge(T0, T0, 0.4, T0 + NS_PER_HOUR))
    state, _ = step(state, opened(Settings(), T0, 100.0))
    assert state.override is None


@pytest.mark.parametrize("age_s", [5, 40])
def test_a_book_limits_an_order_also_once_it_is_silent(age_s: int) -> None:
    state, _ = step(guarded(), ev.SetHedge(T0, T0, 1.0, T0 + NS_PER_HOUR))
    at = T0 + MINUTE - age_s * NS_PER_SECOND
    state, _ = step(state, ev.Book(at, at, 99.9, 100.1, 10.0, 10.0))
    [decision] = [e for e in bars(state, [100.0]) if isinstance(e, Decision)]
    codes = [v.code for v in decision.verdicts]
    assert "DEPTH_SHARE_ABOVE_LIMIT" in codes


def test_frozen_nothing_moves() -> None:
    state = guarded()
    state, _ = step(state, ev.SetHedge(T0, T0, 0.4, T0 + MINUTE * 9))
    state, _ = step(state, ev.Freeze(T0, T0, T0 + MINUTE * 9))
    assert not [e for e in bars(state, [100.0, 90.0]) if isinstance(e, Submit)]
    state, _ = step(state, ev.Follow(T0, T0))
    assert state.override is None


def test_a_foreign_order_halts() -> None:
    state, effects = step(guarded(), ev.OrderAccepted(T0, T0, "lh-other-1"))
    assert state.trading is HALTED
    assert "which is not ours" in effects[-1].text  # type: ignore[union-attr]


def test_a_halt_survives_what_is_not_the_word() -> None:
    state, _ = step(guarded(), ev.Halt(T0, T0, "enough"))
    state, effects = step(state, ev.Resume(T0, T0, "please"))
    assert state.trading is HALTED
    assert effects == [Alert("done", "not resumed: type RESUME to resume")]
    state, _ = step(state, ev.SetHedge(T0, T0, 1.0, T0 + NS_PER_HOUR))
    effects = bars(state, [100.0, 100.0])
    assert not [e for e in effects if isinstance(e, Submit)]
    [decision] = [e for e in effects if isinstance(e, Decision) and e.verdicts][:1]
    assert decision.verdicts[0].code == "TRADING_HALTED"
    state, _ = step(state, ev.Resume(T0, T0, "RESUME"))
    assert [e for e in bars(state, [100.0], T0 + 2 * MINUTE) if isinstance(e, Submit)]


def test_a_halt_before_the_start_is_still_a_halt() -> None:
    settings_ = Settings()
    state = engine(settings_, "margin-vol", trading=HALTED)
    state, _ = step(state, opened(settings_, T0, 100.0))
    state, _ = step(state, ev.SetHedge(T0, T0, 1.0, T0 + NS_PER_HOUR))
    assert not [e for e in bars(state, [100.0] * 3) if isinstance(e, Submit)]
    assert state.trading is HALTED


def test_events_from_the_future_halt_when_they_are_too_far_ahead() -> None:
    for ahead_ms, halts in ((1500, False), (1501, True)):
        now = T0 + MINUTE
        state, _ = step(guarded(), ev.Tick(now + ahead_ms * 1_000_000, now))
        assert (state.trading is HALTED) == halts


def test_a_silent_price_is_told_once_and_so_is_its_return() -> None:
    state = guarded()
    bars(state, [100.0])
    told = []
    last = T0 + MINUTE
    for age_s in (900, 901, 1000, 2000):
        now = last + age_s * NS_PER_SECOND
        state, effects = step(state, ev.Tick(now, now))
        told.append([e.text for e in effects if isinstance(e, Alert)])
    assert told == [[], ["no price for 901 s: the hedge stays as it is"], [], []]
    state, _ = step(state, ev.Trade(now, now, 100.0, 1.0, True))
    state, effects = step(state, ev.Tick(now, now))
    assert effects == [Alert("done", "the price feed is back", "price", clears=True)]
    assert state.trading is TradingState.ACTIVE


def test_near_ruin_it_goes_on_protecting_until_there_is_a_new_position() -> None:
    settings_ = Settings(limits=Limits(equity_stop_share=0.5))
    state = engine(settings_, "unhedged")
    state, _ = step(state, opened(settings_, T0, 100.0))
    effects = bars(state, [100.0, 89.0])
    assert state.trading is TradingState.REDUCING
    [change] = [e for e in effects if isinstance(e, StateChange)]
    assert (change.before, change.after, change.cause) == ("ACTIVE", "REDUCING", "equity stop")
    state, effects = step(state, ev.SetHedge(T0, T0, 0.25, T0 + NS_PER_HOUR))
    assert [e for e in effects if isinstance(e, Submit)]
    state, effects = step(state, opened(settings_, T0 + 4 * MINUTE, 89.0))
    assert state.trading is TradingState.ACTIVE


@pytest.mark.parametrize("kind", ["opened", "liquidated"])
def test_nothing_held_is_nothing_to_guard(kind: str) -> None:
    state = guarded()
    if kind == "opened":
        state, _ = step(state, ev.Opened(T0, T0, 1000.0, None, 0.0, 100.0, 5.0, False))
    else:  # the venue says that a part is left, our own books say that nothing is
        state, _ = step(state, ev.Liquidated(T0, T0, 50.0, True))
    assert not state.is_open
    assert bars(state, [100.0, 90.0]) == []


def hedged_by_hand(ratio: float = 0.4) -> State:
    """A long of 50 LTC with a hedge that a person wants."""
    state, _ = step(guarded(), ev.SetHedge(T0, T0, ratio, T0 + NS_PER_HOUR))
    [submit] = [e for e in bars(state, [100.0]) if isinstance(e, Submit)]
    order = submit.order
    fill = ev.OrderFilled(T0, T0, order.client_id, order.leg, float(order.qty_ltc), 100.0, 0.0, 0.0)
    return step(state, fill)[0]


def test_what_was_deleveraged_is_bought_again() -> None:
    state = hedged_by_hand()
    before = float(equity(state.books, 90.0))
    state, effects = step(state, ev.Deleveraged(T0, T0, 1, 15.0, 90.0))
    assert state.books["qty"][0].tolist() == [50.0, -5.0]
    assert float(equity(state.books, 90.0)) == pytest.approx(before)
    [submit] = [e for e in effects if isinstance(e, Submit)]  # at once: a person holds it
    assert submit.order.qty_ltc == Decimal("-15")


def test_deleveraging_leaves_an_order_alone() -> None:
    state = hedged_by_hand()
    state, _ = step(state, ev.SetHedge(T0, T0, 0.8, T0 + NS_PER_HOUR))
    bars(state, [100.0], T0 + MINUTE)
    order = state.order
    assert order is not None
    state, effects = step(state, ev.Deleveraged(T0, T0, 1, 20.0, 90.0))
    assert state.order is order
    assert not [e for e in effects if isinstance(e, CancelAll)]


@pytest.mark.parametrize(
    ("leg", "qty", "price"),
    [(1, -1.0, 90.0), (1, 20.1, 90.0), (0, 1.0, 90.0), (2, 1.0, 90.0), (1, float("nan"), 90.0),
     (1, 1.0, float("nan")), (1, 1.0, 0.0)],
)  # fmt: skip
def test_a_deleveraging_that_cannot_be_halts(leg: int, qty: float, price: float) -> None:
    state = hedged_by_hand()
    books = state.books.tobytes()
    state, effects = step(state, ev.Deleveraged(T0, T0, leg, qty, price))
    assert state.trading is HALTED
    assert state.books.tobytes() == books
    assert isinstance(effects[-1], Alert)


def test_a_hedge_that_is_left_alone_is_told() -> None:
    state, [alert] = step(hedged_by_hand(), ev.Deleveraged(T0, T0, 0, -50.0, 110.0))
    assert not state.is_open
    assert alert.text.endswith("the hedge of 20.000 LTC stands alone, close it")  # type: ignore[union-attr]
    assert bars(state, [110.0], T0 + MINUTE) == []


def test_what_is_deleveraged_of_a_reduced_position_cannot_be_bought_back() -> None:
    settings_ = Settings(hedge=Hedge(location="reduce"))
    state = engine(settings_, "margin-vol")
    state, _ = step(state, opened(settings_, T0, 100.0))
    state, _ = step(state, ev.Deleveraged(T0, T0, 0, -20.0, 110.0))
    assert state.terms["size"][0] == state.books["qty"][0, 0] == 30.0


def test_a_refusal_that_goes_on_is_told_once_an_hour() -> None:
    state, _ = step(guarded(), ev.Halt(T0, T0, "enough"))
    state, _ = step(state, ev.SetHedge(T0, T0, 1.0, T0 + 24 * NS_PER_HOUR))
    decisions = [e for e in bars(state, [100.0] * 125) if isinstance(e, Decision)]
    refused = [d for d in decisions if d.verdicts]
    assert [d.time_ns - refused[0].time_ns for d in refused] == [0, NS_PER_HOUR, 2 * NS_PER_HOUR]
    assert state.refusals == 125


@pytest.mark.parametrize("skew", [100.0, 5_000.0])
def test_a_tighter_clock_halts_no_later(skew: float) -> None:
    settings_ = Settings(limits=Limits(max_clock_skew_ms=skew))
    state = engine(settings_, "unhedged")
    state, _ = step(state, ev.Tick(T0 + 1_000_000_000, T0))
    assert (state.trading is HALTED) == (skew < 1000.0)

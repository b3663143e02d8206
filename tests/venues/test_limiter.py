"""The limiter: no window ever holds too much, and what lowers the risk does not wait."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.venues.limiter import Limiter, Rule, Ticket, Waiter
from litehedge.venues.limits import LIMITS, penalty_s

KINDS = ("order", "cancel", "cancel_all", "query", "account", "settings", "stop", "market")
RULES = (Rule("a", 10, 5.0, 0.0), Rule("b", 4, 1.0, 0.0), Rule("c", 30, 60.0, 0.0))

costs = st.dictionaries(st.sampled_from("abc"), st.sampled_from([1.0, 2.0, 3.0]), min_size=1)
requests = st.lists(
    st.tuples(st.sampled_from([0.0, 0.01, 0.3, 1.0, 7.0]), costs, st.booleans()), max_size=60
)


def run(limiter: Limiter, asked: list[tuple[float, dict[str, float], bool]]) -> list:
    """Return (asked at, ticket, granted at) for all, in the order of the grants."""
    now_s, came, out = 0.0, {}, []

    def serve(now_s: float) -> None:
        out.extend((came[t.number], t, now_s) for t in limiter.granted(now_s))

    for pause_s, cost, emergency in asked:
        until_s = now_s + pause_s
        while (next_s := limiter.next_s(now_s)) is not None and next_s <= until_s:
            now_s = max(now_s, next_s)
            before = len(out)
            serve(now_s)
            assert len(out) > before, "it said that somebody may go, and nobody went"
        now_s = until_s
        ticket = limiter.ask(cost, emergency)
        came[ticket.number] = now_s
        serve(now_s)
    while (next_s := limiter.next_s(now_s)) is not None:
        now_s = max(now_s, next_s)
        before = len(out)
        serve(now_s)
        assert len(out) > before
    return out


def spent_in(log: list, rule: Rule, end_s: float) -> float:
    return sum(t.costs.get(rule.name, 0.0) for _, t, at in log if at <= end_s < at + rule.window_s)


@given(asked=requests)
def test_no_window_ever_holds_more_than_the_limit(asked: list) -> None:
    log = run(Limiter(RULES), asked)
    assert len(log) == len(asked)
    for rule in RULES:
        for _, _, at in log:
            assert spent_in(log, rule, at) <= rule.limit + 1e-9


@given(asked=requests)
def test_first_come_first_served_within_a_lane(asked: list) -> None:
    """Who came later never goes before an earlier one that needs the same limit."""
    log = run(Limiter(RULES), asked)
    for emergency in (False, True):
        lane = [t for _, t, _ in log if t.emergency is emergency]
        for place, ticket in enumerate(lane):
            earlier = [t for t in lane[place + 1 :] if t.number < ticket.number]
            assert all(set(t.costs).isdisjoint(ticket.costs) for t in earlier)


@given(asked=requests)
def test_an_emergency_waits_only_when_the_venue_would_refuse(asked: list) -> None:
    log = run(Limiter(RULES), asked)
    rules = {rule.name: rule for rule in RULES}
    for place, (came, ticket, at) in enumerate(log):
        if not ticket.emergency or at == came:
            continue
        before = [entry for entry in log[:place] if entry[2] <= came]
        ahead = [
            e[1] for e in log if e[1].emergency and e[1].number < ticket.number and e[2] > came
        ]
        full = any(
            spent_in(before, rules[name], came) + cost > rules[name].limit
            for name, cost in ticket.costs.items()
        )
        assert full or any(not set(t.costs).isdisjoint(ticket.costs) for t in ahead)


@given(flood=st.integers(1, 200))
def test_usual_requests_leave_room_for_an_emergency(flood: int) -> None:
    limiter = Limiter((Rule("a", 10, 5.0, 0.0),), share=0.2)
    for _ in range(flood):
        limiter.ask({"a": 1})
    limiter.granted(0.0)
    ticket = limiter.ask({"a": 2}, emergency=True)
    assert ticket in limiter.granted(0.0)


@given(used=st.floats(0, 2000), ours=st.integers(0, 50))
def test_what_the_venue_counts_is_believed_when_it_is_more(used: float, ours: int) -> None:
    limiter = Limiter((Rule("weight", 2400, 60.0),))
    for _ in range(ours):
        limiter.ask({"weight": 1})
    limiter.granted(0.0)
    limiter.told("weight", used, 1.0)
    limiter.told("weight", used, 1.0)  # told twice counts once
    assert limiter.used("weight", 1.0) == pytest.approx(max(used, ours))


def test_a_pause_holds_even_an_emergency_and_ends() -> None:
    limiter = Limiter((Rule("a", 10, 1.0, 0.0),))
    limiter.pause(30.0, 0.0)
    limiter.pause(1.0, 0.0)  # never shorter
    ticket = limiter.ask({"a": 1}, emergency=True)
    assert limiter.granted(29.9) == []
    assert limiter.next_s(29.9) == 30.0
    assert limiter.granted(30.0) == [ticket]


def test_a_pause_of_one_rule_leaves_the_others() -> None:
    limiter = Limiter((Rule("a", 10, 1.0), Rule("b", 10, 1.0)))
    limiter.pause(30.0, 0.0, "a")
    held, free = limiter.ask({"a": 1}), limiter.ask({"b": 1})
    assert limiter.granted(0.0) == [free]
    limiter.drop(held)
    assert limiter.next_s(0.0) is None


def test_a_lower_limit_that_the_venue_tells_is_kept_and_never_starves() -> None:
    limiter = Limiter((Rule("a", 10, 1.0, 0.0),))
    limiter.told("a", 0.0, 0.0, limit=2)
    tickets = [limiter.ask({"a": 1}) for _ in range(3)]
    assert limiter.granted(0.0) == tickets[:1]
    limiter.ask({"a": 2}, emergency=True)
    limiter.told("a", 0.0, 0.0, limit=1)
    assert limiter.granted(1.0), "what waited must still be able to go"


def test_what_can_never_go_is_refused_at_once() -> None:
    limiter = Limiter((Rule("a", 10, 1.0),))
    with pytest.raises(ValueError, match="costs 11"):
        limiter.ask({"a": 11}, emergency=True)
    with pytest.raises(ValueError, match="costs 9"):
        limiter.ask({"a": 9})
    with pytest.raises(ValueError, match="share"):
        Limiter((), share=1.0)
    assert isinstance(limiter.ask({"unknown": 5}), Ticket)  # no such rule: free


@pytest.mark.parametrize("venue", LIMITS)
def test_every_venue_lets_every_kind_of_request_through(venue: str) -> None:
    limits = LIMITS[venue]
    names = {rule.name for rule in limits.rules}
    for kind in KINDS:
        assert set(limits.kinds[kind]) <= names
        limiter = Limiter(limits.rules)
        for emergency in (False, True):
            ticket = limiter.ask(limits.kinds[kind], emergency)
            assert ticket in limiter.granted(float(10_000 * emergency))


def test_penalties() -> None:
    assert penalty_s("binance", 200, {}) == 0.0
    assert penalty_s("binance", 429, {"retry-after": "17"}) == 17.0
    assert penalty_s("binance", 418, {}) == 300.0
    assert penalty_s("bybit", 403, {"retry-after": "soon"}) == 600.0
    assert penalty_s("bybit", 403, {"retry-after": "-1"}) == 600.0


def test_the_waiter_sends_in_order_and_lets_an_emergency_pass() -> None:
    async def scene() -> list[str]:
        waiter = Waiter(Limiter((Rule("a", 5, 0.05, 0.0),)), {"order": {"a": 1}}, "a")
        order: list[str] = []

        async def one(name: str, emergency: bool = False) -> None:
            await waiter.wait("order", emergency)
            order.append(name)

        usual = [asyncio.create_task(one(f"usual {i}")) for i in range(6)]
        await asyncio.sleep(0)
        rescue = asyncio.create_task(one("rescue", emergency=True))
        await asyncio.gather(*usual, rescue)
        return order

    order = asyncio.run(scene())
    assert order.index("rescue") < order.index("usual 4") < order.index("usual 5")
    assert [name for name in order if name != "rescue"] == [f"usual {i}" for i in range(6)]


def test_who_stops_waiting_makes_room() -> None:
    async def scene() -> None:
        waiter = Waiter(Limiter((Rule("a", 5, 3600.0),)), general="a")
        await waiter.wait(3.0)
        blocked = asyncio.create_task(waiter.wait(4.0))
        await asyncio.sleep(0)
        behind = asyncio.create_task(waiter.wait(1.0))
        await asyncio.sleep(0)
        assert not behind.done()
        blocked.cancel()
        await asyncio.gather(blocked, return_exceptions=True)
        await behind
        waiter.pause(1.0)
        waiter.told("a", 5.0)

    asyncio.run(scene())


def test_what_goes_at_once_is_counted_and_passes_nobody() -> None:
    async def scene() -> None:
        waiter = Waiter(Limiter((Rule("a", 5, 3600.0),)), general="a")
        assert [waiter.at_once(1.0) for _ in range(5)] == [True] * 4 + [False]  # one is kept
        assert waiter.limiter.used("a", waiter.now_s()) == 4.0
        waits = asyncio.create_task(waiter.wait(1.0))
        await asyncio.sleep(0)
        assert not waiter.at_once(1.0, emergency=True)  # somebody waits: by the long way
        await asyncio.wait_for(waiter.wait(1.0, emergency=True), 1.0)
        assert waiter.limiter.used("a", waiter.now_s()) == 5.0
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        assert not waiter.at_once(1.0, emergency=True)
        assert waiter.limiter.used("a", waiter.now_s()) == 5.0

    asyncio.run(scene())

"""Laws of the funnel: nothing lost, nothing out of order, time never back, ticks every second."""

from __future__ import annotations

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.errors import BadMessage
from litehedge.live.funnel import Funnel
from litehedge.market import events as ev
from litehedge.units import NS_PER_MS, NS_PER_SECOND


class MadeClock:
    """A clock that is set by hand."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


def mark(at_ns: int, price: float) -> ev.Mark:
    return ev.Mark(at_ns, at_ns, price)


@settings(max_examples=200)
@given(st.lists(st.integers(0, 5 * NS_PER_SECOND), max_size=40))
def test_every_event_comes_out_once_in_order_with_a_tick_for_every_second(steps):
    began = 1_000 * NS_PER_SECOND + 123
    clock = MadeClock(began)
    funnel = Funnel(clock)
    sent, now = [], began
    for number, step in enumerate(steps):
        now += step
        sent.append(mark(now, float(number + 1)))
        funnel.put(sent[-1])
    funnel.stop()
    assert funnel.given_ns() == 0
    got, given_ns = [], []
    for event in funnel.events():
        got.append(event)
        given_ns.append(funnel.given_ns())
    assert [event for event in got if type(event) is ev.Mark] == sent
    known = [event.known_ns for event in got]
    assert known == sorted(known) == given_ns
    ticked = {event.known_ns for event in got if type(event) is ev.Tick}
    wanted = set(range(began // NS_PER_SECOND + 1, now // NS_PER_SECOND + 1))
    exact = {event.known_ns for event in sent}
    assert ticked | exact >= {second * NS_PER_SECOND for second in wanted}
    assert len(ticked) == sum(type(event) is ev.Tick for event in got)


def test_an_event_that_was_on_its_way_while_a_tick_was_made_comes_after_it():
    clock = MadeClock(10 * NS_PER_SECOND - 1)
    funnel = Funnel(clock)
    stream = funnel.events()
    funnel.put(mark(clock.now_ns, 1.0))
    assert type(next(stream)) is ev.Mark
    clock.now_ns = 10 * NS_PER_SECOND + 5
    tick = next(stream)
    assert type(tick) is ev.Tick
    funnel.put(mark(10 * NS_PER_SECOND - 3, 2.0))
    late = next(stream)
    assert late.known_ns == tick.known_ns
    assert late.price == 2.0


def test_a_silent_market_still_ticks():
    funnel = Funnel()
    stream = funnel.events()
    first, second = next(stream), next(stream)
    assert type(first) is type(second) is ev.Tick
    assert second.known_ns - first.known_ns == NS_PER_SECOND
    assert first.known_ns % NS_PER_SECOND == 0


def test_events_of_another_thread_arrive():
    funnel = Funnel()

    def send() -> None:
        for price in range(1, 1001):
            funnel.put(mark(funnel.now_ns(), float(price)))
        funnel.stop()

    sender = threading.Thread(target=send)
    sender.start()
    prices = [event.price for event in funnel.events() if type(event) is ev.Mark]
    sender.join()
    assert prices == [float(price) for price in range(1, 1001)]


def test_health_and_bad_messages_are_counted(caplog):
    caplog.set_level("INFO", "litehedge.live")
    funnel = Funnel()
    funnel.health("a", "starting")
    funnel.health("a", "ok")
    funnel.health("a", "down", "reset")
    funnel.health("a", "down", "refused")
    funnel.health("a", "ok")
    funnel.bad("a", BadMessage("not JSON"), b"\xff{")
    state = funnel.sources["a"]
    assert (state.state, state.failures, state.bad) == ("ok", 1, 1)
    assert "a is down: reset" in caplog.text
    assert "not JSON" in caplog.text


def vitals_after(late_ms: float, speed: float = 1.0) -> list[ev.Vitals]:
    """What is told of a second in which one event had to wait."""
    began = 1_000 * NS_PER_SECOND
    clock = MadeClock(began)
    funnel = Funnel(clock, speed)
    for part in range(12):
        funnel.put(mark(began + part * NS_PER_SECOND // 10, 1.0))
    funnel.stop()
    got = []
    for event in funnel.events():
        got.append(event)
        clock.now_ns = max(clock.now_ns, event.known_ns + round(late_ms * NS_PER_MS))
    return [event for event in got if isinstance(event, ev.Vitals)]


def test_how_late_the_engine_is_is_told_at_once_when_it_is_much():
    assert vitals_after(20.0) == []  # an ordinary lag is told every ten seconds
    (told,) = vitals_after(900.0)
    assert 800.0 <= told.lag_ms <= 1000.0


def test_a_fast_clock_does_not_make_it_late():
    assert vitals_after(900.0, speed=200.0) == []


def test_an_ordinary_lag_is_told_every_ten_seconds():
    clock = MadeClock(1_000 * NS_PER_SECOND)
    funnel = Funnel(clock)
    for second in range(25):
        funnel.put(mark(clock.now_ns + second * NS_PER_SECOND, 1.0))
    funnel.stop()
    told = []
    for event in funnel.events():
        clock.now_ns = max(clock.now_ns, event.known_ns)
        told.append(event)
    assert sum(isinstance(event, ev.Vitals) for event in told) == 2


def test_who_wakes_it_lets_the_engine_look_around_between_seconds():
    began = 1_000 * NS_PER_SECOND + 123
    clock = MadeClock(began)
    funnel = Funnel(clock)
    funnel.put(mark(began, 1.0))
    clock.now_ns = began + 7
    funnel.wake()
    stream = funnel.events()
    assert next(stream) == mark(began, 1.0)
    assert next(stream) == ev.Tick(began + 7, began + 7)
    funnel.put(mark(began + 2 * NS_PER_SECOND, 2.0))
    assert [next(stream).known_ns for _ in range(2)] == [
        1_001 * NS_PER_SECOND, 1_002 * NS_PER_SECOND
    ]  # fmt: skip


def test_a_source_that_changes_is_among_the_events_once():
    funnel = Funnel(MadeClock(1_000 * NS_PER_SECOND))
    funnel.health("quotes", "ok")
    funnel.health("quotes", "ok")
    funnel.bad("quotes", BadMessage("not JSON"), b"{")
    funnel.bad("quotes", BadMessage("not JSON"), b"{")
    funnel.health("quotes", "down", "reset")
    funnel.stop()
    heard = [e for e in funnel.events() if isinstance(e, ev.FeedHealth)]
    assert [(e.source, e.state, e.detail, e.bad, e.failures) for e in heard] == [
        ("quotes", "ok", "", 0, 0), ("quotes", "ok", "", 1, 0), ("quotes", "down", "reset", 2, 1),
    ]  # fmt: skip

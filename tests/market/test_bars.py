"""Laws of the bars: nothing lost, nothing from the future, the same from finer bars."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from litehedge.market import events as ev
from litehedge.market.bars import BarFold, as_bars
from litehedge.units import NS_PER_SECOND

BAR = 5 * NS_PER_SECOND


@st.composite
def streams(draw):
    now, events = 1_000 * NS_PER_SECOND, []
    for _ in range(draw(st.integers(0, 60))):
        now += draw(st.integers(0, 4 * NS_PER_SECOND))
        price = draw(st.integers(8000, 9000)) / 100
        kind = draw(st.sampled_from(["trade", "book", "mark", "tick"]))
        if kind == "trade":
            qty = draw(st.integers(1, 100)) / 10
            events.append(ev.Trade(now, now, price, qty, draw(st.booleans())))
        elif kind == "book":
            events.append(ev.Book(now, now, price, price + 0.01, 1e5, 1e5))
        elif kind == "mark":
            events.append(ev.Mark(now, now, price))
        else:
            events.append(ev.Tick(now, now))
    events.append(ev.Tick(now + BAR, now + BAR))
    return events


@given(streams())
def test_bars_hold_every_trade_and_nothing_else_is_touched(events):
    out = list(as_bars(events, BAR))
    bars = [event for event in out if isinstance(event, ev.Bar)]
    trades = [event for event in events if isinstance(event, ev.Trade)]
    assert sum(bar.volume for bar in bars) == sum(t.qty_ltc for t in trades) or abs(
        sum(bar.volume for bar in bars) - sum(t.qty_ltc for t in trades)
    ) < 1e-9 * len(events)
    others = [e for e in out if not isinstance(e, ev.Bar)]
    assert others == [e for e in events if not isinstance(e, ev.Trade)]
    for bar in bars:
        inside = [t for t in trades if bar.event_ns - BAR <= t.known_ns < bar.event_ns]
        if inside:
            prices = [t.price for t in inside]
            assert (bar.open, bar.close) == (prices[0], prices[-1])
            assert (bar.high, bar.low) == (max(prices), min(prices))
        else:
            assert bar.volume == 0.0
        assert bar.event_ns % BAR == 0


@given(streams())
def test_bars_come_when_they_are_known_and_in_order(events):
    known = [event.known_ns for event in as_bars(events, BAR)]
    assert known == sorted(known)


@given(streams())
def test_bars_of_bars_are_the_bars_of_the_trades(events):
    trades = [event for event in events if not isinstance(event, ev.Book)]
    twice = [*as_bars(as_bars(trades, BAR), 4 * BAR)]
    once = [*as_bars([*trades, ev.Tick(trades[-1].known_ns, trades[-1].known_ns)], 4 * BAR)]
    again = {bar.event_ns: bar for bar in twice if isinstance(bar, ev.Bar)}
    for bar in (bar for bar in once if isinstance(bar, ev.Bar)):
        other = again[bar.event_ns]
        assert (bar.open, bar.high, bar.low, bar.close) == (
            other.open, other.high, other.low, other.close,
        )  # fmt: skip
        assert abs(other.volume - bar.volume) < 1e-9


def test_bars_cut_by_the_time_of_the_trades_drop_what_comes_too_late():
    fold = BarFold("BTC", BAR)
    s = NS_PER_SECOND
    assert fold.trade(10 * s, 100.0, 1.0, True, 1) is None
    fold.trade(12 * s, 103.0, 2.0, False, 2)
    fold.trade(11 * s, 99.0, 3.0, True, 3)  # within the bar order does not matter to the range
    done = fold.trade(15 * s, 101.0, 1.0, False, 4)
    assert done == ev.Bar(15 * s, 4, "BTC", BAR, 100.0, 103.0, 99.0, 99.0, 6.0, 4.0)
    assert fold.trade(15 * s - 1, 1.0, 1.0, False, 5) is None  # its bar was given: dropped
    assert fold.until(19 * s, 6) is None
    last = fold.until(20 * s, 7)
    assert last is not None
    assert (last.low, last.known_ns) == (101.0, 7)
    assert fold.until(30 * s, 8) is None  # no trades, no bar
    assert fold.trade(18 * s, 1.0, 1.0, False, 9) is None
    assert fold.until(60 * s, 10) is None


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(8000, 9000)), max_size=60))
def test_a_bar_is_given_once_whatever_the_order_of_the_trades(trades):
    fold, given_bars = BarFold("BTC", BAR), []
    for at_s, cents in trades:
        given_bars.append(fold.trade(at_s * NS_PER_SECOND, cents / 100, 1.0, True, 1))
    given_bars.append(fold.until(60 * NS_PER_SECOND, 2))
    ends = [bar.event_ns for bar in given_bars if bar is not None]
    assert ends == sorted(set(ends))
    held = sum(bar.volume for bar in given_bars if bar is not None)
    assert held <= len(trades)
    if trades and [at for at, _ in trades] == sorted(at for at, _ in trades):
        assert held == len(trades)

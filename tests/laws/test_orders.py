"""The life of an order: the table, and what the venue may not say."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import OrderProtocolError
from litehedge.market import events as ev
from litehedge.orders.manager import (
    OPEN_STATES,
    TRANSITIONS,
    Order,
    OrderState,
    advance,
    new_order,
)

LOT, TICK = Decimal("0.001"), Decimal("0.01")
EVENTS = (
    ev.OrderAccepted, ev.OrderRejected, ev.OrderFilled, ev.OrderExpired, ev.OrderUnknown,
)  # fmt: skip


def order(qty: float = -2.0, state: OrderState = OrderState.INTENDED, filled: str = "0") -> Order:
    made = new_order(
        "s", 7, 1, qty, 99.5, lot=LOT, tick=TICK, reduce_only=False, decided_ns=5
    )  # fmt: skip
    return Order(
        made.client_id, made.leg, made.qty_ltc, made.limit_usdt, made.reduce_only,
        made.decided_ns, state, Decimal(filled),
    )  # fmt: skip


def said(kind: type[ev.Event], qty: float = -0.5, leg: int = 1, price: float = 100.0) -> ev.Event:
    if kind is ev.OrderFilled:
        return ev.OrderFilled(0, 0, "lh-s-000007", leg, qty, price, 0.1, 0.1)
    if kind in (ev.OrderRejected, ev.OrderExpired):
        return kind(0, 0, "lh-s-000007", "because")  # type: ignore[call-arg]
    return kind(0, 0, "lh-s-000007")  # type: ignore[call-arg]


# --- the table --------------------------------------------------------------------------------

EXPECTED = {
    "intended": {"OrderAccepted": "accepted", "OrderRejected": "rejected",
                 "OrderFilled": "partly filled", "OrderExpired": "expired",
                 "OrderUnknown": "unknown"},
    "accepted": {"OrderAccepted": "accepted", "OrderFilled": "partly filled",
                 "OrderExpired": "expired"},
    "partly filled": {"OrderAccepted": "partly filled", "OrderFilled": "partly filled",
                      "OrderExpired": "expired"},
    "unknown": {"OrderAccepted": "accepted", "OrderRejected": "rejected",
                "OrderFilled": "partly filled", "OrderExpired": "expired"},
    "filled": {"OrderAccepted": "filled"},
    "expired": {},
    "rejected": {},
}  # fmt: skip


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("kind", EVENTS)
def test_every_state_and_event(state: OrderState, kind: type[ev.Event]) -> None:
    """Either the table has it, or it is an error that names order, state and event."""
    before = order(state=state)
    after = EXPECTED[state.value].get(kind.__name__)
    if after is None:
        with pytest.raises(OrderProtocolError) as refused:
            advance(before, said(kind))  # type: ignore[arg-type]
        for part in ("lh-s-000007", state.value, kind.__name__):
            assert part in refused.value.what
        assert "trading halts" in refused.value.remedy
    else:
        assert advance(before, said(kind)).state.value == after  # type: ignore[arg-type]


def test_the_table_has_nothing_else() -> None:
    rows = {(s.value, e.__name__): after.value for (s, e), after in TRANSITIONS.items()}
    expected = {(s, e): after for s, row in EXPECTED.items() for e, after in row.items()}
    assert rows == expected


def test_from_an_end_there_is_no_way_back() -> None:
    for (state, _), after in TRANSITIONS.items():
        if state not in OPEN_STATES:
            assert after is state


def test_reasons_are_kept() -> None:
    refused = advance(order(), said(ev.OrderRejected))  # type: ignore[arg-type]
    assert (refused.state, refused.reason) == (OrderState.REJECTED, "because")
    assert not refused.is_open


# --- fills ------------------------------------------------------------------------------------


def test_tenths_add_up_exactly() -> None:
    one = order(qty=-0.3)
    for _ in range(2):
        one = advance(one, said(ev.OrderFilled, -0.1))  # type: ignore[arg-type]
        assert one.state is OrderState.PARTLY_FILLED
    one = advance(one, said(ev.OrderFilled, -0.1))  # type: ignore[arg-type]
    assert one.state is OrderState.FILLED
    assert one.filled_ltc == Decimal("-0.3")
    assert not one.is_open


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=10), st.sampled_from([1, -1]))
def test_parts_make_the_whole_and_no_more(parts: list[int], sign: int) -> None:
    whole = order(qty=sign * sum(parts) / 1000)
    for i, lots in enumerate(parts):
        fill = said(ev.OrderFilled, sign * lots / 1000)
        whole = advance(whole, fill)  # type: ignore[arg-type]
        assert whole.filled_ltc == sign * Decimal(sum(parts[: i + 1])) / 1000
        assert whole.is_open == (i + 1 < len(parts))
    with pytest.raises(OrderProtocolError):
        advance(whole, said(ev.OrderFilled, sign * 0.001))  # type: ignore[arg-type]


@pytest.mark.parametrize("filled", ["0", "-1.5"])
def test_more_than_was_ordered_is_an_error(filled: str) -> None:
    before = order(qty=-2.0, state=OrderState.ACCEPTED, filled=filled)
    rest = 2.0 + float(filled)
    assert advance(before, said(ev.OrderFilled, -rest)).state is OrderState.FILLED  # type: ignore[arg-type]
    with pytest.raises(OrderProtocolError, match="LTC on leg 1 was filled by"):
        advance(before, said(ev.OrderFilled, -rest - 0.001))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fill",
    [
        said(ev.OrderFilled, 0.5),
        said(ev.OrderFilled, 0.0),
        said(ev.OrderFilled, -0.5, leg=0),
        said(ev.OrderFilled, -0.5, leg=7),
        said(ev.OrderFilled, math.nan),
        said(ev.OrderFilled, -math.inf),
        said(ev.OrderFilled, -0.5, price=math.nan),
    ],
    ids=["other side", "nothing", "other leg", "no leg", "nan", "infinite", "no price"],
)
def test_a_fill_that_nobody_ordered_is_an_error(fill: ev.Event) -> None:
    with pytest.raises(OrderProtocolError, match="was filled by"):
        advance(order(), fill)  # type: ignore[arg-type]


# --- building ---------------------------------------------------------------------------------


@given(
    st.integers(1, 10**9), st.integers(1, 10**8), st.booleans(), st.integers(0, 999_999),
    st.sampled_from(["0.001", "0.1", "1", "0.00001"]), st.sampled_from(["0.01", "0.5", "0.0001"]),
)  # fmt: skip
def test_quantities_and_limits_are_exact_decimals_on_the_grid(
    lots: int, ticks: int, buys: bool, number: int, lot: str, tick: str
) -> None:
    qty, limit = float(lots * Decimal(lot)), float(ticks * Decimal(tick))
    made = new_order(
        "abc", number, 0, qty if buys else -qty, limit, lot=Decimal(lot), tick=Decimal(tick),
        reduce_only=True, decided_ns=1,
    )  # fmt: skip
    assert made.qty_ltc == lots * Decimal(lot) * (1 if buys else -1)
    assert made.limit_usdt == ticks * Decimal(tick)
    assert made.client_id == f"lh-abc-{number:06d}"
    assert made.is_open


def test_ids_depend_on_session_and_number_alone() -> None:
    made = [
        new_order("s", n, leg, qty, 1.0, lot=LOT, tick=TICK, reduce_only=r, decided_ns=n)
        for n, leg, qty, r in [(1, 0, 1.0, True), (1, 1, -2.0, False), (2, 0, 1.0, True)]
    ]
    assert [o.client_id for o in made] == ["lh-s-000001", "lh-s-000001", "lh-s-000002"]

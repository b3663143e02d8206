"""Bybit's private messages: orders, executions, the account, the contract, keys, refusals."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import BadMessage, VenueDown, VenueRefused, VenueUnknown, WrongSetup
from litehedge.orders.reports import ForcedReport, FundingReport, OrderReport, VenueOrder
from litehedge.venues import bybit_account as account
from litehedge.venues import bybit_errors as errors
from litehedge.venues import bybit_orders as orders
from litehedge.venues import bybit_stops
from litehedge.venues.bybit_contract import contract_of
from litehedge.venues.bybit_sign import headers, login, sign
from litehedge.venues.bybit_values import plain
from litehedge.venues.keys import Keys

D = Decimal
FIXTURES = Path(__file__).parents[1] / "fixtures" / "venues"
MS = 1_000_000
T_NS = 1_795_000_000_000 * MS
RIGHTS = account.KeyRights(can_trade=True, can_withdraw=False)


def told(name: str) -> orders.Private:
    return orders.private((FIXTURES / f"bybit_ws_{name}.json").read_bytes())


def answer(name: str) -> orders.Envelope:
    return orders.envelope((FIXTURES / f"bybit_rest_{name}.json").read_bytes())


def changed(name: str, change: Any) -> msgspec.Raw:
    body = json.loads((FIXTURES / f"bybit_rest_{name}.json").read_bytes())["result"]
    change(body)
    return msgspec.Raw(json.dumps(body).encode())


# --- orders -------------------------------------------------------------------------------------


def test_the_order_topic_is_cumulative_and_says_why() -> None:
    assert orders.orders_told(told("order_partial_then_cancelled"), "LTCUSDT") == [
        OrderReport(
            "lh-a-000001", "expired", D("4.0"), D("336.2"), D("0.18491"),
            "nobody was there within the limit", T_NS,
        )
    ]  # fmt: skip


def test_a_query() -> None:
    rows, cursor = orders.order_list(answer("order_realtime").result)
    report = orders.report(rows[0])
    assert (report.status, report.filled_ltc, report.notional_usdt) == ("filled", 10, D("840.5"))
    assert cursor == ""


def row(**fields: Any) -> orders.OrderRow:
    return orders.OrderRow(**{"symbol": "LTCUSDT", "order_status": "New"} | fields)


def test_what_is_not_told_is_not_invented() -> None:
    assert orders.report(row(cum_exec_qty="2")).notional_usdt.is_nan()
    assert orders.report(row(cum_exec_qty="2")).fee_usdt is None
    in_coins = row(cum_exec_qty="2", cum_exec_fee="0.1", cum_fee_detail={"MNT": "0.3"})
    assert orders.report(in_coins).fee_usdt is None
    assert orders.report(row(order_status="Rejected", cum_exec_qty="1")).status == "expired"
    with pytest.raises(BadMessage, match="status"):
        orders.report(row(order_status="Odd"))


def test_an_order_on_the_wire() -> None:
    order = VenueOrder("lh-a-000001", False, "long", D("1E+1"), D("84.10"), False)
    body = orders.order_request(order, "LTCUSDT")
    assert (body["qty"], body["price"], body["positionIdx"]) == ("10", "84.10", 1)
    assert body["reduceOnly"] is True  # selling the long leg can only close it
    opens = msgspec.structs.replace(order, position_side="short")
    assert orders.order_request(opens, "LTCUSDT")["reduceOnly"] is False
    stop = bybit_stops.stop_request(order, D("80.5"), "LTCUSDT", "lhs-long-1")
    assert (stop["qty"], stop["triggerPrice"], stop["triggerBy"]) == ("10", "80.5", "MarkPrice")
    assert (stop["side"], stop["triggerDirection"], stop["reduceOnly"]) == ("Sell", 2, True)
    short = msgspec.structs.replace(order, buys=True, position_side="short")
    rises = bybit_stops.stop_request(short, D("90"), "LTCUSDT", "lhs-short-1")
    assert (rises["side"], rises["triggerDirection"], rises["positionIdx"]) == ("Buy", 1, 2)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9, places=6))
def test_decimals_go_exactly_and_without_exponent(value: D) -> None:
    assert D(plain(value)) == value
    assert "E" not in plain(value)


def test_executions_add_up_and_count_once() -> None:
    fold = orders.Executions("LTCUSDT")
    rows = orders.executions_told(told("execution_trade"))
    one, two = fold.take([*rows, rows[0]], hedge_mode=True)
    assert (one.status, one.filled_ltc, one.fee_usdt) == ("open", D("2.0"), D("0.0924"))
    assert (two.status, two.filled_ltc, two.notional_usdt) == ("filled", D("10.0"), D("840.0"))
    assert fold.take(rows, hedge_mode=True) == []
    assert not fold.foreign


@given(order=st.permutations(range(6)), twice=st.lists(st.integers(0, 5)))
def test_executions_add_up_in_any_order(order: list[int], twice: list[int]) -> None:
    rows = [
        orders.ExecutionRow(
            "LTCUSDT", "Buy", f"e{i}", "Trade", "1.5", "84", "1795000000000", "0.1", "126",
            "lh-a-000001", "9.0",
        )
        for i in range(6)
    ]  # fmt: skip
    fold, told = orders.Executions("LTCUSDT"), []
    for i in [*order, *twice]:
        told += fold.take([rows[i]], hedge_mode=False)
    assert len(told) == 6
    assert (told[-1].status, told[-1].filled_ltc) == ("filled", D(9))
    assert told[-1].fee_usdt == D("0.6")


def test_what_the_venue_forces_and_funding() -> None:
    rows = orders.executions_told(told("execution_forced_and_funding"))
    fold = orders.Executions("LTCUSDT")
    assert fold.take(rows, hedge_mode=True) == [
        ForcedReport("liquidation", "long", D("-100.0"), D("80.00"), D("4.4"), T_NS, "b-1"),
        ForcedReport("deleveraging", "short", D("50.0"), D("79.50"), D(0), T_NS + 10 * MS, "d-1"),
        FundingReport(T_NS + 20 * MS, D("0.84")),  # a fee below zero was received
    ]
    netted = orders.Executions("LTCUSDT").take(rows, hedge_mode=False)
    assert [r.position_side for r in netted[:2]] == ["both", "both"]


def test_what_no_order_of_ours_explains_is_foreign() -> None:
    stop = orders.ExecutionRow("LTCUSDT", "Sell", "x", "Trade", "1", "84", "1795000000000")
    fold = orders.Executions("LTCUSDT")
    assert fold.take([stop], hedge_mode=False) == []
    assert fold.foreign
    fold = orders.Executions("LTCUSDT")
    assert fold.take([msgspec.structs.replace(stop, exec_price="nan")], hedge_mode=False) == []
    assert fold.foreign
    assert isinstance(fold.bad, BadMessage)


# --- the account --------------------------------------------------------------------------------


def mirror() -> account.AccountMirror:
    held = account.AccountMirror("LTCUSDT")
    held.whole(
        account.positions_of(answer("position_list_hedge").result),
        account.wallet_of(answer("wallet_balance").result),
        account.is_isolated(answer("account_info").result),
        account.key_rights(answer("query_api").result),
        T_NS,
    )
    return held


def test_the_account_as_it_is_read() -> None:
    report = mirror().report()
    assert report is not None
    assert (report.wallet_usdt, report.hedge_mode) == (D("1000.25"), True)
    assert (report.can_trade, report.can_withdraw) == (True, False)
    long, short = report.legs
    assert (long.position_side, long.qty_ltc, long.entry_usdt) == ("long", D("100.0"), D("84.10"))
    assert (long.leverage, long.liquidation_usdt, long.isolated) == (20, D("80.31"), False)
    assert (short.position_side, short.qty_ltc, short.entry_usdt) == ("short", 0, 0)


def test_topics_change_what_is_known_and_old_ones_do_not() -> None:
    held = mirror()
    assert held.take(told("position"))
    assert held.take(told("wallet"))
    report = held.report()
    assert report is not None
    assert (report.legs[0].qty_ltc, report.wallet_usdt) == (D("90.0"), D("999.75"))
    # An answer that was under way when the topics spoke is behind them.
    held.whole(
        account.positions_of(answer("position_list_hedge").result),
        D("1000.25"),
        False,
        RIGHTS,
        T_NS,
    )
    assert held.report().legs[0].qty_ltc == D("90.0")  # type: ignore[union-attr]
    assert held.report().wallet_usdt == D("999.75")  # type: ignore[union-attr]


def test_another_mode_makes_everything_unknown() -> None:
    held = mirror()
    message = told("position")
    netted = bytes(message.data).replace(b'"positionIdx": 1', b'"positionIdx": 0')
    assert held.take(msgspec.structs.replace(message, data=msgspec.Raw(netted)))
    assert held.report() is None
    assert not held.is_whole


def test_keys_that_can_withdraw_or_only_read_are_told() -> None:
    def withdraw(body: Any) -> None:
        body["permissions"]["Wallet"] = ["AccountTransfer", "Withdraw"]

    def only_read(body: Any) -> None:
        body["readOnly"] = 1

    assert account.key_rights(changed("query_api", withdraw)).can_withdraw
    assert not account.key_rights(changed("query_api", only_read)).can_trade


def test_isolated_legs_have_their_own_margin() -> None:
    rows = account.positions_of(answer("position_list_hedge").result)
    assert account.leg(rows[0], isolated=True).isolated_wallet_usdt == D("420.5")
    portfolio = changed("account_info", lambda body: body.update(marginMode="PORTFOLIO_MARGIN"))
    with pytest.raises(WrongSetup, match="position and hedge stay"):
        account.is_isolated(portfolio)


# --- the contract -------------------------------------------------------------------------------


def contract(**changes: Any) -> Any:
    names = {"instruments": "instruments_LTCUSDT", "tiers": "risk_limit_LTCUSDT"}
    parts = {key: changes.get(key, answer(name).result) for key, name in names.items()}
    fees = answer("fee_rate_LTCUSDT").result
    return contract_of(parts["instruments"], parts["tiers"], fees, changes.get("symbol", "LTCUSDT"))


def test_the_contract() -> None:
    rules = contract()
    assert (rules.tick_usdt, rules.lot_ltc, rules.min_notional_usdt) == (D("0.01"), D("0.1"), 5)
    assert (rules.max_qty_ltc, rules.price_band, rules.funding_interval_h) == (28740, D("0.02"), 8)
    assert (rules.taker_fee, rules.is_trading) == (D("0.00055"), True)
    assert rules.tiers[1] == (200_000, 400_000, 40, D("0.015"), 1000)


def test_tiers_are_continuous_whether_or_not_deductions_are_told() -> None:
    silent = changed("risk_limit_LTCUSDT", lambda b: [t.update(mmDeduction="") for t in b["list"]])
    assert contract(tiers=silent).tiers == contract().tiers
    for (_, cap, _, rate, cut), (floor, _, _, new, new_cut) in zip(
        contract().tiers, contract().tiers[1:], strict=False
    ):
        assert cap == floor
        assert cap * rate - cut == floor * new - new_cut


def test_rates_in_percent_are_seen() -> None:
    def percent(body: Any) -> None:
        for tier in body["list"]:
            for key in ("maintenanceMargin", "initialMargin"):
                tier[key] = str(D(tier[key]) * 100)

    assert contract(tiers=changed("risk_limit_LTCUSDT", percent)).tiers == contract().tiers


def test_a_contract_that_is_closed_or_not_there() -> None:
    closed = changed("instruments_LTCUSDT", lambda b: b["list"][0].update(status="Closed"))
    assert not contract(instruments=closed).is_trading
    with pytest.raises(WrongSetup, match="no contract XYZ"):
        contract(symbol="XYZ")
    with pytest.raises(BadMessage, match="ladder"):
        contract(tiers=changed("risk_limit_LTCUSDT", lambda b: b["list"].append(b["list"][0])))


# --- keys and refusals --------------------------------------------------------------------------


def test_signatures_are_those_of_the_documentation() -> None:
    """HMAC-SHA256 of time, key, window and payload, checked against the standard's own vector."""
    keys = Keys("bybit", "key", "key")
    text = "The quick brown fox jumps over the lazy dog"
    expected = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    assert sign(keys, text) == expected
    signed = headers(keys, 1, "a=b")
    assert signed["X-BAPI-SIGN"] == sign(keys, "1key5000a=b")
    assert login(keys, 1)["args"] == ["key", 10_001, sign(keys, "GET/realtime10001")]


SETUP = [10002, 10003, 10004, 10005, 10007, 10010, 10027, 10029, 33004, 110024, 110029]


@pytest.mark.parametrize("code", SETUP)
def test_setup(code: int) -> None:
    error = errors.refusal(code, "origin_string[123AKEY5000]", "the order x", changes=True)
    assert isinstance(error, WrongSetup)
    assert "position and hedge stay" in str(error)
    assert "AKEY" not in str(error)
    assert error.code == str(code)


@pytest.mark.parametrize(
    ("code", "kind", "raises_only"),
    [
        (110007, VenueRefused, True), (110023, VenueRefused, True), (110021, VenueRefused, True),
        (110017, VenueRefused, False), (110003, VenueRefused, False), (1, VenueRefused, False),
        (10006, VenueDown, False), (10429, VenueDown, False), (10019, VenueDown, False),
        (10016, VenueUnknown, False), (110072, VenueUnknown, False), (10000, VenueUnknown, False),
    ],
)  # fmt: skip
def test_refusals(code: int, kind: type, raises_only: bool) -> None:
    error = errors.refusal(code, "text [AKEY]", "the order x", changes=True)
    assert type(error) is kind
    assert error.raises_only is raises_only
    assert "position" in str(error)
    assert "AKEY" not in str(error)


def test_a_question_that_failed_changed_nothing() -> None:
    assert isinstance(errors.refusal(10016, "", "the wallet", changes=False), VenueDown)
    assert isinstance(errors.refusal(10001, "symbol invalid", "x", changes=True), WrongSetup)
    assert isinstance(errors.http_failure(502, "x", changes=True), VenueUnknown)
    assert isinstance(errors.http_failure(502, "x", changes=False), VenueDown)
    assert isinstance(errors.http_failure(403, "x", changes=True), VenueDown)
    assert isinstance(errors.http_failure(404, "x", changes=True), WrongSetup)
    assert isinstance(errors.http_failure(401, "x", changes=True), WrongSetup)

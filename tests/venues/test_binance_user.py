"""Binance's account and user stream as reports: the fixtures, and what order and repeats do."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from binance_samples import (
    ACCOUNT_CONFIG,
    ALGO,
    ALGO_UPDATE,
    BALANCES,
    POSITIONS,
    RESTRICTIONS,
    SYMBOL_CONFIG,
    TRADE_LITE,
    WS_ANSWER,
    fixture,
    raw,
)

from litehedge.errors import BadMessage, WrongSetup
from litehedge.orders.reports import (
    AccountReport,
    ForcedReport,
    FundingReport,
    LegReport,
    OrderReport,
    VenueOrder,
)
from litehedge.units import NS_PER_MS
from litehedge.venues import binance_account as account
from litehedge.venues.binance_user import UserStream

AT = 1_795_000_000_000 * NS_PER_MS
ID = "ltchedge-01J9Z-0001"
HEDGE = VenueOrder(ID, False, "short", Decimal("10.000"), Decimal("83.90"), False)


def stream(begun=True):
    made = UserStream("LTCUSDT")
    if begun:
        made.begin(the_account())
    return made


def the_account(**config):
    return account.account_of(
        raw(ACCOUNT_CONFIG | config), raw(SYMBOL_CONFIG), raw(POSITIONS), raw(BALANCES), "LTCUSDT",
        event_ns=AT - 10**9, can_withdraw=False,
    )  # fmt: skip


def test_the_account():
    got = the_account()
    assert got == AccountReport(
        event_ns=AT - 10**9,
        wallet_usdt=Decimal("9999.79830000"),
        legs=[
            LegReport("long", Decimal(0), Decimal(0), Decimal(21), False),
            LegReport("short", Decimal(-6), Decimal("84.05"), Decimal(21), False,
                      liquidation_usdt=Decimal("91.2")),
        ],
        hedge_mode=True,
        can_withdraw=False,
    )  # fmt: skip


def test_several_assets_as_margin_are_a_wrong_setup():
    with pytest.raises(WrongSetup, match="several assets"):
        the_account(multiAssetsMargin=True)


def test_permissions_of_the_key():
    assert account.may_withdraw(raw(RESTRICTIONS)) is False
    assert account.may_withdraw(raw(RESTRICTIONS | {"enableWithdrawals": True})) is True
    with pytest.raises(WrongSetup, match="may not trade futures"):
        account.may_withdraw(raw(RESTRICTIONS | {"enableFutures": False}))


# --- orders -------------------------------------------------------------------------------------


def test_the_order_on_the_wire_is_the_fixture():
    wanted = fixture("rest_order_request_IOC_hedge")["params"]
    for key in ("recvWindow", "timestamp", "signature"):
        del wanted[key]
    assert account.order_params(HEDGE, "LTCUSDT") == wanted


def test_reduce_only_is_sent_in_one_way_mode_alone():
    reducing = VenueOrder(ID, True, "short", Decimal(1), Decimal(84), True)
    assert "reduceOnly" not in account.order_params(reducing, "LTCUSDT")
    netted = VenueOrder(ID, True, "both", Decimal(1), Decimal(84), True)
    assert account.order_params(netted, "LTCUSDT")["reduceOnly"] == "true"


def test_quantities_never_go_out_in_exponents():
    small = VenueOrder(ID, True, "both", Decimal("1E-3"), Decimal("8.4E+1"), False)
    params = account.order_params(small, "LTCUSDT")
    assert (params["quantity"], params["price"]) == ("0.001", "84")


def test_an_acknowledgement():
    got = account.order_report(raw(fixture("rest_order_ack_IOC_LTCUSDT")), "LTCUSDT")
    assert got == OrderReport(ID, "open", fee_usdt=Decimal(0), event_ns=AT)


def test_an_acknowledged_fill_without_average_has_an_unknown_notional():
    ack = fixture("rest_order_ack_IOC_LTCUSDT") | {"status": "EXPIRED", "executedQty": "6.000"}
    got = account.order_report(raw(ack), "LTCUSDT")
    assert (got.status, got.filled_ltc, got.fee_usdt) == ("expired", Decimal(6), None)
    assert got.notional_usdt.is_nan()
    told = account.order_report(raw(ack | {"avgPrice": "84.05"}), "LTCUSDT")
    assert told.notional_usdt == Decimal("504.30")


def test_fills_then_expiry():
    user = stream()
    told = [user.read(raw(m)) for m in fixture("uds_order_sequence_IOC_partial_then_expired")]
    (first,), (second,), (third,) = (t.reports for t in told)
    assert first == OrderReport(ID, "open", fee_usdt=Decimal(0), event_ns=AT)
    assert second == OrderReport(
        ID, "open", Decimal(6), Decimal("504.30"), Decimal("0.2"), event_ns=AT
    )
    assert third == OrderReport(
        ID, "expired", Decimal(6), Decimal("504.30"), Decimal("0.2"),
        "what was left was cancelled", AT,
    )  # fmt: skip


def test_repeats_and_disorder_change_no_sum():
    messages = [*fixture("uds_order_sequence_IOC_partial_then_expired"), TRADE_LITE]
    for order in itertools.permutations(range(4)):
        user = stream()
        reports = [r for i in (*order, *order) for r in user.read(raw(messages[i])).reports]
        best = max(reports, key=lambda r: r.filled_ltc)
        assert best.filled_ltc == Decimal(6)
        assert all(r.notional_usdt in (0, Decimal("504.30")) for r in reports)
        final = [r for r in reports if r.status == "expired"][-1]
        assert final.fee_usdt == Decimal("0.2")


def test_a_missed_fill_makes_the_fee_unknown_and_the_notional_the_average():
    last = fixture("uds_order_sequence_IOC_partial_then_expired")[2]
    (got,) = stream().read(raw(last)).reports
    assert (got.filled_ltc, got.notional_usdt, got.fee_usdt) == (
        Decimal(6), Decimal("504.30"), None
    )  # fmt: skip


def test_a_fee_in_another_coin_is_not_told():
    fill = fixture("uds_order_sequence_IOC_partial_then_expired")[1]
    fill["o"]["N"] = "BNB"
    (got,) = stream().read(raw(fill)).reports
    assert got.fee_usdt is None


def test_a_liquidation_of_ours():
    new, done = fixture("uds_order_liquidation_autoclose")
    user = stream()
    assert user.read(raw(new)).reports == []
    told = user.read(raw(done))
    assert told.ask_account
    assert told.reports == [
        ForcedReport(
            "liquidation", "short", Decimal(10), Decimal("90.85"), Decimal(0), AT,
            "9000000002-5002",
        )
    ]  # fmt: skip
    assert user.read(raw(done)).reports == told.reports  # told twice: the same id


def test_a_deleveraging_of_ours():
    told = stream().read(raw(fixture("uds_order_adl")))
    assert told.reports == [
        ForcedReport(
            "deleveraging", "short", Decimal(10), Decimal("80.10"), Decimal(0), AT,
            "9000000003-5003",
        )
    ]  # fmt: skip


def test_other_contracts_are_left_alone():
    message = fixture("uds_order_adl")
    message["o"]["s"] = "ETHUSDT"
    assert stream().read(raw(message)).reports == []


# --- the account's stream -----------------------------------------------------------------------


def test_a_change_gives_the_whole_account():
    message = fixture("uds_account_update_ORDER")
    message["a"]["P"][0]["pa"] = "-7.5"
    (got,) = stream().read(raw(message)).reports
    assert [leg.qty_ltc for leg in got.legs] == [Decimal(0), Decimal("-7.5")]
    assert got.legs[1].leverage == Decimal(21)
    assert got.wallet_usdt == Decimal("9999.7983")
    assert got.event_ns == AT


def test_what_is_older_than_the_account_changes_nothing():
    message = fixture("uds_account_update_ORDER")
    message["T"] -= 60_000
    assert stream().read(raw(message)).reports == []


def test_an_account_that_was_overtaken_is_asked_for_again():
    user = stream()
    user.read(raw(fixture("uds_account_update_ORDER")))
    assert not user.took(the_account())


def test_before_the_account_is_known_it_is_asked_for():
    told = stream(begun=False).read(raw(fixture("uds_account_update_ORDER")))
    assert told.ask_account
    assert told.reports == []


def test_funding():
    funding, report = stream().read(raw(fixture("uds_account_update_FUNDING_FEE_cross"))).reports
    assert funding == FundingReport(AT, Decimal("0.0504"))
    assert report.wallet_usdt == Decimal("9999.8487")


def test_funding_of_another_contract_is_not_ours():
    message = fixture("uds_account_update_FUNDING_FEE_cross")
    message["a"]["S"] = "ETHUSDT"
    reports = stream().read(raw(message)).reports
    assert not any(isinstance(r, FundingReport) for r in reports)
    assert reports[0].wallet_usdt == Decimal("9999.8487")


def test_leverage_margin_call_and_the_end_of_the_key():
    (got,) = stream().read(raw(fixture("uds_account_config_update_leverage"))).reports
    assert {leg.leverage for leg in got.legs} == {Decimal(10)}
    called = stream().read(raw(fixture("uds_margin_call")))
    assert called.ask_account
    assert "margin call on the short leg" in called.warning
    assert stream().read(raw(fixture("uds_listenKeyExpired"))).renew_key


def test_a_stop_that_was_triggered():
    told = stream().read(raw(ALGO_UPDATE))
    assert told.ask_account
    assert told.reports == [
        OrderReport("lhs-long-1795000000000", "filled", Decimal(10), Decimal(804), None, "",
                    1_750_515_742_297 * NS_PER_MS)
    ]  # fmt: skip
    refused = ALGO_UPDATE | {"o": ALGO_UPDATE["o"] | {"X": "REJECTED", "rm": "Margin"}}
    assert "refused: Margin" in stream().read(raw(refused)).warning


def test_armed_stops_are_ours_alone():
    (stop,) = account.stops(
        raw([
            ALGO,
            ALGO | {"clientAlgoId": "web_1"},
            ALGO | {"symbol": "ETHUSDT"},
            ALGO | {"algoStatus": "CANCELED"},
        ]),
        "LTCUSDT",
    )  # fmt: skip
    assert (stop.leg, stop.side, stop.trigger_usdt, stop.qty_ltc) == (
        "LONG", "SELL", Decimal("80.50"), Decimal("10.000")
    )  # fmt: skip


def test_answers_over_the_websocket_api():
    got = account.ws_answer(raw(WS_ANSWER))
    assert (got.id, got.status) == ("lh1", 200)
    assert account.order_report(got.body, "LTCUSDT").client_id == ID


@pytest.mark.parametrize("odd", ["NaN", "sNaN", "Infinity", "-1", "1E+999999", "1E-99999", "x"])
@pytest.mark.parametrize("at", ["l", "z", "L", "ap"])
def test_impossible_amounts_are_bad_messages(at, odd):
    message = fixture("uds_order_sequence_IOC_partial_then_expired")[1]
    message["o"][at] = odd
    with pytest.raises(BadMessage):
        stream().read(raw(message))

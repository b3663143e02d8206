"""Orders and account of the fake venue in Binance USD-M's words, for REST and the user stream."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from litehedge.exchange.binance_words import Json, plain, price, qty
from litehedge.exchange.happenings import (
    AccountMoved,
    AlgoMoved,
    LegNow,
    LeverageSet,
    MarginCalled,
    OrderMoved,
)
from litehedge.exchange.terms import Algo, Fill, Held
from litehedge.exchange.venue import Venue

_STATUS: Final = {
    "new": "NEW", "part": "PARTIALLY_FILLED", "filled": "FILLED", "expired": "EXPIRED",
    "canceled": "CANCELED", "rejected": "REJECTED",
}  # fmt: skip
_MOVE: Final = {
    "new": "NEW", "trade": "TRADE", "canceled": "CANCELED", "expired": "EXPIRED",
    "calculated": "CALCULATED",
}  # fmt: skip
_ENDED: Final = {"ioc": "2", "reduce only": "4", "liquidation": "5", "market": "9"}
_TYPE: Final = {"limit": "LIMIT", "market": "MARKET", "liquidation": "LIQUIDATION", "adl": "LIMIT"}


def _order_words(order: Held) -> Json:
    kind = _TYPE[order.kind]
    return {
        "clientOrderId": order.client_id, "cumQty": qty(order.filled_ltc),
        "executedQty": qty(order.filled_ltc), "orderId": order.order_id,
        "origQty": qty(order.qty_ltc), "price": price(order.limit_usdt or Decimal(0)),
        "reduceOnly": order.reduce_only, "side": "BUY" if order.buys else "SELL",
        "positionSide": order.side.upper(), "status": _STATUS[order.status],
        "stopPrice": "0.00", "closePosition": order.closes_all, "symbol": "LTCUSDT",
        "timeInForce": order.tif, "type": kind, "origType": kind,
        "updateTime": order.updated_ms, "workingType": "CONTRACT_PRICE", "priceProtect": False,
        "priceMatch": "NONE", "selfTradePreventionMode": "EXPIRE_MAKER", "goodTillDate": 0,
    }  # fmt: skip


def order_ack(order: Held, *, final: bool) -> Json:
    """Return the answer to `POST /fapi/v1/order`: since 2026-07 without `avgPrice`, `cumQuote`.

    Without `final` (`newOrderRespType=ACK`) it says what was true when the order was taken.
    """
    words = _order_words(order)
    if not final:
        words |= {"cumQty": "0.000", "executedQty": "0.000", "status": "NEW"}
        words["updateTime"] = order.created_ms
    return words


def order_row(order: Held) -> Json:
    """Return the answer to `GET /fapi/v1/order`."""
    words = _order_words(order)
    words["avgPrice"] = plain(order.average_usdt, 5)
    words["cumQuote"] = plain(order.notional_usdt, 5)
    words["time"] = order.created_ms
    return words


def user_trade(order: Held, fill: Fill) -> Json:
    """Return one row of `GET /fapi/v1/userTrades`."""
    return {
        "buyer": order.buys, "commission": plain(fill.fee_usdt, 8), "commissionAsset": "USDT",
        "id": fill.trade_id, "maker": fill.is_maker, "orderId": order.order_id,
        "price": price(fill.price_usdt), "qty": qty(fill.qty_ltc),
        "quoteQty": plain(fill.qty_ltc * fill.price_usdt, 8),
        "realizedPnl": plain(fill.realised_usdt, 8), "side": "BUY" if order.buys else "SELL",
        "positionSide": order.side.upper(), "symbol": "LTCUSDT", "time": fill.at_ms,
    }  # fmt: skip


def algo_row(algo: Algo) -> Json:
    """Return a conditional order as `/fapi/v1/algoOrder` and `openAlgoOrders` tell it."""
    return {
        "algoId": algo.algo_id, "clientAlgoId": algo.client_id, "algoType": "CONDITIONAL",
        "orderType": algo.type, "symbol": "LTCUSDT", "side": "BUY" if algo.buys else "SELL",
        "positionSide": algo.side.upper(), "timeInForce": "GTE_GTC" if algo.closes_all else "GTC",
        "quantity": qty(algo.qty_ltc), "algoStatus": algo.status,
        "actualOrderId": str(algo.order_id) if algo.order_id else "", "actualPrice": "0.00",
        "triggerPrice": price(algo.trigger_usdt), "price": "0.00", "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER", "workingType": algo.working,
        "priceMatch": "NONE", "closePosition": algo.closes_all, "priceProtect": False,
        "reduceOnly": algo.reduce_only, "createTime": algo.created_ms,
        "updateTime": algo.updated_ms, "triggerTime": 0, "goodTillDate": 0,
    }  # fmt: skip


def position_row(leg: LegNow, venue: Venue) -> Json:
    """Return one row of `GET /fapi/v3/positionRisk` (and most of v2's)."""
    mark = venue.mark
    liquidation = venue.ledger.liquidation_usdt(mark) if leg.qty_ltc != 0 else None
    initial = plain(leg.initial_usdt, 8)
    isolated = leg.isolated_wallet_usdt + leg.unrealised_usdt if leg.isolated else Decimal(0)
    return {
        "symbol": "LTCUSDT", "positionSide": leg.side.upper(), "positionAmt": qty(leg.qty_ltc),
        "entryPrice": plain(leg.entry_usdt, 8), "breakEvenPrice": plain(leg.entry_usdt, 8),
        "markPrice": plain(mark, 8), "unRealizedProfit": plain(leg.unrealised_usdt, 8),
        "liquidationPrice": plain(liquidation, 8) if liquidation is not None else "0",
        "isolatedMargin": plain(isolated, 8), "notional": plain(float(leg.qty_ltc) * mark, 8),
        "marginAsset": "USDT", "isolatedWallet": plain(leg.isolated_wallet_usdt, 8),
        "initialMargin": initial, "maintMargin": plain(leg.maintenance_usdt, 8),
        "positionInitialMargin": initial, "openOrderInitialMargin": "0", "adl": 1,
        "bidNotional": "0", "askNotional": "0", "updateTime": venue.matching.now_ms,
    }  # fmt: skip


def account(venue: Venue, *, v2: bool) -> Json:
    """Return `GET /fapi/v3/account` (or v2, with leverage and permissions)."""
    ledger, mark = venue.ledger, venue.mark
    legs = ledger.legs(mark)
    wallet, profit = ledger.wallet(), ledger.unrealised(mark)
    initial = plain(sum((leg.initial_usdt for leg in legs), Decimal(0)), 8)
    needed = plain(sum((leg.maintenance_usdt for leg in legs), Decimal(0)), 8)
    available = plain(max(0.0, ledger.available(mark)), 8)
    sums = {
        "totalInitialMargin": initial, "totalMaintMargin": needed,
        "totalWalletBalance": plain(wallet, 8), "totalUnrealizedProfit": plain(profit, 8),
        "totalMarginBalance": plain(wallet + profit, 8),
        "totalPositionInitialMargin": initial, "totalOpenOrderInitialMargin": "0.00000000",
        "totalCrossWalletBalance": plain(ledger.cross_wallet(), 8),
        "totalCrossUnPnl": plain(Decimal(0) if ledger.isolated else profit, 8),
        "availableBalance": available, "maxWithdrawAmount": available,
    }  # fmt: skip
    asset = {
        "asset": "USDT", "walletBalance": plain(wallet, 8), "unrealizedProfit": plain(profit, 8),
        "marginBalance": plain(wallet + profit, 8), "maintMargin": needed,
        "initialMargin": initial, "positionInitialMargin": initial,
        "openOrderInitialMargin": "0.00000000",
        "crossWalletBalance": plain(ledger.cross_wallet(), 8),
        "crossUnPnl": sums["totalCrossUnPnl"], "availableBalance": available,
        "maxWithdrawAmount": available, "marginAvailable": True,
        "updateTime": venue.matching.now_ms,
    }  # fmt: skip
    positions = [_account_position(leg, venue, v2=v2) for leg in legs if v2 or leg.qty_ltc != 0]
    words: Json = {**sums, "assets": [asset], "positions": positions}
    if v2:
        words |= {"feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True,
                  "multiAssetsMargin": False, "tradeGroupId": -1, "updateTime": 0}  # fmt: skip
    return words


def _account_position(leg: LegNow, venue: Venue, *, v2: bool) -> Json:
    words = {
        "symbol": "LTCUSDT", "positionSide": leg.side.upper(), "positionAmt": qty(leg.qty_ltc),
        "unrealizedProfit": plain(leg.unrealised_usdt, 8),
        "isolatedMargin": plain(leg.isolated_wallet_usdt, 8),
        "notional": plain(float(leg.qty_ltc) * venue.mark, 8),
        "isolatedWallet": plain(leg.isolated_wallet_usdt, 8),
        "initialMargin": plain(leg.initial_usdt, 8),
        "maintMargin": plain(leg.maintenance_usdt, 8), "updateTime": venue.matching.now_ms,
    }  # fmt: skip
    if v2:
        words |= {
            "leverage": str(venue.ledger.leverage), "isolated": leg.isolated,
            "entryPrice": plain(leg.entry_usdt, 8), "positionInitialMargin": words["initialMargin"],
            "openOrderInitialMargin": "0", "maxNotional": "0", "bidNotional": "0",
            "askNotional": "0", "breakEvenPrice": plain(leg.entry_usdt, 8),
        }  # fmt: skip
    return words


def balance(venue: Venue) -> list[Json]:
    """Return `GET /fapi/v3/balance`."""
    words = account(venue, v2=False)
    return [
        {
            "accountAlias": "fake", "asset": "USDT", "balance": words["totalWalletBalance"],
            "crossWalletBalance": words["totalCrossWalletBalance"],
            "crossUnPnl": words["totalCrossUnPnl"],
            "availableBalance": words["availableBalance"],
            "maxWithdrawAmount": words["maxWithdrawAmount"], "marginAvailable": True,
            "updateTime": venue.matching.now_ms,
        }
    ]  # fmt: skip


# --- the user stream ------------------------------------------------------------------------------


def order_update(moved: OrderMoved) -> Json:
    """Return `ORDER_TRADE_UPDATE`."""
    order, fill = moved.order, moved.fill
    kind = _TYPE[order.kind]
    average = order.average_usdt
    words = {
        "s": "LTCUSDT", "c": order.client_id, "S": "BUY" if order.buys else "SELL", "o": kind,
        "f": order.tif, "q": qty(order.qty_ltc),
        "p": price(order.limit_usdt) if order.limit_usdt is not None else "0",
        "ap": plain(average, 5) if average else "0", "sp": "0", "x": _MOVE[moved.move],
        "X": _STATUS[order.status], "i": order.order_id,
        "l": qty(fill.qty_ltc) if fill else "0", "z": qty(order.filled_ltc),
        "L": price(fill.price_usdt) if fill else "0", "N": "USDT",
        "n": plain(fill.fee_usdt, 8) if fill else "0", "T": moved.at_ms,
        "t": fill.trade_id if fill else 0, "b": "0", "a": "0",
        "m": fill.is_maker if fill else False, "R": order.reduce_only, "wt": "CONTRACT_PRICE",
        "ot": kind, "ps": order.side.upper(), "cp": order.closes_all,
        "rp": plain(fill.realised_usdt, 8) if fill else "0", "pP": False, "si": 0, "ss": 0,
        "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0,
        "er": _ENDED.get(order.ended, "0") if moved.move == "expired" else "0",
    }  # fmt: skip
    return {"e": "ORDER_TRADE_UPDATE", "E": moved.at_ms + 1, "T": moved.at_ms, "o": words}


def trade_lite(moved: OrderMoved) -> Json:
    """Return `TRADE_LITE`: a fill without its consequences."""
    order, fill = moved.order, moved.fill
    assert fill is not None
    return {
        "e": "TRADE_LITE", "E": moved.at_ms, "T": moved.at_ms, "s": "LTCUSDT",
        "q": qty(order.qty_ltc), "p": price(order.limit_usdt or Decimal(0)),
        "m": fill.is_maker, "c": order.client_id, "S": "BUY" if order.buys else "SELL",
        "L": price(fill.price_usdt), "l": qty(fill.qty_ltc), "t": fill.trade_id,
        "i": order.order_id,
    }  # fmt: skip


def account_update(moved: AccountMoved, cross_wallet: Decimal) -> Json:
    """Return `ACCOUNT_UPDATE`; only changed legs are in `P`."""
    legs = [
        {
            "s": "LTCUSDT", "pa": qty(leg.qty_ltc), "ep": plain(leg.entry_usdt, 5),
            "bep": plain(leg.entry_usdt, 5), "cr": plain(leg.realised_usdt, 8),
            "up": plain(leg.unrealised_usdt, 8), "mt": "isolated" if leg.isolated else "cross",
            "iw": plain(leg.isolated_wallet_usdt, 8), "ps": leg.side.upper(),
        }
        for leg in moved.legs
    ]  # fmt: skip
    words: Json = {
        "m": moved.reason,
        "B": [
            {
                "a": "USDT", "wb": plain(moved.wallet_usdt, 8), "cw": plain(cross_wallet, 8),
                "bc": plain(moved.change_usdt, 8) if moved.change_usdt else "0",
            }
        ],
        "P": legs,
    }  # fmt: skip
    if moved.reason == "FUNDING_FEE":
        words["S"] = "LTCUSDT"
    return {"e": "ACCOUNT_UPDATE", "E": moved.at_ms + 1, "T": moved.at_ms, "a": words}


def margin_call(called: MarginCalled) -> Json:
    """Return `MARGIN_CALL`."""
    return {
        "e": "MARGIN_CALL", "E": called.at_ms, "cw": plain(called.wallet_usdt, 8),
        "p": [
            {
                "s": "LTCUSDT", "ps": leg.side.upper(), "pa": qty(leg.qty_ltc),
                "mt": "ISOLATED" if leg.isolated else "CROSSED",
                "iw": plain(leg.isolated_wallet_usdt, 8), "mp": plain(called.mark_usdt, 8),
                "up": plain(leg.unrealised_usdt, 8), "mm": plain(leg.maintenance_usdt, 8),
            }
            for leg in called.legs
        ],
    }  # fmt: skip


def leverage_set(moved: LeverageSet) -> Json:
    """Return `ACCOUNT_CONFIG_UPDATE`."""
    ac = {"s": "LTCUSDT", "l": moved.leverage}
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": moved.at_ms, "T": moved.at_ms, "ac": ac}


def algo_update(moved: AlgoMoved) -> Json:
    """Return `ALGO_UPDATE`."""
    algo = moved.algo
    words = {
        "caid": algo.client_id, "aid": algo.algo_id, "at": "CONDITIONAL", "o": algo.type,
        "s": "LTCUSDT", "S": "BUY" if algo.buys else "SELL", "ps": algo.side.upper(),
        "f": "GTC", "q": qty(algo.qty_ltc), "X": algo.status,
        "ai": str(algo.order_id) if algo.order_id else "", "ap": "0", "aq": "0", "act": "0",
        "tp": price(algo.trigger_usdt), "p": "0", "V": "EXPIRE_MAKER", "wt": algo.working,
        "pm": "NONE", "cp": algo.closes_all, "pP": False, "R": algo.reduce_only, "tt": 0,
        "gtd": 0, "rm": "",
    }  # fmt: skip
    return {"e": "ALGO_UPDATE", "E": moved.at_ms, "T": moved.at_ms, "o": words}

"""Binance's messages, as bytes: the fixtures, and those that no fixture holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "fixtures" / "venues"


def fixture(name: str) -> Any:
    return json.loads((FOLDER / f"binance_{name}.json").read_text(encoding="utf-8"))


def raw(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


EXCHANGE_INFO = {
    "timezone": "UTC",
    "symbols": [
        {"symbol": "BTCUSDT", "status": "TRADING", "liquidationFee": "0.0125", "filters": []},
        {
            "symbol": "LTCUSDT",
            "contractType": "PERPETUAL",
            "status": "TRADING",
            "liquidationFee": "0.012500",
            "marketTakeBound": "0.05",
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "3.61", "maxPrice": "100000",
                 "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "20000",
                 "stepSize": "0.001"},
                {"filterType": "MARKET_LOT_SIZE", "maxQty": "5000", "stepSize": "0.001"},
                {"filterType": "MAX_NUM_ORDERS", "limit": 200},
                {"filterType": "MIN_NOTIONAL", "notional": "20"},
                {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500",
                 "multiplierDown": "0.9500", "multiplierDecimal": "4"},
            ],
        },
    ],
}  # fmt: skip
COMMISSION = {
    "symbol": "LTCUSDT", "makerCommissionRate": "0.0002", "takerCommissionRate": "0.0005",
    "rpiCommissionRate": "0.00005",
}  # fmt: skip
FUNDING_INFO = [{"symbol": "BLZUSDT", "fundingIntervalHours": 4, "disclaimer": False}]
RATIOS = [
    {"symbol": "LTCUSDT", "longShortRatio": "1.9559", "timestamp": "1583139900000"},
    {"symbol": "LTCUSDT", "longShortRatio": "2.5000", "timestamp": 1583140200000},
]
ACCOUNT_CONFIG = {
    "feeTier": 0, "canTrade": True, "canWithdraw": True, "dualSidePosition": True,
    "multiAssetsMargin": False,
}  # fmt: skip
SYMBOL_CONFIG = [{"symbol": "LTCUSDT", "marginType": "CROSSED", "leverage": 21}]
POSITIONS = [
    {
        "symbol": "LTCUSDT", "positionSide": "SHORT", "positionAmt": "-6.000",
        "entryPrice": "84.05", "markPrice": "84.1", "liquidationPrice": "91.2",
        "isolatedWallet": "0", "updateTime": 1720736417660,
    }
]  # fmt: skip
BALANCES = [
    {"asset": "BNB", "balance": "1.0"},
    {"asset": "USDT", "balance": "9999.79830000", "crossWalletBalance": "9999.79830000"},
]
RESTRICTIONS = {"ipRestrict": True, "enableWithdrawals": False, "enableFutures": True}
ALGO = {
    "algoId": 2146760, "clientAlgoId": "lhs-long-1795000000000", "algoType": "CONDITIONAL",
    "orderType": "STOP_MARKET", "symbol": "LTCUSDT", "side": "SELL", "positionSide": "LONG",
    "timeInForce": "GTC", "quantity": "10.000", "algoStatus": "NEW", "actualOrderId": "",
    "triggerPrice": "80.50", "price": "0", "workingType": "MARK_PRICE", "closePosition": False,
    "reduceOnly": True,
}  # fmt: skip
ALGO_UPDATE = {
    "e": "ALGO_UPDATE", "T": 1750515742297, "E": 1750515742303,
    "o": {
        "caid": "lhs-long-1795000000000", "aid": 2148719, "at": "CONDITIONAL", "o": "STOP_MARKET",
        "s": "LTCUSDT", "S": "SELL", "ps": "LONG", "f": "GTC", "q": "10.0", "X": "FINISHED",
        "ai": "99", "ap": "80.40", "aq": "10.0", "tp": "80.50", "p": "0", "rm": "",
    },
}  # fmt: skip
TRADE_LITE = {
    "e": "TRADE_LITE", "E": 1795000000000, "T": 1795000000000, "s": "LTCUSDT", "q": "10.000",
    "p": "83.90", "m": False, "c": "ltchedge-01J9Z-0001", "S": "SELL", "L": "84.05",
    "l": "6.000", "t": 5001, "i": 9000000001,
}  # fmt: skip
WS_ANSWER = {"id": "lh1", "status": 200, "result": fixture("rest_order_ack_IOC_LTCUSDT")}

"""What the fake exchange answers to Binance USD-M requests.

Nothing here knows HTTP. Each is given parameters whose signature was checked, and returns a body,
or raises `Error` or `Refused`. The websocket API calls the same functions. `binance_routes` names
them.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from litehedge.exchange import binance_account as account
from litehedge.exchange import binance_words as words
from litehedge.exchange.access import Access, Key
from litehedge.exchange.binance_orders import (
    Params,
    algo_of,
    check_symbol,
    needed,
    order_of,
    whole,
)
from litehedge.exchange.binance_words import error
from litehedge.exchange.tape import Tape
from litehedge.exchange.terms import Held, Refused
from litehedge.exchange.venue import Venue

DEPTHS: Final = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
"""Weight of a depth snapshot by its size."""

OK: Final = {"code": 200, "msg": "success"}


class BinanceRest:
    """The REST requests of one account. `late_ms` delays the next order (a fault)."""

    def __init__(self, venue: Venue, access: Access) -> None:
        self.venue = venue
        self.access = access
        self.listen_keys: dict[str, int] = {}  # until when, on the server's clock
        self.late_ms = 0
        self.trading = True
        self._keys = 0

    # --- the market -------------------------------------------------------------------------------

    def depth(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/depth`."""
        check_symbol(params, self.venue.terms.symbol)
        most = whole(params, "limit") or 500
        if most not in DEPTHS:
            raise error(-4021, f"{most} is not valid depth limit.")
        matching = self.venue.matching
        return words.depth(matching.book, self.venue.terms, matching.now_ms, most)

    def klines(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/klines`, of one minute."""
        tape = self._tape(params)
        if needed(params, "interval") != "1m":
            raise error(-1120, "Invalid interval.")
        rows = [words.kline(candle) for candle in tape.candles]
        return _between(rows, params, lambda row: int(row[0]))

    def trades(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/trades`."""
        rows = [words.trade_row(trade) for trade in self._tape(params).trades]
        return rows[-(whole(params, "limit") or 500) :]

    def agg_trades(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/aggTrades`."""
        rows = [words.agg_row(trade) for trade in self._tape(params).trades]
        first = whole(params, "fromId")
        if first is not None:
            rows = [row for row in rows if row["a"] >= first]
            return rows[: whole(params, "limit") or 500]
        return _between(rows, params, lambda row: int(row["T"]))

    def _tape(self, params: Params) -> Tape:
        tape = self.venue.history.tapes.get(needed(params, "symbol"))
        if tape is None:
            raise Refused("symbol")
        return tape

    def funding(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/fundingRate`."""
        rows = [
            {
                "symbol": self.venue.terms.symbol, "fundingRate": words.plain(rate, 8),
                "fundingTime": at, "markPrice": words.plain(mark, 8), "rateType": "Regular",
            }
            for at, rate, mark in self.venue.history.funding
        ]  # fmt: skip
        return _between(rows, params, lambda row: int(row["fundingTime"]))

    def premium(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/premiumIndex`."""
        if "symbol" not in params:
            return [words.premium(self.venue)]
        check_symbol(params, self.venue.terms.symbol)
        return words.premium(self.venue)

    def interest(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/openInterest`."""
        check_symbol(params, self.venue.terms.symbol)
        moment = self.venue.moment
        assert moment is not None
        return {
            "openInterest": words.qty(Decimal(repr(moment.open_interest_ltc))),
            "symbol": self.venue.terms.symbol, "time": self.venue.matching.now_ms,
        }  # fmt: skip

    def interest_history(self, params: Params) -> Any:
        """Answer `GET /futures/data/openInterestHist`: now alone."""
        check_symbol(params, self.venue.terms.symbol)
        moment = self.venue.moment
        assert moment is not None
        return [
            {
                "symbol": self.venue.terms.symbol,
                "sumOpenInterest": words.plain(moment.open_interest_ltc, 8),
                "sumOpenInterestValue": words.plain(moment.open_interest_ltc * moment.mark, 8),
                "CMCCirculatingSupply": "76500000.00000000",
                "timestamp": self.venue.matching.now_ms // 300_000 * 300_000,
            }
        ]  # fmt: skip

    def ratio(self, params: Params) -> Any:
        """Answer `GET /futures/data/globalLongShortAccountRatio`: a constant."""
        check_symbol(params, self.venue.terms.symbol)
        at = self.venue.matching.now_ms // 300_000 * 300_000
        return [
            {"symbol": self.venue.terms.symbol, "longShortRatio": "2.1250", "longAccount": "0.6800",
             "shortAccount": "0.3200", "timestamp": at}
        ]  # fmt: skip

    def ticker(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/ticker/bookTicker`."""
        row = words.book_ticker(
            self.venue.matching.book, self.venue.terms, self.venue.matching.now_ms
        )
        return {
            "lastUpdateId": row["u"], "symbol": row["s"], "bidPrice": row["b"],
            "bidQty": row["B"], "askPrice": row["a"], "askQty": row["A"], "time": row["T"],
        }  # fmt: skip

    def price(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/ticker/price`."""
        last = self.venue.matching.last or Decimal(f"{self.venue.mark:.2f}")
        return {
            "symbol": self.venue.terms.symbol, "price": words.price(last),
            "time": self.venue.matching.now_ms,
        }  # fmt: skip

    def insurance(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/insuranceBalance`."""
        at = self.venue.matching.now_ms
        return {
            "symbols": ["ADAUSDT", "LTCUSDT", "XRPUSDT"],
            "assets": [{"asset": "USDT", "marginBalance": "314151411.0", "updateTime": at}],
        }

    # --- orders -----------------------------------------------------------------------------------

    def place(self, params: Params) -> Any:
        """Answer `POST /fapi/v1/order`."""
        ask = order_of(params, self.venue)
        if not self.trading:
            raise error(-4140, "Invalid symbol status for opening position.")
        late, self.late_ms = self.late_ms, 0
        order = self.venue.matching.place(ask, delay_ms=late)
        kind = params.get("newOrderRespType", "ACK")
        return account.order_ack(order, final=kind == "RESULT" and late == 0)

    def find(self, params: Params) -> Held:
        """Return the order that a request names."""
        check_symbol(params, self.venue.terms.symbol)
        order_id, client_id = whole(params, "orderId"), params.get("origClientOrderId")
        if order_id is None and client_id is None:
            raise error(
                -1102,
                "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
            )
        return self.venue.matching.find(order_id, client_id)

    def cancel(self, params: Params) -> Any:
        """Answer `DELETE /fapi/v1/order`."""
        try:
            order = self.find(params)
        except Refused as refused:
            is_gone = refused.why == "no such order"
            raise Refused("unknown order" if is_gone else refused.why) from None
        self.venue.matching.cancel(order)
        return account.order_row(order)

    def cancel_all(self, params: Params) -> Any:
        """Answer `DELETE /fapi/v1/allOpenOrders`."""
        check_symbol(params, self.venue.terms.symbol)
        self.venue.matching.cancel_all()
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def countdown(self, params: Params) -> Any:
        """Answer `POST /fapi/v1/countdownCancelAll`, on the clock of the server."""
        check_symbol(params, self.venue.terms.symbol)
        after = whole(params, "countdownTime")
        if after is None:
            raise Refused("missing", "countdownTime")
        self.venue.cancel_at_ms = self.access.clock() + after if after > 0 else None
        return {"symbol": self.venue.terms.symbol, "countdownTime": str(after)}

    def open_orders(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/openOrders`."""
        return [account.order_row(order) for order in self.venue.matching.open_orders()]

    def all_orders(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/allOrders`."""
        check_symbol(params, self.venue.terms.symbol)
        matching = self.venue.matching
        known = [o for o in matching.orders.values() if o.visible_ms <= matching.now_ms]
        rows = [account.order_row(order) for order in known]
        return _between(rows, params, lambda row: int(row["time"]))

    def user_trades(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/userTrades`."""
        check_symbol(params, self.venue.terms.symbol)
        only = whole(params, "orderId")
        matching = self.venue.matching
        rows = [
            account.user_trade(order, fill)
            for order in matching.orders.values()
            if only is None or order.order_id == only
            for fill in order.fills
        ]
        return _between(rows, params, lambda row: int(row["time"]))

    def force_orders(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/forceOrders`."""
        return [account.order_row(order) for order in self.venue.history.forced]

    def place_algo(self, params: Params) -> Any:
        """Answer `POST /fapi/v1/algoOrder`."""
        ask, kind, trigger, working = algo_of(params, self.venue)
        return account.algo_row(self.venue.place_algo(ask, kind, trigger, working))

    def query_algo(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/algoOrder`."""
        return account.algo_row(
            self.venue.find_algo(whole(params, "algoId"), params.get("clientAlgoId"))
        )

    def cancel_algo(self, params: Params) -> Any:
        """Answer `DELETE /fapi/v1/algoOrder`."""
        try:
            algo = self.venue.find_algo(whole(params, "algoId"), params.get("clientAlgoId"))
        except Refused:
            raise Refused("unknown order") from None
        self.venue.cancel_algo(algo)
        return {"algoId": algo.algo_id, "clientAlgoId": algo.client_id, **OK, "code": "200"}

    def cancel_algos(self, params: Params) -> Any:
        """Answer `DELETE /fapi/v1/algoOpenOrders`."""
        check_symbol(params, self.venue.terms.symbol)
        for algo in self.venue.open_algos():
            self.venue.cancel_algo(algo)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    # --- the account ------------------------------------------------------------------------------

    def risk(self, params: Params, *, flat_too: bool = False) -> Any:
        """Answer `GET /fapi/v3/positionRisk`; v2 tells flat legs too."""
        legs = self.venue.ledger.legs(self.venue.mark)
        rows = [
            account.position_row(leg, self.venue) for leg in legs if flat_too or leg.qty_ltc != 0
        ]
        if flat_too:
            for row in rows:
                row["leverage"] = str(self.venue.ledger.leverage)
                row["marginType"] = "isolated" if self.venue.ledger.isolated else "cross"
        return rows

    def leverage(self, params: Params) -> Any:
        """Answer `POST /fapi/v1/leverage`."""
        check_symbol(params, self.venue.terms.symbol)
        leverage = whole(params, "leverage")
        if leverage is None:
            raise Refused("missing", "leverage")
        self.venue.set_leverage(leverage)
        most = int(self.venue.ledger.most_notional(leverage))
        return {
            "leverage": leverage, "maxNotionalValue": str(most),
            "symbol": self.venue.terms.symbol,
        }  # fmt: skip

    def margin_type(self, params: Params) -> Any:
        """Answer `POST /fapi/v1/marginType`."""
        check_symbol(params, self.venue.terms.symbol)
        try:
            self.venue.set_isolated(needed(params, "marginType") == "ISOLATED")
        except Refused as refused:
            if refused.why == "no change":
                raise error(-4046, "No need to change margin type.") from None
            if refused.why == "has position":
                text = "Margin type cannot be changed if there exists position."
                raise error(-4048, text) from None
            raise
        return OK

    def set_mode(self, params: Params) -> Any:
        """Answer `POST /fapi/v1/positionSide/dual`."""
        self.venue.set_hedge_mode(needed(params, "dualSidePosition").lower() == "true")
        return OK

    def account_config(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/accountConfig`."""
        return {
            "feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True,
            "dualSidePosition": self.venue.ledger.hedge_mode, "updateTime": 0,
            "multiAssetsMargin": False, "tradeGroupId": -1,
        }  # fmt: skip

    def symbol_config(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/symbolConfig`."""
        ledger = self.venue.ledger
        return [
            {
                "symbol": self.venue.terms.symbol, "isAutoAddMargin": False,
                "marginType": "ISOLATED" if ledger.isolated else "CROSSED",
                "leverage": ledger.leverage,
                "maxNotionalValue": str(int(ledger.most_notional(ledger.leverage))),
            }
        ]  # fmt: skip

    def commission(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/commissionRate`."""
        check_symbol(params, self.venue.terms.symbol)
        terms = self.venue.terms
        return {
            "symbol": terms.symbol, "makerCommissionRate": words.plain(terms.maker_fee, 6),
            "takerCommissionRate": words.plain(terms.taker_fee, 6),
            "rpiCommissionRate": "0.000050",
        }  # fmt: skip

    def income(self, params: Params) -> Any:
        """Answer `GET /fapi/v1/income`: funding alone."""
        rows = [
            {
                "symbol": self.venue.terms.symbol, "incomeType": "FUNDING_FEE",
                "income": words.plain(usdt, 8), "asset": "USDT", "info": "FUNDING_FEE",
                "time": at, "tranId": number_, "tradeId": "",
            }
            for number_, (at, usdt) in enumerate(self.venue.history.received, 1)
        ]  # fmt: skip
        return _between(rows, params, lambda row: int(row["time"]))

    def restrictions(self, key: Key) -> Any:
        """Answer `GET /sapi/v1/account/apiRestrictions`."""
        return {
            "ipRestrict": key.ip_bound, "createTime": 1698645219000, "enableReading": True,
            "enableWithdrawals": key.can_withdraw, "enableInternalTransfer": False,
            "enableMargin": False, "enableFutures": key.can_trade,
            "permitsUniversalTransfer": False, "enableVanillaOptions": False,
            "enableFixApiTrade": False, "enableFixReadOnly": True,
            "enableSpotAndMarginTrading": False, "enablePortfolioMarginTrading": False,
        }  # fmt: skip

    def make_key(self, params: Params) -> Any:
        """Answer `POST /fapi/v1/listenKey`: the same key while it lives."""
        if not self.listen_keys:
            self._keys += 1
            self.listen_keys[f"{self._keys:04d}".ljust(64, "k")] = 0
        name = next(iter(self.listen_keys))
        self.listen_keys[name] = self.access.clock() + 3_600_000
        return {"listenKey": name}

    def keep_key(self, params: Params) -> Any:
        """Answer `PUT /fapi/v1/listenKey`."""
        if not self.listen_keys:
            raise error(-1125, "This listenKey does not exist.")
        return self.make_key(params)

    def drop_key(self, params: Params) -> Any:
        """Answer `DELETE /fapi/v1/listenKey`."""
        self.listen_keys.clear()
        return {}


def _between(rows: list[Any], params: Params, at: Callable[[Any], int]) -> list[Any]:
    """Return rows from `startTime` to `endTime`: the first `limit` with a start, else the last."""
    start, end = whole(params, "startTime"), whole(params, "endTime")
    most = whole(params, "limit") or 500
    found = [
        row
        for row in rows
        if (start is None or at(row) >= start) and (end is None or at(row) <= end)
    ]
    return found[-most:] if start is None else found[:most]

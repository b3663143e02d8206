"""What the fake exchange answers to Bybit v5 requests: parameters in, `result` out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast

from litehedge.exchange import bybit_words as words
from litehedge.exchange.access import Access, Key
from litehedge.exchange.bybit_words import Error
from litehedge.exchange.happenings import LTC
from litehedge.exchange.tape import Tape
from litehedge.exchange.terms import Algo, Ask, Held, Refused, Side, TimeInForce
from litehedge.exchange.venue import Venue

Params = Mapping[str, Any]
_SIDES: Final[tuple[Side, ...]] = ("both", "long", "short")
_TIFS: Final = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK", "PostOnly": "GTX"}


def _number(params: Params, name: str) -> Decimal:
    try:
        got = Decimal(str(params[name]))
    except KeyError:
        raise Refused("missing", name) from None
    except InvalidOperation:
        raise Error(10001, f"params error: {name} is invalid") from None
    if not got.is_finite():
        raise Error(10001, f"params error: {name} is invalid")
    return got


def order_of(params: Params, venue: Venue) -> Ask:
    """Read `POST /v5/order/create`.

    Raises
    ------
    Refused, Error
        When a parameter is missing, not allowed, or not of its kind.
    """
    if params.get("symbol") != venue.terms.symbol:
        raise Refused("symbol")
    kind, side = params.get("orderType"), params.get("side")
    if kind not in ("Limit", "Market"):
        raise Refused("type")
    if side not in ("Buy", "Sell"):
        raise Error(10001, "Side invalid")
    try:
        leg = _SIDES[int(params.get("positionIdx", 0))]
    except (ValueError, IndexError):
        raise Refused("side") from None
    tif = _TIFS.get(str(params.get("timeInForce", "GTC")))
    if tif is None:
        raise Error(10001, "TimeInForce invalid")
    limit = _number(params, "price") if kind == "Limit" else None
    return Ask(
        str(params.get("orderLinkId", "")), side == "Buy", leg, _number(params, "qty"), limit,
        cast("TimeInForce", tif), str(params.get("reduceOnly", False)).lower() == "true",
    )  # fmt: skip


def trigger_of(params: Params, ask: Ask) -> tuple[Decimal, str]:
    """Read what a conditional order waits for: its trigger and the price that counts.

    Raises
    ------
    Refused, Error
        When a parameter is missing, or the fake has no such order.
    """
    if ask.limit_usdt is not None:
        raise Error(10001, "the fake has conditional orders at the market alone")
    if str(params.get("triggerDirection")) != ("1" if ask.buys else "2"):
        raise Error(10001, "the fake has stops alone: a sale falls to its trigger")
    working = "MARK_PRICE" if params.get("triggerBy") == "MarkPrice" else "CONTRACT_PRICE"
    return _number(params, "triggerPrice"), working


class BybitRest:
    """The requests of one account. `late_ms` delays the next order (a fault)."""

    def __init__(self, venue: Venue, access: Access) -> None:
        self.venue = venue
        self.access = access
        self.late_ms = 0

    # --- the market -------------------------------------------------------------------------------

    def instruments(self, params: Params) -> Any:
        """Answer `GET /v5/market/instruments-info`."""
        wanted = params.get("category") == "linear" and params.get("status") in (None, "Trading")
        rows = [words.instrument(self.venue.terms, float(self.venue.ledger.tiers.rows[0, 3]))]
        if params.get("symbol") not in (None, self.venue.terms.symbol):
            raise Refused("symbol")
        return self._page(rows if wanted else [], params)

    def risk_limit(self, params: Params) -> Any:
        """Answer `GET /v5/market/risk-limit`."""
        return self._page(words.risk_limits(self.venue), params)

    def orderbook(self, params: Params) -> Any:
        """Answer `GET /v5/market/orderbook`."""
        most = int(params.get("limit", 25))
        book = self.venue.matching.book
        made = words.orderbook(book, self.venue.terms, most, book.last_id)
        return made | {"ts": self.venue.matching.now_ms, "cts": self.venue.matching.now_ms}

    def tickers(self, params: Params) -> Any:
        """Answer `GET /v5/market/tickers`."""
        return {"category": "linear", "list": [words.ticker(self.venue)]}

    def recent_trade(self, params: Params) -> Any:
        """Answer `GET /v5/market/recent-trade`, newest first."""
        rows = [
            {
                "execId": str(t.trade_id), "symbol": t.symbol,
                "price": words.price(t.price_usdt), "size": words.qty(t.qty_ltc),
                "side": "Buy" if t.taker_buys else "Sell", "time": str(t.at_ms),
                "isBlockTrade": False,
            }
            for t in reversed(self._tape(params).trades)
        ]  # fmt: skip
        return self._page(rows, params)

    def kline(self, params: Params) -> Any:
        """Answer `GET /v5/market/kline` of one minute, newest first; a start alone begins there."""
        start, end = int(params.get("start") or 0), int(params.get("end") or 2**62)
        candles = reversed(self._tape(params).candles)
        rows = [words.kline(candle) for candle in candles if start <= candle.open_ms <= end]
        if start and not params.get("end"):  # then the page begins there
            rows = rows[-int(params.get("limit", 200) or 200) :]
        return self._page(rows, params) | {"symbol": params.get("symbol", LTC)}

    def _tape(self, params: Params) -> Tape:
        tape = self.venue.history.tapes.get(params.get("symbol", LTC))
        if tape is None:
            raise Refused("symbol")
        return tape

    def funding(self, params: Params) -> Any:
        """Answer `GET /v5/market/funding/history`, newest first."""
        rows = [
            {"symbol": self.venue.terms.symbol, "fundingRate": f"{rate:.8f}",
             "fundingRateTimestamp": str(at)}
            for at, rate, _ in reversed(self.venue.history.funding)
        ]  # fmt: skip
        return self._page(rows, params)

    def interest(self, params: Params) -> Any:
        """Answer `GET /v5/market/open-interest`: now alone."""
        moment = self.venue.moment
        assert moment is not None
        row = {
            "openInterest": f"{moment.open_interest_ltc:.8f}",
            "timestamp": str(self.venue.matching.now_ms // 300_000 * 300_000),
        }
        return self._page([row], params) | {"symbol": self.venue.terms.symbol}

    def ratio(self, params: Params) -> Any:
        """Answer `GET /v5/market/account-ratio`: a constant."""
        at = str(self.venue.matching.now_ms // 300_000 * 300_000)
        row = {"symbol": self.venue.terms.symbol, "buyRatio": "0.68", "sellRatio": "0.32",
               "timestamp": at}  # fmt: skip
        return {"list": [row], "nextPageCursor": ""}

    # --- orders -----------------------------------------------------------------------------------

    def create(self, params: Params) -> Any:
        """Answer `POST /v5/order/create`: only that it was taken."""
        ask = order_of(params, self.venue)
        if params.get("triggerPrice"):
            algo = self.venue.place_algo(ask, "STOP_MARKET", *trigger_of(params, ask))
            return {"orderId": words.algo_id(algo.algo_id), "orderLinkId": algo.client_id}
        late, self.late_ms = self.late_ms, 0
        order = self.venue.matching.place(ask, delay_ms=late)
        return {"orderId": words.order_id(order), "orderLinkId": order.client_id}

    def cancel(self, params: Params) -> Any:
        """Answer `POST /v5/order/cancel`."""
        algo = self._waiting(params)
        if algo is not None:
            self.venue.cancel_algo(algo)
            return {"orderId": words.algo_id(algo.algo_id), "orderLinkId": algo.client_id}
        try:
            order = self._find(params)
        except Refused:
            raise Refused("unknown order") from None
        self.venue.matching.cancel(order)
        return {"orderId": words.order_id(order), "orderLinkId": order.client_id}

    def cancel_all(self, params: Params) -> Any:
        """Answer `POST /v5/order/cancel-all`."""
        gone = self.venue.matching.open_orders()
        self.venue.matching.cancel_all()
        rows = [{"orderId": words.order_id(o), "orderLinkId": o.client_id} for o in gone]
        return {"list": rows, "success": "1"}

    def realtime(self, params: Params) -> Any:
        """Answer `GET /v5/order/realtime`: open orders, or one by its id; no error without."""
        return self._orders(params, open_only=int(params.get("openOnly", 0)) == 0)

    def history(self, params: Params) -> Any:
        """Answer `GET /v5/order/history`."""
        return self._orders(params, open_only=False)

    def executions(self, params: Params) -> Any:
        """Answer `GET /v5/execution/list`, newest first."""
        wanted, link = params.get("orderId"), params.get("orderLinkId")
        rows = [
            words.execution(order, fill, self.venue.mark)
            for order in self._known()
            if wanted in (None, words.order_id(order)) and link in (None, order.client_id)
            for fill in order.fills
        ]
        if wanted is None and link is None:
            received = self.venue.history.received
            rows += [words.funding_row(at, usdt, self.venue) for at, usdt in received]
        rows.sort(key=lambda row: int(row["execTime"]), reverse=True)
        return self._page(rows, params)

    # --- the account ------------------------------------------------------------------------------

    def positions(self, params: Params) -> Any:
        """Answer `GET /v5/position/list`: flat legs too."""
        legs = self.venue.ledger.legs(self.venue.mark)
        return self._page([words.position_row(leg, self.venue) for leg in legs], params)

    def wallet(self, params: Params) -> Any:
        """Answer `GET /v5/account/wallet-balance`."""
        return {"list": [words.wallet(self.venue)]}

    def info(self, params: Params) -> Any:
        """Answer `GET /v5/account/info`."""
        mode = "ISOLATED_MARGIN" if self.venue.ledger.isolated else "REGULAR_MARGIN"
        return {
            "marginMode": mode, "updatedTime": str(self.access.clock()),
            "unifiedMarginStatus": 5, "dcpStatus": "OFF", "timeWindow": 10, "smpGroup": 0,
            "isMasterTrader": False, "spotHedgingStatus": "OFF",
        }  # fmt: skip

    def fees(self, params: Params) -> Any:
        """Answer `GET /v5/account/fee-rate`."""
        terms = self.venue.terms
        row = {"symbol": terms.symbol, "baseCoin": "", "takerFeeRate": str(terms.taker_fee),
               "makerFeeRate": str(terms.maker_fee)}  # fmt: skip
        return {"category": "linear", "list": [row]}

    def key_info(self, key: Key) -> Any:
        """Answer `GET /v5/user/query-api`."""
        trade = ["Order", "Position"] if key.can_trade else []
        return {
            "id": "1", "note": "fake", "apiKey": key.key, "readOnly": int(not key.can_trade),
            "secret": "", "ips": ["127.0.0.1"] if key.ip_bound else ["*"], "type": 1,
            "permissions": {
                "ContractTrade": trade, "Spot": [], "Options": [], "Derivatives": [],
                "Wallet": ["Withdraw"] if key.can_withdraw else [], "Exchange": [],
            },
            "unified": 0, "uta": 1, "userID": 1, "inviterID": 0, "vipLevel": "No VIP",
            "isMaster": True, "parentUid": "0", "kycLevel": "LEVEL_1", "deadlineDay": 80,
            "expiredAt": "2099-01-01T00:00:00Z", "createdAt": "2026-01-01T00:00:00Z",
        }  # fmt: skip

    def set_leverage(self, params: Params) -> Any:
        """Answer `POST /v5/position/set-leverage`: one leverage for both sides."""
        buy, sell = _number(params, "buyLeverage"), _number(params, "sellLeverage")
        if buy != sell or buy != int(buy):
            raise Error(10001, "buyLeverage and sellLeverage must be the same whole number")
        if int(buy) == self.venue.ledger.leverage:
            raise Error(110043, "leverage not modified")
        self.venue.set_leverage(int(buy))
        return {}

    def switch_mode(self, params: Params) -> Any:
        """Answer `POST /v5/position/switch-mode`: 0 netted, 3 legs apart."""
        mode = int(_number(params, "mode"))
        if mode not in (0, 3):
            raise Error(10001, "mode invalid")
        self.venue.set_hedge_mode(mode == 3)
        return {}

    def trading_stop(self, params: Params) -> Any:
        """Answer `POST /v5/position/trading-stop`: the stop loss of a whole leg; 0 removes it."""
        side = _SIDES[int(params.get("positionIdx", 0))]
        held = self.venue.ledger.qty(self.venue.ledger.leg_of(side))
        old = [a for a in self.venue.open_algos() if a.side == side and a.closes_all]
        trigger = _number(params, "stopLoss")
        if held == 0:
            raise Error(10001, "can not set tp/sl/ts for zero position")
        if trigger > 0:
            working = "MARK_PRICE" if params.get("slTriggerBy") == "MarkPrice" else "CONTRACT_PRICE"
            ask = Ask("", held < 0, side, Decimal(0), None, closes_all=True)
            self.venue.place_algo(ask, "STOP_MARKET", trigger, working)
        elif not old:
            raise Error(34040, "not modified")
        for algo in old:
            self.venue.cancel_algo(algo)
        return {}

    # --- pieces -----------------------------------------------------------------------------------

    def _known(self) -> list[Held]:
        matching = self.venue.matching
        return [o for o in matching.orders.values() if o.visible_ms <= matching.now_ms]

    def _find(self, params: Params) -> Held:
        wanted, link = params.get("orderId"), params.get("orderLinkId")
        if not wanted and not link:
            raise Refused("missing", "orderId or orderLinkId")
        number = int(str(wanted).rpartition("-")[2]) if wanted else None
        if wanted and str(wanted).startswith(words.ALGO_IDS):
            number = self.venue.find_algo(number, None).order_id
        return self.venue.matching.find(number, str(link) if link else None)

    def _waiting(self, params: Params) -> Algo | None:
        """Return the conditional order that is meant, None where it is not one that waits."""
        wanted, link = params.get("orderId"), params.get("orderLinkId")
        return next(
            (
                algo
                for algo in self._conditional()
                if (link and algo.client_id == link) or wanted == words.algo_id(algo.algo_id)
            ),
            None,
        )

    def _conditional(self) -> list[Algo]:
        return [algo for algo in self.venue.open_algos() if not algo.closes_all]

    def _orders(self, params: Params, *, open_only: bool) -> Any:
        orders: list[Held] = []
        algos: list[Algo] = []
        if params.get("orderId") or params.get("orderLinkId"):
            algo = self._waiting(params)
            with suppress(Refused):
                orders = [] if algo is not None else [self._find(params)]
            algos = [] if algo is None or not open_only else [algo]
        elif open_only:
            what = params.get("orderFilter", "")
            orders = self.venue.matching.open_orders() if what in ("", "Order") else []
            algos = self._conditional() if what in ("", "StopOrder") else []
        else:
            orders = self._known()[::-1]
        rows = [words.order_row(order) for order in orders]
        return self._page([*rows, *map(words.conditional_row, algos)], params)

    def _page(self, rows: list[Any], params: Params) -> dict[str, Any]:
        most = int(params.get("limit", 50) or 50)
        return {"category": "linear", "list": rows[:most], "nextPageCursor": ""}


Handler = Callable[[BybitRest, Params], Any]
_R = BybitRest
KEY_INFO: Final = "/v5/user/query-api"
PUBLIC: Final[Mapping[tuple[str, str], Handler]] = {
    ("GET", "/v5/market/time"): lambda r, p: {
        "timeSecond": str(r.access.clock() // 1000), "timeNano": str(r.access.clock() * 1_000_000),
    },
    ("GET", "/v5/market/instruments-info"): _R.instruments,
    ("GET", "/v5/market/risk-limit"): _R.risk_limit,
    ("GET", "/v5/market/orderbook"): _R.orderbook,
    ("GET", "/v5/market/tickers"): _R.tickers,
    ("GET", "/v5/market/recent-trade"): _R.recent_trade,
    ("GET", "/v5/market/kline"): _R.kline,
    ("GET", "/v5/market/funding/history"): _R.funding,
    ("GET", "/v5/market/open-interest"): _R.interest,
    ("GET", "/v5/market/account-ratio"): _R.ratio,
}  # fmt: skip
SIGNED: Final[Mapping[tuple[str, str], Handler]] = {
    ("POST", "/v5/order/create"): _R.create,
    ("POST", "/v5/order/cancel"): _R.cancel,
    ("POST", "/v5/order/cancel-all"): _R.cancel_all,
    ("GET", "/v5/order/realtime"): _R.realtime,
    ("GET", "/v5/order/history"): _R.history,
    ("GET", "/v5/execution/list"): _R.executions,
    ("GET", "/v5/position/list"): _R.positions,
    ("POST", "/v5/position/set-leverage"): _R.set_leverage,
    ("POST", "/v5/position/switch-mode"): _R.switch_mode,
    ("POST", "/v5/position/trading-stop"): _R.trading_stop,
    ("GET", "/v5/account/wallet-balance"): _R.wallet,
    ("GET", "/v5/account/info"): _R.info,
    ("GET", "/v5/account/fee-rate"): _R.fees,
    ("GET", KEY_INFO): lambda r, p: {},
}


def answer(rest: BybitRest, method: str, path: str, params: Params, key: Key | None) -> Any:
    """Return the `result` of an answer.

    Raises
    ------
    Error
        When the venue refuses.
    """
    if path == KEY_INFO and key is not None:
        return rest.key_info(key)
    handler = PUBLIC.get((method, path)) or SIGNED[(method, path)]
    try:
        return handler(rest, params)
    except Refused as refused:
        raise words.refusal(refused) from None
    except (ValueError, IndexError):
        raise Error(10001, "params error") from None

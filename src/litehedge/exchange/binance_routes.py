"""Every Binance USD-M request that the fake exchange answers: method, path, security, weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from litehedge.exchange import binance_account as account
from litehedge.exchange import binance_words as words
from litehedge.exchange.access import Key
from litehedge.exchange.binance_orders import Params
from litehedge.exchange.binance_rest import DEPTHS, BinanceRest
from litehedge.exchange.binance_words import error
from litehedge.exchange.terms import Refused

Handler = Callable[[BinanceRest, Params], Any]

_R = BinanceRest
F: Final = "/fapi/v1"
RESTRICTIONS: Final = "/sapi/v1/account/apiRestrictions"
PUBLIC, KEYED, SIGNED, ORDER = range(4)
"""Nothing, the key alone, a signature, or a signature and the count of orders."""

ROUTES: Final[Mapping[tuple[str, str], tuple[Handler, int, int]]] = {
    ("GET", f"{F}/ping"): (lambda r, p: {}, PUBLIC, 1),
    ("GET", f"{F}/time"): (lambda r, p: {"serverTime": r.access.clock()}, PUBLIC, 1),
    ("GET", f"{F}/exchangeInfo"): (
        lambda r, p: words.exchange_info(
            r.venue.terms, r.venue.ledger, r.access.clock(), trading=r.trading
        ), PUBLIC, 1),
    ("GET", f"{F}/depth"): (_R.depth, PUBLIC, 0),  # weight by its limit
    ("GET", f"{F}/trades"): (_R.trades, PUBLIC, 5),
    ("GET", f"{F}/aggTrades"): (_R.agg_trades, PUBLIC, 20),
    ("GET", f"{F}/klines"): (_R.klines, PUBLIC, 5),
    ("GET", f"{F}/premiumIndex"): (_R.premium, PUBLIC, 1),
    ("GET", f"{F}/fundingRate"): (_R.funding, PUBLIC, 1),
    ("GET", f"{F}/fundingInfo"): (lambda r, p: [], PUBLIC, 0),
    ("GET", f"{F}/openInterest"): (_R.interest, PUBLIC, 1),
    ("GET", f"{F}/ticker/bookTicker"): (_R.ticker, PUBLIC, 2),
    ("GET", f"{F}/ticker/price"): (_R.price, PUBLIC, 1),
    ("GET", f"{F}/insuranceBalance"): (_R.insurance, PUBLIC, 1),
    ("GET", f"{F}/symbolAdlRisk"): (
        lambda r, p: {"symbol": r.venue.terms.symbol, "adlRisk": "low",
                      "updateTime": r.venue.matching.now_ms}, PUBLIC, 1),
    ("GET", "/futures/data/openInterestHist"): (_R.interest_history, PUBLIC, 0),
    ("GET", "/futures/data/globalLongShortAccountRatio"): (_R.ratio, PUBLIC, 0),
    ("POST", f"{F}/listenKey"): (_R.make_key, KEYED, 1),
    ("PUT", f"{F}/listenKey"): (_R.keep_key, KEYED, 1),
    ("DELETE", f"{F}/listenKey"): (_R.drop_key, KEYED, 1),
    ("POST", f"{F}/order"): (_R.place, ORDER, 0),
    ("GET", f"{F}/order"): (lambda r, p: account.order_row(r.find(p)), SIGNED, 1),
    ("GET", f"{F}/openOrder"): (lambda r, p: account.order_row(r.find(p)), SIGNED, 1),
    ("DELETE", f"{F}/order"): (_R.cancel, SIGNED, 1),
    ("DELETE", f"{F}/allOpenOrders"): (_R.cancel_all, SIGNED, 1),
    ("POST", f"{F}/countdownCancelAll"): (_R.countdown, SIGNED, 10),
    ("GET", f"{F}/openOrders"): (_R.open_orders, SIGNED, 1),
    ("GET", f"{F}/allOrders"): (_R.all_orders, SIGNED, 5),
    ("GET", f"{F}/userTrades"): (_R.user_trades, SIGNED, 5),
    ("GET", f"{F}/forceOrders"): (_R.force_orders, SIGNED, 20),
    ("POST", f"{F}/algoOrder"): (_R.place_algo, ORDER, 0),
    ("GET", f"{F}/algoOrder"): (_R.query_algo, SIGNED, 1),
    ("DELETE", f"{F}/algoOrder"): (_R.cancel_algo, SIGNED, 1),
    ("GET", f"{F}/openAlgoOrders"): (
        lambda r, p: [account.algo_row(a) for a in r.venue.open_algos()], SIGNED, 1),
    ("GET", f"{F}/allAlgoOrders"): (
        lambda r, p: [account.algo_row(a) for a in r.venue.algos.values()], SIGNED, 5),
    ("DELETE", f"{F}/algoOpenOrders"): (_R.cancel_algos, SIGNED, 1),
    ("GET", f"{F}/leverageBracket"): (lambda r, p: words.brackets(r.venue.ledger), SIGNED, 1),
    ("GET", "/fapi/v2/positionRisk"): (lambda r, p: r.risk(p, flat_too=True), SIGNED, 5),
    ("GET", "/fapi/v3/positionRisk"): (_R.risk, SIGNED, 5),
    ("GET", "/fapi/v2/account"): (lambda r, p: account.account(r.venue, v2=True), SIGNED, 5),
    ("GET", "/fapi/v3/account"): (lambda r, p: account.account(r.venue, v2=False), SIGNED, 5),
    ("GET", "/fapi/v2/balance"): (lambda r, p: account.balance(r.venue), SIGNED, 5),
    ("GET", "/fapi/v3/balance"): (lambda r, p: account.balance(r.venue), SIGNED, 5),
    ("POST", f"{F}/leverage"): (_R.leverage, SIGNED, 1),
    ("POST", f"{F}/marginType"): (_R.margin_type, SIGNED, 1),
    ("GET", f"{F}/positionSide/dual"): (
        lambda r, p: {"dualSidePosition": r.venue.ledger.hedge_mode}, SIGNED, 30),
    ("POST", f"{F}/positionSide/dual"): (_R.set_mode, SIGNED, 1),
    ("GET", f"{F}/multiAssetsMargin"): (lambda r, p: {"multiAssetsMargin": False}, SIGNED, 30),
    ("GET", f"{F}/accountConfig"): (_R.account_config, SIGNED, 5),
    ("GET", f"{F}/symbolConfig"): (_R.symbol_config, SIGNED, 5),
    ("GET", f"{F}/commissionRate"): (_R.commission, SIGNED, 20),
    ("GET", f"{F}/income"): (_R.income, SIGNED, 30),
    ("GET", RESTRICTIONS): (lambda r, p: {}, SIGNED, 1),
}  # fmt: skip


def weight_of(path: str, params: Params, weight: int) -> int:
    """Return the request weight; a depth snapshot's grows with its size."""
    if path == f"{F}/depth":
        return DEPTHS.get(int(params.get("limit", "500") or 500), 20)
    return weight


def answer(rest: BinanceRest, method: str, path: str, params: Params, key: Key | None) -> Any:
    """Return the body of an answer.

    Raises
    ------
    Error
        When the venue refuses, with status and body.
    """
    route = ROUTES.get((method, path))
    if route is None:
        raise error(-5000, f"Path {path}, Method {method} is invalid", 404)
    if path == RESTRICTIONS and key is not None:
        return rest.restrictions(key)
    try:
        return route[0](rest, params)
    except Refused as refused:
        raise words.refusal(refused) from None

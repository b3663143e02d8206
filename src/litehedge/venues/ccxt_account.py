"""What is asked of one account through ccxt, and how each venue wants to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from litehedge.errors import BadMessage, VenueRefused, WrongSetup
from litehedge.orders.reports import AccountReport, Contract, OrderReport, StopReport, VenueOrder
from litehedge.orders.stops import side_of
from litehedge.units import NS_PER_MS
from litehedge.venues.ccxt_facts import CcxtVenue, number, order_params
from litehedge.venues.ccxt_ids import from_venue, to_venue
from litehedge.venues.ccxt_read import (
    exact,
    from_fills,
    leg,
    maybe,
    order_report,
    other,
    tiers,
    wallet,
)

NO_LIMIT: Final = Decimal(10**9)


async def contract(venue: CcxtVenue, exchange: Any, contract_ltc: Decimal) -> Contract:
    """Return the contract as the venue states it now: markets are loaded anew."""
    await exchange.load_markets(True)
    market = exchange.market(venue.symbol)
    if exchange.precisionMode != 4:  # TICK_SIZE
        raise WrongSetup(f"{venue.name}: ccxt gives digits instead of ticks", "use ccxt 4.5")
    limits, precision = market["limits"], market["precision"]
    tick = exact(precision["price"], "the tick")
    mark: Decimal | None = None
    if venue.ccxt_id == "hyperliquid" or venue.tiers_in_contracts:
        mark = await _price(venue, exchange)
    if venue.ccxt_id == "hyperliquid" and mark is not None:
        # Five significant figures: the tick follows the price.
        tick = max(tick, Decimal(1).scaleb(mark.adjusted() - 4))
    most = maybe((limits.get("amount") or {}).get("max"), "the largest order")
    least = maybe((limits.get("cost") or {}).get("min"), "the least notional")
    taker, maker = await _fees(venue, exchange, market)
    unit = None if mark is None or not venue.tiers_in_contracts else mark * contract_ltc
    return Contract(
        venue=venue.name,
        symbol=str(market["id"]),
        is_trading=market.get("active") is not False,
        tick_usdt=tick,
        lot_ltc=exact(precision["amount"], "the lot") * contract_ltc,
        min_notional_usdt=venue.min_notional_usdt if least is None else least,
        max_qty_ltc=(NO_LIMIT if most is None else most) * contract_ltc,
        price_band=None,
        taker_fee=taker,
        maker_fee=maker,
        clearance_fee=venue.clearance_fee,
        tiers=tiers(await _tiers(venue, exchange), base_usdt=unit),
        funding_interval_h=await _funding_interval_h(venue, exchange),
    )


async def _price(venue: CcxtVenue, exchange: Any) -> Decimal:
    book = await exchange.fetch_order_book(venue.symbol, 5)
    bid, ask = exact(book["bids"][0][0], "the bid"), exact(book["asks"][0][0], "the ask")
    return (bid + ask) / 2


async def _fees(
    venue: CcxtVenue, exchange: Any, market: Mapping[str, Any]
) -> tuple[Decimal, Decimal]:
    told: Mapping[str, Any] = market
    if exchange.has.get("fetchTradingFee") is True:
        told = await exchange.fetch_trading_fee(venue.symbol)
    # OKX tells what it pays us: ccxt turns the sign; a fee of ours is never negative as taker.
    return abs(exact(told["taker"], "the taker fee")), exact(told["maker"], "the maker fee")


async def _tiers(venue: CcxtVenue, exchange: Any) -> list[Mapping[str, Any]]:
    if venue.ccxt_id == "hyperliquid":
        return _hyperliquid_tiers(await exchange.publicPostInfo({"type": "meta"}))
    if exchange.has.get("fetchMarketLeverageTiers"):
        return list(await exchange.fetch_market_leverage_tiers(venue.symbol))
    told = await exchange.fetch_leverage_tiers([venue.symbol])
    return list(told.get(venue.symbol) or [])


def _hyperliquid_tiers(meta: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Read margin tables of `meta`; the maintenance rate is half of the initial one.

    A table of a number below 50 is a single tier of so much leverage.
    """
    coin = next(one for one in meta["universe"] if one["name"] == "LTC")
    tables = {int(number): table for number, table in meta.get("marginTables") or []}
    table = tables.get(int(coin.get("marginTableId") or 0))
    steps = table["marginTiers"] if table else [{"lowerBound": "0", **coin}]
    return [
        {
            "minNotional": step["lowerBound"],
            "maxNotional": steps[at + 1]["lowerBound"] if at + 1 < len(steps) else None,
            "maxLeverage": step["maxLeverage"],
            "maintenanceMarginRate": Decimal(1) / (2 * Decimal(str(step["maxLeverage"]))),
        }
        for at, step in enumerate(steps)
    ]


async def _funding_interval_h(venue: CcxtVenue, exchange: Any) -> float:
    if exchange.has.get("fetchFundingRate") is not True:
        return venue.funding_interval_h
    told = (await exchange.fetch_funding_rate(venue.symbol)).get("interval")
    if isinstance(told, str) and told.endswith("h") and told[:-1].isdigit():
        return float(told[:-1])
    return venue.funding_interval_h


async def account(
    venue: CcxtVenue, exchange: Any, contract_ltc: Decimal, *, hedge_mode: bool, leverage: int,
    ahead_ms: float = 0.0,
) -> AccountReport:  # fmt: skip
    """Return wallet, legs and mode; the mode is what the venue says, else what was set.

    It is of the moment before the first question, by the venue's clock (`ahead_ms`: what ours is
    ahead of it): what happens while it answers may be in one answer and not in another.
    """
    asked_ms = exchange.milliseconds() - ahead_ms
    is_one_account = venue.ccxt_id in ("okx", "krakenfutures")  # there `type` is another thing
    balance = await exchange.fetch_balance({} if is_one_account else {"type": "swap"})
    told = await exchange.fetch_positions()  # of every contract: they share the wallet
    mode = hedge_mode
    if exchange.has.get("fetchPositionMode"):
        mode = bool((await exchange.fetch_position_mode(venue.symbol))["hedged"])
    elif venue.hedges and any(one.get("hedged") is not None for one in told):
        mode = any(one.get("hedged") is True for one in told)
    legs = [
        one
        for one in (
            leg(position, contract_ltc, hedge_mode=mode, leverage=leverage)
            for position in told
            if position.get("symbol") == venue.symbol
        )
        if one is not None
    ]
    settle = venue.symbol.rpartition(":")[2]
    others = [
        one
        for one in (
            other(position)
            for position in told
            if position.get("symbol") != venue.symbol
            and str(position.get("symbol") or "").rpartition(":")[2] == settle
        )
        if one is not None
    ]
    held = wallet(venue.name, balance["info"])
    return AccountReport(int(asked_ms) * NS_PER_MS, held, legs, mode, others=others)


async def place(
    venue: CcxtVenue,
    exchange: Any,
    sent: VenueOrder,
    contracts: Decimal,
    params: Mapping[str, Any],
    contract_ltc: Decimal,
) -> OrderReport:
    """Send an order; one that met nobody within its limit has ended, and was not refused.

    Raises
    ------
    BadMessage
        When the answer names no order.
    """
    import ccxt

    side = "buy" if sent.buys else "sell"
    try:
        told = await exchange.create_order(
            venue.symbol,
            "limit",
            side,
            number(venue, contracts),
            number(venue, sent.limit_usdt),
            dict(params),
        )
    except (ccxt.OrderNotFillable, ccxt.OrderImmediatelyFillable) as error:
        return OrderReport(sent.client_id, "expired", reason=type(error).__name__)
    if not told.get("id"):
        raise BadMessage("an answer that names no order")
    return order_report(told, sent.client_id, contract_ltc)


async def order(
    venue: CcxtVenue, exchange: Any, client_id: str, contract_ltc: Decimal
) -> OrderReport:
    """Return where an order stands; `missing` when the venue does not know it.

    Raises
    ------
    BadMessage
        When the answer names no order, or cannot be read.
    """
    import ccxt

    spelt = to_venue(venue.ids, client_id)
    asked: dict[str, Any] = {venue.query: spelt}
    found: Mapping[str, Any] | None = None
    try:
        if venue.ccxt_id == "krakenfutures":
            told = await exchange.fetch_orders(None, None, None, {"cliOrdIds": spelt})
            found = next((one for one in told if one.get("clientOrderId") == spelt), None)
            if found is None:  # what ended five seconds ago is no longer told there
                fills = await exchange.fetch_my_trades(venue.symbol)
                ours = [one for one in fills if one["info"].get("cliOrdId") == spelt]
                if ours:
                    return from_fills(ours, client_id, contract_ltc)
        elif venue.ccxt_id == "bybit":
            # Among the closed ones ccxt would ask for filled ones alone.
            ended = exchange.fetch_canceled_and_closed_orders
            for ask in (exchange.fetch_open_orders, ended):
                told = await ask(venue.symbol, None, None, asked)
                found = found or next(iter(told), None)
        else:
            found = await exchange.fetch_order(None, venue.symbol, asked)
    except ccxt.OrderNotFound:
        found = None
    if found is None or (venue.ccxt_id == "hyperliquid" and not found.get("id")):
        return OrderReport(client_id, "missing")  # Hyperliquid: `unknownOid`, which ccxt lets pass
    if not found.get("id"):
        raise BadMessage("an answer that names no order")
    return order_report(found, client_id, contract_ltc)


def is_stop(order: Mapping[str, Any]) -> bool:
    """Whether an order waits for a price."""
    prices = ("triggerPrice", "stopPrice", "stopLossPrice", "takeProfitPrice")
    return any(order.get(price) not in (None, 0, "0", "") for price in prices)


async def cancel(
    exchange: Any, order_id: str, symbol: str, params: Mapping[str, Any] | None = None
) -> None:
    """Cancel an order; one that is gone is what was wanted."""
    import ccxt

    try:
        await exchange.cancel_order(order_id, symbol, dict(params or {}))
    except ccxt.OrderNotFound:
        return


async def stops(
    venue: CcxtVenue, exchange: Any, contract_ltc: Decimal
) -> list[tuple[str, StopReport]]:
    """Return our stops that wait, each with the venue's id.

    Raises
    ------
    BadMessage
        When one of ours cannot be read.
    """
    asked = dict(venue.stops_asked or {})
    found: list[tuple[str, StopReport]] = []
    for one in await exchange.fetch_open_orders(venue.symbol, None, None, asked):
        spelt = str(one.get("clientOrderId") or one["info"].get("algoClOrdId") or "")
        ours = from_venue(venue.ids, spelt)
        side = None if ours is None else side_of(ours)
        if ours is None or side is None:
            continue
        told = one.get("stopLossPrice") or one.get("triggerPrice") or one.get("stopPrice")
        try:
            trigger, qty = Decimal(str(told)), Decimal(str(one["amount"])) * contract_ltc
        except (ArithmeticError, KeyError):
            raise BadMessage("a stop of ours has no trigger or no amount") from None
        if not trigger.is_finite() or not qty.is_finite():
            raise BadMessage("a stop of ours has no trigger or no amount")
        buys = one.get("side") == "buy"
        found.append((str(one["id"]), StopReport(ours, side, buys, trigger, qty)))
    return found


async def replace_stop(
    venue: CcxtVenue,
    exchange: Any,
    closes: VenueOrder,
    trigger_usdt: Decimal,
    contract_ltc: Decimal,
    *,
    isolated: bool,
    leverage: int,
) -> None:
    """Place a reduce-only stop on the mark price, then cancel ours that close as it does."""
    params = order_params(venue, closes, isolated=isolated, leverage=leverage)
    del params["timeInForce"]
    # As text: ccxt takes a decimal among the parameters for none, and would sell at market at once.
    params |= {"stopLossPrice": format(trigger_usdt, "f"), "reduceOnly": True, **venue.stop}
    if closes.position_side != "both" and venue.ccxt_id in ("okx", "binanceusdm"):
        del params["reduceOnly"]
    if venue.ccxt_id == "okx":
        params["algoClOrdId"] = params.pop("clientOrderId")
    side = "buy" if closes.buys else "sell"
    needs_price = venue.ccxt_id == "hyperliquid"  # bounds its market orders
    placed = await exchange.create_order(
        venue.symbol,
        "market",
        side,
        number(venue, closes.qty_ltc / contract_ltc),
        number(venue, closes.limit_usdt) if needs_price else None,
        params,
    )
    asked = dict(venue.stops_asked or {})
    for one in await exchange.fetch_open_orders(venue.symbol, None, None, asked):
        spelt = str(one.get("clientOrderId") or one["info"].get("algoClOrdId") or "")
        is_ours = from_venue(venue.ids, spelt) is not None
        is_before = one["id"] != placed["id"] and one.get("side") in (side, None)
        if is_ours and is_before and (asked or is_stop(one)):
            await cancel(exchange, one["id"], venue.symbol, asked)


async def set_leverage(venue: CcxtVenue, exchange: Any, leverage: int, mode: str) -> None:
    """Set the leverage; a venue where it is set already has done what was wanted."""
    import ccxt

    params: dict[str, Any] = {}
    if venue.ccxt_id in ("okx", "hyperliquid", "kucoinfutures", "gate"):
        params["marginMode"] = mode
    try:
        await exchange.set_leverage(leverage, venue.symbol, params)
    except ccxt.NoChange:
        return
    except ccxt.ExchangeError as error:
        if "110043" in str(error):  # Bybit: not modified
            return
        raise


async def set_hedge_mode(venue: CcxtVenue, exchange: Any, on: bool) -> None:
    """Set the position mode; a venue where it is set already has done what was wanted.

    Raises
    ------
    VenueRefused
        When positions or orders are open: no venue changes the mode then.
    """
    import ccxt

    try:
        await exchange.set_position_mode(on, venue.symbol)
    except ccxt.NoChange:
        return
    except ccxt.ExchangeError as error:
        if any(code in str(error) for code in ("110025", "-4059", "NO_CHANGE")):
            return
        if isinstance(error, (ccxt.OperationRejected, ccxt.InvalidOrder, ccxt.BadRequest)):
            told = f"{venue.name} does not change its position mode ({str(error)[:120]})"
            raise VenueRefused(told, "close positions and orders first") from None
        raise

"""ccxt's unified answers in our words; pure.

ccxt's `total` of a balance holds unrealised profit on some venues and not on others, so the wallet
is read from what the venue said itself. Sizes are contracts there and LTC here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from litehedge.errors import BadMessage
from litehedge.market.events import Book, Trade
from litehedge.orders.reports import (
    LegReport,
    OrderReport,
    OrderStatus,
    OtherPosition,
    PositionSide,
)
from litehedge.units import NS_PER_MS

NAN: Final = Decimal("NaN")
_DOLLARS: Final = frozenset({"USDT", "USD", "USDC"})
_STATUS: Final[dict[str, OrderStatus]] = {
    "open": "open",
    "closed": "filled",
    "canceled": "expired",
    "cancelled": "expired",
    "canceling": "open",
    "expired": "expired",
    "rejected": "rejected",
}
NEAR, MIDDLE, FAR = 0.002, 0.01, 0.05


def exact(value: object, what: str) -> Decimal:
    """Return a number exactly as it was written.

    Raises
    ------
    BadMessage
        When it is no finite number.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = NAN
    if not number.is_finite():
        raise BadMessage(f"{what} is {value!r:.40}", "it is skipped")
    return number


def maybe(value: object, what: str) -> Decimal | None:
    """Return a number, None where there is none.

    Raises
    ------
    BadMessage
        When there is something else.
    """
    return None if value is None or value == "" else exact(value, what)


def ns_of(ms: object) -> int:
    """Return ccxt's milliseconds in nanoseconds, 0 where it does not tell."""
    if isinstance(ms, (int, float)) and 0 < ms < 2**62 / NS_PER_MS:
        return int(ms) * NS_PER_MS
    return 0


# --- orders -------------------------------------------------------------------------------------


def order_report(order: Mapping[str, Any], client_id: str, contract_ltc: Decimal) -> OrderReport:
    """Read an order. What says that it ended, but not how much of it was filled, is still open.

    Raises
    ------
    BadMessage
        When a number is none.
    """
    status = _STATUS.get(str(order.get("status") or "open"), "open")
    contracts = maybe(order.get("filled"), "an order's filled amount")
    if contracts is None:
        rest = maybe(order.get("remaining"), "an order's rest")
        amount = maybe(order.get("amount"), "an order's amount")
        if rest is not None and amount is not None and amount > 0:
            contracts = amount - rest
        elif status == "rejected":
            contracts = Decimal(0)
        else:
            status, contracts = "open", Decimal(0)
    filled = contracts * contract_ltc
    average = maybe(order.get("average"), "an order's average price")
    if filled == 0:
        notional = Decimal(0)
    elif average is not None and average > 0:
        notional = filled * average
    else:
        notional = NAN
    amount = maybe(order.get("amount"), "an order's amount")
    if status == "filled" and amount is not None and contracts < amount:
        status = "expired"  # immediate or cancel: "closed" with a rest
    at = order.get("lastUpdateTimestamp") or order.get("lastTradeTimestamp")
    return OrderReport(
        client_id,
        status,
        filled,
        notional,
        fee_of(order),
        str(order.get("reason") or "") if status == "rejected" else "",
        ns_of(at or order.get("timestamp")),
    )


def fee_of(order: Mapping[str, Any]) -> Decimal | None:
    """Return the fee in dollars; None where the source does not tell, or in other coins."""
    fees = order.get("fees") or ([order["fee"]] if order.get("fee") else [])
    costs = []
    for fee in fees:
        cost = maybe(fee.get("cost"), "a fee")
        if cost is None or fee.get("currency") not in _DOLLARS:
            return None
        costs.append(cost)
    return sum(costs, Decimal(0)) if costs else None


def from_fills(
    fills: Sequence[Mapping[str, Any]], client_id: str, contract_ltc: Decimal
) -> OrderReport:
    """Return the order that made these fills; it is over, since ours never rest."""
    contracts = [exact(fill.get("amount"), "a fill's amount") for fill in fills]
    prices = [exact(fill.get("price"), "a fill's price") for fill in fills]
    notional = sum((c * p for c, p in zip(contracts, prices, strict=True)), Decimal(0))
    at_ns = max((ns_of(fill.get("timestamp")) for fill in fills), default=0)
    costs = [fee_of(fill) for fill in fills]
    told = [cost for cost in costs if cost is not None]
    return OrderReport(
        client_id,
        "expired",
        sum(contracts, Decimal(0)) * contract_ltc,
        notional * contract_ltc,
        sum(told, Decimal(0)) if len(told) == len(costs) else None,
        event_ns=at_ns,
    )


# --- the account --------------------------------------------------------------------------------


def _okx(info: Any) -> Any:
    coins = {coin["ccy"]: coin for coin in info["data"][0]["details"]}
    return coins["USDT"]["cashBal"] if "USDT" in coins else 0


def _bitget(info: Any) -> Any:
    account = next(one for one in info if one["marginCoin"] == "USDT")
    return exact(account["accountEquity"], "equity") - exact(account["unrealizedPL"] or 0, "profit")


def _kucoin(info: Any) -> Any:
    data = info["data"]
    return exact(data["accountEquity"], "equity") - exact(data["unrealisedPNL"], "profit")


def _gate(info: Any) -> Any:
    return (info[0] if isinstance(info, list) else info)["total"]


def _binance(info: Any) -> Any:
    assets = info["assets"] if isinstance(info, Mapping) else info
    return next(
        one.get("walletBalance", one.get("balance")) for one in assets if one["asset"] == "USDT"
    )


def _bybit(info: Any) -> Any:
    coins = {coin["coin"]: coin for coin in info["result"]["list"][0]["coin"]}
    return coins["USDT"]["walletBalance"] if "USDT" in coins else 0


def _hyperliquid(info: Any) -> Any:
    profit = sum(
        (exact(one["position"]["unrealizedPnl"], "profit") for one in info["assetPositions"]),
        Decimal(0),
    )
    return exact(info["marginSummary"]["accountValue"], "equity") - profit


_WALLETS: Final[dict[str, Callable[[Any], Any]]] = {
    "okx": _okx,
    "krakenfutures": lambda info: info["accounts"]["flex"]["balanceValue"],
    "hyperliquid": _hyperliquid,
    "bitget": _bitget,
    "gate": _gate,
    "kucoin": _kucoin,
    "binanceusdm": _binance,
    "bybit": _bybit,
}


def wallet(venue: str, info: Any) -> Decimal:
    """Return the wallet without unrealised profit, from the venue's own words.

    Raises
    ------
    BadMessage
        When they have another shape.
    """
    try:
        return exact(_WALLETS[venue](info), f"{venue}: the wallet")
    except (KeyError, IndexError, TypeError, AttributeError, StopIteration) as error:
        told = f"{venue}: no balance can be read ({type(error).__name__}: {error})"
        raise BadMessage(told, "the account is asked again") from None


def leg(
    position: Mapping[str, Any], contract_ltc: Decimal, *, hedge_mode: bool, leverage: int
) -> LegReport | None:
    """Read a position; None when it is flat. `leverage` is taken where the venue tells none.

    Raises
    ------
    BadMessage
        When a number is none, or the side is neither long nor short.
    """
    contracts = maybe(position.get("contracts"), "a position's size")
    if contracts is None or contracts == 0:
        return None
    side = position.get("side")
    if side not in ("long", "short"):
        raise BadMessage(f"a position that is neither long nor short: {side!r:.40}")
    size = abs(contracts) * contract_ltc
    at_leg: PositionSide = "both"
    if hedge_mode:
        at_leg = "long" if side == "long" else "short"
    told = maybe(position.get("leverage"), "a position's leverage")
    isolated = position.get("marginMode") == "isolated"
    collateral = maybe(position.get("collateral"), "a position's margin")
    return LegReport(
        at_leg,
        size if side == "long" else -size,
        exact(position.get("entryPrice"), "a position's entry"),
        Decimal(leverage) if told is None or told <= 0 else told,
        isolated,
        collateral if isolated and collateral is not None else Decimal(0),
        maybe(position.get("liquidationPrice"), "a position's liquidation price"),
    )


def other(position: Mapping[str, Any]) -> OtherPosition | None:
    """Read a position in another contract; None when it is flat.

    What a venue does not tell is put high: a notional from entry and size, a maintenance margin of
    1 % of it.

    Raises
    ------
    BadMessage
        When a number is none.
    """
    contracts = maybe(position.get("contracts"), "a position's size")
    if not contracts:
        return None
    notional = maybe(position.get("notional"), "a position's notional")
    if notional is None:
        size = maybe(position.get("contractSize"), "a contract's size") or Decimal(1)
        price = maybe(position.get("markPrice") or position.get("entryPrice"), "a price")
        notional = contracts * size * (price or Decimal(0))
    needed = maybe(position.get("maintenanceMargin"), "a maintenance margin")
    profit = maybe(position.get("unrealizedPnl"), "an unrealised profit")
    return OtherPosition(
        symbol=str(position.get("symbol") or ""),
        qty=-abs(contracts) if position.get("side") == "short" else abs(contracts),
        notional_usdt=abs(notional),
        maintenance_usdt=abs(notional) / 100 if needed is None else needed,
        unrealised_usdt=Decimal(0) if profit is None else profit,
        isolated=position.get("marginMode") == "isolated",
    )


def tiers(
    told: Sequence[Mapping[str, Any]], *, base_usdt: Decimal | None
) -> list[tuple[Decimal, Decimal, Decimal, Decimal, Decimal]]:
    """Return maintenance tiers in USDT with what makes them one line each.

    `base_usdt` is the price of a unit where the venue counts its tiers in contracts.

    Raises
    ------
    BadMessage
        When there are none, or they are no rising steps.
    """
    unit = Decimal(1) if base_usdt is None else base_usdt
    rows: list[tuple[Decimal, Decimal, Decimal, Decimal, Decimal]] = []
    steps = sorted(told, key=lambda tier: exact(tier.get("minNotional") or 0, "a tier's floor"))
    before_rate, cumulative = Decimal(0), Decimal(0)
    for at, tier in enumerate(steps):
        floor = exact(tier.get("minNotional") or 0, "a tier's floor") * unit
        rate = exact(tier.get("maintenanceMarginRate"), "a tier's maintenance rate")
        cap = maybe(tier.get("maxNotional"), "a tier's cap")
        if cap is not None:
            top = cap * unit
        elif at + 1 < len(steps):
            top = exact(steps[at + 1].get("minNotional"), "a tier's floor") * unit
        else:
            top = Decimal("1e12")
        if rate <= 0 or top <= floor or rate < before_rate:
            raise BadMessage(f"a tier from {floor} to {top} USDT at {rate}", "check the venue")
        cumulative += floor * (rate - before_rate) if rows else Decimal(0)
        most = exact(tier.get("maxLeverage") or 1 / (2 * rate), "a tier's leverage")
        rows.append((floor, top, most, rate, cumulative))
        before_rate = rate
    if not rows:
        raise BadMessage("no maintenance tiers were told", "check the venue")
    return rows


# --- the market ---------------------------------------------------------------------------------


def book(told: Mapping[str, Any], known_ns: int, contract_ltc: float) -> Book:
    """Read a book: best prices, and depth in USDT in bands around mid.

    A band that reaches beyond the last level told is not known: NaN, save for the middle one, which
    then is what there is.

    Raises
    ------
    BadMessage
        When a side is empty, prices cross, or a number is none.
    """
    try:
        bids = [(float(level[0]), float(level[1])) for level in told["bids"]]
        asks = [(float(level[0]), float(level[1])) for level in told["asks"]]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadMessage(f"a book of another shape ({error})", "it is skipped") from None
    if not bids or not asks:
        raise BadMessage("a book with an empty side", "it is skipped")
    bid, ask = bids[0][0], asks[0][0]
    if not 0.0 < bid < ask < float("inf"):
        raise BadMessage(f"a book with bid {bid} and ask {ask}", "it is skipped")
    mid = 0.5 * (bid + ask)

    def depth(levels: list[tuple[float, float]], share: float) -> tuple[float, bool]:
        inside = [p * q * contract_ltc for p, q in levels if abs(p - mid) <= share * mid]
        return sum(inside), len(inside) < len(levels)

    bands = [depth(side, share) for share in (MIDDLE, NEAR, FAR) for side in (bids, asks)]
    values = [value if known or at < 2 else float("nan") for at, (value, known) in enumerate(bands)]
    if not all(0.0 <= value < float("inf") for value, _ in bands):
        raise BadMessage("a book with sizes that are none", "it is skipped")
    event_ns = min(ns_of(told.get("timestamp")) or known_ns, known_ns)
    return Book(event_ns, known_ns, bid, ask, *values)


def trade(told: Mapping[str, Any], known_ns: int, contract_ltc: float) -> Trade:
    """Read a trade.

    Raises
    ------
    BadMessage
        When side, price or amount are none that can be.
    """
    side = told.get("side")
    price = float(exact(told.get("price"), "a trade's price"))
    qty_ltc = float(exact(told.get("amount"), "a trade's amount")) * contract_ltc
    if side not in ("buy", "sell") or price <= 0.0 or qty_ltc <= 0.0:
        raise BadMessage(f"a trade of {qty_ltc} at {price}, side {side!r:.20}", "it is skipped")
    event_ns = min(ns_of(told.get("timestamp")) or known_ns, known_ns)
    return Trade(event_ns, known_ns, price, qty_ltc, side == "buy")

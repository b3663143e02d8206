"""What differs from venue to venue behind ccxt: symbols, modes, switches, and traps; pure.

Each line here is a trap that ccxt 4.5 leaves open: the spelling of `ioc`, margin modes that default
to isolated, leverage that defaults to 1, requests that are sent before the first order, and
approvals of fees to a builder that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from litehedge.errors import WrongSetup
from litehedge.orders.reports import VenueOrder
from litehedge.venues.ccxt_ids import IdRule, to_venue


@dataclass(frozen=True, slots=True)
class CcxtVenue:
    """One venue.

    Parameters
    ----------
    money
        Currency of the wallet; a dollar of any kind is taken as one USDT.
    keys
        What ccxt calls key, secret and passphrase.
    hedges
        Whether long and short legs can be held apart.
    ioc
        How ccxt wants "immediate or cancel" to be spelt for this venue.
    query
        Name of the parameter with which an order is asked for by our id.
    warm
        Methods of ccxt to call on opening; else they would delay the first order.
    dead_man
        `no`; `spares stops`; or `takes stops`: the switch would cancel the protective stop too.
    stop
        What makes a stop of ccxt trigger on the mark price.
    stops_asked
        How stops are listed, where not among the open orders.
    """

    name: str
    ccxt_id: str
    symbol: str
    money: str
    keys: tuple[str, ...] = ("apiKey", "secret")
    ids: IdRule = field(default_factory=IdRule)
    hedges: bool = True
    ioc: str = "IOC"
    query: str = "clientOrderId"
    options: Mapping[str, Any] = field(default_factory=dict)
    warm: tuple[str, ...] = ()
    dead_man: Literal["no", "spares stops", "takes stops"] = "no"
    dead_man_ms: tuple[int, int] = (5_000, 120_000)
    stop: Mapping[str, Any] = field(default_factory=dict)
    stops_asked: Mapping[str, Any] | None = None
    tiers_in_contracts: bool = False
    min_notional_usdt: Decimal = Decimal(5)
    clearance_fee: Decimal = Decimal(0)
    funding_interval_h: float = 8.0


def _swaps(*types: str) -> dict[str, Any]:
    return {"defaultType": "swap", "fetchMarkets": {"types": list(types or ("swap",))}}


VENUES: Final[dict[str, CcxtVenue]] = {
    venue.name: venue
    for venue in (
        CcxtVenue(
            "okx",
            "okx",
            "LTC/USDT:USDT",
            "USDT",
            keys=("apiKey", "secret", "password"),
            ids=IdRule("letters", longest=32, allowed=r"[0-9A-Za-z]+"),
            # The endpoint of batches answers 200 for orders that were refused one by one.
            options=_swaps() | {"createOrder": "privatePostTradeOrder"},
            dead_man="spares stops",  # algo orders are no pending orders
            dead_man_ms=(10_000, 120_000),
            stop={"slTriggerPxType": "mark"},
            stops_asked={"trigger": True, "ordType": "conditional"},
            tiers_in_contracts=True,
            min_notional_usdt=Decimal(0),
            clearance_fee=Decimal("0.0005"),
        ),
        CcxtVenue(
            "krakenfutures",
            "krakenfutures",
            "LTC/USD:USD",
            "USD",
            ids=IdRule(longest=100),
            hedges=False,
            ioc="ioc",  # in capitals ccxt sends an order that rests
            options={"defaultType": "swap"},
            dead_man="takes stops",
            stop={"triggerSignal": "mark"},
            min_notional_usdt=Decimal(0),
            funding_interval_h=1.0,
        ),
        CcxtVenue(
            "hyperliquid",
            "hyperliquid",
            "LTC/USDC:USDC",
            "USDC",
            keys=("walletAddress", "privateKey"),
            ids=IdRule("hex"),
            hedges=False,
            ioc="ioc",
            options=_swaps() | {"builderFee": False},
            min_notional_usdt=Decimal(10),
            funding_interval_h=1.0,
        ),
        CcxtVenue(
            "bitget",
            "bitget",
            "LTC/USDT:USDT",
            "USDT",
            keys=("apiKey", "secret", "password"),
            ids=IdRule(longest=32),
            query="clientOid",
            options=_swaps(),
            warm=("handle_uta_and_params",),
            stop={"triggerPriceType": "mark_price"},
            stops_asked={"trigger": True, "planType": "profit_loss"},
        ),
        CcxtVenue(
            "gate",
            "gate",
            "LTC/USDT:USDT",
            "USDT",
            ids=IdRule(longest=26, prefix="t-", allowed=r"[0-9A-Za-z_.-]+"),
            options=_swaps() | {"unifiedAccount": False},
            stop={"price_type": 1},
            stops_asked={"trigger": True},
        ),
        CcxtVenue(
            "kucoin",
            "kucoinfutures",
            "LTC/USDT:USDT",
            "USDT",
            keys=("apiKey", "secret", "password"),
            ids=IdRule(longest=40),
            query="clientOid",
            options=_swaps("swap", "contract") | {"uta": False},
            stop={"triggerPriceType": "mark"},
            stops_asked={"stop": True},
        ),
        CcxtVenue(
            "binanceusdm",
            "binanceusdm",
            "LTC/USDT:USDT",
            "USDT",
            options={"defaultType": "swap", "fetchMarkets": {"types": ["linear"]}},
            query="origClientOrderId",
            dead_man="spares stops",  # algo orders are a service of their own
            stop={"workingType": "MARK_PRICE"},
            stops_asked={"stop": True},
            min_notional_usdt=Decimal(20),
            clearance_fee=Decimal("0.0125"),
        ),
        CcxtVenue(
            "bybit",
            "bybit",
            "LTC/USDT:USDT",
            "USDT",
            options={"defaultType": "swap", "fetchMarkets": {"types": ["linear"]}},
            query="orderLinkId",
            warm=("is_unified_enabled",),
            stop={"triggerBy": "MarkPrice"},
            stops_asked={"stop": True},
        ),
    )
}


def venue_named(name: str) -> CcxtVenue:
    """Return a venue.

    Raises
    ------
    WrongSetup
        When there is none of that name.
    """
    venue = VENUES.get(name)
    if venue is None:
        raise WrongSetup(f"no venue is called {name!r}", f"choose one of {', '.join(VENUES)}")
    return venue


def number(venue: CcxtVenue, value: Decimal) -> Decimal | str:
    """Return a number so that ccxt keeps it: its Hyperliquid takes text, KuCoin compares."""
    return format(value, "f") if venue.ccxt_id == "hyperliquid" else value


def closes_a_leg(order: VenueOrder) -> bool:
    """Whether an order closes: reduce-only, or against the leg that it is for."""
    against = (order.position_side == "long" and not order.buys) or (
        order.position_side == "short" and order.buys
    )
    return order.reduce_only or against


def order_params(
    venue: CcxtVenue, order: VenueOrder, *, isolated: bool, leverage: int
) -> dict[str, Any]:
    """Return what ccxt needs beside symbol, side, amount and price, for an order to go out right.

    Raises
    ------
    WrongSetup
        When the order is for a leg, and the venue nets long and short.
    """
    is_leg = order.position_side != "both"
    if is_leg and not venue.hedges:
        raise WrongSetup(
            f"{venue.name} nets long and short, an order for the {order.position_side} leg "
            "cannot be placed there",
            "hold the hedge on a venue of its own",
        )
    client_id = to_venue(venue.ids, order.client_id)
    params: dict[str, Any] = {"clientOrderId": client_id, "timeInForce": venue.ioc}
    closes = closes_a_leg(order)
    mode = "isolated" if isolated else "cross"
    match venue.ccxt_id:
        case "okx":
            params["tdMode"] = mode
            if is_leg:
                params["positionSide"] = order.position_side  # reduce-only means nothing there
            elif closes:
                params["reduceOnly"] = True
        case "binanceusdm":
            params["newClientOrderId"] = client_id
            if is_leg:
                params["positionSide"] = order.position_side.upper()  # reduceOnly is refused there
            elif closes:
                params["reduceOnly"] = True
        case "bybit":
            params["positionIdx"] = {"both": 0, "long": 1, "short": 2}[order.position_side]
            if closes:
                params["reduceOnly"] = True
        case "bitget":
            params |= {"marginMode": mode, "hedged": is_leg, "reduceOnly": closes}
        case "kucoinfutures":
            params |= {"marginMode": mode, "leverage": leverage, "hedged": is_leg}
            if closes:
                params["reduceOnly"] = True
        case _:
            params["reduceOnly"] = closes
    return params


def rewritten(urls: Any, http: str, ws: str) -> Any:
    """Return ccxt's tree of addresses with every host replaced, paths kept; for a fake venue."""
    if isinstance(urls, Mapping):
        return {key: rewritten(value, http, ws) for key, value in urls.items()}
    if isinstance(urls, list):
        return [rewritten(value, http, ws) for value in urls]
    if isinstance(urls, str) and "://" in urls:
        scheme, _, rest = urls.partition("://")
        _, slash, path = rest.partition("/")
        return (ws if scheme.startswith("ws") else http) + slash + path
    return urls

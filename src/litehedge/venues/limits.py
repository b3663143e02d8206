"""What each venue allows: rules, what a kind of request costs, how long it wants silence.

The kinds are the same everywhere: ``order``, ``cancel``, ``cancel_all``, ``query`` (an order),
``account`` (balance or positions), ``settings`` (leverage, mode), ``stop`` (a protective stop),
``dead_man``, ``market`` (public data). Sources: the venues' pages on limits as of November 2026;
where an account of a higher level is allowed more, the venue's answers say so and `told` takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from litehedge.venues.limiter import SHARE, Limiter, Rule, Waiter

Kinds = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules of a venue, the first of which is the general one, and what requests cost."""

    rules: tuple[Rule, ...]
    kinds: Kinds
    too_often: Mapping[int, float]
    """Seconds to be silent after a status, when the venue does not say how long."""

    def waiter(self, share: float = SHARE) -> Waiter:
        """Return a new waiter for one account."""
        return Waiter(Limiter(self.rules, share), self.kinds, self.rules[0].name)


def penalty_s(venue: str, status: int, headers: Mapping[str, str]) -> float:
    """Return for how long the venue wants silence after an answer, 0 when it does not.

    Parameters
    ----------
    headers
        Of the answer, names in lower case. ``retry-after`` is in seconds.
    """
    usual = LIMITS[venue].too_often.get(status, 0.0)
    if not usual:
        return 0.0
    try:
        told = float(headers.get("retry-after", "nan"))
    except ValueError:
        return usual
    return told if 0.0 < told <= _LONGEST_S else usual


_LONGEST_S: Final = 3 * 86_400.0  # the longest ban that a venue speaks of


def _endpoint(name: str, per_s: float) -> Rule:
    return Rule(name, per_s, 1.0)


_BYBIT_PATHS: Final = {
    "order": "/v5/order/create", "cancel": "/v5/order/cancel", "cancel_all": "/v5/order/cancel-all",
    "query": "/v5/order/realtime", "account": "/v5/account/wallet-balance",
    "settings": "/v5/position/set-leverage", "stop": "/v5/order/create",
}  # fmt: skip
BYBIT_RATES: Final = {
    "/v5/order/create": 10, "/v5/order/amend": 10, "/v5/order/cancel": 10,
    "/v5/order/cancel-all": 10, "/v5/order/realtime": 50, "/v5/order/history": 50,
    "/v5/execution/list": 50, "/v5/position/list": 50, "/v5/position/set-leverage": 10,
    "/v5/position/switch-mode": 10,
    "/v5/account/wallet-balance": 50, "/v5/account/info": 50, "/v5/account/fee-rate": 5,
    "/v5/user/query-api": 10,
}  # fmt: skip
"""Requests per second and user, by path, of an account without a level."""

LIMITS: Final[Mapping[str, Limits]] = {
    "binance": Limits(
        (
            Rule("weight", 2400, 60.0),
            Rule("orders_10s", 300, 10.0),
            Rule("orders_1m", 1200, 60.0),
            Rule("messages", 10, 1.0),  # what one market socket may be sent
        ),
        {
            "order": {"orders_10s": 1, "orders_1m": 1},
            "stop": {"orders_10s": 1, "orders_1m": 1},
            "cancel": {"weight": 1},
            "cancel_all": {"weight": 1},
            "query": {"weight": 1},
            "account": {"weight": 5},
            "settings": {"weight": 1},
            "dead_man": {"weight": 10},
            "market": {"weight": 20},
        },
        {429: 60.0, 418: 300.0, 403: 300.0},
    ),
    "bybit": Limits(
        (Rule("ip", 600, 5.0), *(_endpoint(path, rate) for path, rate in BYBIT_RATES.items())),
        {kind: {"ip": 1, path: 1} for kind, path in _BYBIT_PATHS.items()} | {"market": {"ip": 1}},
        {403: 600.0, 429: 5.0},
    ),
    "okx": Limits(
        (
            Rule("public", 20, 2.0),
            Rule("orders", 60, 2.0),  # by user and contract
            Rule("cancels", 60, 2.0),
            Rule("queries", 60, 2.0),
            Rule("account", 10, 2.0),
            Rule("settings", 5, 2.0),
            Rule("subaccount", 1000, 2.0),
            Rule("dead_man", 1, 1.0),
        ),
        {
            "order": {"orders": 1, "subaccount": 1},
            "cancel": {"cancels": 1},
            "cancel_all": {"cancels": 1},
            "query": {"queries": 1},
            "account": {"account": 1},
            "settings": {"settings": 1},
            "stop": {"public": 1},
            "dead_man": {"dead_man": 1},
            "market": {"public": 1},
        },
        {429: 2.0, 403: 300.0},
    ),
    "krakenfutures": Limits(
        (Rule("tokens", 500, 10.0), Rule("history", 100, 600.0)),
        {
            "order": {"tokens": 10},
            "stop": {"tokens": 10},
            "cancel": {"tokens": 10},
            "cancel_all": {"tokens": 25},
            "dead_man": {"tokens": 25},
            "query": {"tokens": 2},
            "account": {"tokens": 2},
            "settings": {"tokens": 10},
            "market": {"tokens": 1},
        },
        {429: 10.0},
    ),
    "hyperliquid": Limits(
        (Rule("weight", 1200, 60.0), Rule("messages", 2000, 60.0)),
        {
            "order": {"weight": 1},
            "stop": {"weight": 1},
            "cancel": {"weight": 1},
            "cancel_all": {"weight": 1},
            "dead_man": {"weight": 1},
            "settings": {"weight": 1},
            "query": {"weight": 2},
            "account": {"weight": 2},
            "market": {"weight": 20},
        },
        {429: 10.0},
    ),
    "bitget": Limits(
        (
            Rule("ip", 6000, 60.0),
            _endpoint("orders", 10),
            _endpoint("cancels", 10),
            _endpoint("queries", 10),
            _endpoint("account", 5),
            _endpoint("settings", 5),
        ),
        {
            "order": {"ip": 1, "orders": 1},
            "stop": {"ip": 1, "orders": 1},
            "cancel": {"ip": 1, "cancels": 1},
            "cancel_all": {"ip": 1, "cancels": 1},
            "query": {"ip": 1, "queries": 1},
            "account": {"ip": 1, "account": 1},
            "settings": {"ip": 1, "settings": 1},
            "market": {"ip": 1},
        },
        {429: 5.0, 403: 300.0},
    ),
    "gate": Limits(
        (
            Rule("public", 200, 10.0),
            # Gate falls to 10 orders in 10 s for who trades little of what he sends; what a hedger
            # sends fits below the first step of that, 20 in 10 s.
            Rule("orders", 20, 10.0),
            _endpoint("cancels", 200),
            Rule("private", 200, 10.0),
        ),
        {
            "order": {"orders": 1},
            "stop": {"private": 1},
            "cancel": {"cancels": 1},
            "cancel_all": {"cancels": 1},
            "query": {"private": 1},
            "account": {"private": 1},
            "settings": {"private": 1},
            "dead_man": {"private": 1},
            "market": {"public": 1},
        },
        {429: 10.0},
    ),
    "kucoin": Limits(
        (Rule("futures", 2000, 30.0), Rule("public", 2000, 30.0)),
        {
            "order": {"futures": 2},
            "stop": {"futures": 2},
            "cancel": {"futures": 1},
            "cancel_all": {"futures": 10},
            "query": {"futures": 5},
            "account": {"futures": 5},
            "settings": {"futures": 2},
            "market": {"public": 5},
        },
        {429: 30.0, 403: 300.0},
    ),
}
"""By the venue's name."""

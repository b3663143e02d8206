"""What a request costs of Binance's limits, and what its answers say is used. Pure.

Weights: developers.binance.com, "USDS Margined Futures", on the page of each request; 2400 a minute
for each address, 300 orders in 10 s and 1200 a minute for each account. Placing an order or a stop
costs no weight. Answers count along: ``X-MBX-USED-WEIGHT-1M``, ``X-MBX-ORDER-COUNT-10S``, ``-1M``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ORDER: Final[Mapping[str, float]] = {"orders_10s": 1.0, "orders_1m": 1.0}
_PLACING: Final = frozenset({("POST", "/fapi/v1/order"), ("POST", "/fapi/v1/algoOrder")})
_WEIGHTS: Final[Mapping[str, float]] = {
    "/fapi/v1/commissionRate": 20.0,
    "/fapi/v1/accountConfig": 5.0,
    "/fapi/v1/symbolConfig": 5.0,
    "/fapi/v3/positionRisk": 5.0,
    "/fapi/v3/balance": 5.0,
    "/fapi/v1/countdownCancelAll": 10.0,
}
"""By path, where it is not 1."""
_OF_ALL: Final = frozenset({"/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders"})
_BY_LIMIT: Final[Mapping[str, tuple[tuple[int, float], ...]]] = {
    "/fapi/v1/depth": ((50, 2.0), (100, 5.0), (500, 10.0), (1000, 20.0)),
    "/fapi/v1/klines": ((99, 1.0), (499, 2.0), (1000, 5.0), (1500, 10.0)),
}
"""Path: (up to so many rows, weight)."""
_URGENT: Final = frozenset(
    {
        *_PLACING,
        ("GET", "/fapi/v1/order"),
        ("DELETE", "/fapi/v1/order"),
        ("DELETE", "/fapi/v1/allOpenOrders"),
        ("GET", "/fapi/v1/openOrders"),
        ("GET", "/fapi/v1/openAlgoOrders"),
        ("DELETE", "/fapi/v1/algoOrder"),
        ("POST", "/fapi/v1/countdownCancelAll"),
    }
)
_TOLD: Final[Mapping[str, str]] = {
    "x-mbx-used-weight-1m": "weight",
    "x-mbx-order-count-10s": "orders_10s",
    "x-mbx-order-count-1m": "orders_1m",
}
_LARGEST: Final = 1e6


def costs(method: str, path: str, params: Mapping[str, str | int]) -> Mapping[str, float]:
    """Return what a request spends, by the names of `limits.LIMITS["binance"]`."""
    if (method, path) in _PLACING:
        return _ORDER
    if path in _OF_ALL:
        return {"weight": 1.0 if "symbol" in params else 40.0}
    steps = _BY_LIMIT.get(path)
    if steps is not None:
        rows = int(params.get("limit", 500))
        return {"weight": next((cost for most, cost in steps if rows <= most), steps[-1][1])}
    return {"weight": _WEIGHTS.get(path, 1.0)}


def is_urgent(method: str, path: str) -> bool:
    """Tell whether a request is about orders, cancels or stops: it passes whatever else waits."""
    return (method, path) in _URGENT


def used(headers: Mapping[str, str]) -> dict[str, float]:
    """Return what an answer says was used, by rule; `headers` have their names in lower case."""
    told = {}
    for name, rule in _TOLD.items():
        value = headers.get(name, "").strip()
        if value.isdecimal() and float(value[:12]) <= _LARGEST:
            told[rule] = float(value)
    return told

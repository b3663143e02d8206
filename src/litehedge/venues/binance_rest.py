"""Binance USD-M answers about the market and the contract: bytes in, values out. Pure.

Formats: developers.binance.com, "USDS Margined Futures / Market Data / REST API". Whatever cannot
be read raises `BadMessage`, and nothing else is ever raised, but `WrongSetup` by `contract_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from litehedge.errors import BadMessage, WrongSetup
from litehedge.market import events as ev
from litehedge.orders.reports import Contract
from litehedge.units import NS_PER_MINUTE, NS_PER_MS
from litehedge.venues.binance_wire import (
    Id,
    Level,
    Ms,
    Name,
    Price,
    Rate,
    Size,
    checked_bar,
    read,
)

T = TypeVar("T")
_LARGEST: Final = 15  # digits before the point, less one
_FINEST: Final = -18  # and after it


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind, strict=False)


def exact(value: Decimal, what: str) -> Decimal:
    """Return the number when it is finite and of a size that arithmetic can hold exactly.

    Raises
    ------
    BadMessage
        When it is not.
    """
    # By digits, since arithmetic with a number that is too large raises by itself.
    digits = value.as_tuple()
    if (
        not isinstance(digits.exponent, int)
        or digits.exponent < _FINEST
        or value.adjusted() > _LARGEST
    ):
        raise BadMessage(f"Binance: {what} is no possible number", "it is skipped")
    return value


def positive(value: Decimal, what: str) -> Decimal:
    """Return the number when it is exact and above zero.

    Raises
    ------
    BadMessage
        When it is not.
    """
    if exact(value, what) <= 0:
        raise BadMessage(f"Binance: {what} is not above zero", "it is skipped")
    return value


# --- the market ---------------------------------------------------------------------------------


class Snapshot(Struct, frozen=True, gc=False):
    """The book after update `lastUpdateId`."""

    lastUpdateId: Id  # noqa: N815
    bids: list[Level]
    asks: list[Level]
    T: Ms = 0


class _OpenInterest(Struct):
    symbol: Name
    openInterest: Size  # noqa: N815
    time: Ms


class _PastInterest(Struct):
    symbol: Name
    sumOpenInterest: Size  # noqa: N815
    timestamp: Ms


class _Ratio(Struct):
    symbol: Name
    longShortRatio: Annotated[float, Meta(gt=0.0, le=1e6)]  # noqa: N815
    timestamp: Ms


class _Settled(Struct):
    symbol: Name
    fundingRate: Rate  # noqa: N815
    fundingTime: Ms  # noqa: N815


class Premium(Struct, frozen=True):
    """Mark, index, the rate that would settle now, and when."""

    symbol: Name
    markPrice: Price  # noqa: N815
    indexPrice: Price  # noqa: N815
    lastFundingRate: Rate  # noqa: N815
    nextFundingTime: Ms  # noqa: N815
    time: Ms


class _Time(Struct):
    serverTime: Ms  # noqa: N815


class _AdlRisk(Struct):
    symbol: Name
    adlRisk: Literal["low", "medium", "high"]  # noqa: N815


_Row = tuple[Ms, Price, Price, Price, Price, Size, Ms, Size, int, Size, Size, Any]

_SNAPSHOT: Final = _decoder(Snapshot)
_OPEN_INTEREST: Final = _decoder(_OpenInterest)
_PAST_INTEREST: Final = _decoder(list[_PastInterest])
_RATIOS: Final = _decoder(list[_Ratio])
_SETTLED: Final = _decoder(list[_Settled])
_PREMIUM: Final = _decoder(Premium)
_TIME: Final = _decoder(_Time)
_ADL_RISK: Final = _decoder(_AdlRisk)
_ROWS: Final = _decoder(list[_Row])


def _ours(found: str, symbol: str) -> None:
    if found != symbol:
        raise BadMessage(f"Binance: an answer is not about {symbol}", "it is skipped")


def snapshot(payload: bytes) -> Snapshot:
    """Read ``GET /fapi/v1/depth``."""
    return read(_SNAPSHOT, payload, "a depth snapshot")


def open_interest(payload: bytes, symbol: str, known_ns: int) -> ev.OpenInterest:
    """Read ``GET /fapi/v1/openInterest``: coins, both sides counted once."""
    got = read(_OPEN_INTEREST, payload, "open interest")
    _ours(got.symbol, symbol)
    return ev.OpenInterest(got.time * NS_PER_MS, known_ns, got.openInterest)


def past_open_interest(payload: bytes, symbol: str) -> list[ev.OpenInterest]:
    """Read ``GET /futures/data/openInterestHist``.

    As in the archives (decision 0009), a row counts as known five minutes after its label.
    """
    rows = read(_PAST_INTEREST, payload, "past open interest")
    return [
        ev.OpenInterest(
            row.timestamp * NS_PER_MS,
            row.timestamp * NS_PER_MS + 5 * NS_PER_MINUTE,
            row.sumOpenInterest,
        )
        for row in rows
        if row.symbol == symbol
    ]


def long_short_ratio(payload: bytes, symbol: str, known_ns: int) -> ev.LongShortRatio:
    """Read the newest row of ``GET /futures/data/globalLongShortAccountRatio``.

    Raises
    ------
    BadMessage
        Also when there is no row of the contract.
    """
    rows = [r for r in read(_RATIOS, payload, "long/short ratios") if r.symbol == symbol]
    if not rows:
        raise BadMessage(f"Binance: no long/short ratio of {symbol}", "it is asked again")
    newest = max(rows, key=lambda row: row.timestamp)
    return ev.LongShortRatio(newest.timestamp * NS_PER_MS, known_ns, newest.longShortRatio)


def funding(payload: bytes, symbol: str, known_ns: int | None = None) -> list[ev.Funding]:
    """Read ``GET /fapi/v1/fundingRate``; without `known_ns`, known when it was settled."""
    rows = read(_SETTLED, payload, "funding rates")
    return [
        ev.Funding(
            row.fundingTime * NS_PER_MS,
            row.fundingTime * NS_PER_MS if known_ns is None else known_ns,
            row.fundingRate,
        )
        for row in rows
        if row.symbol == symbol
    ]


def premium(payload: bytes, symbol: str) -> Premium:
    """Read ``GET /fapi/v1/premiumIndex``."""
    got = read(_PREMIUM, payload, "a premium index")
    _ours(got.symbol, symbol)
    return got


def bars(payload: bytes, asset: Literal["LTC", "BTC"], until_ms: int) -> list[ev.Bar]:
    """Read ``GET /fapi/v1/klines``: the bars that were closed by `until_ms`, known at the close."""
    made = []
    for row in read(_ROWS, payload, "klines"):
        open_ms, open_, high, low, close, volume, last_ms, _, _, bought, _, _ = row
        if last_ms >= until_ms:
            continue
        at_ns = (last_ms + 1) * NS_PER_MS
        length_ns = at_ns - open_ms * NS_PER_MS
        made.append(
            checked_bar(
                ev.Bar(at_ns, at_ns, asset, length_ns, open_, high, low, close, volume, bought)
            )
        )
    return made


def server_time_ms(payload: bytes) -> int:
    """Read ``GET /fapi/v1/time``."""
    return read(_TIME, payload, "a server time").serverTime


def adl_risk(payload: bytes, symbol: str) -> Literal["low", "medium", "high"]:
    """Read ``GET /fapi/v1/symbolAdlRisk``: how near the winners are to being closed."""
    got = read(_ADL_RISK, payload, "a risk of deleveraging")
    _ours(got.symbol, symbol)
    return got.adlRisk


# --- the contract -------------------------------------------------------------------------------


class _Filter(Struct):
    filterType: str  # noqa: N815
    tickSize: Decimal | None = None  # noqa: N815
    stepSize: Decimal | None = None  # noqa: N815
    maxQty: Decimal | None = None  # noqa: N815
    notional: Decimal | None = None
    multiplierUp: Decimal | None = None  # noqa: N815
    multiplierDown: Decimal | None = None  # noqa: N815


class _Symbol(Struct):
    symbol: Name
    status: Name = ""
    liquidationFee: Decimal | None = None  # noqa: N815
    filters: msgspec.Raw = msgspec.Raw(b"[]")


class _Exchange(Struct):
    symbols: list[_Symbol]


class _Bracket(Struct):
    initialLeverage: Decimal  # noqa: N815
    notionalCap: Decimal  # noqa: N815
    notionalFloor: Decimal  # noqa: N815
    maintMarginRatio: Decimal  # noqa: N815
    cum: Decimal


class _Brackets(Struct):
    symbol: Name
    brackets: Annotated[list[_Bracket], Meta(min_length=1, max_length=100)]


class _Commission(Struct):
    symbol: Name
    makerCommissionRate: Decimal  # noqa: N815
    takerCommissionRate: Decimal  # noqa: N815


class _Interval(Struct):
    symbol: Name
    fundingIntervalHours: Annotated[float, Meta(gt=0.0, le=24.0)] = 8.0  # noqa: N815


_EXCHANGE: Final = _decoder(_Exchange)
_FILTERS: Final = _decoder(list[_Filter])
_BRACKETS: Final = _decoder(list[_Brackets])
_COMMISSION: Final = _decoder(_Commission)
_INTERVALS: Final = _decoder(list[_Interval])

Tier = tuple[Decimal, Decimal, Decimal, Decimal, Decimal]


def tiers(payload: bytes, symbol: str) -> list[Tier]:
    """Read ``GET /fapi/v1/leverageBracket``: floor, cap, maximum leverage, rate, cumulative.

    Raises
    ------
    BadMessage
        Also when the tiers leave gaps, or their maintenance margin jumps between them.
    """
    found = [b for b in read(_BRACKETS, payload, "leverage brackets") if b.symbol == symbol]
    if not found:
        raise BadMessage(f"Binance: no leverage brackets of {symbol}", "it is asked again")
    table = sorted(
        (
            exact(row.notionalFloor, "a tier's floor"),
            positive(row.notionalCap, "a tier's cap"),
            positive(row.initialLeverage, "a tier's leverage"),
            positive(row.maintMarginRatio, "a tier's maintenance rate"),
            exact(row.cum, "a tier's cumulative amount"),
        )
        for row in found[0].brackets
    )
    at = mm = Decimal(0)
    for floor, cap, _, rate, cum in table:
        if floor != at or cap <= floor or abs(floor * rate - cum - mm) > Decimal("0.5"):
            raise BadMessage(
                f"Binance: the tiers of {symbol} do not join at {floor} USDT", "it is asked again"
            )
        at, mm = cap, cap * rate - cum
    return table


def fees(payload: bytes, symbol: str) -> tuple[Decimal, Decimal]:
    """Read ``GET /fapi/v1/commissionRate``: maker and taker, as fractions."""
    got = read(_COMMISSION, payload, "commission rates")
    _ours(got.symbol, symbol)
    return exact(got.makerCommissionRate, "a fee"), exact(got.takerCommissionRate, "a fee")


def funding_interval_h(payload: bytes, symbol: str) -> float:
    """Read ``GET /fapi/v1/fundingInfo``, which lists only contracts that differ from 8 hours."""
    for row in read(_INTERVALS, payload, "funding intervals"):
        if row.symbol == symbol:
            return row.fundingIntervalHours
    return 8.0


def contract_of(
    exchange_info: bytes,
    symbol: str,
    *,
    tiers: Sequence[Tier],
    maker_taker: tuple[Decimal, Decimal],
    interval_h: float,
) -> Contract:
    """Read ``GET /fapi/v1/exchangeInfo`` and put the rules of the contract together.

    `price_band` is the narrower side of PERCENT_PRICE: a limit beyond it is refused outright.

    Raises
    ------
    BadMessage
        When the answer cannot be read, or a rule is missing.
    WrongSetup
        When Binance does not have the contract.
    """
    everything = read(_EXCHANGE, exchange_info, "exchange information")
    found = [s for s in everything.symbols if s.symbol == symbol]
    if not found:
        raise WrongSetup(
            f"Binance has no contract {symbol}",
            "correct the symbol; nothing was started, and any position there stays as it is",
            code="-1121",
        )
    filters = {f.filterType: f for f in read(_FILTERS, bytes(found[0].filters), "filters")}

    def rule(name: str, field: str) -> Decimal:
        value = getattr(filters.get(name), field, None)
        if value is None:
            raise BadMessage(f"Binance: {symbol} has no rule {name}.{field}", "it is asked again")
        return positive(value, f"{name}.{field}")

    band = None
    if "PERCENT_PRICE" in filters:
        up, down = rule("PERCENT_PRICE", "multiplierUp"), rule("PERCENT_PRICE", "multiplierDown")
        band = min(up - 1, 1 - down)
    clearance = found[0].liquidationFee
    if clearance is None:
        raise BadMessage(f"Binance: {symbol} has no liquidation fee", "it is asked again")
    return Contract(
        venue="binance",
        symbol=symbol,
        is_trading=found[0].status == "TRADING",
        tick_usdt=rule("PRICE_FILTER", "tickSize"),
        lot_ltc=rule("LOT_SIZE", "stepSize"),
        min_notional_usdt=rule("MIN_NOTIONAL", "notional"),
        max_qty_ltc=rule("LOT_SIZE", "maxQty"),
        price_band=band,
        taker_fee=maker_taker[1],
        maker_fee=maker_taker[0],
        clearance_fee=exact(clearance, "the liquidation fee"),
        tiers=list(tiers),
        funding_interval_h=interval_h,
        max_market_qty_ltc=(
            rule("MARKET_LOT_SIZE", "maxQty") if "MARKET_LOT_SIZE" in filters else None
        ),
    )

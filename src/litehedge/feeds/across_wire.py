"""Funding and open interest of other venues, out of their public REST answers; pure.

Rates come per 1, 4 or 8 hours, absolute or relative; open interest in coins or in contracts. Here
each becomes a fraction per 8 hours, and LTC. A list of readings is what one answer tells.

Reference: Bybit v5 "Get Tickers"; OKX v5 "Get funding rate", "Get open interest"; Kraken Futures
"Get tickers" (`fundingRate` is USD per contract and hour, so it is divided by the mark);
Hyperliquid `metaAndAssetCtxs` (per hour); Bitget v2 "Get Current Funding Rate", "Get Open
Interest"; Gate v4 "Get a single contract".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import msgspec

from litehedge.errors import BadMessage
from litehedge.units import NS_PER_MS

AcrossVenue = Literal["bybit", "okx", "kraken", "hyperliquid", "bitget", "gate"]
FUNDING_HOURS: Final = 8.0
MOST_FUNDING_8H: Final = 1.0  # no venue takes the whole notional in eight hours
MOST_OI_LTC: Final = 84e6  # there are no more coins
_HOUR_MS: Final = 3_600_000

_T = TypeVar("_T")


class Reading(msgspec.Struct, frozen=True):
    """What one answer tells; None where it does not. `event_ns` 0: the venue gives no time."""

    event_ns: int = 0
    rate_8h: float | None = None
    oi_ltc: float | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One request and how its answer is read."""

    method: Literal["GET", "POST"]
    path: str
    read: Callable[[bytes], Reading]
    body: bytes | None = None


def _decode(decoder: msgspec.json.Decoder[_T], payload: bytes, venue: AcrossVenue) -> _T:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadMessage(f"{venue}: an answer of another shape ({error})", "skipped") from None


def _decoder(shape: type[_T]) -> msgspec.json.Decoder[_T]:
    return msgspec.json.Decoder(shape, strict=False)


def _rate_8h(rate: float, hours: float, venue: AcrossVenue) -> float:
    if not 0.0 < hours <= 7 * 24:
        raise BadMessage(f"{venue}: a funding interval of {hours} hours", "it is skipped")
    rate_8h = rate * (FUNDING_HOURS / hours)
    if not abs(rate_8h) <= MOST_FUNDING_8H:
        raise BadMessage(f"{venue}: a funding rate of {rate_8h} per 8 hours", "it is skipped")
    return rate_8h


def _oi(oi_ltc: float, venue: AcrossVenue) -> float:
    if not 0.0 < oi_ltc <= MOST_OI_LTC:
        raise BadMessage(f"{venue}: an open interest of {oi_ltc} LTC", "it is skipped")
    return oi_ltc


def _ns(ms: int) -> int:
    return ms * NS_PER_MS if 0 < ms < 2**62 // NS_PER_MS else 0


def _only(rows: list[_T], venue: AcrossVenue) -> _T:
    if len(rows) != 1:
        raise BadMessage(f"{venue}: {len(rows)} contracts instead of one", "it is skipped")
    return rows[0]


# --- Bybit --------------------------------------------------------------------------------------


class _BybitTicker(msgspec.Struct):
    openInterest: float  # noqa: N815
    fundingRate: float  # noqa: N815
    fundingIntervalHour: float = FUNDING_HOURS  # noqa: N815


class _BybitResult(msgspec.Struct):
    tickers: list[_BybitTicker] = msgspec.field(name="list")


class _BybitAnswer(msgspec.Struct):
    retCode: int  # noqa: N815
    result: _BybitResult
    time: int = 0


_BYBIT = _decoder(_BybitAnswer)


def bybit(payload: bytes) -> Reading:
    """Read `GET /v5/market/tickers?category=linear&symbol=LTCUSDT`.

    Raises
    ------
    BadMessage
        When the answer has another shape, or numbers that cannot be; so do all of these readers.
    """
    answer = _decode(_BYBIT, payload, "bybit")
    if answer.retCode != 0:
        raise BadMessage(f"bybit: refused with {answer.retCode}", "it is asked again")
    ticker = _only(answer.result.tickers, "bybit")
    return Reading(
        _ns(answer.time),
        _rate_8h(ticker.fundingRate, ticker.fundingIntervalHour, "bybit"),
        _oi(ticker.openInterest, "bybit"),
    )


# --- OKX ----------------------------------------------------------------------------------------


class _OkxFunding(msgspec.Struct):
    fundingRate: float  # noqa: N815
    fundingTime: int  # noqa: N815
    nextFundingTime: int  # noqa: N815
    ts: int = 0


class _OkxFundingAnswer(msgspec.Struct):
    code: str
    data: list[_OkxFunding] = []


class _OkxInterest(msgspec.Struct):
    oiCcy: float  # noqa: N815
    ts: int = 0


class _OkxInterestAnswer(msgspec.Struct):
    code: str
    data: list[_OkxInterest] = []


_OKX_FUNDING, _OKX_INTEREST = _decoder(_OkxFundingAnswer), _decoder(_OkxInterestAnswer)


def okx_funding(payload: bytes) -> Reading:
    """Read `GET /api/v5/public/funding-rate`; the interval is from this settlement to the next."""
    answer = _decode(_OKX_FUNDING, payload, "okx")
    if answer.code != "0":
        raise BadMessage(f"okx: refused with {answer.code:.20}", "it is asked again")
    told = _only(answer.data, "okx")
    apart_ms = told.nextFundingTime - told.fundingTime
    if not 0 < apart_ms <= 7 * 24 * _HOUR_MS:
        raise BadMessage(f"okx: settlements {apart_ms:.10g} ms apart", "it is skipped")
    return Reading(_ns(told.ts), _rate_8h(told.fundingRate, apart_ms / _HOUR_MS, "okx"))


def okx_interest(payload: bytes) -> Reading:
    """Read `GET /api/v5/public/open-interest`; `oiCcy` is in coins, `oi` in contracts."""
    answer = _decode(_OKX_INTEREST, payload, "okx")
    if answer.code != "0":
        raise BadMessage(f"okx: refused with {answer.code:.20}", "it is asked again")
    told = _only(answer.data, "okx")
    return Reading(_ns(told.ts), oi_ltc=_oi(told.oiCcy, "okx"))


# --- Kraken Futures -----------------------------------------------------------------------------


class _KrakenTicker(msgspec.Struct):
    openInterest: float  # noqa: N815
    markPrice: float  # noqa: N815
    fundingRate: float | None = None  # noqa: N815


class _KrakenAnswer(msgspec.Struct):
    ticker: _KrakenTicker


_KRAKEN = _decoder(_KrakenAnswer)


def kraken(payload: bytes) -> Reading:
    """Read `GET /derivatives/api/v3/tickers/PF_LTCUSD`."""
    ticker = _decode(_KRAKEN, payload, "kraken").ticker
    if not ticker.markPrice > 0.0:
        raise BadMessage(f"kraken: a mark of {ticker.markPrice}", "it is skipped")
    rate = None
    if ticker.fundingRate is not None:
        rate = _rate_8h(ticker.fundingRate / ticker.markPrice, 1.0, "kraken")
    return Reading(0, rate, _oi(ticker.openInterest, "kraken"))


# --- Hyperliquid --------------------------------------------------------------------------------


class _HyperCoin(msgspec.Struct):
    name: str


class _HyperMeta(msgspec.Struct):
    universe: list[_HyperCoin]


class _HyperContext(msgspec.Struct):
    funding: float
    openInterest: float  # noqa: N815


_HYPERLIQUID: Final = msgspec.json.Decoder(tuple[_HyperMeta, list[Any]], strict=False)


def hyperliquid(payload: bytes) -> Reading:
    """Read `POST /info {"type": "metaAndAssetCtxs"}`: contexts stand in the order of the coins."""
    meta, contexts = _decode(_HYPERLIQUID, payload, "hyperliquid")
    at = next((i for i, coin in enumerate(meta.universe) if coin.name == "LTC"), None)
    if at is None or at >= len(contexts):
        raise BadMessage("hyperliquid: nothing about LTC", "it is skipped")
    try:
        told = msgspec.convert(contexts[at], _HyperContext, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadMessage(f"hyperliquid: an answer of another shape ({error})") from None
    return Reading(
        0, _rate_8h(told.funding, 1.0, "hyperliquid"), _oi(told.openInterest, "hyperliquid")
    )


# --- Bitget -------------------------------------------------------------------------------------


class _BitgetFunding(msgspec.Struct):
    fundingRate: float  # noqa: N815
    fundingRateInterval: float = FUNDING_HOURS  # noqa: N815


class _BitgetFundingAnswer(msgspec.Struct):
    code: str
    data: list[_BitgetFunding] = []
    requestTime: int = 0  # noqa: N815


class _BitgetSize(msgspec.Struct):
    size: float


class _BitgetSizes(msgspec.Struct):
    openInterestList: list[_BitgetSize] = []  # noqa: N815
    ts: int = 0


class _BitgetInterestAnswer(msgspec.Struct):
    code: str
    data: _BitgetSizes = msgspec.field(default_factory=_BitgetSizes)


_BITGET_FUNDING = _decoder(_BitgetFundingAnswer)
_BITGET_INTEREST = _decoder(_BitgetInterestAnswer)


def bitget_funding(payload: bytes) -> Reading:
    """Read `GET /api/v2/mix/market/current-fund-rate`."""
    answer = _decode(_BITGET_FUNDING, payload, "bitget")
    if answer.code != "00000":
        raise BadMessage(f"bitget: refused with {answer.code:.20}", "it is asked again")
    told = _only(answer.data, "bitget")
    rate = _rate_8h(told.fundingRate, told.fundingRateInterval, "bitget")
    return Reading(_ns(answer.requestTime), rate)


def bitget_interest(payload: bytes) -> Reading:
    """Read `GET /api/v2/mix/market/open-interest`; its size is in coins."""
    answer = _decode(_BITGET_INTEREST, payload, "bitget")
    if answer.code != "00000":
        raise BadMessage(f"bitget: refused with {answer.code:.20}", "it is asked again")
    told = _only(answer.data.openInterestList, "bitget")
    return Reading(_ns(answer.data.ts), oi_ltc=_oi(told.size, "bitget"))


# --- Gate ---------------------------------------------------------------------------------------


class _GateContract(msgspec.Struct):
    funding_rate: float
    funding_interval: float  # seconds
    position_size: float
    quanto_multiplier: float


_GATE = _decoder(_GateContract)


def gate(payload: bytes) -> Reading:
    """Read `GET /api/v4/futures/usdt/contracts/LTC_USDT`."""
    told = _decode(_GATE, payload, "gate")
    return Reading(
        0,
        _rate_8h(told.funding_rate, told.funding_interval / 3600.0, "gate"),
        _oi(told.position_size * told.quanto_multiplier, "gate"),
    )


HOSTS: Final[dict[AcrossVenue, str]] = {
    "bybit": "https://api.bybit.com",
    "okx": "https://www.okx.com",
    "kraken": "https://futures.kraken.com",
    "hyperliquid": "https://api.hyperliquid.xyz",
    "bitget": "https://api.bitget.com",
    "gate": "https://api.gateio.ws",
}
_BITGET_LTC: Final = "symbol=LTCUSDT&productType=USDT-FUTURES"
QUESTIONS: Final[dict[AcrossVenue, tuple[Question, ...]]] = {
    "bybit": (Question("GET", "/v5/market/tickers?category=linear&symbol=LTCUSDT", bybit),),
    "okx": (
        Question("GET", "/api/v5/public/funding-rate?instId=LTC-USDT-SWAP", okx_funding),
        Question(
            "GET", "/api/v5/public/open-interest?instType=SWAP&instId=LTC-USDT-SWAP", okx_interest
        ),
    ),
    "kraken": (Question("GET", "/derivatives/api/v3/tickers/PF_LTCUSD", kraken),),
    "hyperliquid": (Question("POST", "/info", hyperliquid, b'{"type":"metaAndAssetCtxs"}'),),
    "bitget": (
        Question("GET", f"/api/v2/mix/market/current-fund-rate?{_BITGET_LTC}", bitget_funding),
        Question("GET", f"/api/v2/mix/market/open-interest?{_BITGET_LTC}", bitget_interest),
    ),
    "gate": (Question("GET", "/api/v4/futures/usdt/contracts/LTC_USDT", gate),),
}

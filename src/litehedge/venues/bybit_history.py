"""The past hours of Bybit's market, page by page, as events in the order they became known.

Shapes: https://bybit-exchange.github.io/docs/v5/market/kline, `history-fund-rate`, `open-interest`.
Pages come newest first and end at a given time; the answer's own clock says what is over.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from litehedge.errors import BadMessage
from litehedge.market import events as ev
from litehedge.venues.bybit_rest import Rest
from litehedge.venues.bybit_values import SKIPPED, Wire, decode, number, time_ns
from litehedge.venues.bybit_wire import bar

MS_PER_MINUTE: Final = 60_000
PAGE: Final = 1000


class _Bars(Wire, frozen=True):
    symbol: str
    rows: list[tuple[str, ...]] = msgspec.field(name="list")


class _Rate(Wire, frozen=True):
    symbol: str
    funding_rate: str
    funding_rate_timestamp: str


class _Rates(Wire, frozen=True):
    rows: list[_Rate] = msgspec.field(name="list")


class _Interest(Wire, frozen=True):
    open_interest: str
    timestamp: str


class _Interests(Wire, frozen=True):
    rows: list[_Interest] = msgspec.field(name="list")
    next_page_cursor: str = ""


_BARS = msgspec.json.Decoder(_Bars)
_RATES = msgspec.json.Decoder(_Rates)
_INTERESTS = msgspec.json.Decoder(_Interests)


def bars_of(result: msgspec.Raw, symbol: str, asset: Literal["LTC", "BTC"]) -> list[ev.Bar]:
    """Read `market/kline`, newest first; each bar was known at its close.

    Raises
    ------
    BadMessage
        When it cannot be read or true.
    """
    page = decode(_BARS, result, "klines")
    if page.symbol != symbol:
        raise BadMessage(f"bybit told klines of {page.symbol[:20]!r}", SKIPPED)
    return [bar(row, asset, None) for row in page.rows]


def funding_of(result: msgspec.Raw, symbol: str) -> list[ev.Funding]:
    """Read `market/funding/history`, newest first.

    Raises
    ------
    BadMessage
        When it cannot be read or true.
    """
    out = []
    for row in decode(_RATES, result, "funding history").rows:
        rate = number(row.funding_rate, "funding rate", least=-1.0)
        if row.symbol != symbol or rate > 1.0:
            raise BadMessage(f"bybit funding of {row.symbol[:20]!r} is {rate}", SKIPPED)
        when_ns = time_ns(row.funding_rate_timestamp, "time of funding")
        out.append(ev.Funding(when_ns, when_ns, rate))
    return out


def interest_of(result: msgspec.Raw) -> tuple[list[ev.OpenInterest], str]:
    """Read `market/open-interest`, newest first, and where the next page begins.

    Raises
    ------
    BadMessage
        When it cannot be read or true.
    """
    page = decode(_INTERESTS, result, "open interest")
    out = []
    for row in page.rows:
        when_ns = time_ns(row.timestamp, "time of open interest")
        out.append(ev.OpenInterest(when_ns, when_ns, number(row.open_interest, "open interest")))
    return out, page.next_page_cursor


async def history(rest: Rest, symbol: str, btc: str, minutes: int) -> list[ev.MarketEvent]:
    """Return the last `minutes` of both coins, with funding and open interest between."""
    answer = await rest.get("/v5/market/time", "the time of bybit")
    now_ms = answer.time
    time_ns(now_ms, "its own time")
    end_ms = now_ms - now_ms % MS_PER_MINUTE  # the minute that runs is not over
    start_ms = end_ms - minutes * MS_PER_MINUTE
    out: list[ev.MarketEvent] = []
    out += await _bars(rest, symbol, "LTC", start_ms, end_ms)
    out += await _bars(rest, btc, "BTC", start_ms, end_ms)
    rates = await rest.get(
        "/v5/market/funding/history", "past funding", category="linear", symbol=symbol,
        startTime=start_ms, endTime=end_ms, limit=200,
    )  # fmt: skip
    out += funding_of(rates.result, symbol)
    out += await _interest(rest, symbol, start_ms, end_ms)
    out.sort(key=lambda event: (event.known_ns, event.event_ns))
    return out


async def _bars(
    rest: Rest, symbol: str, asset: Literal["LTC", "BTC"], start_ms: int, end_ms: int
) -> list[ev.Bar]:
    found: dict[int, ev.Bar] = {}
    last_ms = end_ms - MS_PER_MINUTE
    while last_ms >= start_ms:
        page = await rest.get(
            "/v5/market/kline", f"past minutes of {symbol}", category="linear", symbol=symbol,
            interval=1, start=start_ms, end=last_ms, limit=PAGE,
        )  # fmt: skip
        bars = bars_of(page.result, symbol, asset)
        first_ms = min((b.event_ns for b in bars), default=0) // 1_000_000 - MS_PER_MINUTE
        found |= {b.event_ns: b for b in bars if b.event_ns <= end_ms * 1_000_000}
        if not bars or first_ms > last_ms or len(bars) < PAGE:
            break
        last_ms = first_ms - MS_PER_MINUTE
    return list(found.values())


async def _interest(rest: Rest, symbol: str, start_ms: int, end_ms: int) -> list[ev.OpenInterest]:
    found: dict[int, ev.OpenInterest] = {}
    cursor = ""
    for _ in range(1 + (end_ms - start_ms) // (5 * MS_PER_MINUTE * 200)):
        page = await rest.get(
            "/v5/market/open-interest", "past open interest", category="linear", symbol=symbol,
            intervalTime="5min", startTime=start_ms, endTime=end_ms, limit=200, cursor=cursor,
        )  # fmt: skip
        rows, cursor = interest_of(page.result)
        found |= {row.event_ns: row for row in rows}
        if not cursor or not rows:
            break
    return list(found.values())

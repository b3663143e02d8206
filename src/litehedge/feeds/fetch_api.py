"""Forced orders from interfaces that give no files: Coinalyze's sums, Kraken's executions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiohttp
import polars as pl

from litehedge.errors import BadMessage, DataError, UsageError
from litehedge.feeds.archive import Series
from litehedge.feeds.fetch import Sleep, ask_politely
from litehedge.feeds.fetch_parse import ForcedTrade, coinalyze_liquidations, kraken_page, series
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND, instant_ns

COINALYZE: Final = "https://api.coinalyze.net/v1"
KRAKEN: Final = "https://futures.kraken.com/api/history/v3"
COINALYZE_PAUSE_S: Final = 60.0 / 40.0
"""Forty calls a minute are free."""
KRAKEN_PAUSE_S: Final = 0.5
INTERVALS: Final = {"1min": NS_PER_MINUTE, "5min": 5 * NS_PER_MINUTE, "1hour": NS_PER_HOUR,
                    "daily": NS_PER_DAY}  # fmt: skip
"""Intervals of Coinalyze. All but ``daily`` go back some 1,500 to 2,000 points."""
CSV_HEADER: Final = "ts,side,qty,price"


async def coinalyze(
    session: aiohttp.ClientSession, key: str, venue_symbol: str, interval: str, first: date,
    last: date, *, symbol: str, base: str = COINALYZE, sleep: Sleep = asyncio.sleep,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Series | None:  # fmt: skip
    """Return the forced volume of the days ``first .. last``; None when there was none.

    Parameters
    ----------
    venue_symbol
        As Coinalyze writes it: ``LTCUSDT_PERP.A`` is Binance.

    Raises
    ------
    UsageError
        When the key or the interval is not accepted.
    DataError
        When the answer cannot be read.
    VenueDown
        When there is none.
    """
    if interval not in INTERVALS:
        raise UsageError(f"{interval!r} is no interval", f"choose from: {', '.join(INTERVALS)}")
    step = 30 if interval in ("1hour", "daily") else 1
    spans = list(_spans(first, last, step))
    bodies = []
    for number, (begin, end) in enumerate(spans):
        if number:
            await sleep(COINALYZE_PAUSE_S)
        since, until = (_second(begin), _second(end + timedelta(days=1)) - 1)
        url = (
            f"{base}/liquidation-history?symbols={quote(venue_symbol)}&interval={interval}"
            f"&from={since}&to={until}&convert_to_usd=true"
        )
        answer = await ask_politely(session, url, headers={"api_key": key}, sleep=sleep)
        if answer.status in (401, 403):
            raise UsageError("Coinalyze does not accept the key", "get one at coinalyze.net (free)")
        if answer.status != 200:
            raise DataError(f"Coinalyze answered {answer.status}", "check symbol and days")
        bodies.append(answer.body)
        report(number + 1, len(spans))
    try:
        tables = [coinalyze_liquidations(body, INTERVALS[interval]) for body in bodies]
    except BadMessage as error:
        raise DataError(f"Coinalyze: {error.what}", "try again later") from None
    table = pl.concat(tables).unique(maintain_order=True).sort("known_ns", maintain_order=True)
    if table.is_empty():
        return None
    name = f"coinalyze-{venue_symbol}-{interval}-{first}-{last}"
    return series(
        "liquidations", b"".join(bodies), name, table, symbol=symbol, venue="coinalyze",
        interval_ns=INTERVALS[interval],
    )  # fmt: skip


async def kraken(
    session: aiohttp.ClientSession, symbol: str, first: date, last: date, folder: Path, *,
    base: str = KRAKEN, sleep: Sleep = asyncio.sleep,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:  # fmt: skip
    """Fetch the forced executions of the days ``first .. last``, a CSV file a day.

    Days that are there already are not asked for again, so that an interrupted run goes on with
    the day at which it was. Every execution has to be paged through to find the forced ones: a busy
    day takes minutes. Return the files that hold a row; the layout is the importer's.

    Raises
    ------
    DataError
        When an answer cannot be read, or the file cannot be written.
    VenueDown
        When there is no answer.
    """
    days = list(_spans(first, last, 1))
    files = []
    for number, (day, _) in enumerate(days):
        path = folder / "kraken" / f"{symbol}-liquidations-{day}.csv"
        if not path.exists():
            forced = await _kraken_day(session, symbol, day, base, sleep)
            lines = [CSV_HEADER, *(f"{f.time_ms},{f.side},{f.qty},{f.price}" for f in forced)]
            partial = path.with_name(path.name + ".part")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
                partial.replace(path)
            except OSError as error:
                raise DataError(
                    f"{path} cannot be written: {error.strerror or error}", "make room"
                ) from None
        if path.stat().st_size > len(CSV_HEADER) + 1:
            files.append(path)
        report(number + 1, len(days))
    return files


async def _kraken_day(
    session: aiohttp.ClientSession, symbol: str, day: date, base: str, sleep: Sleep
) -> list[ForcedTrade]:
    since_ms, before_ms = _second(day) * 1000, _second(day + timedelta(days=1)) * 1000
    found: dict[str, ForcedTrade] = {}
    token, seen = "", set[str]()
    while True:
        url = (
            f"{base}/market/{quote(symbol)}/executions?since={since_ms}&before={before_ms}&sort=asc"
            + (f"&continuation_token={quote(token, safe='')}" if token else "")
        )
        answer = await ask_politely(session, url, sleep=sleep)
        if answer.status != 200:
            raise DataError(f"Kraken answered {answer.status}", f"check the symbol {symbol}")
        try:
            page = kraken_page(answer.body)
        except BadMessage as error:
            raise DataError(f"Kraken: {error.what}", "try again later") from None
        for one in page.forced:
            if since_ms <= one.time_ms < before_ms:
                found[one.uid] = one
        if not page.token or page.rows == 0 or page.token in seen:
            return sorted(found.values(), key=lambda one: one.time_ms)
        token = page.token
        seen.add(token)
        await sleep(KRAKEN_PAUSE_S)


def api_key(name: str, variable: str) -> str:
    """Return a key from the environment, or from the keyring (service ``litehedge``).

    Raises
    ------
    UsageError
        When there is none.
    """
    key = os.environ.get(variable, "")
    if not key:
        import keyring  # slow to import, and rarely needed
        from keyring.errors import KeyringError

        try:
            for entry in (f"{name}.key", name):  # as `litehedge keys set` names it, and as before
                key = key or keyring.get_password("litehedge", entry) or ""
        except (KeyringError, RuntimeError):
            key = ""
    if not key:
        raise UsageError(
            f"{name} wants a key, and there is none",
            f"set {variable}, or run: litehedge keys set {name}",
        )
    return key


def _spans(first: date, last: date, days: int) -> Iterator[tuple[date, date]]:
    while first <= last:
        end = min(last, first + timedelta(days=days - 1))
        yield first, end
        first = end + timedelta(days=1)


def _second(day: date) -> int:
    return instant_ns(day.isoformat()) // NS_PER_SECOND

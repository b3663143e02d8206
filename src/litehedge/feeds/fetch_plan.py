"""Which files of the public archives tell of a span of days. Pure.

Binance: ``data.binance.vision``, a zip for each day or month, with its SHA-256 beside it. Bybit:
``public.bybit.com``, a gzipped CSV of trades for each day, without a checksum.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from litehedge.errors import UsageError

BINANCE: Final = "https://data.binance.vision"
BYBIT: Final = "https://public.bybit.com"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch.

    Parameters
    ----------
    kind
        What it holds, in the archive's word.
    period
        The month ``2025-10`` or day ``2025-10-10`` that it tells of.
    path
        Where it goes, below the folder of downloads.
    checksum_url
        Where its SHA-256 is; empty where the archive gives none.
    instead
        The days of a month, fetched when the month itself is not there.
    """

    kind: str
    period: str
    url: str
    path: str
    checksum_url: str = ""
    instead: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kind:
    daily: bool
    monthly: bool
    interval: str = ""


BINANCE_KINDS: Final[dict[str, _Kind]] = {
    "klines": _Kind(True, True, "1m"),
    "markPriceKlines": _Kind(True, True, "1m"),
    "fundingRate": _Kind(False, True),
    "metrics": _Kind(True, False),
    "aggTrades": _Kind(True, True),
    "bookDepth": _Kind(True, False),
    "liquidationSnapshot": _Kind(True, False),
}
"""Kind -> whether the archive has it by day and by month (``venues.md`` of Binance, 2026)."""
USUAL: Final = ("klines", "fundingRate", "metrics")
"""Kinds that are fetched when none are named: small, and what a backtest wants first."""


def binance(
    symbol: str, kinds: Sequence[str], first: date, last: date, today: date, base: str = BINANCE
) -> list[Wanted]:
    """Return the files of Binance's USD-M archive for the days ``first .. last``, both included.

    Whole months that have ended come as one file where there is one.

    Raises
    ------
    UsageError
        When a kind is not known, or the days are in the wrong order.
    """
    _check_days(first, last)
    wanted: list[Wanted] = []
    for kind in kinds:
        facts = BINANCE_KINDS.get(kind)
        if facts is None:
            raise UsageError(f"there is no kind {kind}", f"choose from: {', '.join(BINANCE_KINDS)}")
        for begin, end in _months(first, last):
            days = tuple(
                _of_binance(symbol, kind, facts, day.isoformat(), base)
                for day in _days(max(begin, first), min(end, last, today - timedelta(days=1)))
            )
            whole = first <= begin and end <= last and end < today
            if facts.monthly and (whole or not facts.daily):
                month = _of_binance(symbol, kind, facts, f"{begin:%Y-%m}", base)
                instead = days if facts.daily else ()
                wanted.append(
                    Wanted(kind, month.period, month.url, month.path, month.checksum_url, instead)
                )
            else:
                wanted.extend(days)
    return wanted


def bybit(symbol: str, first: date, last: date, today: date, base: str = BYBIT) -> list[Wanted]:
    """Return the files of trades of Bybit for the days ``first .. last``, both included.

    Raises
    ------
    UsageError
        When the days are in the wrong order.
    """
    _check_days(first, last)
    return [
        Wanted(
            "trades", f"{day}", f"{base}/trading/{symbol}/{symbol}{day}.csv.gz",
            f"bybit/trading/{symbol}/{symbol}{day}.csv.gz",
        )
        for day in _days(first, min(last, today - timedelta(days=1)))
    ]  # fmt: skip


def _of_binance(symbol: str, kind: str, facts: _Kind, period: str, base: str) -> Wanted:
    often = "daily" if len(period) > len("2025-10") else "monthly"
    folder = f"data/futures/um/{often}/{kind}/{symbol}/"
    if facts.interval:
        folder += f"{facts.interval}/"
    name = f"{symbol}-{facts.interval or kind}-{period}.zip"
    url = f"{base}/{folder}{name}"
    return Wanted(kind, period, url, f"binance/{folder}{name}", url + ".CHECKSUM")


def _check_days(first: date, last: date) -> None:
    if last < first:
        raise UsageError(f"{first} is after {last}", "give the first day with --from")


def _months(first: date, last: date) -> Iterator[tuple[date, date]]:
    begin = first.replace(day=1)
    while begin <= last:
        end = begin.replace(day=monthrange(begin.year, begin.month)[1])
        yield begin, end
        begin = end + timedelta(days=1)


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)

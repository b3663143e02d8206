"""What the name of a file says about its content: coin, market, bar length, month."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from litehedge.errors import UsageError
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, duration_ns, instant_ns

MARKETS: Final = ("spot", "perp", "mark", "coin-m perp", "unknown")
"""`mark` is a venue's mark price as bars; `coin-m perp` is margined and counted in coins."""

_COINS: Final = ("LTC", "BTC", "ETH", "BCH", "DOGE")
_QUOTES: Final = ("FDUSD", "USDT", "USDC", "BUSD", "USD")
_VENUES: Final = ("binance", "bybit", "okx", "bitget", "kraken", "coinbase", "gate", "kucoin")
_MARKET_WORDS: Final = {
    "mark": "mark",
    "markprice": "mark",
    "markpriceklines": "mark",
    "perp": "perp",
    "perpetual": "perp",
    "swap": "perp",
    "futures": "perp",
    "spot": "spot",
}
_KIND_WORDS: Final = {
    "fundingrate": "funding",
    "funding": "funding",
    "metrics": "open_interest",
    "openinterest": "open_interest",
    "oi": "open_interest",
    "liquidations": "liquidations",
    "liquidationsnapshot": "liquidations",
}
_ARCHIVE: Final = re.compile(
    r"(?P<symbol>[A-Z0-9]{5,20}(?P<coin_m>_PERP|_\d{6})?)-(?P<what>[A-Za-z0-9]+)"
    r"(?:-\d{4}-\d{2}(?:-\d{2})?)?"
)
_INTERVAL: Final = re.compile(r"\d+(?:s|m|min|h|H|d|D|w|W)")  # 1M is a month, not a minute
_PERIOD: Final = re.compile(
    r"(?<!\d)((?:20\d{2})-(?:0[1-9]|1[0-2]))(?:-(0[1-9]|[12]\d|3[01]))?(?!\d)"
)
_SYMBOL: Final = re.compile(r"[A-Z0-9]{2,20}(?:_[A-Z0-9]{2,10})?")


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What a file name says; None where it says nothing.

    `market_assumed` is set when the market is only the usual one for such a name.
    """

    symbol: str | None = None
    venue: str | None = None
    market: str | None = None
    market_assumed: bool = False
    kind: str | None = None
    interval_ns: int | None = None
    period: str | None = None


def facts_of(stem: str, folders: Sequence[str] = ()) -> NameFacts:
    """Read a file name without its ending, and the folders that it lies in.

    Folders count only where they are those of Binance's public archive: `futures/um`,
    `data/spot`, `markPriceKlines`.
    """
    stem = re.sub(r"\s*\(\d+\)$", "", stem.removesuffix(".csv"))  # "(1)": saved twice
    archive = _ARCHIVE.fullmatch(stem)
    words = [word for word in re.split(r"[^A-Za-z0-9]+", stem) if word]
    lower = [word.lower() for word in words]
    kind = next((_KIND_WORDS[word] for word in lower if word in _KIND_WORDS), None)
    symbol = archive["symbol"] if archive else _symbol_in(words)
    venue = "binance" if archive else next((word for word in lower if word in _VENUES), None)
    market = _market_in(lower)
    assumed = False
    if archive and market is None:
        market, assumed = _archive_market(archive["coin_m"], kind, folders)
    periods = {match[0] for match in _PERIOD.finditer(stem)}
    return NameFacts(
        symbol=symbol,
        venue=venue,
        market=market,
        market_assumed=assumed,
        kind=kind,
        interval_ns=_interval_in(words),
        period=periods.pop() if len(periods) == 1 else None,
    )


def _archive_market(
    coin_m: str | None, kind: str | None, folders: Sequence[str]
) -> tuple[str | None, bool]:
    if coin_m == "_PERP":
        return "coin-m perp", False
    if coin_m is not None:
        return None, False
    if "markPriceKlines" in folders:
        return "mark", False
    pairs = set(pairwise(folders))
    if ("data", "spot") in pairs:
        return "spot", False
    # The archive gives spot, perpetual and mark bars the same file name.
    return "perp", kind is None and ("futures", "um") not in pairs


def _market_in(lower: list[str]) -> str | None:
    found = [_MARKET_WORDS[word] for word in lower if word in _MARKET_WORDS]
    return "mark" if "mark" in found else (found[0] if found else None)


def _symbol_in(words: list[str]) -> str | None:
    upper = [word.upper() for word in words]
    for word, after in zip(upper, [*upper[1:], ""], strict=True):
        if word in _COINS:
            return word + after if after in _QUOTES else word + "USDT"
        if asset_of(word) != word and (asset_of(word) in _COINS or not word.endswith("USD")):
            return word
    return None


def _interval_in(words: list[str]) -> int | None:
    found = {duration_ns(word.lower()) for word in words if _INTERVAL.fullmatch(word)}
    found |= {NS_PER_DAY for word in words if word.lower() == "daily"}
    found |= {NS_PER_HOUR for word in words if word.lower() == "hourly"}
    return found.pop() if len(found) == 1 else None


def period_ns(period: str) -> tuple[int, int]:
    """Return start and end of a month ``2021-05`` or a day ``2021-05-19``."""
    if len(period) > len("2021-05"):
        start = instant_ns(period)
        return start, start + NS_PER_DAY
    start = instant_ns(period + "-01")
    days = monthrange(int(period[:4]), int(period[5:]))[1]
    return start, start + days * NS_PER_DAY


def asset_of(symbol: str) -> str:
    """Return the coin of a symbol: ``LTC`` of ``LTCUSDT`` and of ``LTCUSD_PERP``."""
    pair = symbol.split("_")[0]
    for quote in _QUOTES:
        if pair.endswith(quote) and len(pair) > len(quote):
            return pair.removesuffix(quote)
    return pair


def check_symbol(text: str) -> str:
    """Return a symbol that a person typed, in the venue's spelling; a coin means its USDT pair.

    Raises
    ------
    UsageError
        When it cannot be a symbol.
    """
    symbol = text.strip().upper()
    if _SYMBOL.fullmatch(symbol) is None:
        raise UsageError(f"{text!r} is not a symbol", "write it like the venue does: LTCUSDT")
    return symbol + "USDT" if symbol in _COINS else symbol


def check_market(text: str) -> str:
    """Return a market that a person typed.

    Raises
    ------
    UsageError
        When there is no such market.
    """
    market = text.strip().lower()
    if market not in MARKETS:
        raise UsageError(f"{text!r} is not a market", f"choose one of: {', '.join(MARKETS)}")
    return market

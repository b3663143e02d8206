"""Who may ask: keys, signatures over the exact bytes that were sent, timestamps, request limits."""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

RECV_WINDOW_MS: Final = 5_000
AHEAD_MS: Final = 1_000
"""A timestamp may be so far ahead of the venue's clock."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key of the fake account; the permissions are told to whoever asks for them."""

    key: str = "key"
    secret: str = field(default="secret", repr=False)
    can_trade: bool = True
    can_withdraw: bool = False
    ip_bound: bool = True


def sign(secret: str, text: str) -> str:
    """Return the hex HMAC-SHA256 that both venues use."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_signed(secret: str, text: str, signature: str) -> bool:
    """Tell whether a signature is that of a text."""
    return hmac.compare_digest(sign(secret, text), signature.lower())


def split_signature(raw: str) -> tuple[str, str | None]:
    """Return the signed part of a query or body, and the signature in it, None without."""
    kept: list[str] = []
    signature: str | None = None
    for part in raw.split("&") if raw else []:
        if part.startswith("signature="):
            signature = part.removeprefix("signature=")
        else:
            kept.append(part)
    return "&".join(kept), signature


def params_of(*raws: str) -> dict[str, str]:
    """Return the parameters of queries and bodies, the first one wins."""
    params: dict[str, str] = {}
    for raw in raws:
        for name, value in parse_qsl(raw, keep_blank_values=True):
            params.setdefault(name, value)
    return params


def in_window(timestamp_ms: int, server_ms: int, window_ms: int) -> bool:
    """Tell whether a request's time is one that the venue accepts."""
    return timestamp_ms < server_ms + AHEAD_MS and server_ms - timestamp_ms <= window_ms


@dataclass(slots=True)
class Meter:
    """What was used within a window of time; `limit` None counts only."""

    window_ms: int
    limit: int | None
    _used: deque[tuple[int, int]] = field(default_factory=deque)
    total: int = 0

    def use(self, weight: int, now_ms: int) -> bool:
        """Count a request; tell whether it is still within the limit."""
        self._used.append((now_ms, weight))
        self.total += weight
        while self._used and self._used[0][0] <= now_ms - self.window_ms:
            self.total -= self._used.popleft()[1]
        return self.limit is None or self.total <= self.limit


@dataclass(slots=True)
class Access:
    """The keys of an account, the venue's clock, and what was used of its limits.

    Parameters
    ----------
    clock
        The venue's clock in milliseconds since 1970, against which requests are checked.
    """

    keys: Mapping[str, Key]
    clock: Callable[[], int]
    limited: bool = True
    weight: Meter = field(default_factory=lambda: Meter(60_000, 2_400))
    orders_10s: Meter = field(default_factory=lambda: Meter(10_000, 300))
    orders_1m: Meter = field(default_factory=lambda: Meter(60_000, 1_200))
    banned_until_ms: int = 0

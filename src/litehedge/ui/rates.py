"""How often somebody may ask: buckets that fill again, and waits that grow with each failure.

Pure but for the clock that comes as an argument; memory is bounded, whoever asks.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final

REMEMBERED: Final = 4096


class Buckets:
    """A bucket for each key: `burst` requests at once, `per_s` a second over time.

    Parameters
    ----------
    per_s, burst
        How fast a bucket fills, requests a second, and how much it holds.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now_s: float) -> float:
        """Take one. Return 0, or for how many seconds there is none."""
        left, since_s = self._left.pop(key, (self._burst, now_s))
        left = min(self._burst, left + (now_s - since_s) * self._per_s)
        wait_s = 0.0 if left >= 1.0 else (1.0 - left) / self._per_s
        self._left[key] = (left - 1.0 if wait_s == 0.0 else left, now_s)
        while len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return wait_s


class Patience:
    """Waits after failures: none for the first `free`, then 1 s, 2 s, 4 s, up to `longest_s`.

    A success forgets them, and so do `forgets_s` without failure. Who is waiting is told how long;
    an attempt meanwhile is not even looked at, and does not make the wait longer.
    """

    def __init__(
        self, free: int = 3, longest_s: float = 60.0, forgets_s: float = 900.0
    ) -> None:  # fmt: skip
        self._free, self._longest_s, self._forgets_s = free, longest_s, forgets_s
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, key: str, now_s: float) -> float:
        """Return for how many seconds `key` has to wait, 0 when it need not."""
        count, last_s = self._failed.get(key, (0, now_s))
        if count < self._free or now_s - last_s > self._forgets_s:
            return 0.0
        lasts_s = min(self._longest_s, 2.0 ** min(count - self._free, 30))
        return max(0.0, last_s + lasts_s - now_s)

    def failed(self, key: str, now_s: float) -> None:
        """Note a failure of `key`."""
        count, last_s = self._failed.pop(key, (0, now_s))
        if now_s - last_s > self._forgets_s:
            count = 0
        self._failed[key] = (count + 1, now_s)
        while len(self._failed) > REMEMBERED:
            self._failed.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of `key`."""
        self._failed.pop(key, None)


def client_of(address: str) -> str:
    """Return whom an address stands for: itself, or the network of an IPv6 one (/64)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))

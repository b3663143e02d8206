"""A random path with one crash: a stand-in for a market, to watch the engine work.

It is not a market and shows nothing about one: no order book, no leveraged positions, no
feedback. The market simulator replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from litehedge.market import events as ev
from litehedge.units import NS_PER_HOUR, NS_PER_SECOND

START_PRICE: Final = 85.0
CALM_VOL: Final = 0.0008  # per root minute
CRASH_MINUTES: Final = 9.0
CRASH_DEPTH: Final = 0.14  # log move from onset to peak
RETRACE: Final = 0.45
TRADE_SECONDS: Final = 1


def random_path(
    seed: int, start_ns: int, seconds: int, crash_at_s: int
) -> Iterator[ev.MarketEvent]:
    """Yield one trade a second and a funding settlement every eight hours.

    Volatility wanders; from `crash_at_s` on price falls by 14 % within nine minutes, faster and
    faster, and takes back a part in the half hour after.

    Parameters
    ----------
    start_ns
        Time of the first trade, a whole second.
    """
    rng = np.random.default_rng(seed)
    log_price = np.log(START_PRICE)
    mood = 0.0
    crash_s = CRASH_MINUTES * 60.0
    for second in range(0, seconds, TRADE_SECONDS):
        now_ns = start_ns + second * NS_PER_SECOND
        mood += -mood / 7200.0 + 0.012 * rng.standard_normal()
        vol = CALM_VOL * np.exp(mood)
        since = second - crash_at_s
        drift = 0.0
        if 0 <= since < crash_s:
            drift = -CRASH_DEPTH * 2.0 * since / crash_s**2
            vol *= 1.0 + 4.0 * since / crash_s
        elif crash_s <= since < crash_s + 1800:
            drift = CRASH_DEPTH * RETRACE / 1800.0
            vol *= 1.0 + 4.0 * (1.0 - (since - crash_s) / 1800.0)
        log_price += drift + vol / np.sqrt(60.0) * rng.standard_normal()
        size = float(np.exp(1.0 + rng.standard_normal())) * (1.0 + 6.0 * (drift != 0.0))
        yield ev.Trade(now_ns, now_ns, float(np.exp(log_price)), size, bool(rng.random() < 0.5))
        if now_ns % (8 * NS_PER_HOUR) == 0:
            yield ev.Funding(now_ns, now_ns, 0.0001)

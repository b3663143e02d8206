"""What the map says, as data: levels of liquidation, depth, funding, interest, health of feeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from litehedge.market import events as ev
from litehedge.report.style import AMBER, BLUE, DIM, INK, LINE, number, percent
from litehedge.risk.parachute import WATCHES, Fallback, Watch
from litehedge.squeeze.heatmap import Course, Heat, Worth
from litehedge.ui import view
from litehedge.ui.seen import Seen
from litehedge.units import NS_PER_HOUR, NS_PER_MS

Said = dict[str, Any]

SCALE: Final = ("#141b2a", "#2d1b69", "#5b2a86", "#a13a7c", "#e0605a", "#f6a13c", "#fde74c")
"""Violet to yellow: what users of such maps read."""
SHOWN_LIQUIDATIONS: Final = 8
MERGED: Final = 2
"""So many levels of the estimate are one row of the picture."""

IN_THE_SIMULATED_MARKET: Final = (
    "In the simulated market, where it is known who dies where, 75% fell into these levels over "
    "ten days of two seeds, and a guess gets 54%; amounts were two to four times too high."
)

_BANDS: Final = (("near", "0.2%"), ("", "1%"), ("far", "5%"))
_VENUES: Final[Mapping[str, str]] = {"own": "here", "bybit": "Bybit", "okx": "OKX"}
_STATE_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "starting": ("starting", "warn"), "ok": ("ok", "done"), "stale": ("stale", "warn"),
    "down": ("down", "bad"), "off": ("off", ""),
}  # fmt: skip
_FALLBACKS: Final[Mapping[Fallback, str]] = {
    Fallback.NONE: "nothing else is done",
    Fallback.WIDE_COLLAR: "orders that protect may trade further from the price",
    Fallback.NO_LIFTING: "no hedge is lifted",
    Fallback.SAFE_HEDGE: "the rule that needs no forecast decides where it hedges more",
    Fallback.REDUCE: "the position is reduced instead of hedged",
    Fallback.HALT: "trading halts",
}


def usd(amount: float) -> str:
    """Write an amount in US dollars, short: ``$1.2M``."""
    if not math.isfinite(amount):
        return view.NOTHING
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(amount) >= size:
            return f"${amount / size:,.1f}{letter}"
    return f"${amount:,.0f}"


def says(seen: Seen) -> Said:
    """Return everything on the map that changes as events come."""
    said = _depth(seen) | _interest(seen) | _forced(seen)
    said["map_price"] = view.price_of(seen.price)
    said["map_funding"] = funding(seen)
    said["map_watches"] = watches(seen)
    said["map_feeds"] = ages(seen)
    return said


# --- the estimate --------------------------------------------------------------------------------


def heat_option(heat: Heat, course: Course) -> Said:
    """Return the estimate as a chart: time to the right, price upwards, one scale in USD."""
    rows = heat.prices.size // MERGED
    prices = heat.prices[: rows * MERGED].reshape(rows, MERGED).mean(axis=1)
    usdt = heat.usdt[:, : rows * MERGED].reshape(-1, rows, MERGED).sum(axis=2)
    most = float(np.quantile(usdt[usdt > 0.0], 0.99)) if (usdt > 0.0).any() else 1.0
    cells = [
        [int(x), int(y), round(float(usdt[x, y]))] for x, y in np.argwhere(usdt >= 0.01 * most)
    ]
    path = _path(heat, course, prices)
    return {
        "animation": False,
        "tooltip": {"position": "top"},
        "grid": {"left": 58, "right": 14, "top": 10, "bottom": 64},
        "xAxis": {
            "type": "category", "data": [view.clock(int(ns))[:5] for ns in heat.end_ns],
            "axisLabel": {"color": DIM, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": LINE}}, "axisTick": {"show": False},
        },
        "yAxis": {
            "type": "category", "data": [f"{p:.2f}" for p in prices.tolist()],
            "axisLabel": {"color": DIM, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": LINE}}, "axisTick": {"show": False},
        },
        "visualMap": {
            "min": 0, "max": round(most), "calculable": False, "orient": "horizontal",
            "left": "center", "bottom": 0, "itemWidth": 12, "itemHeight": 120, "seriesIndex": 0,
            "text": [f"{usd(most)} and more", "$0"],
            "textStyle": {"color": DIM}, "inRange": {"color": list(SCALE)},
        },
        "series": [
            {
                "id": "levels", "name": "estimated USD", "type": "heatmap", "data": cells,
                "progressive": 0, "emphasis": {"disabled": True},
            },
            {
                "id": "path", "name": "price", "type": "line", "showSymbol": False, "data": path,
                "lineStyle": {"color": INK, "width": 2}, "silent": True, "z": 5,
            },
        ],
    }  # fmt: skip


def _path(heat: Heat, course: Course, prices: np.ndarray[Any, Any]) -> list[list[int]]:
    """Return the price in each column, as the row that it lies in."""
    ends = np.array(course.end_ns)
    at = np.searchsorted(ends, heat.end_ns)
    close = np.array(course.close)[np.minimum(at, ends.size - 1)]
    row = np.searchsorted(prices, close)
    return [[x, int(min(y, prices.size - 1))] for x, y in enumerate(row.tolist())]


def nearest_levels(heat: Heat, price: float) -> list[Said]:
    """Return the heaviest level below and above the price, in words."""
    lines = []
    now = heat.usdt[-1]
    for words, mine in (("longs", heat.prices < price), ("shorts", heat.prices > price)):
        if not (now[mine] > 0.0).any():
            continue
        level = int(np.flatnonzero(mine)[np.argmax(now[mine])])
        away = heat.prices[level] / price - 1.0
        lines.append({
            "time": words,
            "text": f"most at {view.price_of(float(heat.prices[level]))}",
            "more": f"{percent(away, signed=True)}, {usd(float(now[mine].sum()))} in all",
        })  # fmt: skip
    return lines


def worth(told: Worth) -> str:
    """Say how good the estimate was here, against what was really liquidated."""
    if told.windows == 0:
        return (
            "Not yet tested here: nobody was heard of being liquidated where the price went. "
            + IN_THE_SIMULATED_MARKET
        )
    return (
        f"Of {usd(told.usdt)} that was really liquidated here, {percent(told.inside, 0)} fell into "
        f"the half of the levels that were estimated to hold most, an hour ahead at most; a guess "
        f"gets {percent(told.uniform, 0)} ({told.windows} tests). {IN_THE_SIMULATED_MARKET}"
    )


def interest_option(course: Course) -> Said:
    """Return open interest over the last day as a line, in million LTC."""
    from_ns = course.end_ns[-1] - 24 * NS_PER_HOUR if course.end_ns else 0
    data = [
        [ns // NS_PER_MS, round(value / 1e6, 4)]
        for ns, value in zip(course.end_ns, course.interest_ltc, strict=True)
        if ns > from_ns and math.isfinite(value)
    ]
    return {
        "useUTC": True,
        "animation": False,
        "tooltip": {"trigger": "axis"},
        "grid": {"left": 52, "right": 12, "top": 8, "bottom": 24},
        "xAxis": {
            "type": "time", "axisLabel": {"color": DIM, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": LINE}},
        },
        "yAxis": {
            "type": "value", "scale": True, "axisLabel": {"color": DIM, "formatter": "{value}M"},
            "splitLine": {"lineStyle": {"color": LINE}}, "splitNumber": 3,
        },
        "series": [{
            "name": "open interest, million LTC", "type": "line", "showSymbol": False,
            "step": "end", "data": data, "lineStyle": {"color": BLUE}, "itemStyle": {"color": BLUE},
        }],
    }  # fmt: skip


# --- what is heard -------------------------------------------------------------------------------


def _depth(seen: Seen) -> Said:
    book = seen.last.get("book")
    said: Said = {"map_spread": view.NOTHING}
    known: list[tuple[str, float, float]] = []
    for name, _ in _BANDS:
        middle = f"_{name}" if name else ""
        bid, ask = (
            math.nan if book is None else float(getattr(book, f"{side}_depth{middle}_usdt"))
            for side in ("bid", "ask")
        )
        known.append((name or "mid", bid, ask))
    most = max((x for _, *both in known for x in both if math.isfinite(x)), default=1.0) or 1.0
    for name, bid, ask in known:
        for side, value in (("bid", bid), ("ask", ask)):
            said[f"map_{side}_{name}"] = usd(value)
            share = math.sqrt(value / most) if math.isfinite(value) and value > 0.0 else 0.0
            said[f"map_{side}_{name}_wide"] = round(100.0 * share, 1)
    if isinstance(book, ev.Book) and book.bid > 0.0:
        spread = (book.ask - book.bid) / (0.5 * (book.ask + book.bid))
        said["map_spread"] = f"spread {number(1e4 * spread, 1)} bps"
    return said


def bands() -> list[tuple[str, str]]:
    """Return key and words of the bands of depth."""
    return [(name or "mid", words) for name, words in _BANDS]


def _interest(seen: Seen) -> Said:
    if not seen.interest:
        return {"map_interest": view.NOTHING, "map_interest_more": "not told yet"}
    now_ns, now = seen.interest[-1]
    first_ns, first = next(
        (i for i in seen.interest if i[0] >= now_ns - NS_PER_HOUR), seen.interest[0]
    )
    more = f"worth {usd(now * seen.price)}"
    if first_ns < now_ns and first > 0.0:
        more += f", {percent(now / first - 1.0, 2, signed=True)} in {describe(now_ns - first_ns)}"
    return {"map_interest": f"{now / 1e6:.2f}M LTC", "map_interest_more": more}


def _forced(seen: Seen) -> Said:
    recent = [q for q in seen.liquidations if q.known_ns > seen.now_ns - NS_PER_HOUR]
    feed = "all" if any(q.feed == "all" for q in recent) else "largest"
    mine = [q for q in recent if q.feed == feed]
    sums = {side: sum(q.notional_usdt for q in mine if q.side == side) for side in _SIDES}
    words = "" if feed == "all" else ", of each second the largest"
    largest = sorted(mine, key=lambda q: -q.notional_usdt)[:SHOWN_LIQUIDATIONS]
    return {
        "map_forced_long": usd(sums["long"]),
        "map_forced_short": usd(sums["short"]),
        "map_forced_more": f"in the last hour, as far as told{words}",
        "map_forced": [
            {"time": view.clock(q.known_ns), "text": f"a {q.side}", "more": usd(q.notional_usdt)}
            for q in largest
        ],
    }


_SIDES: Final = ("long", "short")


def funding(seen: Seen) -> list[Said]:
    """Return what each venue would settle now, a line each."""
    lines = []
    for venue, told in sorted(seen.funding.items(), key=lambda item: item[0] != "own"):
        payer = "nobody pays" if told.rate == 0.0 else (
            "longs pay" if told.rate > 0.0 else "shorts pay"
        )  # fmt: skip
        lines.append({
            "time": _VENUES.get(venue, venue),
            "text": f"{percent(told.rate, 4, signed=True)} per 8 h, {payer}",
            "more": f"{describe(max(0, seen.now_ns - told.known_ns))} ago",
        })  # fmt: skip
    return lines or [{"text": "no venue has told yet"}]


def watches(seen: Seen) -> list[Said]:
    """Return the watches that are open: what each means, and what is done about it."""
    lines = []
    for told in seen.watches.values():
        rule = WATCHES[Watch(told.watch)]
        lines.append({
            "text": f"{told.watch}: {rule.meaning} ({told.detail}); "
            f"{_FALLBACKS.get(rule.fallback, rule.fallback.name.lower().replace('_', ' '))}",
            "more": f"since {view.clock(told.time_ns)}", "state": "bad",
        })  # fmt: skip
    return lines or [{"text": "No watch is open: everything that is checked can be trusted."}]


def ages(seen: Seen) -> list[Said]:
    """Return how long ago each kind of data was heard, the oldest first."""
    heard = sorted(seen.heard_ns.items(), key=lambda item: item[1])
    return [
        {"text": name.replace("_", " "), "more": f"{describe(max(0, seen.now_ns - when))} ago"}
        for name, when in heard
    ]


def sources(seen: Seen, before: Mapping[str, ev.FeedHealth]) -> list[Said]:
    """Return how every source is; `before` are those that were told of long ago in this run."""
    known = {**before, **seen.sources}
    lines = []
    for name, told in sorted(known.items(), key=lambda item: (item[1].state == "ok", item[0])):
        state, css = _STATE_WORDS.get(told.state, (told.state, ""))
        counts = [f"{told.bad} bad messages"] if told.bad else []
        counts += [f"failed {told.failures} times"] if told.failures else []
        lines.append({
            "text": f"{name}: {state}{f', {told.detail}' if told.detail else ''}",
            "more": ", ".join([*counts, f"since {view.clock(told.known_ns)}"]),
            "state": css,
        })  # fmt: skip
    return lines or [{"text": "This session told nothing of its sources."}]


def describe(span_ns: int) -> str:
    """Write a length of time with one unit, roughly: ``3 s``, ``12 min``, ``2.5 h``."""
    seconds = span_ns / 1e9
    if seconds < 120:
        return f"{seconds:.0f} s"
    return view.minutes_of(seconds / 60.0)


def colours() -> Sequence[str]:
    """Return the colours of bids and asks."""
    return (BLUE, AMBER)


def fold(course: Course, health: dict[str, ev.FeedHealth], events: Iterable[ev.AnyEvent]) -> None:
    """Take a session's events into the course of the market and the health of its sources."""
    for event in events:
        if type(event) is ev.FeedHealth:
            health[event.source] = event
        else:
            course.push(event)

"""The parachute: what is watched besides the market, and what is done when it fails.

Each watch measures one thing on every event, must see it wrong for a while before it opens and
right for longer before it closes, and has one fallback. The strictest fallback of the open ones
counts. Nothing here knows of a model; time comes with the events.
"""

from __future__ import annotations

import enum
from collections import deque
from math import inf
from typing import Final

import msgspec

from litehedge.config import Parachute as Limits
from litehedge.units import NS_PER_SECOND


class Fallback(enum.IntEnum):
    """What is done instead of following the policy; higher is stricter."""

    NONE = 0
    WIDE_COLLAR = 1  # orders that protect may trade further from the price
    NO_LIFTING = 2  # the policy may hedge more, not less
    SAFE_HEDGE = 3  # the rule that needs no forecast decides with the policy; nothing is lifted
    REDUCE = 4  # as SAFE_HEDGE, and the position is reduced where a hedge would be placed
    HALT = 5


class Watch(enum.StrEnum):
    """What is watched."""

    PRICE_SILENT = "PRICE_SILENT"
    BOOK_SILENT = "BOOK_SILENT"
    MARK_SILENT = "MARK_SILENT"
    BOOK_CROSSED = "BOOK_CROSSED"
    PRICES_CONTRADICT = "PRICES_CONTRADICT"
    PRICE_FROZEN = "PRICE_FROZEN"
    ACCOUNT_SILENT = "ACCOUNT_SILENT"
    VENUE_REFUSES = "VENUE_REFUSES"
    VENUE_UNSURE = "VENUE_UNSURE"
    FILLS_SLOW = "FILLS_SLOW"
    FILLS_BAD = "FILLS_BAD"
    ENGINE_LATE = "ENGINE_LATE"
    CLOCK_WRONG = "CLOCK_WRONG"
    FORECAST_MISSING = "FORECAST_MISSING"
    MARKET_WILD = "MARKET_WILD"


class Rule(msgspec.Struct, frozen=True):
    """One watch: when it opens and closes, and what it does.

    `opens` names the setting (of `[parachute]`) that holds how long it must be wrong, in seconds;
    `limit` the one that it is measured by, empty where there is none.
    """

    fallback: Fallback
    opens: str
    limit: str
    meaning: str


WATCHES: Final[dict[Watch, Rule]] = {
    Watch.PRICE_SILENT: Rule(
        Fallback.SAFE_HEDGE, "silent_s", "", "neither book nor trades nor marks come"
    ),
    Watch.BOOK_SILENT: Rule(Fallback.NO_LIFTING, "silent_s", "", "the book is silent, others not"),
    Watch.MARK_SILENT: Rule(
        Fallback.NO_LIFTING, "mark_silent_s", "", "the mark price is silent, others not"
    ),
    Watch.BOOK_CROSSED: Rule(
        Fallback.NO_LIFTING, "wrong_s", "", "the best bid is not below the best ask"
    ),
    Watch.PRICES_CONTRADICT: Rule(
        Fallback.SAFE_HEDGE, "wrong_s", "max_gap_bps",
        "mark, index and the venue's own prices are too far apart",
    ),
    Watch.PRICE_FROZEN: Rule(
        Fallback.SAFE_HEDGE, "frozen_s", "frozen_move_bps",
        "the book stands still while mark, index or Bitcoin moves",
    ),
    Watch.ACCOUNT_SILENT: Rule(
        Fallback.NO_LIFTING, "account_silent_s", "", "the venue tells nothing of the account"
    ),
    Watch.VENUE_REFUSES: Rule(
        Fallback.REDUCE, "", "max_refused", "orders that hedge are refused, one after another"
    ),
    Watch.VENUE_UNSURE: Rule(
        Fallback.NO_LIFTING, "", "max_unsure", "orders get no answer, one after another"
    ),
    Watch.FILLS_SLOW: Rule(
        Fallback.NO_LIFTING, "", "max_fill_s", "an order took too long to its end"
    ),
    Watch.FILLS_BAD: Rule(
        Fallback.NO_LIFTING, "", "max_slip_bps", "a fill was much worse than expected"
    ),
    Watch.ENGINE_LATE: Rule(
        Fallback.SAFE_HEDGE, "wrong_s", "max_lag_ms", "this program acts on old events"
    ),
    Watch.CLOCK_WRONG: Rule(
        Fallback.HALT, "wrong_s", "", "this machine's clock differs from the venue's "
        "(limits.max_clock_skew_ms)",
    ),
    Watch.FORECAST_MISSING: Rule(
        Fallback.SAFE_HEDGE, "", "", "there is no forecast, or the model has expired"
    ),
    Watch.MARKET_WILD: Rule(
        Fallback.WIDE_COLLAR, "", "wild_bps", "the price moves very fast"
    ),
}  # fmt: skip

_NEVER: Final = -1


class Change(msgspec.Struct, frozen=True):
    """A watch opened or closed; `detail` holds what was measured."""

    watch: Watch
    is_open: bool
    detail: str


class Parachute:
    """Measures, and remembers what is open. Owned by the engine's state.

    A thing that is not heard at all is not watched: a tape of bars has no book that could be
    silent.
    """

    def __init__(self, limits: Limits, max_skew_ms: float) -> None:
        self._limits = limits
        self._max_skew_ms = max_skew_ms
        self._wrong_ns: dict[Watch, int] = {}  # since when it is wrong, of those not open
        self._right_ns: dict[Watch, int] = {}  # since when it is right, of those open
        self.open: dict[Watch, str] = {}
        self.fallback = Fallback.NONE
        self._heard: dict[str, int] = {}  # family -> when last
        self._bid = self._ask = self._mark = self._index = float("nan")
        self._still_ns = _NEVER  # since when the book's middle has not moved
        self._others: dict[str, float] = {}  # what others said when it stopped
        self._now: dict[str, float] = {}
        self._is_news = False  # whether others said something since they were remembered
        self._lag_ms = 0.0
        self._skews_ms = [0.0, 0.0]  # by the clock of the position's venue, of the hedge's own
        self._refused: deque[int] = deque(maxlen=64)
        self._unsure: deque[int] = deque(maxlen=64)

    # --- what is heard ------------------------------------------------------------------------

    def on_book(self, now_ns: int, bid: float, ask: float) -> None:
        """Hear the touch."""
        if bid + ask != self._bid + self._ask:
            self._still_ns = now_ns
            if self._is_news:
                self._others, self._is_news = dict(self._now), False
        self._bid, self._ask = bid, ask
        self._heard["book"] = now_ns

    def on_trade(self, now_ns: int) -> None:
        """Hear a trade."""
        self._heard["trade"] = now_ns

    def on_mark(self, now_ns: int, price: float) -> None:
        """Hear the mark price."""
        self._mark = self._now["mark"] = price
        self._is_news = True
        self._heard["mark"] = now_ns

    def on_index(self, now_ns: int, price: float) -> None:
        """Hear the index, which is of other venues."""
        self._index = self._now["index"] = price
        self._is_news = True
        self._heard["index"] = now_ns

    def on_bitcoin(self, now_ns: int, price: float) -> None:
        """Hear Bitcoin's price."""
        self._now["bitcoin"] = price
        self._is_news = True

    def on_account(self, now_ns: int) -> None:
        """Hear the venue tell what the account holds."""
        self._heard["account"] = now_ns

    def on_vitals(
        self, now_ns: int, skew_ms: float, lag_ms: float, *, is_second: bool = False
    ) -> None:
        """Hear how this machine is; NaN where it was not measured."""
        if skew_ms == skew_ms:
            self._skews_ms[is_second] = skew_ms
        if lag_ms == lag_ms:
            self._lag_ms = lag_ms

    def on_refusal(self, now_ns: int) -> None:
        """An order that hedges was refused by the venue."""
        self._refused.append(now_ns)

    def on_unsure(self, now_ns: int) -> None:
        """An order got no answer."""
        self._unsure.append(now_ns)

    def on_fill(self, now_ns: int, taken_s: float, slip_bps: float) -> list[Change]:
        """An order came to its end: how long it took, and how much worse than the middle."""
        self._refused.clear()
        self._unsure.clear()
        changes = []
        limits = self._limits
        for watch, value, most, unit in (
            (Watch.FILLS_SLOW, taken_s, limits.max_fill_s, "s"),
            (Watch.FILLS_BAD, slip_bps, limits.max_slip_bps, "bps"),
        ):
            is_wrong = value > most
            changes += self._judge(watch, now_ns, is_wrong, f"{value:.1f} {unit}", at_once=True)
        return changes

    # --- what is judged -----------------------------------------------------------------------

    def look(self, now_ns: int, *, has_forecast: bool, pace_bps: float) -> list[Change]:
        """Judge everything at a moment; return what opened or closed.

        Parameters
        ----------
        has_forecast
            Whether the model says something now.
        pace_bps
            Standard deviation of the price over a minute.
        """
        if has_forecast and self._is_all_right(now_ns, pace_bps):
            return []
        limits = self._limits
        changes: list[Change] = []
        heard = self._heard
        prices = [heard[name] for name in ("book", "trade", "mark") if name in heard]
        if prices:
            newest = max(prices)
            changes += self._silent(Watch.PRICE_SILENT, now_ns, newest, limits.silent_s)
            is_dead = Watch.PRICE_SILENT in self.open
            for name, watch, limit_s in (
                ("book", Watch.BOOK_SILENT, limits.silent_s),
                ("mark", Watch.MARK_SILENT, limits.mark_silent_s),
            ):
                if name in heard and not is_dead:
                    changes += self._silent(watch, now_ns, heard[name], limit_s)
        if "account" in heard:
            changes += self._silent(
                Watch.ACCOUNT_SILENT, now_ns, heard["account"], limits.account_silent_s
            )
        changes += self._contradictions(now_ns)
        changes += self._counts(Watch.VENUE_REFUSES, now_ns, self._refused, limits.max_refused)
        changes += self._counts(Watch.VENUE_UNSURE, now_ns, self._unsure, limits.max_unsure)
        for watch in (Watch.FILLS_SLOW, Watch.FILLS_BAD):
            if watch in self.open:
                changes += self._judge(watch, now_ns, False, "")
        late = self._lag_ms > limits.max_lag_ms
        changes += self._judge(Watch.ENGINE_LATE, now_ns, late, f"{self._lag_ms:.0f} ms late")
        skew_ms = max(self._skews_ms, key=abs)
        skewed = abs(skew_ms) > self._max_skew_ms
        changes += self._judge(Watch.CLOCK_WRONG, now_ns, skewed, f"{skew_ms:+.0f} ms")
        changes += self._judge(
            Watch.FORECAST_MISSING, now_ns, not has_forecast, "no forecast", at_once=True
        )
        is_wild = pace_bps > limits.wild_bps
        changes += self._judge(
            Watch.MARKET_WILD, now_ns, is_wild, f"{pace_bps:.0f} bps a minute", at_once=True
        )
        return changes

    def _is_all_right(self, now_ns: int, pace_bps: float) -> bool:
        """Tell, in short, that nothing is open, wrong, or about to be counted as wrong.

        Only where every measure is plainly right: then nothing that `look` does would change.
        """
        limits, heard = self._limits, self._heard
        if self.open or self._wrong_ns or self._refused or self._unsure:
            return False
        for name, heard_ns in heard.items():
            if name == "mark" and ("book" in heard or "trade" in heard):
                limit_s = limits.mark_silent_s
            elif name == "mark":  # it alone tells the price
                limit_s = min(limits.silent_s, limits.mark_silent_s)
            elif name == "account":
                limit_s = limits.account_silent_s
            else:
                limit_s = limits.silent_s
            if (now_ns - heard_ns) / NS_PER_SECOND > limit_s and name != "index":
                return False
        if "book" in heard:
            if self._bid >= self._ask:
                return False
            if ("mark" in heard or "index" in heard) and self._gap_bps(now_ns) > limits.max_gap_bps:
                return False
            # Without news others say what they said when the middle moved.
            if self._is_news and self._moved_bps() > limits.frozen_move_bps:
                return False
        first_ms, second_ms = self._skews_ms
        return (
            self._lag_ms <= limits.max_lag_ms
            and abs(first_ms) <= self._max_skew_ms
            and abs(second_ms) <= self._max_skew_ms
            and pace_bps <= limits.wild_bps
        )

    def _gap_bps(self, now_ns: int) -> float:
        """Return how far fresh prices lie apart."""
        fresh_ns = now_ns - round(self._limits.silent_s * NS_PER_SECOND)
        middle = 0.5 * (self._bid + self._ask)
        said = (("book", middle), ("mark", self._mark), ("index", self._index))
        told = [
            price for name, price in said
            if 0.0 < price < inf and self._heard.get(name, _NEVER) >= fresh_ns
        ]  # fmt: skip
        return 1e4 * (max(told) / min(told) - 1.0) if len(told) > 1 else 0.0

    def _moved_bps(self) -> float:
        """Return how far others moved since the book's middle did."""
        others = self._others
        moves = [
            1e4 * abs(price / others[name] - 1.0)
            for name, price in self._now.items()
            if name in others and others[name] > 0.0
        ]
        return max(moves, default=0.0)

    def _contradictions(self, now_ns: int) -> list[Change]:
        limits = self._limits
        if "book" not in self._heard:
            return []
        crossed = self._bid >= self._ask
        touch = f"{self._bid:g} and {self._ask:g}"
        changes = self._judge(Watch.BOOK_CROSSED, now_ns, crossed, touch)
        gap_bps = self._gap_bps(now_ns)
        apart = gap_bps > limits.max_gap_bps
        changes += self._judge(Watch.PRICES_CONTRADICT, now_ns, apart, f"{gap_bps:.0f} bps apart")
        moved_bps = self._moved_bps()
        still = moved_bps > limits.frozen_move_bps and now_ns - self._still_ns >= round(
            limits.frozen_s * NS_PER_SECOND
        )
        detail = f"others moved {moved_bps:.0f} bps"
        return changes + self._judge(Watch.PRICE_FROZEN, now_ns, still, detail, at_once=True)

    def _silent(self, watch: Watch, now_ns: int, heard_ns: int, limit_s: float) -> list[Change]:
        age_s = (now_ns - heard_ns) / NS_PER_SECOND
        return self._judge(
            watch, now_ns, age_s > limit_s, f"silent for {age_s:.0f} s", at_once=True
        )

    def _counts(self, watch: Watch, now_ns: int, when: deque[int], most: int) -> list[Change]:
        since_ns = now_ns - round(self._limits.count_s * NS_PER_SECOND)
        while when and when[0] < since_ns:
            when.popleft()
        return self._judge(watch, now_ns, len(when) >= most, f"{len(when)} orders", at_once=True)

    def _judge(
        self, watch: Watch, now_ns: int, is_wrong: bool, detail: str, *, at_once: bool = False
    ) -> list[Change]:
        """Open a watch that was wrong for long enough, close one that was right for long enough."""
        limits = self._limits
        if watch not in self.open:
            if not is_wrong:
                self._wrong_ns.pop(watch, None)
                return []
            since_ns = self._wrong_ns.setdefault(watch, now_ns)
            needs_ns = 0 if at_once else round(limits.wrong_s * NS_PER_SECOND)
            if now_ns - since_ns < needs_ns:
                return []
            self.open[watch] = detail
            self._wrong_ns.pop(watch, None)
            self._right_ns.pop(watch, None)
            self._settle()
            return [Change(watch, True, detail)]
        if is_wrong:
            self._right_ns.pop(watch, None)
            return []
        since_ns = self._right_ns.setdefault(watch, now_ns)
        if now_ns - since_ns < round(limits.calm_s * NS_PER_SECOND):
            return []
        del self.open[watch]
        self._right_ns.pop(watch, None)
        self._settle()
        return [Change(watch, False, detail)]

    def _settle(self) -> None:
        self.fallback = max((WATCHES[w].fallback for w in self.open), default=Fallback.NONE)


def table() -> str:
    """Return the watches as Markdown, for the manual."""
    rows = [
        "| watch | it opens when | after | measured by | what is done |",
        "|---|---|---|---|---|",
    ]
    for watch, rule in WATCHES.items():
        after = f"`parachute.{rule.opens}`" if rule.opens else "at once"
        limit = f"`parachute.{rule.limit}`" if rule.limit else ""
        rows.append(f"| `{watch}` | {rule.meaning} | {after} | {limit} | {rule.fallback.name} |")
    return "\n".join(rows)

"""The parachute: every watch opens when it should, not before, and does not flap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.config import Parachute as Limits
from litehedge.risk.parachute import WATCHES, Fallback, Parachute, Watch, table
from litehedge.units import NS_PER_SECOND as S

LIMITS = Limits()


class Life:
    """A parachute that hears what is wanted, second after second."""

    def __init__(self):
        self.chute = Parachute(LIMITS, 1500.0)
        self.now_s = 0
        self.changes = []
        self.forecast = True
        self.pace_bps = 10.0
        self.deaf = set()
        self.book = (80.0, 80.01)
        self.mark = 80.0
        self.index = 80.0
        self.bitcoin = 60_000.0
        self.moves = True

    def run(self, seconds):
        for _ in range(seconds):
            self.now_s += 1
            now_ns = self.now_s * S
            bid, ask = self.book
            if self.moves:
                bid, ask = bid + 0.01 * (self.now_s % 2), ask + 0.01 * (self.now_s % 2)
            if "book" not in self.deaf:
                self.chute.on_book(now_ns, bid, ask)
            if "trade" not in self.deaf:
                self.chute.on_trade(now_ns)
            if "mark" not in self.deaf:
                self.chute.on_mark(now_ns, self.mark)
            if "index" not in self.deaf:
                self.chute.on_index(now_ns, self.index)
            self.chute.on_bitcoin(now_ns, self.bitcoin)
            if "account" not in self.deaf:
                self.chute.on_account(now_ns)
            self.look()
        return self

    def look(self):
        self.changes += self.chute.look(
            self.now_s * S, has_forecast=self.forecast, pace_bps=self.pace_bps
        )


def healthy():
    life = Life().run(30)
    assert life.changes == []
    return life


def crossed(life):
    life.book = (80.05, 80.0)


def contradict(life):
    life.mark = 84.0


def freeze(life):
    life.moves, life.bitcoin = False, 58_000.0
    life.run(1)
    life.bitcoin = 55_000.0


WRONGS = {
    Watch.PRICE_SILENT: (lambda life: life.deaf.update({"book", "trade", "mark"}), 17),
    Watch.BOOK_SILENT: (lambda life: life.deaf.add("book"), 17),
    Watch.MARK_SILENT: (lambda life: life.deaf.add("mark"), 32),
    Watch.BOOK_CROSSED: (crossed, 5),
    Watch.PRICES_CONTRADICT: (contradict, 5),
    Watch.PRICE_FROZEN: (freeze, 62),
    Watch.ACCOUNT_SILENT: (lambda life: life.deaf.add("account"), 152),
    Watch.ENGINE_LATE: (lambda life: life.chute.on_vitals(0, float("nan"), 5000.0), 5),
    Watch.CLOCK_WRONG: (lambda life: life.chute.on_vitals(0, -4000.0, float("nan")), 5),
    Watch.FORECAST_MISSING: (lambda life: setattr(life, "forecast", False), 1),
    Watch.MARKET_WILD: (lambda life: setattr(life, "pace_bps", 200.0), 1),
}
RIGHTS = {
    Watch.ENGINE_LATE: lambda life: life.chute.on_vitals(0, float("nan"), 5.0),
    Watch.CLOCK_WRONG: lambda life: life.chute.on_vitals(0, 3.0, float("nan")),
}


def mend(life, watch):
    life.deaf.clear()
    life.book, life.mark, life.moves = (80.0, 80.01), 80.0, True
    life.forecast, life.pace_bps = True, 10.0
    if watch in RIGHTS:
        RIGHTS[watch](life)


@pytest.mark.parametrize("watch", WRONGS)
def test_it_opens_within_its_time_and_closes_after_a_calm(watch):
    life = healthy()
    wrong, within_s = WRONGS[watch]
    wrong(life)
    life.run(within_s)
    assert watch in life.chute.open
    assert life.chute.fallback >= WATCHES[watch].fallback
    mend(life, watch)
    life.run(int(LIMITS.calm_s) - 1)
    assert watch in life.chute.open, "it closes only after a while of calm"
    life.run(3)
    assert watch not in life.chute.open
    told = [change.is_open for change in life.changes if change.watch is watch]
    assert told == [True, False]


@pytest.mark.parametrize("watch", [w for w in WRONGS if WRONGS[w][1] < LIMITS.calm_s])
def test_what_comes_and_goes_does_not_flap(watch):
    life = healthy()
    wrong, within_s = WRONGS[watch]
    for _ in range(5):
        wrong(life)
        life.run(within_s)
        mend(life, watch)
        life.run(20)
    assert [c.is_open for c in life.changes if c.watch is watch] == [True]


@pytest.mark.parametrize("count", [Watch.VENUE_REFUSES, Watch.VENUE_UNSURE])
def test_counts_open_at_their_number_and_a_fill_clears_them(count):
    life = healthy()
    hear = life.chute.on_refusal if count is Watch.VENUE_REFUSES else life.chute.on_unsure
    most = LIMITS.max_refused if count is Watch.VENUE_REFUSES else LIMITS.max_unsure
    for number in range(most):
        assert count not in life.chute.open
        hear(life.now_s * S)
        life.look()
        assert (count in life.chute.open) == (number == most - 1)
    life.chute.on_fill(life.now_s * S, 0.2, 1.0)
    life.run(int(LIMITS.calm_s) + 2)
    assert count not in life.chute.open


@pytest.mark.parametrize(
    ("taken_s", "slip_bps", "watch"),
    [(60.0, 1.0, Watch.FILLS_SLOW), (0.3, 500.0, Watch.FILLS_BAD)],
)
def test_fills_that_are_late_or_bad_are_seen_at_once(taken_s, slip_bps, watch):
    life = healthy()
    changes = life.chute.on_fill(life.now_s * S, taken_s, slip_bps)
    assert [(c.watch, c.is_open) for c in changes] == [(watch, True)]
    life.run(int(LIMITS.calm_s) + 2)
    assert watch not in life.chute.open


def test_what_was_never_heard_is_not_watched():
    chute = Parachute(LIMITS, 1500.0)
    for second in range(0, 10_000, 10):
        assert chute.look(second * S, has_forecast=True, pace_bps=0.0) == []


def test_every_watch_is_tried_here():
    tried = {*WRONGS, Watch.VENUE_REFUSES, Watch.VENUE_UNSURE, Watch.FILLS_SLOW, Watch.FILLS_BAD}
    assert tried == set(Watch) == set(WATCHES)


def test_the_table_names_settings_that_exist():
    for rule in WATCHES.values():
        for name in (rule.opens, rule.limit):
            assert not name or name in Limits.model_fields
    assert all(f"`{watch}`" in table() for watch in Watch)


@given(st.lists(st.sampled_from(list(WRONGS)), max_size=6))
def test_the_strictest_fallback_counts(wrongs):
    life = healthy()
    for watch in wrongs:
        WRONGS[watch][0](life)
    life.run(160)
    open_now = [WATCHES[watch].fallback for watch in life.chute.open]
    assert life.chute.fallback == max(open_now, default=Fallback.NONE)

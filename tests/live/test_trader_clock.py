"""A clock that drifts away from the venue's in a session halts it, and is told when it is over."""

from __future__ import annotations

import asyncio
import random

import pytest
from shaky_venue import CONTRACT, Shakes, ShakyClient
from virtual import VirtualLoop

from litehedge.config import Settings
from litehedge.effects import Watched
from litehedge.engine import step
from litehedge.engine_state import start
from litehedge.errors import VenueDown
from litehedge.hedge.policies import policy_named
from litehedge.live.trader import CLOCK_S, Account
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.orders.desk import Desk
from litehedge.orders.placing import Placement
from litehedge.risk.parachute import Watch
from litehedge.risk.state import RESUME_WORD, TradingState
from litehedge.units import NS_PER_SECOND
from synthetic import packaged_tiers

S = NS_PER_SECOND
EPOCH_NS = 1_767_571_200 * S


class Clocked(ShakyClient):
    """A venue whose clock ours runs away from between two moments, and back again."""

    drifts: tuple[float, float] = (0.0, 0.0)
    by_ms: float = 2000.0
    answers_after_s: float = 0.01
    is_down: bool = False

    async def clock_skew_ms(self) -> float:
        await asyncio.sleep(self.answers_after_s)
        if self.is_down:
            raise VenueDown("not reached", "it is asked again")
        begin_s, end_s = self.drifts
        now_s = asyncio.get_running_loop().time()
        return self.by_ms * min(1.0, (now_s - begin_s) / 60.0) if begin_s <= now_s < end_s else 3.0


class Session:
    """An engine that hears an account and a quiet market, second by second."""

    def __init__(self, *, is_second: bool = False, **traits: object) -> None:
        self.loop = VirtualLoop()
        where = "second_venue" if is_second else "same_account"
        settings = Settings.model_validate(
            {"position": {"leverage": 3.0}, "hedge": {"location": where}}
        )
        self.state = start(
            settings, policy_named("plugin", settings), packaged_tiers(), BlindForecaster(),
            session="c", atom_ns=5 * S, per_frame=12,
        )  # fmt: skip
        self.client = Clocked(Shakes(), random.Random(1))
        for name, value in traits.items():
            setattr(self.client, name, value)
        placement = Placement("long", where, True, is_second=is_second)
        self.account = Account(self.client, Desk(placement, CONTRACT), self)
        self.said: list[tuple[float, object]] = []

    def now_ns(self) -> int:
        return EPOCH_NS + int(self.loop.time() * S)

    def put(self, event) -> None:
        if isinstance(event, ev.Reported):
            return  # of an account that is not what this is about
        self.state, effects = step(self.state, event)
        self.said += [(self.loop.time(), effect) for effect in effects]

    def bad(self, source, error, payload):
        raise AssertionError(error)

    def health(self, source, state, detail=""):
        assert state != "down", detail

    def run(self, seconds: int) -> None:
        async def live() -> None:
            listening = asyncio.create_task(self.account.run())
            for second in range(seconds):
                now = self.now_ns()
                self.put(ev.Book(now, now, 79.995, 80.005, 1e6, 1e6))
                self.put(ev.Mark(now, now, 80.0))
                if second == 90:
                    second_wallet = 1000.0 if self.account.desk.placement.is_second else None
                    self.put(ev.Opened(now, now, 1000.0, second_wallet, 37.5, 80.0, 3.0, False))
                self.put(ev.Tick(now, now))
                await asyncio.sleep(1.0)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

        self.loop.run_until_complete(live())

    def watched(self) -> list[tuple[float, bool]]:
        return [
            (at, e.is_open) for at, e in self.said
            if isinstance(e, Watched) and e.watch == Watch.CLOCK_WRONG
        ]  # fmt: skip


@pytest.fixture
def session():
    made: list[Session] = []

    def make(**traits: object) -> Session:
        made.append(Session(**traits))
        return made[-1]

    yield make
    for one in made:
        one.loop.close()


@pytest.mark.parametrize("is_second", [False, True])
@pytest.mark.parametrize("by_ms", [2000.0, -2000.0])
def test_a_clock_that_drifts_by_two_seconds_halts_and_is_told_when_it_is_right(
    session, is_second, by_ms
):
    here = session(is_second=is_second, drifts=(300.0, 600.0), by_ms=by_ms)
    limits = here.state.fixed.settings.parachute
    here.run(900)
    (opened, is_open), (closed, is_still_open) = here.watched()
    assert (is_open, is_still_open) == (True, False)
    assert 300.0 < opened <= 300.0 + 2 * CLOCK_S + limits.wrong_s + 2.0
    assert 600.0 < closed <= 600.0 + CLOCK_S + limits.calm_s + 2.0
    assert here.state.trading is TradingState.HALTED  # what halted goes on at a person's word
    here.put(ev.Resume(here.now_ns(), here.now_ns(), RESUME_WORD))
    here.run(120)
    assert here.state.trading is TradingState.ACTIVE
    assert len(here.watched()) == 2


@pytest.mark.parametrize(
    "traits", [{"by_ms": 900.0}, {"answers_after_s": 3.0}, {"is_down": True}], ids=str
)
def test_what_is_small_or_badly_measured_halts_nothing(session, traits):
    here = session(drifts=(300.0, 600.0), **traits)
    here.run(700)
    assert here.watched() == []
    assert here.state.trading is TradingState.ACTIVE
    told = [at for at, _ in here.said]
    assert told, "the engine was at work"


def test_the_worse_of_two_clocks_counts(session):
    here = session()
    here.run(100)
    for _ in range(5):
        now = here.now_ns()
        here.put(ev.Vitals(now, now, skew_ms=1.0))
        here.put(ev.Vitals(now, now, skew_ms=-4000.0, is_second=True))
        here.put(ev.Vitals(now, now, lag_ms=1.0))
        here.run(1)
        here.put(ev.Vitals(here.now_ns(), here.now_ns(), skew_ms=1.0))
    assert here.state.trading is TradingState.HALTED

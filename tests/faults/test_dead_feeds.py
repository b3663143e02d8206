"""Every family of feeds dead, one after another and together: a safe state, in the stated time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from litehedge.backtest import with_position
from litehedge.config import Settings
from litehedge.decision import sizes
from litehedge.effects import CancelAll, Decision, KeepStop, StateChange, Submit, Watched
from litehedge.engine import step
from litehedge.engine_state import State, start
from litehedge.hedge.policies import policy_named
from litehedge.market import events as ev
from litehedge.risk.fallbacks import FAMILIES, opens_s
from litehedge.risk.parachute import WATCHES, Watch
from litehedge.squeeze import forecast as fc
from litehedge.units import NS_PER_SECOND
from synthetic import packaged_tiers

BEGIN_S = 1_767_571_200
WARM_S = 140
"""Until there is a frame there is no forecast, and that has to be well for a minute."""

PRICE = 100.0
LIMITS = Settings().parachute


class Calm:
    """A forecaster that is well and sees nothing."""

    id = "calm"
    schema_hash = ""

    def start(self, phases: int) -> fc.Memory:
        return np.zeros((phases, 0))

    def step(self, *args: object) -> np.ndarray:
        row = np.zeros(fc.N_FORECAST)
        row[fc.VOL_AT : fc.CONFIDENCE_AT] = 1e-5
        row[fc.CONFIDENCE_AT] = 1.0
        return row

    def batch(self, memory: fc.Memory, phases: object, end_ns: np.ndarray, features: object):  # type: ignore[no-untyped-def]
        return np.array([self.step() for _ in end_ns])


def second(now_s: int) -> Iterator[ev.AnyEvent]:
    """Everything that is heard in a healthy second; the price moves a little."""
    now = now_s * NS_PER_SECOND
    at = (now, now)
    price = PRICE + 0.01 * (now_s % 3)
    yield ev.Trade(*at, price, 1.0, True)
    yield ev.Book(*at, price - 0.005, price + 0.005, 1e6, 1e6)
    yield ev.Mark(*at, price)
    yield ev.Index(*at, price)
    yield ev.Liquidation(*at, "long", 100.0)
    yield ev.OpenInterest(*at, 1e6)
    yield ev.LongShortRatio(*at, 1.0)
    yield ev.Transfer(*at, 2e6, True)
    yield ev.Sentiment(*at, 0.0)
    yield ev.PredictedFunding(*at, "own", 1e-4)
    if now_s % 5 == 0:
        yield ev.Bar(*at, "BTC", 5 * NS_PER_SECOND, 9e4, 9e4, 9e4, 9e4, 1.0)
        yield ev.Bar(*at, "LTC", 5 * NS_PER_SECOND, price, price, price, price, 9.0)
        yield ev.Reported(*at)
    yield ev.Tick(*at)


@dataclass
class Session:
    """An engine that hears what is left of the feeds, on a venue that fills at once."""

    leverage: float = 5.0
    dead: tuple[str, ...] = ()
    now_s: int = BEGIN_S
    opened: dict[Watch, float] = field(default_factory=dict)  # when, by the session's clock
    closed: dict[Watch, float] = field(default_factory=dict)
    decisions: int = 0
    lifted: int = 0
    stops: int = 0

    def __post_init__(self) -> None:
        settings = with_position(Settings(), "long", self.leverage)
        self.state: State = start(
            settings, policy_named("plugin", settings), packaged_tiers(), Calm(),
            session="s", atom_ns=5 * NS_PER_SECOND, per_frame=12, held_every_ns=0,
        )  # fmt: skip
        now = self.now_s * NS_PER_SECOND
        self.hear(ev.Opened(now, now, 1000.0, None, 10.0 * self.leverage, PRICE, self.leverage,
                            False))  # fmt: skip

    def hear(self, event: ev.AnyEvent) -> None:
        self.state, effects = step(self.state, event)
        for effect in effects:
            if isinstance(effect, Watched):
                name = Watch(effect.watch)
                (self.opened if effect.is_open else self.closed)[name] = self.now_s
            self.decisions += isinstance(effect, Decision)
            self.stops += isinstance(effect, KeepStop)
            assert not isinstance(effect, StateChange | CancelAll)
            if isinstance(effect, Submit):
                order = effect.order
                self.lifted += order.qty_ltc > 0  # of a long: less of it is hedged
                at = (event.known_ns, event.known_ns, order.client_id)
                self.hear(ev.OrderAccepted(*at))
                qty = float(order.qty_ltc)
                self.hear(ev.OrderFilled(*at, order.leg, qty, PRICE, 0.01, 0.0))

    def live(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.now_s += 1
            for event in second(self.now_s):
                if type(event).__name__ not in self.dead:
                    self.hear(event)

    def warm_up(self) -> None:
        self.live(WARM_S)
        assert self.opened.keys() == {Watch.FORECAST_MISSING} == self.closed.keys()
        self.opened, self.closed = {}, {}

    @property
    def ratio(self) -> float:
        position, hedge = sizes(self.state.terms, self.state.books)
        return float(hedge / position)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_dead_family_ends_in_its_state_in_time_and_back(family: str) -> None:
    dead = FAMILIES[family]
    session = Session()
    session.warm_up()
    died_s, session.dead = session.now_s, dead.kinds
    within_s = dead.within_s(LIMITS)
    session.live(max(within_s, 90.0))
    assert session.opened.keys() == set(dead.watches)
    for watch, when_s in session.opened.items():
        # Reports come every five seconds here: the last one may be so old.
        age_s = when_s - died_s
        assert opens_s(watch, LIMITS) - 5.0 <= age_s <= opens_s(watch, LIMITS) + 1.0
    wanted = max((WATCHES[watch].fallback for watch in dead.watches), default=0)
    assert session.state.guards.chute.fallback == wanted
    assert session.lifted == 0

    session.dead = ()
    back_s = session.now_s
    session.live(LIMITS.calm_s + 6.0)
    assert session.closed.keys() == set(dead.watches)
    assert all(when - back_s >= LIMITS.calm_s for when in session.closed.values())
    assert session.state.guards.chute.fallback == 0
    before = session.decisions
    session.live(15.0)
    assert session.decisions > before


@pytest.mark.parametrize("family", [name for name, dead in FAMILIES.items() if not dead.watches])
def test_without_an_optional_family_decisions_go_on(family: str) -> None:
    session = Session(dead=FAMILIES[family].kinds)
    session.warm_up()
    assert session.decisions >= 10
    assert session.opened == {}


def test_one_after_another_until_only_the_clock_is_left() -> None:
    session = Session()
    session.warm_up()
    worst = 0
    for dead in FAMILIES.values():
        session.dead += dead.kinds
        session.live(20.0)
        fallback = int(session.state.guards.chute.fallback)
        assert fallback >= worst  # nothing that dies more makes it less careful
        worst = fallback
    session.live(FAMILIES["everything"].within_s(LIMITS))
    assert set(FAMILIES["everything"].watches) <= session.opened.keys()
    assert session.state.guards.chute.fallback == WATCHES[Watch.PRICE_SILENT].fallback


def test_a_position_near_its_end_stays_hedged_when_prices_end() -> None:
    session = Session(leverage=25.0)
    session.warm_up()
    session.dead = FAMILIES["all prices"].kinds
    session.live(FAMILIES["all prices"].within_s(LIMITS) + 90.0)
    # About 3 % from liquidation, and blind: what is hedged stays hedged.
    assert session.ratio == 1.0
    assert session.lifted == 0


def test_ten_healthy_minutes_open_nothing() -> None:
    session = Session()
    session.warm_up()
    session.live(600.0 - WARM_S)
    assert session.opened == {}
    assert session.stops >= 1  # protective stops are asked for from the beginning

"""Plans: once true they are carried out once, as the person's command would be, and are told."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_venues_truth import MINUTE, TIERS, World

from litehedge.config import Hedge, Position, Settings
from litehedge.effects import Alert, Checkpoint, Effect, PlanFired, StateChange
from litehedge.engine import step
from litehedge.engine_state import State, start
from litehedge.hedge.policies import policy_named, with_rules
from litehedge.hedge.rule_reading import parse_rules
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.plans import REARM_NS
from litehedge.risk.state import TradingState
from litehedge.store.journal import decode_checkpoint, encode_effect
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND

# 50 LTC at 100 USDT, 1,000 USDT behind them: at 90 half of that is gone
FALLEN = 'when_all = ["equity_left below 60 %"]'


def planned(text: str, **changes: object) -> State:
    here = Settings(position=Position(leverage=5.0), hedge=Hedge(location="same_account"))
    policy = with_rules(policy_named("unhedged", here), parse_rules(text, "my.toml", "my"))
    return start(here, policy, TIERS, BlindForecaster(), session="truth", atom_ns=MINUTE, **changes)  # type: ignore[arg-type]


class Planned(World):
    """A world of 50 LTC at 100 USDT, with plans."""

    def __init__(self, *plans: str, **changes: object) -> None:
        super().__init__(keeps_checkpoints=True)
        text = "".join(f"[[plan]]\n{plan}\n" for plan in plans)
        self.state = planned(text, keeps_checkpoints=True, **changes)
        self.text = text

    def price(self, price: float, seconds: float = 1.0) -> list[Effect]:
        self.now += int(seconds * NS_PER_SECOND)
        return self.tell(ev.Trade(self.now, self.now, price, 1.0, True))

    def fired(self) -> list[str]:
        return [e.name for e in self.said if isinstance(e, PlanFired)]


def plan(then: str, more: str = "", name: str = "fallen") -> str:
    return f'name = "{name}"\n{FALLEN}\nthen = "{then}"\n{more}'


def guarded(*plans: str) -> Planned:
    here = Planned(*plans)
    here.open()
    here.bar()
    return here


@pytest.mark.parametrize("then", ["freeze", "hedge_fully", "close_all", "halt", "alert"])
def test_each_does_what_the_command_does(then: str) -> None:
    here = guarded(plan(then))
    here.price(95.0)
    assert here.fired() == []
    said = here.price(90.0)
    assert here.fired() == ["fallen"]
    [told] = [e.text for e in said if isinstance(e, Alert) and "your plan" in e.text][-1:]
    assert 'your plan "fallen" came true: When what is left of the equity is below 60 %' in told
    state = here.state
    match then:
        case "freeze":
            assert isinstance(state.override, ev.Freeze)
            assert here.sent == []
        case "hedge_fully":
            until_ns = here.now + 7 * NS_PER_DAY
            assert state.override == ev.SetHedge(here.now, here.now, 1.0, until_ns)
            assert (here.sent[0].leg, float(here.sent[0].qty_ltc)) == (1, -50.0)
        case "close_all":
            assert state.closing is not None
            assert 'your plan "fallen"' in state.closing.reason
            assert here.sent[0].reduce_only
        case "halt":
            assert state.trading is TradingState.HALTED
            [change] = [e for e in said if isinstance(e, StateChange)]
            assert change.after == "HALTED"
        case _:
            assert (state.override, state.trading) == (None, TradingState.ACTIVE)
            assert here.sent == []


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 900)), max_size=40))
@settings(max_examples=40)
def test_it_fires_again_only_after_a_while_of_not_being_true(story: list[tuple[bool, int]]) -> None:
    here = guarded(plan("alert"))
    last_true = None
    expected = 0
    for is_true, seconds in story:
        here.price(90.0 if is_true else 99.0, seconds)
        if is_true and (last_true is None):
            expected += 1
        if is_true:
            last_true = here.now
        elif last_true is not None and here.now - last_true >= REARM_NS:
            last_true = None
        assert len(here.fired()) == expected


def test_the_persons_later_word_counts() -> None:
    here = guarded(plan("hedge_fully", 'for = "30 min"'))
    here.price(90.0)
    assert here.state.override is not None
    here.tell(ev.Follow(here.now, here.now))
    for _ in range(5):
        here.price(90.0)
    assert here.state.override is None
    assert here.fired() == ["fallen"]


def test_the_strongest_wins_and_none_weakens_it() -> None:
    here = guarded(
        plan("hedge_fully", name="a"), plan("freeze", name="b"), plan("close_all", name="c"),
        plan("halt", name="d"),
    )  # fmt: skip
    here.price(90.0)
    assert here.fired() == ["b", "a", "d", "c"]
    assert here.state.closing is not None
    other = guarded(
        plan("hedge_fully"),
        'name = "later"\nwhen_all = ["equity_left below 55 %"]\nthen = "freeze"',
    )
    other.price(91.9)
    other.price(90.5)
    assert other.fired() == ["fallen", "later"]
    assert isinstance(other.state.override, ev.SetHedge)
    assert "a full hedge is held already" in other.alerts()


def test_time_alone_makes_a_plan_true_at_a_tick() -> None:
    here = guarded('name = "night"\nwhen_all = ["hour between 00:00 and 23:59"]\nthen = "alert"')
    assert here.fired() == ["night"]
    later = Planned('name = "dry"\nwhen_all = ["depth below 10 USDT"]\nthen = "halt"')
    later.open()
    later.bar()
    later.wait(60)
    assert later.fired() == []  # what is not known fulfils nothing


def test_nothing_is_carried_out_without_a_position_or_before_it_is_reconciled() -> None:
    here = Planned(plan("halt"))
    here.bar()
    here.price(50.0)
    assert here.fired() == []
    before = guarded(plan("alert"))
    before.price(90.0)
    point = [e for e in before.said if isinstance(e, Checkpoint)][-1]
    assert point.plans_true_ns == {"fallen": before.now}
    again = Planned(plan("alert"), checkpoint=decode_checkpoint(encode_effect(point)),
                    needs_reconciling=True)  # fmt: skip
    again.now = before.now
    again.price(80.0)
    again.open(is_resumed=True)
    again.price(90.0)
    assert again.fired() == []  # it fired before


def test_the_same_state_and_events_give_the_same() -> None:
    here = guarded(plan("hedge_fully"), plan("alert", name="other"))
    twin = copy.deepcopy(here.state)
    now = here.now + NS_PER_MINUTE // 2
    trade = ev.Trade(now, now, 90.0, 1.0, True)
    _, one = step(here.state, trade)
    _, two = step(twin, trade)
    assert [encode_effect(e) for e in one] == [encode_effect(e) for e in two]


@pytest.mark.parametrize("wallet", [0.0, -5.0])
def test_a_share_of_nothing_is_not_known(wallet: float) -> None:
    """A wallet may be empty while the position earns: plans on the equity left say nothing then."""
    here = guarded(plan("halt"))
    here.state.budgets["equity_start"] = wallet
    here.price(101.0)
    here.price(90.0)
    assert here.fired() == []

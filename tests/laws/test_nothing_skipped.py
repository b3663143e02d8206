"""What the look between decisions does not reckon anew changes nothing: word for word the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from laws.test_protecting import PRICE, Desk, S
from litehedge.config import Parachute as Limits
from litehedge.market import events as ev
from litehedge.risk.parachute import Parachute

STORY = st.lists(
    st.tuples(
        st.sampled_from("bbbbtmitvfsrk"), st.floats(-0.012, 0.012), st.integers(0, 40)
    ),
    min_size=20, max_size=120,
)  # fmt: skip


class Pedant(Desk):
    """Forgets, before every event, all that need not be reckoned anew."""

    def tell(self, kind, *facts, **named):
        guards = self.state.guards
        guards.alarm = guards.stops_of = None
        guards.chute._is_all_right = lambda now_ns, pace_bps: False
        return super().tell(kind, *facts, **named)


def lived(desk: Desk, story: list[tuple[str, float, int]]) -> list[object]:
    """Live through a story; an order fills, in part or not at all, as the story likes."""
    price = PRICE
    for what, move, tenths in story:
        desk.now_ns += tenths * S // 10
        price = desk.price = price * (1.0 + move)
        match what:
            case "b":
                desk.tell(ev.Book, price - 0.01, price + 0.01, 1e5, 2e5)
            case "t":
                desk.tell(ev.Tick)
            case "m":
                desk.tell(ev.Mark, price * 1.001)
            case "i":
                desk.tell(ev.Index, price * (1.0 + 3.0 * move))
            case "v":
                desk.tell(ev.Vitals, 2_000.0 * move, 1e5 * abs(move))
            case "k":
                desk.tell(ev.Trade, price, 1.0, True)
            case "f" if desk.state.order is not None:
                desk.fill(min(1.0, abs(move) * 100.0))
            case "r" if desk.state.order is not None:
                desk.tell(ev.OrderRejected, desk.state.order.client_id, "busy")
            case "s":
                held = float(desk.state.books["qty"][0, 0])
                desk.tell(ev.StopArmed, 0, abs(held), price * 0.9)
            case _:
                pass
    return desk.effects


@given(STORY, st.sampled_from(["plugin", "hazard"]), st.sampled_from([3.0, 20.0]))
@settings(max_examples=15, deadline=None)
def test_whoever_reckons_everything_anew_says_the_same(story, policy, leverage):
    tree = {"parachute": {"enabled": True}, "hedge": {"location": "same_account"}}
    quick = lived(Desk(policy=policy, leverage=leverage, **tree), story)
    slow = lived(Pedant(policy=policy, leverage=leverage, **tree), story)
    assert [repr(e) for e in quick] == [repr(e) for e in slow]  # NaN is not itself
    assert len(quick) > 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["book", "trade", "mark", "index", "bitcoin", "account", "vitals",
                             "refusal", "unsure", "look", "look", "look"]),
            st.floats(0.0, 20.0), st.floats(0.9, 1.1), st.booleans(),
        ),
        max_size=150,
    )
)  # fmt: skip
@settings(max_examples=150)
def test_a_short_look_sees_what_a_long_one_does(story):
    quick, slow = Parachute(Limits(), 500.0), Parachute(Limits(), 500.0)
    slow._is_all_right = lambda now_ns, pace_bps: False
    now_ns = 10**18
    for what, seconds, share, flag in story:
        now_ns += int(seconds * S)
        said = []
        for one in (quick, slow):
            price = 80.0 * share
            if what == "book":
                one.on_book(now_ns, price, price + (0.02 if flag or share < 1.05 else -0.02))
            elif what in ("mark", "index", "bitcoin"):
                getattr(one, f"on_{what}")(now_ns, price)
            elif what == "vitals":
                one.on_vitals(now_ns, 8_000.0 * (share - 1.0), 3e4 * abs(share - 1.0))
            elif what == "look":
                changes = one.look(
                    now_ns, has_forecast=flag or share < 1.0, pace_bps=800.0 * abs(share - 1.0)
                )
                said.append(changes)
            else:
                getattr(one, f"on_{what}")(now_ns)
        assert said[:1] == said[1:]
        assert quick.open == slow.open
        assert quick.fallback is slow.fallback
        assert (quick._wrong_ns, quick._right_ns) == (slow._wrong_ns, slow._right_ns)

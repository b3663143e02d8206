"""A journal walked through once: at each act of a person the session branches in two.

Both branches begin with what the engine knew at that moment. One is given the acts, the other is
not; both decide by the session's policy, and their orders fill at a simulated venue on the market
that was recorded. A branch lives until the act is over and for a tail after it, or until the next
act begins.

A plan that came true is an act of its writer. The branch without acts has no plans either: it is
what policy, rules and guards do by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from litehedge.engine_state import State
from litehedge.errors import BadMessage, JournalError
from litehedge.ledger.acts import OPEN_NS, Act, act_of, act_of_plan, ends_ns
from litehedge.ledger.branch import Branch
from litehedge.ledger.scores import Ledger, Score, Until, ledger_of, score_of
from litehedge.ledger.seat import Seat
from litehedge.ledger.told import Told
from litehedge.lessons import learn
from litehedge.market import events as ev
from litehedge.orders.manager import Order
from litehedge.risk.state import TradingState
from litehedge.squeeze.history import Mind
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE

TAIL_NS: Final = NS_PER_DAY
LEAST_NS: Final = NS_PER_HOUR
"""Less than this after an act, and less than the tail, is not enough to judge it."""

_MARKET: Final = frozenset(get_args(ev.MarketEvent))
_COMMANDS: Final = frozenset(get_args(ev.Command))


@dataclass(frozen=True, slots=True)
class Part:
    """One run of a journal.

    Parameters
    ----------
    begin
        Returns the engine's state as the run began.
    events
        Yields its events.
    sent
        The orders that it sent, by client id.
    plan
        What it decided by: settings, policy, model; a window does not outlive a change of it.
    bar_ns, is_on_bars
        Of the venue: see `seat.Seat`.
    minds
        Gives the model that an offer speaks of, for the state as it is then.
    fired
        Numbers of the events at which a plan came true.
    is_silent
        Whether no person spoke: it is passed over where no window is open and no plan came true.
    """

    begin: Callable[[], State]
    events: Callable[[], Iterator[ev.AnyEvent]]
    sent: Callable[[], Mapping[str, Order]]
    plan: object
    bar_ns: int
    is_on_bars: bool
    is_silent: bool
    minds: Callable[[State, ev.ModelOffered], Mind | None] = lambda state, offered: None
    fired: Collection[int] = ()


class _Window:
    """Acts, and the two branches that are compared."""

    def __init__(self, before: State, told: Told, plan: object) -> None:
        self.acts: list[Act] = []
        self.plan = plan
        self.with_act = Branch(before, told.seat.seated(before))
        other = told.heard.twin(before)
        other.plan_terms = None
        self.without = Branch(other, told.seat.seated(other))
        self.over_ns = OPEN_NS
        self.closes_ns = OPEN_NS
        self.last_ns = -1
        self._sampled_ns = -1
        self._earned: float | None = None  # truly, by now
        self._earned_at_first = 0.0

    def join(self, act: Act) -> None:
        """Score an act together with these. What a plan did, the branch with it does by itself."""
        self.acts.append(act)
        self.over_ns = self.closes_ns = OPEN_NS
        if act.plan:
            return
        self.with_act.ask(act.command)
        if isinstance(act.command, ev.Adopt):
            _forget_foreign(self.without.state)

    def hear(self, event: ev.AnyEvent, told: Told) -> None:
        """Let both branches live through an event."""
        for branch in (self.with_act, self.without):
            branch.state.needs_reconciling = told.state.needs_reconciling
            if branch.state.learnt != told.state.learnt:
                learn(branch.state, told.state.learnt)
            branch.hear(event)
        now_ns = self.last_ns = event.known_ns
        if now_ns // NS_PER_MINUTE > self._sampled_ns:
            self.sample(told)

    def sample(self, told: Told) -> None:
        """Write down how both stand, and what truly was earned."""
        if self.last_ns < 0:
            return
        self._sampled_ns = self.last_ns // NS_PER_MINUTE
        self.with_act.sample(self.last_ns)
        self.without.sample(self.last_ns)
        if self._earned is None:
            self._earned_at_first = told.earned_usdt
        self._earned = told.earned_usdt

    def look(self, state: State, now_ns: int, tail_ns: int) -> None:
        """See whether every act is over."""
        if self.over_ns == OPEN_NS:
            self.over_ns = max(ends_ns(act, state, now_ns) for act in self.acts)
            if self.over_ns != OPEN_NS:
                self.closes_ns = self.over_ns + tail_ns

    def score(self, until: Until, *, is_enough: bool) -> Score | None:
        """Return what the acts were worth; None where nothing came after them."""
        if self._earned is None:
            return None
        return score_of(
            self.acts, self.with_act.course(), self.without.course(),
            over_ns=-1 if self.over_ns == OPEN_NS else self.over_ns, until_ns=self.last_ns,
            until=until, true_pnl_usdt=self._earned - self._earned_at_first, is_enough=is_enough,
        )  # fmt: skip


def _forget_foreign(state: State) -> None:
    """Let the trade by hand not have been: our books are the account, and nothing differs."""
    state.reports = [None, None]
    state.differs_ns, state.is_differing = -1, False
    if state.is_reduced_by_books and state.trading is TradingState.REDUCING:
        state.trading = TradingState.ACTIVE


class _Walk:
    """Where a walk through a journal stands."""

    def __init__(self, tail_ns: int, since_ns: int) -> None:
        self.scores: list[Score] = []
        self.window: _Window | None = None
        self.differing = 0
        self._is_halted_by_hand = False
        self._tail_ns = tail_ns
        self._since_ns = since_ns

    def run(self, part: Part, reached: Callable[[], Any]) -> None:
        """Walk through one run."""
        state = part.begin()
        fixed = state.fixed
        seat = Seat(fixed.settings, fixed.tiers, part.bar_ns, is_on_bars=part.is_on_bars)
        told = Told(state, seat, part.sent(), part.minds)
        if self.window is not None and self.window.plan != part.plan:
            self.close(told, Until.PLAN)
        if (window := self.window) is not None:
            for branch in (window.with_act, window.without):
                branch.state = told.heard.twin(branch.state)
                branch.venue.restart()
        for number, event in enumerate(part.events()):
            self._take(event, told, part.plan, fires=number in part.fired)
            reached()
        self.differing += told.differing
        if self.window is not None:
            self.window.sample(told)

    def _take(self, event: ev.AnyEvent, told: Told, plan: object, *, fires: bool) -> None:
        kind = type(event)
        if kind in _MARKET:
            if (window := self.window) is not None and event.known_ns > window.closes_ns:
                self.close(told, Until.TAIL)
            if fires:
                self._fire(event, told, plan)  # type: ignore[arg-type]
            else:
                told.market(event)  # type: ignore[arg-type]
            window = self.window
            # A restart warms up on a past that was lived through before.
            if window is not None and event.known_ns >= window.last_ns:
                window.hear(event, told)
                if window.over_ns == OPEN_NS:
                    window.look(told.state, event.known_ns, self._tail_ns)
            return
        if kind in _COMMANDS:
            self._ask(event, told, plan)  # type: ignore[arg-type]
        else:
            told.other(event)
            if kind is ev.Opened and not event.is_resumed:  # type: ignore[union-attr]
                self.close(told, Until.POSITION)
            elif kind is ev.Vitals and self.window is not None:
                self.window.hear(event, told)

    def _fire(self, event: ev.MarketEvent, told: Told, plan: object) -> None:
        """Take in an event at which plans came true; both branches live through it."""
        before = told.heard.twin(told.state)
        if self.window is not None:
            self.window.look(told.state, event.known_ns, self._tail_ns)
            self.window.sample(told)
        fresh = _Window(before, told, plan)
        fired = told.market(event)
        acts = [act for one in fired if (act := act_of_plan(one, before, told.state)) is not None]
        if not acts:
            return
        self._is_halted_by_hand |= any(isinstance(act.command, ev.Halt) for act in acts)
        if self.window is None or self.window.over_ns < event.known_ns:
            self.close(None, Until.NEXT)
            self.window = fresh if event.known_ns >= self._since_ns else None
        if (window := self.window) is not None:
            for act in acts:
                window.join(act)

    def _ask(self, command: ev.Command, told: Told, plan: object) -> None:
        """Take in a command; begin a window, or let it be part of the one that is open."""
        before = told.heard.twin(told.state)
        if self.window is not None:
            self.window.look(told.state, command.known_ns, self._tail_ns)
        told.other(command)
        act = act_of(command, before, told.state)
        if isinstance(command, ev.Resume) and self._is_halted_by_hand:
            act = None  # it ends the halt
        if isinstance(command, ev.Halt | ev.Resume):
            self._is_halted_by_hand = isinstance(command, ev.Halt) and (
                act is not None or self._is_halted_by_hand
            )
        window = self.window
        if window is not None and act is not None:
            is_over = window.over_ns < command.known_ns
            if isinstance(command, ev.Adopt):
                self.close(told, Until.HAND)
            elif is_over:
                self.close(told, Until.NEXT)
            else:
                window.join(act)
                return
        elif window is not None:
            window.with_act.ask(command)
            window.look(told.state, command.known_ns, self._tail_ns)
        if act is not None and command.known_ns >= self._since_ns:
            self.window = _Window(before, told, plan)
            self.window.join(act)
            self.window.look(told.state, command.known_ns, self._tail_ns)

    def close(self, told: Told | None, until: Until) -> None:
        """End the window that is open, and score it."""
        window, self.window = self.window, None
        if window is None:
            return
        if told is not None and until is not Until.PLAN:
            window.sample(told)
        after_ns = -1 if window.over_ns == OPEN_NS else window.last_ns - window.over_ns
        is_enough = until is not Until.DATA or after_ns >= min(self._tail_ns, LEAST_NS)
        score = window.score(until, is_enough=is_enough)
        if score is not None:
            self.scores.append(score)


def keep(
    parts: list[Part],
    *,
    tail_ns: int = TAIL_NS,
    since_ns: int = 0,
    reached: Callable[[], Any] = lambda: None,
) -> Ledger:
    """Score every act of a journal.

    Parameters
    ----------
    parts
        Its runs, in order.
    tail_ns
        How long after an act its effect is looked at.
    since_ns
        Acts from before are left out.
    reached
        Is called after every event.

    Raises
    ------
    JournalError
        When an event cannot be read: the journal is torn, or of another version.
    """
    walk = _Walk(tail_ns, since_ns)
    for number, part in enumerate(parts, 1):
        if part.is_silent and not part.fired and walk.window is None:
            continue
        try:
            walk.run(part, reached)
        except BadMessage as error:
            raise JournalError(
                f"the events of run {number} cannot be read ({error.what})",
                "the journal is damaged, or was written by another version of litehedge",
            ) from None
    walk.close(None, Until.DATA)
    return ledger_of(walk.scores, tail_ns, walk.differing)

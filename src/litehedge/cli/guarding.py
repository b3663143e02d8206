"""What paper and live share: the plan from the settings, the screen, and a clean end."""

from __future__ import annotations

import json as json_text
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec
from rich.live import Live
from rich.panel import Panel

from litehedge.cli.board import Board
from litehedge.cli.common import console, patience
from litehedge.config import Settings
from litehedge.effects import Alert, Effect
from litehedge.engine_state import State
from litehedge.errors import UsageError
from litehedge.hedge.policies import with_rules
from litehedge.hedge.rules import Rules
from litehedge.live.digest import Day, Digest
from litehedge.live.following import Candidate, Following
from litehedge.live.funnel import Funnel
from litehedge.live.lessons import Lessons
from litehedge.live.running import ATOM_NS, Observer, Plan, compile_kernels
from litehedge.live.session import Session
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.ports import Notifier
from litehedge.shelf.champion import folder_of, holder_of
from litehedge.shelf.home import stderr
from litehedge.shelf.models import choose_model
from litehedge.shelf.policies import choose_policy
from litehedge.squeeze.history import Mind
from litehedge.store.inbox import Inbox
from litehedge.store.inbox_watch import InboxWatch
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND, duration_ns, iso_utc

WARM_UP: Final = "8d"
FRAME: Final = "5m"


def plan_of(
    settings: Settings, rules: Rules | None, tiers: TierTable, frame: str, before: str = ""
) -> Plan:
    """Return what a session guards with.

    Parameters
    ----------
    before
        Folder of the model that its last run ended with, for when the registry cannot be used.

    Raises
    ------
    UsageError
        When the frame, the policy or the model does not exist.
    """
    frame_ns = duration_ns(frame)
    if frame_ns not in (NS_PER_MINUTE, 5 * NS_PER_MINUTE):
        raise UsageError(f"--frame {frame} has no model", "use 1m or 5m")
    model = choose_model(settings.model.name, frame_ns, before)
    policy = with_rules(choose_policy(settings.hedge.policy, settings), rules)
    if policy.free_ratio:
        raise UsageError(
            f"{policy.name} is a smaller position, not a hedge", "choose plugin, or another policy"
        )
    assert frame_ns % ATOM_NS == 0
    plan = Plan(settings, policy, tiers, model.forecaster, model.folder, frame_ns)
    with patience("getting ready"):
        compile_kernels(plan)
    return plan


@contextmanager
def stopping(funnel: Funnel, after: str | None) -> Iterator[None]:
    """Let Ctrl-C, a polite kill, or the end of a time stop the funnel."""

    def stop(number: int, frame: FrameType | None) -> None:
        funnel.stop()

    timer = None
    if after is not None:
        timer = threading.Timer(duration_ns(after) / NS_PER_SECOND, funnel.stop)
        timer.daemon = True
        timer.start()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def following(state: State, settings: Settings, funnel: Funnel) -> Iterator[Following | None]:
    """Let a session that chooses its model by itself follow the champion."""
    if settings.model.name != "auto":
        yield None
        return
    frame_s = state.fixed.frame_ns // NS_PER_SECOND
    with Following(state, funnel, partial(candidate, frame_s)) as follows:
        yield follows


def lessons_for(state: State, settings: Settings, funnel: Funnel, session: Session) -> Lessons:
    """Return what offers to a session what was learnt from it; a context manager."""
    return Lessons(state, funnel, session.folder, is_used=settings.model.learns)


def one_of(follows: Following | None) -> list[Observer]:
    """Return what follows the champion as observers of the run."""
    return [] if follows is None else [follows]


def minds_by(follows: Following | None) -> Callable[[ev.ModelOffered], Mind | None]:
    """Return what gives the models that are offered."""
    return (lambda offered: None) if follows is None else follows.mind


def candidate(frame_s: int) -> Candidate | None:
    """Return what the registry says should serve frames of that length.

    Raises
    ------
    RegistryError
        When it cannot be read.
    """
    held = holder_of("champion", frame_s)
    if held is None:
        return None
    version = held.version
    return Candidate(version.id, version.label, partial(folder_of, version), held.why)


def watched(inbox: Inbox, funnel: Funnel) -> InboxWatch:
    """Return what wakes the session when somebody writes into its inbox."""

    def wake() -> None:
        if funnel.given_ns():  # else it is still warming up, and looks when it begins
            inbox.hurry()
            funnel.wake()

    return InboxWatch(inbox.path, wake)


class Screen:
    """What a person sees of a session, or what a script reads at its end."""

    def __init__(
        self, state: State, mode: str, funnel: Funnel, session: Session, *, ui: bool, quiet: bool,
        notifier: Notifier | None = None,
    ) -> None:  # fmt: skip
        self.board = Board(state, mode, lambda: funnel.sources)
        self._digest = Digest(state, lambda: funnel.sources, self._day)
        self._session = session
        self._live = ui and not quiet and console.is_terminal
        self._quiet = quiet
        self._warming: tuple[int, int] = (0, 1)
        self._is_warm = False
        self._began = self._told = time.monotonic()
        self._notifier = notifier

    @property
    def observers(self) -> list[Observer]:
        """Return what watches the run."""
        return [self.board, self._digest, self._say]

    def warming(self, done: int, of: int) -> None:
        """Note how far the past was taken in."""
        self._warming = (done, of)
        self._is_warm = done >= of
        if self._live or self._quiet:
            return
        now = time.monotonic()
        if done == 0:
            self._began = self._told = now
            stderr.print(f"warming up on {of:,} events of the past …", highlight=False)
        elif self._is_warm:
            took = f"warmed up on {of:,} events in {now - self._began:.0f} s"
            stderr.print(f"{took}; forecast: {self.board.forecast()}", highlight=False)
            stderr.print(self._until_it_hedges(), highlight=False)
        elif now - self._told > 5.0:
            self._told = now
            stderr.print(f"warming up: {done:,} of {of:,} events of the past", highlight=False)

    def _until_it_hedges(self) -> str:
        """Say what happens from here, and what has to come first."""
        frame = self.board.frame_minutes
        return (
            f"hedging begins with the first full {frame:g} minutes of prices from now on; "
            "without a forecast the policy goes by its own rules"
        )

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the board while the session runs."""
        if not self._live:
            yield
            return
        with Live(get_renderable=self._view, console=console, refresh_per_second=4):
            yield

    def finish(self) -> dict[str, Any]:
        """Return how it stands at the end, with the day so far."""
        day = self._digest.finish()
        result = self.board.result()
        result["today"] = None if day is None else msgspec.to_builtins(day)
        result["journal"] = str(self._session.journal)
        return result

    def _view(self) -> Panel:
        if self._is_warm:
            return self.board.view()
        done, of = self._warming
        return Panel(f"warming up on the past: {done:,} of {of:,} events", title="litehedge")

    def _say(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        if self._live or self._quiet:
            return
        for effect in effects:
            if isinstance(effect, Alert):
                when = iso_utc(event.known_ns, seconds=True)
                style = "red" if effect.level == "act_now" else ""
                console.print(f"{when} {effect.text}", style=style, highlight=False, markup=False)

    def _day(self, day: Day) -> None:
        line = json_text.dumps(msgspec.to_builtins(day)) + "\n"
        with digests_of(self._session).open("a", encoding="utf-8") as file:
            file.write(line)
        if self._notifier is not None:
            self._notifier.alert("digest", day.text())
        if not self._live and not self._quiet:
            console.print(day.text(), highlight=False, markup=False)


def digests_of(session: Session) -> Path:
    """Return the file with a session's days, one JSON object a line."""
    return session.folder / "digests.jsonl"


def say_end(result: dict[str, Any], name: str, say: Callable[[str], Any]) -> None:
    """Say how a session ended and what to do with it."""
    worth = result["equity_usdt"]
    if worth is not None:
        say(f"equity {worth:,.2f} USDT, hedge {result['hedge_ltc']:.3f} LTC, {result['trading']}")
    say(f"journal in {result['journal']}; how it went: litehedge report {name}")

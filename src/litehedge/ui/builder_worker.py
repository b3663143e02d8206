"""The process that tries drafts: questions come in by line, answers go out by line.

Apart from the screen, so that reading a market never holds up a page; below it in priority. It
keeps the tapes that it has built: after the first one a question takes a fraction of a second. A
newer question of a page puts its older one aside.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from litehedge.errors import LitehedgeError
from litehedge.store.lake import Lake
from litehedge.ui.builder_market import Market, Question, events_for, model_for, tape_for
from litehedge.ui.builder_plans import DOING, follow
from litehedge.ui.builder_test import Answer, Figures, Ground, figures_of, ground_of, policy_of

log = logging.getLogger("litehedge.ui.builder")

FIRST_WALK: Final = "walking through it; the first time on a machine this takes a minute"
KEPT: Final = 4
NICE: Final = 5


class Aside(Exception):
    """The page has asked something newer."""


class Waiting:
    """The newest question of every page, in the order in which pages began to wait."""

    def __init__(self) -> None:
        self._newest: OrderedDict[str, Question] = OrderedDict()
        self._there = threading.Condition()
        self._over = False

    def put(self, question: Question) -> None:
        """Take in a question; an older one of its page is put aside."""
        with self._there:
            self._newest[question.page] = question
            self._there.notify()

    def end(self) -> None:
        """Say that no more will come."""
        with self._there:
            self._over = True
            self._there.notify()

    def take(self) -> Question | None:
        """Wait for a question and return it; None when no more will come."""
        with self._there:
            self._there.wait_for(lambda: self._newest or self._over)
            return None if self._over else self._newest.popitem(last=False)[1]

    def newer(self, question: Question) -> Question | None:
        """Return what the page has asked meanwhile."""
        with self._there:
            return self._newest.get(question.page)

    @property
    def is_over(self) -> bool:
        """Whether nobody listens any more."""
        return self._over


class Trier:
    """Answers questions, and keeps what the next one can use again."""

    def __init__(self, lake: Lake, waiting: Waiting, tell: Callable[[Answer], None]) -> None:
        self._lake = lake
        self._waiting = waiting
        self._tell = tell
        self._tapes: OrderedDict[Any, tuple[Any, Market]] = OrderedDict()
        self._grounds: OrderedDict[Any, Ground] = OrderedDict()

    def answer(self, question: Question) -> None:
        """Work a question out, telling how far it is; trouble is an answer too."""
        try:
            tape, market = self._tape(question)
            self._check(question)
            ground = self._ground(question, tape)
            self._check(question)
            figures = figures_of(ground, question.rules)
            self._follow(question, ground, market, figures)
        except Aside:
            return
        except LitehedgeError as error:
            self._told(question, problem=f"{error.what}; {error.remedy}.")
        except Exception as error:
            log.exception("a draft could not be tried")
            self._told(question, problem=f"It could not be tried: {error!r}.")

    def _follow(self, question: Question, ground: Ground, market: Market, figures: Figures) -> None:
        """Tell what came out; with plans, follow those too, which takes longer."""
        policy = policy_of(ground.settings, question.rules)
        if policy.rules is None or not policy.rules.plans:
            self._told(question, market=market, figures=figures)
            return

        def reached(done: float) -> None:
            self._check(question)
            self._told(question, market=market, figures=figures, doing=DOING, done=done)

        reached(0.0)
        followed = follow(
            events_for(self._lake, question), ground.tape, ground.settings, ground.tiers, policy,
            model_for(self._lake, question).forecaster, reached,
        )  # fmt: skip
        self._told(question, market=market, figures=figures, followed=followed)

    def _told(self, question: Question, **more: Any) -> None:
        self._tell(Answer(question.page, question.number, **more))

    def _check(self, question: Question) -> None:
        if self._waiting.is_over or self._waiting.newer(question) is not None:
            raise Aside

    def _tape(self, question: Question) -> tuple[Any, Market]:
        key = (question.market, self._version(question))
        if key in self._tapes:
            self._tapes.move_to_end(key)
            return self._tapes[key]

        def reached(doing: str, done: float) -> None:
            newer = self._waiting.newer(question)
            if self._waiting.is_over or (newer is not None and newer.market != question.market):
                raise Aside  # else the newer one needs this tape too
            self._told(newer or question, doing=doing, done=done)

        found = tape_for(self._lake, question, reached)
        return _kept(self._tapes, key, found)

    def _version(self, question: Question) -> str:
        with contextlib.suppress(LitehedgeError):
            return str(self._lake.dataset(question.data).version)
        return ""

    def _ground(self, question: Question, tape: Any) -> Ground:
        position = (question.side, question.leverage, msgspec.json.encode(question.settings))
        key = (question.market, self._version(question), position)
        if key not in self._grounds:
            self._told(question, doing=FIRST_WALK, done=1.0)
            return _kept(self._grounds, key, ground_of(tape, question))
        return self._grounds[key]


def _kept(store: OrderedDict[Any, Any], key: Any, value: Any) -> Any:
    store[key] = value
    while len(store) > KEPT:
        store.popitem(last=False)
    return value


def serve(lake: Lake, asked: BinaryIO, answered: BinaryIO) -> None:
    """Answer questions until there are no more: one JSON a line."""
    waiting = Waiting()

    def tell(answer: Answer) -> None:
        answered.write(msgspec.json.encode(answer) + b"\n")
        answered.flush()

    def listen() -> None:
        for row in asked:
            waiting.put(msgspec.json.decode(row, type=Question))
        waiting.end()

    threading.Thread(target=listen, daemon=True, name="questions").start()
    trier = Trier(lake, waiting, tell)
    while (question := waiting.take()) is not None:
        trier.answer(question)


def main() -> None:
    """Serve on standard input and output; whatever else is printed goes to standard error."""
    os.nice(NICE)
    answered = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):
        serve(Lake(Path(sys.argv[1]) / "lake"), sys.stdin.buffer, answered)


if __name__ == "__main__":
    main()

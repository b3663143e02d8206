"""The sheets with which a person acts: safer is a tap and a confirmation, riskier a typed word.

Each writes one command into the session's inbox and then shows its stages, as the journal tells
them: asked, received, done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from math import nan
from typing import Any, Final

from nicegui import ui

from litehedge.errors import LitehedgeError, UsageError
from litehedge.live.asking import closed, halted, hold, keep, resumed, when
from litehedge.market import events as ev
from litehedge.report.style import number, percent
from litehedge.risk.state import CLOSE_WORDS, RESUME_WORD, TradingState
from litehedge.ui.page import Page, aside, say
from litehedge.ui.seen import Seen
from litehedge.ui.sheets import DARK, button, confirm, note, sheet, told
from litehedge.ui.stages import is_received, kind_of, last_ns, sending, stage
from litehedge.ui.watching import Watching
from litehedge.units import NS_PER_MINUTE

LASTING_MIN: Final = {30: "30 minutes", 120: "2 hours", 480: "8 hours", 1440: "1 day"}
SAME_RATIO: Final = 0.005
_REASON: Final = "the screen"


class Adjust:
    """The sheets of one page, and how far what was asked has come."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._asked: ev.Command | None = None
        self._before_ns = 0  # of the newest of its kind before it was asked
        self._is_sending = False

    # --- stages ---------------------------------------------------------------------------------

    def says(self) -> dict[str, Any]:
        """Return the stages of what was asked last."""
        watching, asked = self._page.watching, self._asked
        if asked is None or watching is None:
            return {"stage": ""}
        if self._is_sending:
            return {"stage": sending(asked)}
        received = is_received(watching.seen, kind_of(asked), self._before_ns)
        return {"stage": stage(asked, watching.seen, received=received, runs=watching.runs)}

    async def _ask(self, command: ev.Command, asks: ui.dialog | None = None) -> None:
        """Write a command into the inbox, beside the pages; `asks` stays open until it is there."""
        watching = self._page.watching
        if watching is None or self._is_sending or (asks is not None and not asks.value):
            return  # tapped twice: the first tap asked
        if watching.aside.over:
            ui.notify("The demo is over: nothing can be asked of it.")
            return
        before = self._asked, self._before_ns
        self._asked, self._before_ns = command, last_ns(watching.seen, kind_of(command))
        self._is_sending = True
        stages = self._stages()
        try:
            await aside(watching.ask, command)
        except LitehedgeError as error:
            self._asked, self._before_ns = before
            stages.close()
            told(error)
            return
        finally:
            self._is_sending = False
        if asks is not None:
            asks.close()

    def _stages(self) -> ui.dialog:
        with sheet("What was asked") as stages:
            with ui.element("p").props('role="status"'):
                say("stage")
            button("Close", stages.close)
        self._page.said.pop("stage", None)
        return stages

    # --- sheets ---------------------------------------------------------------------------------

    def open_halt(self) -> None:
        """Ask whether to halt; say what that does, and what it does not."""
        watching = self._page.watching
        if watching is None:
            ui.notify("There is no session to halt.")
            return
        command = halted(_REASON)
        with sheet("Halt trading?") as asks:
            note(f"Cancels working orders and refuses new ones. {stays(watching.seen)} Halt "
                 "survives a restart.")  # fmt: skip
            _say_when(command, watching)
            if watching.seen.trading is not TradingState.HALTED:
                button("HALT", lambda: self._ask(command, asks), "hg-halt")
            else:
                note("Trading is halted.")
                button("Resume …", lambda: _next(asks, self.open_resume))
            button("Close all …", lambda: _next(asks, self.open_close_all))
            button("Keep running", asks.close, "hg-safe")

    def open_resume(self) -> None:
        """Ask for the word that lets trading go on."""
        if self._page.watching is None:
            return
        with sheet("Resume trading?") as asks:
            note("The session will trade again by its policy.")
            typed, problem = _word(f"Type {RESUME_WORD}")

            async def resume() -> None:
                try:
                    command = resumed(typed.value or "")
                except UsageError:
                    problem.text = f"Type {RESUME_WORD} in the field above. Nothing was asked."
                    return
                await self._ask(command, asks)

            button("Resume", resume)
            button("Cancel", asks.close, "hg-safe")

    def open_close_all(self) -> None:
        """Ask whether to close position and hedge: out of the market is safer."""
        watching = self._page.watching
        if watching is None:
            return
        command = closed(CLOSE_WORDS, _REASON)
        text = (
            "Both are closed at the market, in pieces where the book is thin; then the session "
            "only watches. Closing costs fees, and what the book takes."
        )
        if not watching.runs:
            text += f" The session: {when(command, runs=False)}."
        confirm(
            "Close position and hedge?", text, CLOSE_WORDS, lambda: self._ask(command), "Keep both"
        )

    def open_set(self) -> None:
        """Let a person hold a hedge for a while: more at a tap, less with a typed word."""
        watching = self._page.watching
        account = None if watching is None else watching.seen.account()
        if watching is None or account is None:
            is_early = watching is not None and watching.seen.holds
            ui.notify(
                "No price is known yet." if is_early else "There is no position to hedge now."
            )
            return
        now = account.ratio
        with sheet("Hold the hedge by hand") as asks:
            note(f"Now {percent(now, 0)}. The limits still count.")
            chosen = ui.number("Hedge in percent", value=round(100 * now), min=0, max=100, step=5)
            chosen.props(f"{DARK} inputmode=numeric")
            with ui.element("div").classes("hg-split hg-tight"):
                for share in (0, 25, 50, 75, 100):
                    button(f"{share}%", partial(chosen.set_value, share))
            lasting = ui.select(LASTING_MIN, value=30, label="For").props(DARK)
            typed, problem = _word("Less hedge is riskier: type LESS")
            typed.bind_visibility_from(chosen, "value", lambda v: _share(v) < now - SAME_RATIO)

            async def hold_it() -> None:
                ratio = _share(chosen.value)
                try:
                    command = hold(ratio, _lasts_ns(lasting), _now_ns(watching.seen))
                except UsageError:
                    problem.text = "Give a number from 0 to 100."
                    return
                if ratio < now - SAME_RATIO and (typed.value or "").strip() != "LESS":
                    problem.text = "Type LESS in the field above: this hedge is smaller than now."
                    return
                await self._ask(command, asks)

            button("Hold it", hold_it, "hg-safe")
            button("Cancel", asks.close)

    def open_freeze(self) -> None:
        """Leave the hedge as it is for a while; it takes protection away, so it asks for a word."""
        watching = self._page.watching
        if watching is None:
            return
        with sheet("Freeze the hedge?") as asks:
            note("The policy changes nothing until it ends: it will not hedge more either. Margin "
                 "guards and stops go on.")  # fmt: skip
            lasting = ui.select(LASTING_MIN, value=30, label="For").props(DARK)
            typed, problem = _word("Type FREEZE")

            async def freeze() -> None:
                if (typed.value or "").strip() != "FREEZE":
                    problem.text = "Type FREEZE in the field above."
                    return
                await self._ask(keep(_lasts_ns(lasting), _now_ns(watching.seen)), asks)

            button("Freeze", freeze)
            button("Cancel", asks.close, "hg-safe")

    def open_follow(self) -> None:
        """End what a person holds: the policy decides again."""
        with sheet("Follow the policy again?") as asks:
            note("It ends what you hold by hand, and a close-all that is under way.")
            button("Follow", lambda: self._ask(ev.Follow(0, 0), asks), "hg-safe")
            button("Cancel", asks.close)


# --- pieces -------------------------------------------------------------------------------------


def stays(seen: Seen) -> str:
    """Say what a halt leaves as it is."""
    account = seen.account()
    if account is None:
        if seen.holds:
            return "Your open position and its hedge stay as they are."
        return "No position is guarded now."
    held = f"{number(account.held_ltc, 2)} LTC {account.side}"
    return (
        f"Your open position ({held}) and its hedge ({number(account.hedge_ltc, 2)} LTC) stay as "
        "they are."
    )


def _say_when(command: ev.Command, watching: Watching) -> None:
    if not watching.runs:
        note(f"The session: {when(command, runs=False)}.")


def _next(asks: ui.dialog, then: Callable[[], None]) -> None:
    asks.close()
    then()


def _word(label: str) -> tuple[ui.input, ui.label]:
    """Place a field for a word, and room for what is wrong with it."""
    typed = ui.input(label).props(DARK)
    return typed, ui.label().classes("hg-problem").props('role="alert"')


def _lasts_ns(lasting: ui.select) -> int:
    return int(lasting.value) * NS_PER_MINUTE


def _now_ns(seen: Seen) -> int:
    return seen.clock_ns(time.time_ns())


def _share(percents: float | None) -> float:
    """Return a field's percentage as a fraction; NaN where nothing was typed."""
    return nan if percents is None else percents / 100.0

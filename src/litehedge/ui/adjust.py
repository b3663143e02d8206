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

from litehedge.errors import LitehedgeError
from litehedge.market import events as ev
from litehedge.report.style import number, percent
from litehedge.risk.state import CLOSE_WORDS, RESUME_WORD, TradingState
from litehedge.ui.page import Page, say
from litehedge.ui.seen import Seen
from litehedge.units import NS_PER_MINUTE

LASTING_MIN: Final = {30: "30 minutes", 120: "2 hours", 480: "8 hours", 1440: "1 day"}
SAME_RATIO: Final = 0.005


class Adjust:
    """The sheets of one page, and how far what was asked has come."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._asked: ev.Command | None = None
        self._heard: object = None  # the newest of its kind before it was asked

    # --- stages ---------------------------------------------------------------------------------

    def says(self) -> dict[str, Any]:
        """Return the stages of what was asked last."""
        watching = self._page.watching
        if self._asked is None or watching is None:
            return {"stage": ""}
        seen = watching.seen
        newest = _newest(seen, type(self._asked))
        received = newest is not None and newest != self._heard
        return {"stage": stage(self._asked, seen, received=received, runs=watching.runs)}

    def _ask(self, command: ev.Command, sheet: ui.dialog) -> None:
        watching = self._page.watching
        if watching is None or not sheet.value:  # tapped twice: the first tap asked
            return
        self._heard = _newest(watching.seen, type(command))
        try:
            watching.ask(command)
        except LitehedgeError as error:
            ui.notify(
                f"{error.what}. {error.remedy}", type="negative", timeout=0, close_button="OK"
            )
            return
        self._asked = command
        sheet.close()
        self._told()

    def _told(self) -> None:
        with ui.dialog() as sheet, ui.element("div").classes("hg-sheet"):
            _title("What was asked")
            with ui.element("p").props('role="status"'):
                say("stage")
            _button("Close", "", sheet.close)
        self._page.said.pop("stage", None)
        sheet.open()

    # --- sheets ---------------------------------------------------------------------------------

    def open_halt(self) -> None:
        """Ask whether to halt; say what that does, and what it does not."""
        watching = self._page.watching
        if watching is None:
            ui.notify("There is no session to halt.")
            return
        seen = watching.seen
        with ui.dialog() as sheet, ui.element("div").classes("hg-sheet"):
            _title("Halt trading?")
            _say(f"Cancels working orders and refuses new ones. {stays(seen)} Halt survives a "
                 "restart.")  # fmt: skip
            if not watching.runs:
                _say("The session does not run now: a halt counts at its next start.")
            if seen.trading is not TradingState.HALTED:
                _button("HALT", "hg-halt", lambda: self._ask(ev.Halt(0, 0, "the screen"), sheet))
            else:
                _say("Trading is halted.")
                _button("Resume …", "", lambda: self._next(sheet, self.open_resume))
            _button("Close all …", "", lambda: self._next(sheet, self.open_close_all))
            _button("Keep running", "hg-safe", sheet.close)
        sheet.open()

    def open_resume(self) -> None:
        """Ask for the word that lets trading go on."""
        self._typed(
            "Resume trading?", "The session will trade again by its policy.", RESUME_WORD,
            lambda: ev.Resume(0, 0, RESUME_WORD), "Resume",
        )  # fmt: skip

    def open_close_all(self) -> None:
        """Ask whether to close position and hedge: out of the market is safer."""
        watching = self._page.watching
        if watching is None:
            return
        with ui.dialog() as sheet, ui.element("div").classes("hg-sheet"):
            _title("Close position and hedge?")
            _say("Both are closed at the market, in pieces where the book is thin; then the "
                 "session only watches. Closing costs fees, and what the book takes.")  # fmt: skip
            if not watching.runs:
                _say("The session does not run now: this counts only if it starts within a minute.")
            _button(
                CLOSE_WORDS, "hg-halt", lambda: self._ask(ev.CloseAll(0, 0, "the screen"), sheet)
            )
            _button("Keep both", "hg-safe", sheet.close)
        sheet.open()

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
        with ui.dialog() as sheet, ui.element("div").classes("hg-sheet"):
            _title("Hold the hedge by hand")
            _say(f"Now {percent(now, 0)}. The limits still count.")
            chosen = ui.number("Hedge in percent", value=round(100 * now), min=0, max=100, step=5)
            chosen.props("dark outlined inputmode=numeric")
            with ui.element("div").classes("hg-split hg-tight"):
                for share in (0, 25, 50, 75, 100):
                    _button(f"{share}%", "", partial(chosen.set_value, share))
            lasting = ui.select(LASTING_MIN, value=30, label="For").props("dark outlined")
            typed = ui.input("Less hedge is riskier: type LESS").props("dark outlined")
            typed.bind_visibility_from(chosen, "value", lambda v: _share(v) < now - SAME_RATIO)
            problem = ui.label().classes("hg-problem").props('role="alert"')

            def hold() -> None:
                ratio = _share(chosen.value)
                if not 0.0 <= ratio <= 1.0:
                    problem.text = "Give a number from 0 to 100."
                    return
                if ratio < now - SAME_RATIO and (typed.value or "").strip() != "LESS":
                    problem.text = "Type LESS in the field above: this hedge is smaller than now."
                    return
                until_ns = time.time_ns() + int(lasting.value) * NS_PER_MINUTE
                until_ns += _ahead_ns(watching.seen, self._page)
                self._ask(ev.SetHedge(0, 0, ratio, until_ns), sheet)

            _button("Hold it", "hg-safe", hold)
            _button("Cancel", "", sheet.close)
        sheet.open()

    def open_freeze(self) -> None:
        """Leave the hedge as it is for a while; it takes protection away, so it asks for a word."""
        watching = self._page.watching
        if watching is None:
            return
        one = watching
        with ui.dialog() as sheet, ui.element("div").classes("hg-sheet"):
            _title("Freeze the hedge?")
            _say("The policy changes nothing until it ends: it will not hedge more either. Margin "
                 "guards and stops go on.")  # fmt: skip
            lasting = ui.select(LASTING_MIN, value=30, label="For").props("dark outlined")
            typed = ui.input("Type FREEZE").props("dark outlined")
            problem = ui.label().classes("hg-problem").props('role="alert"')

            def freeze() -> None:
                if (typed.value or "").strip() != "FREEZE":
                    problem.text = "Type FREEZE in the field above."
                    return
                until_ns = time.time_ns() + int(lasting.value) * NS_PER_MINUTE
                until_ns += _ahead_ns(one.seen, self._page)
                self._ask(ev.Freeze(0, 0, until_ns), sheet)

            _button("Freeze", "", freeze)
            _button("Cancel", "hg-safe", sheet.close)
        sheet.open()

    def open_follow(self) -> None:
        """End what a person holds: the policy decides again."""
        with ui.dialog() as sheet, ui.element("div").classes("hg-sheet"):
            _title("Follow the policy again?")
            _say("It ends what you hold by hand, and a close-all that is under way.")
            _button("Follow", "hg-safe", lambda: self._ask(ev.Follow(0, 0), sheet))
            _button("Cancel", "", sheet.close)
        sheet.open()

    # --- pieces ---------------------------------------------------------------------------------

    def _next(self, sheet: ui.dialog, then: Callable[[], None]) -> None:
        sheet.close()
        then()

    def _typed(
        self, title: str, text: str, word: str, command: Callable[[], ev.Command], does: str
    ) -> None:
        with ui.dialog() as sheet, ui.element("div").classes("hg-sheet"):
            _title(title)
            _say(text)
            typed = ui.input(f"Type {word}").props("dark outlined")
            problem = ui.label().classes("hg-problem").props('role="alert"')

            def act() -> None:
                if (typed.value or "").strip() != word:
                    problem.text = f"Type {word} in the field above. Nothing was asked."
                    return
                self._ask(command(), sheet)

            _button(does, "", act)
            _button("Cancel", "hg-safe", sheet.close)
        sheet.open()


def _newest(seen: Seen, kind: type) -> object:
    """Return the newest command of a kind that the journal shows, None where there is none."""
    return next((c for c in reversed(seen.commands) if type(c) is kind), None)


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


def stage(command: ev.Command, seen: Seen, *, received: bool, runs: bool) -> str:
    """Return how far a command has come, as the journal tells."""
    name = _NAMES[type(command)]
    if not received:
        if not runs:
            until = "this counts at its next start"
            if not isinstance(command, ev.Halt):
                until += ", if that is within a minute"
            return f"{name}: asked. The session does not run; {until}."
        return f"{name}: asked, 1 of 3. It is in the inbox, on disk."
    if _is_done(command, seen):
        return f"{name}: done, 3 of 3. {_AFTER.get(type(command), '')}".strip()
    return f"{name}: received, 2 of 3. The session took it up{_on_its_way(command, seen)}."


_NAMES: Final[dict[type, str]] = {
    ev.Halt: "Halt", ev.Resume: "Resume", ev.SetHedge: "Hold the hedge", ev.Freeze: "Freeze",
    ev.Follow: "Follow", ev.CloseAll: "Close all", ev.Adopt: "Adopt", ev.Ignore: "Ignore",
}  # fmt: skip
_AFTER: Final[dict[type, str]] = {
    ev.Halt: "Trading is HALTED; position and hedge are as they were.",
    ev.Resume: "The session trades again.",
    ev.CloseAll: "Position and hedge are closed; trading stays halted.",
}


def _is_done(command: ev.Command, seen: Seen) -> bool:
    if isinstance(command, ev.Halt):
        return seen.trading is TradingState.HALTED
    if isinstance(command, ev.Resume):
        return seen.trading is TradingState.ACTIVE
    if isinstance(command, ev.CloseAll):
        return seen.state is not None and seen.state.closing is None and not seen.holds
    if isinstance(command, ev.SetHedge) and (account := seen.account()) is not None:
        return abs(account.ratio - command.ratio) <= 0.02
    return True


def _on_its_way(command: ev.Command, seen: Seen) -> str:
    account = seen.account()
    if isinstance(command, ev.SetHedge) and account is not None:
        return f"; the hedge is {percent(account.ratio, 0)} of {percent(command.ratio, 0)}"
    if isinstance(command, ev.CloseAll) and account is not None:
        return f"; {number(account.held_ltc, 2)} LTC are left to close"
    return ""


def _ahead_ns(seen: Seen, page: Page) -> int:
    """Return how far the session's clock is ahead: a demo's market has its own time."""
    if seen.mode in ("paper", "live"):
        return 0
    return seen.now_ns - time.time_ns()


def _share(percents: float | None) -> float:
    """Return a field's percentage as a fraction; NaN where nothing was typed."""
    return nan if percents is None else percents / 100.0


def _title(text: str) -> None:
    with ui.element("h2"):
        ui.label(text)


def _say(text: str) -> None:
    ui.label(text).classes("hg-dim").style("font-size:15px")


def _button(text: str, css: str, act: Callable[[], Any]) -> None:
    with ui.element("button").classes(f"hg-button {css}").on("click", act):
        ui.label(text)

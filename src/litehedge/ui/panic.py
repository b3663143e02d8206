"""``/panic``: halt and close, on one page without script, for a slow line and an unknown phone.

Safer is one tap and one confirm; riskier needs typed words. What was asked is shown in stages until
it is done, by loading the page again; a reload never asks again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from html import escape
from math import isfinite
from typing import Final
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from litehedge.errors import LitehedgeError, UsageError
from litehedge.live.asking import closed, halted, resumed, when
from litehedge.market import events as ev
from litehedge.report.style import UNKNOWN, number, percent, usdt
from litehedge.risk.state import CLOSE_WORDS, RESUME_WORD, TradingState
from litehedge.ui.door import Who
from litehedge.ui.facts import Facts, facts_of
from litehedge.ui.guard import WHO
from litehedge.ui.once import Asked, Once
from litehedge.ui.plain import (
    button,
    error_at,
    fields_of,
    form,
    heading,
    hidden,
    is_ours,
    link,
    page,
    paragraph,
    see_other,
    text_field,
)
from litehedge.ui.stages import GOALS, is_done, is_received
from litehedge.ui.watching import Home, Watching, meant
from litehedge.units import iso_utc

REFRESH_S: Final = 2
WAITS_S: Final = 60
"""The page loads itself again for so long after something was asked, seconds."""
KEY_LONGEST: Final = 64
_SAID: Final = {
    TradingState.ACTIVE: "Trading is active",
    TradingState.REDUCING: "Trading only reduces",
    TradingState.HALTED: "Trading is halted",
}
_STAYS: Final = "Your open position and hedge stay as they are, and so do stops at the venue."


def routes(home: Home, once: Once, wall_ns: Callable[[], int] = time.time_ns) -> list[Route]:
    """Return the routes of the panic page.

    Parameters
    ----------
    home
        The sessions; looked at when the page is asked for.
    once
        What was asked before.
    wall_ns
        This machine's time, nanoseconds since 1970.
    """
    pages = _Pages(home, once, wall_ns)
    return [
        Route("/panic", pages.show, methods=["GET"]),
        Route("/panic/halt", pages.sure, methods=["GET"]),
        Route("/panic", pages.ask, methods=["POST"]),
    ]


class _Pages:
    def __init__(self, home: Home, once: Once, wall_ns: Callable[[], int]) -> None:
        self._home, self._once, self._wall_ns = home, once, wall_ns

    async def show(self, request: Request) -> Response:
        """Show a session, and what may be asked of it."""
        name = request.query_params.get("session")
        watching = await meant(self._home, name)
        if watching is None:
            return self._nothing(name)
        who: Who = request.scope[WHO]
        asked = None
        if key := request.query_params.get("asked", "")[:KEY_LONGEST]:
            found = await run_in_threadpool(self._once.find, who.key, key)
            asked = found if found is not None and found.session == watching.session.name else None
        return self._page(watching, who, asked=asked, key=key)

    async def sure(self, request: Request) -> Response:
        """Ask once more before trading is halted."""
        name = request.query_params.get("session")
        watching = await meant(self._home, name)
        if watching is None:
            return self._nothing(name)
        who: Who = request.scope[WHO]
        session = watching.session.name
        return page("litehedge: halt?", (
            heading("Halt trading?")
            + paragraph(f"Session {session}: open orders are cancelled, and nothing is sent until "
                        "you resume.")
            + paragraph(_STAYS)
            + form("/panic", self._hidden(who, session) + button(
                "Halt now", "red", name="act", value="halt"))
            + link("Keep running", _address(session))
        ))  # fmt: skip

    async def ask(self, request: Request) -> Response:
        """Take what was asked."""
        who: Who = request.scope[WHO]
        try:
            fields = await fields_of(request)
        except UsageError as error:
            return self._wrong(str(error), 400)
        if not is_ours(fields, who.csrf):
            return self._wrong("this page was open too long, or came from elsewhere", 403)
        watching = await meant(self._home, fields.get("session", ""))
        if watching is None:
            return self._nothing(fields.get("session", ""))
        act, word, key = (fields.get(name, "") for name in ("act", "word", "key"))
        if act not in ("halt", "resume", "close") or not 8 <= len(key) <= KEY_LONGEST:
            return self._wrong("this page is not whole", 400)
        try:
            command = _command(act, word)
        except UsageError as error:
            return self._page(watching, who, wrong={act: error.remedy}, typed={act: word})
        try:
            await run_in_threadpool(
                self._once.ask, watching, command, who=who.key, key=key,
                shape=f"{watching.session.name} {act}", now_ns=self._wall_ns(),
            )  # fmt: skip
        except LitehedgeError as error:
            return self._page(watching, who, wrong={act: str(error)}, typed={act: word}, status=503)
        return see_other(_address(watching.session.name, key))

    # --- the page -----------------------------------------------------------------------------

    def _page(
        self, watching: Watching, who: Who, *, asked: Asked | None = None, key: str = "",
        wrong: dict[str, str] | None = None, typed: dict[str, str] | None = None, status: int = 0,
    ) -> Response:  # fmt: skip
        wrong, typed = wrong or {}, typed or {}
        now_ns = self._wall_ns()
        facts = facts_of(watching)
        session = watching.session.name
        is_under_way = asked is not None and not _is_done(asked, watching)
        waits = (
            is_under_way and asked is not None and now_ns - asked.asked_ns < WAITS_S * 1_000_000_000
        )
        body = (
            heading(_SAID[facts.trading] if facts.mode else "Nothing is known yet")
            + _about(facts)
            + (_stages(asked, watching) if asked is not None else "")
            + (paragraph("This page loads itself again.", "dim") if waits else "")
            + link("Load again", _address(session, key if asked else ""))
            + _numbers(facts)
            + error_at("act", wrong.get("halt", ""))
            + self._halt(facts, session)
            + self._resume(facts, session, who, wrong.get("resume", ""), typed.get("resume", ""))
            + self._close(session, who, wrong.get("close", ""), typed.get("close", ""))
            + self._others(session)
            + paragraph("Without a browser: litehedge halt, where it runs.", "dim")
        )
        return page(
            f"litehedge: {session}", body, status=status or (422 if wrong else 200),
            refresh_s=REFRESH_S if waits else None,
            to=_address(session, key) if waits else "",
        )  # fmt: skip

    def _hidden(self, who: Who, session: str) -> str:
        return hidden(form_key=who.csrf, session=session, key=secrets.token_urlsafe(18))

    def _halt(self, facts: Facts, session: str) -> str:
        if facts.trading is TradingState.HALTED and not facts.is_closing:
            return paragraph("Nothing is sent until you resume. " + _STAYS, "dim")
        return form(
            "/panic/halt",
            hidden(session=session) + button("Halt: cancel orders, send no new ones", "red"),
            method="get",
        ) + paragraph(_STAYS, "dim")

    def _resume(self, facts: Facts, session: str, who: Who, error: str, typed: str) -> str:
        if facts.trading is TradingState.ACTIVE:
            return ""
        return "<h2>Resume</h2>" + form("/panic", self._hidden(who, session) + hidden(
            act="resume") + _word("resume", f"Type {RESUME_WORD} to let it trade again", typed,
                                  error) + button("Resume trading"))  # fmt: skip

    def _close(self, session: str, who: Who, error: str, typed: str) -> str:
        return (
            "<h2>Close everything</h2>"
            + paragraph("Closes position and hedge at the market, also while trading is halted, "
                        "then only watches. It cannot be undone.")
            + form("/panic", self._hidden(who, session) + hidden(act="close")
                   + _word("close", f"Type {CLOSE_WORDS} to close position and hedge", typed, error)
                   + button("Close position and hedge", "red"))
        )  # fmt: skip

    def _others(self, session: str) -> str:
        names = [name for name in self._home.names() if name != session]
        if not names:
            return ""
        return "<h2>Other sessions</h2>" + "".join(link(n, _address(n)) for n in names[:20])

    def _nothing(self, name: str | None) -> Response:
        names = self._home.names()
        if name is None or not names:
            return page("litehedge", heading("There is no session") + paragraph(
                "Nothing is guarded from here. Begin with: litehedge paper") + link(
                "Load again", "/panic"), status=404)  # fmt: skip
        return page("litehedge", heading("There is no such session") + paragraph("Choose one:")
                    + "".join(link(n, _address(n)) for n in names[:20]), status=404)  # fmt: skip

    def _wrong(self, told: str, status: int) -> Response:
        return page("litehedge", heading("Nothing was asked") + error_at("form", told)
                    + link("Open the page again", "/panic"), status=status)  # fmt: skip


# --- pieces ------------------------------------------------------------------------------------


def _command(act: str, word: str) -> ev.Command:
    if act == "halt":
        return halted("a person asked, on the panic page")
    if act == "resume":
        return resumed(word)
    return closed(word, "a person asked, on the panic page")


def _address(session: str, key: str = "") -> str:
    return "/panic?" + urlencode({"session": session, **({"asked": key} if key else {})})


def _word(act: str, label: str, typed: str, error: str) -> str:
    """A field of the name `word`; ids differ, as both forms stand on one page."""
    field = text_field("word", label, value=typed, error=error)
    for attribute in ('for="', ' id="', 'aria-describedby="'):
        field = field.replace(f"{attribute}word", f"{attribute}{act}-word")
    return field


def _about(facts: Facts) -> str:
    account = {"live": "LIVE: real money", "paper": "Paper account"}.get(facts.mode, facts.mode)
    kind = "live" if facts.mode == "live" else "dim"
    told = paragraph(f"{account or 'no account yet'}, session {facts.name}.", kind)
    if facts.over:  # nothing is left to be guarded
        told += paragraph(facts.over, "dim")
    elif not facts.runs:
        told += paragraph(
            "The session does not run: nobody guards the position now. A halt counts at its next "
            "start; what raises risk only if it starts within a minute.", "warn")  # fmt: skip
    elif facts.health != "ok":
        told += paragraph(
            f"Nothing new for {number(facts.age_s, 0)} s: what is below may be old. The session "
            "takes up what you ask when it can.", "warn")  # fmt: skip
    if facts.trouble:
        told += paragraph(facts.trouble, "warn")
    if facts.is_closing:
        told += paragraph("Position and hedge are being closed.", "warn")
    return told


def _numbers(facts: Facts) -> str:
    account = facts.account
    rows = [("price", _price(facts.price))]
    hero = paragraph(
        "A position is open; no price is known yet." if facts.holds
        else "No position is open, as far as the journal tells."
    )  # fmt: skip
    if account is not None and (account.held_ltc or account.hedge_ltc):
        hero = paragraph("No price liquidates this account as it stands.")
        if isfinite(account.liquidation):
            way = "fall" if account.liquidation < facts.price else "rise"
            hero = (
                f'<p class="hg-hero">{escape(percent(account.away))}</p>'
                + paragraph(f"the price would have to {way} to reach liquidation", "dim")
            )  # fmt: skip
        rows += [
            ("liquidation at", _price(account.liquidation)),
            ("position", f"{account.side} {number(account.held_ltc, 3)} LTC"),
            ("hedge", f"{percent(account.ratio)}, {number(account.hedge_ltc, 3)} LTC"),
            ("equity", usdt(account.equity_usdt)),
        ]
    if facts.override:
        until = iso_utc(facts.override_until_ns)
        rows.append(("held by hand", f"{facts.override} until {until} UTC"))
    cells = "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in rows)
    return f'<div class="hg-card">{hero}<dl>{cells}</dl></div>'


def _price(price: float) -> str:
    written = number(price, 2)
    return written if written == UNKNOWN else f"{written} USDT"


def _is_done(asked: Asked, watching: Watching) -> bool:
    received = is_received(watching.seen, asked.kind, asked.before_ns)
    return received and is_done(watching.seen, asked.kind)


def _stages(asked: Asked, watching: Watching) -> str:
    """Say how far what was asked has come."""
    at = iso_utc(asked.asked_ns, seconds=True)
    received = is_received(watching.seen, asked.kind, asked.before_ns)
    done = _is_done(asked, watching)
    goal = GOALS.get(asked.kind, "done")
    stages = [
        (asked.is_written, f"asked at {at} UTC", "asked, but it is not sure that it was written"),
        (received, "received: the session's journal shows it", "not yet received by the session"),
        (done, f"done: {goal}", f"not yet done: {goal}"),
    ]
    tick = '<span class="hg-done">&#10003;</span> '
    told = "".join(
        f"<li>{tick if is_so else ''}{escape(yes if is_so else no)}</li>"
        for is_so, yes, no in stages
    )
    more = ""
    if not received and not watching.runs:
        command = ev.Halt(0, 0, "") if asked.kind == "halt" else ev.Follow(0, 0)
        more = paragraph(f"Session {asked.session}: {when(command, runs=False)}", "warn")
    return f'<div class="hg-card" role="status"><ol>{told}</ol>{more}</div>'

"""The pages by which people come in and leave, without script, and what the terminal prints.

The first time a link with a random token leads to the page where a passphrase is chosen. It is used
up when the form is sent, not when the page is looked at: chat programs look at links.
"""

from __future__ import annotations

import io
import secrets
from typing import Final

import segno
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from litehedge.errors import UsageError
from litehedge.ui.binding import Binding
from litehedge.ui.door import DEVICE_NS, LASTS_NS, Door, Refused, Who, form_key
from litehedge.ui.guard import WHO, Names
from litehedge.ui.plain import (
    button,
    error_at,
    fields_of,
    form,
    heading,
    hidden,
    inside,
    is_ours,
    link,
    page,
    paragraph,
    see_other,
    text_field,
)
from litehedge.ui.rates import client_of
from litehedge.units import NS_PER_SECOND

OLD_FORM: Final = "this page was open too long, or came from elsewhere: send it again"


def link_to(binding: Binding, token: str) -> str:
    """Return the one-time link of a token."""
    return f"{binding.url}/first?token={token}"


def qr_text(address: str) -> str:
    """Return a QR code of an address for a terminal, dark on light whatever its colours are."""
    drawn = io.StringIO()
    segno.make(address, error="l", micro=False).terminal(out=drawn, border=2, compact=True)
    return drawn.getvalue()


def routes(door: Door, binding: Binding) -> list[Route]:
    """Return the routes of login, first run and logout."""
    pages = _Pages(door, Names.of(binding))
    return [
        Route("/login", pages.login, methods=["GET"]),
        Route("/login", pages.logged_in, methods=["POST"]),
        Route("/first", pages.first, methods=["GET"]),
        Route("/first", pages.begun, methods=["POST"]),
        Route("/logout", pages.logout, methods=["GET"]),
        Route("/logout", pages.left, methods=["POST"]),
    ]


class _Pages:
    def __init__(self, door: Door, names: Names) -> None:
        self._door, self._names = door, names

    # --- coming in ----------------------------------------------------------------------------

    async def login(self, request: Request) -> Response:
        """Show where the passphrase is typed."""
        return self._login(request, inside(request.query_params.get("next", "/")))

    async def logged_in(self, request: Request) -> Response:
        """Take a passphrase."""
        try:
            fields = await fields_of(request)
        except UsageError as error:
            return self._login(request, "/", str(error), 400)
        to = inside(fields.get("next", "/"))
        if not is_ours(fields, self._form_key(request)):
            return self._login(request, to, OLD_FORM, 403)
        address = client_of(request.client.host if request.client else "")
        device = request.cookies.get(self._names.device, "")
        try:
            cookie = await run_in_threadpool(
                self._door.login, fields.get("passphrase", ""), address, device
            )
        except Refused as error:
            return self._refused(request, to, error)
        return await self._welcome(request, cookie, to)

    def _refused(self, request: Request, to: str, error: Refused) -> Response:
        if not error.wait_s:
            return self._login(request, to, str(error), 401)
        seconds = int(error.wait_s) + 1
        told = f"{error.what}: wait {seconds} s, then try again"
        answer = self._login(request, to, told, 429)
        answer.headers["Retry-After"] = str(seconds)
        return answer

    def _login(self, request: Request, to: str, error: str = "", status: int = 200) -> Response:
        if self._door.needs_link:
            return page(
                "litehedge: first start",
                heading("Come in by the link") + error_at("form", error)
                + paragraph("Nobody has chosen a passphrase yet. Where litehedge ui runs, it has "
                            "printed a link and a QR code: open that link here.")
                + paragraph("The link works once, for ten minutes. To get a new one, start "
                            "litehedge ui again.", "dim"),
                status=status,
            )  # fmt: skip
        key, fresh = self._made_key(request)
        body = (
            heading("litehedge")
            + form(
                "/login",
                hidden(form_key=key, next=to)
                + '<input type="hidden" name="username" autocomplete="username" value="litehedge">'
                + text_field("passphrase", "Passphrase", error=error, secret="current-password",
                             focus=True)
                + button("Log in"),
            )
            + paragraph("Forgotten? Where it runs: litehedge ui --reset. In a hurry? litehedge "
                        "halt needs no login there.", "dim")
        )  # fmt: skip
        return self._with_key(page("litehedge: log in", body, status=status), fresh)

    # --- the first time -----------------------------------------------------------------------

    async def first(self, request: Request) -> Response:
        """Show where a passphrase is chosen; in the demo, come in."""
        token = request.query_params.get("token", "")
        if self._door.is_demo:
            try:
                cookie = await run_in_threadpool(self._door.enter, token)
            except Refused as error:
                return self._no_link(error)
            return await self._welcome(request, cookie, "/")
        if not self._door.is_invited(token):
            return self._no_link(None)
        return self._first(request, token)

    async def begun(self, request: Request) -> Response:
        """Take the passphrase that was chosen."""
        try:
            fields = await fields_of(request)
        except UsageError as error:
            return page("litehedge: first start", heading("That did not work")
                        + error_at("form", str(error)), status=400)  # fmt: skip
        token, passphrase = fields.get("token", ""), fields.get("passphrase", "")
        if not self._door.is_invited(token):
            return self._no_link(None)
        if not is_ours(fields, self._form_key(request)):
            return self._first(request, token, OLD_FORM, status=403)
        if passphrase != fields.get("again", ""):
            return self._first(request, token, again="the two are not the same", status=422)
        try:
            cookie = await run_in_threadpool(self._door.begin, token, passphrase)
        except Refused as error:
            return self._first(request, token, str(error), status=422)
        return await self._welcome(request, cookie, "/")

    def _first(
        self, request: Request, token: str, error: str = "", again: str = "", status: int = 200
    ) -> Response:
        key, fresh = self._made_key(request)
        body = (
            heading("Choose a passphrase")
            + paragraph("Whoever knows it can halt and command your sessions. At least 12 signs; "
                        "four words that nobody expects are good.")
            + form(
                "/first",
                hidden(form_key=key, token=token)
                + '<input type="hidden" name="username" autocomplete="username" value="litehedge">'
                + text_field("passphrase", "Passphrase", error=error, secret="new-password",
                             focus=True)
                + text_field("again", "The same again", error=again, secret="new-password")
                + button("Set passphrase and go on"),
            )
        )  # fmt: skip
        return self._with_key(page("litehedge: first start", body, status=status), fresh)

    def _no_link(self, error: Refused | None) -> Response:
        told = str(error) if error else (
            "this link was used, or is older than ten minutes: start litehedge ui again, "
            "it prints a new one"
        )  # fmt: skip
        more = "" if self._door.needs_link else link("Log in", "/login")
        return page("litehedge: first start", heading("This link does not work")
                    + error_at("link", told) + more, status=403)  # fmt: skip

    # --- leaving ------------------------------------------------------------------------------

    async def logout(self, request: Request) -> Response:
        """Ask whether to leave here or everywhere."""
        who: Who = request.scope[WHO]
        return page("litehedge: log out", heading("Log out") + form(
            "/logout",
            hidden(form_key=who.csrf) + button("Log out here", name="where", value="here")
            + button("Log out everywhere", name="where", value="everywhere"),
        ) + paragraph("Sessions go on guarding; programs with a token of the API stay.", "dim")
            + link("Stay", "/"))  # fmt: skip

    async def left(self, request: Request) -> Response:
        """Leave."""
        who: Who = request.scope[WHO]
        try:
            fields = await fields_of(request)
        except UsageError:
            fields = {}
        if not is_ours(fields, who.csrf):
            return page("litehedge: log out", heading("Not logged out") + error_at("form", OLD_FORM)
                        + link("Back", "/logout"), status=403)  # fmt: skip
        if fields.get("where") == "everywhere":
            await run_in_threadpool(self._door.leave_everywhere)
        else:
            await run_in_threadpool(self._door.leave, who)
        answer = see_other("/login")
        answer.delete_cookie(
            self._names.session, secure=self._names.is_secure, httponly=True, samesite="strict"
        )
        return answer

    # --- cookies ------------------------------------------------------------------------------

    async def _welcome(self, request: Request, cookie: str, to: str) -> Response:
        """Give the cookies. A page, no redirect: what a chat opened may not carry them on."""
        answer = page("litehedge", heading("You are in") + link("Go on", to), refresh_s=0, to=to)
        self._set(answer, self._names.session, cookie, LASTS_NS)
        if not self._door.is_demo:
            device = request.cookies.get(self._names.device, "")
            if not self._door.knows(device):
                device = await run_in_threadpool(self._door.remember)
                self._set(answer, self._names.device, device, DEVICE_NS)
        return answer

    def _form_key(self, request: Request) -> str:
        cookie = request.cookies.get(self._names.form, "")
        return form_key(cookie) if len(cookie) >= 20 and cookie.isascii() else ""

    def _made_key(self, request: Request) -> tuple[str, str]:
        """Return the key for a form before there is a session, and the cookie to set, if any."""
        if known := self._form_key(request):
            return known, ""
        cookie = secrets.token_urlsafe(24)
        return form_key(cookie), cookie

    def _with_key(self, answer: Response, cookie: str) -> Response:
        if cookie:
            self._set(answer, self._names.form, cookie, None)
        return answer

    def _set(self, answer: Response, name: str, value: str, lasts_ns: int | None) -> None:
        answer.set_cookie(
            name, value, max_age=None if lasts_ns is None else lasts_ns // NS_PER_SECOND,
            path="/", secure=self._names.is_secure, httponly=True, samesite="strict",
        )  # fmt: skip

"""The API for programs, ``/api/v1``: reads what a session tells, and asks what people may ask.

It trusts the guard in front of it to say who asks, and refuses where nobody said so. A person's
session may read; commands need a token that was made for them, and a key that names the request, so
that one that is sent again does nothing twice. Errors have one shape.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

import litehedge
from litehedge.effects import Decision
from litehedge.errors import LitehedgeError, UsageError
from litehedge.live import asking
from litehedge.market import events as ev
from litehedge.squeeze.forecast import OUTLOOK_MIN
from litehedge.store.lookback import NEWEST, Past, Place
from litehedge.store.places import Place as Where
from litehedge.ui import api_models as told
from litehedge.ui.binding import Binding
from litehedge.ui.door import Who
from litehedge.ui.facts import facts_of, known
from litehedge.ui.guard import WHO, Names, error_body
from litehedge.ui.health import every
from litehedge.ui.once import Differs, Once, Uncertain
from litehedge.ui.watching import Home, Watching, meant
from litehedge.units import NS_PER_SECOND

AT: Final = "/api/v1"
"""Where it is to be mounted."""

MOST: Final = 200
_CODES: Final = {
    401: "no_session", 403: "not_allowed", 404: "not_found", 405: "method", 409: "conflict",
    422: "not_valid", 429: "too_often", 503: "unavailable",
}  # fmt: skip
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": told.ErrorAnswer, "description": text}
    for status, text in {
        400: "Not well made.", 401: "No token, and no session.",
        403: "This token or session may not.", 404: "No such session.",
        422: "A field is not valid.", 429: "Too many requests.", 503: "It cannot be read now.",
    }.items()
}  # fmt: skip
_CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": told.ErrorAnswer, "description": "The key came with another request, or it "
          "cannot be told whether this was asked."},
}  # fmt: skip

SessionName = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description="A session's name.")
]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key", min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]{8,64}$",
        description="A name of your own for this request, such as a UUID: sent again with the same "
        "name, within 30 days, nothing is asked twice.",
    ),
]  # fmt: skip


class Problem(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, what: str, remedy: str = "", code: str = "") -> None:
        super().__init__(what)
        self.status, self.what, self.remedy = status, what, remedy
        self.code = code or _CODES[status]


def api(
    home: Home, once: Once, binding: Binding, wall_ns: Callable[[], int] = time.time_ns
) -> FastAPI:
    """Return the API as an app to be mounted at `AT`, behind the guard.

    Parameters
    ----------
    home
        The sessions.
    once
        What was asked before.
    binding
        Where the screen listens, for the name of its cookie.
    wall_ns
        This machine's time, nanoseconds since 1970.
    """
    app = FastAPI(
        title="litehedge", version=litehedge.__version__, docs_url=None, redoc_url=None,
        description="Reads guarded sessions and asks them. Times are nanoseconds since 1970 UTC, "
        "money is USDT, what is not known is null.",
        servers=[{"url": AT}], root_path_in_servers=False, responses=_ANSWERS,
    )  # fmt: skip
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    _reads(app, home, binding, wall_ns)
    _asks(app, home, once, wall_ns)
    return app


# --- who may ----------------------------------------------------------------------------------

_BEARER: Final = HTTPBearer(auto_error=False, description="A token of scope read or command.")


def _reader(request: Request) -> Who:
    who = request.scope.get(WHO)
    if not isinstance(who, Who):
        raise Problem(401, "nobody said who asks", "give a token of the API")
    return who


def _commander(request: Request, _: Annotated[object, Depends(_BEARER)]) -> Who:
    who = _reader(request)
    if who.is_person:
        raise Problem(403, "a session reads here, it does not command", "give a token of the API")
    if who.scope != "command":
        raise Problem(403, "this token may only read", "make one of scope command")
    return who


Commander = Annotated[Who, Depends(_commander)]


# --- reading ----------------------------------------------------------------------------------


def _reads(app: FastAPI, home: Home, binding: Binding, wall_ns: Callable[[], int]) -> None:
    cookie = APIKeyCookie(
        name=Names.of(binding).session, auto_error=False, description="A person's session."
    )
    security = [Depends(_reader), Depends(_BEARER), Depends(cookie)]

    async def found(name: SessionName) -> Watching:
        watching = await meant(home, name)
        if watching is None:
            raise Problem(404, f"there is no session {name}", "GET /sessions lists them")
        return watching

    there = Depends(found)

    @app.get("/sessions", dependencies=security)
    async def sessions() -> list[told.SessionTold]:
        """List the sessions: those that run first."""
        return [
            told.SessionTold(name=f.name, mode=f.mode, runs=f.runs, health=f.health)
            for f in await every(home)
        ]

    @app.get("/sessions/{name}", dependencies=security)
    async def status(watching: Watching = there) -> told.StatusTold:
        """Tell how a session is."""
        f = facts_of(watching)
        return told.StatusTold(
            name=f.name, mode=f.mode, runs=f.runs, health=f.health,
            now_ns=watching.seen.clock_ns(wall_ns()), trading_state=f.trading.name,
            price_usdt=known(f.price), data_age_s=known(f.age_s),
            liquidation_distance=known(f.distance), override=f.override,
            override_until_ns=f.override_until_ns or None, is_closing=f.is_closing,
            watches_open=list(f.watches), trouble=f.trouble,
        )  # fmt: skip

    @app.get("/sessions/{name}/account", dependencies=security)
    async def account(watching: Watching = there) -> told.AccountTold | None:
        """Tell the account at the newest price; null without a position."""
        a = watching.seen.account()
        if a is None:
            return None
        return told.AccountTold(
            side=a.side, position_ltc=known(a.position_ltc), held_ltc=known(a.held_ltc),
            hedge_ltc=known(a.hedge_ltc), hedge_ratio=known(a.ratio),
            equity_usdt=known(a.equity_usdt), leverage=known(a.leverage),
            liquidation_distance=known(a.away), liquidation_price_usdt=known(a.liquidation),
        )  # fmt: skip

    @app.get("/sessions/{name}/decisions", dependencies=security)
    async def decisions(
        watching: Watching = there,
        limit: Annotated[int, Query(ge=1, le=MOST, description="At most so many.")] = 50,
        before: Annotated[
            str | None,
            Query(pattern=r"^[0-9]{1,15}\.[0-9]{1,15}\.[0-9]{1,15}$",
                  description="The `next` of the page before."),
        ] = None,
    ) -> told.DecisionsTold:  # fmt: skip
        """Tell decisions, newest first, as far back as the journal goes."""
        place = NEWEST if before is None else _place(before)
        rows = await run_in_threadpool(_page, watching.session.journal, place, limit + 1)
        shown = rows[:limit]
        more = ".".join(map(str, shown[-1][0])) if len(rows) > limit else None
        return told.DecisionsTold(decisions=[_decision(d) for _, d in shown], next=more)

    @app.get("/sessions/{name}/alerts", dependencies=security)
    async def alerts(watching: Watching = there) -> list[told.AlertTold]:
        """Tell the newest alerts, newest first, 50 at most."""
        return [
            told.AlertTold(time_ns=at_ns, level=a.level, text=a.text, clears=a.clears)
            for at_ns, a in reversed(watching.seen.alerts)
        ]

    @app.get("/sessions/{name}/forecast", dependencies=security)
    async def forecast(watching: Watching = there) -> told.ForecastTold | None:
        """Tell the forecast of the newest decision; null where there is none."""
        decision = watching.seen.decision
        if decision is None or decision.outlook is None:
            return None
        out = decision.outlook
        onset, severity = out.onset, out.severity_bps
        return told.ForecastTold(
            time_ns=decision.time_ns, state=decision.forecast_state,
            confidence=known(decision.recommendation.confidence), minutes=list(OUTLOOK_MIN),
            onset_long=_known(onset[0]), onset_short=_known(onset[1]),
            severity_long_bps=_known(severity[0]), severity_short_bps=_known(severity[1]),
        )  # fmt: skip

    @app.get("/sessions/{name}/feeds", dependencies=security)
    async def feeds(watching: Watching = there) -> list[told.FeedTold]:
        """Tell which kinds of news were heard, and how old the newest of each is."""
        ages = facts_of(watching).feeds_age_s
        return [told.FeedTold(kind=kind, age_s=known(age_s)) for kind, age_s in ages.items()]


def _page(journal: Where, before: Place, count: int) -> list[tuple[Place, Decision]]:
    with closing(Past(journal)) as past:
        return past.page(before, count)


def _decision(d: Decision) -> told.DecisionTold:
    r = d.recommendation
    return told.DecisionTold(
        time_ns=d.time_ns, price_usdt=known(d.price), trading_state=d.trading_state,
        action=r.action.value, hedge_ratio=known(r.ratio), target_ratio=known(r.target),
        size_ltc=known(r.size_ltc), confidence=known(r.confidence), reason=r.reason,
        refusals=[verdict.told() for verdict in d.verdicts], order_id=d.order_id,
        equity_usdt=known(d.equity_usdt), liquidation_distance=known(d.distance),
    )  # fmt: skip


def _known(values: list[float]) -> list[float | None]:
    return [known(value) for value in values]


def _place(text: str) -> Place:
    run, event, place = map(int, text.split("."))
    return run, event, place


# --- asking -----------------------------------------------------------------------------------


def _asks(app: FastAPI, home: Home, once: Once, wall_ns: Callable[[], int]) -> None:
    async def ask(
        name: str, key: str, who: Who, make: Callable[[int], ev.Command], shape: str
    ) -> told.AskedTold:
        watching = await meant(home, name)
        if watching is None:
            raise Problem(404, f"there is no session {name}", "GET /sessions lists them")
        command = make(watching.seen.clock_ns(wall_ns()))
        asked = await run_in_threadpool(
            once.ask, watching, command, who=who.key, key=key, shape=f"{name} {shape}",
            now_ns=wall_ns(),
        )  # fmt: skip
        return told.AskedTold(
            session=asked.session, asked=asked.kind, asked_ns=asked.asked_ns, is_new=asked.is_new,
            runs=asked.runs, when=asking.when(command, runs=asked.runs),
        )  # fmt: skip

    post: dict[str, Any] = {"status_code": 202, "responses": _CONFLICT}

    @app.post("/sessions/{name}/halt", **post)
    async def halt(
        name: SessionName, key: Key, who: Commander, body: told.HaltBody
    ) -> told.AskedTold:
        """Stop trading: cancel what is open and send nothing until it is resumed."""
        return await ask(name, key, who, lambda _: asking.halted(body.reason), _shape("halt", body))

    @app.post("/sessions/{name}/resume", **post)
    async def resume(
        name: SessionName, key: Key, who: Commander, body: told.ResumeBody
    ) -> told.AskedTold:
        """Go on after a halt; needs the typed word."""
        return await ask(
            name, key, who, lambda _: asking.resumed(body.word), _shape("resume", body)
        )

    @app.post("/sessions/{name}/override/set", **post)
    async def hold(
        name: SessionName, key: Key, who: Commander, body: told.HoldBody
    ) -> told.AskedTold:
        """Hold a hedge, whatever the policy says; limits still count."""

        def make(now_ns: int) -> ev.Command:
            return asking.hold(body.ratio, body.lasts_s * NS_PER_SECOND, now_ns)

        return await ask(name, key, who, make, _shape("set", body))

    @app.post("/sessions/{name}/override/freeze", **post)
    async def freeze(
        name: SessionName, key: Key, who: Commander, body: told.KeepBody
    ) -> told.AskedTold:
        """Leave the hedge as it is."""

        def make(now_ns: int) -> ev.Command:
            return asking.keep(body.lasts_s * NS_PER_SECOND, now_ns)

        return await ask(name, key, who, make, _shape("freeze", body))

    @app.post("/sessions/{name}/override/follow", **post)
    async def follow(name: SessionName, key: Key, who: Commander) -> told.AskedTold:
        """End the override, and a close-all that is under way: the policy decides again."""
        return await ask(name, key, who, lambda _: ev.Follow(0, 0), "follow")

    @app.post("/sessions/{name}/close-all", **post)
    async def close_all(
        name: SessionName, key: Key, who: Commander, body: told.CloseBody
    ) -> told.AskedTold:
        """Close position and hedge, then only watch; needs the typed words."""

        def make(_: int) -> ev.Command:
            return asking.closed(body.words, body.reason)

        return await ask(name, key, who, make, _shape("close-all", body))

    @app.post("/sessions/{name}/adopt", **post)
    async def adopt(name: SessionName, key: Key, who: Commander) -> told.AskedTold:
        """Take over what the venue holds, where the session's books differ."""
        return await ask(name, key, who, lambda _: ev.Adopt(0, 0), "adopt")

    @app.post("/sessions/{name}/ignore", **post)
    async def ignore(name: SessionName, key: Key, who: Commander) -> told.AskedTold:
        """Leave what differs at the venue to the person who traded it."""
        return await ask(name, key, who, lambda _: ev.Ignore(0, 0), "ignore")


def _shape(what: str, body: told.Body) -> str:
    return f"{what} {body.model_dump_json()}"


# --- errors -----------------------------------------------------------------------------------


def _answer(status: int, code: str, what: str, remedy: str = "") -> Response:
    body = error_body(code, what, remedy)
    return Response(body, status, media_type="application/json")


def _of_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(error.status, error.code, error.what, error.remedy)


def _of_fields(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    told_ = "; ".join(
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
    )
    return _answer(422, "not_valid", told_[:500], "see openapi.json")


def _of_ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, LitehedgeError)
    if isinstance(error, (Differs, Uncertain)):
        return _answer(409, "conflict", error.what, error.remedy)
    if isinstance(error, UsageError):
        return _answer(422, "not_valid", error.what, error.remedy)
    return _answer(503, "unavailable", error.what, error.remedy)


def _of_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = _answer(
        error.status_code, _CODES.get(error.status_code, "went_wrong"), str(error.detail)
    )
    answer.headers.update(error.headers or {})
    return answer


def _of_us(_: Request, error: Exception) -> Response:
    return _answer(500, "went_wrong", "the screen failed", "its log says how")


_HANDLERS: Final[dict[type[Exception], Callable[[Request, Exception], Response]]] = {
    Problem: _of_problem,
    RequestValidationError: _of_fields,
    LitehedgeError: _of_ours,
    HTTPException: _of_http,
    Exception: _of_us,
}

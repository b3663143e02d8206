"""``/health`` for anybody who watches over the machine, ``/metrics`` for Prometheus.

Health says one word and nothing about the account, since it needs no login: ``ok``, ``stale`` (a
session that runs tells nothing new) or ``down`` (none runs). Metrics are in the text format 0.0.4;
what is not known is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from litehedge.learning.kept import watch_in
from litehedge.learning.watch import Fit, Word
from litehedge.live.session import session_at
from litehedge.risk.state import TradingState
from litehedge.ui.facts import Facts, facts_of
from litehedge.ui.watching import Home, meant
from litehedge.units import NS_PER_SECOND

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[dict[str, str], float]


def routes(home: Home) -> list[Route]:
    """Return the routes of health and metrics."""

    async def health(request: Request) -> Response:
        running = [facts for facts in await every(home) if facts.runs]
        word = "down" if not running else "ok"
        if any(facts.health != "ok" for facts in running):
            word = "stale"
        return JSONResponse({"status": word}, 200 if word == "ok" else 503)

    async def metrics(request: Request) -> Response:
        told = await every(home)
        standings = await run_in_threadpool(standings_of, home, [facts.name for facts in told])
        return Response(written(told, standings), media_type=METRICS_TYPE)

    return [
        Route("/health", health, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]


async def every(home: Home) -> list[Facts]:
    """Return what is known of each session."""
    found = [await meant(home, name) for name in await run_in_threadpool(home.names)]
    return [facts_of(watching) for watching in found if watching is not None]


def standings_of(home: Home, names: Iterable[str]) -> dict[str, Fit]:
    """Return how the models of sessions fit their market, where somebody looked."""
    found = {name: watch_in(session_at(home.root, name).folder) for name in names}
    return {name: one for name, one in found.items() if one is not None}


def written(told: Iterable[Facts], standings: Mapping[str, Fit] = MappingProxyType({})) -> str:
    """Write what is known of sessions as Prometheus reads it."""
    families: dict[str, tuple[str, str, list[Sample]]] = {}

    def add(name: str, kind: str, about: str, value: float, **labels: str) -> None:
        family = families.setdefault(f"litehedge_{name}", (kind, about, []))
        if not math.isnan(value):
            family[2].append((labels, value))

    for facts in told:
        _add(facts, add)
        if (standing := standings.get(facts.name)) is not None:
            _add_standing(facts.name, standing, add)
    lines: list[str] = []
    for name, (kind, about, samples) in families.items():
        if not samples:
            continue
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_labels(labels)} {_value(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _add(facts: Facts, add: Callable[..., None]) -> None:
    def gauge(name: str, about: str, value: float, **labels: str) -> None:
        add(name, "gauge", about, value, session=facts.name, **labels)

    account = facts.account
    gauge("session_info", "What kind of session it is.", 1.0, mode=facts.mode)
    gauge("session_runs", "1 while a process runs the session.", float(facts.runs))
    gauge("price_usdt", "Newest price of LTC.", facts.price)
    gauge("data_age_seconds", "Since the session told anything new.", facts.age_s)
    if account is not None:
        gauge("liquidation_distance_ratio", "Move to liquidation, of the price.", account.away)
        gauge("liquidation_price_usdt", "Price at which the venue closes.", account.liquidation)
        gauge("hedge_ratio", "Hedge as a share of the position.", account.ratio)
        gauge("position_ltc", "Position as it was opened, unsigned.", account.position_ltc)
        gauge("hedge_ltc", "Hedge, unsigned.", account.hedge_ltc)
        gauge("equity_usdt", "Equity of the account.", account.equity_usdt)
        gauge("leverage_ratio", "Net exposure over equity.", account.leverage)
    for state in TradingState if facts.mode else ():
        about = "1 for the trading state that it is in."
        gauge("trading_state", about, float(facts.trading is state), state=state.name)
    gauge("override_active", "1 while a person holds the hedge.", float(facts.override != ""))
    gauge("closing_active", "1 while everything is being closed.", float(facts.is_closing))
    gauge("decisions_recent", "Newest decisions that the screen keeps, 200 at most.",
          float(facts.decisions))  # fmt: skip
    gauge("alerts_recent", "Newest alerts that the screen keeps, 50 at most.", float(facts.alerts))
    gauge("watches_open", "Watches of the parachute that are open.", float(len(facts.watches)))
    for watch in facts.watches:
        gauge("watch_open", "1 for each watch of the parachute that is open.", 1.0, watch=watch)
    for kind, age_s in facts.feeds_age_s.items():
        gauge("feed_age_seconds", "Since this kind of news was last heard.", age_s, feed=kind)


def _add_standing(name: str, standing: Fit, add: Callable[..., None]) -> None:
    about = "1 for how the model fits its market, as litehedge learning update found it."
    for word in Word:
        add("model_watch", "gauge", about, float(standing.word is word), session=name,
            model=standing.model, word=str(word))  # fmt: skip
    look = "Moment of the market up to which the model was looked at."
    add("model_watch_time_seconds", "gauge", look, standing.look.time_ns / NS_PER_SECOND,
        session=name)  # fmt: skip


def _labels(labels: dict[str, str]) -> str:
    def quoted(text: str) -> str:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    return "{" + ",".join(f'{name}="{quoted(text)}"' for name, text in labels.items()) + "}"


def _value(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0.0 else "-Inf"
    return repr(value)

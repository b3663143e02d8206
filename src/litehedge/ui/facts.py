"""One session in numbers, at a moment: what the panic page, the API and monitors tell alike."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from typing import Final, Literal

from litehedge.market import events as ev
from litehedge.risk.state import TradingState
from litehedge.ui.seen import Account
from litehedge.ui.watching import Watching
from litehedge.units import NS_PER_SECOND

STALE_S: Final = 60.0
"""A session that runs and tells nothing new for so long is stale."""

Health = Literal["ok", "stale", "down"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a session. Ages in seconds, money in USDT; NaN where it is not known.

    `holds` says whether anything is held, also where `account` lacks a price; `override` says
    what a person holds, "" where the policy decides.
    """

    name: str
    mode: str
    health: Health
    runs: bool
    trading: TradingState
    price: float
    age_s: float
    trouble: str
    account: Account | None
    holds: bool
    override: str
    override_until_ns: int
    is_closing: bool
    decisions: int
    alerts: int
    watches: tuple[str, ...]
    feeds_age_s: dict[str, float]
    over: str = ""  # how a demo ended

    @property
    def distance(self) -> float:
        """How far liquidation is, as a fraction of price."""
        return nan if self.account is None else self.account.away


def facts_of(watching: Watching) -> Facts:
    """Return what is known of a session now."""
    seen, age_s = watching.seen, watching.age_s
    health: Health = "ok"
    if not watching.runs:
        health = "down"
    elif watching.trouble or age_s > STALE_S or seen.header is None:
        health = "stale"
    state = seen.state
    held = None if state is None else state.override
    override = ""
    if isinstance(held, ev.SetHedge):
        override = "set"
    elif held is not None:
        override = "freeze"
    return Facts(
        name=seen.name,
        mode=seen.mode,
        health=health,
        runs=watching.runs,
        trading=seen.trading,
        price=seen.price,
        age_s=age_s,
        trouble=watching.trouble,
        account=seen.account(),
        holds=seen.holds,
        override=override,
        override_until_ns=0 if held is None else held.until_ns,
        is_closing=state is not None and state.closing is not None,
        decisions=len(seen.decisions),
        alerts=len(seen.alerts),
        watches=tuple(sorted(seen.watches)),
        feeds_age_s={
            kind: age_s + (seen.now_ns - known_ns) / NS_PER_SECOND
            for kind, known_ns in sorted(seen.heard_ns.items())
        },
        over=watching.aside.over,
    )


def known(value: float) -> float | None:
    """Return a number, None where it is not known."""
    return value if isfinite(value) else None

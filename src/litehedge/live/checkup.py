"""What ``litehedge doctor`` looks at besides venues: settings, sessions, caches, alerts."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import litehedge
from litehedge.config import Settings
from litehedge.learning.kept import watch_in
from litehedge.learning.watch import Word, in_a_line
from litehedge.live.checks import Check
from litehedge.live.integrity import look_into
from litehedge.live.session import Session, is_held, sessions
from litehedge.model.artefact import Card
from litehedge.notify.places import Place, answers
from litehedge.units import iso_utc

_WAYS: Final = "see docs/how-to/alerts.md"


def settings_checks(settings: Settings) -> list[Check]:
    """Judge whether the settings let hedges do their work; mistakes were refused before."""
    position, hedge, limits = settings.position, settings.hedge, settings.limits
    notional = position.wallet_usdt * position.leverage
    wanted = notional * hedge.max_ratio
    found: list[Check] = []

    def note(what: str, remedy: str) -> None:
        found.append(Check("settings", "note", what, remedy))

    if wanted > limits.max_hedge_notional_usdt:
        note(
            f"a hedge of {hedge.max_ratio:.0%} would be {wanted:,.0f} USDT, "
            f"limits.max_hedge_notional_usdt allows {limits.max_hedge_notional_usdt:,.0f}",
            f"raise it to {wanted:,.0f} where the whole hedge is wanted",
        )
    if position.leverage > limits.max_leverage:
        least = 1.0 - limits.max_leverage / position.leverage
        note(
            f"at {position.leverage:g}x, limits.max_leverage = {limits.max_leverage:g} lets no "
            f"hedge be lifted below {least:.0%}",
            f"set it to {position.leverage:g} where all of it may be lifted again",
        )
    smallest = settings.venue.min_notional_usdt
    step = settings.plugin.step * notional
    if hedge.policy == "plugin" and step < smallest:
        note(
            f"a step of the hedge is {step:.2f} USDT, the venue takes {smallest:g} and more",
            "hedges are coarser than the policy wants, or stay away: use a larger position",
        )
    if found:
        return found
    what = f"{position.side} {position.leverage:g}x, {hedge.policy}, {hedge.location}"
    return [Check("settings", "ok", what)]


def model_checks(card: Card | None, now_ns: int) -> list[Check]:
    """Judge the model that would be used: whether there is one, its age, whether it has expired."""
    if card is None:
        return [Check("model", "note", "none: the policies fall back on their rules")]
    what = f"{card.name} ({card.kind}), {card.frame_s // 60} min frames"
    expires_ns = card.expires_ns
    lived = [span.end for span in card.trained_on if not span.is_simulated]
    if lived:
        what += f", knows the market until {max(lived)[:10]}"
    remedy = "train it on newer data: litehedge train"
    if expires_ns is not None and now_ns > expires_ns:
        return [Check("model", "note", f"{what}; expired {iso_utc(expires_ns)[:10]}", remedy)]
    return [Check("model", "ok", what)]


def session_checks(home: Path) -> list[Check]:
    """Look at every session: who runs it, and whether its journal is whole."""
    found = []
    for session in sessions(home):
        name = f"session {session.name}"
        running = is_held(session)
        told = look_into(session.journal)
        if told.fault:
            remedy = (
                "stop it, keep a copy of its folder, and begin another --name; until then nobody "
                "can prove what it did"
            )
            found.append(Check(name, "fault", f"its journal is damaged: {told.fault}", remedy))
            continue
        what = f"{_holder(session)}, " if running else "not running, "
        what += f"{told.runs} runs, {told.events:,} events in a sound journal"
        if not told.is_whole_read:
            what = (
                f"{'running' if running else 'not running'}, its journal is too large to read now"
            )
            remedy = f"prove it in peace: litehedge replay {session.journal}"
            found.append(Check(name, "note", what, remedy))
        else:
            found.append(Check(name, "ok", what))
        found += _model_check(session)
    return found or [Check("sessions", "ok", "none yet")]


def _model_check(session: Session) -> list[Check]:
    """Tell how the model of a session fits its market, where somebody looked."""
    standing = watch_in(session.folder)
    if standing is None:
        return []
    name = f"model of {session.name}"
    what = in_a_line(standing, time.time_ns())
    if standing.word in (Word.FINE, Word.FEW):
        return [Check(name, "ok", what)]
    remedy = f"see why: litehedge report learning {session.name}"
    return [Check(name, "note", what, remedy)]


def _holder(session: Session) -> str:
    try:
        who = (session.folder / "lock").read_text(encoding="utf-8").strip()
    except OSError:
        who = ""
    return f"run by {who}" if who else "running"


def cache_check() -> Check:
    """Look whether compiled kernels can be kept, so that a restart takes seconds."""
    configured = os.environ.get("NUMBA_CACHE_DIR", "")
    folder = Path(configured) if configured else Path(litehedge.__file__).parent
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not os.access(there, os.W_OK):
        return Check(
            "compiled code", "note", f"cannot be kept in {folder}",
            "set NUMBA_CACHE_DIR to a folder that can be written: starts take a minute otherwise",
        )  # fmt: skip
    kept = next(folder.rglob("*.nbi"), None) is not None
    return Check(
        "compiled code", "ok", "kept" if kept else "compiled at the first start, then kept"
    )


def alert_checks(
    places: Sequence[Place], heartbeat_url: str, *, asks_network: bool = True
) -> list[Check]:
    """Look where alerts go, and whether somebody answers there; nothing is sent."""
    found = []
    if not places:
        remedy = f"run: litehedge keys set alerts ({_WAYS})"
        found.append(Check("alerts", "note", "go to the terminal and the log alone", remedy))
    for place in places:
        reached = place.answers() if asks_network else None
        if reached is False:
            found.append(
                Check("alerts", "note", f"{place.name} is not reached", "check the network")
            )
        else:
            how = "answers" if reached else "is set up"
            remedy = "litehedge alerts test sends one of each level"
            found.append(Check("alerts", "ok", f"{place.name} {how}", remedy))
    if not heartbeat_url:
        remedy = f"set [alerts] heartbeat_url, so that somebody notices its death ({_WAYS})"
        found.append(Check("heartbeat", "note", "none: a dead process cannot tell", remedy))
        return found
    address = urlsplit(heartbeat_url)
    port = address.port or (443 if address.scheme == "https" else 80)
    if asks_network and not answers(address.hostname or "", port):
        remedy = "check the network and [alerts] heartbeat_url"
        found.append(Check("heartbeat", "note", "its address is not reached", remedy))
    else:
        found.append(Check("heartbeat", "ok", "every minute while a session runs"))
    return found

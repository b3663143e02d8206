"""Cards beside the settings: sessions, leverage and wallet, alerts, keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from nicegui import ui

from litehedge.errors import LitehedgeError
from litehedge.risk.capital import capital_check
from litehedge.store.bundled import tier_table
from litehedge.ui import begin_view as view
from litehedge.ui import starting
from litehedge.ui.page import Page, card, words
from litehedge.ui.sheets import button, confirm, link, told
from litehedge.ui.starting import Known
from litehedge.ui.tools import Bars, Tools

LEVELS: Final = 3
"""Kinds of alerts, each of which a test sends to every place."""


# --- sessions ---------------------------------------------------------------------------------


def sessions_card(tools: Tools, page: Page) -> None:
    """Place the sessions: paper ones are stopped and started here, others only shown."""
    with card("Sessions"):
        box = ui.element("div")
        link("New session on paper", "/begin", "hg-small hg-safe").style("margin-top:12px")
    shown: list[tuple[str, bool]] = []

    def look() -> str:
        found = [(session.name, runs) for session, runs in tools.sessions()]
        if found != shown:
            shown[:] = found
            _fill()
        return ""

    def _fill() -> None:
        box.clear()
        with box:
            if not shown:
                words("None yet.", "hg-dim")
            for session, _ in tools.sessions():
                _session(tools, starting.known(session))

    _fill()
    page.pushes.append(look)


def _session(tools: Tools, one: Known) -> None:
    name = one.session.name
    with ui.element("div").style("padding:8px 0 2px").props(f'data-session="{name}"'):
        words(name).style("font-weight:600")
        words(f"{one.mode or 'never ran'}, {'runs now' if one.runs else 'stopped'}", "hg-dim")
        if one.mode != "paper":
            return
        with ui.element("div").classes("hg-row").style("margin-top:6px"):
            if one.runs:
                button("Stop …", partial(_stop, one), "hg-small", f"Stop {name}")
            else:
                button("Start", partial(_start, tools, one), "hg-small", f"Start {name}")


def _stop(one: Known) -> None:
    name = one.session.name

    def act() -> None:
        try:
            starting.stop(one.session)
        except LitehedgeError as error:
            told(error)
        else:
            ui.notify(f"{name} was asked to stop. It writes down where it stands first.")

    confirm(
        f"Stop {name}?",
        "Nobody guards its position then. Started again, it goes on where it was, and lives "
        "through what it missed.",
        "Stop it", act, "Keep it running",
    )  # fmt: skip


def _start(tools: Tools, one: Known) -> None:
    try:
        arguments = starting.again(one.session)
        starting.start(tools.programs, one.session, arguments, {})
    except LitehedgeError as error:
        told(error)
        return
    ui.navigate.to(f"/begin?name={one.session.name}")


# --- leverage and wallet ----------------------------------------------------------------------


def newest(bars: list[Bars]) -> Bars | None:
    """Return the data set that reaches furthest; of several, the one with bars of five minutes."""
    fit = [one for one in bars if one.interval in ("5m", "1m")]
    return max(fit, key=lambda one: (one.end_ns, one.interval == "5m"), default=None)


def advice_card(tools: Tools, asked: Callable[[], dict[str, Any]] | None = None) -> None:
    """Place the advice on leverage and the check of the wallet.

    Parameters
    ----------
    asked
        Gives ``side``, ``leverage``, ``wallet``; by default those of the settings.
    """
    with card("Leverage and wallet"):
        bars = newest(tools.bars())
        if bars is None:
            words("Advice needs Litecoin bars. Fetch some in a terminal:", "hg-dim")
            words("litehedge data fetch", "hg-code").style("margin-top:8px")
            return
        box = ui.element("div").classes("hg-stack").props('aria-live="polite"')
        with box:
            words("How likely liquidation is without a hedge, what leverage this market bears, "
                  "and whether the wallet suffices.", "hg-dim")  # fmt: skip

        async def look() -> None:
            box.clear()
            with box:
                words("Looking at the market of the data …", "hg-dim")
            try:
                found = await tools.ask_json(*advice_arguments(tools, bars, asked and asked()))
            except LitehedgeError as error:
                found = None
                problem = error.what
            box.clear()
            with box:
                if found is None:
                    words(problem, "hg-problem")
                    return
                for text, css in view.advice_lines(found):
                    words(text, css)
                capital = found.get("capital") or {}
                enough = capital.get("placeable") == "all"
                if enough:
                    minimum = float(capital.get("minimum_usdt") or 0.0)
                    for text, css in view.capital_lines(True, minimum, ()):
                        words(text, css)

        button("Look", look, "hg-small", "Look at leverage and wallet").style("margin-top:10px")


def advice_arguments(tools: Tools, bars: Bars, asked: dict[str, Any] | None) -> list[str]:
    """Return the command that gives advice on what was asked, or on the settings."""
    own = [f"--{name}={asked[name]}" for name in ("side", "leverage", "wallet")] if asked else []
    return ["advise", f"--data={bars.name}", *own, *tools.settings_arguments(), "--json=-"]


def wallet_lines(tools: Tools, typed: dict[str, Any], price: float) -> list[tuple[str, str]]:
    """Return whether a wallet suffices at a price, in words; nothing where it cannot be told."""
    settings, _ = tools.settings()
    try:
        position = settings.position.model_copy(
            update={
                "side": typed["side"],
                "leverage": float(typed["leverage"]),
                "wallet_usdt": float(typed["wallet"]),
            }
        )
        hedge = settings.hedge.model_copy(update={"policy": str(typed["policy"])})
        settings = settings.model_copy(update={"position": position, "hedge": hedge})
        tiers = tier_table("binance", settings.venue.symbol)
        check = capital_check(settings, price, tiers)
    except (LitehedgeError, KeyError, TypeError, ValueError):
        return []
    return view.capital_lines(check.is_enough, check.minimum_usdt, check.problems)


# --- alerts and keys --------------------------------------------------------------------------


def alerts_card(tools: Tools) -> None:
    """Place the test of alerts: it sends one of each level, and shows what was taken."""
    with card("Alerts"):
        words("Where alerts go is a secret, kept in the keyring or in LITEHEDGE_ALERTS; when and "
              "what is set under Alerts.", "hg-dim")  # fmt: skip
        words("litehedge keys set alerts", "hg-code").style("margin-top:8px")
        box = ui.element("div").classes("hg-stack").props('aria-live="polite"')

        async def send() -> None:
            box.clear()
            with box:
                words("Sending …", "hg-dim hg-sentence")
            try:
                lines = alert_lines(await tools.ask_json("alerts", "test", "--json"))
            except LitehedgeError as error:
                lines = [(f"{error.what[:1].upper()}{error.what[1:]}", "hg-warn")]
            box.clear()
            with box:
                for text, css in lines:
                    words(text, f"hg-sentence {css}")

        button("Send a test alert", send, "hg-small").style("margin-top:10px")


def alert_lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what places took of a test, in words."""
    lines = []
    for one in found.get("places", []):
        taken = len(one.get("taken", []))
        why = f": {one['why']}" if one.get("why") else ""
        css = "hg-good" if taken == LEVELS else "hg-bad"
        lines.append((f"{one.get('place')}: {taken} of {LEVELS} taken{why}.", css))
    return lines or [("No place for alerts is set up.", "hg-warn")]


def keys_card(tools: Tools) -> None:
    """Place which keys are known; none is shown, and none is typed into a page."""
    with card("Keys"):
        words("Paper needs none. Keys are stored in the system's keyring from a terminal, and "
              "never shown; one that can withdraw is refused.", "hg-dim")  # fmt: skip
        words("litehedge keys set binance", "hg-code").style("margin-top:8px")
        box = ui.element("div").classes("hg-stack").props('aria-live="polite"')

        async def look() -> None:
            try:
                found = await tools.ask_json("keys", "show", "--json")
            except LitehedgeError as error:
                told(error)
                return
            box.clear()
            with box, ui.element("div").classes("hg-facts"):
                for venue, where in key_lines(found):
                    words(venue)
                    words(where, "hg-good" if where != "not known" else "hg-dim")

        button("Which are known?", look, "hg-small").style("margin-top:10px")


def key_lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return where the keys of each venue are, those that are known first."""
    words_of = {"keyring": "in the keyring", "environment": "in the environment"}
    rows = [
        (str(venue), words_of.get(str(where), "not known"))
        for venue, where in (found.get("keys") or {}).items()
    ]
    return sorted(rows, key=lambda row: row[1] == "not known")

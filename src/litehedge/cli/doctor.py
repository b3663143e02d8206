"""``litehedge doctor``: everything that is looked at before money depends on it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.markup import escape

from litehedge.cli.alerts import found_places
from litehedge.cli.common import console, settings_from, write_json
from litehedge.cli.market import check_market, client_of, places_of
from litehedge.config import Settings
from litehedge.errors import ArtefactError, ConfigError, UsageError, VenueError, WrongSetup
from litehedge.live.checks import (
    Check,
    account_checks,
    clock_check,
    contract_checks,
    dead_man_check,
    faults,
    machine_checks,
    public_checks,
    room_check,
)
from litehedge.live.checkup import (
    alert_checks,
    cache_check,
    model_checks,
    session_checks,
    settings_checks,
)
from litehedge.live.public import ask_public
from litehedge.live.real import ASK_S, Seen, look
from litehedge.live.setup import tiers_differ, tiers_of
from litehedge.live.sockets import SocketThread
from litehedge.live.sources import VENUES
from litehedge.orders.placing import Placement, setup_faults
from litehedge.shelf.home import home
from litehedge.shelf.models import choose_model
from litehedge.store.bundled import tier_table
from litehedge.units import NS_PER_MINUTE
from litehedge.venues.keys import find_keys

_MARKS: Final = {"ok": "[green]ok[/]   ", "note": "[yellow]note[/] ", "fault": "[red]fault[/]"}


def doctor(
    venue: Annotated[
        list[str] | None,
        typer.Option(help="Ask this venue too, with its keys; give it again for several."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="Settings file. Default: litehedge.toml if it exists.")
    ] = None,
    testnet: Annotated[bool, typer.Option(help="The venues' test networks.")] = False,
    host: Annotated[str, typer.Option(help="Another server that speaks like the venue.")] = "",
    offline: Annotated[
        bool, typer.Option("--offline", help="Look at this machine alone: nobody is asked.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check machine, disk, settings, model, sessions, journals, alerts; with --venue the venue too.

    Of a venue without keys clock and contract are checked, with keys also account, mode and room.
    Exits with 1 when something would forbid live trading. Nothing is changed, no alert is sent.
    """
    for name in venue or []:
        check_market(name)
    if venue and offline:
        raise UsageError("--offline asks no venue", "leave out --venue, or --offline")
    chosen, wrong = _settings(settings)
    checks = [
        *machine_checks(home()),
        cache_check(),
        *(wrong or settings_checks(chosen)),
        *_models(chosen),
        *session_checks(home()),
        *_alerts(chosen, asks_network=not offline),
    ]
    for name in venue or []:
        checks += _venue(chosen, name, host, testnet=testnet)
    if not venue:
        ready = [name for name in VENUES if _has_keys(name)]
        told = f"there are keys for {', '.join(ready)}" if ready else "there are none"
        remedy = "paper needs none; for live: litehedge keys set VENUE"
        checks.append(Check("keys", "ok" if ready else "note", told, "" if ready else remedy))
    if json:
        write_json({"checks": [msgspec.to_builtins(check) for check in checks]}, "-")
    else:
        print_checks(checks)
    if faults(checks):
        raise typer.Exit(1)


def print_checks(checks: list[Check]) -> None:
    """Print one line a check, with what to do where something is not right."""
    for check in checks:
        remedy = f" [dim]({escape(check.remedy)})[/]" if check.remedy else ""
        console.print(
            f"{_MARKS[check.outcome]} {escape(check.name):18} {escape(check.what)}{remedy}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


def look_at(settings: Settings, first: Seen, second: Seen | None = None) -> list[Check]:
    """Judge what venues told: clock, contract, account, and where the hedge is meant to live."""
    location = settings.hedge.location
    checks: list[Check] = []
    side = settings.position.side
    for seen in (first, second):
        if seen is None:
            continue
        is_second = seen is second
        legs = [leg for leg in seen.account.legs if leg.qty_ltc != 0]
        held = max(legs, key=lambda leg: abs(leg.qty_ltc)) if legs else None
        # The hedge's venue is judged by the position's side, which the first one tells.
        if held is not None and not is_second:
            side = "long" if held.qty_ltc > 0 else "short"
        hedge_mode = location == "same_account" or seen.account.hedge_mode
        placement = Placement(side, location, hedge_mode, is_second)
        checks.append(clock_check(seen.client.name, seen.skew_ms))
        checks += contract_checks(seen.contract, _differs(seen))
        checks += account_checks(seen.account, setup_faults(seen.account, placement))
        checks.append(dead_man_check(settings.venue.dead_man_switch, seen.foreign_orders))
        if held is not None and location == "same_account":
            checks.append(room_check(seen.account, held, settings.hedge.max_ratio))
    return checks


def _differs(seen: Seen) -> str:
    try:
        packaged = tier_table(seen.contract.venue, seen.contract.symbol)
    except UsageError:
        return f"no tiers of {seen.contract.venue} ship: backtests use Binance's"
    return tiers_differ(tiers_of(seen.contract), packaged)


def _settings(file: Path | None) -> tuple[Settings, list[Check]]:
    """Return the settings, or those that ship and what is wrong with those that were given."""
    try:
        return settings_from(file), []
    except ConfigError as error:
        lines = error.what.splitlines()
        return Settings(), [Check("settings", "fault", line, "correct it") for line in lines]


def _alerts(settings: Settings, *, asks_network: bool) -> list[Check]:
    url = settings.alerts.heartbeat_url
    try:
        return alert_checks(found_places(), url, asks_network=asks_network)
    except WrongSetup as error:
        return [
            Check("alerts", "fault", error.what, error.remedy),
            *alert_checks([], url, asks_network=asks_network)[1:],
        ]


def _public(settings: Settings, name: str, host: str, *, testnet: bool) -> list[Check]:
    places = places_of(host, testnet=testnet)
    with SocketThread() as thread:
        asked = ask_public(name, settings.venue.symbol, places)
        checks = public_checks(thread.call(asked, ASK_S))
    remedy = f"paper needs none; for live: litehedge keys set {name}"
    return [*checks, Check("keys", "note", f"there are none for {name}", remedy)]


def _venue(settings: Settings, name: str, host: str, *, testnet: bool) -> list[Check]:
    try:
        if not _has_keys(name):
            return _public(settings, name, host, testnet=testnet)
        keys = find_keys(name, os.environ)
        with SocketThread() as thread:
            client = client_of(keys, settings, places_of(host, testnet=testnet), testnet=testnet)
            try:
                return look_at(settings, look(thread, client))
            finally:
                thread.call(client.close())
    except (VenueError, TimeoutError) as error:
        what = getattr(error, "what", "") or f"{name} does not answer"
        return [Check(name, "fault", what, getattr(error, "remedy", "check the network"))]


def _models(settings: Settings) -> list[Check]:
    try:
        chosen = choose_model(settings.model.name, 5 * NS_PER_MINUTE)
    except (ArtefactError, UsageError) as error:
        return [Check("model", "fault", error.what, error.remedy)]
    return model_checks(chosen.card, time.time_ns())


def _has_keys(venue: str) -> bool:
    try:
        find_keys(venue, os.environ)
    except VenueError:
        return False
    return True

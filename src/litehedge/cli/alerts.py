"""``litehedge alerts``: where alerts go, and whether they get there."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from litehedge.cli.common import console, settings_from, write_json
from litehedge.config import Settings
from litehedge.effects import AlertLevel
from litehedge.errors import LitehedgeError, UsageError, WrongSetup
from litehedge.live.running import LogNotifier, Observer
from litehedge.notify.heartbeat import Heartbeat
from litehedge.notify.places import Place, Undelivered, read_places
from litehedge.notify.sender import Alerts, message
from litehedge.notify.sieve import LEVELS, Line, Note, Rules
from litehedge.notify.supervisor import supervisor_of
from litehedge.ports import Notifier
from litehedge.venues.keys import ALERTS, part_or_none

app = typer.Typer(
    help="Where alerts go. Addresses are kept in the keyring (litehedge keys set alerts) or in "
    "LITEHEDGE_ALERTS, never in a file, and never shown; when and what is set under alerts.",
    no_args_is_help=True,
)
SettingsFile = Annotated[
    Path | None, typer.Option(help="Settings file. Default: litehedge.toml if it exists.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SAYS: Final[dict[AlertLevel, str]] = {
    "act_now": "this is a test: an alert that asks you to act looks like this",
    "done": "this is a test: what was done looks like this",
    "digest": "this is a test: the daily digest looks like this",
}


def rules_of(settings: Settings) -> Rules:
    """Return what people want to be told, from the settings."""
    told = settings.alerts
    return Rules(told.least, 60.0 * told.window_min, told.quiet, told.digest_hour)


def found_places() -> list[Place]:
    """Return where alerts go, from environment or keyring.

    Raises
    ------
    WrongSetup
        When an address cannot be read.
    """
    return read_places(part_or_none(ALERTS, "key", os.environ))


@app.command("test")
def send_test(json: AsJson = False) -> None:
    """Send one alert of each level to every place, at once, and say what was taken.

    Neither quiet hours nor levels hold it. Exits with 1 when one was not delivered.
    """
    places = found_places()
    if not places:
        raise UsageError(
            "no place for alerts is set up",
            "run: litehedge keys set alerts; or set LITEHEDGE_ALERTS",
        )
    told = [{"place": place.name, **_try(place)} for place in places]
    is_whole = all(not one["failed"] for one in told)
    if json:
        write_json({"places": told, "delivered": is_whole}, "-")
    else:
        for one in told:
            why = f": {one['why']}" if one["why"] else ""
            console.print(
                f"{one['place']:15} {len(one['taken'])} of {len(LEVELS)} taken{why}",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip
        count = sum(not one["failed"] for one in told)
        console.print(f"{count} of {len(told)} places took every alert", highlight=False)
    if not is_whole:
        raise typer.Exit(1)


def _try(place: Place) -> dict[str, Any]:
    taken: list[str] = []
    failed: list[str] = []
    why = ""
    for rank, level in enumerate(LEVELS):
        now_s = time.time()
        line = Line(rank, rank, Note(now_s, level, _SAYS[level]), 0, now_s)
        try:
            place.send(*message([line], "litehedge test", now_s))
        except Undelivered as error:
            failed.append(level)
            why = str(error)
        else:
            taken.append(level)
    return {"taken": taken, "failed": failed, "why": why}


@app.command("show")
def show(settings: SettingsFile = None, json: AsJson = False) -> None:
    """Say where alerts go and which are sent; addresses stay hidden."""
    chosen = settings_from(settings).alerts
    places = found_places()
    named = bool(os.environ.get("LITEHEDGE_ALERTS", "").strip())
    origin = ("environment" if named else "keyring") if places else ""
    told = {
        "places": [place.name for place in places],
        "from": origin,
        "least": chosen.least,
        "window_min": chosen.window_min,
        "quiet_hours": chosen.quiet_hours,
        "digest_hour": chosen.digest_hour,
        "heartbeat": bool(chosen.heartbeat_url),
    }
    if json:
        write_json(told, "-")
        return
    names = ", ".join(place.name for place in places)
    lines = {
        "places": f"{names} (from the {origin})" if places else "none: the log alone",
        "sent": f"{chosen.least} and what is more urgent" if chosen.least != "act_now" else
        "act_now alone",
        "repetitions": f"counted for {chosen.window_min:g} min",
        "quiet hours": f"{chosen.quiet_hours} UTC" if chosen.quiet_hours else "none",
        "digests": f"at {chosen.digest_hour}:00 UTC",
        "heartbeat": "every minute" if chosen.heartbeat_url else "none",
    }  # fmt: skip
    for name, what in lines.items():
        console.print(f"{name:12} {what}", highlight=False, soft_wrap=True)


# --- for sessions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Telling:
    """How a session tells people: its notifier, and what has to see its events."""

    notifier: Notifier
    observers: list[Observer]


@contextmanager
def telling(settings: Settings, who: str, *, is_real: bool) -> Iterator[Telling]:
    """Bring the alerts of a session to people until the block ends; its end is told too.

    Parameters
    ----------
    who
        Begins every message.
    is_real
        Whether money depends on it: then people must act when it ends.

    Raises
    ------
    WrongSetup
        When an address cannot be read. Nothing was started.
    """
    alerts = Alerts(found_places(), rules_of(settings), who, LogNotifier())
    url = settings.alerts.heartbeat_url
    signs = [sign for sign in (Heartbeat(url) if url else None, supervisor_of(os.environ)) if sign]
    level: AlertLevel = "act_now" if is_real else "done"
    rest = "position and hedge stay as they are" if is_real else "no real money depends on it"
    try:
        yield Telling(alerts, list(signs))
    except Exception as error:
        if isinstance(error, (UsageError, WrongSetup)) and sys.stdin.isatty():
            raise  # somebody sits there and reads it; a service that is started again has nobody
        what = error.what if isinstance(error, LitehedgeError) else type(error).__name__
        alerts.alert(level, f"ended by a failure ({what}): nobody guards now; {rest}")
        raise
    else:
        alerts.alert(level, f"stopped: nobody guards now; {rest}")
    finally:
        for sign in signs:
            sign.close()
        alerts.close()

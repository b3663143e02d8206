"""``litehedge keys``: API keys in the system's keyring."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from litehedge.cli.common import console, write_json
from litehedge.errors import UsageError, WrongSetup
from litehedge.notify.places import read_places
from litehedge.venues.keys import (
    ALERTS,
    WITHOUT_SECRET,
    Keys,
    find_keys,
    forget_keys,
    parts_of,
    store_keys,
    variable,
)
from litehedge.venues.limits import LIMITS

app = typer.Typer(
    help="API keys of your venues and feeds, kept in the system's keyring. They are never printed. "
    "A key needs permission to read and to trade futures; one that can withdraw is refused.",
    no_args_is_help=True,
)
VENUES = (*LIMITS, "litecoin", *sorted(WITHOUT_SECRET))
Venue = Annotated[
    str,
    typer.Argument(
        help=f"One of {', '.join(VENUES)}; litecoin is the login of your node, alerts is where "
        "alerts go."
    ),
]


def check_venue(venue: str) -> str:
    """Return the name of a venue.

    Raises
    ------
    UsageError
        When there is no such venue.
    """
    if venue not in VENUES:
        raise UsageError(f"there is no venue {venue!r}", f"choose one of {', '.join(VENUES)}")
    return venue


@app.command("set")
def set_keys(venue: Venue) -> None:
    """Ask for a venue's keys and keep them in the keyring; what is typed is not shown."""
    check_venue(venue)
    asked = {part: f"{venue} {part}" for part in parts_of(venue)}
    if venue == ALERTS:
        asked = {"key": "addresses of alerts (apprise URLs, blanks between them)"}
    typed = {part: typer.prompt(words, hide_input=True) for part, words in asked.items()}
    stripped = {part: value.strip() for part, value in typed.items()}
    if not all(stripped.values()):
        raise UsageError("a part of the keys is empty", "nothing was kept; try again")
    check = "" if venue not in LIMITS else f"; check them with: litehedge doctor --venue {venue}"
    if venue == ALERTS:
        read_places(stripped["key"])
        check = "; try them with: litehedge alerts test"
    store_keys(Keys(venue, **stripped))
    console.print(f"kept in the keyring{check}")


@app.command("show")
def show_keys(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say for which venues there are keys, and where they come from. No key is shown."""
    known: dict[str, str] = {}
    for venue in VENUES:
        from_environment = [p for p in parts_of(venue) if os.environ.get(variable(venue, p))]
        try:
            find_keys(venue, os.environ)
        except WrongSetup:
            what = "none"
        else:
            what = "environment" if len(from_environment) == len(parts_of(venue)) else "keyring"
        known[venue] = what
    if json:
        write_json({"keys": known}, "-")
        return
    for venue, what in known.items():
        console.print(f"{venue:15} {what}", highlight=False)


@app.command("forget")
def forget(venue: Venue) -> None:
    """Remove a venue's keys from the keyring."""
    removed = forget_keys(check_venue(venue))
    console.print("removed" if removed else f"there were no keys for {venue} in the keyring")

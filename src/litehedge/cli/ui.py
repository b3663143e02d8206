"""``litehedge ui``: the screen, in a process of its own."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated, Final

import typer

from litehedge.shelf.home import home as home_folder

PORT: Final = 8600


def ui(
    port: Annotated[int, typer.Option(help="Port; 0 takes any.")] = PORT,
    folder: Annotated[
        Path | None, typer.Option("--home", help="Home folder. Default: $LITEHEDGE_HOME.")
    ] = None,
    browser: Annotated[
        bool, typer.Option(help="Open the browser, where this machine has one.")
    ] = True,
    demo: Annotated[bool, typer.Option("--demo", hidden=True)] = False,
) -> None:
    """Show the screen: distance to liquidation, forecast, hedge, and how to act.

    It reads what sessions write and hands them what you ask; it reaches no venue and may be
    stopped and started at any time.
    """
    from litehedge.ui.serving import serve

    serve(folder or home_folder(), port, opens=webbrowser.open if browser else None, demo=demo)

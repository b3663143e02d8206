"""``litehedge ui``: the screen, in a process of its own."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated, Literal

import typer

from litehedge.cli.common import console
from litehedge.shelf.home import home as home_folder
from litehedge.ui.binding import PORT


def ui(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any.")] = PORT,
    host: Annotated[
        str, typer.Option(help="Address to listen at. Another than this machine's own needs TLS.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option(help="Another name by which browsers call it, as ltc.tail1234.ts.net."),
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="TLS certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy of yours in front ends TLS.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option("--home", help="Home folder. Default: $LITEHEDGE_HOME.")
    ] = None,
    browser: Annotated[
        bool, typer.Option(help="Open the browser, where this machine has one.")
    ] = True,
    reset: Annotated[
        bool,
        typer.Option("--reset", help="Forget the passphrase, all logins and tokens; begin anew."),
    ] = False,
    token: Annotated[
        str | None, typer.Option(help="Make a token of that name for the API, print it, and end.")
    ] = None,
    scope: Annotated[
        Literal["read", "command"], typer.Option(help="What that token may do.")
    ] = "read",
    tokens: Annotated[bool, typer.Option("--tokens", help="List the tokens, and end.")] = False,
    revoke: Annotated[
        str | None, typer.Option(help="Take the token of that name away, and end.")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", hidden=True)] = False,
    parent: Annotated[int | None, typer.Option("--parent", hidden=True)] = None,
) -> None:
    """Show the screen: distance to liquidation, forecast, hedge, and how to act.

    It reads what sessions write and hands them what you ask; it reaches no venue and may be
    stopped and started at any time. The first time it prints a link that lets you in once.

    From a phone: a tunnel (ssh -L, Tailscale, WireGuard) to this machine's own address, with
    --name, or --cert and --key.
    """
    # NiceGUI takes a second to come: commands that do without it need not wait.
    from litehedge.ui.door import Door
    from litehedge.ui.door import reset as reset_door
    from litehedge.ui.serving import Where, serve

    root = folder or home_folder()
    if reset:
        reset_door(root / "ui")
        console.print("passphrase, logins and tokens are forgotten", highlight=False)
    door = Door(root / "ui", is_demo=demo)
    if token is not None:
        made = door.make_token(token, scope)
        console.print(f"token {token} ({scope}), shown once:", highlight=False)
        console.print(made, highlight=False, soft_wrap=True)
        return
    if revoke is not None:
        door.revoke_token(revoke)
        console.print(f"token {revoke} is revoked", highlight=False)
        return
    if tokens:
        for one in door.tokens():
            console.print(f"{one.name}: {one.scope}", highlight=False)
        return
    where = Where(host, port, tuple(name or ()), cert, key, behind_proxy)
    serve(root, where, says=_say, opens=webbrowser.open if browser else None, demo=demo,
          parent=parent)  # fmt: skip


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)

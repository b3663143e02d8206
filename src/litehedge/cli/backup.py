"""``litehedge backup`` and ``restore``: what cannot be had again, copied and brought back."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from litehedge.cli.common import console, note, progress, write_json
from litehedge.live.session import VARIABLE
from litehedge.report.style import counted
from litehedge.shelf import backup as shelf
from litehedge.shelf.backup import Manifest
from litehedge.shelf.home import home

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def backup(
    target: Annotated[
        Path, typer.Argument(help="Where backups lie, best another disk.", show_default=False)
    ],
    keep: Annotated[
        int, typer.Option(min=0, help="Remove all but the newest so many; 0 keeps all.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Copy journals, models, rules and the screen's login; sessions may run meanwhile.

    What can be fetched or made again is left out: bars, archives, recordings, what training left
    behind. Keys are never in it: they lie in the system's keyring. It holds what your account did,
    and who may enter the screen: keep it where only you can read it.

    Every night:  litehedge backup /mnt/disk/litehedge --keep 14

    Back again:   litehedge restore /mnt/disk/litehedge
    """
    with progress("copying", 1.0) as reach:
        folder, manifest = shelf.back_up(
            home(), target, time.time_ns(), lambda done, of: reach(done / of)
        )
    gone = shelf.prune(target, keep)
    if as_json:
        write_json({**_told(folder, manifest), "removed": [str(path) for path in gone]}, "-")
    else:
        console.print(
            f"[green]{escape(str(folder))}[/]: {_size(manifest)}, read again and sound"
            + (f"; {counted(len(gone), 'older one')} removed" if gone else ""),
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    if os.environ.get(VARIABLE):
        note(["journals on the server are not in it: pg_dump has them"])
    if manifest.unsound:
        note([f"{path} was damaged already, and is copied as it is" for path in manifest.unsound])
        raise typer.Exit(1)


def restore(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A backup, or the folder where they lie: its newest.", show_default=False
        ),
    ],
    replace: Annotated[
        bool, typer.Option(help="Put what is there into a folder beside, and go on.")
    ] = False,
    only_check: Annotated[
        bool, typer.Option("--check", help="Read the backup from end to end; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring a backup back into the home folder, after reading it from end to end.

    A session goes on from where its journal ends: it asks the venue first what it holds, so a
    backup of yesterday misses what was decided since, and nothing that is at the venue.

    Is it good?   litehedge restore /mnt/disk/litehedge --check
    """
    found = shelf.newest(folder)
    aside = None
    with progress("checking", 1.0) as reach:

        def reached(done: int, of: int) -> None:
            reach(done / max(1, of))

        if only_check:
            manifest = shelf.check(found, reached)
        else:
            manifest, aside = shelf.restore(
                found, home(), time.time_ns(), replace=replace, reached=reached
            )
    if as_json:
        write_json({**_told(found, manifest), "aside": None if aside is None else str(aside)}, "-")
        return
    what = "is sound" if only_check else f"is back in {home()}"
    console.print(
        f"[green]{escape(str(found))}[/] of {manifest.made} {escape(what)}: {_size(manifest)}"
        + ("" if aside is None else f"; what was there is in {escape(str(aside))}"),
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    note([f"{path} was damaged when it was copied" for path in manifest.unsound])


def _told(folder: Path, manifest: Manifest) -> dict[str, Any]:
    return {
        "folder": str(folder), "made": manifest.made, "litehedge": manifest.litehedge,
        "files": len(manifest.files), "bytes": sum(kept.size for kept in manifest.files),
        "unsound": manifest.unsound,
    }  # fmt: skip


def _size(manifest: Manifest) -> str:
    size = sum(kept.size for kept in manifest.files)
    return f"{counted(len(manifest.files), 'file')}, {size / 1e6:,.1f} MB"

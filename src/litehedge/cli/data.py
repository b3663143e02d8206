"""``litehedge data``: import, list and check recorded history."""

from __future__ import annotations

import typer

app = typer.Typer(help="Import, list and check recorded history.", no_args_is_help=True)

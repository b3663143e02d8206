"""``litehedge export-schema``: the settings as a JSON schema."""

from __future__ import annotations

from typing import Annotated

import typer

from litehedge.cli.common import write_json
from litehedge.config import json_schema


def export_schema(
    out: Annotated[str, typer.Option(metavar="FILE", help="File; - is the terminal.")] = "-",
) -> None:
    """Write the JSON schema of litehedge.toml, for editors and forms."""
    write_json(json_schema(), out)

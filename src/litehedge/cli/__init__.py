"""The command ``litehedge``: one file per group of commands."""

from litehedge.cli.app import main

__all__ = ["main"]

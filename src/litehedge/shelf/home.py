"""Where everything of a person lies, and where remarks go that end nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import platformdirs
from rich.console import Console

stderr: Final = Console(stderr=True)


def home() -> Path:
    """Return the folder of lake, journals and models: ``$LITEHEDGE_HOME`` or the platform's."""
    configured = os.environ.get("LITEHEDGE_HOME", "")
    return Path(configured) if configured else Path(platformdirs.user_data_dir("litehedge"))

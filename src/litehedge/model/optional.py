"""Libraries of the ``train`` extra, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from litehedge.errors import UsageError


def train_module(module: str) -> Any:
    """Import a module that only training needs, or say how to get it.

    Raises
    ------
    UsageError
        When the ``train`` extra is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UsageError(
            f"training needs {module.partition('.')[0]}",
            "install it with: pip install 'litehedge[train]'",
        ) from None

"""scikit-learn, if the ``train`` extra is installed."""

from __future__ import annotations

from typing import Any

from litehedge.errors import UsageError


def sklearn_module(module: str) -> Any:
    """Import a module of scikit-learn, or say how to get it.

    Raises
    ------
    UsageError
        When the ``train`` extra is not installed.
    """
    try:
        return __import__(f"sklearn.{module}", fromlist=[module])
    except ImportError:
        raise UsageError(
            "training needs scikit-learn", "install it with: pip install 'litehedge[train]'"
        ) from None

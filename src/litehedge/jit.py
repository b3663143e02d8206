"""One typed doorway to numba, so that every hot function is compiled the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` to machine code; the compiled form is cached on disk.

    No ``fastmath``: the same inputs must give the same bits in backtest, paper and live.
    Division by zero follows IEEE (inf or NaN) instead of raising.
    """
    return cast(F, numba.njit(cache=True, error_model="numpy")(function))


def inlined_kernel(function: F) -> F:
    """Compile `function` like `kernel`, pasted into the kernels that call it.

    For the one call that a loop over bars makes in every round, where the call itself would cost
    more than the arithmetic behind it.
    """
    return cast(F, numba.njit(cache=True, error_model="numpy", inline="always")(function))


def parallel_kernel(function: F) -> F:
    """Compile `function` like `kernel`, with ``numba.prange`` loops spread over the cores."""
    return cast(F, numba.njit(cache=True, error_model="numpy", parallel=True)(function))

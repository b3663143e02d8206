"""Whether the conditions of plans hold: the same conditions, read by the same kernel, as rules'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge.rule_kernel import holds
from litehedge.hedge.rules import Rules, write_rules
from litehedge.jit import kernel

if TYPE_CHECKING:
    from litehedge.hedge.terms import Terms

Singles = NDArray[np.float32]


def terms_of_plans(terms: Terms, rules: Rules | None) -> Terms | None:
    """Return terms with the plans where rules would be, ``(1,)``; None where there are no plans."""
    if rules is None or not rules.plans:
        return None
    row = terms.copy()
    write_rules(Rules("", tuple(plan.rule for plan in rules.plans)), float(row["side"][0]), row)
    return row


@kernel
def plans_hold(
    terms: Any, signals: Singles, now_ns: int, ratio: float, equity: float, notional: float,
    equity_left: float, out: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Write which plans' conditions hold into `out` ``(n_rules,)``; arguments as of `holds`.

    Shapes: `terms` ``(1,)`` of `terms.TERMS`, `signals` ``(N_SIGNALS, 1)``.
    """
    for r in range(terms[0].n_rules):
        out[r] = holds(r, terms[0], signals, 0, now_ns, ratio, equity, notional, equity_left)

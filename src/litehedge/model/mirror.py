"""The market in a mirror: falls become rises, longs become shorts.

What happens to longs when price falls happens to shorts when it rises, nearly. A few hundred
squeezes of each side are few, so some of what is learnt from is shown with its sides exchanged:
each side's events then teach the other side too, as far as the two are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from litehedge.features.families import FAMILIES, INDEX, NAMES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]

TURNED: Final = frozenset(
    (
        *(name for name in FAMILIES["price"] if name.startswith("ret_")),
        "down_share_60m", "down_share_240m", "flow_15m", "flow_60m",
        "funding_bps", "funding_mean_bps",
        *(name for name in FAMILIES["btc"] if name.startswith(("btc_ret_", "own_"))),
        "imbalance", "imbalance_near",
        *FAMILIES["premium"], *FAMILIES["funding_venues"], *FAMILIES["crowd"],
        *FAMILIES["whales"], *FAMILIES["sentiment"],
    )
)  # fmt: skip
"""Features whose sign turns."""

EXCHANGED: Final[dict[str, str]] = {
    **{f"squeezing_{a}": f"squeezing_{b}" for a, b in (("down", "up"), ("up", "down"))},
    **{f"squeezed_{a}": f"squeezed_{b}" for a, b in (("down", "up"), ("up", "down"))},
    **{f"since_{a}": f"since_{b}" for a, b in (("down", "up"), ("up", "down"))},
    **{
        f"{kind}_{a}_{h}": f"{kind}_{b}_{h}"
        for kind in ("liq", "largest")
        for a, b in (("long", "short"), ("short", "long"))
        for h in ("15m", "60m")
    },
}
"""Features that take each other's place."""

TURNED_AND_EXCHANGED: Final[dict[str, str]] = {
    f"{a}_{h}": f"{b}_{h}"
    for a, b in (("fall", "rise"), ("rise", "fall"))
    for h in ("60m", "240m", "1440m")
}


class Mirror(NamedTuple):
    """How standardised inputs look in it: ``z' = scale * z[source] + shift``, all ``(input,)``."""

    source: Ints
    scale: Singles
    shift: Singles

    def of(self, z: Singles) -> Singles:
        """Return standardised inputs ``(..., input)`` as the mirror shows them; NaN stays NaN."""
        return self.scale * z[..., self.source] + self.shift


def mirror_of(inputs: Sequence[int], mean: Floats, scale: Floats) -> Mirror:
    """Return the mirror of inputs that are standardised by these.

    A feature whose counterpart is not among the inputs is left as it is.
    """
    place = {feature: column for column, feature in enumerate(inputs)}
    source = np.arange(len(inputs))
    sign = np.ones(len(inputs))
    for column, feature in enumerate(inputs):
        name = NAMES[feature]
        other = EXCHANGED.get(name) or TURNED_AND_EXCHANGED.get(name)
        if other is not None and INDEX[other] in place:
            source[column] = place[INDEX[other]]
            sign[column] = -1.0 if name in TURNED_AND_EXCHANGED else 1.0
        elif name in TURNED:
            sign[column] = -1.0
    shift = (sign * mean[source] - mean) / scale
    return Mirror(
        source, (sign * scale[source] / scale).astype(np.float32), shift.astype(np.float32)
    )

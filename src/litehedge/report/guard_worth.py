"""What guards are worth when the forecaster is wrong: shares of ruined lives with and without.

Lives of one world are not independent, so intervals draw whole worlds; differences are of the same
lives in the same worlds.
"""

from __future__ import annotations

from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from litehedge.blowup.guarded import Kept
from litehedge.blowup.lives import RUIN_SHARE, ruined_at
from litehedge.blowup.minds import Mind
from litehedge.report.metrics import Interval
from litehedge.report.ruin import bootstrap, cvar5, share_interval, unseen
from litehedge.report.style import percent

Lives = NDArray[np.void]
Floats = NDArray[np.float64]

KEPT: Final = {
    Kept.NOTHING: "unhedged",
    Kept.POLICY: "no guards",
    Kept.LIMITS: "limits",
    Kept.ALL: "all guards",
}
ABOUT_KEPT: Final = {
    Kept.NOTHING: "the position as it is",
    Kept.POLICY: "hedged by the policy, every limit opened",
    Kept.LIMITS: "hedged by the policy behind its limits",
    Kept.ALL: "and margin health, stops at the venue, and the parachute",
}
MINDS: Final = {
    Mind.RIGHT: "right", Mind.SILENT: "always 0", Mind.NAN: "nan", Mind.OPPOSITE: "opposite",
}  # fmt: skip
DEFINITION: Final = (
    "Ruined: the first closing by the venue, be it of a part, or a minute that closes with equity "
    f"below {RUIN_SHARE:.0%} of the wallet. Closed: share of the position that guards, stops and "
    "the fallback of a wild market closed; it does not come back."
)


class Worth(TypedDict):
    """Lives of one forecaster behind the same things; amounts are means, shares of the wallet."""

    forecaster: str
    kept: str
    leverage: float  # NaN: all
    lives: int
    ruined: float
    ruined_low: float
    ruined_high: float
    mean_equity: float
    cvar5: float  # of the final equity: mean of the worst 5 %
    hedge: float
    closed: float
    protections: float  # orders of margin health, and stops that fired, per life
    costs: float


class Gain(TypedDict):
    """The lives behind one thing less the same lives behind another, with 90 % intervals."""

    forecaster: str
    kept: str
    than: str
    ruined: float
    ruined_low: float
    ruined_high: float
    mean_equity: float
    equity_low: float
    equity_high: float
    saved: int  # lives that only the first kept
    lost: int  # lives that only the second kept


def worths(lives: Lives) -> list[Worth]:
    """Return a row per forecaster and what kept the lives: all leverages, then each of them."""
    leverages = [float("nan"), *np.unique(lives["leverage"]).tolist()]
    rows: list[Worth] = []
    for mind in Mind:
        for kept in Kept:
            for leverage in leverages:
                some = lives[(lives["wrong"] == mind) & (lives["arm"] == kept)]
                if leverage == leverage:
                    some = some[some["leverage"] == leverage]
                if some.size:
                    rows.append(_worth(some, mind, kept, leverage))
    return rows


def gains(lives: Lives) -> list[Gain]:
    """Return what limits and all guards are worth, for each forecaster."""
    found: list[Gain] = []
    for mind in Mind:
        own = lives[lives["wrong"] == mind]
        for kept, than in ((Kept.LIMITS, Kept.POLICY), (Kept.ALL, Kept.LIMITS),
                           (Kept.ALL, Kept.POLICY)):  # fmt: skip
            one, other = own[own["arm"] == kept], own[own["arm"] == than]
            if one.size:
                found.append(_gain(one, other, mind, kept, than))
    return found


def worth_cells(row: Worth) -> list[str]:
    """Return a row as text, in the order of `WORTH_HEADS`."""
    return [
        row["forecaster"], row["kept"], str(row["lives"]), percent(row["ruined"]),
        f"{percent(row['ruined_low'])} .. {percent(row['ruined_high'])}",
        percent(row["mean_equity"], 0), percent(row["cvar5"], 0), percent(row["hedge"], 0),
        percent(row["closed"], 0), f"{row['protections']:.1f}", percent(row["costs"]),
    ]  # fmt: skip


WORTH_HEADS: Final = (
    "forecaster", "behind", "lives", "ruined", "90 %", "mean equity", "CVaR5", "hedge", "closed",
    "protections", "costs",
)  # fmt: skip
GAIN_HEADS: Final = (
    "forecaster", "behind", "ruined", "90 %", "mean equity", "90 %", "lives saved", "lost",
)  # fmt: skip


def gain_cells(gain: Gain) -> list[str]:
    """Return a difference as text, in the order of `GAIN_HEADS`."""
    ruined = (percent(gain[end], signed=True) for end in ("ruined_low", "ruined_high"))
    equity = (percent(gain[end], signed=True) for end in ("equity_low", "equity_high"))
    return [
        gain["forecaster"], f"{gain['kept']} less {gain['than']}",
        percent(gain["ruined"], signed=True), " .. ".join(ruined),
        percent(gain["mean_equity"], signed=True), " .. ".join(equity),
        str(gain["saved"]), str(gain["lost"]),
    ]  # fmt: skip


def _by_world(lives: Lives, values: NDArray[Any]) -> Floats:
    _, world = np.unique(lives["seed"], return_inverse=True)
    return np.asarray(np.bincount(world, weights=values) / np.bincount(world))


def _is_ruined(lives: Lives) -> NDArray[np.bool_]:
    return ruined_at(lives) >= 0


def _worth(lives: Lives, mind: Mind, kept: Kept, leverage: float) -> Worth:
    rate = _by_world(lives, _is_ruined(lives))
    interval = share_interval(rate)
    acts = lives["protections"] + lives["stops"]
    return Worth(
        forecaster=MINDS[mind], kept=KEPT[kept], leverage=leverage, lives=int(lives.size),
        ruined=float(rate.mean()), ruined_low=interval.low, ruined_high=interval.high,
        mean_equity=float(lives["equity"].mean()),
        cvar5=cvar5(lives["equity"], np.full(lives.size, 1.0 / lives.size)),
        hedge=float(lives["hedge"].mean()), closed=float(lives["closed"].mean()),
        protections=float(acts.mean()), costs=float(lives["costs"].mean()),
    )  # fmt: skip


def _gain(one: Lives, other: Lives, mind: Mind, kept: Kept, than: Kept) -> Gain:
    mine, theirs = _is_ruined(one), _is_ruined(other)
    ruined = _by_world(one, mine) - _by_world(other, theirs)
    bound = unseen(ruined.size)
    interval = bootstrap(ruined) if ruined.any() else Interval(-bound, bound)
    equity = _by_world(one, one["equity"]) - _by_world(other, other["equity"])
    equities = bootstrap(equity)
    return Gain(
        forecaster=MINDS[mind], kept=KEPT[kept], than=KEPT[than], ruined=float(ruined.mean()),
        ruined_low=interval.low, ruined_high=interval.high, mean_equity=float(equity.mean()),
        equity_low=equities.low, equity_high=equities.high,
        saved=int((theirs & ~mine).sum()), lost=int((mine & ~theirs).sum()),
    )  # fmt: skip

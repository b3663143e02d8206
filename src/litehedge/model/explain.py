"""Why a forecast says what it says, as numbers and as a sentence for a person.

Three parts: which families of features raise or lower the probability (`attribution`), when in
the past the network looks (its attention), and which squeezes of history began like this
(`squeeze_index`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.model.attribution import PAIRS, POINTS, Attribution, Probability, attribute
from litehedge.model.squeeze_index import Nearest, SqueezeIndex
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_PEAK, PEAK_EDGES, PEAK_HORIZON_MIN, time_quantile
from litehedge.squeeze.labels import SIDES, SNAPSHOT_MINUTES, Side
from litehedge.squeeze.targets import PHASES
from litehedge.units import iso_utc

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZON_MIN: Final = 30.0
MOST_STRETCHES: Final = 3
MOSTLY_DURING: Final = 0.5
STANDS_OUT: Final = 2.0
"""An age is attended when it gets more than this multiple of an equal share."""
_LEAST_SHARE: Final = 0.05
_BRIDGE: Final = 2  # ages in between that do not part two stretches
_LEAST_POINTS: Final = 0.1
_LEAST_SHARE_OF_EFFECT: Final = 0.1
_LIKE: Final = 1.0 / 3.0  # twice as far as squeezes usually are apart

FAMILY_WORDS: Final = {
    "price": "recent price moves",
    "volatility": "volatility",
    "volume": "trading volume",
    "memory": "squeezes in the last days",
    "funding": "the funding rate",
    "open_interest": "open positions",
    "btc": "Bitcoin",
    "liquidations": "forced orders",
    "largest_liquidations": "large forced orders",
    "book": "the order book",
    "premium": "price against the index",
    "funding_venues": "funding on other venues",
    "crowd": "the ratio of longs to shorts",
    "whales": "large transfers to exchanges",
    "sentiment": "sentiment",
    "calendar": "time of day",
    "age": "delayed data",
    "feed_age": "delayed feeds",
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the past, in minutes ago, and its share of all attention.

    It reaches from `from_min` (the older end) to `to_min` minutes ago.
    """

    from_min: float
    to_min: float
    share: float

    def row(self) -> dict[str, float]:
        """Return the stretch as JSON takes it."""
        return {"from_min": self.from_min, "to_min": self.to_min, "share": self.share}


@dataclass(frozen=True, slots=True)
class Running:
    """A squeeze that seems to be under way, and in how many minutes it peaks.

    Of `low_min`, `median_min` and `high_min` each is infinite where the forecast reaches no
    further than that.
    """

    side: Side
    low_min: float
    median_min: float
    high_min: float

    def row(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "side": self.side,
            "peak_min": [_number(m) for m in (self.low_min, self.median_min, self.high_min)],
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is said about one frame.

    `base_rate` ``(side,)`` is how often a squeeze of that side starts within `horizon_min`
    minutes. `sentences` has one for each side. Half of all attention lies on the last `half_min`
    minutes, NaN when there is none. `running` is the squeeze that seems to run.
    """

    end_ns: int
    horizon_min: float
    attribution: Attribution
    base_rate: Floats
    stretches: tuple[Stretch, ...]
    half_min: float
    nearest: tuple[Nearest, ...]
    sentences: tuple[str, str]
    running: Running | None = None

    def row(self) -> dict[str, Any]:
        """Return the explanation as JSON takes it; what is not a finite number is None."""
        a = self.attribution
        return {
            "end": iso_utc(self.end_ns),
            "horizon_min": self.horizon_min,
            "sides": {
                side: {
                    "probability": _number(a.probability[s]),
                    "base_rate": _number(self.base_rate[s]),
                    "masked": _number(a.masked[s]),
                    "points": {f: _number(p) for f, p in a.ranked(s)},
                    "remainder": _number(a.remainder[s]),
                    "sentence": self.sentences[s],
                }
                for s, side in enumerate(SIDES)
            },
            "running": None if self.running is None else self.running.row(),
            "attention": [stretch.row() for stretch in self.stretches],
            "half_of_attention_min": _number(self.half_min),
            "nearest": [squeeze.row() for squeeze in self.nearest],
        }


def explain(
    end_ns: int,
    probability: Probability,
    window: NDArray[np.floating[Any]],
    family: Ints,
    names: tuple[str, ...],
    attention: NDArray[np.floating[Any]],
    trunk: NDArray[np.floating[Any]],
    index: SqueezeIndex | None,
    *,
    frame_min: float,
    base_rate: Floats,
    seed: int,
    served: Floats | None = None,
    before_ns: int | None = None,
    pairs: int = PAIRS,
    running: Running | None = None,
) -> Explanation:
    """Explain one frame.

    Parameters
    ----------
    probability, window, family, names, served, pairs, seed
        As in `attribution.attribute`.
    attention
        ``(member, age)``, the first age is one frame ago.
    trunk
        ``(hidden,)``, the mean over members.
    base_rate
        ``(side,)``, as a fraction.
    before_ns
        Only squeezes before it are compared with: the time of the frame in a replay.
    running
        The squeeze that seems to be under way.
    """
    attribution = attribute(
        probability, window, family, names, seed=seed, pairs=pairs, served=served
    )
    nearest = () if index is None else index.nearest(trunk, before_ns=before_ns)
    both = [
        sentence(
            side, float(attribution.probability[s]), float(base_rate[s]), attribution.ranked(s),
            nearest, running,
        )
        for s, side in enumerate(SIDES)
    ]  # fmt: skip
    return Explanation(
        end_ns, HORIZON_MIN, attribution, base_rate, attended(attention, frame_min),
        half_of(attention, frame_min), nearest, (both[0], both[1]), running,
    )  # fmt: skip


def attended(
    attention: NDArray[np.floating[Any]], frame_min: float, most: int = MOST_STRETCHES
) -> tuple[Stretch, ...]:
    """Return the most attended stretches of the past, the largest share first.

    A stretch is a run of ages that each get more than `STANDS_OUT` times an equal share, with
    gaps of two ages at most; those with less than a twentieth of all attention are left out.
    Even attention has none.

    Shapes: `attention` ``(member, age)``, the first age is one frame ago.
    """
    mean = np.asarray(attention, dtype=np.float64).mean(axis=0)
    total = mean.sum()
    if not np.isfinite(total) or total <= 0.0:
        return ()
    share = mean / total
    high = np.flatnonzero(share > STANDS_OUT / share.size)
    if high.size == 0:
        return ()
    found = []
    for run in np.split(high, np.flatnonzero(np.diff(high) > _BRIDGE + 1) + 1):
        first, last = int(run[0]), int(run[-1])
        weight = float(share[first : last + 1].sum())
        if weight >= _LEAST_SHARE:
            found.append(Stretch((last + 1) * frame_min, first * frame_min, weight))
    return tuple(sorted(found, key=lambda s: (-s.share, s.to_min))[:most])


def half_of(attention: NDArray[np.floating[Any]], frame_min: float) -> float:
    """Return how many minutes back half of all attention lies, NaN without any.

    Of even attention that is half the past that is looked at.

    Shapes: as `attended`.
    """
    gathered = np.cumsum(np.asarray(attention, dtype=np.float64).mean(axis=0))
    if not np.isfinite(gathered[-1]) or gathered[-1] <= 0.0:
        return float("nan")
    return float(1 + np.searchsorted(gathered, 0.5 * gathered[-1])) * frame_min


def sentence(
    side: Side,
    probability: float,
    base_rate: float,
    ranked: list[tuple[str, float]],
    nearest: tuple[Nearest, ...] = (),
    running: Running | None = None,
) -> str:
    """Say in one to three sentences what runs, how likely a squeeze is, why, and what it resembles.

    Parameters
    ----------
    probability, base_rate
        P(onset within 30 minutes) now and usually, as fractions.
    ranked
        Families with their points, the largest effect first.
    nearest
        Squeezes of history; the first of this side is named if it is near enough.
    running
        Told where it is of this side.
    """
    verb = "falls" if side == "long" else "jumps"
    if not np.isfinite(probability):
        return "Not enough history for a forecast yet."
    usual = ""
    if np.isfinite(base_rate) and base_rate > 0.0:
        usual = f", {_against(probability / base_rate)} the usual {percent(base_rate)}"
    causes = _causes(ranked, probability)
    out = (
        f"Chance that price {verb} in a squeeze within {HORIZON_MIN:.0f} min: "
        f"{percent(probability)}{usual}{causes}."
    )
    if running is not None and running.side == side:
        out = f"{_of_running(running)} {out.replace('a squeeze', 'another squeeze', 1)}"
    like = next((n for n in nearest if n.side == side and n.similarity >= _LIKE), None)
    if like is None:
        return out
    moved = "fell" if side == "long" else "rose"
    return (
        f"{out} It looks like {SNAPSHOT_MINUTES:.0f} min before {iso_utc(like.onset_ns)} UTC, "
        f"when price {moved} {percent(abs(like.move))} in {like.peak_min:.0f} min."
    )


def running_of(
    row: Floats, squeezing: tuple[float, float], during: float = MOSTLY_DURING
) -> Running | None:
    """Tell whether a squeeze seems to run, of which side, and when it peaks.

    It does where the move of the last 15 minutes triggers a squeeze, or where the network holds
    "during" for likelier than everything else. The time is from the 10 % to the 90 % quantile.

    Parameters
    ----------
    row
        The forecast row ``(N_FORECAST,)``.
    squeezing
        Move down and move up of the last 15 minutes over the trigger's threshold; NaN is unknown.
    """
    down, up = np.nan_to_num(squeezing, nan=-np.inf)
    triggered = max(down, up) >= 1.0
    if not triggered and not row[fc.PHASE_AT + PHASES.index("during")] > during:
        return None
    s = int(up > down)
    hazards = row[fc.PEAK_AT + s * N_PEAK : fc.PEAK_AT + (s + 1) * N_PEAK]
    if not np.isfinite(hazards).all():
        return None
    cif = np.asarray(1.0 - np.cumprod(1.0 - hazards), dtype=np.float64)
    low, median, high = (
        float(time_quantile(cif, PEAK_EDGES, share / cif[-1])) if cif[-1] >= share else np.inf
        for share in (0.1, 0.5, 0.9)
    )
    return Running(SIDES[s], low, median, high)


def _of_running(running: Running) -> str:
    what, where = ("fall", "low") if running.side == "long" else ("jump", "high")
    if np.isinf(running.low_min):
        when = f"not within {PEAK_HORIZON_MIN:.0f} min"
    elif np.isinf(running.high_min):
        when = f"in {running.low_min:.0f} min or more"
    else:
        when = f"in {running.low_min:.0f} to {running.high_min:.0f} min"
    if np.isfinite(running.median_min):
        when += f", about {running.median_min:.0f}"
    return f"A squeeze seems to run: the {what} should reach its {where} {when}."


def percent(share: float) -> str:
    """Write a share with two figures: ``0.8 %``, ``12 %``; ``under 0.1 %`` when tiny."""
    value = 100.0 * share
    if value < 0.1:
        return "under 0.1 %"
    return f"{value:.1f} %" if value < 9.95 else f"{value:.0f} %"


def _against(ratio: float) -> str:
    if ratio > 100.0:
        return "over 100 times"
    if ratio >= 1.95:
        return f"{ratio:.1f} times" if ratio < 9.95 else f"{ratio:.0f} times"
    if ratio >= 1.25:
        return "above"
    return "about" if ratio > 0.8 else "below"


def _causes(ranked: list[tuple[str, float]], probability: float) -> str:
    """Name at most two families that raise it and one that lowers it."""
    least = max(_LEAST_POINTS, _LEAST_SHARE_OF_EFFECT * POINTS * probability)
    told = [(FAMILY_WORDS.get(f, f), p) for f, p in ranked if abs(p) >= least]
    up = [f"{name} ({points:+.1f} points)" for name, points in told if points > 0.0][:2]
    down = [f"{name} ({points:+.1f} points)" for name, points in told if points < 0.0][:1]
    parts = [f"raised by {' and '.join(up)}"] if up else []
    parts += [f"lowered by {down[0]}"] if down else []
    return "; " + ", ".join(parts) if parts else ""


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

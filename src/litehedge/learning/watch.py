"""The watch over a model: is it as good here as its card says, and does it know this market?

Each finding asks one thing, and says ``fine``, ``watch`` or ``drift``; below a stated number it
says that there is too little. What would alarm by chance alone is stated with it:

- **skill** (AUC within 30 minutes, by side): `drift` where the 90 % interval seen here lies below
  that of the card, `watch` where the value does. Of a skill that has not changed the intervals
  part so in at most one case of twenty, in one of a hundred where both are equally wide. The Brier
  skill says `watch` at most: here it is measured against the base rate of what was seen, on a card
  against that of training.
- **coverage**: how many of the last `COVERAGE_EVENTS` squeezes lay in their interval of 80 per
  cent; so few or fewer come by chance in one look of twenty (`watch`), in one of a thousand
  (`drift`), at most.
- **inputs**: share of the last `INPUT_DAYS` days of which the model was half as sure as it can be
  or less: a market unlike training, members that disagree, features missing or of odd size.
- **age**: days to its expiry.

The standing changes only when the same is found in `WORSE` looks in a row (`BETTER` for the way
back), so that one odd look neither alarms nor calms.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.learning.past import Past
from litehedge.learning.steps import missed_by, seen_by
from litehedge.model.artefact import Card, Score
from litehedge.model.measures.measure import measure, scores_of
from litehedge.model.measures.strata import CALM_TO_WILD
from litehedge.model.measures.trial import Trial, base_rates
from litehedge.squeeze import conformal as cf
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.labels import SIDES
from litehedge.squeeze.times import squeeze_times
from litehedge.units import NS_PER_DAY, instant_ns, iso_utc

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST_EVENTS: Final = 10
COVERAGE_EVENTS: Final = 20
COVERAGE_CHANCE: Final = (0.05, 0.001)
INPUT_DAYS: Final = 7.0
UNSURE: Final = 0.5
UNSURE_SHARES: Final = (0.1, 0.25)
STALE_DAYS: Final = 14.0
WORSE: Final = 2
BETTER: Final = 3
HORIZON: Final = 30
JUDGED: Final = ("auc", "brier_skill")


class Word(enum.StrEnum):
    """A verdict, from good to bad."""

    FEW = "too little yet"
    FINE = "fine"
    WATCH = "watch"
    DRIFT = "drift"


_RANK: Final = {Word.FEW: 0, Word.FINE: 1, Word.WATCH: 2, Word.DRIFT: 3}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at, its verdict, and in words."""

    about: str
    word: Word
    text: str
    value: float | None = None


class Stratum(msgspec.Struct, frozen=True):
    """A kind of market: frames, squeezes, and the skill in it where there were enough."""

    name: str
    frames: int
    events: int
    scores: dict[str, Score]


class Look(msgspec.Struct, frozen=True):
    """One look at a model."""

    time_ns: int
    model: str
    frames: int
    events: int
    findings: list[Finding]
    strata: list[Stratum]

    @property
    def word(self) -> Word:
        """The worst of what was found."""
        return max((f.word for f in self.findings), key=_RANK.__getitem__, default=Word.FEW)

    @property
    def why(self) -> str:
        """What made it the worst."""
        return "; ".join(f.text for f in self.findings if f.word is self.word)


class Fit(msgspec.Struct, frozen=True):
    """How a model stands after looks in a row: the word that counts.

    `other` is what was found instead in the last `in_a_row` looks.
    """

    model: str
    word: Word
    since_ns: int
    look: Look
    other: Word = Word.FEW
    in_a_row: int = 0


def stands(before: Fit | None, look: Look) -> Fit:
    """Return how a model stands after one more look.

    The same market looked at twice counts once, and the first look never alarms.
    """
    if before is None or before.model != look.model:
        if look.word is Word.DRIFT:
            return Fit(look.model, Word.WATCH, look.time_ns, look, Word.DRIFT, 1)
        return Fit(look.model, look.word, look.time_ns, look)
    if look.time_ns <= before.look.time_ns:
        return msgspec.structs.replace(before, look=look)
    if look.word is before.word:
        return Fit(look.model, before.word, before.since_ns, look)
    count = before.in_a_row + 1 if look.word is before.other else 1
    is_worse = _RANK[look.word] > _RANK[before.word]
    if count >= (WORSE if is_worse else BETTER):
        return Fit(look.model, look.word, look.time_ns, look)
    return Fit(look.model, before.word, before.since_ns, look, look.word, count)


def look_at(
    past: Past, model: str, card: Card | None, now_ns: int, edges: Floats | None = None
) -> Look:
    """Look at a model on what it lived through.

    Parameters
    ----------
    card
        Of the model; None where it has none: then its skill is not judged.
    edges
        Of calm, usual and wild log volatility ``(2,)``; None: the terciles of what was seen.
    """
    seen = seen_by(past, past.squeezes(), model, past.now_ns)
    findings = [age_of(card, now_ns)]
    if not seen.which.size:
        return Look(past.now_ns, model, 0, 0, findings, [])
    times = squeeze_times(seen.asked)
    trial = Trial.of(times, seen.end_ns)
    events = trial.events(0) + trial.events(1)
    findings += skill_of(trial, seen.hazards, card)
    held = [missed_by(seen, q, [(0, cf.TARGET)]) for q in seen.squeezes
            if q.onset_ns >= seen.end_ns[0]]  # fmt: skip
    findings.append(coverage_of([1.0 - m for m in held if m is not None]))
    findings.append(inputs_of(past.end_ns[seen.which], past.rows[seen.which, fc.CONFIDENCE_AT]))
    strata = strata_of(trial, seen.hazards, past.read[seen.which, 0], edges)
    return Look(past.now_ns, model, int(seen.which.size), events, findings, strata)


def skill_of(trial: Trial, hazards: Floats, card: Card | None) -> list[Finding]:
    """Hold what was foretold here against the intervals of the card."""
    rates = base_rates(trial.times, trial.end_ns)
    found = []
    for side, one in zip(SIDES, measure(trial, hazards, rates, only=JUDGED)[:2], strict=True):
        scores = scores_of(one.drawn)
        for name in JUDGED:
            key = f"{name}_{HORIZON}"
            told = None if card is None else card.scores.get(f"{key}_{side}")
            about = f"{name.replace('_', ' ')}, {side}"
            here = scores.get(key)
            if one.events < LEAST_EVENTS or here is None or told is None:
                few = f"{about}: {one.events} squeezes, {LEAST_EVENTS} are needed"
                few = few if told is not None else f"{about}: the card does not tell"
                found.append(Finding(about, Word.FEW, few))
                continue
            found.append(_compared(about, here, told))
    return found


def _compared(about: str, here: Score, told: Score) -> Finding:
    word = Word.FINE
    if here.value < told.low:
        is_sure = about.startswith("auc") and here.high < told.low
        word = Word.DRIFT if is_sure else Word.WATCH
    text = (
        f"{about}: {here.value:.3f} ({here.low:.3f} to {here.high:.3f}) here, "
        f"{told.value:.3f} ({told.low:.3f} to {told.high:.3f}) on its card"
    )
    return Finding(about, word, text, here.value)


def coverage_of(held: Sequence[float]) -> Finding:
    """Judge how many of the last squeezes lay in their interval.

    Parameters
    ----------
    held
        The share of each squeeze's intervals that held it, in order of time.
    """
    last = [round(share) for share in held[-COVERAGE_EVENTS:]]
    n, covered = len(last), sum(last)
    about = "coverage"
    if n < LEAST_EVENTS:
        text = f"intervals: {n} squeezes, {LEAST_EVENTS} are needed"
        return Finding(about, Word.FEW, text)
    chance = at_most(covered, n, 1.0 - cf.TARGET)
    word = Word.FINE
    if chance <= COVERAGE_CHANCE[0]:
        word = Word.DRIFT if chance <= COVERAGE_CHANCE[1] else Word.WATCH
    text = f"intervals of 80% held {covered} of the last {n} squeezes"
    return Finding(about, word, text, covered / n)


def at_most(k: int, n: int, p: float) -> float:
    """Return the probability of at most k of n, each with probability p."""
    return sum(math.comb(n, i) * p**i * (1.0 - p) ** (n - i) for i in range(k + 1))


def inputs_of(end_ns: Ints, confidence: Floats) -> Finding:
    """Judge in how much of the last days the model was unsure of what it saw."""
    recent = end_ns > end_ns[-1] - INPUT_DAYS * NS_PER_DAY
    sure = confidence[recent]
    about = "inputs"
    if end_ns[-1] - end_ns[0] < NS_PER_DAY:
        return Finding(about, Word.FEW, "inputs: less than a day was seen")
    share = float((sure <= UNSURE).mean())
    word = Word.FINE
    if share > UNSURE_SHARES[0]:
        word = Word.DRIFT if share > UNSURE_SHARES[1] else Word.WATCH
    text = f"inputs: the model was unsure of what it saw {share:.0%} of the last days"
    return Finding(about, word, text, share)


def age_of(card: Card | None, now_ns: int) -> Finding:
    """Judge how old a model is."""
    about = "age"
    if card is None:
        return Finding(about, Word.FEW, "age: it has no card")
    lived = [s for s in card.trained_on if not s.is_simulated]
    days = (now_ns - max(instant_ns(s.end) for s in lived)) / NS_PER_DAY if lived else None
    told = "" if days is None else f"its data ends {days:.0f} days ago"
    if card.expires_ns is None:
        return Finding(about, Word.FINE, f"age: {told or 'it learnt from simulated worlds'}, "
                       "and it never expires", days)  # fmt: skip
    left = (card.expires_ns - now_ns) / NS_PER_DAY
    word = Word.FINE if left > STALE_DAYS else Word.DRIFT if left <= 0.0 else Word.WATCH
    when = f"it expired {-left:.0f} days ago" if left <= 0.0 else f"it expires in {left:.0f} days"
    return Finding(about, word, f"age: {told}, {when}", days)


def strata_of(
    trial: Trial, hazards: Floats, log_volatility: Floats, edges: Floats | None
) -> list[Stratum]:
    """Return the skill by calm, usual and wild markets; it informs, and alarms nobody."""
    known = log_volatility[np.isfinite(log_volatility)]
    if not known.size:
        return []
    if edges is None:
        edges = np.quantile(known, [1 / 3, 2 / 3])
    tercile = np.where(np.isfinite(log_volatility), np.searchsorted(edges, log_volatility), -1)
    rates = base_rates(trial.times, trial.end_ns)
    found = []
    for number, name in enumerate(CALM_TO_WILD):
        mask = tercile == number
        if not mask.any():
            continue
        scores: dict[str, Score] = {}
        events = 0
        for side, one in zip(
            SIDES, measure(trial[mask], hazards[mask], rates, only=JUDGED)[:2], strict=True
        ):
            events += one.events
            if one.events >= LEAST_EVENTS:
                told = scores_of(one.drawn)
                scores |= {f"{n}_{side}": told[f"{n}_{HORIZON}"] for n in JUDGED
                           if f"{n}_{HORIZON}" in told}  # fmt: skip
        found.append(Stratum(name, int(mask.sum()), events, scores))
    return found


def in_a_line(standing: Fit, now_ns: int) -> str:
    """Say how a model stands, since when, why, and what was looked at."""
    look = standing.look
    said = f"{standing.word} since {iso_utc(standing.since_ns)[:10]}"
    if look.word is not standing.word:
        said += f"; the last look says {look.word}"
    days = (now_ns - look.time_ns) / NS_PER_DAY
    return f"{said}: {look.why} ({look.events} squeezes, until {days:.0f} days ago)"

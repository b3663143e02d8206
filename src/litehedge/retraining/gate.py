"""The gate: may a challenger take the champion's place? A pure function of what both foretold.

Both were asked about the same frames, which came after the challenger was made, and both hedged
the same positions. The challenger is promoted when nothing speaks against it:

- enough was seen, and it spoke wherever the champion did;
- in no kind of market its right-censored log-loss is worse than the champion's by more than the
  margin, or surely worse at all; on the frozen crises together it is within the margin at worst;
- at equal CVaR its hedges are not surely worth less, and not less by more than a margin (that
  they are worth more takes years to prove: ADR 0028);
- its log-loss is better. How much better it must be grows with the number of challengers that
  were ever judged: the luckiest of many worthless ones looks good.

Uncertainty is of whole blocks of days in which everything hangs together, drawn together for both
(`measures.blocks`). Few blocks make a bootstrap too sure; Student's distribution with so many
degrees of freedom stands for the normal one, and the spread is that of a sample.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.model.artefact import Score
from litehedge.model.measures.blocks import Drawn, ratio, summed
from litehedge.model.measures.likelihood import log_loss
from litehedge.model.measures.trial import Trial
from litehedge.model.optional import train_module
from litehedge.report.contest.overfitting import luckiest_sharpe
from litehedge.retraining.outcome import Outcomes, better_at_equal_risk, draws_of
from litehedge.squeeze.times import Times
from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DRAWS: Final = 400
LEAST_BLOCKS: Final = 3
LEAST_EVENTS: Final = 3
"""A kind of market that was met in fewer stretches, or with fewer squeezes, says nothing yet."""


class Terms(msgspec.Struct, frozen=True):
    """What the gate asks for; shares unless a unit is named.

    Enough is `least_days` or `least_events` squeezes, and never less than `fewest_events`.
    `margin` is by how much of the champion's log-loss a challenger may be worse anywhere;
    `level` how sure its gain must be before luck is counted; `silent` how many of the champion's
    frames it may leave without a word; after `most_days` without a proof it is given up.
    """

    least_days: float = 14.0
    least_events: int = 10
    fewest_events: int = 5
    most_days: float = 120.0
    margin: float = 0.10
    crisis_margin: float = 0.05
    outcome_margin: float = 0.01
    level: float = 0.95
    silent: float = 0.01


class Reason(enum.StrEnum):
    """All that can speak against a challenger."""

    FEW = "few"  # too little was seen since it was made
    SEEN = "seen"  # it learnt from what it would be judged on
    SILENT = "silent"  # it says nothing where the champion speaks
    STRATUM = "stratum"  # worse in a kind of market
    CRISIS = "crisis"  # worse in the frozen crises
    SKILL = "skill"  # not better at foretelling, or luck would do as well
    OUTCOME = "outcome"  # its hedges are not worth more at equal risk
    GIVEN_UP = "given_up"  # it had its time and proved nothing


class Finding(msgspec.Struct, frozen=True):
    """One thing that speaks against a challenger; `is_final` when more days cannot change it."""

    reason: Reason
    words: str
    is_final: bool = False


class Gain(msgspec.Struct, frozen=True):
    """By which share the challenger's log-loss is smaller in one kind of market or crisis.

    `worst` and `best` are the ends of what it might be; `worst` is None where too little was seen.
    """

    name: str
    events: int
    gain: float
    worst: float | None
    best: float = 0.0


Decision = Literal["promote", "wait", "refuse"]


class Verdict(msgspec.Struct, frozen=True):
    """What the gate decided, and on what grounds.

    `tried` counts the judgements so far, this one among them; `needed` is how many standard
    errors a gain had to be above zero, for skill and outcome each in its own blocks; `skill` is
    the share of log-loss saved, `outcome` in wallets per position, both with 90 % intervals.
    """

    decision: Decision
    findings: list[Finding]
    days: float
    events: int
    tried: int
    needed: float | None
    skill_errors: float | None
    outcome_errors: float | None
    skill: Score | None
    outcome: Score | None
    strata: list[Gain]
    crises: list[Gain]
    suite: str = ""

    def words(self) -> str:
        """Say it in one line."""
        if self.decision == "promote":
            assert self.skill is not None
            assert self.outcome is not None
            return (
                f"passed the gate: log-loss {self.skill.value:.1%} smaller, hedges worth "
                f"{self.outcome.value:+.2%} of a wallet more at equal risk, in {self.days:.0f} "
                f"days with {self.events} squeezes; {self.tried} judged so far"
            )
        what = "not yet" if self.decision == "wait" else "refused"
        return f"{what}: " + "; ".join(f.words for f in self.findings)


@dataclass(frozen=True, slots=True)
class Watched:
    """Two models over the same frames of one market, and what came.

    Shapes: `end_ns` ``(frame,)``; `champion`, `challenger` hazards ``(frame, side, 13)``; `kinds`
    ``(frame,)`` each.
    """

    name: str
    end_ns: Ints
    times: Times
    champion: Floats
    challenger: Floats
    kinds: dict[str, Bools]
    outcomes: Outcomes

    @property
    def days(self) -> float:
        """How long it was watched: frames that are there, not the gaps between them."""
        if self.end_ns.size < 2:
            return 0.0
        step = float(np.median(np.diff(self.end_ns)))
        return self.end_ns.size * step / NS_PER_DAY


def judge(
    shadow: Watched, crises: Sequence[Watched], *, tried: int, terms: Terms, seed: int,
    suite: str = "",
) -> Verdict:  # fmt: skip
    """Judge a challenger.

    Parameters
    ----------
    shadow
        What both said of frames that neither could know.
    crises
        The frozen crises; their dates follow one another without overlap.
    tried
        How many judgements there were, this one among them; at least 1.
    seed
        Of the bootstrap.

    Raises
    ------
    UsageError
        When SciPy is missing.
    """
    findings = spoken(shadow, crises, terms)
    if any(f.is_final for f in findings):
        return unmeasured(findings, shadow.days, tried, suite)
    paired = Paired.of(shadow, seed)
    if not is_enough(paired, terms):
        few = Finding(
            Reason.FEW,
            f"{shadow.days:.1f} days with {paired.events} squeezes since it was made; "
            f"{asked_for(terms)}",
        )
        return unmeasured([few], shadow.days, tried, suite)
    gain, sure = paired.gain(), terms.level
    needed = errors_needed(tried, paired.blocks, sure)
    outcome = better_at_equal_risk(shadow.outcomes, paired.drawn_positions())
    skill_errors = gain.value / paired.spread(gain)
    outcome_errors = outcome.value / paired.spread(outcome)
    if not skill_errors >= needed:
        findings.append(
            Finding(
                Reason.SKILL,
                f"its log-loss is {gain.value:+.1%} better, {skill_errors:.1f} standard errors; "
                f"{needed:.1f} are needed after {tried} judgements",
                is_final=skill_errors < -errors_needed(1, paired.blocks, sure),
            )
        )
    is_worse = outcome_errors < -errors_needed(1, paired.blocks, sure)
    if is_worse or not outcome.value >= -terms.outcome_margin:
        findings.append(
            Finding(
                Reason.OUTCOME,
                f"at equal risk its hedges are worth {outcome.value:+.2%} of a wallet more, "
                f"{outcome_errors:.1f} standard errors; the margin is {-terms.outcome_margin:.1%}",
                is_final=is_worse,
            )
        )
    strata = [paired.within(name, mask, sure) for name, mask in shadow.kinds.items()]
    findings += [_worse(Reason.STRATUM, s, terms.margin) for s in strata if _is_worse(s, terms)]
    told = _crises(crises, terms, seed)
    findings += told[1]
    if findings and shadow.days > terms.most_days and not any(f.is_final for f in findings):
        findings.append(
            Finding(Reason.GIVEN_UP, f"nothing was proved in {shadow.days:.0f} days", True)
        )
    decision: Decision = "promote"
    if findings:
        decision = "refuse" if any(f.is_final for f in findings) else "wait"
    return Verdict(
        decision, findings, shadow.days, paired.events, tried, needed, skill_errors,
        outcome_errors if math.isfinite(outcome_errors) else None, gain.score(),
        outcome.score(), strata, told[0], suite,
    )  # fmt: skip


def errors_needed(tried: int, blocks: int, level: float) -> float:
    """Return how many standard errors above zero a gain must be.

    As for the deflated Sharpe ratio (Bailey and Lopez de Prado 2014) the luckiest of so many
    worthless challengers is expected to reach `luckiest_sharpe`; what is above it must be sure at
    `level`. The probability of that is then asked of Student's distribution, since the spread is
    known from `blocks` blocks alone.

    Raises
    ------
    UsageError
        When SciPy is missing.
    """
    errors = NormalDist().inv_cdf(level) + luckiest_sharpe(tried, 1.0)
    stats: Any = train_module("scipy.stats")
    return float(stats.t.isf(1.0 - NormalDist().cdf(errors), max(blocks - 1, 1)))


@dataclass(frozen=True, slots=True)
class Paired:
    """Losses of both on the same frames, and the draws of blocks that both share.

    Shapes: `champion` and `challenger` ``(frame,)``, NaN where nothing is asked.
    """

    watched: Watched
    trial: Trial
    champion: Floats
    challenger: Floats

    @classmethod
    def of(cls, watched: Watched, seed: int) -> Paired:
        """Pair them; frames on which one of the two is silent are left out."""
        trial = Trial.of(watched.times, watched.end_ns, draws=DRAWS, seed=seed)
        one, other = (_summed_loss(trial, h) for h in (watched.champion, watched.challenger))
        both = np.isfinite(one) & np.isfinite(other)
        return cls(watched, trial, np.where(both, one, np.nan), np.where(both, other, np.nan))

    @property
    def blocks(self) -> int:
        """How many blocks were drawn from."""
        return self.trial.counts.shape[0]

    @property
    def events(self) -> int:
        """Squeezes of both sides that frames waited for."""
        return self.trial.events(0) + self.trial.events(1)

    def gain(self, mask: Bools | None = None) -> Drawn:
        """Return by which share the challenger's loss is smaller, in every draw."""
        asked = np.isfinite(self.champion) & (True if mask is None else mask)
        block, counts = self.trial.block, self.trial.counts
        saved = summed(np.where(asked, self.champion - self.challenger, 0.0), block, counts)
        return ratio(saved, summed(np.where(asked, self.champion, 0.0), block, counts))

    def spread(self, drawn: Drawn, blocks: int | None = None) -> float:
        """Return the standard error of a measure; infinite where there is none."""
        n = self.blocks if blocks is None else blocks
        known = drawn.draws[np.isfinite(drawn.draws)]
        if known.size < 2 or n < 2 or not np.isfinite(drawn.value):
            return math.inf
        spread = float(known.std(ddof=1)) * math.sqrt(n / (n - 1))
        return spread if spread > 0.0 else math.inf

    def within(self, name: str, mask: Bools, level: float) -> Gain:
        """Return the gain within a kind of market."""
        asked = mask & np.isfinite(self.champion)
        blocks = int(np.unique(self.trial.block[asked]).size)
        some = self.trial[asked]
        events = some.events(0) + some.events(1) if asked.any() else 0
        gain = self.gain(mask)
        if blocks < LEAST_BLOCKS or not np.isfinite(gain.value):
            return Gain(name, events, gain.value if np.isfinite(gain.value) else 0.0, None)
        spread = self.spread(gain, blocks)
        off = 0.0 if spread == math.inf else spread * errors_needed(1, blocks, level)
        return Gain(name, events, gain.value, gain.value - off, gain.value + off)

    def drawn_positions(self) -> Any:
        """Return the draws for positions: each belongs to the block in which it was opened."""
        opens = self.watched.outcomes.opens_ns
        at = np.minimum(np.searchsorted(self.watched.end_ns, opens), self.trial.block.size - 1)
        return draws_of(self.trial.block[at], self.trial.counts)


def _summed_loss(trial: Trial, hazards: Floats) -> Floats:
    loss = log_loss(trial, hazards)
    known = np.isfinite(loss).any(axis=1)
    return np.where(known, np.nansum(loss, axis=1), np.nan)


def is_enough(paired: Paired, terms: Terms) -> bool:
    """Tell whether enough was seen to judge at all."""
    long_enough = paired.events >= terms.least_events or paired.watched.days >= terms.least_days
    return long_enough and paired.events >= terms.fewest_events and paired.blocks >= LEAST_BLOCKS


def asked_for(terms: Terms) -> str:
    """Say how much has to be seen."""
    return (
        f"{terms.least_days:g} days or {terms.least_events} squeezes are asked for, and "
        f"{terms.fewest_events} squeezes in any case"
    )


def _is_worse(one: Gain, terms: Terms) -> bool:
    seen = one.worst is not None and one.events >= LEAST_EVENTS
    return seen and (one.gain < -terms.margin or one.best < 0.0)


def _worse(reason: Reason, one: Gain, margin: float) -> Finding:
    return Finding(
        reason,
        f"{one.name}: its log-loss is {one.gain:+.1%} better, and might be {one.worst or 0.0:+.1%}"
        f"; the margin is {-margin:.1%}",
        is_final=one.worst is not None and one.best < 0.0,
    )


def spoken(shadow: Watched, crises: Sequence[Watched], terms: Terms) -> list[Finding]:
    """Refuse what says nothing, or nonsense, where the champion speaks."""
    findings = []
    for one in (shadow, *crises):
        spoke = np.isfinite(one.champion).all(axis=(1, 2))
        words = one.challenger[spoke]
        sane = (np.isfinite(words) & (words >= 0.0) & (words <= 1.0)).all(axis=(1, 2))
        if spoke.any() and (~sane).mean() > terms.silent:
            findings.append(
                Finding(
                    Reason.SILENT,
                    f"{one.name}: it has no sane forecast of {(~sane).mean():.1%} of the frames "
                    "that the champion spoke of",
                    True,
                )
            )
    return findings


def _crises(crises: Sequence[Watched], terms: Terms, seed: int) -> tuple[list[Gain], list[Finding]]:
    """Hold the challenger against the champion on the frozen crises, all of them together."""
    if not crises:
        return [], []
    whole = joined(crises)
    paired = Paired.of(whole, seed)
    found = [paired.within(name, mask, terms.level) for name, mask in whole.kinds.items()]
    together = paired.within("the frozen crises", np.ones(whole.end_ns.size, np.bool_), terms.level)
    findings = []
    if together.worst is None or together.worst < -terms.crisis_margin:
        findings.append(_worse(Reason.CRISIS, together, terms.crisis_margin))
    one, other = (draws_of(np.zeros(v.size, np.int64), np.ones((1, 1))).worst_means(v, 20)[0]
                  for v in (whole.outcomes.challenger, whole.outcomes.champion))  # fmt: skip
    if one < other - terms.outcome_margin:
        findings.append(
            Finding(
                Reason.CRISIS,
                f"in the frozen crises the worst 5 % of its positions lose {-one:.1%} of a wallet, "
                f"the champion's {-other:.1%}; the margin is {terms.outcome_margin:.1%}",
                True,
            )
        )
    return [*found, together], findings


def joined(some: Sequence[Watched]) -> Watched:
    """Return spans that follow one another as one; each is a kind of market of its own."""
    sizes = [w.end_ns.size for w in some]
    owner = np.repeat(np.arange(len(some)), sizes)
    times = Times(
        np.concatenate([w.times.minutes for w in some]),
        np.concatenate([w.times.happened for w in some]),
        np.concatenate([w.times.at_risk for w in some]),
        some[0].times.competing,
    )
    return Watched(
        "the frozen crises",
        np.concatenate([w.end_ns for w in some]), times,
        np.concatenate([w.champion for w in some]), np.concatenate([w.challenger for w in some]),
        {w.name: np.asarray(owner == i) for i, w in enumerate(some)},
        Outcomes.joined([w.outcomes for w in some]),
    )  # fmt: skip


def unmeasured(findings: list[Finding], days: float, tried: int, suite: str = "") -> Verdict:
    """Return a verdict for which nothing needed to be measured."""
    decision: Decision = "refuse" if any(f.is_final for f in findings) else "wait"
    return Verdict(
        decision, findings, days, 0, tried, None, None, None, None, None, [], [], suite
    )  # fmt: skip

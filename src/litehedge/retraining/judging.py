"""The challenger before the gate, and the champion on probation: what the registry is told.

A challenger that passes takes the champion's place, and running sessions take it as they take any
new champion. One that is refused stays registered and challenges no more. A champion that took its
place lately is watched against the one before it, and that one comes back when the new one fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from litehedge.errors import UsageError
from litehedge.model import artefact
from litehedge.retraining.gate import (
    Finding,
    Paired,
    Reason,
    Terms,
    Verdict,
    Watched,
    asked_for,
    errors_needed,
    is_enough,
    judge,
    spoken,
    unmeasured,
)
from litehedge.retraining.shadow import Hedging, shadow_run
from litehedge.retraining.suite import FROZEN, Crisis, digest_of, frozen_crises, real_crises
from litehedge.shelf.lineage import fits
from litehedge.squeeze.forecast import Forecaster
from litehedge.store.lake import Dataset, Lake
from litehedge.store.registry import Registry
from litehedge.store.versions import Change, Version
from litehedge.training.samples import PURGE_NS
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND, describe_ns, instant_ns

WHO: Final = "the gate"
AGAIN: Final = 1.5
"""A challenger is judged again when it was watched for so many times as long as before."""
ALARM: Final = 0.05
"""A new champion may be so much worse than the one before it, in share of its log-loss."""
HEAVY: Final = 0.5
HEAVY_DAYS: Final = 2.0
"""So much worse is an alarm after two days, however few the stretches."""

Say = Callable[[str], None]


class Judged(NamedTuple):
    """A verdict, of whom, and the change of champion that followed, if one did."""

    verdict: Verdict
    challenger: Version
    champion: Version
    change: Change | None


@dataclass(frozen=True, slots=True)
class Court:
    """Everything that a judgement needs but the moment."""

    registry: Registry
    lake: Lake
    dataset: Dataset
    hedging: Hedging
    terms: Terms
    suite: Sequence[Crisis] = FROZEN
    seed: int = 0
    say: Say = lambda what: None

    def pair(self, frame_s: int) -> tuple[Version, Version]:
        """Return champion and challenger of frames of that length.

        Raises
        ------
        UsageError
            When one of them is missing.
        """
        frames = describe_ns(frame_s * NS_PER_SECOND)
        champion = self.registry.holder("champion", frame_s)
        challenger = self.registry.holder("challenger", frame_s)
        if challenger is None:
            raise UsageError(
                f"there is no challenger for frames of {frames}", "make one: litehedge retrain"
            )
        if champion is None:
            raise UsageError(
                f"there is no champion for frames of {frames}",
                "name one first: litehedge models promote NAME",
            )
        return champion, challenger

    def judge(self, frame_s: int, now_ns: int) -> Judged:
        """Judge the challenger; promote it where it passes, withdraw it where it is refused.

        Raises
        ------
        ArtefactError
            When one of the two cannot be loaded. Nothing was changed.
        RegistryError
            When the registry cannot be read or changed.
        UsageError
            When there is nobody to be judged.
        """
        champion, challenger = self.pair(frame_s)
        start_ns = challenger.time_ns + PURGE_NS
        seen = _seen(challenger, start_ns)
        if seen is not None:
            verdict = unmeasured([seen], 0.0, self._tried(frame_s))
            return self._carried_out(verdict, challenger, champion, now_ns)
        models = (self._loaded(champion), self._loaded(challenger))
        self.say("the shadow run")
        shadow = shadow_run(self.lake, self.dataset, models, self.hedging, start_ns, now_ns)
        if shadow is None or not is_enough(Paired.of(shadow, self.seed), self.terms):
            days = 0.0 if shadow is None else shadow.days
            few = Finding(
                Reason.FEW,
                f"{days:.1f} days were recorded since it was made; {asked_for(self.terms)}",
            )
            verdict = unmeasured([few], days, self._tried(frame_s))
            return Judged(verdict, challenger, champion, None)
        frame_ns = frame_s * NS_PER_SECOND
        crises = frozen_crises(models, self.hedging, frame_ns, self.suite, self.say)
        crises += real_crises(models, self.hedging, self.lake, self.dataset, start_ns, self.say)
        self.say("judging")
        verdict = judge(
            shadow, crises, tried=self._tried(frame_s), terms=self.terms, seed=self.seed,
            suite=digest_of(self.suite, max(frame_ns, NS_PER_MINUTE)),
        )  # fmt: skip
        return self._carried_out(verdict, challenger, champion, now_ns)

    def _tried(self, frame_s: int) -> int:
        return self.registry.judgements(frame_s) + 1

    def _loaded(self, version: Version) -> Forecaster:
        folder = self.registry.folder(version)
        found: Forecaster = artefact.load(folder, version.frame_s * NS_PER_SECOND).forecaster
        return found

    def _carried_out(
        self, verdict: Verdict, challenger: Version, champion: Version, now_ns: int
    ) -> Judged:
        """Write the judgement down, then do what it says."""
        words = verdict.words()
        self.registry.note_judgement(challenger, champion, now_ns=now_ns, who=WHO, why=words)
        change = None
        if verdict.decision == "promote":
            fits(self.registry.folder(challenger))
            change = self.registry.promote(challenger, now_ns=now_ns, who=WHO, why=words)
        elif verdict.decision == "refuse":
            self.registry.withdraw(challenger)
        return Judged(verdict, challenger, champion, change)

    def is_due(self, frame_s: int, now_ns: int) -> bool:
        """Tell whether a judgement could say more than the last one: half as much again was seen.

        Every judgement is counted, so that looking oftener only asks for more.
        """
        challenger = self.registry.holder("challenger", frame_s)
        if challenger is None or self.registry.holder("champion", frame_s) is None:
            return False
        watched_ns = now_ns - challenger.time_ns
        before = [
            c.time_ns - challenger.time_ns
            for c in self.registry.history(frame_s, most=1000)
            if c.act == "judge" and c.version.key == challenger.key
        ]
        return not before or watched_ns >= AGAIN * max(before)

    def watch_champion(self, frame_s: int, now_ns: int) -> Change | None:
        """Bring the previous champion back where the one that took its place fails.

        Raises
        ------
        ArtefactError
            When one of the two cannot be loaded. Nothing was changed.
        RegistryError
            When the registry cannot be read or changed.
        """
        held = {h.role: h for h in self.registry.held(frame_s)}
        if not {"champion", "previous"} <= set(held):
            return None
        serving, before = held["champion"], held["previous"]
        models = (self._loaded(before.version), self._loaded(serving.version))
        shadow = shadow_run(self.lake, self.dataset, models, self.hedging, serving.time_ns, now_ns)
        trouble = None if shadow is None else alarm(shadow, self.seed)
        if trouble is None:
            return None
        why = f"{serving.version.label} failed in service: {trouble}"
        return self.registry.roll_back(frame_s, now_ns=now_ns, who=WHO, why=why)


def alarm(shadow: Watched, seed: int) -> str | None:
    """Return what is wrong with a champion that serves, held against the one before it.

    `shadow` has the one before as champion and the one that serves as challenger. It is an alarm
    when the log-loss is worse by more than `ALARM`, and surely worse; or by more than `HEAVY`
    after `HEAVY_DAYS`; or when it says nothing where the other one speaks.
    """
    mute = spoken(shadow, (), Terms())
    if mute:
        return mute[0].words
    paired = Paired.of(shadow, seed)
    gain = paired.gain()
    if not math.isfinite(gain.value) or gain.value >= -ALARM:
        return None
    told = f"its log-loss is {-gain.value:.1%} worse in {shadow.days:.1f} days"
    if gain.value < -HEAVY and shadow.days >= HEAVY_DAYS:
        return told
    if paired.blocks < 2:
        return None
    errors = gain.value / paired.spread(gain)
    return told if errors <= -errors_needed(1, paired.blocks, 0.95) else None


def _seen(challenger: Version, start_ns: int) -> Finding | None:
    """Refuse a challenger whose card says that it learnt from what it would be judged on."""
    ends = [instant_ns(s.end) for s in challenger.card.trained_on if not s.is_simulated]
    if ends and max(ends) > start_ns:
        late = (max(ends) - start_ns) / NS_PER_DAY
        return Finding(
            Reason.SEEN,
            f"its card says that it learnt from {late:.1f} days of what it would be judged on",
            True,
        )
    return None

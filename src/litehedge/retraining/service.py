"""Retraining as a process of its own: once, or for good, on a schedule and on triggers."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from litehedge.errors import ArtefactError, LitehedgeError
from litehedge.model import artefact
from litehedge.model.optional import train_module
from litehedge.retraining.judging import Court, Judged
from litehedge.retraining.learner import Recipe, learn_on
from litehedge.retraining.living import lived_of
from litehedge.retraining.state import StateFile
from litehedge.retraining.triggers import Cause, Fired, Lived, TriggerTerms, fired, is_over
from litehedge.shelf.lineage import fits, lineage_of, promote
from litehedge.shelf.models import auto_folders
from litehedge.store.lake import Dataset
from litehedge.store.versions import Change, Version
from litehedge.tape import per_frame_of
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND, iso_utc

log = logging.getLogger("litehedge.retraining")

WHO: Final = "the retraining"
NICE: Final = 19
LOOK_MINUTES: Final = 60
MONTH_DAYS: Final = 31
LOOK_BACK_DAYS: Final = 120
"""Triggers look at so much of what the champion said."""
PATIENCE_DAYS: Final = 45
"""A challenger is not replaced so long: else none would ever be watched long enough."""
REST_DAYS: Final = 14
"""A cause counts once in so many days: a retraining does not make another one."""

Clock = Callable[[], int]


def yield_to_others() -> None:
    """Give this process the lowest priority: sessions trade on this machine."""
    os.nice(NICE)


@dataclass(slots=True)
class Service:
    """Retrains, judges, and watches the champion of one length of frames.

    Parameters
    ----------
    court
        Registry, lake and gate; its data set is what shadow runs are of.
    datasets
        What is learnt from.
    now_ns
        The clock.
    """

    court: Court
    datasets: Sequence[Dataset]
    state: StateFile
    now_ns: Clock
    recipe: Recipe = field(default_factory=Recipe)
    triggers: TriggerTerms = field(default_factory=TriggerTerms)
    reread: Callable[[], tuple[Dataset, list[Dataset]]] | None = None

    @property
    def frame_s(self) -> int:
        """Length of the frames, in seconds."""
        interval_ns = self.court.dataset.interval_ns
        return interval_ns * per_frame_of(interval_ns) // NS_PER_SECOND

    def champion(self) -> Version:
        """Return the champion; what serves without one is promoted, so that it can come back.

        Raises
        ------
        ArtefactError
            When nothing serves frames of this length.
        RegistryError
            When the registry cannot be read or changed.
        """
        found = self.court.registry.holder("champion", self.frame_s)
        if found is not None:
            return found
        for folder in auto_folders(self.frame_s * NS_PER_SECOND):
            return promote(folder.name, "it served already", by=WHO).version
        raise ArtefactError(
            f"nothing serves frames of {self.frame_s} s", "train a model first: litehedge train"
        )

    def retrain(self, cause: Cause, words: str = "", until_ns: int | None = None) -> Version:
        """Let the champion learn on from all that is there, and register the challenger.

        Raises
        ------
        LitehedgeError
            With what went wrong; the registry is as it was, and what was read is remembered.
        """
        now_ns = self.now_ns()
        until_ns = now_ns if until_ns is None else until_ns
        champion = self.champion()
        self._note(step="beginning", share=0.0, cause=str(cause), began_ns=now_ns, trouble="")
        try:
            folder = self.state.work / "challenger"
            card = learn_on(
                self.court.lake, self.datasets, self.court.registry.folder(champion),
                champion.name, folder, self.state.work, until_ns=until_ns,
                created=iso_utc(now_ns)[:10], recipe=self.recipe, told=self._told,
            )  # fmt: skip
            fits(folder)
            why = f"retrained: {words or cause}"
            made = self.court.registry.register(
                folder,
                champion.name,
                lineage_of(card, champion.id),
                now_ns=self.now_ns(),
                who=WHO,
                why=why,
            )
        except LitehedgeError as error:
            self._note(step="", trouble=error.what)
            raise
        self._note(step="", share=1.0, acted=f"{made.label} challenges {champion.label}")
        return made

    def judge(self) -> Judged:
        """Judge the challenger now, and keep the verdict where people see it.

        Raises
        ------
        LitehedgeError
            With what went wrong; nothing was changed.
        """
        now_ns = self.now_ns()
        self._note(step="judging", share=0.0, trouble="")
        try:
            found = self.court.judge(self.frame_s, now_ns)
        except LitehedgeError as error:
            self._note(step="", trouble=error.what)
            raise
        self._note(
            step="", verdict=found.verdict, verdict_ns=now_ns,
            labels=[found.challenger.label, found.champion.label],
            acted=f"{found.challenger.label}: {found.verdict.words()}",
        )  # fmt: skip
        return found

    def watch_champion(self) -> Change | None:
        """Roll back where a new champion fails.

        Raises
        ------
        LitehedgeError
            With what went wrong; nothing was changed.
        """
        change = self.court.watch_champion(self.frame_s, self.now_ns())
        if change is not None:
            self._note(acted=f"rolled back: {change.why}")
        return change

    def causes(self) -> tuple[list[Fired], Lived | None]:
        """Return why a retraining is due, but for the schedule, and what it was seen in.

        Raises
        ------
        LitehedgeError
            With what went wrong.
        """
        now_ns = self.now_ns()
        champion = self.champion()
        loaded = artefact.load(
            self.court.registry.folder(champion), champion.frame_s * NS_PER_SECOND
        )
        since_ns = max(champion.time_ns, now_ns - LOOK_BACK_DAYS * NS_PER_DAY)
        lived = lived_of(self.court.lake, self.court.dataset, loaded.forecaster, since_ns, now_ns)
        if lived is None:
            return [], None
        rested_ns = max(self.state.read().began_ns, now_ns - REST_DAYS * NS_PER_DAY)
        return fired(lived, self.triggers, rested_ns), lived

    @property
    def is_challenged(self) -> bool:
        """Whether a challenger is in its shadow run, and may stay there."""
        one = self.court.registry.holder("challenger", self.frame_s)
        return one is not None and self.now_ns() - one.time_ns < PATIENCE_DAYS * NS_PER_DAY

    def look(self) -> None:
        """Watch the champion, judge the challenger, retrain where a cause was met.

        What goes wrong is told and tried again at the next look; nothing of it ends the watch, and
        a session that trades notices nothing.
        """
        for act in (self._read_again, self.watch_champion, self._judge_if_due, self._if_caused):
            try:
                act()
            except LitehedgeError as error:
                self._note(trouble=error.what)
                log.warning("%s: %s", error.what, error.remedy)
            except Exception as error:  # a defect here must not end the watch
                self._note(trouble=f"{type(error).__name__}: {error}")
                log.exception("a look of the retraining failed")

    def monthly(self) -> None:
        """Retrain because a month is over."""
        try:
            self._read_again()
            if not self.is_challenged:
                self.retrain(Cause.SCHEDULE)
        except LitehedgeError as error:
            log.warning("%s: %s", error.what, error.remedy)

    def _read_again(self) -> None:
        if self.reread is not None:
            dataset, self.datasets = self.reread()
            self.court = Court(
                self.court.registry, self.court.lake, dataset, self.court.hedging,
                self.court.terms, self.court.suite, self.court.seed, self.court.say,
            )  # fmt: skip

    def _judge_if_due(self) -> None:
        if self.court.is_due(self.frame_s, self.now_ns()):
            self.judge()

    def _if_caused(self) -> None:
        if self.is_challenged:
            return
        found, lived = self.causes()
        if found and lived is not None and is_over(lived.squeezes, self.now_ns()):
            self.retrain(found[0].cause, "; ".join(f.words for f in found))

    def _told(self, what: str, share: float) -> None:
        self._note(step=what, share=share)
        self.court.say(what)

    def _note(self, **changes: Any) -> None:
        self.state.note(told_ns=self.now_ns(), **changes)


def run_for_good(service: Service, *, day: int = 1, hour: int = 3) -> None:
    """Watch until the process is told to end: every hour a look, every month a retraining.

    A month that was missed, as by a machine that slept, is made up for at the start.

    Raises
    ------
    UsageError
        When the ``train`` extra is missing.
    """
    blocking: Any = train_module("apscheduler.schedulers.blocking")
    cron: Any = train_module("apscheduler.triggers.cron")
    scheduler = blocking.BlockingScheduler(timezone=UTC)
    once = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
    monthly = cron.CronTrigger(day=day, hour=hour, timezone=UTC)
    # One thread: a look and a retraining never write at once.
    scheduler.add_executor(train_module("apscheduler.executors.pool").ThreadPoolExecutor(1))
    scheduler.add_job(service.monthly, monthly, id="monthly", **once)
    scheduler.add_job(
        service.look, "interval", minutes=LOOK_MINUTES, id="look",
        next_run_time=datetime.now(UTC), **once,
    )  # fmt: skip
    if is_overdue(service.state.read().began_ns, service.now_ns()):
        scheduler.add_job(service.monthly, id="missed", **once)

    def tell_next(event: object = None) -> None:
        following = monthly.get_next_fire_time(None, datetime.now(UTC))
        service.state.note(next_ns=int(following.timestamp()) * NS_PER_SECOND)

    tell_next()
    events: Any = train_module("apscheduler.events")
    scheduler.add_listener(tell_next, events.EVENT_JOB_EXECUTED)
    try:
        scheduler.start()
    finally:
        service.state.note(next_ns=0, step="")


def is_overdue(began_ns: int, now_ns: int) -> bool:
    """Tell whether a month has passed since the last retraining; never before the first."""
    return began_ns > 0 and now_ns - began_ns > MONTH_DAYS * NS_PER_DAY + NS_PER_HOUR

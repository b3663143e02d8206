"""What was learnt outside is offered to a running session, from the file beside its journal.

A thread of its own looks at the file. When it is taken up is the engine's to say (`lessons`).
Whatever goes wrong here, the session goes on by what it has.
"""

from __future__ import annotations

import logging
from pathlib import Path

from litehedge.effects import Effect, ModelChange
from litehedge.engine_state import State
from litehedge.learning.kept import offered_in, watch_in
from litehedge.live.funnel import Funnel
from litehedge.live.offering import LOOK_S, Offering
from litehedge.market import events as ev
from litehedge.squeeze.learnt import SHIPPED

log = logging.getLogger("litehedge.live")


class Lessons(Offering):
    """Offers to a session what was learnt from it. Use it as a context manager.

    Parameters
    ----------
    folder
        Of the session.
    is_used
        Whether the session goes by what was learnt; of the watch it hears anyway.
    look_s
        How often it looks, in seconds.
    """

    def __init__(
        self, state: State, funnel: Funnel, folder: Path, *, is_used: bool, look_s: float = LOOK_S
    ) -> None:
        super().__init__("lessons", "what was learnt", funnel, look_s)
        self._serving = state.fixed.forecaster.id
        self._in_force = SHIPPED
        self._watch = ""
        self._folder = folder
        self._is_used = is_used

    def __call__(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        """Note which model serves; an observer of the run."""
        for effect in effects:
            if isinstance(effect, ModelChange):
                self._serving, self._in_force = effect.after, SHIPPED

    def look(self) -> None:
        """Look once; offer what is new of the model that serves."""
        lesson = offered_in(self._folder) if self._is_used else None
        standing = watch_in(self._folder)
        values: tuple[float, ...] = ()
        number, why = 0, ""
        is_ours = lesson is not None and lesson.model == self._serving
        if lesson is not None and is_ours and tuple(lesson.values) != self._in_force:
            values, number, why = tuple(lesson.values), lesson.number, lesson.why
        watch, detail = "", ""
        if standing is not None and standing.model == self._serving:
            watch = str(standing.word) if str(standing.word) != self._watch else ""
            detail = standing.look.why
        if not values and not watch:
            return
        now_ns = self._funnel.now_ns()
        self._funnel.put(
            ev.LessonOffered(
                now_ns, now_ns, self._serving, values, number, why, watch, detail if watch else ""
            )
        )
        self._in_force = values or self._in_force
        self._watch = watch or self._watch
        log.info("learning: %s", why or f"the watch says {watch}")

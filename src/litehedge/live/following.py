"""Following the champion: a session that chooses by itself takes another model while it runs.

A thread of its own looks into the registry, loads what should take over and lets it live through
the last frames. The engine's thread is handed a model that is ready; when it takes over is the
engine's to say (`succession`). Whatever goes wrong here, the session goes on with the model it has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from litehedge.effects import Effect, ModelChange
from litehedge.engine_state import State
from litehedge.errors import ArtefactError, LitehedgeError
from litehedge.live.funnel import Funnel
from litehedge.live.offering import LOOK_S, Offering
from litehedge.market import events as ev
from litehedge.model import artefact
from litehedge.model.artefact import Artefact
from litehedge.model.probe import probe
from litehedge.squeeze.history import Mind, warmed
from litehedge.units import iso_utc

log = logging.getLogger("litehedge.live")

END_S: Final = 5.0
RETRY_LOOKS: Final = 12
"""A model that could not be used is tried again after so many looks."""


class Candidate(NamedTuple):
    """What the registry says should serve: its id, how people name it, its folder, why.

    `folder` checks that the artefact is there and whole.
    """

    model_id: str
    label: str
    folder: Callable[[], Path]
    why: str


class Following(Offering):
    """Offers the champion to a running session. Use it as a context manager.

    Parameters
    ----------
    find
        Returns what should serve, None where nobody says; raises what keeps it from doing so.
    look_s
        How often it looks, in seconds.
    """

    def __init__(
        self, state: State, funnel: Funnel, find: Callable[[], Candidate | None],
        look_s: float = LOOK_S,
    ) -> None:  # fmt: skip
        # A registry on a server may hang.
        super().__init__("champion", "a new champion", funnel, look_s, END_S)
        fixed, history = state.fixed, state.history
        if history is None:
            raise ValueError("a session that follows keeps its history")
        self._frame_ns, self._phases, self._history = fixed.frame_ns, fixed.per_frame, history
        self._find = find
        self._serving = fixed.forecaster.id
        self._offered = self._serving
        self._is_troubled = False
        self._failed = ""
        self._looks_left = 0
        self._minds: dict[str, Mind] = {}

    def __call__(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        """Note which model serves; an observer of the run."""
        for effect in effects:
            if isinstance(effect, ModelChange):
                self._serving = effect.after

    def mind(self, offered: ev.ModelOffered) -> Mind | None:
        """Return the model that an offer speaks of; it belongs to the engine from then on."""
        return self._minds.pop(offered.model_id, None)

    def look(self) -> None:
        """Look once; offer what should serve and does not."""
        try:
            found = self._find()
        except LitehedgeError as error:
            self._tell(f"the champion of the registry cannot be read: {error.what}")
            return
        self._tell("")
        if found is None or found.model_id == self._offered:
            return
        if found.model_id == self._serving:  # what was offered meanwhile is not wanted any more
            self._offered = self._serving
            self._put(ev.ModelOffered(0, 0, found.model_id))
            return
        if found.model_id == self._failed and self._looks_left > 0:
            self._looks_left -= 1
            return
        try:
            self._offer(found)
        except LitehedgeError as error:
            self._looks_left = RETRY_LOOKS
            if found.model_id != self._failed:
                self._failed = found.model_id
                why = f"the new champion {found.label} cannot be used: {error.what}"
                self._put(ev.ModelOffered(0, 0, found.model_id, trouble=why))

    def _offer(self, found: Candidate) -> None:
        folder = found.folder()
        loaded = load_ready(folder, self._frame_ns, self._funnel.now_ns())
        if loaded.id != found.model_id:
            raise ArtefactError(f"{folder} holds {loaded.id}, not {found.model_id}")
        rows = self._history.to_feed()
        from_ns, to_ns = (int(rows.end_ns[0]), int(rows.end_ns[-1])) if rows.end_ns.size else (0, 0)
        self._minds[loaded.id] = warmed(loaded.forecaster, self._phases, rows)
        self._offered, self._failed = loaded.id, ""
        self._put(
            ev.ModelOffered(0, 0, loaded.id, str(folder), found.why, from_ns=from_ns, to_ns=to_ns)
        )

    def _tell(self, trouble: str) -> None:
        """Tell people once that the registry cannot be read, and once that it can be again."""
        if bool(trouble) != self._is_troubled:
            self._is_troubled = bool(trouble)
            self._put(ev.ModelOffered(0, 0, "", trouble=trouble))

    def _put(self, event: ev.ModelOffered) -> None:
        now_ns = self._funnel.now_ns()
        stamped = ev.ModelOffered(
            now_ns, now_ns, event.model_id, event.folder, event.why, event.from_ns, event.to_ns,
            event.trouble,
        )  # fmt: skip
        self._funnel.put(stamped)
        log.info("model: %s", event.trouble or f"{event.model_id} is offered")


def load_ready(folder: Path, frame_ns: int, now_ns: int) -> Artefact:
    """Load a model that is to serve, and feed it made-up frames.

    Raises
    ------
    ArtefactError
        When it is damaged, made for other features, labels or frames, breaks its word, or is too
        old to say anything.
    """
    loaded = artefact.load(folder, frame_ns)
    probe(loaded.forecaster, frame_ns)
    expires_ns = loaded.card.expires_ns
    if expires_ns is not None and expires_ns < now_ns:
        raise ArtefactError(f"it expired on {iso_utc(expires_ns)[:10]}, and would say nothing")
    return loaded

"""What every event carries, and events that are neither of the market nor of an account."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """What every event carries."""

    event_ns: int
    known_ns: int


class FeedHealth(Event, frozen=True, tag="feed_health", gc=False):
    """How a source of events is, whenever that changes: for people, nothing is decided by it.

    `state` is one of `ports.Health`; `bad` counts messages that could not be read and `failures`
    how often it went stale or down, both since the session began.
    """

    source: str
    state: str
    detail: str = ""
    bad: int = 0
    failures: int = 0


class LessonOffered(Event, frozen=True, tag="lesson_offered", gc=False):
    """What was learnt outside about the forecasts of a model: all `values` at once, or none.

    They are in the order of `squeeze.learnt.NAMES`; `number` is that of the last update in them.
    `watch` is what the watch over the model says, ``fine``, ``watch`` or ``drift``, "" for nothing
    new; `detail` tells why.
    """

    model_id: str
    values: tuple[float, ...] = ()
    number: int = 0
    why: str = ""
    watch: str = ""
    detail: str = ""


class ModelOffered(Event, frozen=True, tag="model_offered", gc=False):
    """Another model is to take over, which lies loaded in the shell: `model_id`, from `folder`.

    It was let live through the frames that ended from `from_ns` to `to_ns`, so that a replay can do
    the same. One that serves already is no news: what waited is left. `trouble` tells why a model
    that should take over, or the registry, cannot be used; "" with no model: it can be again.
    """

    model_id: str
    folder: str = ""
    why: str = ""
    from_ns: int = 0
    to_ns: int = 0
    trouble: str = ""

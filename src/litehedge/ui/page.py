"""One open page, and the small pieces that pages are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nicegui import run, ui

from litehedge.ui.watching import Home, Watching
from litehedge.ui.watching import meant as session_meant

Answer = TypeVar("Answer")
Sayings = Callable[[], dict[str, Any]]


@dataclass(slots=True)
class Page:
    """One open page: which session it shows, and what was pushed to it."""

    home: Home
    at: str
    watching: Watching | None
    says: list[Sayings] = field(default_factory=list)
    pushes: list[Callable[[], str]] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)

    def push(self) -> None:
        """Send what changed since the last push, and nothing else."""
        if self.watching is not None:
            self.watching.want()
        now: dict[str, Any] = {}
        for say in self.says:
            now |= say()
        news = {
            key: newer(self.said.get(key), value)
            for key, value in now.items()
            if self.said.get(key) != value
        }
        self.said |= now
        scripts = [script for push in self.pushes if (script := push())]
        ui.run_javascript(f"window.hg?.now({packed(news)});{''.join(scripts)}")


def newer(before: Any, now: Any) -> Any:
    """Return a list as what came in front of the one before, where it is that; else as it is."""
    if not (isinstance(before, list) and isinstance(now, list) and before):
        return now
    for count in range(len(now)):
        if now[count:] == before[: len(now) - count]:
            return {"fresh": now[:count], "most": len(now)}
    return now


def packed(value: Any) -> str:
    """Return data as JavaScript that may stand in a script."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


async def meant(home: Home, session: str) -> Watching | None:
    """Return the session that a page was asked for; "" is the one that people mean."""
    return await session_meant(home, session or None)


async def aside(ask: Callable[..., Answer], *given: Any) -> Answer:
    """Return what `ask` answers, asked in a thread: pages go on meanwhile."""
    # Without a thread pool, as the server ends, nothing would be answered.
    answer: Answer = await run.io_bound(ask, *given)  # type: ignore[assignment]
    return answer


def say(key: str, css: str = "", tag: str = "span") -> ui.element:
    """Return an element whose text the server says under `key`."""
    return ui.element(tag).classes(css).props(f'data-hg-text="{key}"')


def words(text: str, css: str = "", tag: str = "div") -> ui.element:
    """Return an element with a text that does not change."""
    element = ui.element(tag).classes(css)
    with element:
        ui.label(text)
    return element


@contextmanager
def card(title: str = "", css: str = "", key: str = "") -> Iterator[ui.element]:
    """Begin a card with a heading, which the server may say under `key`."""
    with ui.element("section").classes(f"hg-card {css}") as element:
        if key:
            say(key, tag="h2")
        elif title:
            with ui.element("h2"):
                ui.label(title)
        yield element

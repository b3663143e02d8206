"""What every page has: header, places, HALT, and the one timer that pushes what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from nicegui import ui

from litehedge.ui import view
from litehedge.ui.adjust import Adjust
from litehedge.ui.page import Page, say
from litehedge.ui.theme import CSS

PUSH_S: Final = 0.5
PLACES: Final = (
    ("/", "Desk", "show_chart"),
    ("/why", "Why", "psychology"),
    ("/map", "Map", "whatshot"),
    ("/builder", "Builder", "account_tree"),
    ("/reports", "Reports", "assessment"),
    ("/models", "Models", "model_training"),
    ("/settings", "Settings", "tune"),
)
ON_PHONE: Final = ("/", "/why", "/builder")
"""Places in the bar of a phone; the others are behind More."""


HEAD: Final = """<script src="/static/hg.js"></script>
<link rel="manifest" href="/static/app.webmanifest" crossorigin="use-credentials">
<meta name="theme-color" content="#0e1420">
<meta name="apple-mobile-web-app-capable" content="yes">"""


@contextmanager
def framed(page: Page) -> Iterator[Adjust]:
    """Begin a page: everything inside stands between header and bar; then it is kept fresh.

    Yields the sheets with which a person acts.
    """
    ui.add_css(CSS)
    ui.add_head_html(HEAD)
    ui.dark_mode(True)
    adjust = Adjust(page)
    watching = page.watching
    if watching is not None:
        one = watching
        page.says.append(
            lambda: (
                view.header(one.seen, age_s=one.age_s, runs=one.runs, over=one.aside.over)
                | adjust.says()
            )
        )
    else:
        page.says.append(lambda: {"age_s": 0.0, "mode": "NO SESSION", "trading": ""})
    _header(page)
    with ui.element("div").classes("hg-page").props('id="main"'):
        with (
            ui.element("div").classes("hg-stale").props('data-hg-show="stale" hidden role="alert"')
        ):
            say("stale_text")
        for key in ("over", "held_by", "warming"):
            with ui.element("div").classes("hg-note").props(f'data-hg-show="{key}" hidden'):
                say(key)
        yield adjust
    _bar(page, adjust)
    ui.timer(PUSH_S, page.push)


def _header(page: Page) -> None:
    names = page.home.names()
    is_choice = len(names) > 1 and page.watching is not None
    with ui.element("header").classes("hg-top hg-many" if is_choice else "hg-top"):
        with ui.element("a").classes("hg-skip").props('href="#main"'):
            ui.label("Skip to the page")
        with ui.element("h1"):
            ui.label("litehedge")
        if is_choice and page.watching is not None:
            now = page.watching.session.name
            ui.select(
                names, value=now,
                on_change=lambda e: ui.navigate.to(f"{page.at}?session={e.value}"),
            ).props('dense outlined dark aria-label="Session" options-dense')  # fmt: skip
        say("age", "hg-age").props('data-hg-state="age_state" role="status"')
        say("mode", "hg-badge").props('data-hg-state="mode"')
        say("trading", "hg-badge").props('data-hg-state="trading" data-hg-show="trading"')


def _bar(page: Page, adjust: Adjust) -> None:
    session = f"?session={page.watching.session.name}" if page.watching else ""
    with ui.element("nav").classes("hg-bar").props('aria-label="Places"'):
        for address, name, icon in PLACES:
            css = "" if address in ON_PHONE else "hg-wide"
            _place(address + session, name, icon, is_here=address == page.at, css=css)
        with ui.element("button").classes("hg-place hg-narrow").props('aria-label="More places"'):
            ui.icon("more_horiz")
            ui.label("More")
            with ui.menu().props("dark"):
                for address, name, icon in PLACES:
                    if address not in ON_PHONE:
                        with ui.menu_item(on_click=_goes(address + session)).classes(
                            "hg-more-item"
                        ):
                            ui.icon(icon).classes("q-mr-md")
                            ui.label(name)
        with (
            ui.element("button").classes("hg-button hg-halt").props('id="halt"')
            .on("click", adjust.open_halt)
        ):  # fmt: skip
            ui.label("HALT")


def _place(address: str, name: str, icon: str, *, is_here: bool, css: str) -> None:
    here = ' aria-current="page"' if is_here else ""
    with ui.element("a").classes(f"hg-place {css}").props(f'href="{address}"{here}'):
        ui.icon(icon)
        ui.label(name)


def _goes(address: str) -> Callable[[], None]:
    return lambda: ui.navigate.to(address)

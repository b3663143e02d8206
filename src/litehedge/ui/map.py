"""Map: where leverage would break, what the book holds, and whether the feeds can be trusted."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass, field
from typing import Any, Final

from nicegui import ui

from litehedge.errors import LitehedgeError
from litehedge.market import events as ev
from litehedge.squeeze.heatmap import Course, Heat, Worth, heat_of, score
from litehedge.store.lookback import Past
from litehedge.store.places import Place
from litehedge.ui import mapped
from litehedge.ui.frame import framed
from litehedge.ui.page import Page, aside, card, meant, say, words
from litehedge.ui.watching import Home, Watching

AGAIN_S: Final = 60.0
"""How often it is looked whether a step of the estimate has passed."""


@dataclass(slots=True)
class Read:
    """A run's course as far as it was read: the map goes on from there."""

    run_id: int
    event: int = -1
    course: Course = field(default_factory=Course)
    health: dict[str, ev.FeedHealth] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The estimate of a moment, what it was worth until then, and how sources were.

    Whole, as pages show it: what was read goes on growing in another thread.
    """

    heat: Heat | None
    worth: Worth
    steps: int
    levels: dict[str, Any]
    interest: dict[str, Any]


_READ: dict[str, Read] = {}
_ONE_AT_A_TIME: Final = threading.Lock()
_DRAWN: dict[str, Drawn] = {}
_HEALTH: dict[str, tuple[int, dict[str, ev.FeedHealth]]] = {}
"""Of the run that was read last, as it was then."""


async def map_page(home: Home, session: str) -> None:
    """Build the page."""
    page = Page(home, "/map", await meant(home, session))
    with framed(page):
        watching = page.watching
        if watching is None:
            with card("Map"):
                words("No session yet: there is no market to draw.", "hg-sentence")
            return
        seen = watching.seen
        page.says.append(lambda: watching.once("map", lambda: mapped.says(seen)))
        page.says.append(lambda: {"map_sources": mapped.sources(seen, _health(watching))})
        with ui.element("div").classes("hg-columns"):
            with ui.element("div").classes("hg-column"):
                levels = _levels()
                with ui.element("div").classes("hg-twins"):
                    _forced()
                    interest = _interest()
                _keep_drawing(watching, levels, interest)
            with ui.element("div").classes("hg-column"):
                _depth()
                _lines("Funding", "map_funding")
                _lines("Watches", "map_watches")
                _lines("Sources of events", "map_sources")
                _lines("Heard last", "map_feeds")


def _health(watching: Watching) -> dict[str, ev.FeedHealth]:
    run_id, health = _HEALTH.get(str(watching.session.journal), (0, {}))
    return health if run_id == watching.seen.run_id else {}


# --- the estimate --------------------------------------------------------------------------------


def _read_on(path: Place, run_id: int) -> Drawn:
    """Read what a run heard since the last time; estimate anew where a step has passed."""
    with _ONE_AT_A_TIME:
        return _read_further(path, run_id)


def _read_further(path: Place, run_id: int) -> Drawn:
    name = str(path)
    read = _READ.get(name)
    if read is None or read.run_id != run_id:
        read = _READ[name] = Read(run_id)
        _DRAWN.pop(name, None)
    past = Past(path)
    try:
        for first, batch in past.after(run_id, read.event):
            mapped.fold(read.course, read.health, batch)
            read.event = first + len(batch) - 1
    finally:
        past.close()
    _HEALTH[name] = run_id, dict(read.health)
    drawn = _DRAWN.get(name)
    if drawn is None or drawn.steps != len(read.course.end_ns):
        drawn = _DRAWN[name] = _drawn_of(read.course)
    return drawn


def _drawn_of(course: Course) -> Drawn:
    heat = heat_of(course)
    levels = {} if heat is None else mapped.heat_option(heat, course)
    interest = mapped.interest_option(course)
    return Drawn(heat, score(course), len(course.end_ns), levels, interest)


def _levels() -> ui.element:
    with card(css="hg-live"):
        with ui.element("div").classes("hg-split hg-tight hg-base"):
            words("Liquidation levels, estimated", "", "h2")
            say("map_price", "", "div").style("font-size:22px;font-weight:700")
        words(
            "No venue tells where positions die. This is worked out from open interest, prices and "
            "assumed leverages: read it as more or less, not as amounts.", "hg-dim",
        )  # fmt: skip
        box = ui.element("div").props('id="map-levels"')
        with box:
            words("Reading the journal …", "hg-dim hg-sentence")
    return box


def _keep_drawing(watching: Watching, levels: ui.element, interest: ui.element) -> None:
    """Draw what was worked out from the journal, and again when a step of it has passed."""
    shown = [-1]

    async def draw() -> None:
        drawn: Drawn | None
        trouble = ""
        try:
            drawn = await aside(_read_on, watching.session.journal, watching.seen.run_id)
        except LitehedgeError as error:
            drawn, trouble = None, error.what
        if levels.is_deleted or (drawn is not None and drawn.steps == shown[0]):
            return
        levels.clear()
        interest.clear()
        if drawn is None:
            with levels:
                words(f"{trouble}.", "hg-dim")
            return
        shown[0] = drawn.steps
        with levels:
            _drawn(watching, drawn)
        with interest:
            ui.echart(copy.deepcopy(drawn.interest)).classes("hg-small-chart").props(
                'role="img" aria-label="Open interest of the last day"'
            )

    ui.timer(0.05, draw, once=True)
    ui.timer(AGAIN_S, draw)


def _drawn(watching: Watching, drawn: Drawn) -> None:
    if drawn.heat is None:
        words("Open interest is not known yet: nothing can be estimated.", "hg-sentence")
        return
    ui.echart(copy.deepcopy(drawn.levels)).classes("hg-heat").props(
        'role="img" aria-label="Estimated liquidation levels of the last day by price, in USD"'
    )
    with ui.element("div").classes("hg-lines"):
        for line in mapped.nearest_levels(drawn.heat, watching.seen.price):
            with ui.element("div").classes("hg-line"):
                for part in ("time", "text", "more"):
                    words(line[part], f"hg-{part}", "span")
    words(mapped.worth(drawn.worth), "hg-dim hg-sentence").props('id="map-worth"')


def _interest() -> ui.element:
    with card("Open interest", css="hg-live"):
        say("map_interest", "hg-hero", "div")
        say("map_interest_more", "hg-dim", "div")
        return ui.element("div")


# --- what is heard -------------------------------------------------------------------------------


def _forced() -> None:
    with card("Liquidations heard of", css="hg-live"):
        with ui.element("div").classes("hg-split hg-tight"):
            for side in ("long", "short"):
                with ui.element("div"):
                    words(f"{side}s", "hg-dim")
                    say(f"map_forced_{side}", "hg-hero", "div")
        say("map_forced_more", "hg-dim", "div")
        ui.element("div").classes("hg-lines").props('data-hg-list="map_forced"')


def _depth() -> None:
    with card("Depth of the book", css="hg-live"):
        say("map_spread", "hg-dim", "div")
        for key, band in mapped.bands():
            words(f"within {band}", "hg-dim").style("margin-top:8px")
            with ui.element("div").classes("hg-depth"):
                for side, name in (("bid", "bids"), ("ask", "asks")):
                    with ui.element("div").classes(f"hg-{side}"):
                        with ui.element("div").classes("hg-split hg-tight"):
                            words(name, "hg-dim")
                            say(f"map_{side}_{key}")
                        with ui.element("div").classes("hg-fill"):
                            ui.element("div").props(f'data-hg-width="map_{side}_{key}_wide"')


def _lines(title: str, key: str) -> None:
    with card(title, css="hg-live"):
        ui.element("div").classes("hg-lines hg-dense").props(f'data-hg-list="{key}"')

"""Why: any decision, reopened as of its moment."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nicegui import background_tasks, ui

from litehedge.errors import LitehedgeError, UsageError
from litehedge.model import artefact
from litehedge.model.artefact import Artefact
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.model.explain import Explanation
from litehedge.model.reliability import Reliability
from litehedge.model.reliability import load as reliability_of
from litehedge.shelf.models import find_model, require
from litehedge.shelf.reopened import Reopened, prices_after, reopen
from litehedge.squeeze.forecast import OUTLOOK_MIN
from litehedge.squeeze.labels import SIDES
from litehedge.store.header import Header
from litehedge.store.lookback import Forecasting, Found, Past
from litehedge.store.places import Place
from litehedge.ui import reasons
from litehedge.ui.frame import framed
from litehedge.ui.page import Page, aside, card, meant, say, words
from litehedge.ui.seen import Seen
from litehedge.ui.sheets import table
from litehedge.ui.watching import Home

log = logging.getLogger("litehedge.ui")

PER_PAGE: Final = 12
KEPT: Final = 32
"""So many answers are kept: to make one takes seconds."""

_SHOWS: Final = (("", "All"), ("hedged", "Hedged"), ("held", "Held"), ("refused", "Refused"))


@dataclass(slots=True)
class Asked:
    """A decision that is being reopened: how far it is, and what came of it."""

    share: float = 0.0
    answer: Reopened | None = None
    trouble: str = ""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def reached(self, share: float) -> None:
        """Note how far it is; any thread may call it."""
        self.share = share


_ASKED: OrderedDict[tuple[str, int, int, int], Asked] = OrderedDict()


async def why(home: Home, session: str, at: int, show: str, before: int) -> None:
    """Build the page."""
    page = Page(home, "/why", await meant(home, session))
    with framed(page):
        watching = page.watching
        if watching is None:
            with card("Why"):
                words("No session yet: there is no decision to explain.", "hg-sentence")
            return
        name, path = watching.session.name, watching.session.journal
        try:
            found, listed = await aside(_look, path, at, show, before)
        except LitehedgeError as error:
            with card("Why"):
                words(f"{error.what}: {error.remedy}.", "hg-sentence")
            return
        with ui.element("div").classes("hg-columns"):
            with ui.element("div").classes("hg-column"):
                if found is None:
                    with card("Why"):
                        words(
                            "There is no such decision in the journal." if at else
                            "No decision yet: the statistics of the market are warming up.",
                            "hg-sentence",
                        )  # fmt: skip
                else:
                    _decision(page, watching.seen, path, found)
            with ui.element("div").classes("hg-column"):
                if found is not None:
                    _verdicts(watching.seen, found)
                    _terms(found)
                _list(name, listed, show, found)


def _look(path: Place, at: int, show: str, before: int) -> tuple[Found | None, list[Found]]:
    """Find the decision that is meant, and a page of the list."""
    past = Past(path)
    try:
        every = past.decisions(reasons.meant_by(show), before_ns=before or None, most=PER_PAGE + 1)
        if at:
            return past.decision_at(at), every
        newest = past.decisions(lambda told: True, most=1)
        return (newest[0] if newest else None), every
    finally:
        past.close()


# --- the decision --------------------------------------------------------------------------------


def _decision(page: Page, seen: Seen, path: Place, found: Found) -> None:
    told = found.decision
    head = reasons.heading(told)
    with card():
        with ui.element("div").classes("hg-split"):
            words(head["kind"], "hg-tag").props(f'data-state="{head["state"]}"')
            words(f"{head['when']}, LTC {head['price']}, {head['trading'].lower()}", "hg-dim")
        words(head["sentence"], "hg-why", "h3").props('id="why-sentence"')
        _band(told)
    with card("What the forecast was"):
        _forecast(told)
        below = ui.element("div").classes("hg-reopened").props('aria-live="polite"')
    more = ui.element("div").classes("hg-column")
    _without(seen, path, found)
    _reopen(page, seen, path, found, below, more)


def _band(told: Any) -> None:
    place = reasons.band(told)
    with ui.element("div").classes("hg-track hg-track-plain").props('aria-hidden="true"'):
        _placed("hg-band", f"left:{place['band_at']}%;width:{place['band_wide']}%")
        _placed("hg-knob hg-knob-next", f"left:{place['next_at']}%")
        _placed("hg-knob", f"left:{place['was_at']}%")
    with ui.element("div").classes("hg-split"):
        words(f"hedge {place['was']} → {place['next']}", "hg-dim")
        words(place["band"], "hg-dim")


def _placed(css: str, style: str) -> None:
    ui.element("div").classes(css).style(style)


def _forecast(told: Any) -> None:
    heads = ["within min", *(f"{minutes:g}" for minutes in OUTLOOK_MIN), "peak", "move"]
    table(heads, reasons.forecast(told))


def _terms(found: Found) -> None:
    with card("The numbers it rested on"), ui.element("table").classes("hg-table hg-terms"):
        for name, value in reasons.terms(found.decision):
            with ui.element("tr"):
                words(name, tag="td")
                words(value, tag="td")


def _verdicts(seen: Seen, found: Found) -> None:
    told = found.decision.verdicts
    if not told:
        return
    with card("What the guards said"):
        for one in told:
            said = reasons.verdict(one, seen.settings)
            with ui.element("div").classes("hg-verdict"):
                words(said["code"], "hg-refusal")
                words(said["meaning"])
                words(said["numbers"], "hg-dim")
                words(said["setting"], "hg-dim")


def _without(seen: Seen, path: Place, found: Found) -> None:
    """Say what the account would be without the change, once the journal was asked."""
    if reasons.allowed_ltc(found.decision) == 0.0:
        return
    side = seen.settings.position.side
    with card("What the change was worth"):
        words(
            "The price's move times the change of the hedge. Fees, slippage and funding are left "
            "out, and what later decisions would have done.", "hg-dim",
        )  # fmt: skip
        box = ui.element("div")

    async def fill() -> None:
        try:
            later = await aside(_later, path, found)
        except Exception as error:
            _sorry(box, error)
            return
        box.clear()
        with box, ui.element("table").classes("hg-table"):
            for moment, worth in reasons.without_it(found.decision, side, later, seen.price):
                with ui.element("tr"):
                    words(moment, tag="td")
                    words(worth, tag="td")

    ui.timer(0.05, fill, once=True)


def _later(path: Place, found: Found) -> dict[int, float]:
    past = Past(path)
    try:
        return prices_after(past, found, reasons.LATER_MIN)
    finally:
        past.close()


# --- taken apart ---------------------------------------------------------------------------------


def _reopen(
    page: Page, seen: Seen, path: Place, found: Found, below: ui.element, more: ui.element
) -> None:
    """Make the forecast again in a thread, tell how far that is, then show what it is made of."""
    key = (str(path), found.run_id, found.event, found.decision.time_ns)
    is_new = key not in _ASKED
    asked = _ASKED.setdefault(key, Asked())
    _ASKED.move_to_end(key)
    while len(_ASKED) > KEPT:
        _ASKED.popitem(last=False)
    page.says.append(lambda: _progress(asked))
    with below, ui.element("div").props('data-hg-show="why_progress"'):
        say("why_progress", "hg-dim", "div")
        with ui.element("div").classes("hg-progress"):
            ui.element("div").props('data-hg-width="why_share"')

    if is_new:  # whoever asked first may go away meanwhile
        background_tasks.create(_answer(key, asked, path, found))

    async def fill() -> None:
        await asked.done.wait()
        if below.is_deleted:
            return
        if asked.answer is None:
            with below:
                words(asked.trouble, "hg-dim").props('id="why-rebuilt" data-state="bad"')
            return
        try:
            right = await aside(_right_of, path, found)
        except Exception as error:
            _sorry(below, error)
            return
        _show(seen, asked.answer, right, below, more)

    ui.timer(0.05, fill, once=True)


async def _answer(
    key: tuple[str, int, int, int], asked: Asked, path: Place, found: Found
) -> None:  # fmt: skip
    """Reopen a decision; what fails is tried again at the next look."""
    asked.trouble = "It could not be taken apart: see the log of the screen."
    try:
        asked.answer = await aside(_again, path, found, asked.reached)
        if asked.answer is None:
            asked.trouble = "No frame had ended before it: there is nothing to take apart."
    except LitehedgeError as error:
        asked.trouble = f"{error.what}: {error.remedy}."
    finally:
        asked.done.set()
        if asked.answer is None:
            _ASKED.pop(key, None)


def _progress(asked: Asked) -> dict[str, Any]:
    if asked.done.is_set():
        return {"why_progress": "", "why_share": 100}
    share = round(100.0 * asked.share)
    return {
        "why_progress": f"Living through the journal again, to take the forecast apart: {share}%",
        "why_share": share,
    }


def _sorry(box: ui.element, error: Exception) -> None:
    """Say where a part of the page would be that it could not be made."""
    if isinstance(error, LitehedgeError):
        text = f"{error.what}: {error.remedy}."
    else:
        log.warning("a part of the page why could not be made", exc_info=error)
        text = "This could not be made: see the log of the screen."
    if not box.is_deleted:
        with box:
            words(text, "hg-dim").props('role="alert" data-state="bad"')


def _right_of(path: Place, found: Found) -> Reliability | None:
    past = Past(path)
    try:
        return _model(past.header(found.run_id), past.model_at(found.run_id, found.event))[1]
    finally:
        past.close()


def _again(path: Place, found: Found, reached: Callable[[float], Any]) -> Reopened | None:
    past = Past(path)
    try:
        used = past.model_at(found.run_id, found.event)
        loaded, _ = _model(past.header(found.run_id), used)
        return reopen(past, found, loaded, reached, from_ns=used.from_ns)
    finally:
        past.close()


_MODELS: dict[str, tuple[Artefact, Reliability | None]] = {}


def _model(header: Header, used: Forecasting) -> tuple[Artefact, Reliability | None]:
    """Return the model that a decision was made with, and how often it was right.

    Raises
    ------
    LitehedgeError
        When it is not here any more.
    """
    if used.model_id == BlindForecaster().id:
        raise UsageError(
            "It was decided without a model, by the rule that needs none",
            "there is nothing to take apart",
        )
    if used.model_id not in _MODELS:
        frame_ns = header.atom_ns * header.per_frame
        name = used.model_id.partition("@")[0]
        folder = Path(used.folder)
        if not (used.folder and (folder / artefact.CARD).is_file()):
            folder = find_model(name)
        loaded = artefact.load(folder, frame_ns)
        require(loaded.forecaster, used.model_id)
        _MODELS[used.model_id] = loaded, reliability_of(folder, loaded.id)
    return _MODELS[used.model_id]


def _show(
    seen: Seen, told: Reopened, right: Reliability | None, below: ui.element, more: ui.element
) -> None:
    risky = SIDES.index(seen.settings.position.side)
    explanation = told.explained.explanation
    with below:
        if explanation is None:
            words("Not enough history for a forecast yet.", "hg-dim")
        else:
            with ui.element("div").classes("hg-sides"):
                for side in (risky, 1 - risky):
                    _bars(told, explanation, side)
        _rebuilt(told)
    with more:
        _right(told, right, risky)
        if explanation is not None:
            _past(told, explanation)


def _bars(told: Reopened, explanation: Explanation, side: int) -> None:
    made_of = explanation.attribution
    with ui.element("div").classes("hg-half"):
        words(f"Squeeze of {SIDES[side]}s within {reasons.REASONED_MIN:.0f} min", "hg-dim")
        with ui.element("div").classes("hg-split hg-tight hg-base"):
            words(reasons.chance(float(made_of.probability[side])), "hg-hero")
            words(f"{reasons.chance(float(made_of.masked[side]))} without any data", "hg-dim")
        ui.echart(reasons.bars_option(made_of, side)).classes("hg-bars").style(
            f"height:{reasons.bars_height(made_of, side)}px"
        ).props(f'role="img" aria-label="{reasons.bars_text(made_of, side)}"')
        words("▲ raises it, ▼ lowers it, in percentage points", "hg-dim")
        words(explanation.sentences[side], "hg-dim hg-sentence")


def _rebuilt(told: Reopened) -> None:
    words(
        f"Made again from {told.frames:,} frames of the journal: "
        + (
            "the forecast is the journaled one to the last bit." if told.is_same
            else "it DIFFERS from the journaled one: another version or machine decided then, or "
            "events are missing. The bars are of the one made again."
        ),
        "hg-dim hg-sentence",
    ).props(f'id="why-rebuilt" data-state="{"" if told.is_same else "bad"}"')  # fmt: skip


def _right(told: Reopened, right: Reliability | None, risky: int) -> None:
    with card("How often it was right"):
        for side in (risky, 1 - risky):
            horizon = 60.0 if right is None else right.horizon_min
            p = told.explained.forecast.onset_probability(SIDES[side], horizon)
            if said := reasons.calibration(right, SIDES[side], p):
                words(said, "hg-sentence")
            if right is None:
                break
        words(f"Model {told.explained.model}", "hg-dim hg-sentence")


def _past(told: Reopened, explanation: Explanation) -> None:
    if told.attention:
        with card("Where in the past it looked"):
            ui.echart(reasons.attention_option(told.attention, 1.0)).classes("hg-attention").props(
                'role="img" aria-label="Share of attention by minutes ago"'
            )
            words(reasons.attention_text(explanation), "hg-dim")
    if not explanation.nearest:
        return
    with card("Squeezes of history that looked most alike, thirty minutes before their onset"):
        heads = ("onset, UTC", "of", "move", "to its peak", "likeness")
        table(heads, [reasons.nearest(one) for one in explanation.nearest])


# --- the list ------------------------------------------------------------------------------------


def _list(session: str, listed: list[Found], show: str, found: Found | None) -> None:
    with card("Decisions"):
        with ui.element("nav").classes("hg-chips").props('aria-label="Which decisions"'):
            at_ns = 0 if found is None else found.decision.time_ns
            for key, name in _SHOWS:
                here = ' aria-current="true"' if key == show else ""
                address = reasons.list_address(session, key, at_ns=at_ns)
                with ui.element("a").classes("hg-chip").props(f'href="{address}"{here}'):
                    ui.label(name)
        with ui.element("div").classes("hg-lines"):
            for one in listed[:PER_PAGE]:
                line = reasons.line(session, one.decision, show)
                is_here = found is not None and one.decision.time_ns == found.decision.time_ns
                with ui.element("a").classes("hg-line").props(
                    f'href="{line["href"]}" data-state="{line["state"]}"'
                    + (' aria-current="true"' if is_here else "")
                ):  # fmt: skip
                    words(line["time"], "hg-time", "span")
                    words(line["text"], "hg-text hg-clamp", "span")
        if not listed:
            words("None.", "hg-dim")
        if len(listed) > PER_PAGE:
            older = reasons.list_address(
                session, show, at_ns=at_ns, before_ns=listed[PER_PAGE - 1].decision.time_ns
            )
            with ui.element("a").classes("hg-button hg-older").props(f'href="{older}"'):
                ui.label("Older")

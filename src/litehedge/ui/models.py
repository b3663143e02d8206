"""Models: what there is to forecast and decide with, which session uses which, and what comes next.

Promoting needs a typed word; rolling back, which is safer, a tap and a confirmation. Both are
written into the registry, which sessions look at by themselves: the screen reaches no session and
no venue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from nicegui import ui

from litehedge.errors import LitehedgeError
from litehedge.learning.kept import watch_in
from litehedge.learning.watch import Fit
from litehedge.ledger.scores import upper_first
from litehedge.model import artefact
from litehedge.model.artefact import Card
from litehedge.model.policy_artefact import PolicyCard, load_policy_card
from litehedge.retraining.state import StateFile, lines_of
from litehedge.shelf.lineage import Standing
from litehedge.shelf.models import model_folders, own_models
from litehedge.shelf.policies import own_policies, policy_folders
from litehedge.store.lookback import last_folder
from litehedge.ui import forms
from litehedge.ui import models_view as view
from litehedge.ui.frame import framed
from litehedge.ui.page import Page, card, meant, words
from litehedge.ui.settings_file import difference, edited, read_file, save
from litehedge.ui.sheets import DARK, button, facts, sheet, table, told
from litehedge.ui.theme_forms import FORMS
from litehedge.ui.tools import Tools
from litehedge.ui.watching import Home

PROMOTE_WORD: Final = "PROMOTE"
SHOWN_S: Final = 2.0
"""How long it is said what happened, before the page shows it."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The cards by name, what cannot be read and why, and the model of each session."""

    models: dict[str, Card]
    policies: dict[str, PolicyCard]
    broken: dict[str, str]
    own: frozenset[str]
    used: dict[str, str]
    standings: list[Standing]
    trouble: str  # why the registry cannot be read
    here: dict[str, Fit]  # by session: how its model fits its market
    retraining: list[str]  # what it is doing, and what came of the last one


async def models(home: Home, tools: Tools, session: str) -> None:
    """Build the page."""
    page = Page(home, "/models", await meant(home, session))
    shelf = await asyncio.to_thread(read_shelf, tools)
    with framed(page):
        ui.add_css(FORMS)
        with ui.element("div").classes("hg-columns"):
            with ui.element("div").classes("hg-column"):
                with ui.element("div").classes("hg-head"), ui.element("h2").classes("hg-big"):
                    ui.label("Models")
                for name, one in shelf.models.items():
                    _model(name, one, shelf)
                for name, policy in shelf.policies.items():
                    with card():
                        words(view.heading(name, is_own=name in shelf.own), tag="h3")
                        facts(view.policy_lines(policy))
                for name, why in shelf.broken.items():
                    with card():
                        words(name, tag="h3")
                        words(f"It cannot be read: {why}", "hg-problem")
            with ui.element("div").classes("hg-column"):
                _fits(shelf)
                _next(tools, shelf)
                _lineage(tools.lineage, shelf)
                _retraining(shelf)
                _more()


def read_shelf(tools: Tools) -> Shelf:
    """Read the cards of all models and network policies, and what sessions use."""
    broken: dict[str, str] = {}
    cards: dict[str, Card] = {}
    policies: dict[str, PolicyCard] = {}
    folders, brains = model_folders(), policy_folders()
    for name, folder in folders.items():
        try:
            cards[name] = artefact.load_card(folder)
        except LitehedgeError as error:
            broken[name] = error.what
    for name, folder in brains.items():
        try:
            policies[name] = load_policy_card(folder)
        except LitehedgeError as error:
            broken[name] = error.what
    roots = (own_models(), own_policies())
    own = frozenset(n for n, f in [*folders.items(), *brains.items()] if f.parent in roots)
    standings, trouble = [], ""
    try:
        standings = list(tools.lineage.standings())
    except LitehedgeError as error:
        trouble = f"{error.what}: {error.remedy}"
    return Shelf(
        cards, policies, broken, own, _used(tools), standings, trouble, _here(tools),
        doing(tools.root),
    )  # fmt: skip


def doing(root: Path) -> list[str]:
    """Return what the retraining of this home folder does, and what the gate said last."""
    file = StateFile(root)
    try:
        state = file.read()
    except LitehedgeError as error:
        return [error.what]
    found = lines_of(state, is_running=file.is_running)
    if state.verdict is not None and len(state.labels) == 2:
        found.append(f"{state.labels[0]} against {state.labels[1]}: {state.verdict.words()}")
    return found


def _used(tools: Tools) -> dict[str, str]:
    """Return the name of the model of each session's last run."""
    used = {}
    for session, _ in tools.sessions():
        try:
            folder = last_folder(session.journal)
        except LitehedgeError:
            continue
        used[session.name] = Path(folder).name
    return used


def _here(tools: Tools) -> dict[str, Fit]:
    """Return how the model of each session fits its market, where somebody looked."""
    found = {session.name: watch_in(session.folder) for session, _ in tools.sessions()}
    return {name: one for name, one in found.items() if one is not None}


def _retraining(shelf: Shelf) -> None:
    """Build the card of what learns on, and of what the gate in front of it said."""
    with card("Learning on") as box:
        box.props('data-card="retraining"')
        for line in shelf.retraining:
            words(upper_first(line), "hg-dim")


def _fits(shelf: Shelf) -> None:
    """Build the card of how models fit their markets."""
    with card("Does it still fit?") as box:
        box.props('data-card="fits"')
        if not shelf.here:
            words(
                "Nobody has looked yet. In a terminal: litehedge learning update SESSION", "hg-dim"
            )
        for name, standing in shelf.here.items():
            words(f"{name}: {standing.word}", view.FIT.get(standing.word, "hg-dim"))
            facts(view.fit_lines(standing, time.time_ns()))


def _model(name: str, one: Card, shelf: Shelf) -> None:
    now_ns = time.time_ns()
    with card() as box:
        box.props(f'data-model="{name}"')
        words(view.heading(name, is_own=name in shelf.own), tag="h3")
        if used := view.used_by(name, shelf.used):
            words(used, "hg-good")
        if view.is_expired(one, now_ns):
            words("Too old: the market has moved on since it learnt.", "hg-warn")
        facts(view.card_lines(one, now_ns))
        rows = view.score_rows(one)
        if rows:
            with ui.element("details").classes("hg-details"):
                words("How good it was, beside the simplest rival", tag="summary")
                table(("on data it had not seen (90 % interval)", "this model", "simplest rival"),
                      rows)  # fmt: skip
                words("The rival knows how often squeezes come, and nothing else, or what its card "
                      "says of it.", "hg-dim")  # fmt: skip


def _next(tools: Tools, shelf: Shelf) -> None:
    with card("For the next session"):
        settings, trouble = tools.settings()
        if trouble:
            words(f"The settings hold mistakes: {trouble}", "hg-problem")
            words("Correct them first, on the page of settings or in the file.", "hg-dim")
            return
        named = {n: f"{n} ({c.kind})" for n, c in shelf.models.items()}
        choices = {"auto": "auto: the one for the length of a frame", **named,
                   "none": "none: policies fall back on their rules"}  # fmt: skip
        if settings.model.name not in choices:
            choices[settings.model.name] = settings.model.name
        policies = {name: f"{name}: {what}" for name, what in tools.policies().items()}
        if settings.hedge.policy not in policies:
            policies[settings.hedge.policy] = settings.hedge.policy
        with ui.element("div").classes("hg-form"):
            model = ui.select(choices, value=settings.model.name, label="Model").props(DARK)
            policy = ui.select(policies, value=settings.hedge.policy, label="Policy").props(DARK)
            button(
                "Save …",
                lambda: _pick(tools, {"model.name": model.value, "hedge.policy": policy.value}),
                "hg-safe",
            )
            words("Sessions that run keep theirs; a new choice counts from the next start on.",
                  "hg-dim")  # fmt: skip


def _pick(tools: Tools, wanted: dict[str, str]) -> None:
    try:
        file = read_file(tools.settings_path)
        values = {
            path: value
            for path, value in wanted.items()
            if forms.value_at(file.settings, path) != value
        }
        if not values:
            ui.notify("That is chosen already.")
            return
        before = file.text or ""
        lines = difference(before, edited(before, values))
    except LitehedgeError as error:
        told(error)
        return
    risks = forms.riskier(file.settings, values)
    with sheet("Save this choice?", "hg-wide-sheet") as dialog:
        words(f"In {file.path}:", "hg-dim")
        diff(lines)
        for risk in risks:
            words(f"Riskier: {risk}.", "hg-warn")
        typed = ui.input(f"Type {forms.RISKY_WORD}").props(DARK)
        typed.set_visibility(bool(risks))
        problem = ui.label().classes("hg-problem").props('role="alert"')

        def go() -> None:
            if risks and (typed.value or "").strip() != forms.RISKY_WORD:
                problem.text = f"Type {forms.RISKY_WORD} in the field above. Nothing was saved."
                return
            try:
                save(file, values)
            except LitehedgeError as error:
                told(error)
                return
            dialog.close()
            ui.notify("Saved. It counts from the next start of a session on.", type="positive")

        button("Save", go, "hg-safe")
        button("Cancel", dialog.close)


def diff(lines: list[str]) -> None:
    """Place what changes in a file."""
    with ui.element("div").classes("hg-diff").props('tabindex="0" aria-label="What changes"'):
        for line in lines:
            css = "hg-plus" if line.startswith("+") else "hg-minus" if line[:1] == "-" else "hg-dim"
            words(line or " ", css)


def _lineage(lineage: view.Lineage, shelf: Shelf) -> None:
    with card("Which model serves") as box:
        box.props('data-standings=""')
        if shelf.trouble:
            words(f"It cannot be read: {shelf.trouble}.", "hg-problem")
        elif not shelf.standings:
            words("Nobody was promoted yet: sessions that choose by themselves take what ships, or "
                  "a model of yours. To try another one and be able to go back, in a terminal:",
                  "hg-dim")  # fmt: skip
            words("litehedge models promote ltc-5m", "hg-code").style("margin-top:8px")
        for one in shelf.standings:
            with ui.element("div").props(f'data-standing="{one.name}"'):
                words(one.name, tag="h3")
                words(view.standing_words(one), "hg-dim")
                if one.can_promote:
                    button("Promote …", partial(_promote, one, lineage), "hg-small",
                           f"Promote {one.name}")  # fmt: skip
                if one.can_bring_back:
                    button("Roll back …", partial(_roll_back, one, lineage), "hg-small hg-safe",
                           f"Roll back to {one.name}")  # fmt: skip
        if shelf.standings:
            words("Sessions with the model auto take a new champion between two frames, without a "
                  "pause, and never in a squeeze.", "hg-dim")  # fmt: skip


def _promote(one: Standing, lineage: view.Lineage) -> None:
    word = PROMOTE_WORD
    with sheet(f"Promote {one.name}?") as dialog:
        words("Sessions that choose their model by themselves will act on what it says. The "
              "champion before it stays at hand: rolling back takes a tap.", "hg-dim")  # fmt: skip
        typed = ui.input(f"Type {word}").props(DARK)
        problem = ui.label().classes("hg-problem").props('role="alert"')

        async def go() -> None:
            if (typed.value or "").strip() != word:
                problem.text = f"Type {word} in the field above. Nothing was changed."
                return
            problem.text = "Trying it first …"
            await _done(partial(lineage.promote, one.name), dialog, problem)

        button("Promote", go)
        button("Cancel", dialog.close, "hg-safe")


def _roll_back(one: Standing, lineage: view.Lineage) -> None:
    with sheet(f"Roll back to {one.name}?") as dialog:
        words("It served before, and serves again. The champion of now stays in the registry.",
              "hg-dim")  # fmt: skip
        problem = ui.label().classes("hg-problem").props('role="alert"')
        act = partial(lineage.roll_back, one.frame_s)
        button("Roll back", partial(_done, act, dialog, problem), "hg-safe")
        button("Cancel", dialog.close)


async def _done(act: Callable[[], str], dialog: ui.dialog, problem: ui.label) -> None:
    """Do it in a thread, say what came of it, and show the page anew."""
    try:
        happened = await asyncio.to_thread(act)
    except LitehedgeError as error:
        problem.text = f"{error.what}. {error.remedy}".rstrip(". ") + "."
        return
    dialog.close()
    ui.notify(happened, type="positive", multi_line=True)
    ui.timer(SHOWN_S, ui.navigate.reload, once=True)


def _more() -> None:
    with card("More of your own"):
        words("Training belongs in a terminal; what it makes appears here.", "hg-dim")
        for line in ("litehedge train --data ltc_spot_5m --name mine",
                     "litehedge models promote mine"):  # fmt: skip
            words(line, "hg-code").style("margin-top:8px")

"""Settings: a form drawn from their schema, sessions, alerts, keys, and advice on leverage."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from nicegui import ui

from litehedge.errors import LitehedgeError
from litehedge.ui import forms
from litehedge.ui.checks import advice_card, alerts_card, keys_card, sessions_card
from litehedge.ui.forms import Field, Section
from litehedge.ui.frame import framed
from litehedge.ui.models import diff
from litehedge.ui.page import Page, card, meant, words
from litehedge.ui.settings_file import File, difference, edited, from_environment, read_file, save
from litehedge.ui.sheets import DARK, button, sheet, told
from litehedge.ui.theme_forms import FORMS
from litehedge.ui.tools import Tools
from litehedge.ui.watching import Home


async def settings(home: Home, tools: Tools, session: str) -> None:
    """Build the page."""
    page = Page(home, "/settings", await meant(home, session))
    with framed(page):
        ui.add_css(FORMS)
        with ui.element("div").classes("hg-columns"):
            with ui.element("div").classes("hg-column"):
                with ui.element("div").classes("hg-head"), ui.element("h2").classes("hg-big"):
                    ui.label("Settings")
                try:
                    _Form(read_file(tools.settings_path)).place()
                except LitehedgeError as error:
                    _broken(tools, error)
            with ui.element("div").classes("hg-column"):
                sessions_card(tools, page)
                advice_card(tools)
                alerts_card(tools)
                keys_card(tools)


def _broken(tools: Tools, error: LitehedgeError) -> None:
    with card("The settings file holds mistakes"):
        words("No session starts with it. Correct it in an editor, then load this page again.")
        with ui.element("div").classes("hg-diff").style("margin-top:10px"):
            for line in error.what.splitlines():
                words(line, "hg-minus")
        words(str(tools.settings_path), "hg-dim hg-sentence")


class _Form:
    """The fields of all settings: one section is shown, all are read and checked together."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._sections = forms.sections()
        self._elements: dict[str, Any] = {}
        self._tabs: dict[str, ui.element] = {}
        self._cards: dict[str, ui.element] = {}
        self._overridden = from_environment(os.environ)
        self._bar: ui.element | None = None
        self._says: ui.label | None = None

    def place(self) -> None:
        """Place the form here."""
        there = "" if self._file.text is not None else " It is not there yet: saving makes it."
        words(f"{self._file.path}.{there} A change counts from the next start of a session on; "
              "sessions that run keep what they began with.", "hg-dim")  # fmt: skip
        with ui.element("div").classes("hg-tabs").props('role="tablist" aria-label="Sections"'):
            for section in self._sections:
                tab = (
                    ui.element("button")
                    .classes("hg-tab")
                    .props(
                        f'type="button" role="tab" id="tab-{section.name}" '
                        f'aria-controls="section-{section.name}"'
                    )
                )
                tab.on("click", partial(self._open, section.name))
                with tab:
                    ui.label(section.title)
                self._tabs[section.name] = tab
        values = forms.typed_of(self._file.settings)
        for section in self._sections:
            self._section(section, values)
        self._bar = ui.element("div").classes("hg-sticky").props('role="status"')
        with self._bar:
            self._says = ui.label()
            with ui.element("div").classes("hg-row"):
                button("Undo", self._undo, "hg-small")
                button("Save …", self._save, "hg-small hg-safe")
        self._bar.set_visibility(False)
        self._open(self._sections[0].name)

    def _open(self, name: str) -> None:
        for one, tab in self._tabs.items():
            tab.props(f'aria-selected="{str(one == name).lower()}"')
            self._cards[one].set_visibility(one == name)

    def _section(self, section: Section, values: dict[str, Any]) -> None:
        with card() as box:
            box.props(
                f'role="tabpanel" id="section-{section.name}" aria-labelledby="tab-{section.name}"'
            )
            self._cards[section.name] = box
            words(section.about[:1].upper() + section.about[1:], tag="h3")
            with (
                ui.element("div").classes("hg-form").style("margin-top:8px"),
                ui.element("div").classes("hg-fields"),
            ):
                for field in section.fields:
                    with ui.element("div").props(f'data-setting="{field.path}"'):
                        self._field(field, values[field.path])

    def _field(self, field: Field, value: Any) -> None:
        hint = field.hint
        if field.path in self._overridden:
            hint += f" Overridden by {self._overridden[field.path]} of the environment."
        if field.kind == "switch":
            with ui.element("div").classes("hg-switch"):
                element: Any = ui.switch(field.name, value=value)
                words(hint, "hg-dim")
        elif field.kind == "choice":
            options = {one: one or "(none)" for one in field.choices}
            element = ui.select(options, value=value, label=field.name)
        elif field.kind == "lines":
            element = ui.textarea(field.name, value=value).props("autogrow")
        else:
            element = ui.input(field.name, value=value)
            if field.kind in ("number", "whole"):
                element.props('inputmode="decimal"')
            if field.kind == "secret":
                is_set = bool(forms.value_at(self._file.settings, field.path))
                hint += " It is set; type to replace it." if is_set else " It is not set."
                element.props("type=password autocomplete=off")
        if field.kind != "switch":
            element.props(f"{DARK} bottom-slots")
            with element.add_slot("hint"):
                ui.label(hint)
        element.on_value_change(self._changed)
        self._elements[field.path] = element

    # --- what was typed -----------------------------------------------------------------------

    def _typed(self) -> dict[str, Any]:
        return {path: element.value for path, element in self._elements.items()}

    def _news(self) -> dict[str, Any]:
        return forms.changed(self._file.settings, self._typed())

    def _changed(self) -> None:
        count = len(self._news())
        if self._bar is None or self._says is None:
            return
        self._bar.set_visibility(count > 0)
        self._says.text = f"{count} change{'' if count == 1 else 's'}, not saved yet"
        self._told(only_gone=True)

    def _told(self, *, only_gone: bool = False) -> dict[str, list[str]]:
        """Show what is wrong beside its field; with `only_gone` only take away what is right now.

        Nobody is told of a mistake while typing: that is for saving.
        """
        wrong = forms.wrong_in(self._typed())
        for path, element in self._elements.items():
            text = " ".join(one[:1].upper() + one[1:] for one in wrong.get(path, []))
            if only_gone and text:
                continue
            if hasattr(element, "error"):
                element.error = text or None
        for name, tab in self._tabs.items():
            is_bad = any(path.split(".")[0] == name for path in wrong)
            if not (only_gone and is_bad):
                tab.props(f'data-state="{"bad" if is_bad else ""}"')
        return wrong

    def _undo(self) -> None:
        for path, value in forms.typed_of(self._file.settings).items():
            self._elements[path].value = value
        self._told()

    def _save(self) -> None:
        wrong = self._told()
        if wrong:
            first = next(iter(wrong))
            self._open(first.split(".")[0])
            count = len(wrong)
            if self._says is not None:
                self._says.text = (
                    f"{count} field{' is' if count == 1 else 's are'} wrong; nothing was saved"
                )
            return
        values = self._news()
        try:
            before = self._file.text or ""
            lines = difference(before, edited(before, values))
        except LitehedgeError as error:
            told(error)
            return
        self._confirm(values, lines, forms.riskier(self._file.settings, values))

    def _confirm(self, values: dict[str, Any], lines: list[str], risks: list[str]) -> None:
        with sheet("Save these settings?", "hg-wide-sheet") as dialog:
            words(f"This changes in {self._file.path}:", "hg-dim")
            diff(lines)
            typed = None
            if risks:
                for risk in risks:
                    words(f"Riskier: {risk}.", "hg-warn")
                typed = ui.input(f"Type {forms.RISKY_WORD} to save what is riskier").props(DARK)
            problem = ui.label().classes("hg-problem").props('role="alert"')

            def go() -> None:
                if typed is not None and (typed.value or "").strip() != forms.RISKY_WORD:
                    problem.text = f"Type {forms.RISKY_WORD} in the field above. Nothing was saved."
                    return
                try:
                    self._file = save(self._file, values)
                except LitehedgeError as error:
                    problem.text = f"{error.what}. {error.remedy}".strip()
                    return
                dialog.close()
                self._undo()
                self._changed()
                ui.notify("Saved. It counts from the next start of a session on.", type="positive")

            button("Save", go, "hg-safe")
            button("Cancel", dialog.close)

"""Small pieces of forms: sheets, buttons, fields that show what is wrong beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from nicegui import ui

from litehedge.errors import LitehedgeError
from litehedge.ui.page import words

DARK: Final = "dark outlined"


def told(error: LitehedgeError) -> None:
    """Tell what did not work, until it was read."""
    text = f"{error.what}. {error.remedy}".rstrip(". ") + "."
    ui.notify(text, type="negative", timeout=0, close_button="OK", multi_line=True)


def button(text: str, act: Callable[[], Any], css: str = "", label: str = "") -> ui.element:
    """Place a button; `label` says more than its text, for those who hear it."""
    element = ui.element("button").classes(f"hg-button {css}").props('type="button"')
    if label:
        element.props(f'aria-label="{label}"')
    element.on("click", act)
    with element:
        ui.label(text)
    return element


def link(text: str, address: str, css: str = "", *, apart: bool = False) -> ui.element:
    """Place a link that looks like a button; `apart` opens it in a tab of its own."""
    element = ui.element("a").classes(f"hg-button {css}").props(f'href="{address}"')
    if apart:
        element.props('target="_blank" rel="noopener"')
    with element:
        ui.label(text)
    return element


@contextmanager
def sheet(title: str, css: str = "") -> Iterator[ui.dialog]:
    """Begin a sheet with a title; it opens when it is complete."""
    with ui.dialog() as dialog, ui.element("div").classes(f"hg-sheet {css}"):
        with ui.element("h2"):
            ui.label(title)
        yield dialog
    dialog.open()


def confirm(title: str, text: str, does: str, act: Callable[[], Any], keep: str) -> None:
    """Ask once before something that cannot be undone."""
    with sheet(title) as dialog:
        note(text)

        def go() -> Any:
            if not dialog.value:  # tapped twice: the first tap did it
                return None
            dialog.close()
            return act()

        button(does, go, "hg-halt")
        button(keep, dialog.close, "hg-safe")


def note(text: str) -> None:
    """Place a sentence of a sheet."""
    words(text, "hg-dim").style("font-size:15px")


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """Place names and what they are, in two columns."""
    with ui.element("div").classes("hg-facts"):
        for name, value in rows:
            words(name)
            words(value)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Place a table that scrolls by itself where it is too wide."""
    with (
        ui.element("div").classes("hg-scroll").props('tabindex="0"'),
        ui.element("table").classes("hg-table"),
    ):
        with ui.element("thead"), ui.element("tr"):
            for head in heads:
                words(head, tag="th")
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for cell in row:
                        words(cell, tag="td")


class Fields:
    """Fields of a small form by name: what was typed stays, what is wrong stands beside it."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}

    def typed(self) -> dict[str, Any]:
        """Return what stands in the fields."""
        return {name: field.value for name, field in self._fields.items()}

    def tell(self, wrong: Mapping[str, str]) -> bool:
        """Show what is wrong beside each field. Return whether nothing is."""
        for name, field in self._fields.items():
            text = wrong.get(name, "")
            field.error = text or None
        return not wrong

    def choice(self, name: str, label: str, options: Any, value: Any) -> ui.select:
        """Add a field with choices."""
        field = ui.select(options, value=value, label=label).props(f"{DARK} options-dense")
        self._fields[name] = field
        return field

    def text(self, name: str, label: str, value: str = "", props: str = "") -> ui.input:
        """Add a field for text."""
        field = ui.input(label, value=value).props(f"{DARK} {props}")
        self._fields[name] = field
        return field

    def number(self, name: str, label: str, value: float) -> ui.input:
        """Add a field for a number, as text: what cannot be read is shown, not swallowed."""
        return self.text(name, label, f"{value:.12g}", 'inputmode="decimal"')

    def day(self, name: str, label: str, value: str = "") -> ui.input:
        """Add a field for a day."""
        return self.text(name, label, value, 'type="date" stack-label')

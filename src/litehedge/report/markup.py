"""HTML and JavaScript text: whatever is not marked as safe is escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple


class Safe(str):
    """Text that is HTML already."""

    __slots__ = ()


Text = str | Safe

TALL_ROWS: Final = 25
"""A longer table scrolls inside its box."""


def safe(text: Text) -> Safe:
    """Return text as HTML: escaped, unless it is HTML already."""
    return text if isinstance(text, Safe) else Safe(html.escape(text))


def join(parts: Iterable[Text]) -> Safe:
    """Put pieces one after the other."""
    return Safe("".join(safe(part) for part in parts))


def element(name: str, *content: Text, css: str = "") -> Safe:
    """Return an element with a CSS class; name and class are constants of ours."""
    attribute = f' class="{css}"' if css else ""
    return Safe(f"<{name}{attribute}>{join(content)}</{name}>")


def two_lines(first: Text, second: Text) -> Safe:
    """Return a figure with a dim remark under it."""
    return join([first, element("small", second)])


class Column(NamedTuple):
    """A column of a table: numbers are set flush right, and prose may break into lines."""

    head: str
    is_number: bool = True
    is_prose: bool = False


class Row(NamedTuple):
    """A row of a table, with a CSS class."""

    cells: Sequence[Text]
    css: str = ""


def table(name: str, columns: Sequence[Column], rows: Iterable[Row], *, cards: bool) -> Safe:
    """Return a table in its own box.

    On a phone each row becomes a card with `cards`; else the table scrolls sideways in its box
    while its first column stays.
    """
    heads = join(element("th", column.head) for column in columns)
    body = []
    for row in rows:
        css = f' class="{row.css}"' if row.css else ""
        cells = "".join(f"<td>{safe(cell)}</td>" for cell in row.cells)
        body.append(f"<tr{css}>{cells}</tr>")
    layout = "hg-cards" if cards else "hg-scroll"
    box = "hg-box hg-tall" if len(body) > TALL_ROWS else "hg-box"
    return Safe(
        f'{_columns_style(name, columns, cards)}<div class="{box}" tabindex="0">'
        f'<table id="{name}" class="{layout}"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _columns_style(name: str, columns: Sequence[Column], cards: bool) -> str:
    """Say once for the whole table how its columns look, and what they are called on a card."""
    wide, narrow = "", ""
    for i, column in enumerate(columns, 1):
        if column.is_number:
            wide += f"#{name} :is(th,td):nth-child({i}){{text-align:right}}"
        if not column.is_prose:
            wide += f"#{name} td:nth-child({i}){{white-space:nowrap}}"
        head = json.dumps(column.head, ensure_ascii=False)
        narrow += f"#{name} td:nth-child({i}):before{{content:{head}}}"
    if not cards:
        return f"<style>{wide}</style>"
    return f"<style>@media(min-width:641px){{{wide}}}@media(max-width:640px){{{narrow}}}</style>"


_IN_SCRIPT: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def javascript(value: Any) -> str:
    """Write an option as a JavaScript literal that can stand inside a script element.

    A key that starts with a colon holds JavaScript, which is written as it is.
    """
    if isinstance(value, Mapping):
        items = (
            f"{_literal(key[1:])}:{item}" if key.startswith(":") else
            f"{_literal(key)}:{javascript(item)}"
            for key, item in value.items()
        )  # fmt: skip
        return "{" + ",".join(items) + "}"
    if isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        return "[" + ",".join(javascript(item) for item in value) + "]"
    return _literal(value)


def _literal(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_IN_SCRIPT)


def chart(name: str, option: Mapping[str, Any], says: str, *, height: int, css: str = "") -> Safe:
    """Return the place of a chart and the script that draws it; `says` is for screen readers."""
    label = html.escape(says)
    return Safe(
        f'<div class="hg-box {css}"><div class="hg-chart" id="chart-{name}" role="img" '
        f'aria-label="{label}" style="height:{height}px"></div></div>'
        f'<script type="module">litehedgeDraw("chart-{name}",{javascript(option)})</script>\n'
    )


def fold(name: str, says: str) -> Safe:
    """Return a tick that shows the rows of class ``hg-folded`` in the table after it."""
    return Safe(
        f'<input type="checkbox" id="{name}" class="hg-tick">'
        f'<label for="{name}" class="hg-button">{html.escape(says)}</label>'
    )


def card(title: str, *content: Text, lead: Text = "") -> Safe:
    """Return a section: a card with a heading and a sentence under it."""
    sentence = element("p", lead, css="hg-lead") if lead else Safe("")
    return element("section", element("h2", title), sentence, *content, css="hg-card")

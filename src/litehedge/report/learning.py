"""What a session learnt, as an HTML page: updates, the watch, every hedge ratio, in words."""

from __future__ import annotations

from typing import Final

from litehedge import __version__
from litehedge.learning.outcomes import RATIOS
from litehedge.learning.steps import Update
from litehedge.learning.watch import Word
from litehedge.report.axes import IN_USDT, Option, base, value_axis
from litehedge.report.learnt import Told, in_words
from litehedge.report.markup import Column, Row, Safe, card, chart, element, join, table
from litehedge.report.style import BLUE, DIM, INK, percent
from litehedge.report.tearsheet import page
from litehedge.units import iso_utc

MOST_UPDATES: Final = 1000
_CSS: Final = {Word.FINE: "hg-done", Word.DRIFT: "hg-danger"}
_UPDATES: Final = (
    Column("No."),
    Column("When (UTC)", is_number=False),
    Column("From", is_number=False, is_prose=True),
    Column("What moved", is_number=False, is_prose=True),
    *map(Column, ("Before", "After", "Bounds")),
)  # fmt: skip
_FINDINGS: Final = (
    Column("About", is_number=False),
    Column("Verdict", is_number=False),
    Column("Why", is_number=False, is_prose=True),
)


def learning_page(told: Told, made_ns: int) -> str:
    """Return what a session learnt as the text of one HTML file."""
    title = f"What session {told.session} learnt"
    facts = (told.model or "no model", f"made {iso_utc(made_ns)} UTC by litehedge {__version__}")
    updates = [u for u in told.updates if u.model == told.model][-MOST_UPDATES:]
    return page(
        title,
        join(
            [
                element(
                    "header", element("h1", title), element("p", " · ".join(facts), css="hg-lead")
                ),
                card("In words", *(element("p", line) for line in in_words(told))),
                card(
                    "Updates", table("hg-updates", _UPDATES, rows_of(updates), cards=False),
                    lead="Newest last. Each step is small, within hard bounds, and can be taken "
                    "back. What has not helped on what came after it is not used.",
                ),
                _watch(told),
                *_ratios(told),
            ]
        ),
    )  # fmt: skip


def rows_of(updates: list[Update]) -> list[Row]:
    """Return one row for each number that moved."""
    return [
        Row(
            [
                str(one.number), iso_utc(one.time_ns), one.evidence, change.name,
                f"{change.before:.4f}", f"{change.after:.4f}",
                f"{change.low:g} to {change.high:g}",
            ]
        )
        for one in updates
        for change in one.changes
    ]  # fmt: skip


def _watch(told: Told) -> Safe:
    rows = [
        Row([f.about, element("span", str(f.word), css=_CSS.get(f.word, "hg-dim")), f.text])
        for f in told.look.findings
    ]
    strata = [
        f"{one.name}: {one.frames:,} frames, {one.events} squeezes"
        + "".join(f", {name.replace('_', ' ')} {score.value:.2f}"
                  for name, score in one.scores.items())
        for one in told.look.strata
    ]  # fmt: skip
    return card(
        "Does the model still fit?", table("hg-watch", _FINDINGS, rows, cards=False),
        *(element("p", line, css="hg-dim") for line in strata),
        lead=f"Together: {told.look.word}. On {told.look.frames:,} frames with "
        f"{told.look.events} squeezes that it lived through here.",
    )  # fmt: skip


def _ratios(told: Told) -> list[Safe]:
    if not told.sum.windows:
        return []
    option: Option = base()
    option["grid"] = {"left": 72, "right": 24, "top": 24, "bottom": 40}
    option["xAxis"] = {
        "type": "category", "data": [percent(r, 0) for r in RATIOS.tolist()],
        "axisLabel": {"color": DIM, "fontSize": 11},
    }  # fmt: skip
    option["yAxis"] = value_axis(axisLabel={"color": INK, "fontSize": 11})
    option["series"] = [
        {
            "type": "bar", "name": "Mean outcome", "itemStyle": {"color": BLUE},
            "tooltip": {":valueFormatter": IN_USDT},
            "data": [round(x, 2) for x in told.sum.ratios_usdt],
        }
    ]  # fmt: skip
    died = ", ".join(
        f"{percent(r, 0)}: {n}" for r, n in zip(RATIOS.tolist(), told.sum.deaths, strict=True) if n
    )
    return [
        card(
            "What every hedge ratio would have come to",
            chart("ratios", option, "Mean outcome of four hours by hedge ratio", height=240),
            lead=f"Mean change of the account over {told.sum.windows} windows of four hours that "
            "do not overlap, in USDT, with the cost of changing to that ratio. "
            + (f"Liquidated at {died}." if died else "No ratio was liquidated."),
        )
    ]

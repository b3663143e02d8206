"""The blow-up study as a page: who is alive, the tables, and what ruin means here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from litehedge import __version__
from litehedge.blowup.lives import RUIN_SHARE, SIDES
from litehedge.blowup.wrong import ABOUT, Wrong
from litehedge.report.markup import Column, Row, Safe, card, chart, element, join, table
from litehedge.report.ruin import ARMS, Difference, RuinRow, RuinStudy
from litehedge.report.ruin_charts import RIGHT, WRONG, alive_chart
from litehedge.report.style import number, percent
from litehedge.report.tearsheet import page
from litehedge.units import iso_utc

DEFINITION: Final = (
    "Ruined: the first forced closing, be it of a part or of a fully hedged account, or a minute "
    f"that closes with equity below {RUIN_SHARE:.0%} of the wallet. "
    "Lost: the second of these alone."
)
HEADS: Final = (
    "arm", "forecaster", "ruined", "90 %", "lost", "median equity", "mean", "CVaR5", "median fall",
    "hedge", "turnover", "costs", "funding", "refusals",
)  # fmt: skip


def cells(row: RuinRow) -> list[str]:
    """Return a row of the mix as text, in the order of `HEADS`."""
    return [
        row["arm"], row["forecaster"], percent(row["ruin_rate"]), interval(row),
        percent(row["lost_rate"]), percent(row["median_equity"], 0), percent(row["mean_equity"], 0),
        percent(row["cvar5"], 0), percent(row["median_drawdown"], 0), percent(row["hedge"], 0),
        number(row["turnover"]), percent(row["costs"]), percent(row["funding"]),
        number(row["refusals"], 0),
    ]  # fmt: skip


def interval(row: RuinRow) -> str:
    """Write the interval of a ruin rate."""
    return f"{percent(row['ruin_low'])} .. {percent(row['ruin_high'])}"


def difference_cells(d: Difference) -> list[str]:
    """Return a difference as text: the arms, ruin and mean equity with their intervals."""
    ruin = " .. ".join(percent(d[end], signed=True) for end in ("ruin_low", "ruin_high"))
    equity = " .. ".join(percent(d[end], signed=True) for end in ("equity_low", "equity_high"))
    return [
        f"{d['arm']} less {d['than']}", d["forecaster"], percent(d["ruin"], signed=True), ruin,
        percent(d["mean_equity"], signed=True), equity,
    ]  # fmt: skip


def traders(study: RuinStudy) -> list[tuple[list[str], list[RuinRow]]]:
    """Return, per leverage and side, its heading and the rows of all arms, forecaster right."""
    return [
        ([f"{leverage:g}x", side], [study.row(arm, Wrong.NOT, side, leverage) for arm in ARMS])
        for leverage in study.mix
        for side in SIDES
    ]


def mix_rows(study: RuinStudy) -> list[RuinRow]:
    """Return the rows of the mix."""
    return [row for row in study.rows if np.isnan(row["leverage"])]


def mix_in_words(study: RuinStudy) -> str:
    """Say how much each leverage counts."""
    shares = ", ".join(f"{leverage:g}x {percent(s)}" for leverage, s in study.mix.items())
    return f"Open interest of the simulated crowd, by nearest leverage: {shares}; half long."


def ruin_page(study: RuinStudy, meta: Mapping[str, object], made_ns: int) -> str:
    """Return the report as the text of one HTML file; `meta` is told as it is."""
    title = f"Blow-ups: {study.days} days, {study.worlds} simulated worlds"
    made = f"made {iso_utc(made_ns)} UTC by litehedge {__version__}"
    body = [
        element("header", element("h1", title), element("p", made, css="hg-lead")),
        card(
            "Who is not ruined yet",
            chart("right", alive_chart(study, RIGHT), "Share alive by day", height=360),
            lead=DEFINITION,
        ),
        card(
            "When the forecaster goes wrong",
            chart("wrong", alive_chart(study, WRONG), "Share alive by day", height=360),
            lead="Flips: " + ABOUT[Wrong.FLIPS] + ". Stuck: " + ABOUT[Wrong.STUCK] + ".",
        ),
        card(
            "The mix of all traders",
            _table("mix", HEADS, (cells(row) for row in mix_rows(study)), words=2),
            lead=mix_in_words(study),
        ),
        card(
            "One arm less another, in the same worlds",
            _table(
                "differences",
                ("arms", "forecaster", "ruined", "90 %", "mean equity", "90 %"),
                map(difference_cells, study.differences), words=2,
            ),
        ),
        card("Ruined, by leverage and side", _by_trader(study)),
        card("What the arms are", _meanings(ARMS)),
        card("How it was made", _meanings({name: str(value) for name, value in meta.items()})),
    ]  # fmt: skip
    return page(title, join(body))


def _table(name: str, heads: Sequence[str], rows: Iterable[list[str]], *, words: int) -> Safe:
    columns = [Column(head, is_number=i >= words) for i, head in enumerate(heads)]
    return table(name, columns, [Row(row) for row in rows], cards=False)


def _by_trader(study: RuinStudy) -> Safe:
    rows = [
        [*heading, *(f"{percent(r['ruin_rate'])} ({interval(r)})" for r in rows)]
        for heading, rows in traders(study)
    ]
    return _table("traders", ("leverage", "side", *ARMS), rows, words=2)


def _meanings(words: Mapping[str, str]) -> Safe:
    return element("ul", *(element("li", f"{name}: {about}") for name, about in words.items()))

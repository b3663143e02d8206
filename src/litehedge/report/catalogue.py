"""The squeeze catalogue as a page: price with every squeeze, and the table below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from litehedge.market import schema as sc
from litehedge.market.frames import Frames
from litehedge.report.charts import price_chart
from litehedge.report.markup import Column, Row, card, chart, element, join, table
from litehedge.report.style import counted, number, percent
from litehedge.report.tearsheet import page
from litehedge.squeeze.labels import Squeeze
from litehedge.units import iso_utc

_COLUMNS = (
    Column("side", is_number=False), Column("onset (UTC)", is_number=False),
    Column("peak", is_number=False), Column("end", is_number=False), Column("from"), Column("to"),
    Column("move"), Column("in sigma"), Column("taken back in 1 h"), Column("1 h move before"),
    Column("1 h volatility before"), Column("funding before, bps"),
)  # fmt: skip


def catalogue_page(
    name: str,
    frames: Frames,
    squeezes: Sequence[Squeeze],
    befores: Sequence[Mapping[str, float]],
) -> str:
    """Return one self-contained HTML page.

    Parameters
    ----------
    befores
        The market thirty minutes before each onset, in the order of `squeezes`.
    """
    title = f"{counted(len(squeezes), 'squeeze')} in {name}"
    drawn = chart(
        "price",
        price_chart(frames.end_ns, np.ascontiguousarray(frames.values[:, sc.CLOSE]), squeezes, ()),
        f"Price of {name} with {counted(len(squeezes), 'squeeze')}",
        height=460,
    )
    rows = [_row(q, before) for q, before in zip(squeezes, befores, strict=True)]
    body = [
        element("header", element("h1", title)),
        card(
            "Price and squeezes",
            drawn,
            lead="Areas run from onset to peak. Zoom with the wheel or two fingers.",
        ),
        card(
            "Catalogue",
            table("squeezes", _COLUMNS, rows, cards=True),
            lead="Onset and peak are known only afterwards; 'before' is 30 minutes before the onset.",  # noqa: E501
        ),
    ]
    return page(title, join(body))


def _row(q: Squeeze, before: Mapping[str, float]) -> Row:
    return Row(
        [
            q.side, iso_utc(q.onset_ns), iso_utc(q.peak_ns)[11:], iso_utc(q.end_ns)[11:],
            number(q.onset_price, 2), number(q.peak_price, 2), percent(q.move, signed=True),
            number(q.severity_sigma), percent(q.retrace_60m, 0),
            percent(float(np.expm1(before["move_60m"])), signed=True),
            _times(before["vol_ratio_60m"]), number(before["funding_bps"], 2),
        ]
    )  # fmt: skip


def _times(x: float) -> str:
    return number(x) + ("x" if np.isfinite(x) else "")

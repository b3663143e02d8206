"""The ledger of what people and plans did, as an HTML page: a table, both courses drawn."""

from __future__ import annotations

from typing import Final

from litehedge import __version__
from litehedge.ledger.scores import Ledger, Score, Verdict, ledger_in_words, upper_first
from litehedge.report.axes import (
    IN_PERCENT,
    IN_USDT,
    Option,
    dataset,
    run_line,
    time_chart,
    value_axis,
    with_legend,
)
from litehedge.report.markup import (
    Column,
    Row,
    Safe,
    card,
    chart,
    element,
    join,
    table,
    two_lines,
)
from litehedge.report.style import percent, usdt
from litehedge.report.tearsheet import page
from litehedge.units import describe_ns, iso_utc

WITH: Final = "With what was done"
WITHOUT: Final = "Without it"
_CSS: Final = {Verdict.HELPED: "hg-done", Verdict.COST: "hg-danger"}
_COLUMNS: Final = (
    Column("From (UTC)", is_number=False),
    Column("Act", is_number=False, is_prose=True),
    Column("Verdict", is_number=False),
    *map(Column, (
        "Difference", "Fees", "Slippage", "Funding", "Prices", "Drawdown", "Nearest",
        "Liquidation", "What truly happened",
    )),
)  # fmt: skip


def ledger_page(name: str, told: Ledger, made_ns: int) -> str:
    """Return the ledger of a session as the text of one HTML file."""
    title = f"What you and your plans did in session {name}"
    facts = (
        f"tail of {describe_ns(told.tail_ns)}",
        f"made {iso_utc(made_ns)} UTC by litehedge {__version__}",
    )
    sections = [
        element("header", element("h1", title), element("p", " · ".join(facts), css="hg-lead")),
        card(
            "All of it",
            table("hg-ledger", _COLUMNS, [_row(score) for score in told.scores], cards=False),
            lead=f"{upper_first(ledger_in_words(told))}. USDT; positive is good for you. Small "
            "figures: a difference below this is none.",
        ),
        *(_drawn(score, place) for place, score in enumerate(told.scores)),
    ]
    return page(title, join(sections))


def _row(score: Score) -> Row:
    with_act, without = score.with_act, score.without
    return Row(
        [
            iso_utc(score.begins_ns),
            "; ".join(act.text for act in score.acts),
            element("span", score.verdict.value, css=_CSS.get(score.verdict, "hg-dim")),
            two_lines(usdt(score.pnl_usdt, signed=True), f"± {score.noise_usdt:,.2f}"),
            usdt(score.fees_usdt, signed=True),
            usdt(score.slippage_usdt, signed=True),
            usdt(score.funding_usdt, signed=True),
            usdt(score.price_usdt + score.forced_usdt, signed=True),
            usdt(-score.drawdown_usdt, signed=True),
            two_lines(percent(with_act.nearest), f"without: {percent(without.nearest)}"),
            score.liquidation or "-",
            usdt(score.true_pnl_usdt, signed=True),
        ]
    )


def _drawn(score: Score, place: int) -> Safe:
    with_act, without = score.with_act, score.without
    worth = value_axis(scale=True)
    money = time_chart(worth)
    money["dataset"] = dataset(
        with_act.time_ns,
        [with_act.equity_usdt - with_act.equity_usdt[0],
         without.equity_usdt - without.equity_usdt[0]],
        2,
    )  # fmt: skip
    ratios = time_chart(value_axis(min=0, axisLabel={"formatter": "{value}%"}))
    ratios["dataset"] = dataset(
        with_act.time_ns, [100.0 * with_act.ratio, 100.0 * without.ratio], 1
    )
    over = f", over {iso_utc(score.over_ns)}" if score.over_ns >= 0 else ", not over"
    return card(
        f"{iso_utc(score.begins_ns)}: {'; '.join(act.text for act in score.acts)}",
        chart(f"money-{place}", _two(money, IN_USDT), "Profit with and without the act",
              height=260),
        chart(f"ratio-{place}", _two(ratios, IN_PERCENT), "Hedge ratio with and without the act",
              height=200),
        lead=f"{score.verdict.value}{over}; looked at until {iso_utc(score.until_ns)}: "
        f"{score.until.value}. Above: profit in USDT; below: the hedge.",
    )  # fmt: skip


def _two(option: Option, formatter: str) -> Option:
    series = [run_line(WITH, 1, formatter), run_line(WITHOUT, 2, formatter)]
    return with_legend(option, series)

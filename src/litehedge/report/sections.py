"""The upper part of the tear-sheet: title, hero figures, warnings, and the charts of the runs."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import Run
from litehedge.report import charts
from litehedge.report.axes import UNHEDGED
from litehedge.report.calls import Call
from litehedge.report.markup import (
    Column,
    Row,
    Safe,
    Text,
    card,
    chart,
    element,
    join,
    table,
    two_lines,
)
from litehedge.report.metrics import Comparison, Interval, Period, RunSummary
from litehedge.report.series import band, drawdown
from litehedge.report.sheet import RunsView, TearSheet, row_of
from litehedge.report.style import UNKNOWN, amount, counted, day, number, percent, usdt
from litehedge.report.summary_charts import cost_chart, monthly_chart
from litehedge.sim.episode import PATH_DISTANCE, PATH_RATIO
from litehedge.tape import Tape
from litehedge.units import iso_utc

Floats = NDArray[np.float64]

FEW_EPISODES: Final = 20
FEW_SQUEEZES: Final = 10
CHART_PX: Final = 320
LONG_FIGURE: Final = 7
"""Letters that a hero figure may have on a phone at full size."""


# --- words at the top -------------------------------------------------------------------------


def span_of(sheet: TearSheet) -> str:
    """Say the span of the data in UTC dates."""
    return f"{day(sheet.start_ns)} .. {day(sheet.end_ns)}"


def run_title(sheet: TearSheet, view: RunsView) -> str:
    """Say what was run and how often it was liquidated, with the number of squeezes."""
    position = sheet.settings.position
    events = counted(len(sheet.tape.squeezes), "squeeze")
    died = len(view.summary.liquidated_ns)
    what = f"{position.leverage:g}x {position.side} through {span_of(sheet)}: {events}, "
    if view.naked is None:
        return what + counted(died, "liquidation")
    naked = len(view.naked.liquidated_ns)
    return what + f"{counted(naked, 'liquidation')} without hedge, {died} with"


def comparison_title(sheet: TearSheet, comparison: Comparison) -> str:
    """Say what was compared, over how many episodes, and the two rates that matter."""
    what = f"{comparison.leverage:g}x {comparison.side}"
    naked, row = row_of(comparison, UNHEDGED), row_of(comparison, sheet.policy)
    some = row or comparison.rows[0]
    title = f"{what}, {counted(some['episodes'], 'episode')} in {span_of(sheet)}"
    rates = [
        f"{percent(found['liquidation_rate'])} liquidated {how}"
        for found, how in ((naked, "without hedge"), (row, f"with {sheet.policy}"))
        if found is not None and (how == "without hedge" or found is not naked)
    ]
    return f"{title}: {', '.join(rates)}" if rates else title


def warnings(sheet: TearSheet) -> Safe:
    """Return the red box with everything that makes the figures weaker than they look."""
    says: list[str] = []
    if sheet.in_sample:
        name = sheet.card.name if sheet.card is not None else "the model"
        says.append(
            f"In-sample: {name} was trained on data of this span. It has seen the answers; "
            "expect worse on data that it has not seen."
        )
    squeezes = len(sheet.tape.squeezes)
    if sheet.runs and squeezes < FEW_SQUEEZES:
        says.append(
            f"Small sample: {counted(squeezes, 'squeeze')}, fewer than {FEW_SQUEEZES}. "
            "Luck decides such figures."
        )
    fewest = min((row["episodes"] for c in sheet.comparisons for row in c.rows), default=None)
    if fewest is not None and fewest < FEW_EPISODES:
        says.append(
            f"Small sample: {counted(fewest, 'episode')}, fewer than {FEW_EPISODES}. "
            "Luck decides such figures."
        )
    boxes = [
        element("p", element("strong", "⚠ Warning"), " ", text, css="hg-warning") for text in says
    ]
    notes = [element("p", note, css="hg-note") for note in sheet.notes]
    return join([*boxes, *notes])


# --- hero cards -------------------------------------------------------------------------------


class Hero(NamedTuple):
    """One figure in a card: what it is, the figure, what to compare it with."""

    label: str
    figure: str
    remark: str
    css: str = ""


def hero_cards(heroes: list[Hero]) -> Safe:
    """Return the cards with one large figure each."""
    cards = [
        element(
            "div",
            element("div", hero.label, css="hg-label"),
            element("div", hero.figure, css=_figure_css(hero)),
            element("div", hero.remark, css="hg-remark"),
            css="hg-hero",
        )
        for hero in heroes
    ]
    return element("div", *cards, css="hg-heroes")


def _figure_css(hero: Hero) -> str:
    long = "hg-long" if len(hero.figure) > LONG_FIGURE else ""
    return " ".join(filter(None, ("hg-figure", long, hero.css)))


def run_heroes(sheet: TearSheet, view: RunsView) -> list[Hero]:
    """Return the figures that sum up the chosen run."""
    s, naked = view.summary, view.naked

    def beside(figure: str, alone: str) -> str:
        return f"without hedge {figure}" if naked is not None else alone

    against = [c for c in view.calls if c.squeeze.side == sheet.settings.position.side]
    caught = sum(c.call is Call.CAUGHT for c in against)
    died = len(s.liquidated_ns)
    days = "day" if s.worst_days == 1 else f"{s.worst_days} days"
    return [
        Hero(
            "Liquidations", str(died),
            beside(str(len(naked.liquidated_ns)) if naked else "", "of the position"),
            "hg-danger" if died else "",
        ),
        Hero(
            "Profit and loss, USDT", amount(s.pnl_usdt, signed=True),
            beside(
                amount(naked.pnl_usdt, signed=True) if naked else "",
                f"{percent(s.pnl_share, signed=True)} of the money put in",
            ),
        ),
        Hero(
            "Largest drawdown of a wallet", percent(s.life_drawdown),
            beside(percent(naked.life_drawdown) if naked else "", "from its peak"),
        ),
        Hero(
            "Nearest to liquidation", percent(s.nearest_liquidation),
            beside(
                percent(naked.nearest_liquidation) if naked else "", "of price, at a bar's close"
            ),
        ),
        Hero(
            "Average hedge", percent(s.avg_hedge),
            f"{counted(s.trades, 'trade')}, turnover {number(s.turnover)}",
        ),
        Hero(
            "Cost, USDT", amount(s.cost_usdt),
            beside(
                amount(naked.cost_usdt) if naked else "",
                f"{percent(s.cost_usdt / s.invested_usdt)} of the money put in",
            ),
        ),
        Hero(
            "Squeezes caught", f"{caught}/{len(against)}",
            "half of the move or more was hedged",
        ),
        Hero(
            "Loss avoided in the worst days", percent(s.effectiveness),
            f"in the worst {days} without hedge",
        ),
    ]  # fmt: skip


def comparison_heroes(sheet: TearSheet, comparison: Comparison) -> list[Hero]:
    """Return the figures that sum up the chosen policy over the episodes."""
    at = next((i for i, r in enumerate(comparison.rows) if r["policy"] == sheet.policy), 0)
    row, interval = comparison.rows[at], comparison.intervals[at]
    naked = row_of(comparison, UNHEDGED)
    cost = row["cost_fees"] + row["cost_slippage"] + row["cost_funding"]
    return [
        Hero(
            "Liquidated", percent(row["liquidation_rate"]),
            f"90% interval {between(interval.liquidation_rate)}; static hedge of the same size "
            f"{percent(row['static_liquidation_rate'])}",
        ),
        Hero(
            "Mean return", percent(row["mean_return"], signed=True),
            f"90% interval {between(interval.mean_return)}; static hedge of the same size "
            f"{percent(row['static_mean_return'], signed=True)}",
        ),
        Hero("Mean of the worst 5%", percent(row["cvar5"], signed=True), "return per episode"),
        Hero("Worst episode", percent(row["worst"], signed=True), "return"),
        Hero(
            "Average hedge", percent(row["avg_hedge"]),
            f"{number(row['trades'])} trades, turnover {number(row['turnover'])} per episode",
        ),
        Hero("Cost", percent(cost, 2), "of the wallet per episode"),
        Hero("Episodes", f"{row['episodes']:,}", f"{comparison.leverage:g}x {comparison.side}"),
        Hero(
            "Liquidated without hedge",
            percent(float("nan") if naked is None else naked["liquidation_rate"]),
            "of the same episodes",
        ),
    ]  # fmt: skip


def between(interval: Interval) -> str:
    """Write an interval of fractions as ``0.1 to 0.6%``."""
    if interval.low != interval.low:
        return UNKNOWN
    return f"{percent(interval.low)[:-1]} to {percent(interval.high)}"


# --- charts of the runs -----------------------------------------------------------------------


def run_charts(sheet: TearSheet, view: RunsView) -> Safe:
    """Return equity, drawdown, price, hedge, distance and cost, in this order."""
    end_ns, tape = sheet.tape.end_ns, sheet.tape
    then = f"After a liquidation: {view.after_liquidation}." if view.after_liquidation else ""
    falls = {name: drawdown(pnl) for name, pnl in view.cumulated_usdt.items()}
    return join([
        card(
            "Profit and loss since the start",
            chart("equity", charts.equity_chart(end_ns, view.cumulated_usdt),
                  "Cumulated profit and loss over time", height=CHART_PX),
            lead=f"USDT, from a wallet of {usdt(view.summary.wallet_usdt)}. {then}".strip(),
        ),
        card(
            "Drawdown",
            chart("drawdown", charts.drawdown_chart(end_ns, falls),
                  "Drawdown of the cumulated profit over time", height=260),
            lead="How far the cumulated profit lies under its peak, in USDT. It can exceed one "
            "wallet when several are lost.",
        ),
        _price_card(tape, view),
        _hedge_card(tape, view.chosen, view.runs[view.chosen]),
        _distance_card(tape, view),
        card(
            "What it cost",
            chart("cost", cost_chart(list(view.summaries.values())), "Cost split of each run",
                  height=92 + 40 * len(view.runs)),
            lead="USDT over the whole span. Negative funding was received.",
        ),
    ])  # fmt: skip


def _price_card(tape: Tape, view: RunsView) -> Safe:
    run = view.runs[view.chosen]
    deaths = [
        charts.Liquidation(when, float(tape.bars[np.searchsorted(tape.end_ns, when), 3]))
        for when in run.liquidated_ns
    ]
    drawn = charts.price_chart(tape.end_ns, tape.bars[:, 3], tape.squeezes, deaths)
    return card(
        "Price and squeezes",
        chart("price", drawn, "Price with squeezes and liquidations", height=CHART_PX),
        lead="USDT per LTC. A shaded area runs from onset to peak of a squeeze; the mark lies at "
        "its peak. A long squeeze pushes the price down, a short squeeze up.",
    )


def _hedge_card(tape: Tape, name: str, run: Run) -> Safe:
    lo, hi = band(run)
    moves = charts.moves_of(run.decisions)
    drawn = charts.hedge_chart(tape.end_ns, run.path[:, PATH_RATIO], lo, hi, moves)
    lead = f"What {name} held, and the band inside which it leaves the hedge alone."
    if not run.decisions:
        lead += " This run recorded no decisions."
    return card(
        "Hedge ratio and band",
        chart("hedge", drawn, "Hedge ratio, band and decisions over time", height=CHART_PX),
        lead=lead,
    )


def _distance_card(tape: Tape, view: RunsView) -> Safe:
    lines = {
        name: view.runs[name].path[:, PATH_DISTANCE]
        for name in list(view.runs)[:2]
        if name in (view.chosen, UNHEDGED)
    }
    deaths = {name: view.runs[name].liquidated_ns for name in lines}
    return card(
        "Distance to liquidation",
        chart("distance", charts.distance_chart(tape.end_ns, lines, deaths),
              "Distance to liquidation over time", height=CHART_PX),
        lead="How far the price would have to move against the account. A fully hedged account "
        "is far away: its line is at the top of the chart or above it.",
    )  # fmt: skip


# --- tables of the runs -----------------------------------------------------------------------


def monthly_card(view: RunsView) -> Safe:
    """Return the profit of every month."""
    months = view.summary.months
    years = len({day(month.start_ns)[:4] for month in months})
    return card(
        "Months",
        chart("months", monthly_chart(months), "Profit and loss by month",
              height=36 + 38 * years, css="hg-wide"),
        lead=f"Profit and loss of {view.chosen} in percent of one wallet; UTC months.",
    )  # fmt: skip


def figures_card(view: RunsView) -> Safe:
    """Return all figures of all runs, one column per run."""
    runs = list(view.summaries.values())
    rows = [Row([label, *(figure(s) for s in runs)]) for label, figure in _FIGURES]
    heads = [Column("", is_number=False, is_prose=True), *(Column(s.policy) for s in runs)]
    return card(
        "Figures",
        table("hg-figures", heads, rows, cards=False),
        lead="A year has 365 days. Days and months are UTC; their returns are in percent of one "
        "wallet.",
    )


def _died(s: RunSummary) -> Text:
    if not s.liquidated_ns:
        return "0"
    when = [iso_utc(t) for t in s.liquidated_ns[:3]]
    rest = len(s.liquidated_ns) - len(when)
    remark = join([*(element("small", w) for w in when)])
    more = element("small", f"and {rest} more") if rest else Safe("")
    return join([str(len(s.liquidated_ns)), remark, more])


def _worst(period: Period, letters: int) -> Text:
    return two_lines(percent(period.share, signed=True), day(period.start_ns)[:letters])


_FIGURES: Final = (
    ("Liquidations (UTC)", _died),
    ("Profit and loss", lambda s: usdt(s.pnl_usdt, signed=True)),
    ("Money put in", lambda s: two_lines(usdt(s.invested_usdt), counted(s.lives, "wallet"))),
    ("Profit and loss, share of it", lambda s: percent(s.pnl_share, signed=True)),
    ("Largest drawdown of a wallet", lambda s: percent(s.life_drawdown)),
    ("Largest drawdown of profit", lambda s: usdt(s.drawdown_usdt)),
    ("Worst month", lambda s: _worst(s.worst_month, 7)),
    ("Worst day", lambda s: _worst(s.worst_day, 10)),
    ("Mean of the worst 5% of days", lambda s: percent(s.daily_cvar5, signed=True)),
    ("Volatility per year (365 days)", lambda s: percent(s.volatility_annual)),
    ("Loss avoided in the worst 5% of days", lambda s: percent(s.effectiveness)),
    ("Correlation of hedge and position", lambda s: number(s.leg_correlation, 2, signed=True)),
    ("Average hedge ratio", lambda s: percent(s.avg_hedge)),
    ("Nearest to liquidation", lambda s: percent(s.nearest_liquidation)),
    ("Trades", lambda s: f"{s.trades:,}"),
    ("Turnover of the ratio", lambda s: number(s.turnover)),
    ("Cut or refused by limits", lambda s: f"{s.refusals:,}"),
    ("Fees", lambda s: usdt(s.fees_usdt)),
    ("Slippage", lambda s: usdt(s.slippage_usdt)),
    ("Funding (negative: received)", lambda s: usdt(s.funding_usdt)),
    ("Liquidation clearance", lambda s: usdt(s.clearance_usdt)),
)  # fmt: skip

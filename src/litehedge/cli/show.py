"""How backtests look in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from litehedge.cli.common import console, print_table
from litehedge.config import Settings
from litehedge.effects import Decision
from litehedge.hedge.band import Action
from litehedge.report.contest.figures import days_of
from litehedge.report.metrics import Comparison, ComparisonRow, RunSummary
from litehedge.report.style import percent, usdt
from litehedge.units import iso_utc


def print_run(
    name: str, settings: Settings, summaries: Mapping[str, RunSummary],
    rows: Sequence[ComparisonRow], *, in_sample: bool, notes: Sequence[str],
    is_funded: bool,
) -> None:  # fmt: skip
    """Print the figures of the run beside those of the position without hedge.

    `rows` compare each with a smaller position; `is_funded` tells whether funding was known.
    """
    position = settings.position
    console.print(
        f"[bold]{position.leverage:g}x {position.side}[/], {usdt(position.wallet_usdt)} wallet, "
        f"on {name}",
        highlight=False,
    )
    if in_sample:
        console.print(
            "[yellow]in-sample:[/] the model was trained on a part of this span, so what it "
            "forecasts here is better than it would have been",
            highlight=False,
        )
    table = Table()
    table.add_column("")
    for policy in summaries:
        table.add_column(policy, justify="right")

    def row(label: str, values: Sequence[str]) -> None:
        table.add_row(label, *values)

    all_ = list(summaries.values())
    row("liquidated", ["\n".join(iso_utc(t) for t in s.liquidated_ns) or "never" for s in all_])
    row("positions opened", [str(s.lives) for s in all_])
    row("money put in", [usdt(s.invested_usdt) for s in all_])
    row("profit", [usdt(s.pnl_usdt, signed=True) for s in all_])
    row("  of what was put in", [percent(s.pnl_share, signed=True) for s in all_])
    row("mean return of a position", [percent(r["mean_return"], signed=True) for r in rows])
    row(
        "  of one smaller by the average hedge",
        [percent(r["static_mean_return"], signed=True) for r in rows],
    )
    row("largest drawdown of equity", [percent(s.life_drawdown) for s in all_])
    row("nearest to liquidation", [percent(s.nearest_liquidation) for s in all_])
    row("worst day, of the wallet", [percent(s.worst_day.share, signed=True) for s in all_])
    row("saved in the worst days", [percent(s.effectiveness) for s in all_])
    row("average hedge", [percent(s.avg_hedge) for s in all_])
    row("trades", [str(s.trades) for s in all_])
    row("frames cut by guards", [f"{s.refusals:,}" for s in all_])
    costs = {
        "fees": "fees_usdt",
        "slippage": "slippage_usdt",
        "funding": "funding_usdt",
        "liquidation fee": "clearance_usdt",
    }
    for label, field in costs.items():
        is_known = label != "funding" or is_funded
        row(f"  {label}", [usdt(getattr(s, field)) if is_known else "n/a" for s in all_])
    print_table(table)
    for note in notes:
        console.print(note, style="yellow", highlight=False)


def print_decisions(decisions: Sequence[Decision], *, everything: bool) -> None:
    """Print decisions with reasons: changes and refusals, or held ones too."""
    shown = [
        d
        for d in decisions
        if everything or d.recommendation.action is not Action.MAINTAIN or d.verdicts
    ]
    table = Table(title=f"{len(shown)} of {len(decisions)} recorded decisions (UTC)", width=None)
    for heading in (
        "time",
        "price",
        "decision",
        "hedge",
        "hedge LTC",
        "gain / cost %",
        "bears",
        "reason",
    ):
        table.add_column(
            heading, justify="left" if heading in ("time", "decision", "reason") else "right",
            no_wrap=heading != "reason",
        )  # fmt: skip
    for d in shown:
        r = d.recommendation
        refused = "; ".join(v.told() for v in d.verdicts)
        done = "refused" if d.verdicts and not d.order_id else r.action.value
        style = {"increase": "cyan", "decrease": "green", "refused": "red"}.get(done, "dim")
        table.add_row(
            iso_utc(d.time_ns), f"{d.price:.2f}", f"[{style}]{done}[/]",
            f"{percent(r.ratio, 0)} → {percent(r.target, 0)}", f"{r.size_ltc:+.3f}",
            f"{_share(r.benefit_bps)} / {_share(r.cost_bps)}",
            f"{d.advice.leverage:.1f}x" if d.advice.leverage == d.advice.leverage else "-",
            r.reason + (f"\n[red]{refused}[/]" if refused else ""),
        )  # fmt: skip
    print_table(table, folds=True)
    if shown:
        advice = shown[0].advice
        console.print(
            f"bears: the leverage at which liquidation within {advice.horizon_days:g} days has "
            f"{percent(advice.tolerance, 0)} probability, without hedge",
            style="dim", highlight=False,
        )  # fmt: skip


def _share(bps: float) -> str:
    """Write hundredths of a percent as percent."""
    text = f"{bps / 100.0:.3f}"
    return text.replace("-0.000", "0.000") if np.isfinite(bps) else "n/a"


def print_comparisons(comparisons: Sequence[Comparison], meta: Mapping[str, Any]) -> None:
    """Print one table per side and leverage, static hedges of equal size beside each policy."""
    if meta["model_saw_this_span"]:
        console.print(
            "[yellow]in-sample:[/] the model was trained on a part of this span",
            highlight=False,
        )
    for c in comparisons:
        table = Table(
            title=f"{c.side} {c.leverage:g}x, {c.rows[0]['episodes']} episodes of "
            f"{days_of(c):g} days on {meta['data']}, {meta['from']} .. {meta['to']}"
        )
        for heading in ("policy", "liquidated", "static", "mean", "static", "CVaR 5%", "worst",
                        "cost", "hedge", "trades"):  # fmt: skip
            table.add_column(heading, justify="left" if heading == "policy" else "right")
        for row, interval in zip(c.rows, c.intervals, strict=True):
            low, high = interval.liquidation_rate
            spread = "" if np.isnan(low) else f" [dim]{100 * low:.1f}-{100 * high:.1f}[/]"
            cost = row["cost_fees"] + row["cost_slippage"] + row["cost_funding"]
            table.add_row(
                row["policy"], percent(row["liquidation_rate"], 2) + spread,
                percent(row["static_liquidation_rate"], 2),
                percent(row["mean_return"], 2, signed=True),
                percent(row["static_mean_return"], 2, signed=True), percent(row["cvar5"]),
                percent(row["worst"]), percent(cost, 2), percent(row["avg_hedge"]),
                f"{row['trades']:.1f}",
            )  # fmt: skip
        print_table(table)
    console.print(
        "static: the same average hedge held all the time, at no cost; "
        "cost: fees, slippage and funding, of the wallet per episode",
        style="dim",
        highlight=False,
    )

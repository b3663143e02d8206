"""``litehedge report``: how a paper or live session went, beside the backtest of the same days."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from litehedge import backtest as bt
from litehedge.cli.common import check_writable, console, print_table, write_file, write_json
from litehedge.cli.learning import report_learning
from litehedge.cli.show import print_run
from litehedge.config import Settings
from litehedge.engine_state import State, start
from litehedge.errors import UsageError
from litehedge.hedge.policies import with_rules
from litehedge.hedge.rule_reading import parse_rules
from litehedge.live.recount import Gap, Recount, recount
from litehedge.live.session import session_at, sessions
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.orders.manager import Order
from litehedge.report.metrics import comparison_row, life_frontier, run_summary
from litehedge.report.style import percent, usdt
from litehedge.report.tearsheet import TearSheet, render
from litehedge.shelf.home import home, stderr
from litehedge.shelf.models import choose_model
from litehedge.shelf.policies import choose_policy
from litehedge.store.bundled import tier_table
from litehedge.store.header import Header
from litehedge.store.journal import Journal
from litehedge.units import iso_utc

LEARNING: Final = "learning"


def report(
    name: Annotated[
        str, typer.Argument(help="Name of the session; or learning, for what a session learnt.")
    ],
    session_name: Annotated[
        str | None,
        typer.Argument(metavar="[SESSION]", help="The session, after learning."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--report", help="Write a tear-sheet: one HTML file.")
    ] = None,
    json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - is the terminal.")
    ] = None,
) -> None:
    """Tell a paper or live session again from its journal, and compare it with a backtest.

    The market of the journal becomes bars of a minute; on these the same position is carried by
    the engine and the simulated venue, as a backtest would. The gap between both is told in bps of
    the wallet, and what it is made of: fees, slippage, funding, forced closings, and the rest,
    which is timing. Beside them goes the same position without a hedge.

    What a session learnt of its forecasts and costs, and whether that helped:
    litehedge report learning paper
    """
    if name == LEARNING:
        report_learning(session_name, html, json)
        return
    if session_name is not None:
        raise UsageError(f"what is {session_name!r}?", "give one session, or learning and one")
    check_writable(html)
    session = session_at(home(), name)
    if not session.has_journal:
        known = ", ".join(found.name for found in sessions(home()))
        hint = f"sessions are: {known}" if known else "begin one with: litehedge paper"
        raise UsageError(f"there is no session {name!r}", hint)
    journal = Journal(session.journal, reads_only=True)
    runs = journal.runs()
    header = runs[-1][1]
    state, forecaster, settings = _fresh(header)
    decisions = [one for number, _ in runs for one in journal.decisions(number)]
    orders: dict[str, Order] = {}
    for number, _ in runs:
        for order in journal.orders(number):
            orders[order.client_id] = order

    def stream() -> Iterator[ev.AnyEvent]:
        last_ns = 0
        for number, _ in runs:
            for event in journal.events(number):
                # A restart warms up on a past that was lived through before.
                if event.known_ns >= last_ns:
                    last_ns = event.known_ns
                    yield event

    with stderr.status("reading the journal …") as status:
        told = recount(
            stream, state, forecaster, decisions, orders, name=header.mode,
            reopens=header.mode == "paper",
            progress=lambda what: status.update(f"working out {what} …"),
        )  # fmt: skip
    tiers = state.fixed.tiers
    unhedged = told.unhedged
    compared = {header.mode: told.run, "backtest": told.backtest, "unhedged": unhedged}
    summaries = {n: run_summary(one, told.tape, settings, unhedged) for n, one in compared.items()}
    if json is not None:
        write_json(
            {
                "session": name, "mode": header.mode, "gap": msgspec.to_builtins(told.gap),
                "summaries": summaries, "positions": positions_of(told.run),
            },
            json,
        )  # fmt: skip
    if json != "-":
        _say(name, settings, tiers, told, summaries, unhedged)
    if html is not None:
        sheet = TearSheet(
            policy=header.mode, settings=settings, tiers=tiers, tape=told.tape,
            created_ns=time.time_ns(), card=None, in_sample=False, runs=compared,
        )  # fmt: skip
        write_file(html, render(sheet).encode())
        stderr.print(f"report in {html}", highlight=False)


def _fresh(header: Header) -> tuple[State, Any, Settings]:
    """Return a state of the session's settings, as before its first event."""
    settings = Settings.model_validate(header.settings)
    chosen = choose_model(header.model_folder or "none", header.atom_ns * header.per_frame)
    policy = choose_policy(header.policy, settings)
    if header.rules:
        policy = with_rules(policy, parse_rules(header.rules, "the journal", ""))
    kept = header.tiers  # a live session's are the venue's own
    tiers = tier_table("binance", settings.venue.symbol) if kept is None else kept.table
    state = start(
        settings, policy, tiers, chosen.forecaster, session="told", atom_ns=header.atom_ns,
        per_frame=header.per_frame,
    )  # fmt: skip
    return state, chosen.forecaster, settings


def _say(
    name: str,
    settings: Settings,
    tiers: TierTable,
    told: Recount,
    summaries: dict[str, Any],
    unhedged: bt.Run,
) -> None:
    side, leverage = settings.position.side, settings.position.leverage
    frontier = life_frontier(told.tape, settings, tiers)
    rows = [
        comparison_row(label, side, leverage, run.outcomes, frontier, settings.hedge.location)
        for label, run in ((told.run.policy, told.run), ("unhedged", unhedged))
    ]
    print_run(
        f"session {name}", settings, summaries, rows, in_sample=False, notes=[], is_funded=True
    )
    if told.run.outcomes.size > 1:
        _say_positions(told.run)
    _say_gap(told.gap)


def positions_of(run: bt.Run) -> list[dict[str, Any]]:
    """Return the positions of a session one by one, in order of time; money in USDT."""
    return [
        {
            "opened_ns": int(run.end_ns[min(int(life["start"]), run.end_ns.size - 1)]),
            "ended_ns": int(run.end_ns[max(int(life["stop"]) - 1, 0)]),
            "entry_usdt": float(life["entry"]),
            "wallet_usdt": float(life["wallet"]),
            "pnl_usdt": float(life["equity"] - life["wallet"]),
            "liquidated": bool(life["liquidated"]),
            "avg_hedge": float(life["ratio_sum"] / max(1, int(life["bars"]))),
            "trades": int(life["trades"]),
            "cost_usdt": float(life["fees"] + life["slippage"] + life["funding"]),
        }
        for life in run.outcomes
    ]


def _say_positions(run: bt.Run) -> None:
    table = Table(title="each position by itself (UTC)")
    for heading in ("opened", "until", "at", "wallet", "profit", "hedge", "trades", "costs", ""):
        table.add_column(heading, justify="right" if heading else "left")
    for one in positions_of(run):
        table.add_row(
            iso_utc(one["opened_ns"]), iso_utc(one["ended_ns"]), f"{one['entry_usdt']:.2f}",
            usdt(one["wallet_usdt"]), usdt(one["pnl_usdt"], signed=True),
            percent(one["avg_hedge"]), str(one["trades"]), usdt(one["cost_usdt"]),
            "[red]liquidated[/]" if one["liquidated"] else "",
        )  # fmt: skip
    print_table(table)


def _say_gap(gap: Gap) -> None:
    table = Table("against the backtest of the same time", "% of the wallet", title="gap")
    for what, value in (
        ("fees", gap.fees_bps), ("slippage", gap.slippage_bps), ("funding", gap.funding_bps),
        ("forced closings and transfers", gap.forced_bps),
        ("timing: other prices, moments, sizes", gap.timing_bps), ("together", gap.whole_bps),
    ):  # fmt: skip
        table.add_row(what, f"{value / 100.0 + 0.0:+.3f}")
    print_table(table)
    console.print(
        f"{gap.trades} trades, {gap.backtest_trades} in the backtest, which decides once a minute",
        highlight=False,
    )

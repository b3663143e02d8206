"""``litehedge override ledger``: what people and their plans did, and what it was worth."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from litehedge.cli.common import (
    JsonTarget,
    check_writable,
    console,
    note,
    print_table,
    progress,
    write_file,
    write_json,
)
from litehedge.cli.people import meant_session
from litehedge.ledger.scores import Ledger, Score, Verdict, ledger_in_words
from litehedge.ledger.walk import Part, keep
from litehedge.report.overrides import ledger_page
from litehedge.report.style import percent
from litehedge.shelf.home import stderr
from litehedge.shelf.journals import engine_of, minds_of
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_MINUTE, duration_ns, instant_ns, iso_utc

EVERY: Final = 2_000
_STYLES: Final = {Verdict.HELPED: "green", Verdict.COST: "red"}


def ledger(
    name: Annotated[
        str | None,
        typer.Argument(help="The session. Default: the only one that runs, or the only one."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Leave out what was done before, such as 2026-11-01.")
    ] = None,
    tail: Annotated[
        str, typer.Option(help="How long after the end of an act its effect is looked at.")
    ] = "24h",
    html: Annotated[
        Path | None, typer.Option("--report", help="Write one HTML file with both courses drawn.")
    ] = None,
    json: JsonTarget = None,
) -> None:
    """Score what you and your plans did against what the policy would have done.

    At each act (an override, a halt, a resume, a closing, a trade by hand that was adopted, a plan
    that came true) the session is taken from its journal as it stood, and goes on twice on the
    market that was recorded: with what was done, and without it and without plans. Both fill at
    the simulated venue, so that what it gets wrong, it gets wrong for both. The difference is what
    the act was worth, in USDT.

    litehedge override ledger paper --since 2026-11-01 --report ledger.html

    "no difference" is an act whose difference is smaller than the error of that venue, and "not
    yet" one that goes on, or ended less than an hour before the data does. Acts that overlap are
    scored together. A session that runs may be looked at; nothing of it is changed.
    """
    check_writable(html)
    since_ns = 0 if since is None else instant_ns(since)
    tail_ns = duration_ns(tail)
    session = meant_session(name)
    journal = Journal(session.journal, reads_only=True)
    with stderr.status("looking for what was done …"):
        parts = parts_of(journal)
    total = sum(length for _, length in parts if length)
    seen = 0
    with progress("telling the session again", total) as reach:

        def reached() -> None:
            nonlocal seen
            seen += 1
            if seen % EVERY == 0:
                reach(seen)

        told = keep(
            [part for part, _ in parts], tail_ns=tail_ns, since_ns=since_ns, reached=reached
        )
    if json is not None:
        write_json(plain(session.name, told), json)
    if json != "-":
        _say(session.name, told)
    if html is not None:
        write_file(html, ledger_page(session.name, told, time.time_ns()).encode())
        stderr.print(f"report in {html}", highlight=False)


def parts_of(journal: Journal) -> list[tuple[Part, int]]:
    """Return the runs of a journal as the ledger walks through them, with their lengths.

    Raises
    ------
    UsageError
        When the model or policy of a run is not here.
    JournalError
        When a run was written by another version and cannot be begun again.
    """
    parts = []
    for number, header in journal.runs():
        fired = journal.fired(number)
        is_silent = not fired and not any(journal.commands(number))
        part = Part(
            begin=partial(engine_of, number, header),
            events=lambda number=number: journal.events(number),  # type: ignore[misc]
            sent=lambda number=number: {  # type: ignore[misc]
                order.client_id: order for order in journal.orders(number)
            },
            plan=(
                header.settings, header.policy, header.policy_id, header.rules, header.model_id,
                header.atom_ns, header.per_frame,
            ),
            bar_ns=header.atom_ns if header.mode == "backtest" else NS_PER_MINUTE,
            is_on_bars=header.mode == "backtest",
            is_silent=is_silent,
            fired=fired,
            minds=minds_of,
        )  # fmt: skip
        parts.append((part, 0 if is_silent else journal.length(number)))
    return parts


def plain(name: str, told: Ledger) -> dict[str, Any]:
    """Return a ledger for JSON: without the courses minute by minute."""

    def course(score: Score, which: str) -> dict[str, Any]:
        one = getattr(score, which)
        return {
            field: getattr(one, field)
            for field in one.__struct_fields__
            if field not in ("time_ns", "equity_usdt", "ratio", "distance")
        }

    scores = []
    for score in told.scores:
        row: dict[str, Any] = {
            field: getattr(score, field)
            for field in score.__struct_fields__
            if field not in ("acts", "with_act", "without")
        }
        row["acts"] = [
            {"kind": act.kind, "begins_ns": act.begins_ns, "text": act.text, "plan": act.plan}
            for act in score.acts
        ]
        row["by"] = score.by.value
        row["with_act"], row["without"] = course(score, "with_act"), course(score, "without")
        scores.append(row)
    return {
        "session": name,
        "words": ledger_in_words(told),
        "tail_ns": told.tail_ns,
        "differing": told.differing,
        "total": msgspec.to_builtins(told.total),
        "by": msgspec.to_builtins(told.by),
        "scores": scores,
    }


def _say(name: str, told: Ledger) -> None:
    if told.scores:
        table = Table(title=f"what you and your plans did in session {name} (UTC)")
        for heading in ("from", "until", "act", "verdict", "USDT", "±", "fees", "slippage",
                        "funding", "drawdown", "nearest", "liquidation"):  # fmt: skip
            is_text = heading in ("from", "until", "act", "verdict", "liquidation")
            table.add_column(heading, justify="left" if is_text else "right")
        for score in told.scores:
            style = _STYLES.get(score.verdict, "dim")
            table.add_row(
                iso_utc(score.begins_ns), iso_utc(score.until_ns),
                "\n".join(act.text for act in score.acts), f"[{style}]{score.verdict}[/]",
                f"{score.pnl_usdt + 0.0:+,.2f}", f"{score.noise_usdt:,.2f}",
                f"{score.fees_usdt + 0.0:+,.2f}", f"{score.slippage_usdt + 0.0:+,.2f}",
                f"{score.funding_usdt + 0.0:+,.2f}", f"{score.drawdown_usdt + 0.0:+,.2f}",
                f"{percent(score.with_act.nearest)} / {percent(score.without.nearest)}",
                score.liquidation or "-",
            )  # fmt: skip
        print_table(table)
        console.print(
            "USDT: the course with the act less the one without it, of which fees, slippage and "
            "funding; ±: below this it is no difference; nearest: smallest distance to "
            "liquidation, with and without",
            style="dim", highlight=False,
        )  # fmt: skip
    console.print(ledger_in_words(told), highlight=False, soft_wrap=True)
    if told.differing:
        text = f"{told.differing} orders were decided otherwise by the version that wrote the "
        note([text + "journal: the courses are those of this version's policy"])

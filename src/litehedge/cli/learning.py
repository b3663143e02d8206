"""``litehedge learning`` and ``litehedge report learning``: what a session learns from itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import typer
from rich.table import Table

from litehedge.cli.common import (
    check_writable,
    console,
    print_table,
    progress,
    write_file,
    write_json,
)
from litehedge.cli.ledger import parts_of
from litehedge.cli.people import meant_session
from litehedge.config import Settings
from litehedge.errors import LitehedgeError, UsageError
from litehedge.learning import kept as kp
from litehedge.learning.past import Past, past_of
from litehedge.learning.steps import seen_by
from litehedge.learning.watch import Finding, Word, stands
from litehedge.learning.worth import offered
from litehedge.live.session import Session
from litehedge.model.artefact import Card, id_of
from litehedge.model.measures.likelihood import log_loss
from litehedge.model.measures.trial import Trial
from litehedge.report.learning import learning_page
from litehedge.report.learnt import Told, in_words, plain, told_of
from litehedge.retraining.triggers import Lived, TriggerTerms, fired
from litehedge.shelf.home import stderr
from litehedge.shelf.models import choose_model
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.learnt import SHIPPED
from litehedge.squeeze.times import squeeze_times
from litehedge.store.header import Header
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_DAY, iso_utc

EVERY = 5000
SHOWN = 20
RECENT_NS = 14 * NS_PER_DAY

app = typer.Typer(
    help="Let a session learn from what came of its own forecasts and orders, and take it back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Name = Annotated[str | None, typer.Argument(help="The session. Default: the only one there is.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def update(name: Name = None, as_json: Json = False) -> None:
    """Learn from what ended since the last time, look at the model, and offer it to the session.

    The journal is told again from its beginning; a session that runs is not asked and not slowed
    down. It takes up by itself what has helped so far, where model.learns is set. Small steps,
    one for each squeeze that is over and each order that was filled; nothing beyond hard bounds.

    Example: litehedge learning update paper
    """
    session = meant_session(name)
    session.check_here()
    told = _told(session)
    kp.keep(session.folder, told.new)
    mine = [u for u in told.updates if u.model == told.model]
    values = offered(mine[-1].values, told.judged) if mine else SHIPPED
    lesson = kp.Lesson(told.model, list(values), mine[-1].number if mine else 0, _why(told))
    kp.offer(session.folder, lesson)
    standing = stands(kp.watch_in(session.folder), told.look)
    kp.say_watch(session.folder, standing)
    if as_json:
        write_json({"learnt": msgspec.to_builtins(told.new), "offered": msgspec.to_builtins(lesson),
                    "watch": msgspec.to_builtins(standing)}, "-")  # fmt: skip
        return
    _say(told)
    console.print(f"the watch says: {standing.word}", highlight=False)


@app.command()
def revert(
    name: Name = None,
    to: Annotated[
        int, typer.Option(help="Number of the update to go back to; 0 is what ships.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Go back to what an earlier update left. The way back is an update too; nothing is deleted.

    A running session takes it up at its next frame. Learning goes on from there.

    Example: litehedge learning revert paper --to 12
    """
    session = meant_session(name)
    session.check_here()
    back = kp.reverted(kp.updates_of(session.folder), to, time.time_ns())
    kp.keep(session.folder, [back])
    before = kp.offered_in(session.folder)
    values = list(back.values)
    if before is not None and before.model == back.model:
        # What was not used before is not used because somebody goes back.
        values = [
            value if now != shipped else shipped
            for value, now, shipped in zip(back.values, before.values, SHIPPED, strict=True)
        ]
    kp.offer(session.folder, kp.Lesson(back.model, values, back.number, back.evidence))
    if as_json:
        write_json(msgspec.to_builtins(back), "-")
        return
    console.print(f"{back.model}: {back.evidence}, as update {back.number}", highlight=False)


def report_learning(name: str | None, html: Path | None, json: str | None) -> None:
    """Tell what a session learnt and whether that helped; nothing is written down of it."""
    check_writable(html)
    session = meant_session(name)
    told = _told(session)
    if json is not None:
        write_json(plain(told, with_entries=json != "-"), json)
    if json != "-":
        _say(told)
    if html is not None:
        write_file(html, learning_page(told, time.time_ns()).encode())
        stderr.print(f"report in {html}", highlight=False)


def _told(session: Session) -> Told:
    if not session.has_journal:
        raise UsageError(f"there is no session {session.name!r}", "begin one with: litehedge paper")
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

        past = past_of([part for part, _ in parts], reached)
    header = journal.runs()[-1][1]
    settings = Settings.model_validate(header.settings)
    told = told_of(
        session.name, past, kp.updates_of(session.folder), _card(header, past.model),
        time.time_ns(), settings.costs.latency_ms,
    )  # fmt: skip
    look = told.look
    changed = changes_in(past, told.model)
    look = msgspec.structs.replace(look, findings=[*look.findings, *changed])
    return msgspec.structs.replace(told, look=look)


def changes_in(past: Past, model: str) -> list[Finding]:
    """Return what the triggers of a retraining saw change in the last `RECENT_NS`.

    They warn and alarm nobody by themselves: a wilder market raises a log-loss too. Without the
    library that finds changes, nothing is looked for.
    """
    if not past.end_ns.size:
        return []
    seen = seen_by(past, past.squeezes(), model, past.now_ns)
    if not seen.which.size:
        return []
    trial = Trial.of(squeeze_times(seen.asked), seen.end_ns, draws=1)
    rows = past.rows[seen.which]
    sure = np.where(rows[:, fc.STATE_AT] == fc.ForecastState.OK, rows[:, fc.CONFIDENCE_AT], np.nan)
    lived = Lived(
        seen.end_ns, log_loss(trial, seen.hazards)[:, 0], sure, np.empty(0),
        np.empty(0, np.int64), seen.squeezes,
    )  # fmt: skip
    try:
        found = fired(lived, TriggerTerms(), past.now_ns - RECENT_NS)
    except UsageError:
        return []
    return [Finding(str(one.cause), Word.WATCH, one.words) for one in found]


def _card(header: Header, models: object) -> Card | None:
    """Return the card of the model that served last, None where it is not here any more."""
    wanted = str(models[-1]) if len(models) else ""  # type: ignore[arg-type,index]
    for name in (header.model_folder or "none", wanted.partition("@")[0]):
        try:
            card = choose_model(name, header.atom_ns * header.per_frame).card
        except LitehedgeError:
            continue
        if card is not None and id_of(card) == wanted:
            return card
    return None


def _why(told: Told) -> str:
    mine = [u for u in told.updates if u.model == told.model]
    return mine[-1].evidence if mine else "nothing was learnt yet"


def _say(told: Told) -> None:
    mine = [u for u in told.updates if u.model == told.model]
    if mine:
        table = Table(title=f"what session {told.session} learnt of {told.model} (UTC)")
        for heading in ("no.", "when", "from", "what moved", "before", "after", "bounds"):
            is_number = heading in ("no.", "before", "after")
            table.add_column(heading, justify="right" if is_number else "left")
        for one in mine[-SHOWN:]:
            for change in one.changes:
                table.add_row(
                    str(one.number), iso_utc(one.time_ns), one.evidence, change.name,
                    f"{change.before:.4f}", f"{change.after:.4f}",
                    f"{change.low:g} to {change.high:g}",
                )  # fmt: skip
        print_table(table)
    for line in in_words(told):
        console.print(line, highlight=False, soft_wrap=True)
    for finding in told.look.findings:
        console.print(
            f"  {finding.word}: {finding.text}", style="dim", highlight=False, soft_wrap=True
        )

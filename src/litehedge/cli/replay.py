"""``litehedge replay``: re-run a journal and prove that it decides the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

import litehedge
from litehedge.cli.common import console, write_json
from litehedge.effects import Decision
from litehedge.engine import step
from litehedge.errors import JournalError, UsageError
from litehedge.live.session import sessions
from litehedge.market.events import ModelOffered
from litehedge.shelf.home import home
from litehedge.shelf.journals import engine_of, minds_of
from litehedge.store.header import Header
from litehedge.store.journal import Journal, encode_effect
from litehedge.store.places import Place, place_of
from litehedge.units import iso_utc


def replay(
    journal: Annotated[
        str, typer.Argument(help="A session by name, or a journal by its path or URL.")
    ],
    run: Annotated[int | None, typer.Option(help="Number of one run. Default: all.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Folder of the model, if it moved since.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Feed the recorded events to a fresh engine and compare every effect, byte for byte.

    Exits 0 when all are identical, 1 when any differs.
    """
    book = Journal(_place(journal), reads_only=True)
    runs = [(n, h) for n, h in book.runs() if run in (None, n)]
    if not runs:
        raise UsageError(f"{journal} holds no run {run if run is not None else ''}".rstrip())
    results = [_replay(book, number, header, model) for number, header in runs]
    if json:
        write_json({"runs": results}, "-")
    for result in results:
        if not json:
            _say(result)
    if any(result["difference"] is not None for result in results):
        raise typer.Exit(1)


def _place(journal: str) -> Place:
    if "://" in journal:
        return place_of(journal)
    if Path(journal).is_file():
        return Path(journal)
    found = next((one for one in sessions(home()) if one.name == journal), None)
    if found is None:
        raise UsageError(
            f"there is no journal {journal}", "give the path of a journal file, or a session's name"
        )
    return found.journal


def _replay(book: Journal, number: int, header: Header, model: str | None) -> dict[str, Any]:
    state = engine_of(number, header, model)
    recorded = book.effects(number)
    events = decisions = effects_seen = 0
    difference: str | None = None
    for event in book.events(number):
        mind = minds_of(state, event) if isinstance(event, ModelOffered) else None
        state, effects = step(state, event, mind)
        for effect in effects:
            theirs = next(recorded, None)
            mine = (events, encode_effect(effect))
            if theirs != mine and difference is None:
                difference = (
                    f"event {events} ({iso_utc(event.known_ns)}): the replay gives "
                    f"{type(effect).__name__}, the journal "
                    + ("ends" if theirs is None else _where(theirs, mine))
                )
            decisions += isinstance(effect, Decision)
            effects_seen += 1
        events += 1
    left = sum(1 for _ in recorded)
    if left and difference is None:
        difference = f"the journal holds {left} effects more than the replay"
    if events == 0:
        raise JournalError(f"run {number} holds no events", "there is nothing to replay")
    return {
        "run": number,
        "policy": header.policy,
        "data": header.data,
        "model": header.model_id,
        "written_by": header.litehedge,
        "replayed_by": litehedge.__version__,
        "events": events,
        "effects": effects_seen,
        "decisions": decisions,
        "difference": difference,
    }


def _where(theirs: tuple[int, bytes], mine: tuple[int, bytes]) -> str:
    """Say in which field the journal's effect differs from the replayed one."""
    if theirs[0] != mine[0]:
        return f"has the next one at event {theirs[0]}"
    pair = (msgspec.msgpack.decode(theirs[1]), msgspec.msgpack.decode(mine[1]))
    path: list[str] = []
    while isinstance(pair[0], dict) and isinstance(pair[1], dict):
        keys = [k for k in {**pair[0], **pair[1]} if pair[0].get(k) != pair[1].get(k)]
        if not keys:
            break
        path.append(keys[0])
        pair = (pair[0].get(keys[0]), pair[1].get(keys[0]))
    return f"has {'.'.join(path)} = {pair[0]}, the replay {pair[1]}"


def _say(result: dict[str, Any]) -> None:
    what = f"run {result['run']} ({result['policy']} on {result['data']})"
    if result["difference"] is None:
        console.print(
            f"[green]identical[/]: {what}, {result['events']:,} events, "
            f"{result['effects']:,} effects, {result['decisions']:,} of them decisions",
            highlight=False,
        )
    else:
        console.print(f"[red]different[/]: {what}: {result['difference']}", highlight=False)
        if result["written_by"] != result["replayed_by"]:
            console.print(
                f"  it was written by litehedge {result['written_by']}, "
                f"this is {result['replayed_by']}",
                highlight=False,
            )

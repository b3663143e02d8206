"""``litehedge models lesson | adopt``: a network that was trained elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from litehedge.cli.common import console, write_json
from litehedge.cli.train import print_card
from litehedge.errors import UsageError
from litehedge.model.optional import train_module
from litehedge.shelf.home import home, stderr
from litehedge.store.lake import Lake
from litehedge.units import instant_ns

if TYPE_CHECKING:
    from litehedge.training.foreign import Plan
    from litehedge.training.network import Sources

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def lesson(
    folder: Annotated[Path, typer.Argument(help="Folder to write, or write anew.")],
    data: Annotated[
        list[str],
        typer.Option(help="Data set with bars; give it again for more of the same bar length."),
    ],
    until: Annotated[
        str, typer.Option(help="Learn from data up to this date (UTC).")
    ] = "2024-01-01",
    validate_from: Annotated[
        str, typer.Option(help="Begin of the span that calibrates, and gives the scores.")
    ] = "2024-01-01",
    validate_until: Annotated[str, typer.Option(help="End of that span.")] = "2024-07-01",
    as_json: Json = False,
) -> None:
    """Write down what a network of your own may learn from, as arrays.

    Each frame has the inputs as our own network sees them, and what is asked of it: time to the
    next onset, to the peak, severity, phase, volatility. lesson.json says what is where, in the
    inputs and in what your graph must put out.

    Example: litehedge models lesson ./lesson --data ltc_spot_5m
    """
    train_module("torch")
    from litehedge.training.foreign import Plan, write_lesson

    plan = Plan(data, instant_ns(until), instant_ns(validate_from), instant_ns(validate_until))
    sources = _read(plan)
    files = write_lesson(folder, plan, sources)
    if as_json:
        write_json({"folder": str(folder), "files": [path.name for path in files]}, "-")
        return
    frames = sum(s.part.end_ns.size for s in sources.train)
    console.print(
        f"{frames:,} frames to learn from in {folder}, and those that calibrate; lesson.json says "
        f"what is where. Then: litehedge models adopt GRAPH --lesson {folder} --name NAME",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def adopt(
    graph: Annotated[Path, typer.Argument(help="Your ONNX graph.")],
    lesson: Annotated[Path, typer.Option(help="The lesson that it learnt.")],
    name: Annotated[str, typer.Option(help="Name of the artefact.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the artefact. Default: models/NAME in home.")
    ] = None,
    expires_days: Annotated[
        int | None,
        typer.Option(min=1, help="Forecasts say 'expired' this long after its data."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a model of a graph that was trained elsewhere: calibrated, scored, with a card.

    It is fed made-up frames first, in one batch and one by one: a graph that looks ahead, or does
    not carry its state, is refused. Backtests take it by its name; sessions, once it is registered
    and promoted.

    Example: litehedge models adopt own.onnx --lesson ./lesson --name own
    """
    train_module("torch")
    from litehedge.training.foreign import adopt as adopted
    from litehedge.training.foreign import read_plan

    if name in ("", "auto", "none") or Path(name).name != name:
        raise UsageError(f"a model cannot be called {name!r}", "choose a plain word")
    try:
        payload = graph.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{graph} cannot be read ({error.strerror})", "give the file of an ONNX graph"
        ) from None
    folder = out if out is not None else home() / "models" / name
    sources = _read(read_plan(lesson))
    with stderr.status("…") as status:
        card = adopted(
            payload, lesson, sources, name, folder,
            created=datetime.now(tz=UTC).strftime("%Y-%m-%d"), expires_days=expires_days,
            say=lambda text: status.update(f"{text} …"),
        )  # fmt: skip
    if as_json:
        write_json(card, "-")
        return
    print_card(card, folder)
    console.print(
        f"let it serve with: litehedge models register {folder} --name NAME, then promote",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _read(plan: Plan) -> Sources:
    from litehedge.training.network import sources_of

    lake = Lake(home() / "lake")
    with stderr.status("reading") as status:
        return sources_of(
            lake, [lake.bars(one) for one in plan.data], [], until_ns=plan.until_ns,
            validate_from_ns=plan.validate_from_ns, validate_until_ns=plan.validate_until_ns,
            worlds=0, world_days=0, say=lambda text: status.update(f"{text} …"),
        )  # fmt: skip

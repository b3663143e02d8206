"""``litehedge explain``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from litehedge.cli.common import JsonTarget, console, open_lake, print_table, write_json
from litehedge.errors import UsageError
from litehedge.model.explain import FAMILY_WORDS, Explanation, percent
from litehedge.model.explaining import HORIZONS_MIN, Explained, explain_moment
from litehedge.shelf.home import stderr
from litehedge.shelf.models import choose_explained, saw
from litehedge.squeeze.forecast import SEVERITY_LEVELS
from litehedge.squeeze.labels import SIDES, Side
from litehedge.tape import per_frame_of
from litehedge.training.explaining import moment
from litehedge.units import instant_ns, iso_utc


def explain(
    data: Annotated[str, typer.Option(help="Data set with bars.")],
    at: Annotated[str, typer.Option(help="Moment (UTC); nothing after it is used.")],
    model: Annotated[
        str, typer.Option(help="Model by name or folder; auto takes a network that fits the bars.")
    ] = "auto",
    side: Annotated[str, typer.Option(help="long, short or both.")] = "both",
    json: JsonTarget = None,
) -> None:
    """Say what a model forecast at a moment, and why.

    Probabilities, the families of data that raise or lower them, how bad it gets, how far it may
    be relied on; of a network also when in the past it looks, and squeezes of history that began
    alike.

    Example: litehedge explain --data ltc_spot_5m --at "2024-08-05 01:00" --model deep
    """
    if side not in (*SIDES, "both"):
        raise UsageError(f"there is no side {side!r}", "choose long, short or both")
    sides = [s for s in SIDES if side in ("both", s)]
    dataset = open_lake().bars(data)
    frame_ns = dataset.interval_ns * per_frame_of(dataset.interval_ns)
    loaded = choose_explained(model, frame_ns)
    with stderr.status(f"reading {dataset.name} …"):
        seen = moment(open_lake(), dataset, instant_ns(at))
    with stderr.status("taking families of data away, one after another …"):
        found = explain_moment(loaded, seen)
    end_ns = found.forecast.end_ns
    in_sample = saw(loaded.card, end_ns - frame_ns, end_ns)
    if json is not None:
        row = found.row()
        row["sides"] = {s: row["sides"][s] for s in sides}
        write_json({**row, "in_sample": in_sample}, json)
    if json != "-":
        _print(found, sides, in_sample=in_sample)


def _print(found: Explained, sides: Sequence[Side], *, in_sample: bool) -> None:
    f = found.forecast
    console.print(
        f"[bold]{iso_utc(f.end_ns)} UTC[/], {found.data}, model {found.model}: state "
        f"{f.state.name.lower()}, confidence {f.confidence:.2f}{_why(found)}",
        highlight=False,
    )
    if in_sample:
        console.print("[yellow]in-sample:[/] the model was trained on this moment", highlight=False)
    if found.explanation is None:
        console.print("Not enough history for a forecast yet: since the start or the last gap.")
        return
    table = Table(title="a squeeze starts within")
    table.add_column("")
    for minutes in HORIZONS_MIN:
        table.add_column(f"{minutes:g} min", justify="right")
    for side in sides:
        table.add_row(side, *(percent(f.onset_probability(side, m)) for m in HORIZONS_MIN))
    print_table(table)
    for side in sides:
        console.print(found.explanation.sentences[SIDES.index(side)], highlight=False)
    _print_families(found.explanation, sides)
    _print_past(found.explanation)
    table = Table(title="how far, if one starts (quantiles of the move to its peak)")
    table.add_column("")
    for level in SEVERITY_LEVELS.tolist():
        table.add_column(f"{100 * level:g} %", justify="right")
    for side in sides:
        sign = -1.0 if side == "long" else 1.0
        moves = np.expm1(sign * 1e-4 * f.severity_bps[SIDES.index(side)])
        table.add_row(side, *(f"{100 * move:+.1f}%" for move in moves))
    print_table(table)


def _why(found: Explained) -> str:
    """Say what confidence is made of, where that is known."""
    parts = []
    if np.isfinite(found.dissimilarity):
        parts.append(f"{found.dissimilarity:.1f} times as far from training as usual")
    if np.isfinite(found.spread).all():
        parts.append(f"members differ by {found.spread.max():.2f} in log-odds")
    return f" ({', '.join(parts)})" if parts else ""


def _print_families(told: Explanation, sides: Sequence[Side]) -> None:
    a = told.attribution
    table = Table(title=f"points of probability within {told.horizon_min:.0f} min, by family")
    table.add_column("")
    for side in sides:
        table.add_column(side, justify="right")
    numbers = [SIDES.index(side) for side in sides]
    order = np.argsort(-np.abs(a.points[:, numbers]).max(axis=1), kind="stable")
    table.add_row("without any", *(percent(a.masked[s]) for s in numbers))
    for i in order.tolist():
        words = FAMILY_WORDS.get(a.families[i], a.families[i])
        table.add_row(words, *(f"{a.points[i, s]:+.2f}" for s in numbers))
    table.add_row("what came earlier", *(f"{a.remainder[s]:+.2f}" for s in numbers))
    table.add_row("altogether", *(percent(a.probability[s]) for s in numbers))
    print_table(table)


def _print_past(told: Explanation) -> None:
    for s in told.stretches:
        console.print(
            f"It looks at {s.from_min:g} to {s.to_min:g} min ago: {100 * s.share:.0f} % of its "
            "attention.",
            highlight=False,
        )
    if np.isfinite(told.half_min):
        console.print(
            f"Half of all its attention lies on the last {told.half_min / 60.0:.1f} hours.",
            highlight=False,
        )
    if not told.nearest:
        return
    table = Table(title="squeezes of history that began most alike")
    for heading in ("onset (UTC)", "side", "move", "to the peak", "data", "similarity"):
        table.add_column(heading, justify="left" if heading in ("side", "data") else "right")
    for n in told.nearest:
        table.add_row(
            iso_utc(n.onset_ns), n.side, f"{100 * n.move:+.1f}%", f"{n.peak_min:.0f} min", n.data,
            f"{n.similarity:.2f}",
        )  # fmt: skip
    print_table(table)

"""``litehedge label``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from litehedge.cli.common import (
    JsonTarget,
    check_writable,
    open_lake,
    print_table,
    write_file,
    write_json,
)
from litehedge.errors import UsageError
from litehedge.report.catalogue import catalogue_page
from litehedge.shelf.home import stderr
from litehedge.squeeze.labels import Squeeze, spec_hash
from litehedge.tape import check_range
from litehedge.training.samples import prepare
from litehedge.units import instant_ns, iso_utc


def label(
    data: Annotated[str, typer.Option(help="Data set with bars.")],
    from_: Annotated[str | None, typer.Option("--from", help="First day (UTC).")] = None,
    to: Annotated[str | None, typer.Option(help="Last moment (UTC).")] = None,
    side: Annotated[str, typer.Option(help="long, short or both.")] = "both",
    tier: Annotated[
        int, typer.Option(min=1, max=2, help="2 shows only moves of 3 % and more.")
    ] = 1,
    plot: Annotated[
        Path | None, typer.Option(help="Write an HTML page with price and squeezes.")
    ] = None,
    json: JsonTarget = None,
) -> None:
    """Print the catalogue of squeezes: onset, peak, end, severity, thirty minutes before.

    Example: litehedge label --data ltc_spot_1m --from 2021-05-18 --to 2021-05-21 --plot out.html
    """
    if side not in ("long", "short", "both"):
        raise UsageError(f"there is no side {side!r}", "choose long, short or both")
    check_writable(plot)
    lake = open_lake()
    dataset = lake.bars(data)
    start_ns, end_ns = check_range(
        dataset, instant_ns(from_) if from_ else None, instant_ns(to) if to else None
    )
    with stderr.status(f"reading {dataset.name} …"):
        prepared = prepare(lake, dataset, start_ns, end_ns)
    if prepared is None:
        raise UsageError(f"no bars in that range; {dataset.name} covers {dataset.span}")
    squeezes = [q for q in prepared.squeezes if side in ("both", q.side) and q.tier >= tier]
    befores = [prepared.before(q) for q in squeezes]
    if json is not None:
        rows = [
            {**q.row(), "before_30m": before} for q, before in zip(squeezes, befores, strict=True)
        ]
        write_json({"spec": spec_hash(), "data": dataset.name, "squeezes": rows}, json)
    if plot is not None:
        page = catalogue_page(dataset.name, prepared.frames, squeezes, befores)
        write_file(plot, page.encode())
        stderr.print(f"wrote {plot}", highlight=False)
    if json != "-":
        _print_catalogue(squeezes, befores, dataset.name)


def _print_catalogue(squeezes: list[Squeeze], befores: list[dict[str, float]], name: str) -> None:
    table = Table(title=f"{len(squeezes)} squeezes in {name} (times in UTC)")
    headings = (
        "side", "onset", "peak", "end", "from", "to", "move", "in sigma", "back after 1 h",
        "1 h move before", "1 h vol before", "notes",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="right" if heading not in ("side", "notes") else "left")
    for q, before in zip(squeezes, befores, strict=True):
        notes = [w for w, yes in (("proxy", q.proxy), ("cut off", not q.complete)) if yes]
        table.add_row(
            q.side, iso_utc(q.onset_ns), iso_utc(q.peak_ns)[11:], iso_utc(q.end_ns)[11:],
            f"{q.onset_price:.2f}", f"{q.peak_price:.2f}", f"{100 * q.move:+.1f}%",
            _number(q.severity_sigma), _share(q.retrace_60m), _share(np.expm1(before["move_60m"])),
            "" if np.isnan(before["vol_ratio_60m"]) else f"{before['vol_ratio_60m']:.1f}x",
            ", ".join(notes),
        )  # fmt: skip
    print_table(table)


def _number(x: float) -> str:
    return "" if np.isnan(x) else f"{x:.1f}"


def _share(x: float) -> str:
    return "" if np.isnan(x) else f"{100 * x:.1f}%" if abs(x) < 0.1 else f"{100 * x:.0f}%"

"""``litehedge train`` and ``litehedge label``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from litehedge.cli.common import (
    check_writable,
    console,
    home,
    print_table,
    stderr,
    write_file,
    write_json,
)
from litehedge.errors import UsageError
from litehedge.model.artefact import Card, Score
from litehedge.report.catalogue import catalogue_page
from litehedge.squeeze.labels import Squeeze, spec_hash
from litehedge.store.lake import Lake
from litehedge.tape import check_range
from litehedge.training.logistic import train_logistic
from litehedge.training.samples import prepare
from litehedge.units import instant_ns, iso_utc

JsonTarget = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is the terminal."),
]


def train(
    data: Annotated[
        list[str],
        typer.Option(help="Data set with bars; give it again for more of the same bar length."),
    ],
    model: Annotated[str, typer.Option(help="Kind of model; logistic for now.")] = "logistic",
    name: Annotated[str, typer.Option(help="Name of the artefact.")] = "mine",
    until: Annotated[str, typer.Option(help="Train on data up to this date (UTC).")] = "2024-01-01",
    validate_from: Annotated[
        str, typer.Option(help="Begin of the span that the scores on the card come from.")
    ] = "2024-01-01",
    validate_until: Annotated[str, typer.Option(help="End of that span.")] = "2024-07-01",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the artefact. Default: models/NAME in home.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap intervals.")] = 0,
    json: JsonTarget = None,
) -> None:
    """Fit a forecaster and save it as an artefact with a card.

    The scores on the card are of a model that was fitted before the validation span; the saved
    model is then fitted on everything up to --until.

    Example: litehedge train --data ltc_spot_5m --data ltc_perp_5m --name ltc-5m
    """
    if model != "logistic":
        raise UsageError(f"there is no model kind {model!r}", "use --model logistic")
    lake = Lake(home() / "lake")
    folder = out if out is not None else home() / "models" / name
    with stderr.status("reading") as status:
        card = train_logistic(
            lake,
            [lake.bars(one) for one in data],
            name,
            folder,
            until_ns=instant_ns(until),
            validate_from_ns=instant_ns(validate_from),
            validate_until_ns=instant_ns(validate_until),
            created=datetime.now(tz=UTC).strftime("%Y-%m-%d"),
            seed=seed,
            say=lambda text: status.update(f"{text} …"),
        )
    if json is not None:
        write_json(card, json)
    if json != "-":
        _print_card(card, folder)


def _print_card(card: Card, folder: Path) -> None:
    console.print(
        f"[bold]{card.name}[/]: {card.events_long} long and {card.events_short} short squeezes in "
        f"{sum(s.frames for s in card.trained_on):,} frames of {card.frame_s} s"
    )
    where = card.validated_on[0]
    table = Table(title=f"{where.data}, {where.start} .. {where.end}: {card.validation_note}")
    for heading in ("onset within 30 min", "long squeeze", "short squeeze"):
        table.add_column(heading, justify="left" if heading.startswith("onset") else "right")
    rows = [
        ("AUC", "auc", card.scores), ("  volatility alone", "vol_auc", card.baseline_scores),
        ("AP", "ap", card.scores), ("  volatility alone", "vol_ap", card.baseline_scores),
        ("  base rate", "base_rate", card.baseline_scores),
        ("Brier skill", "brier_skill", card.scores), ("calibration slope", "slope", card.scores),
    ]  # fmt: skip
    for label, key, scores in rows:
        table.add_row(
            label, *(_score(scores.get(f"{key}_30_{side}")) for side in ("long", "short"))
        )
    print_table(table)
    console.print(f"saved in {folder}", highlight=False)


def _score(score: Score | None) -> str:
    if score is None:
        return "too few events"
    return f"{score.value:.3f}  [{score.low:.3f}, {score.high:.3f}]"


def label(
    data: Annotated[str, typer.Option(help="Data set with bars.")],
    from_: Annotated[str | None, typer.Option("--from", help="First day (UTC).")] = None,
    to: Annotated[str | None, typer.Option(help="Last moment (UTC).")] = None,
    side: Annotated[str, typer.Option(help="long, short or both.")] = "both",
    tier: Annotated[
        int, typer.Option(min=1, max=2, help="2 shows only moves of 300 bps and more.")
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
    lake = Lake(home() / "lake")
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

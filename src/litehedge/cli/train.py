"""``litehedge train``: a logistic forecaster, or the neural one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from litehedge.cli.common import (
    JsonTarget,
    check_writable,
    console,
    print_table,
    progress,
    write_json,
)
from litehedge.errors import UsageError
from litehedge.model.artefact import Card, Score
from litehedge.model.optional import train_module
from litehedge.shelf.home import home, stderr
from litehedge.store.lake import Lake
from litehedge.training.logistic import train_logistic
from litehedge.units import instant_ns

if TYPE_CHECKING:
    from litehedge.model.train import Epoch

KINDS = ("logistic", "network")


def train(
    data: Annotated[
        list[str] | None,
        typer.Option(help="Data set with bars; give it again for more of the same bar length."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Kind of model: logistic (a minute), or network (an hour).")
    ] = "logistic",
    name: Annotated[str, typer.Option(help="Name of the artefact.")] = "mine",
    until: Annotated[str, typer.Option(help="Train on data up to this date (UTC).")] = "2024-01-01",
    validate_from: Annotated[
        str,
        typer.Option(
            help="Begin of the span that the scores on the card come from. A network learns from "
            "what lies before it; the span stops its training and calibrates it."
        ),
    ] = "2024-01-01",
    validate_until: Annotated[str, typer.Option(help="End of that span.")] = "2024-07-01",
    pool: Annotated[
        list[str] | None,
        typer.Option(help="Network: another coin's bars to learn from as well; may be repeated."),
    ] = None,
    worlds: Annotated[
        int,
        typer.Option(
            min=0,
            help="Network: simulated worlds to learn from: before the data, or, without --data, "
            "instead of them, with every feed.",
        ),
    ] = 0,
    world_days: Annotated[int, typer.Option(min=30, help="Days that each world lives.")] = 360,
    seeds: Annotated[int, typer.Option(min=1, help="Network: members of the ensemble.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Network: most epochs of each member.")] = 20,
    search: Annotated[
        int,
        typer.Option(
            min=0,
            help="Network: first try so many recipes with one seed each (Optuna, every trial is "
            "logged and kept), then train the best.",
        ),
    ] = 0,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Members at once on the CPU. Default: one per core.")
    ] = None,
    expires_days: Annotated[
        int | None,
        typer.Option(
            min=1, help="Forecasts say 'expired' this long after its data. Default: never."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the artefact. Default: models/NAME in home.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="First seed, of the bootstrap intervals too.")
    ] = 0,
    json: JsonTarget = None,
) -> None:
    """Fit a forecaster and save it as an artefact with a card.

    Logistic: the scores on the card are of a model that was fitted before the validation span;
    the saved model is then fitted on everything up to --until.

    Network: an ensemble, one process per member. A training that was stopped goes on where it
    was when the same command runs again. A GPU is used when there is one; several with
    torchrun -m litehedge train ...

    Example: litehedge train --data ltc_spot_5m --data ltc_perp_5m --name mine

    Example: litehedge train --model network --data ltc_spot_5m --data ltc_perp_5m
    --pool btc_spot_5m --name deep
    """
    if model not in KINDS:
        raise UsageError(f"there is no model kind {model!r}", f"use --model {' or '.join(KINDS)}")
    check_writable(Path(json) if json not in (None, "-") else None)
    if name in ("auto", "none") or Path(name).name != name:
        raise UsageError(f"a model cannot be called {name!r}", "choose a plain word")
    if model == "logistic" and (pool or worlds or search):
        raise UsageError("--pool, --worlds and --search are of networks", "add --model network")
    if pool and not data:
        raise UsageError("--pool adds to --data, and there is none", "give --data")
    lake = Lake(home() / "lake")
    folder = out if out is not None else home() / "models" / name
    created = datetime.now(tz=UTC).strftime("%Y-%m-%d")
    spans = {
        "until_ns": instant_ns(until),
        "validate_from_ns": instant_ns(validate_from),
        "validate_until_ns": instant_ns(validate_until),
    }
    if model == "logistic":
        if not data:
            raise UsageError("there is nothing to learn from", "give --data; see: data list")
        with stderr.status("reading") as status:
            card = train_logistic(
                lake, [lake.bars(one) for one in data], name, folder, **spans, created=created,
                seed=seed, expires_days=expires_days, say=lambda text: status.update(f"{text} …"),
            )  # fmt: skip
    else:
        train_module("torch")
        from litehedge.model.network import DROPOUT
        from litehedge.model.train import Recipe
        from litehedge.training.network import sources_of, train_network
        from litehedge.training.search import search_recipe

        with stderr.status("reading") as status:
            sources = sources_of(
                lake, [lake.bars(one) for one in data or []],
                [lake.bars(one) for one in pool or []], **spans, worlds=worlds,
                world_days=world_days, processes=processes,
                say=lambda text: status.update(f"{text} …"),
            )  # fmt: skip
        work = home() / "training" / name
        recipe, dropout = Recipe(epochs=epochs), DROPOUT
        numbers = list(range(seed, seed + seeds))
        if search:
            with progress(f"{search} recipes", search) as reach:

                def tried(number: int, text: str) -> None:
                    stderr.print(text, highlight=False)
                    reach(number)

                recipe, dropout = search_recipe(
                    sources, recipe, search, work / "search", seed, told=tried
                )
        with progress(f"{seeds} members", seeds * epochs) as reach:
            done: dict[int, int] = {}

            def told(member: int, epoch: Epoch, left_s: float) -> None:
                done[member] = done.get(member, 0) + 1
                stderr.print(told_epoch(member, epoch, left_s), highlight=False)
                reach(sum(done.values()))

            card = train_network(
                sources, name, folder, work, seeds=numbers, recipe=recipe, dropout=dropout,
                created=created, processes=processes, expires_days=expires_days, told=told,
                say=lambda text: stderr.print(f"{text} …", highlight=False),
            )  # fmt: skip
    if json is not None:
        write_json(card, json)
    if json != "-":
        print_card(card, folder)


def told_epoch(seed: int, epoch: Epoch, left_s: float) -> str:
    """Return an epoch in one line: the loss of every part on the validation span."""
    losses = "  ".join(f"{name} {loss:.4f}" for name, loss in epoch.valid.items())
    return (
        f"seed {seed}  epoch {epoch.number}  score {epoch.score:.4f}  {losses}  "
        f"{epoch.labels_per_s / 1000:.0f} k frames/s  {left_s / 60:.0f} min left"
    )


def print_card(card: Card, folder: Path) -> None:
    """Print what a card says of the model in a folder."""
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

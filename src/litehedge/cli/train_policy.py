"""``litehedge train-policy``: the network that says when to hedge and how much."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from litehedge.backtest import episodes, run_grid
from litehedge.cli.common import (
    JsonTarget,
    check_writable,
    console,
    open_lake,
    progress,
    settings_from,
    write_json,
)
from litehedge.errors import UsageError
from litehedge.model.optional import train_module
from litehedge.model.policy_artefact import PolicyCard
from litehedge.shelf.home import home as home_folder
from litehedge.shelf.home import stderr
from litehedge.shelf.models import choose_model
from litehedge.shelf.policies import own_policies
from litehedge.store.bundled import tier_table
from litehedge.tape import Tape, build_tape, check_range, per_frame_of
from litehedge.units import NS_PER_DAY, instant_ns

if TYPE_CHECKING:
    from litehedge.model.train_policy import Step


def train_policy(
    data: Annotated[
        list[str], typer.Option(help="Data set with bars; give it again for more of them.")
    ],
    model: Annotated[
        str, typer.Option(help="Whose forecasts the policy learns to act on.")
    ] = "ltc-5m-logistic",
    name: Annotated[str, typer.Option(help="Name of the policy.")] = "mine",
    until: Annotated[str, typer.Option(help="Learn from data up to this date (UTC).")] = (
        "2024-01-01"
    ),
    validate_until: Annotated[
        str, typer.Option(help="End of the validation span, which begins at --until.")
    ] = "2024-07-01",
    seeds: Annotated[int, typer.Option(min=1, help="Networks to train; the best is kept.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Gradient steps of each network.")] = 80,
    view: Annotated[
        float,
        typer.Option(
            help="What the owner expects of the position a day, in hundredths of a percent of "
            "it. Without any, "
            "the best policy is to have no position."
        ),
    ] = 10.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the policy. Default: policies/NAME in home.")
    ] = None,
    json: JsonTarget = None,
) -> None:
    """Train a no-transaction-band network through the margin account, and save it.

    Weeks of real bars are lived as a long and as a short, at any leverage from 3 to 50 and any
    risk budget, with dearer trades, late and refused orders, thin books and lost forecasts. The
    network learns to keep as much of the position as it can at the least cost, such that the worst
    5 % of weeks lose no more than hedge.risk_budget on average. The exact backtest, on the
    validation span, says which state of which seed is the best.

    Use it with: litehedge backtest --policy network, and hedge.network = NAME in the settings.
    A training that was stopped goes on where it was when the same command runs again.

    Example: litehedge train-policy --data ltc_spot_5m --data ltc_perp_5m --name mine
    """
    train_module("torch")
    from litehedge.model.train_policy import Recipe, told_step
    from litehedge.training.policy import DAYS, judged, train_and_save

    check_writable(Path(json) if json not in (None, "-") else None)
    if name == "auto" or Path(name).name != name:
        raise UsageError(f"a policy cannot be called {name!r}", "choose a plain word")
    lake = open_lake()
    settings = settings_from(None)
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    first = lake.bars(data[0])
    frame_ns = first.interval_ns * per_frame_of(first.interval_ns)
    forecaster = choose_model(model, frame_ns).forecaster
    edge, end = instant_ns(until), instant_ns(validate_until)

    def read(one: str, begin_ns: int | None, end_ns: int) -> Tape:
        dataset = lake.bars(one)
        if dataset.interval_ns != first.interval_ns:
            raise UsageError(
                f"{one} and {data[0]} have bars of different length", "train on one length"
            )
        span = check_range(dataset, begin_ns, end_ns)
        with progress(f"reading {one}", 1.0) as reach:
            return build_tape(
                lake, dataset, forecaster, *span, lambda done, total: reach(done / total)
            )

    tapes = [read(one, None, edge) for one in data]
    valid = read(data[0], edge, end)
    where = episodes(valid, DAYS * NS_PER_DAY, 2 * NS_PER_DAY)
    recipe = Recipe(steps=steps, view_bps=view)
    folder = out if out is not None else own_policies() / name
    with progress(f"{seeds} seeds", seeds * steps) as reach:

        def told(number: int, step: Step, left_s: float) -> None:
            stderr.print(told_step(number, step, left_s), highlight=False)
            reach((number - seed) * steps + step.number)

        card = train_and_save(
            tapes, valid, settings, tiers, recipe, list(range(seed, seed + seeds)), name, folder,
            home_folder() / "training" / f"policy-{name}",
            judge=lambda weights: judged(
                weights, settings, lambda s, p: run_grid(valid, where, s, tiers, p), view
            ),
            forecaster=forecaster.id, created=datetime.now(tz=UTC).strftime("%Y-%m-%d"), told=told,
        )  # fmt: skip
    if json is not None:
        write_json(card, json)
    if json != "-":
        _print(card, folder)


def _print(card: PolicyCard, folder: Path) -> None:
    console.print(
        f"[bold]{card.name}[/]: seed {card.seed} of {len(card.seeds)}, on forecasts of "
        f"{card.forecaster}",
        highlight=False,
    )
    shown = ", ".join(f"{name} {value:.4g}" for name, value in card.scores.items())
    console.print(
        f"validation {card.validated_on.start} .. {card.validated_on.end}: {shown}",
        highlight=False,
    )
    console.print(f"saved in {folder}", highlight=False)

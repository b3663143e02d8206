"""Puts the commands together and turns every error into one clear message."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import litehedge
from litehedge.cli import (
    alerts,
    data,
    journals,
    keys,
    learning,
    people,
    registry,
    retrain,
    rules,
    study,
)
from litehedge.cli.advise import advise_command
from litehedge.cli.backtest import backtest
from litehedge.cli.backup import backup, restore
from litehedge.cli.common import complain
from litehedge.cli.demo import demo
from litehedge.cli.doctor import doctor
from litehedge.cli.evaluate import evaluate
from litehedge.cli.explain import explain
from litehedge.cli.label import label
from litehedge.cli.ledger import ledger
from litehedge.cli.live import live
from litehedge.cli.paper import paper
from litehedge.cli.replay import replay
from litehedge.cli.report import report
from litehedge.cli.settings import export_schema
from litehedge.cli.simulate import simulate
from litehedge.cli.train import train
from litehedge.cli.train_policy import train_policy
from litehedge.cli.ui import ui
from litehedge.errors import LitehedgeError

app = typer.Typer(
    name="litehedge",
    help="Guards a leveraged Litecoin position: forecasts when a liquidation squeeze starts and "
    "peaks, and hedges it behind hard limits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(demo)
app.add_typer(data.app, name="data")
app.command()(simulate)
app.command()(label)
app.command()(train)
app.command(name="train-policy")(train_policy)
app.command()(evaluate)
app.command()(explain)
app.command("advise")(advise_command)
app.add_typer(registry.app, name="models")
app.add_typer(retrain.app, name="retrain")
app.command()(backtest)
app.add_typer(rules.app, name="rules")
app.add_typer(keys.app, name="keys")
app.add_typer(alerts.app, name="alerts")
app.command()(ui)
app.command()(paper)
app.command()(live)
app.command()(people.halt)
app.command()(people.resume)
app.command()(people.adopt)
app.command()(people.ignore)
people.override.command()(ledger)
app.add_typer(people.override, name="override")
app.command()(report)
app.add_typer(learning.app, name="learning")
app.command()(replay)
app.add_typer(journals.app, name="journal")
app.command()(doctor)
app.command()(backup)
app.command()(restore)
app.add_typer(study.app, name="study")
app.command()(export_schema)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"litehedge {litehedge.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; exit 0 on success, 2 on unusable input, 1 on other failures."""
    try:
        app()
    except LitehedgeError as error:
        complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("Stopped. Nothing half-done is left behind.", err=True)
        sys.exit(130)

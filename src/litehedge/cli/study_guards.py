"""``litehedge study guards``: the same lives with and without guards, the forecaster wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from litehedge.blowup.guarded import guarded_lives, told_world
from litehedge.blowup.minds import ABOUT, Mind
from litehedge.cli.common import check_writable, console, numbers, print_table, progress, write_json
from litehedge.cli.study_plan import blowup_plan
from litehedge.errors import UsageError
from litehedge.report.guard_worth import (
    ABOUT_KEPT,
    DEFINITION,
    GAIN_HEADS,
    KEPT,
    MINDS,
    WORTH_HEADS,
    gain_cells,
    gains,
    worth_cells,
    worths,
)
from litehedge.shelf.home import stderr

_NAMES = {name: mind for mind, name in MINDS.items()}


def guards(
    worlds: Annotated[int, typer.Option(min=2, help="Simulated worlds; seeds follow --seed.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first world.")] = 1,
    days: Annotated[int, typer.Option(min=2, max=3650, help="How long traders live.")] = 182,
    leverages: Annotated[str, typer.Option(help="Leverages of the traders.")] = "10,20",
    forecaster: Annotated[
        list[str] | None,
        typer.Option(help=f"What the forecaster is: {', '.join(_NAMES)}. Default: all of them."),
    ] = None,
    wallet: Annotated[float, typer.Option(help="Margin wallet of each, in USDT.")] = 500.0,
    policy: Annotated[str | None, typer.Option(help="Policy that hedges.")] = None,
    model: Annotated[str | None, typer.Option(help="Model by name or folder; auto; none.")] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Scenario by name or TOML file, from the first minute of the lives on."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="Settings file. Default: litehedge.toml if it exists.")
    ] = None,
    json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - is the terminal.")
    ] = None,
) -> None:
    """Let the same traders live with and without guards, while the forecaster is wrong.

    The lives are those of litehedge study blowup. Each is lived unhedged, hedged with every
    limit opened, behind the limits, and behind all guards: margin health, stops at the venue, the
    parachute. The last goes through the engine, minute by minute: half a minute per life and
    half-year.

    litehedge study guards --worlds 2 --days 14 --forecaster "always 0"
    """
    check_writable(Path(json) if json not in (None, "-") else None)
    unknown = [name for name in forecaster or [] if name not in _NAMES]
    if unknown:
        raise UsageError(f"no forecaster {unknown[0]!r}", f"choose of: {', '.join(_NAMES)}")
    minds = [_NAMES[name] for name in dict.fromkeys(forecaster or _NAMES)]
    plan, meta = blowup_plan(
        settings, wallet, policy, model, scenario or [], numbers("--leverages", leverages), days
    )
    begun = time.monotonic()
    seeds = range(seed, seed + worlds)
    each = 1 + 2 * len(plan.leverages) * len(minds)
    done = 0
    found = []
    with progress(f"{worlds} worlds", worlds * each) as reach:

        def reached() -> None:
            nonlocal done
            done += 1
            reach(done, f"world {done // each + 1} of {worlds}")

        for one in seeds:
            told = told_world(plan, one)
            reached()
            found.append(guarded_lives(told, plan, one, minds, reached))
    lives = np.concatenate(found)
    rows, differences = worths(lives), gains(lives)
    meta |= {"worlds": worlds, "seeds": f"{seed} .. {seeds[-1]}", "ruin": DEFINITION}
    if json is not None:
        write_json({"rows": rows, "differences": differences, "meta": meta}, json)
    if json == "-":
        return
    table = Table(title=f"{days} days in {worlds} worlds")
    for i, head in enumerate(WORTH_HEADS):
        table.add_column(head, justify="left" if i < 2 else "right")
    for row in rows:
        if row["leverage"] != row["leverage"]:  # NaN: all of them
            table.add_row(*worth_cells(row))
    print_table(table)
    table = Table(title="ruined, by leverage")
    for head in ("forecaster", "behind", *(f"{x:g}x" for x in plan.leverages)):
        table.add_column(head)
    for mind in minds:
        for kept in KEPT.values():
            own = [r for r in rows if (r["forecaster"], r["kept"]) == (MINDS[mind], kept)]
            if own:
                table.add_row(MINDS[mind], kept, *(f"{r['ruined']:.1%}" for r in own[1:]))
    print_table(table)
    table = Table(title="the same lives, with less without")
    for i, head in enumerate(GAIN_HEADS):
        table.add_column(head, justify="left" if i < 2 else "right")
    for gain in differences:
        table.add_row(*gain_cells(gain))
    print_table(table)
    console.print(DEFINITION, highlight=False)
    for which, name in KEPT.items():
        console.print(f"{name}: {ABOUT_KEPT[which]}", highlight=False)
    for mind in minds:
        console.print(f"{MINDS[mind]}: {ABOUT[mind]}", highlight=False)
    stderr.print(f"{worlds} worlds in {time.monotonic() - begun:.0f} s", highlight=False)


__all__ = ["Mind", "guards"]

"""How a contest of policies looks in the terminal and in JSON; the file of what was tried."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from rich.table import Table

from litehedge.backtest import Episodes, apart, with_position
from litehedge.cli.common import console, print_table, progress
from litehedge.cluster import Cluster
from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.hedge.policies import Policy
from litehedge.report.contest import words
from litehedge.report.contest.crises import NO_ENTRIES
from litehedge.report.contest.families import Family, families
from litehedge.report.contest.judge import Bench, Cell, Contest, judge, steps_of, weekly_of
from litehedge.report.contest.overfitting import Trials, verdict
from litehedge.training.workers import Workers
from litehedge.units import NS_PER_DAY

WEEK_NS: Final = 7 * NS_PER_DAY


@dataclass(frozen=True, slots=True)
class Asked:
    """What a comparison is made from, and where its result goes."""

    lengths_ns: list[int]
    every_ns: int
    is_whole: bool
    tried: Trials | None
    report: Path | None
    table: Path | None
    plot: Path | None
    json: str | None


def hold(
    benches: Sequence[Bench], settings: Settings, sides: Sequence[str],
    leverages: Sequence[float], wanted: Sequence[Policy], asked: Asked, crew: Workers = None,
) -> Contest:  # fmt: skip
    """Run all policies on all sides and leverages, and show how far it is.

    Here one after another, each with all cores; on a cluster every side, leverage and length of
    episodes is a worker's.

    Raises
    ------
    UsageError
        When what was tried before were weeks, and the first episodes are none.
    """
    if asked.tried is not None and benches[0].length_ns != WEEK_NS:
        raise UsageError("what was tried before were weeks", "give --episodes 7d, or 7d first")
    traced = families(settings) if asked.is_whole else []
    # Crises are the same whatever the length of episodes: they are told once.
    stripped = [benches[0], *(replace(bench, entries=NO_ENTRIES) for bench in benches[1:])]
    combinations = list(product(range(len(stripped)), sides, leverages))
    sweep = (stripped, settings, list(wanted), traced, asked.is_whole)
    done = 0
    with progress("episodes", steps_of(wanted, traced) * len(combinations)) as bar:

        def reach(label: str) -> None:
            nonlocal done
            bar(done, label)
            done += 1

        if isinstance(crew, Cluster):
            cells = crew.each(
                _cell_elsewhere, combinations, "judges policies", begin=_sweep, given=sweep,
                heard=reach,
            )  # fmt: skip
        else:
            cells = [_cell(sweep, one, reach) for one in combinations]
    weekly = weekly_of(cells[: len(sides) * len(leverages)])
    names = dict.fromkeys(crisis.name for crisis in benches[0].entries.crises)
    return Contest(
        cells,
        traced,
        verdict(weekly, asked.tried) if weekly.names else None,
        list(names) if asked.is_whole else [],
    )


Sweep = tuple[list[Bench], Settings, list[Policy], Sequence[Family], bool]
_swept: list[Sweep] = []


def _cell(sweep: Sweep, one: tuple[int, str, float], reach: Callable[[str], None]) -> Cell:
    benches, settings, wanted, traced, whole = sweep
    number, side, leverage = one
    own = with_position(settings, side, leverage)
    return judge(benches[number], own, wanted, traced, whole=whole, reach=reach)


def _sweep(*given: Any) -> None:
    _swept[:] = [given]


def _cell_elsewhere(one: tuple[int, str, float], tell: Callable[[str], None]) -> Cell:
    return _cell(_swept[0], one, tell)


def lengths_told(benches: Sequence[Bench], asked: Asked) -> dict[str, Any]:
    """Return how many episodes there are of each length, for the JSON."""
    return {
        "episodes": len(benches[0].where),
        "episode_days": benches[0].length_ns / NS_PER_DAY,
        "every_hours": asked.every_ns / NS_PER_DAY * 24,
        "lengths": [
            {
                "episode_days": bench.length_ns / NS_PER_DAY, "episodes": len(bench.where),
                "one_after_another": len(bench.apart),
            }
            for bench in benches
        ],
    }  # fmt: skip


def chosen_of(wanted_by_settings: str, compared: Sequence[Policy]) -> str:
    """Return the policy that a comparison is about: that of the settings, if it takes part."""
    names = [policy.label for policy in compared]
    if wanted_by_settings in names:
        return wanted_by_settings
    return next((name for name in names if words.is_judged(name)), names[0])


def print_contest(contest: Contest, chosen: str) -> None:
    """Print every table of a contest; what holds for several is said once, at the end."""
    notes = []
    for one in words.tables(contest, chosen):
        table = Table(title=one.title)
        for i, head in enumerate(one.heads):
            table.add_column(head, justify="left" if i < one.words else "right")
        for row in one.rows:
            table.add_row(*row)
        print_table(table)
        notes.append(one.note)
    for note in dict.fromkeys(notes):
        console.print(note, style="dim", highlight=False)


def intervals_told(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Return the 90 % intervals of every row for the JSON."""
    return [
        {
            "policy": row["policy"], "side": row["side"], "leverage": row["leverage"],
            "episode_days": row["episode_days"],
            "liquidation_rate": list(interval.liquidation_rate),
            "mean_return": list(interval.mean_return),
        }
        for cell in cells
        for row, interval in zip(cell.rows, cell.comparison.intervals, strict=True)
    ]  # fmt: skip


def contest_told(contest: Contest) -> dict[str, Any]:
    """Return a contest for the JSON: rows of every table, and the families point by point."""
    v = contest.overfitting
    return {
        "about": words.SHARED_NOTE,
        "families": {
            family.name: {"about": family.about, "members": [m.name for m in family.members]}
            for family in contest.traced
        },
        "against": [row for cell in contest.cells for row in cell.contests],
        "traces": [
            {
                "family": one.family, "side": cell.comparison.side,
                "leverage": cell.comparison.leverage,
                "episode_days": cell.rows[0]["episode_days"],
                "avg_hedge": one.hedge.tolist(),
                **{figure: values.tolist() for figure, values in one.figures.items()},
            }
            for cell in contest.cells
            for one in (cell.statics, *cell.families)
        ],
        "pairs": [row for cell in contest.cells for row in cell.pairs],
        "strata": [row for cell in contest.cells for row in cell.strata],
        "crises": [row for cell in contest.cells for row in cell.crises],
        "overfitting": None if v is None else {
            "trials": v.trials, "tried": v.tried, "compared": v.compared,
            "sharpe": v.sharpes, "deflated_sharpe": v.deflated,
        },
    }  # fmt: skip


# --- what was tried ---------------------------------------------------------------------------


def read_trials(path: Path) -> Trials:
    """Read what ``python -m studies.fit_policies --trials FILE`` wrote.

    There, episodes may overlap, and every kind of position has its own: here, weeks follow one
    another, and a week is the mean over the kinds, as it is in a comparison.

    Raises
    ------
    UsageError
        When the file is not there, is something else, or does not fit together.
    """
    remedy = "write it: python -m studies.fit_policies --trials FILE"
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as packed:
            names, kinds = packed["names"].tolist(), packed["kinds"].tolist()
            opens_ns, returns = packed["opens_ns"], packed["returns"]
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", remedy) from None
    except (OSError, EOFError, KeyError, ValueError, TypeError, AttributeError, BadZipFile):
        raise UsageError(f"{path} does not hold trials", remedy) from None
    weeks = opens_ns.size
    if returns.shape != (len(names), len(kinds) * weeks) or not np.isfinite(returns).all():
        raise UsageError(f"the trials in {path} do not fit together", remedy)
    per_week = returns.reshape(len(names), len(kinds), weeks).mean(axis=1)
    kept = apart(Episodes(opens_ns, opens_ns + WEEK_NS)).starts
    return Trials(names, kept, per_week[:, np.searchsorted(opens_ns, kept)].T)

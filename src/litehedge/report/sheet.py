"""What a tear-sheet is made from, and the figures of its runs, worked out once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import Run
from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.margin.tiers import TierTable
from litehedge.model.artefact import Card
from litehedge.report.axes import UNHEDGED
from litehedge.report.calls import SqueezeCall, squeeze_calls
from litehedge.report.contest.judge import Contest
from litehedge.report.metrics import Comparison, ComparisonRow, RunSummary, run_summary
from litehedge.report.series import align, cumulated_pnl
from litehedge.tape import Tape

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TearSheet:
    """The input of a report: runs on a tape, or a comparison over episodes, or both.

    Parameters
    ----------
    policy
        The policy that the report is about; `runs` must hold it, if there are any.
    settings
        Position, costs and limits of the runs.
    runs
        By policy; with ``unhedged`` among them the report shows both beside each other.
    contest
        The cells behind `comparisons`, in the same order, and what is told of all of them.
    in_sample
        Whether the model was trained on this span: the report says so in a red box.
    created_ns
        When the report was made.
    """

    policy: str
    settings: Settings
    tiers: TierTable
    tape: Tape
    created_ns: int
    runs: Mapping[str, Run] = field(default_factory=dict)
    comparisons: Sequence[Comparison] = ()
    contest: Contest | None = None
    card: Card | None = None
    in_sample: bool = False
    notes: Sequence[str] = ()

    @property
    def start_ns(self) -> int:
        """When the first bar opens."""
        return int(self.tape.end_ns[0]) - self.tape.bar_ns

    @property
    def end_ns(self) -> int:
        """When the last bar closes."""
        return int(self.tape.end_ns[-1])


@dataclass(frozen=True, slots=True)
class RunsView:
    """The runs of a report on the bars of its tape, the chosen one first, then the unhedged one.

    Shapes: `cumulated_usdt` ``(bar,)`` per run.
    """

    chosen: str
    runs: dict[str, Run]
    cumulated_usdt: dict[str, Floats]
    summaries: dict[str, RunSummary]
    calls: list[SqueezeCall]

    @property
    def summary(self) -> RunSummary:
        """Figures of the chosen run."""
        return self.summaries[self.chosen]

    @property
    def after_liquidation(self) -> str:
        """What followed a liquidation, in words; empty when there was none."""
        if any(s.lives > 1 for s in self.summaries.values()):
            return "the same position with a fresh wallet at the next midnight (UTC)"
        died = any(s.liquidated_ns for s in self.summaries.values())
        return "nothing: the run ends" if died else ""

    @property
    def naked(self) -> RunSummary | None:
        """Figures of the run without hedge, where the report compares with one."""
        return self.summaries.get(UNHEDGED) if self.chosen != UNHEDGED else None


def runs_view(sheet: TearSheet) -> RunsView:
    """Work out the figures of all runs.

    Raises
    ------
    UsageError
        When the chosen policy has no run, or a run does not lie on the tape.
    """
    if sheet.policy not in sheet.runs:
        raise UsageError(
            f"there is no run of {sheet.policy!r}", f"choose one of {', '.join(sheet.runs)}"
        )
    order = {sheet.policy: 0, UNHEDGED: 1}
    names = sorted(sheet.runs, key=lambda name: order.get(name, 2))
    runs = {name: align(sheet.runs[name], sheet.tape) for name in names}
    unhedged = runs.get(UNHEDGED)
    return RunsView(
        chosen=sheet.policy,
        runs=runs,
        cumulated_usdt={name: cumulated_pnl(run) for name, run in runs.items()},
        summaries={
            name: run_summary(run, sheet.tape, sheet.settings, unhedged)
            for name, run in runs.items()
        },
        calls=squeeze_calls(runs[sheet.policy], sheet.tape, sheet.settings),
    )


def row_of(comparison: Comparison, policy: str) -> ComparisonRow | None:
    """Return the row of a policy, None where it was not compared."""
    return next((row for row in comparison.rows if row["policy"] == policy), None)

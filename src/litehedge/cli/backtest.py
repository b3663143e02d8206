"""``litehedge backtest``: one run with every decision, or all policies over many episodes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import numpy as np
import typer

import litehedge
from litehedge import backtest as bt
from litehedge.cli.common import (
    cancellable,
    check_writable,
    note,
    numbers,
    progress,
    settings_from,
    write_file,
    write_json,
)
from litehedge.cli.contest import (
    Asked,
    chosen_of,
    contest_told,
    hold,
    intervals_told,
    lengths_told,
    print_contest,
    read_trials,
)
from litehedge.cli.rules import ruled, ruled_policy
from litehedge.cli.run_told import cut_short, decisions_told, notes_of
from litehedge.cli.show import print_comparisons, print_decisions, print_run
from litehedge.config import HedgeLocation, Settings
from litehedge.engine_state import Fixed
from litehedge.errors import UsageError
from litehedge.hedge.policies import ORACLE, Policy, static, with_rules
from litehedge.hedge.rules import Rules, words_of
from litehedge.margin.tiers import TierTable
from litehedge.report.contest import words
from litehedge.report.contest.charts import frontier_svg
from litehedge.report.contest.judge import Bench, Cell, Contest, bench_of, beside
from litehedge.report.metrics import comparison_row, life_frontier, run_summary
from litehedge.report.tearsheet import TearSheet, render
from litehedge.risk.capital import capital_check
from litehedge.shelf.home import home, stderr
from litehedge.shelf.journals import begin_journal, end_journal
from litehedge.shelf.models import Chosen, choose_model, saw
from litehedge.shelf.policies import all_policies, choose_policy
from litehedge.sim.episode import PATH_HI, PATH_LO
from litehedge.store.bundled import tier_table
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import (
    WARM_UP_NS,
    Tape,
    build_tape,
    check_range,
    cut,
    event_chunks,
    per_frame_of,
)
from litehedge.units import NS_PER_DAY, duration_ns, instant_ns, iso_utc

SIDES = {"long": ("long",), "short": ("short",), "both": ("long", "short")}
EPISODES_DEFAULT = "7d"
EVERY_DEFAULT = "6h"
EVERY_LEVERAGE: Final = (3.0, 5.0, 10.0, 20.0, 50.0)


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for, checked."""

    lake: Lake
    dataset: Dataset
    start_ns: int
    end_ns: int
    settings: Settings
    tiers: TierTable
    model: Chosen
    sides: tuple[str, ...]
    leverages: list[float]
    reopens: bool
    locations: tuple[str, ...]
    rules: Rules | None = None

    @property
    def label(self) -> str:
        """The policy of the settings and the rules around it."""
        name = self.settings.hedge.policy
        return name if self.rules is None else f"{name}+{self.rules.name}"

    @property
    def in_sample(self) -> bool:
        """Whether the model was trained on a part of the range."""
        return saw(self.model.card, self.start_ns, self.end_ns)

    def meta(self, **more: Any) -> dict[str, Any]:
        """Return what a reader of the JSON needs to know about the numbers."""
        return {
            "litehedge": litehedge.__version__,
            "data": self.dataset.name,
            "from": iso_utc(self.start_ns),
            "to": iso_utc(self.end_ns),
            "bar": self.dataset.interval,
            "companions": {k: d.name for k, d in self.lake.companions(self.dataset).items()},
            "model": self.model.forecaster.id,
            "model_saw_this_span": self.in_sample,
            "tiers": f"{self.tiers.venue} {self.tiers.symbol} {self.tiers.version}",
            "settings": self.settings.model_dump(),
            "rules": [] if self.rules is None else words_of(self.rules),
            **more,
        }


def backtest(
    data: Annotated[str, typer.Option(help="Data set with bars; see: litehedge data list.")],
    from_: Annotated[str | None, typer.Option("--from", help="First day (UTC).")] = None,
    to: Annotated[str | None, typer.Option(help="Last moment (UTC).")] = None,
    side: Annotated[str | None, typer.Option(help="long, short or both.")] = None,
    leverage: Annotated[str | None, typer.Option(help="Leverage, or several: 3,5,10,20.")] = None,
    policy: Annotated[str | None, typer.Option(help="Policy of the run.")] = None,
    rules: Annotated[
        str | None,
        typer.Option(help="Your rules around the policy: a preset or a TOML file; none."),
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="Compare policies over episodes: all, or names: a,b,c.")
    ] = None,
    episodes: Annotated[
        str | None, typer.Option(help="Length of an episode, or several: 7d,30d.")
    ] = None,
    every: Annotated[
        str | None, typer.Option(help="A new episode every so often, for example 6h.")
    ] = None,
    contest: Annotated[
        bool | None,
        typer.Option(
            help="Trace the rule and the plug-in over their parameters, and look at crises and "
            "bad days too. Default: with --compare all."
        ),
    ] = None,
    trials: Annotated[
        Path | None,
        typer.Option(
            help="What was tried before, from `python -m studies.fit_policies --trials FILE`: "
            "counted when luck is told from skill."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model by name or folder; auto fits the bars; none.")
    ] = None,
    wallet: Annotated[float | None, typer.Option(help="Margin wallet in USDT.")] = None,
    location: Annotated[
        str | None, typer.Option(help="same_account, second_venue, reduce; all to compare them.")
    ] = None,
    reopen: Annotated[
        bool,
        typer.Option(help="After a liquidation open the same position again at midnight (UTC)."),
    ] = True,
    decisions: Annotated[
        str, typer.Option(help="Decisions to print: changes, all or none.")
    ] = "changes",
    settings: Annotated[
        Path | None, typer.Option(help="Settings file. Default: litehedge.toml if it exists.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a tear-sheet: one HTML file, no network needed.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Write the run's journal, for: litehedge replay.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Write the tables of a comparison as Markdown.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write liquidations over average hedge as SVG.")
    ] = None,
    json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - is the terminal.")
    ] = None,
) -> None:
    """Carry a leveraged position through history: hedged, charged, liquidated if it must be.

    One run, every decision with its reason:

    litehedge backtest --data ltc_spot_1m --from 2021-05-10 --to 2021-05-25 --leverage 5 --report out.html

    All policies over thousands of episodes, both sides at 3x to 50x unless you say otherwise:

    litehedge backtest --data ltc_spot_5m --episodes 7d,30d --compare all --report contest.html

    In a simulated world: litehedge simulate --days 200 --seed 7 --name sim7, then the same with
    --data sim7_ltc.
    """  # noqa: E501
    if decisions not in ("changes", "all", "none"):
        raise UsageError(f"there is no --decisions {decisions}", "choose changes, all or none")
    for target in (report, journal, table, plot, Path(json) if json not in (None, "-") else None):
        check_writable(target)
    is_whole = compare == "all"
    leverages = list(EVERY_LEVERAGE) if is_whole else []
    if leverage is not None:
        leverages = numbers("--leverage", leverage)
    if is_whole and side is None:
        side = "both"
    chosen = settings_from(
        settings,
        {
            "position.leverage": leverages[0] if leverages else None,
            "position.side": None if side == "both" else side,
            "position.wallet_usdt": wallet,
            "hedge.location": None if location == "all" else location,
            "hedge.policy": policy,
            "hedge.rules": rules,
            "model.name": model,
        },
    )
    chosen, ruling = ruled(chosen, policy)
    places = get_args(HedgeLocation) if location == "all" else (chosen.hedge.location,)
    job = _job(data, from_, to, side, leverages, reopen, chosen, places, ruling)
    if compare is not None or episodes is not None or every is not None:
        if journal is not None:
            raise UsageError("episodes have no journal", "leave out --journal, or --episodes")
        asked = Asked(
            [duration_ns(one) for one in (episodes or EPISODES_DEFAULT).split(",")],
            duration_ns(every or EVERY_DEFAULT), is_whole if contest is None else contest,
            None if trials is None else read_trials(trials), report, table, plot, json,
        )  # fmt: skip
        _grid(job, _wanted(compare, job), asked)
        return
    if contest is not None or any(one is not None for one in (trials, table, plot)):
        raise UsageError(
            "one run has no --contest, --trials, --table or --plot", "give --compare all"
        )
    if len(job.sides) > 1 or len(job.leverages) > 1 or len(job.locations) > 1:
        raise UsageError(
            "one run has one side, one leverage and one place for its hedge",
            "give --episodes 7d to compare several, or choose one",
        )
    _single(job, report, journal, json, decisions)


def _job(
    data: str, from_: str | None, to: str | None, side: str | None, leverages: list[float],
    reopens: bool, settings: Settings, locations: tuple[str, ...], rules: Rules | None,
) -> Job:  # fmt: skip
    lake = Lake(home() / "lake")
    dataset = lake.bars(data)
    if not settings.venue.symbol.startswith(dataset.asset) or dataset.market == "mark":
        what = "mark prices" if dataset.market == "mark" else dataset.symbol
        raise UsageError(
            f"{data} holds {what}, the contract is {settings.venue.symbol}",
            "choose bars that were traded in that coin; see: litehedge data list",
        )
    start_ns, end_ns = check_range(
        dataset, instant_ns(from_) if from_ else None, instant_ns(to) if to else None
    )
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    levels = leverages or [settings.position.leverage]
    for level in levels:
        bt.with_position(settings, settings.position.side, level)  # refuses what is none
        tiers.check_leverage(level, level * settings.position.wallet_usdt)
    frame_ns = dataset.interval_ns * per_frame_of(dataset.interval_ns)
    return Job(
        lake, dataset, start_ns, end_ns, settings, tiers,
        choose_model(settings.model.name, frame_ns),
        SIDES[side or settings.position.side], levels, reopens, locations, rules,
    )  # fmt: skip


def _wanted(compare: str | None, job: Job) -> list[Policy]:
    settings = job.settings
    if compare is None:
        names = {"unhedged": None, settings.hedge.policy: None}
        wanted = [choose_policy(name, settings) for name in names]
    elif compare == "all":
        wanted = all_policies(settings)
    else:
        wanted = [ruled_policy(name.strip(), settings) for name in compare.split(",")]
    if job.rules is not None:
        wanted.append(with_rules(choose_policy(settings.hedge.policy, settings), job.rules))
    return wanted


def _tape(job: Job) -> Tape:
    with progress(f"reading {job.dataset.name}", 1.0) as reach:
        return build_tape(
            job.lake, job.dataset, job.model.forecaster, job.start_ns, job.end_ns,
            lambda done, total: reach(done / total),
        )  # fmt: skip


# --- many episodes ----------------------------------------------------------------------------


def idle_plans(wanted: Sequence[Policy]) -> list[str]:
    """Say which plans a comparison of episodes does not carry out: the compiled loop has none."""
    return [
        f"the plans of {policy.label} ({', '.join(plan.name for plan in policy.rules.plans)}) are "
        "not carried out in episodes: only its rules count here. One run, without --episodes and "
        "--compare, carries them out, at every bar"
        for policy in wanted if policy.rules is not None and policy.rules.plans
    ]  # fmt: skip


def _grid(job: Job, wanted: list[Policy], asked: Asked) -> None:
    tape = _tape(job)
    smallest = bt.with_position(job.settings, job.sides[0], min(job.leverages))
    note(capital_check(smallest, float(np.median(tape.bars[:, 3])), job.tiers).problems)
    benches = [bench_of(tape, job.tiers, length, asked.every_ns) for length in asked.lengths_ns]
    held = _held(job, benches, wanted, asked)
    meta = job.meta(**lengths_told(benches, asked), intervals_90=intervals_told(held.cells))
    meta["notes"] = idle_plans(wanted)
    note(meta["notes"])
    held.about["data"] = f"{meta['data']}, {meta['from']} .. {meta['to']}"
    held.about["model"] = meta["model"] + (" (saw a part of this span)" if job.in_sample else "")
    chosen = chosen_of(job.settings.hedge.policy, wanted)
    comparisons = [cell.comparison for cell in held.cells]
    if asked.json is not None:
        meta["contest"] = contest_told(held)
        write_json({"rows": [row for c in comparisons for row in c.rows], "meta": meta}, asked.json)
    if asked.json != "-":
        print_comparisons(comparisons, meta)
        print_contest(held, chosen)
    if asked.table is not None:
        write_file(asked.table, words.markdown(held, chosen).encode())
    if asked.plot is not None:
        write_file(asked.plot, frontier_svg(held.cells, chosen).encode())
    if asked.report is not None:
        sheet = _sheet(job, job.settings, tape, comparisons=comparisons, contest=held)
        _write_report(asked.report, replace(sheet, policy=chosen))


def _held(job: Job, benches: Sequence[Bench], wanted: Sequence[Policy], asked: Asked) -> Contest:
    """Hold the contest; places of the hedge stand beside each other as rows, without a contest."""
    if len(job.locations) == 1:
        settings = bt.with_location(job.settings, job.locations[0])
        return hold(benches, settings, job.sides, job.leverages, wanted, asked)
    places: list[list[Cell]] = []
    for place in job.locations:
        settings = bt.with_location(job.settings, place)
        plain = replace(asked, is_whole=False)
        cells = hold(benches, settings, job.sides, job.leverages, wanted, plain).cells
        for cell in cells:
            for row in cell.rows:
                row["policy"] = f"{row['policy']} @ {place}"
        places.append(cells)
    return Contest([beside(cells) for cells in zip(*places, strict=True)], [], None, [])


# --- one run ----------------------------------------------------------------------------------


def _single(
    job: Job, report: Path | None, journal_path: Path | None, json: str | None, shown: str
) -> None:
    settings = bt.with_position(job.settings, job.sides[0], job.leverages[0])
    policy = with_rules(choose_policy(settings.hedge.policy, settings), job.rules)
    tape = whole = _tape(job)
    if policy.kind == ORACLE:
        if journal_path is not None:
            raise UsageError("the oracle has no journal", "it knows the future; leave it out")
        run = bt.walk(tape, settings, job.tiers, policy, reopens=job.reopens)
    else:
        run, is_cancelled = _play(job, settings, policy, journal_path)
        if is_cancelled:
            tape = cut(whole, int(np.searchsorted(whole.end_ns, run.end_ns[-1], side="right")))
        # The engine tells the band with its decisions; the fast path, equal to it, at every bar.
        fast = bt.walk(tape, settings, job.tiers, policy, reopens=job.reopens)
        run.path[:, [PATH_LO, PATH_HI]] = fast.path[:, [PATH_LO, PATH_HI]]
    unhedged = bt.walk(tape, settings, job.tiers, static(0.0), reopens=job.reopens)
    runs = {policy.label: run, "unhedged": unhedged}
    summaries = {name: run_summary(one, tape, settings, unhedged) for name, one in runs.items()}
    frontier = life_frontier(tape, settings, job.tiers, reopens=job.reopens)
    reached = {} if tape is whole else cut_short(tape, whole)
    notes = [reached["cancelled"]] if reached else []
    notes += notes_of(job.lake.companions(job.dataset), tape)
    notes += capital_check(settings, float(tape.bars[0, 0]), job.tiers).problems
    rows = [
        comparison_row(
            name, job.sides[0], job.leverages[0], one.outcomes, frontier, job.locations[0]
        )
        for name, one in runs.items()
    ]
    if json is not None:
        meta = job.meta(
            policy=policy.label,
            liquidated={n: [iso_utc(t) for t in one.liquidated_ns] for n, one in runs.items()},
            summaries=summaries,
            notes=[
                "episodes are lives: each ends with a liquidation or with the data",
                *notes,
            ],
            **reached,
        )
        write_json({"rows": rows, "meta": meta, "decisions": decisions_told(run)}, json)
    if json != "-":
        print_run(
            job.dataset.name, settings, summaries, rows, in_sample=job.in_sample,
            notes=notes, is_funded="funding" in job.lake.companions(job.dataset),
        )  # fmt: skip
        if shown != "none":
            print_decisions(run.decisions, everything=shown == "all")
    if report is not None:
        told = [*reached.values()][:1]
        _write_report(report, _sheet(job, settings, tape, runs=runs, notes=told))


def _play(
    job: Job, settings: Settings, policy: Policy, journal_path: Path | None
) -> tuple[bt.Run, bool]:
    """Carry the position through. Return the run, and whether it was cancelled on its way."""
    per_frame = per_frame_of(job.dataset.interval_ns)
    begin = max(job.dataset.start_ns, job.start_ns - WARM_UP_NS)
    session = f"bt{job.start_ns // NS_PER_DAY}"
    held_every_ns = 3600 * 10**9
    fixed = Fixed(
        settings, policy, job.tiers, job.model.forecaster, session, job.dataset.interval_ns,
        per_frame, held_every_ns, looks_between=False,
    )  # fmt: skip
    journal = None
    if journal_path is not None:
        journal = begin_journal(
            journal_path, fixed, job.model, mode="backtest", data=job.dataset.name
        )
    what = f"{policy.name} on {job.dataset.name}"
    with progress(what, job.end_ns - begin, begin_ns=begin) as reach, cancellable() as is_over:
        feed = takewhile(lambda event: not is_over(), (
            event
            for chunk, _ in event_chunks(job.lake, job.dataset, begin, job.end_ns)
            for event in chunk.events()
        ))  # fmt: skip
        try:
            run = bt.play(
                feed, job.dataset.interval_ns, per_frame, settings, job.tiers, policy,
                job.model.forecaster, opens_ns=job.start_ns, session=session, reopens=job.reopens,
                journal=journal, held_every_ns=held_every_ns,
                progress=lambda now_ns: reach(now_ns - begin),
            )  # fmt: skip
        except UsageError:
            if is_over():
                raise UsageError("cancelled before a position was opened", "run it again") from None
            raise
        was_cancelled = is_over()
    if journal is not None and journal_path is not None:
        end_journal(journal, journal_path)
    return run, was_cancelled


# --- report -----------------------------------------------------------------------------------


def _sheet(job: Job, settings: Settings, tape: Tape, **parts: Any) -> TearSheet:
    return TearSheet(
        policy=job.label, settings=settings, tiers=job.tiers, tape=tape,
        created_ns=time.time_ns(), card=job.model.card, in_sample=job.in_sample, **parts,
    )  # fmt: skip


def _write_report(path: Path, sheet: TearSheet) -> None:
    write_file(path, render(sheet).encode())
    stderr.print(f"report in {path}", highlight=False)

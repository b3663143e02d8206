"""``litehedge evaluate``: forecasters beside each other, on what none of them has seen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.table import Table

from litehedge.cli.common import (
    ClusterOption,
    JsonTarget,
    check_writable,
    console,
    open_lake,
    print_table,
    workers,
    write_file,
    write_json,
)
from litehedge.errors import UsageError
from litehedge.model.measures.result import PEAK, SEVERITY, TASKS, Ablation, Evaluation
from litehedge.model.optional import train_module
from litehedge.report.skill_page import skill_page
from litehedge.report.skill_words import MAIN, OF_PEAK, OF_SEVERITY, markdown_table, tasks_of
from litehedge.shelf.home import home, stderr
from litehedge.shelf.models import Chosen, choose_model, saw
from litehedge.tape import per_frame_of
from litehedge.training.samples import PURGE_NS
from litehedge.units import NS_PER_DAY, instant_ns, iso_utc

if TYPE_CHECKING:
    from litehedge.model.train import Epoch

MONTH_DAYS = 30
DRAWS = 200


def evaluate(
    data: Annotated[str, typer.Option(help="Data set that forecasters are judged on.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Model that ships or that you trained; the first is the one in question."
        ),
    ] = None,
    learn: Annotated[
        list[str] | None,
        typer.Option(help="More data sets that baselines learn from; may be repeated."),
    ] = None,
    pool: Annotated[
        list[str] | None,
        typer.Option(help="Other coins that networks learn from, for --parts and walking forward."),
    ] = None,
    worlds: Annotated[
        int,
        typer.Option(
            min=0, help="Simulated worlds that networks trained here learn from before the data."
        ),
    ] = 0,
    world_days: Annotated[int, typer.Option(min=30, help="Days that each world lives.")] = 360,
    validate_from: Annotated[
        str, typer.Option(help="Everybody learns from what lies before, and tunes on what follows.")
    ] = "2024-01-01",
    validate_until: Annotated[str, typer.Option(help="End of the tuning.")] = "2024-07-01",
    from_: Annotated[str, typer.Option("--from", help="Begin of the judged span.")] = "2024-07-01",
    to: Annotated[str, typer.Option(help="End of the judged span.")] = "2025-05-01",
    baseline: Annotated[
        list[str] | None,
        typer.Option(help="Baselines to fit: names, all, or none. Default: all."),
    ] = None,
    months: Annotated[
        int,
        typer.Option(
            min=0,
            help="Walk forward: fit everything anew every so many months of 30 days, the network "
            "too, with --seeds members. 0: one split.",
        ),
    ] = 0,
    parts: Annotated[
        list[str] | None,
        typer.Option(help="Train the network without a part, with --seeds members: names, or all."),
    ] = None,
    leave_out: Annotated[
        bool, typer.Option("--crises", help="Leave every crisis out of training, judge on it.")
    ] = False,
    feeds: Annotated[
        bool, typer.Option("--feeds", help="Judge the network with each family of features dead.")
    ] = False,
    oracle: Annotated[
        Path | None,
        typer.Option(help="What `litehedge study skill --json FILE` wrote: shown on the page too."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Members of networks trained here.")] = 2,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of networks trained here.")] = 20,
    draws: Annotated[int, typer.Option(min=20, help="Of the bootstrap over blocks.")] = DRAWS,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Fits at once. Default: one per core.")
    ] = None,
    cluster: ClusterOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything.")] = 0,
    report: Annotated[
        Path | None, typer.Option(help="Write tables and plots as one HTML page.")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="Write the tables as Markdown.")] = None,
    json: JsonTarget = None,
) -> None:
    """Judge forecasters on a span that none of them has seen, beside tuned baselines.

    Three events: the onset of a squeeze, a move of 2 per cent, a move of 5 weekly sigmas. Every
    baseline is tuned on the validation span; intervals come from a bootstrap over blocks of
    events. Needs the train extra.

    Example: litehedge evaluate --data ltc_spot_5m --learn ltc_perp_5m --model ltc-5m
    --report skill.html
    """
    for path in (report, table, Path(json) if json not in (None, "-") else None):
        check_writable(path)
    if oracle is not None and not oracle.is_file():
        raise UsageError(
            f"there is no file {oracle}", "write it: litehedge study skill --json FILE"
        )
    train_module("torch")
    from litehedge.model.serve import NetworkForecaster
    from litehedge.model.train import Recipe
    from litehedge.training.judging import protocol as pr
    from litehedge.training.judging.field import Entry, baseline_names, baselines
    from litehedge.training.judging.judge import Bench
    from litehedge.training.judging.variants import variant_names

    begun = time.monotonic()
    lake = open_lake()
    judged = lake.bars(data)
    others, coins = ([lake.bars(one) for one in some or []] for some in (learn, pool))
    frame_ns = judged.interval_ns * per_frame_of(judged.interval_ns)
    dates = pr.Dates(
        instant_ns(validate_from) - PURGE_NS, instant_ns(validate_from),
        instant_ns(validate_until), instant_ns(from_), instant_ns(to),
    )  # fmt: skip
    names = _baselines(baseline, baseline_names())
    chosen = [_chosen(name, frame_ns, dates.test_from_ns, dates.test_until_ns)
              for name in model or []]  # fmt: skip
    every = [*(name for name, _ in chosen), *names, *([pr.NETWORK] if months else [])]
    twice = sorted({name for name in every if every.count(name) > 1})
    if twice:
        raise UsageError(
            f"two forecasters are called {', '.join(twice)}", "rename a model's folder"
        )
    if months and (parts or feeds or leave_out):
        raise UsageError(
            "--parts, --feeds and --crises are of one split", "leave them out, or --months"
        )
    if worlds and not (months or parts):
        raise UsageError(
            "--worlds is for networks that are trained here", "add --parts all, or --months 2"
        )
    known = variant_names()
    for part in parts or []:
        if part not in (*known, "all"):
            raise UsageError(f"there is no part {part!r}", f"choose of all, {', '.join(known)}")
    if not chosen and not months and not names:
        raise UsageError("there is nobody to judge", "give --model, --baseline or --months")
    recipe = Recipe(epochs=epochs)
    numbers = list(range(seed, seed + seeds))
    work = home() / "training" / f"evaluate-{data}"

    with workers(cluster, processes) as crew, stderr.status("reading …") as status:

        def say(text: str) -> None:
            status.update(f"{text} …")
            stderr.print(f"{time.monotonic() - begun:5.0f} s  {text}", highlight=False)

        def told(member: int, epoch: Epoch, left_s: float) -> None:
            status.update(f"seed {member}: epoch {epoch.number}, {left_s / 60:.0f} min left …")

        folds: list[list[Entry]] = []
        fields: list[pr.Field] = []
        for number, fold in enumerate(dates.folds(MONTH_DAYS * months * NS_PER_DAY or None)):
            field = pr.read_fold(
                lake, judged, others, coins, fold, say, worlds=worlds, world_days=world_days,
                processes=crew,
            )  # fmt: skip
            fields.append(field)
            entries = [pr.said_by(name, one.forecaster, field.span) for name, one in chosen]
            if months:
                say(f"fold {number + 1}: the network, {iso_utc(fold.test_from_ns)[:10]} on")
                bench = Bench.of(field.span, 1, seed)
                whole, _ = pr.whole_of(
                    bench, field.sources, recipe, numbers, work / f"fold-{number}", told, crew
                )
                entries.insert(0, whole)
            say(f"{len(names)} baselines")
            folds.append([*entries, *baselines(field.span, names, seed, crew, say)])
        field = fields[-1] if len(fields) == 1 else pr.joined_fields(fields)
        entries = pr.joined(folds)
        bench = Bench.of(field.span, draws, seed)
        alone: list[Entry] = []
        ablations: list[Ablation] = []
        first = next(((n, m.forecaster) for n, m in chosen
                      if isinstance(m.forecaster, NetworkForecaster)), None)  # fmt: skip
        if first is not None and not months:
            say("every member alone")
            alone = pr.each_member(*first, field.span)
            if feeds:
                whole = next(e for e in entries if e.name == first[0])
                ablations += pr.without_families(bench, first[1], whole, say)
        if parts and not months:
            found, rows = pr.without_parts(
                bench, field.sources, recipe, numbers, work / "parts",
                None if "all" in parts else parts, say, told, crew,
            )  # fmt: skip
            entries += found
            ablations += rows
        crises = (
            pr.crises(lake, judged, others, field.sources, field.span.valid, dates, recipe,
                      numbers, work, say, told, crew)
            if leave_out else []
        )  # fmt: skip
        first_fold = dates.folds(MONTH_DAYS * months * NS_PER_DAY or None)[0]
        until, valid_from, valid_until = (
            first_fold.until_ns, first_fold.valid_from_ns, first_fold.valid_until_ns,
        )  # fmt: skip
        meta = {
            "judged on": f"{data}, {from_} to {to}",
            "learnt from": f"{', '.join([data, *(learn or [])])}, up to {_told(until)}",
            "tuned on": f"{data}, {_told(valid_from)} to {_told(valid_until)}",
            "fitted anew": f"every {months} months, those were the first"
            if months
            else "never: one split",
            "seed, draws": f"{seed}, {draws}",
        } | {f"model {name}": one.forecaster.id for name, one in chosen}
        result = pr.evaluation_of(
            bench, entries, alone, entries[0].name, ablations=ablations, found_crises=crises,
            ladder=None if oracle is None else msgspec.json.decode(oracle.read_bytes()),
            meta=meta, say=say,
        )  # fmt: skip
    if json is not None:
        write_json(msgspec.to_builtins(result), json)
    if report is not None:
        write_file(report, skill_page(result, time.time_ns()).encode())
        stderr.print(f"wrote {report}", highlight=False)
    if table is not None:
        write_file(table, tables_of(result).encode())
        stderr.print(f"wrote {table}", highlight=False)
    if json != "-":
        _print(result)
    stderr.print(f"{time.monotonic() - begun:.0f} s", highlight=False)


def _told(time_ns: int) -> str:
    return iso_utc(time_ns)[:10]


def _baselines(wanted: list[str] | None, known: list[str]) -> list[str]:
    if not wanted or "all" in wanted:
        return known
    return [] if "none" in wanted else list(dict.fromkeys(wanted))


def _chosen(name: str, frame_ns: int, start_ns: int, end_ns: int) -> tuple[str, Chosen]:
    found = choose_model(name, frame_ns)
    if saw(found.card, start_ns, end_ns):
        stderr.print(
            f"[yellow]note:[/] {name} has learnt from the judged span: its figures flatter",
            highlight=False,
        )
    return Path(name).name, found


def tables_of(result: Evaluation) -> str:
    """Return a Markdown table for every task and side."""
    return "\n".join(
        f"### {task}, {side}\n\n{markdown_table(result, task, side, COLUMNS.get(task, MAIN))}"
        for task, side in tasks_of(result, TOLD)
    )


TOLD = (*TASKS, PEAK, SEVERITY)
COLUMNS = {PEAK: OF_PEAK, SEVERITY: OF_SEVERITY}
SHOWN = (("AUC", "auc_30"), ("AP", "ap_30"), ("Brier skill", "brier_skill_30"),
         ("slope", "slope_30"), ("Uno C", "concordance"), ("log-loss", "log_loss"))  # fmt: skip


def _print(result: Evaluation) -> None:
    for task, side in tasks_of(result, TOLD):
        what = f"{task}, {side}" + ("" if task in COLUMNS else ": within 30 minutes")
        shown = [(one.head, one.name) for one in COLUMNS[task]] if task in COLUMNS else SHOWN
        out = Table(title=f"{what}; 90 % intervals by blocks of events")
        out.add_column("forecaster")
        for head, _ in shown:
            out.add_column(head, justify="right")
        for skill in result.skills:
            if (skill.task, skill.side) == (task, side) and " seed " not in skill.forecaster:
                cells = []
                for _, name in shown:
                    score = skill.score(name)
                    cells.append(
                        "" if score is None
                        else f"{score.value:.3f} [dim]{score.low:.3f}..{score.high:.3f}[/]"
                    )  # fmt: skip
                out.add_row(skill.forecaster, *cells)
        print_table(out)
    console.print(f"In question: {result.chosen}", highlight=False)

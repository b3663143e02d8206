"""``litehedge data check``: what a data set is like, and what was recorded when."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from litehedge.cli.common import open_lake, write_json
from litehedge.cli.data_recorded import check_recorded, coverage_of, print_days
from litehedge.cli.data_words import facts, gap, gap_text, length, line, say, what
from litehedge.errors import DataError
from litehedge.store.lake import Dataset
from litehedge.store.survey import BarSurvey, longest_silence, survey_bars
from litehedge.units import iso_utc

_GAPS_SHOWN = 10

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def check(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Name of the data set. Default: all recorded ones.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a data set: coverage per day, gaps, repeated rows, rates, ages, whole files.

    Without a name: every recorded feed, and how much of the forced volume was told.

    That is an estimate. In a squeeze (15 minutes, price 1.5 % away, open interest down by 0.5 %),
    share = recorded forced volume of the losing side / (open interest lost x price), over all
    squeezes. Right within a factor of two or so: people who close by themselves make it too small;
    forced orders that meet somebody who opens make it too large, even above 100 %. Compare feeds
    and months with it.

    Example: litehedge data check ltc_perp_1m
    """
    lake = open_lake()
    if name is None:
        check_recorded(lake, as_json=as_json)
        return
    dataset = lake.dataset(name)
    problems = lake.problems(dataset)
    if problems:
        if as_json:
            write_json({**facts(dataset), "files_match": False, "problems": problems}, "-")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise DataError(
            f"data set {name} does not match its manifest: {problems[0]}{more}",
            f"import it again: litehedge data import FILE... --name {name} --replace",
        )
    table = lake.read(name)
    survey = survey_bars(dataset, table) if dataset.kind == "bars" else None
    silence = longest_silence(table)
    days = coverage_of(lake, dataset, table)
    if as_json:
        found: dict[str, Any] = {"longest_silence": gap(silence)}
        if survey is not None:
            found = _bar_facts(survey)
        found["days"] = [asdict(day) for day in days]
        write_json({**facts(dataset), "files_match": True, "problems": [], **found}, "-")
        return
    say(f"{name}: {what(dataset)}", style="bold")
    line("span", f"{dataset.span} UTC")
    if survey is None:
        line("rows", f"{dataset.rows:,}")
        if silence is not None:
            line("silence", f"longest without a row: {gap_text(silence)}")
    else:
        _print_bars(dataset, survey)
    is_daily = any(len(part.month) > len("2021-05") for part in dataset.parts)
    if is_daily:
        print_days(days)
    count = len(dataset.parts)
    match = "file matches" if count == 1 else "files match"
    line("files", f"{count:,} {'daily' if is_daily else 'monthly'} {match} the manifest")
    for source in dataset.sources[:_GAPS_SHOWN]:
        line("from", f"{source.file} ({source.rows:,} rows, sha256 {source.sha256[:12]}…)")
    if len(dataset.sources) > _GAPS_SHOWN:
        line("", f"and {len(dataset.sources) - _GAPS_SHOWN:,} more files")


def _print_bars(dataset: Dataset, survey: BarSurvey) -> None:
    line("bars", f"{dataset.rows:,}, {100 * survey.coverage:.2f} % of the span")
    if survey.gaps:
        total = sum(gap.length_ns for gap in survey.gaps)
        order = ", longest first" if len(survey.gaps) > 1 else ""
        line("gaps", f"{len(survey.gaps):,}, together {length(total)}{order}")
        for gap in survey.gaps[:_GAPS_SHOWN]:
            line("", gap_text(gap))
        if len(survey.gaps) > _GAPS_SHOWN:
            line("", f"and {len(survey.gaps) - _GAPS_SHOWN:,} shorter ones")
    else:
        line("gaps", "none")
    line("flat", f"{survey.flat_bars:,} bars without any price move")
    if survey.zero_volume_bars is None:
        line("volume", "none: not traded, or not told")
    else:
        line("volume", f"{survey.zero_volume_bars:,} bars without a trade")
    moves = [f"{iso_utc(m.open_ns)}  {100 * m.fraction:+.2f} %" for m in survey.largest_moves]
    for label, move in zip(["moves", *[""] * len(moves)], moves, strict=False):
        line(label, move + ("  (largest from open to close of a bar)" if label else ""))


def _bar_facts(survey: BarSurvey) -> dict[str, Any]:
    return {
        "coverage": survey.coverage,
        "gap_count": len(survey.gaps),
        "gaps": [gap(one) for one in survey.gaps[:_GAPS_SHOWN]],
        "flat_bars": survey.flat_bars,
        "zero_volume_bars": survey.zero_volume_bars,
        "largest_moves": [
            {"open": iso_utc(m.open_ns), "open_ns": m.open_ns, "fraction": m.fraction}
            for m in survey.largest_moves
        ],
    }

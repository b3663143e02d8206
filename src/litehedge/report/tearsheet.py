"""The tear-sheet: one HTML file with everything in it, for a browser without a network.

The page carries its own style, script and charts (the ECharts bundle of the installed NiceGUI),
and a policy that forbids it to load anything. Without JavaScript the tables still read.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from litehedge import __version__
from litehedge.errors import UsageError
from litehedge.report import echarts
from litehedge.report.contest.charts import family_lines
from litehedge.report.contest.page import contest_cards
from litehedge.report.details import (
    assumptions_card,
    comparison_card,
    decisions_card,
    model_card,
    squeezes_card,
)
from litehedge.report.markup import Safe, element, join, safe
from litehedge.report.sections import (
    comparison_heroes,
    comparison_title,
    figures_card,
    hero_cards,
    monthly_card,
    run_charts,
    run_heroes,
    run_title,
    warnings,
)
from litehedge.report.sheet import RunsView, TearSheet, runs_view
from litehedge.units import describe_ns, iso_utc

__all__ = ["TearSheet", "page", "render"]

_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
)


def render(report: TearSheet) -> str:
    """Return the report as the text of one HTML file.

    Raises
    ------
    UsageError
        When there is neither a run nor a comparison, or a run does not lie on the tape.
    LitehedgeError
        When the installed NiceGUI does not carry ECharts where it should.
    """
    if not report.runs and not report.comparisons:
        raise UsageError("a report needs a run or a comparison", "run a backtest first")
    view = runs_view(report) if report.runs else None
    if view is not None:
        title, heroes = run_title(report, view), run_heroes(report, view)
    else:
        title = comparison_title(report, report.comparisons[0])
        heroes = comparison_heroes(report, report.comparisons[0])
    sections = [
        element("header", element("h1", title), _subtitle(report)),
        hero_cards(heroes),
        warnings(report),
        *(_of_runs_above(report, view) if view is not None else ()),
        *_compared(report),
        *(_of_runs_below(report, view) if view is not None else ()),
        assumptions_card(report, view),
        *(() if report.card is None else (model_card(report.card),)),
    ]
    return page(title, join(sections))


def _compared(report: TearSheet) -> list[Safe]:
    contest = report.contest
    if contest is None:
        return [comparison_card(c, report.policy, i) for i, c in enumerate(report.comparisons)]
    cards = [
        comparison_card(cell.comparison, report.policy, i, family_lines(cell))
        for i, cell in enumerate(contest.cells)
    ]
    return [*cards, *contest_cards(contest, report.policy)]


def _subtitle(report: TearSheet) -> Safe:
    facts = (
        report.policy,
        f"{report.tape.name}, bars of {describe_ns(report.tape.bar_ns)}",
        "backtest",
        f"made {iso_utc(report.created_ns)} UTC by litehedge {__version__}",
    )
    return element("p", " · ".join(facts), css="hg-lead")


def _of_runs_above(report: TearSheet, view: RunsView) -> list[Safe]:
    return [run_charts(report, view), monthly_card(view), figures_card(view)]


def _of_runs_below(report: TearSheet, view: RunsView) -> list[Safe]:
    decided = [decisions_card(view)] if view.runs[view.chosen].decisions else []
    return [squeezes_card(report, view), *decided]


def page(title: str, body: Safe) -> str:
    """Return a whole page around a body, with everything it needs inside."""
    assets = files("litehedge.report") / "assets"
    css = (assets / "tearsheet.css").read_text(encoding="utf-8")
    script = (assets / "tearsheet.js").read_text(encoding="utf-8")
    bundle = echarts.script(echarts.dist_folder())
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="dark">\n'
        f"<title>{safe(title)}</title>\n<style>\n{css}</style>\n"
        f'<script type="module">\n{bundle}</script>\n'
        f'<script type="module">\n{script}</script>\n</head>\n<body>\n<main>\n'
        '<noscript><p class="hg-note">Charts need JavaScript; the tables do not.</p></noscript>\n'
        f"{body}\n</main>\n</body>\n</html>\n"
    )

"""Reports: backtests, sessions beside their backtest, what was done by hand and plan, blow-ups.

Every report is made by the command that people type, in a process of its own (`workshop`): the page
may be closed meanwhile, and shows what there is when it is opened again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final

from nicegui import ui

from litehedge.errors import LitehedgeError
from litehedge.report.ruin_sheet import ruin_page
from litehedge.report.ruin_told import study_of
from litehedge.squeeze.labels import SIDES
from litehedge.store.bundled import blowup_study
from litehedge.ui import arguments as arguments_of
from litehedge.ui import reports_view as view
from litehedge.ui.frame import framed
from litehedge.ui.page import Page, card, meant, words
from litehedge.ui.sheets import Fields, button, confirm, facts, link, table, told
from litehedge.ui.theme_forms import FORMS
from litehedge.ui.tools import Tools
from litehedge.ui.watching import Home
from litehedge.ui.workshop import Kind, Report
from litehedge.units import NS_PER_DAY, iso_utc

SHOWN: Final = 40
LOOKS_S: Final = 1.0
"""How often it is looked how far reports are."""
SHEETS: Final = "/reports/sheet/"
SHIPPED: Final = "shipped"
"""The name of the sheet of the study that ships; reports are named by the time they were asked."""
SHEET_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts"
)
"""A sheet has everything inside. It may run its charts, in an origin of its own: it reaches neither
the screen nor its cookies, and loads nothing."""
USUAL_SPAN_NS: Final = 30 * NS_PER_DAY


async def reports(home: Home, tools: Tools, session: str, one: str, other: str) -> None:
    """Build the page; with `one` and `other` two reports side by side."""
    page = Page(home, "/reports", await meant(home, session))
    with framed(page):
        ui.add_css(FORMS)
        pair = (tools.workshop.report(one), tools.workshop.report(other))
        if pair[0] is not None and pair[1] is not None:
            _beside(pair[0], pair[1])
            return
        with ui.element("div").classes("hg-columns"):
            with ui.element("div").classes("hg-column"):
                made = _Made(tools)
                made.place()
                page.pushes.append(made.look)
            with ui.element("div").classes("hg-column"):
                _new_backtest(tools, made)
                _sessions(tools, made)
                _study(tools, made)


# --- what there is ----------------------------------------------------------------------------


class _Made:
    """The list of reports; it looks at those that are being made, and shows what is new."""

    def __init__(self, tools: Tools) -> None:
        self.has_study = False
        self._tools = tools
        self._shown: list[tuple[str, str]] = []
        self._looked_s = -math.inf
        self._chosen: list[str] = []
        self._first: dict[str, tuple[str, float, float]] = {}
        self._rows: dict[str, tuple[ui.label, ui.element, ui.element]] = {}
        self._compares: dict[str, ui.element] = {}
        self._box: ui.element | None = None

    def place(self) -> None:
        """Place the list here."""
        self._box = ui.element("div").classes("hg-column").props('id="reports"')
        self._fill()

    def look(self) -> str:
        """See what changed; called at every push, and looks now and then."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOKS_S:
            return ""
        self._looked_s = now_s
        found = self._tools.workshop.reports()
        if [(report.id, report.state) for report in found] != self._shown:
            self._fill()
            return ""
        for report in found:
            if report.id in self._rows:
                self._tell(report)
        return ""

    def _fill(self) -> None:
        if self._box is None:
            return
        found = self._tools.workshop.reports()
        self.has_study = any(one.kind == "blowup" and one.state == "done" for one in found)
        self._shown = [(report.id, report.state) for report in found]
        self._chosen = [c for c in self._chosen if any(r.id == c for r in found)]
        self._rows.clear()
        self._box.clear()
        with self._box:
            with ui.element("div").classes("hg-head"), ui.element("h2").classes("hg-big"):
                ui.label("Reports")
            if not found:
                with card():
                    words("No report yet.", "hg-sentence").style("margin-top:0;font-weight:600")
                    words("Ask for a backtest, or for how a session went. It is kept here until "
                          "you delete it.", "hg-dim")  # fmt: skip
            for report in found[:SHOWN]:
                self._one(report)
            if len(found) > SHOWN:
                words(f"{len(found) - SHOWN} older ones are in the folder of reports.", "hg-dim")

    def _one(self, report: Report) -> None:
        with card() as box:
            box.props(f'data-report="{report.id}" data-state="{report.state}"')
            words(view.title(report), tag="h3")
            words(view.about(report), "hg-dim")
            if report.state == "running":
                self._running(report)
            elif report.state == "failed":
                words(view.why_failed(report), "hg-problem hg-sentence").props('role="alert"')
                with ui.element("div").classes("hg-row").style("margin-top:10px"):
                    self._delete(report, "Remove")
            else:
                self._done(report)

    def _running(self, report: Report) -> None:
        bar = (
            ui.element("div")
            .classes("hg-bar-of")
            .props(
                'role="progressbar" aria-label="How far it is" aria-valuemin="0" '
                'aria-valuemax="100"'
            )
        )
        with bar:
            inner = ui.element("div")
        label = ui.label().classes("hg-progress").style("font-size:14px")
        self._rows[report.id] = (label, bar, inner)
        self._tell(report)
        if report.cancelled:
            words("It was cancelled: what was found so far is being written down.", "hg-dim")
            with ui.element("div").classes("hg-row").style("margin-top:10px"):
                button("End it at once", partial(self._gone, report.id), "hg-small")
            return
        words("It goes on when you close this page.", "hg-dim")
        keeps = report.kind in ("backtest", "blowup")
        what = (
            "What was found up to now is kept, and says so." if keeps
            else "Nothing of it is kept."
        )  # fmt: skip
        act = self._cancel if keeps else self._gone
        with ui.element("div").classes("hg-row").style("margin-top:10px"):
            button(
                "Cancel …",
                lambda: confirm(
                    "Cancel this report?", what, "Cancel it", partial(act, report.id), "Go on"
                ),
                "hg-small",
            )

    def _tell(self, report: Report) -> None:
        label, bar, inner = self._rows[report.id]
        progress, now = report.progress, time.monotonic()
        rate = float("nan")
        if progress is not None:
            first = self._first.get(report.id)
            stage = f"{progress.begin_ns}/{progress.of}"
            if first is None or first[0] != stage:
                first = self._first[report.id] = (stage, now, progress.done)
            if now - first[1] > 1.0:
                rate = (progress.done - first[2]) / (now - first[1])
        text = view.progress_words(progress, rate=rate, age_s=time.time() - report.begun_s)
        if label.text == text:
            return
        label.text = text
        share = view.share(progress)
        if share == share:
            bar.classes(remove="hg-unknown").props(f'aria-valuenow="{100 * share:.0f}"')
            inner.style(f"width:{100 * share:.1f}%")
        else:
            bar.classes("hg-unknown")

    def _done(self, report: Report) -> None:
        with ui.element("div").classes("hg-figures"):
            for figure in view.figures(report):
                with ui.element("div").classes("hg-figure"):
                    words(figure.name, "hg-dim")
                    long = " hg-words" if len(figure.value) > 24 else ""
                    words(figure.value, f"hg-value {figure.css}{long}")
                    if figure.unhedged:
                        words(f"unhedged {figure.unhedged}", "hg-dim")
        if cut := view.cut_short(report):
            words(cut, "hg-caution")
        for note in view.notes(report):
            words(note, "hg-dim")
        gap = view.gap_lines(report)
        if gap:
            with ui.element("details").classes("hg-details"):
                words("What the gap to the backtest is made of", tag="summary")
                facts(gap)
        with ui.element("div").classes("hg-row").style("margin-top:12px"):
            link("Open", f"{SHEETS}{report.id}", "hg-small hg-safe", apart=True)
            if report.kind in ("backtest", "session"):
                compare = button(
                    "Compare", partial(self._choose, report.id),
                    "hg-small", f"Compare {view.title(report)}",
                )  # fmt: skip
                self._compares[report.id] = compare
                self._mark(report.id)
            self._delete(report, "Delete …")

    def _choose(self, name: str) -> None:
        if name in self._chosen:
            self._chosen.remove(name)
        else:
            self._chosen.append(name)
        if len(self._chosen) == 2:
            one, other = self._chosen
            ui.navigate.to(f"/reports?one={one}&other={other}")
            return
        self._mark(name)
        if self._chosen:
            ui.notify("Choose a second one to see both side by side.")

    def _mark(self, name: str) -> None:
        """Show in place whether a report is chosen: a list made anew would lose the next tap."""
        is_chosen = name in self._chosen
        self._compares[name].props(f'aria-pressed="{str(is_chosen).lower()}"')
        for label in self._compares[name].descendants():
            if isinstance(label, ui.label):
                label.text = "Chosen" if is_chosen else "Compare"

    def _delete(self, report: Report, text: str) -> None:
        def act() -> Any:
            if report.state == "failed":
                return self._gone(report.id)
            confirm(
                "Delete this report?", f"{view.title(report)}: its figures and its sheet.",
                "Delete it", partial(self._gone, report.id), "Keep it",
            )  # fmt: skip
            return None

        button(text, act, "hg-small", f"{text.rstrip(' …')} {view.title(report)}")

    async def _gone(self, name: str) -> None:
        await self._with(self._tools.workshop.delete, name)

    async def _cancel(self, name: str) -> None:
        await self._with(self._tools.workshop.cancel, name)

    async def _with(self, act: Callable[[str], None], name: str) -> None:
        try:
            await asyncio.to_thread(act, name)
        except LitehedgeError as error:
            told(error)
        self._fill()

    def begin(self, kind: Kind, arguments: list[str], asked: Mapping[str, Any]) -> bool:
        """Start the making of a report, and show it. Return whether it was begun."""
        try:
            self._tools.workshop.begin(kind, arguments, asked)
        except LitehedgeError as error:
            told(error)
            return False
        self._fill()
        return True


# --- two side by side -------------------------------------------------------------------------


def _beside(one: Report, other: Report) -> None:
    with ui.element("div").classes("hg-head"):
        with ui.element("h2").classes("hg-big"):
            ui.label("Two reports side by side")
        link("All reports", "/reports", "hg-small").style("width:auto")
    heads = ["", view.title(one), view.title(other)]
    with card():
        table(heads, view.beside(one, other))
    differences = view.differ(one, other)
    with card("Asked differently"):
        if differences:
            table(heads, differences)
        else:
            words("Nothing: both were asked for alike.")
    with ui.element("div").classes("hg-columns"):
        for report in (one, other):
            with card(view.title(report)):
                words(view.about(report), "hg-dim")
                if cut := view.cut_short(report):
                    words(cut, "hg-caution")
                for note in view.notes(report):
                    words(note, "hg-dim")
                link("Open", f"{SHEETS}{report.id}", "hg-small hg-safe", apart=True).style(
                    "margin-top:10px"
                )


# --- new ones ---------------------------------------------------------------------------------


def _new_backtest(tools: Tools, made: _Made) -> None:
    with card("New backtest"):
        bars = {one.name: one for one in tools.bars()}
        if not bars:
            words("There are no Litecoin bars yet.")
            words("Fetch some in a terminal:", "hg-dim hg-sentence")
            words("litehedge data fetch", "hg-code")
            return
        settings, trouble = tools.settings()
        policies = tools.policies()
        position = settings.position
        first = "ltc_spot_5m" if "ltc_spot_5m" in bars else next(iter(bars))
        fields = Fields()
        with ui.element("form").classes("hg-form").props('onsubmit="return false"'):
            if trouble:
                words(f"The settings hold mistakes, so those that ship are used: {trouble}",
                      "hg-problem")  # fmt: skip
            fields.choice("data", "Data set", {n: one.words for n, one in bars.items()}, first)
            with ui.element("div").classes("hg-pair"):
                fields.choice("side", "Side", list(SIDES), position.side)
                fields.number("leverage", "Leverage", position.leverage)
            fields.number("wallet", "Wallet, USDT", position.wallet_usdt)
            known = settings.hedge.policy if settings.hedge.policy in policies else "plugin"
            fields.choice(
                "policy", "Policy", {name: f"{name}: {what}" for name, what in policies.items()},
                known,
            )  # fmt: skip
            end = bars[first].end_ns
            with ui.element("div").classes("hg-pair"):
                fields.day("from", "From (UTC)", iso_utc(end - USUAL_SPAN_NS)[:10])
                fields.day("to", "To (UTC)", iso_utc(end)[:10])

            def go() -> None:
                typed = fields.typed()
                spans = {name: (one.start_ns, one.end_ns) for name, one in bars.items()}
                arguments, wrong = arguments_of.backtest(typed, spans, list(policies))
                if fields.tell(wrong):
                    made.begin("backtest", [*arguments, *tools.settings_arguments()], typed)

            button("Run it", go, "hg-safe")
            words("Costs, limits and model are those of the settings.", "hg-dim")


def _sessions(tools: Tools, made: _Made) -> None:
    with card("Sessions"):
        found = tools.sessions()
        if not found:
            words("No session yet.", "hg-dim")
            return
        words("How it went beside the backtest of the same days, and what you and your plans did.",
              "hg-dim")  # fmt: skip
        for session, runs in found:
            with ui.element("div").style("padding:10px 0 4px"):
                words(f"{session.name}{', runs now' if runs else ''}").style("font-weight:600")
                with ui.element("div").classes("hg-row").style("margin-top:6px"):
                    button("How it went", _begins(made, "session", session.name), "hg-small",
                           f"Report how {session.name} went")  # fmt: skip
                    button("By hand and plan", _begins(made, "ledger", session.name), "hg-small",
                           f"Report what was done by hand and plan in {session.name}")  # fmt: skip


def _begins(made: _Made, kind: Kind, name: str) -> Callable[[], None]:
    arguments = arguments_of.ledger(name) if kind == "ledger" else arguments_of.session_report(name)

    def begins() -> None:
        made.begin(kind, arguments, {"session": name})

    return begins


def _study(tools: Tools, made: _Made) -> None:
    with card("Who is ruined: the blow-up study"):
        words("Many traders live for months in simulated worlds, hedged and not.", "hg-dim")
        if not made.has_study:
            _shipped(blowup_study())
        words("A small one takes minutes here. A whole one belongs in a terminal, and is listed "
              "here when it is done:", "hg-dim").style("margin-top:8px")  # fmt: skip
        words("litehedge study blowup --worlds 40", "hg-code").style("margin:8px 0")
        fields = Fields()
        with ui.element("form").classes("hg-form").props('onsubmit="return false"'):
            with ui.element("div").classes("hg-pair"):
                fields.text("worlds", "Worlds", "4", 'inputmode="numeric"')
                fields.text("days", "Days", "30", 'inputmode="numeric"')

            def go() -> None:
                typed = fields.typed()
                arguments, wrong = arguments_of.study(typed)
                if fields.tell(wrong):
                    made.begin("blowup", [*arguments, *tools.settings_arguments()], typed)

            button("Run a small one", go)


def _shipped(study: Mapping[str, Any]) -> None:
    """Show the study that ships, for who has run none."""
    words(view.study_found(study), "hg-sentence").props("data-shipped")
    words("You have run none yet: this one comes with litehedge, and was made by", "hg-dim")
    words(study["meta"]["command"], "hg-code").style("margin-top:4px")
    with ui.element("div").classes("hg-row").style("margin-top:8px"):
        link("Open", f"{SHEETS}{SHIPPED}", "hg-small hg-safe", apart=True)


@lru_cache(maxsize=1)
def shipped_sheet() -> str:
    """Return the sheet of the study that ships, as HTML."""
    study, meta = study_of(blowup_study())
    return ruin_page(study, meta, meta.pop("made_ns"))

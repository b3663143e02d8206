"""The beginning: six small steps to a session on paper, and the stages of its start."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from nicegui import ui

from litehedge.errors import LitehedgeError
from litehedge.hedge.rule_reading import parse_rules
from litehedge.store.bundled import preset_text
from litehedge.ui import arguments as arguments_of
from litehedge.ui import begin_view as view
from litehedge.ui import starting
from litehedge.ui.checks import advice_card, alerts_card, wallet_lines
from litehedge.ui.frame import framed
from litehedge.ui.page import Page, card, meant, words
from litehedge.ui.sheets import DARK, button, facts, link, told
from litehedge.ui.theme_forms import FORMS
from litehedge.ui.tools import Tools
from litehedge.ui.watching import Home

STEPS: Final = ("Position", "What to do", "Market", "Alerts", "Look it over", "Start")
WATCH_ONLY: Final = "unhedged"


async def begin(home: Home, tools: Tools, session: str, name: str) -> None:
    """Build the page; with `name` it shows the start of that session."""
    page = Page(home, "/begin", await meant(home, session))
    with framed(page):
        ui.add_css(FORMS)
        with ui.element("div").classes("hg-narrowly hg-stack"):
            wizard = _Wizard(page, tools)
            if name:
                wizard.follow(name)
            else:
                wizard.show(0)
    page.pushes.append(wizard.look)


class _Wizard:
    """The steps. What was typed is kept while a person goes to and fro."""

    def __init__(self, page: Page, tools: Tools) -> None:
        self._page = page
        self._tools = tools
        settings, _ = tools.settings()
        position = settings.position
        self._location = settings.hedge.location
        self._policies = tools.policies()
        taken = [one.name for one, _ in tools.sessions() if starting.header_of(one) is not None]
        self._taken = taken
        self.typed: dict[str, Any] = {
            "side": position.side, "leverage": f"{position.leverage:g}",
            "wallet": f"{position.wallet_usdt:g}", "policy": "plugin", "rules": "",
            "venue": "binance", "name": free_name(taken),
        }  # fmt: skip
        self._wrong: dict[str, str] = {}
        self._follows: str = ""
        self._seen: view.Start | None = None
        self._rows: list[tuple[ui.element, ui.label, ui.label, ui.label]] = []
        self._box = ui.element("div").classes("hg-stack")

    # --- steps --------------------------------------------------------------------------------

    def show(self, step: int) -> None:
        """Show a step."""
        self._box.clear()
        with self._box:
            with ui.element("div").classes("hg-head"), ui.element("h2").classes("hg-big"):
                ui.label("Begin on paper")
            words("The real market, no key, no money. Nothing here can place a real order.",
                  "hg-dim")  # fmt: skip
            with card() as box:
                box.props(f'data-step="{step + 1}"')
                _bar(step)
                words(f"{step + 1} of {len(STEPS)}: {STEPS[step]}", tag="h3")
                with ui.element("div").classes("hg-form").style("margin-top:10px"):
                    (self._position, self._what, self._market, self._alerts, self._review,
                     self._start)[step]()  # fmt: skip
                with (
                    ui.element("div")
                    .classes("hg-row")
                    .style("margin-top:14px;justify-content:space-between")
                ):
                    if step:
                        button("Back", lambda: self.show(step - 1))
                    else:
                        ui.element("span")
                    if step < len(STEPS) - 1:
                        button("Next", lambda: self._next(step), "hg-safe")

    def _next(self, step: int) -> None:
        _, wrong = self._arguments()
        mine = {name: text for name, text in wrong.items() if name in _FIELDS[step]}
        self._wrong = mine
        self.show(step if mine else step + 1)

    def _arguments(self) -> arguments_of.Arguments:
        return arguments_of.paper(
            self.typed, list(self._policies), self._tools.presets(), self._taken
        )

    def _field(self, name: str, label: str, about: str, props: str = "") -> None:
        field = ui.input(label, value=self.typed[name]).props(f"{DARK} bottom-slots {props}")
        with field.add_slot("hint"):
            ui.label(about)
        field.on_value_change(lambda e: self.typed.update({name: e.value}))
        field.error = self._wrong.get(name) or None

    def _position(self) -> None:
        self._choices(
            "Side",
            [
                (
                    {"side": "long"}, "Long",
                    "It profits when Litecoin rises. Longs are squeezed when it falls.",
                ),
                (
                    {"side": "short"}, "Short",
                    "It profits when Litecoin falls. Shorts are squeezed when it rises.",
                ),
            ],
        )  # fmt: skip
        with ui.element("div").classes("hg-pair").style("margin-top:8px"):
            self._field("leverage", "Leverage", "Position divided by wallet, up to 125.",
                        'inputmode="decimal"')  # fmt: skip
            self._field("wallet", "Wallet, USDT", "What may be lost.", 'inputmode="decimal"')

    def _what(self) -> None:
        rows: list[tuple[dict[str, Any], str, str]] = [
            (
                {"policy": "plugin", "rules": ""},
                "The policy alone",
                self._policies.get("plugin", "").capitalize() + ".",
            )
        ]
        for preset in self._tools.presets():
            rules = parse_rules(preset_text(preset), preset, preset)
            policy = rules.policy if rules.policy in self._policies else "plugin"
            title = preset.replace("-", " ").capitalize()
            rows.append(({"policy": policy, "rules": preset}, title, rules.about))
        rows.append((
            {"policy": WATCH_ONLY, "rules": ""}, "Only watch",
            "No hedge: see what the forecast says.",
        ))  # fmt: skip
        self._choices("What to do", rows)

    def _market(self) -> None:
        venue = ui.select(
            list(arguments_of.VENUES), value=self.typed["venue"], label="Whose market"
        )
        venue.props(f"{DARK} bottom-slots")
        with venue.add_slot("hint"):
            ui.label("Prices, books and funding are public and real; orders fill on paper, with "
                     "the venue's fees and your delay.")  # fmt: skip
        venue.on_value_change(lambda e: self.typed.update({"venue": e.value}))
        self._field("name", "Name of the session", "Its folder and journal are called so; started "
                    "again, it goes on.")  # fmt: skip

    def _alerts(self) -> None:
        words("Not needed to begin. With a place set up you are told when something was done, and "
              "when you must act.", "hg-dim")  # fmt: skip
        alerts_card(self._tools)

    def _review(self) -> None:
        policy = self._policies.get(str(self.typed["policy"]), "")
        words(view.sentence(self.typed, self._location, policy)).style("font-size:17px")
        price = self._price()
        for text, css in wallet_lines(self._tools, self.typed, price) if price else []:
            words(text, f"hg-sentence {css}")
        if not price:
            words("Whether the wallet suffices is told when the first price comes.", "hg-dim")
        advice_card(self._tools, lambda: self.typed)

    def _price(self) -> float:
        watching = self._page.watching
        if watching is not None and watching.seen.price > 0.0:
            return watching.seen.price
        return 0.0

    def _start(self) -> None:
        facts([
            ("Position", (f"{self.typed['leverage']}x {self.typed['side']}, wallet "
             f"{self.typed['wallet']} USDT")),
            ("What to do", str(self.typed["rules"] or self.typed["policy"])),
            ("Market", str(self.typed["venue"])),
            ("Session", str(self.typed["name"])),
        ])  # fmt: skip
        words("It runs by itself, also when this page and the screen are closed, until it is "
              "stopped.", "hg-dim")  # fmt: skip
        for text in self._wrong.values():
            words(text, "hg-problem")
        button("Start the session", self._go, "hg-safe").style("margin-top:8px")

    def _go(self) -> None:
        arguments, wrong = self._arguments()
        if wrong:
            self._wrong = wrong
            step = next(i for i, names in enumerate(_FIELDS) if set(names) & set(wrong))
            self.show(step)
            return
        arguments += [*self._tools.settings_arguments(), *self._tools.paper_arguments]
        name = str(self.typed["name"])
        try:
            starting.start(self._tools.programs, self._tools.session(name), arguments, self.typed)
        except LitehedgeError as error:
            told(error)
            return
        ui.run_javascript(f"history.replaceState(null,'','/begin?name={name}')")
        self.follow(name)

    # --- choices ------------------------------------------------------------------------------

    def _choices(self, label: str, rows: list[tuple[dict[str, Any], str, str]]) -> None:
        """Place choices of which one counts; each is what it puts into what was typed."""
        placed: list[tuple[dict[str, Any], ui.element]] = []

        def mark() -> None:
            for news, element in placed:
                is_chosen = all(self.typed[name] == value for name, value in news.items())
                element.props(f'aria-checked="{str(is_chosen).lower()}"')

        def take(news: dict[str, Any]) -> None:
            self.typed.update(news)
            mark()

        with ui.element("div").classes("hg-stack").props(f'role="radiogroup" aria-label="{label}"'):
            for news, title, about in rows:
                placed.append((news, _choice(title, about, partial(take, news))))
        mark()

    # --- the start ----------------------------------------------------------------------------

    def follow(self, name: str) -> None:
        """Show the stages of a session's start until it guards or ends."""
        try:
            self._tools.session(name)
        except LitehedgeError as error:
            words(error.what, "hg-problem")
            link("Begin again", "/begin")
            return
        self._follows, self._seen = name, None
        self.look()

    def look(self) -> str:
        """See how far the start is; called at every push."""
        if not self._follows:
            return ""
        now = starting.progress(self._tools.session(self._follows))
        if now == self._seen:
            return ""
        before, self._seen = self._seen, now
        if before is None or (before.is_done, before.problem) != (now.is_done, now.problem):
            self._box.clear()
            with self._box:
                self._stages(now)
        for stage, (row, mark, name, detail) in zip(now.stages, self._rows, strict=True):
            row.props(f'data-state="{stage.state}"')
            mark.text = _MARKS[stage.state]
            name.text = f"{stage.name}{_SAID[stage.state]}"
            detail.text = stage.detail
        return ""

    def _stages(self, now: view.Start) -> None:
        name = self._follows
        self._rows = []
        with ui.element("div").classes("hg-head"), ui.element("h2").classes("hg-big"):
            ui.label(f"{name} guards" if now.is_done else f"Starting {name}")
        with card() as box:
            box.props('aria-live="polite"')
            for _ in now.stages:
                row = ui.element("div").classes("hg-stage")
                with row:
                    mark = ui.label().classes("hg-mark")
                    with ui.element("div"):
                        self._rows.append((row, mark, ui.label(), ui.label().classes("hg-dim")))
            if now.problem:
                words("It ended. Its last words:", "hg-sentence").style("font-weight:600")
                words(now.problem, "hg-problem").props('role="alert"')
                with ui.element("div").classes("hg-row").style("margin-top:12px"):
                    button("Begin again", self._again, "hg-safe")
                words(f"All it said is in {self._tools.session(name).folder / starting.LOG}.",
                      "hg-dim hg-sentence")  # fmt: skip
            elif now.is_done:
                link("Go to the desk", f"/?session={name}", "hg-safe").style("margin-top:12px")
                words("The position opens at the first price; hedging begins with the first full "
                      "frame of prices.", "hg-dim hg-sentence")  # fmt: skip
            else:
                words("You may close this page: it goes on.", "hg-dim hg-sentence")
                with ui.element("div").classes("hg-row").style("margin-top:12px"):
                    button("Call it off", self._call_off, "hg-small")

    async def _call_off(self) -> None:
        session = self._tools.session(self._follows)
        if not await asyncio.to_thread(starting.call_off, session):
            ui.notify("It does not end. Try again in a while.", type="negative")

    def _again(self) -> None:
        self._follows = ""
        ui.run_javascript("history.replaceState(null,'','/begin')")
        self.show(0)


_FIELDS: Final = (
    ("side", "leverage", "wallet"),
    ("policy", "rules"),
    ("venue", "name"),
    (),
    (),
    (),
)
_MARKS: Final = {"done": "✓", "now": "●", "": "○", "bad": "✕"}
_SAID: Final = {"done": "", "now": " …", "": "", "bad": ": ended here"}


def free_name(taken: list[str]) -> str:
    """Return a name that no session has."""
    names = ["paper", *(f"paper-{number}" for number in range(2, 1000))]
    return next(name for name in names if name not in taken)


def _bar(step: int) -> None:
    with ui.element("div").classes("hg-steps").props('aria-hidden="true"'):
        for i in range(len(STEPS)):
            state = "done" if i < step else "now" if i == step else ""
            ui.element("div").classes("hg-step").props(f'data-state="{state}"')


def _choice(title: str, about: str, act: Any) -> ui.element:
    element = ui.element("button").classes("hg-choice").props('type="button" role="radio"')
    element.on("click", act)
    with element:
        ui.element("span").classes("hg-dot")
        with ui.element("span"):
            words(title, "hg-name", "span")
            words(about, "hg-dim", "span")
    return element

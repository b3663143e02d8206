"""The builder: rules by drag and drop, in words, and what they would have done."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from nicegui import background_tasks, run, ui
from nicegui.events import KeyEventArguments, SortableEventArguments

from litehedge.config import Settings
from litehedge.errors import LitehedgeError
from litehedge.hedge.rules import CAP, FLOOR
from litehedge.report.style import counted
from litehedge.shelf.models import model_folders
from litehedge.shelf.rules import own_rules, rule_files, rules_text, save_rules
from litehedge.store.bundled import preset_names, preset_text
from litehedge.store.lake import Lake
from litehedge.ui import builder_market as market
from litehedge.ui import builder_model as bm
from litehedge.ui import builder_test as tests
from litehedge.ui import builder_text as bt
from litehedge.ui.builder_ask import Tests
from litehedge.ui.builder_look import CSS
from litehedge.ui.builder_pieces import FIELD, Pieces
from litehedge.ui.frame import framed
from litehedge.ui.page import Page, card, meant, words
from litehedge.ui.sheets import told
from litehedge.ui.watching import Home

FIRST: Final = "balanced"
LEVERAGES: Final = (2.0, 3.0, 5.0, 10.0, 20.0, 50.0)


async def builder(home: Home, trying: Tests, session: str, rules: str) -> None:
    """Build the page; `rules` names a preset or a file of your own to begin with."""
    page = Page(home, "/builder", await meant(home, session))
    settings = page.watching.seen.settings if page.watching else Settings()
    lake = Lake(home.root / "lake")
    choices = await run.io_bound(market.data_choices, lake) or {}
    ui.add_css(CSS)
    with framed(page):
        Builder(home, trying, settings, choices, rules)


class Builder:
    """One open builder."""

    def __init__(
        self, home: Home, trying: Tests, settings: Settings, data: dict[str, str], rules: str
    ) -> None:
        self._home = home
        self._trying = trying
        self._settings = settings
        self._data = data
        self._page = uuid.uuid4().hex
        self._number = 0
        self._heard: tests.Answer | None = None
        self._opened: set[int] = set()
        self._group = "often"
        self._saved = ""
        self._on: dict[str, Any] = {
            "data": next(iter(data)), "model": settings.model.name,
            "side": settings.position.side, "leverage": settings.position.leverage,
        }  # fmt: skip
        self._history = bm.History(self._first(rules or settings.hedge.rules))
        self._client = ui.context.client
        self._client.on_delete(lambda: self._trying.forget(self._page))
        self._draw()
        self._changed()

    # --- beginning ------------------------------------------------------------------------------

    def _first(self, name: str) -> bm.Draft:
        try:
            found = self._read(name if name in self._choices() else FIRST)
        except LitehedgeError:
            found = self._read(FIRST)
        return found[0]

    def _choices(self) -> dict[str, str]:
        presets = {name: f"{name} (preset)" for name in preset_names()}
        return {**presets, **{name: name for name in rule_files(self._home.root)}}

    def _read(self, name: str) -> tuple[bm.Draft, list[str]]:
        if name in preset_names():
            draft, left_out = bt.draft_of_text(preset_text(name), name)
            return bm.change_file(draft, name=f"my-{name}"), left_out
        path = own_rules(self._home.root) / f"{name}.toml"
        draft, left_out = bt.draft_of_text(rules_text(path, name), name)
        self._saved = name
        return bm.change_file(draft, name=name), left_out

    def _load(self, name: str | None) -> None:
        if name is None:
            return
        try:
            draft, left_out = self._read(name)
        except LitehedgeError as error:
            told(error)
            return
        self._opened.clear()
        self._do(draft)
        if left_out:
            ui.notify(f"Not taken over: {', '.join(dict.fromkeys(left_out))}.")

    # --- drawing --------------------------------------------------------------------------------

    def _draw(self) -> None:
        self._tools()
        self._words()
        with ui.element("div").classes("hg-build") as self._build:
            pass
        ui.keyboard(self._key, repeating=False)
        self._redraw()

    def _tools(self) -> None:
        with card(css="hg-tools-card"):
            with ui.element("div").classes("hg-tools"):
                self._name = ui.input("Name of the file", on_change=self._typing_file("name"))
                self._name.props(f'{FIELD} debounce="250"').classes("hg-field").mark("name")
                self._policy = ui.select(bt.policy_names(), label="Policy inside",
                                         on_change=self._typing_file("policy"))  # fmt: skip
                self._policy.props(f"{FIELD} options-dense").classes("hg-field")
                self._begin = ui.select(self._choices(), label="Begin with …",
                                        on_change=lambda e: self._load(e.value))  # fmt: skip
                self._begin.props(f"{FIELD} options-dense").classes("hg-field")
                self._undo = _button("Undo", lambda: self._step(self._history.undo()))
                self._redo = _button("Redo", lambda: self._step(self._history.redo()))
                self._save = _button("Save", self._ask_to_save, "hg-safe")
            self._file_problem = ui.label().classes("hg-problem").props('role="alert"')
            self._where = ui.label().classes("hg-dim").props('role="status"')

    def _words(self) -> None:
        with card("In words"):
            self._sentences = (
                ui.element("ol")
                .classes("hg-sentences")
                .props('data-hg-sentences aria-live="polite"')
            )
            ui.element("hr").classes("hg-rule")
            self._title = ui.label().classes("hg-dim")
            self._line = ui.label().classes("hg-result").props('data-hg-result role="status"')
            self._bar = ui.linear_progress(0.0, show_value=False, size="4px").props(
                'aria-label="How far the test is"'
            )
            self._more = ui.label().classes("hg-dim")
            self._plans = ui.element("ul").classes("hg-sentences hg-dim").props("data-hg-plans")
            self._shown_plans: list[str] = []
            self._notes = ui.label().classes("hg-caution")
            with ui.expansion("Try it on other days, another model, another position").props(
                "dense header-class=text-grey-5"
            ), ui.element("div").classes("hg-tools"):  # fmt: skip
                self._select("data", "Market", self._data)
                self._select("model", "Model", _models(self._on["model"]))
                self._select("side", "Position", {"long": "long", "short": "short"})
                own = self._on["leverage"]
                levels = sorted({*LEVERAGES, own})
                self._select("leverage", "Leverage", {one: f"{one:g}x" for one in levels})

    def _select(self, what: str, label: str, choices: dict[Any, str]) -> None:
        def chosen(event: Any) -> None:
            self._on[what] = event.value
            self._try()

        ui.select(choices, value=self._on[what], label=label, on_change=chosen).props(
            f"{FIELD} options-dense"
        ).classes("hg-field")  # fmt: skip

    def _redraw(self) -> None:
        draft = self._history.now
        self._build.clear()
        self._pieces = Pieces(self)
        with self._build:
            with ui.element("div").classes("hg-column"):
                self._pieces.blocks(draft, False, self._opened)
                words("Plans", "hg-sub", "h2")
                self._pieces.blocks(draft, True, self._opened)
            with card("Shelf: drag a block into place", css="hg-shelf"):
                self._pieces.shelf(draft, self._group)
        self._show()

    def _show(self) -> None:
        """Show what follows from the draft, without drawing its pieces again."""
        draft = self._history.now
        problems = bt.problems(draft)
        self._pieces.tell(draft, problems)
        self._name.value, self._policy.value = draft.name, self._known_policy(draft.policy)
        self._file_problem.set_text(
            " ".join(text for field, text in problems.items() if field.startswith("file"))
        )
        self._file_problem.set_visibility(bool(self._file_problem.text))
        for button, there in ((self._undo, self._history.past), (self._redo, self._history.future)):
            button.props(remove="disabled") if there else button.props("disabled")
        self._sentences.clear()
        with self._sentences:
            for _, text in bt.sentences(draft):
                words(text, tag="li")
        self._told(problems)

    def _known_policy(self, policy: str) -> str:
        if policy not in self._policy.options:
            self._policy.set_options({**bt.policy_names(), policy: f"{policy}: not known"})
        return policy

    # --- steps ----------------------------------------------------------------------------------

    def _do(self, draft: bm.Draft, field: str = "", focus: int = 0) -> None:
        before = self._history
        self._history = before.do(draft, field)
        if field:
            self._changed()
            return
        with self._client.content:
            self._redraw()
            self._changed(shown=True)
            if focus:
                _focus(focus)

    def _step(self, history: bm.History) -> None:
        self._history = history
        self._redraw()
        self._changed(shown=True)

    def _changed(self, *, shown: bool = False) -> None:
        if not shown:
            self._show()
        self._where.set_text("")
        self._try()

    def _attempt(self, act: Callable[[bm.Draft], bm.Draft], focus: int = 0) -> None:
        try:
            self._do(act(self._history.now), focus=focus)
        except bm.Refused as refused:
            with self._client.content:
                self._redraw()
                ui.notify(str(refused), type="warning")

    def _key(self, event: KeyEventArguments) -> None:
        held = event.modifiers.ctrl or event.modifiers.meta
        if not (event.action.keydown and held):
            return
        if event.key.name.lower() == "z":
            again = event.modifiers.shift
            self._step(self._history.redo() if again else self._history.undo())
        elif event.key.name.lower() == "y":
            self._step(self._history.redo())

    # --- what a person does: see `Acts` ---------------------------------------------------------

    def dropped(self, event: SortableEventArguments) -> None:
        """Take in a drop."""
        what, at = self._pieces.pieces.get(event.item.id), event.new_index
        holder = self._pieces.holders.get(event.target.id)
        if what is None or holder is None:  # let go over the shelf, or drawn anew meanwhile
            with self._client.content:
                self._redraw()
        elif isinstance(what, int):
            self._attempt(lambda draft: bm.move(draft, what, holder, at))
        else:
            self._attempt(lambda draft: _new(draft, what, holder, at))

    def typed(self, key: int, field: str, value: Any) -> None:
        """Take in what was typed or chosen in a field of a piece."""
        now = self._history.now
        if field.startswith("value."):
            self._do(bm.set_value(now, key, int(field[6:]), value or ""), f"{key}.{field}")
        elif field == "quantity":
            self._do(bm.set_quantity(now, key, value) if value else now)
        elif field == "comparator":
            self._do(bm.set_comparator(now, key, value))
        elif field == "does":
            self._do(_as(now, key, value))
        elif field == "mode" and now.block(key) is None:
            self._do(bm.change_part(now, key, mode=value), f"{key}.mode")
        elif field in ("ratio", "name", "lasts"):
            self._do(bm.change_block(now, key, **{field: (value or "").strip()}), f"{key}.{field}")
        else:
            self._do(bm.change_block(now, key, **{field: value}))

    def toggle(self, key: int) -> None:
        """Open or close the fields of a condition."""
        self._opened ^= {key}
        with self._client.content:
            self._redraw()

    def shift(self, key: int, by: int) -> None:
        """Move a piece up or down."""
        self._attempt(lambda draft: bm.shift(draft, key, by), key)

    def move_to(self, key: int, holder: int) -> None:
        """Move a piece to the end of another container."""
        self._attempt(lambda draft: bm.move(draft, key, holder, len(draft.held(holder))), key)

    def take_away(self, key: int) -> None:
        """Remove a piece."""
        self._attempt(lambda draft: bm.remove(draft, key))

    def add(self, what: str, holder: int) -> None:
        """Add a piece of the shelf at the end of a container."""
        key = self._history.now.next_key
        self._attempt(lambda draft: _new(draft, what, holder, None), key)

    def show_group(self, group: str) -> None:
        """Show another group of conditions on the shelf."""
        self._group = group
        with self._client.content:
            self._redraw()

    def _typing_file(self, field: str) -> Callable[[Any], None]:
        def typed(event: Any) -> None:
            text = event.value or ""
            if getattr(self._history.now, field) != text:
                self._do(bm.change_file(self._history.now, **{field: text}), f"file.{field}")

        return typed

    # --- trying ---------------------------------------------------------------------------------

    def _try(self) -> None:
        self._number += 1
        self._heard = None
        text = bt.file_of(bm.change_file(self._history.now, name="draft"))
        if text is None:
            self._trying.forget(self._page)
        else:
            question = market.Question(
                self._page, self._number, text, self._on["data"], self._on["model"],
                self._on["side"], self._on["leverage"],
                self._settings.model_dump(mode="json"),
            )  # fmt: skip
            background_tasks.create(self._trying.ask(question, self._hear))
        self._told(bt.problems(self._history.now))

    def _hear(self, answer: tests.Answer) -> None:
        self._heard = answer
        self._told(bt.problems(self._history.now))

    def _told(self, problems: dict[str, str]) -> None:
        wrong = [field for field in problems if field != "file.name"]
        said = tests.told(self._heard, wrong)
        self._line.set_text(said["test_line"])
        self._line.props["data-state"] = said["test_state"]
        for label, key in ((self._title, "title"), (self._more, "more"), (self._notes, "notes")):
            label.set_text(said[f"test_{key}"])
            label.set_visibility(bool(said[f"test_{key}"]))
        if said["test_plans"] != self._shown_plans:
            self._shown_plans = said["test_plans"]
            self._plans.clear()
            with self._plans:
                for text in self._shown_plans:
                    words(text, tag="li")
        self._bar.set_visibility(said["test_busy"])
        self._bar.value = said["test_done"] / 100.0

    # --- saving ---------------------------------------------------------------------------------

    def _ask_to_save(self) -> None:
        draft = self._history.now
        wrong = bt.problems(draft)
        if wrong:
            ui.notify(f"Not saved: {counted(len(wrong), 'field')} to mend first.", type="warning")
            return
        if draft.name in rule_files(self._home.root) and draft.name != self._saved:
            with ui.dialog() as sheet, ui.element("div").classes("hg-sheet"):
                words(f"Replace {draft.name}?", tag="h2")
                words("There is a file of that name. What is in it now is lost.")
                _button("Replace it", self._write).on("click", sheet.close)
                _button("Keep it", sheet.close, "hg-safe")
            sheet.open()
            return
        self._write()

    def _write(self) -> None:
        draft = self._history.now
        text = bt.file_of(draft)
        if text is None:
            return
        try:
            path = save_rules(self._home.root, draft.name, text)
        except LitehedgeError as error:
            told(error)
            return
        self._saved = draft.name
        self._begin.set_options(self._choices())
        self._where.set_text(
            f'Saved to {path}. A session uses it with rules = "{path}" under [hedge] in its '
            "settings, from its next start."
        )


def _new(draft: bm.Draft, what: str, holder: int, index: int | None) -> bm.Draft:
    """Add what lies on the shelf: a quantity, ``box:any``, ``does:freeze``."""
    kind, _, name = what.rpartition(":")
    if kind == "does":
        return bm.add_block(draft, name, index)
    at = len(draft.held(holder)) if index is None else index
    if kind == "box":
        return bm.add_box(draft, holder, at, "any" if name == "any" else "all")
    return bm.add_line(draft, holder, at, name)


def _as(draft: bm.Draft, key: int, does: str) -> bm.Draft:
    """Let a block do something else; what that does not have is left away."""
    block = draft.block(key)
    if block is None:
        return draft
    ratio = (block.ratio or "50 %") if does in bm.RULES else ""
    lasts = block.lasts if bt.lasts_for(does) else ""
    unknown = block.when_unknown and does == FLOOR
    name = block.name or (bt.SAYS[does].lower() if does not in (FLOOR, CAP) else "")
    return bm.change_block(
        draft, key, does=does, ratio=ratio, lasts=lasts, when_unknown=unknown, name=name
    )


def _models(now: str) -> dict[str, str]:
    names = {
        "auto": "the one that fits the bars",
        "none": "none",
        **{n: n for n in model_folders()},
    }
    return {**names, now: names.get(now, now)}


def _button(text: str, act: Callable[[], Any], css: str = "") -> ui.element:
    button = ui.element("button").classes(f"hg-button {css}").on("click", act).mark(text.lower())
    with button:
        ui.label(text)
    return button


def _focus(key: int) -> None:
    """Put the focus on the menu of a piece that was moved, once it is drawn."""
    ui.run_javascript(
        f"setTimeout(() => document.querySelector('[data-hg-menu=\"{key}\"]')?.focus(), 60)"
    )

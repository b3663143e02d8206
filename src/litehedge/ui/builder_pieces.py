"""The pieces of the builder as a page shows them: blocks, groups, conditions, the shelf.

Nothing is decided here: what is typed, chosen, tapped or dropped goes to `Acts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from nicegui import ui
from nicegui.elements.mixins.sortable_element import SortableElement
from nicegui.events import SortableEventArguments

from litehedge.hedge.quantities import QUANTITIES
from litehedge.hedge.rules import FLOOR
from litehedge.ui import builder_text as bt
from litehedge.ui.builder_model import ACTIONS, ROOT, RULES, Block, Box, Draft, Line, Part
from litehedge.ui.page import words

HANDLE: Final = ".hg-grip"
BOXES: Final = {"any": "Any of …", "all": "All of …"}
FIELD: Final = "dense outlined dark"


class Drop(SortableElement):
    """A container that pieces are dragged into and out of."""


class Acts(Protocol):
    """What a person can do to a draft."""

    def dropped(self, event: SortableEventArguments) -> None:
        """Take in a drop."""

    def typed(self, key: int, field: str, value: Any) -> None:
        """Take in what was typed or chosen in a field of a piece."""

    def toggle(self, key: int) -> None:
        """Open or close the fields of a condition."""

    def shift(self, key: int, by: int) -> None:
        """Move a piece up or down."""

    def move_to(self, key: int, holder: int) -> None:
        """Move a piece to the end of another container."""

    def take_away(self, key: int) -> None:
        """Remove a piece."""

    def add(self, what: str, holder: int) -> None:
        """Add a piece of the shelf at the end of a container."""

    def show_group(self, group: str) -> None:
        """Show another group of conditions on the shelf."""


class Pieces:
    """What is drawn, by field and key, so that it can be changed without drawing it again."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        self.holders: dict[int, int] = {}  # element -> key of the container
        self.pieces: dict[int, int | str] = {}  # element -> key, or what lies on the shelf
        self._problems: dict[str, ui.label] = {}
        self._frames: dict[str, ui.element] = {}
        self._says: dict[int, ui.label] = {}

    # --- fresh text -----------------------------------------------------------------------------

    def tell(self, draft: Draft, problems: dict[str, str]) -> None:
        """Show the words of conditions, and what is wrong beside its field."""
        for key, label in self._says.items():
            line = draft.part(key)
            if isinstance(line, Line):
                label.set_text(bt.line_words(line))
        for field, label in self._problems.items():
            text = problems.get(field, "")
            label.set_text(text)
            label.set_visibility(bool(text))
            frame = self._frames[field]
            frame.classes(add="hg-wrong" if text else "", remove="" if text else "hg-wrong")

    def _problem(self, field: str, frame: ui.element) -> None:
        label = ui.label().classes("hg-problem").props('role="alert"')
        label.set_visibility(False)
        self._problems[field], self._frames[field] = label, frame

    # --- blocks ---------------------------------------------------------------------------------

    def blocks(self, draft: Draft, is_plan: bool, opened: set[int]) -> None:
        """Draw the rules, or the plans, in the container that they are dropped into."""
        empty = ("No plan. Drop one here: it is done once, when it comes true." if is_plan
                 else "Drop an action here: hedge at least, or never above.")  # fmt: skip
        name = "plans" if is_plan else "rules"
        box = Drop("div").classes("hg-blocks").props(f"data-hg-{name}")
        box.props["data-hg-empty"] = empty
        self.holders[box.id] = ROOT
        self._sortable(box, {"name": name, "put": [name, f"new-{name}"]})
        with box:
            for number, block in enumerate(draft.blocks, start=1):
                if block.is_plan == is_plan:
                    self._block(draft, block, number, opened)

    def _block(self, draft: Draft, block: Block, number: int, opened: set[int]) -> None:
        key = block.key
        card = ui.element("section").classes("hg-card hg-block").props(f'data-hg-key="{key}"')
        card.props["aria-label"] = bt.block_title(block, number)
        self.pieces[card.id] = key
        with card:
            with ui.element("div").classes("hg-head"):
                self._grip()
                does = {act: bt.SAYS[act] for act in ACTIONS}
                ui.select(does, value=block.does, on_change=self._typing(key, "does")).props(
                    f'{FIELD} options-dense aria-label="What is done"'
                ).classes("hg-does")  # fmt: skip
                if not block.is_plan:
                    self._input(block.ratio, key, "ratio", "How much").classes("hg-ratio")
                self._menu(draft, key, f"{'plan' if block.is_plan else 'rule'} {number}")
            self._problem(f"{key}.ratio", card)
            self._problem(f"{key}.does", card)
            with ui.element("div").classes("hg-when"):
                ui.label("when")
                ui.toggle({"all": "ALL", "any": "ANY"}, value=block.mode,
                          on_change=self._typing(key, "mode")).props(
                    'dense unelevated no-caps color="blue-grey-10" toggle-color="light-blue-3" '
                    'toggle-text-color="black"'
                )  # fmt: skip
                ui.label("of these hold" if block.mode == "all" else "of these holds")
            empty = "Drop a condition here." if block.is_plan else (
                "Always. Drop a condition here to say when."
            )  # fmt: skip
            self._container(draft, key, block.parts, "lines", empty, opened)
            self._problem(f"{key}.parts", card)
            self._problem(f"{key}.block", card)
            self._foot(block, card)

    def _foot(self, block: Block, card: ui.element) -> None:
        key = block.key
        with ui.element("div").classes("hg-foot"):
            self._input(block.name, key, "name", "Name", label=True)
            if bt.lasts_for(block.does) or block.lasts:
                label = "Keeps on for" if not block.is_plan else "Holds for"
                self._input(block.lasts, key, "lasts", label, label=True).props(
                    'placeholder="30 min, 2 h, 1 d"'
                )
            if block.does == FLOOR and (block.parts or block.when_unknown):
                typing = self._typing(key, "when_unknown")
                box = ui.checkbox("also while that is not known", value=block.when_unknown,
                                  on_change=typing)  # fmt: skip
                box.classes("hg-whole")
        for field in ("name", "lasts", "unknown"):
            self._problem(f"{key}.{field}", card)

    # --- conditions -----------------------------------------------------------------------------

    def _container(
        self, draft: Draft, key: int, parts: tuple[Part, ...], group: str, empty: str,
        opened: set[int],
    ) -> None:  # fmt: skip
        box = Drop("div").classes("hg-drop").props(f'data-hg-drop="{key}"')
        box.props["data-hg-empty"] = empty
        self.holders[box.id] = key
        self._sortable(box, {"name": group, "put": ["lines", "boxed", "shelf"]})
        with box:
            for part in parts:
                if isinstance(part, Box):
                    self._box(draft, part, opened)
                else:
                    self._line(draft, part, opened)

    def _box(self, draft: Draft, box: Box, opened: set[int]) -> None:
        frame = ui.element("div").classes("hg-box").props(f'data-hg-key="{box.key}"')
        self.pieces[frame.id] = box.key
        with frame:
            with ui.element("div").classes("hg-row"):
                self._grip()
                ui.toggle({"any": "ANY", "all": "ALL"}, value=box.mode,
                          on_change=self._typing(box.key, "mode")).props(
                    'dense unelevated no-caps color="blue-grey-10" toggle-color="light-blue-3" '
                    'toggle-text-color="black"'
                )  # fmt: skip
                words("of", "hg-say", "span")
                self._menu(draft, box.key, "the group")
            self._container(draft, box.key, box.lines, "boxed", "Drop a condition here.", opened)
            self._problem(f"{box.key}.box", frame)

    def _line(self, draft: Draft, line: Line, opened: set[int]) -> None:
        key, is_open = line.key, line.key in opened
        frame = ui.element("div").classes("hg-piece").props(f'data-hg-key="{key}"')
        self.pieces[frame.id] = key
        said = bt.line_words(line)
        with frame:
            with ui.element("div").classes("hg-row"):
                self._grip()
                self._says[key] = ui.label(said).classes("hg-say")
                change = _icon("tune", f"Change: {said}", lambda: self._acts.toggle(key))
                change.props["aria-expanded"] = "true" if is_open else "false"
                self._menu(draft, key, said)
            if is_open:
                self._fields(line)
            self._problem(f"{key}.line", frame)

    def _fields(self, line: Line) -> None:
        key = line.key
        names = {name: f"{bt.GROUPS[one.group]}: {one.words.removeprefix('the ')}"
                 for name, one in QUANTITIES.items()}  # fmt: skip
        names.setdefault(line.quantity, line.quantity)
        with ui.element("div").classes("hg-edit"):
            self._select(names, line.quantity, key, "quantity", "What").classes("hg-whole")
            if not line.comparator:
                return
            known = bt.comparators_for(line.quantity)
            if line.comparator not in known:
                known = [*known, line.comparator]
            self._select(known, line.comparator, key, "comparator", "Is")
            quantity = QUANTITIES.get(line.quantity)
            for place, value in enumerate(line.values):
                label = "Value" if place == 0 else "and"
                if quantity is not None and value in quantity.choices:
                    self._select(list(quantity.choices), value, key, f"value.{place}", label)
                else:
                    self._input(value, key, f"value.{place}", label, label=True)

    # --- the shelf ------------------------------------------------------------------------------

    def shelf(self, draft: Draft, group: str) -> None:
        """Draw what can be dragged up, and the groups of it."""
        words("Conditions", "hg-sub", "h3")
        with ui.element("div").classes("hg-chips"):
            for name, title in {"often": "Often used", **bt.GROUPS}.items():
                chip = ui.element("button").classes("hg-chip").on(
                    "click", lambda name=name: self._acts.show_group(name)
                )  # fmt: skip
                chip.props["aria-pressed"] = "true" if name == group else "false"
                with chip:
                    ui.label(title)
        lying = bt.OFTEN if group == "often" else [
            name for name, one in QUANTITIES.items() if one.group == group
        ]  # fmt: skip
        holders = bt.holders(draft)
        with self._lying("shelf", "conditions"):
            for name in lying:
                self._shelved(name, bt.example_words(name), holders)
            for mode, title in BOXES.items():
                self._shelved(f"box:{mode}", title, [one for one in holders if one[2]])
        for title, kind, acts in (
            ("Rules: bound the hedge", "new-rules", RULES),
            ("Plans: done once, when they come true", "new-plans", ACTIONS[len(RULES) :]),
        ):
            words(title, "hg-sub", "h3")
            with self._lying(kind, kind):
                for act in acts:
                    self._shelved(f"does:{act}", bt.SAYS[act], [(ROOT, "", True)])

    def _lying(self, group: str, name: str) -> ui.element:
        box = Drop("div").classes("hg-drop").props(f'data-hg-shelf="{name}"')
        self._sortable(box, {"name": group, "pull": "clone", "put": False}, sort=False)
        return box

    def _shelved(self, what: str, said: str, holders: list[tuple[int, str, bool]]) -> None:
        frame = ui.element("div").classes("hg-piece").props(f'data-hg-new="{what}"')
        self.pieces[frame.id] = what
        with frame, ui.element("div").classes("hg-row"):
            self._grip()
            ui.label(said).classes("hg-say")
            if len(holders) == 1:
                key = holders[0][0]
                _icon("add", f"Add: {said}", lambda: self._acts.add(what, key))
                return
            with _icon("add", f"Add: {said}"), ui.menu().props("dark auto-close"):
                if not holders:
                    ui.menu_item("Add a rule first")
                for key, title, _ in holders:
                    ui.menu_item(f"to {title}", lambda key=key: self._acts.add(what, key))

    # --- small things ---------------------------------------------------------------------------

    def _sortable(self, box: Drop, group: dict[str, Any], *, sort: bool = True) -> None:
        box.make_sortable(
            {"sort": sort, "forceFallback": True, "fallbackOnBody": True, "fallbackTolerance": 3,
             "fallbackClass": "hg-drag", "swapThreshold": 0.65, "emptyInsertThreshold": 12,
             "invertedSwapThreshold": 1,  # or the middle of a piece elsewhere takes nothing
             "scrollSensitivity": 110},  # header and bar of places cover the edges
            on_end=self._acts.dropped, handle=HANDLE, group=group, ghost_class="hg-ghost",
        )  # fmt: skip

    def _grip(self) -> None:
        ui.icon("drag_indicator").classes("hg-grip").props('aria-hidden="true"')

    def _menu(self, draft: Draft, key: int, said: str) -> None:
        button = _icon("more_vert", f"Move or remove: {said}")
        button.props["data-hg-menu"] = str(key)
        with button, ui.menu().props("dark auto-close"):
            ui.menu_item("Up", lambda: self._acts.shift(key, -1))
            ui.menu_item("Down", lambda: self._acts.shift(key, 1))
            for holder, title in bt.targets(draft, key):
                ui.menu_item(f"Move to {title}", lambda to=holder: self._acts.move_to(key, to))
            ui.menu_item("Remove", lambda: self._acts.take_away(key))

    def _input(
        self, value: str, key: int, field: str, said: str, *, label: bool = False
    ) -> ui.input:
        one = ui.input(said if label else None, value=value, on_change=self._typing(key, field))
        one.props(f'{FIELD} debounce="250" autocomplete="off"')
        one.props["aria-label"] = said
        one.props["data-hg-field"] = f"{key}.{field}"
        return one

    def _select(self, known: Any, value: str, key: int, field: str, said: str) -> ui.select:
        one = ui.select(known, value=value, label=said, on_change=self._typing(key, field))
        one.props(f"{FIELD} options-dense")
        one.props["data-hg-field"] = f"{key}.{field}"
        return one

    def _typing(self, key: int, field: str) -> Callable[[Any], None]:
        return lambda event: self._acts.typed(key, field, event.value)


def _icon(icon: str, said: str, act: Callable[[], None] | None = None) -> ui.button:
    button = ui.button(icon=icon, on_click=act).props("flat round").classes("hg-icon")
    button.props["aria-label"] = said
    return button

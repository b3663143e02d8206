"""A draft of rules: blocks that hold conditions, moved and typed into, with every step undoable.

A draft keeps what was typed, right or wrong; `builder_text` turns it into rules and tells what is
wrong. Every piece has a key of its own for as long as it lives, so that a screen can name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from litehedge.hedge.quantities import QUANTITIES
from litehedge.hedge.rule_reading import split_condition
from litehedge.hedge.rules import CAP, DOES, FLOOR, HOLDING, Mode

RULES: Final = (FLOOR, CAP)
"""What a rule may do; the rest of `ACTIONS` are plans."""
ACTIONS: Final = (*RULES, *DOES)

ROOT: Final = 0
"""The key of the list of blocks itself."""


class Refused(ValueError):
    """A move that makes no sense; the text says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One condition, as typed. Without a comparator `quantity` is the whole of what was written."""

    key: int
    quantity: str
    comparator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """Conditions of which all must hold, or any, in the place of one."""

    key: int
    mode: Mode
    lines: tuple[Line, ...] = ()


Part = Line | Box


@dataclass(frozen=True, slots=True)
class Block:
    """A rule or a plan, as typed: what it does, and when. A rule without parts always holds."""

    key: int
    does: str
    name: str = ""
    ratio: str = ""  # of rules
    mode: Mode = "all"
    parts: tuple[Part, ...] = ()
    lasts: str = ""
    when_unknown: bool = False  # of floors

    @property
    def is_plan(self) -> bool:
        """Whether it is carried out once, instead of bounding the hedge."""
        return self.does not in RULES


@dataclass(frozen=True, slots=True)
class Draft:
    """A file of rules that is being made: rules first, then plans."""

    name: str = ""
    about: str = ""
    policy: str = ""
    blocks: tuple[Block, ...] = ()
    next_key: int = 1

    def parts(self) -> Iterator[tuple[int, Part]]:
        """Return every part with the key of what holds it, boxes before what is in them."""
        for block in self.blocks:
            for part in block.parts:
                yield block.key, part
                if isinstance(part, Box):
                    yield from ((part.key, line) for line in part.lines)

    def block(self, key: int) -> Block | None:
        """Return a block."""
        return next((one for one in self.blocks if one.key == key), None)

    def part(self, key: int) -> Part | None:
        """Return a condition or a box."""
        return next((part for _, part in self.parts() if part.key == key), None)

    def holder(self, key: int) -> int:
        """Return the key of what holds a piece: `ROOT` for blocks."""
        return next((holder for holder, part in self.parts() if part.key == key), ROOT)

    def held(self, holder: int) -> tuple[Block, ...] | tuple[Part, ...]:
        """Return what a container holds."""
        if holder == ROOT:
            return self.blocks
        block = self.block(holder)
        if block is not None:
            return block.parts
        box = self.part(holder)
        return box.lines if isinstance(box, Box) else ()

    def section(self, key: int) -> tuple[Block, ...]:
        """Return the rules for the key of a rule, the plans for that of a plan."""
        one = self.block(key)
        return tuple(b for b in self.blocks if one is not None and b.is_plan == one.is_plan)


# --- new pieces ---------------------------------------------------------------------------------


def line_of(key: int, text: str) -> Line:
    """Return a written condition as a line; what cannot be taken apart is kept whole."""
    parts = split_condition(text)
    if parts is None:
        plain = text.strip()
        return Line(key, plain, "is", ("yes",)) if plain == "weekend" else Line(key, text, "", ())
    quantity, comparator, values = parts
    if comparator == "between" and len(values) != 2:
        values = [*values, ""][:2]
    return Line(key, quantity, comparator, tuple(values))


def add_line(draft: Draft, holder: int, index: int, quantity: str) -> Draft:
    """Put the quantity's example, as a condition, into a container."""
    line = line_of(draft.next_key, QUANTITIES[quantity].example)
    return _inserted(_counted(draft), holder, index, line)


def add_box(draft: Draft, holder: int, index: int, mode: Mode) -> Draft:
    """Put an empty box into a block."""
    return _inserted(_counted(draft), holder, index, Box(draft.next_key, mode))


def add_block(draft: Draft, does: str, index: int | None = None) -> Draft:
    """Add a rule or a plan, at `index` among its own kind, else at the end."""
    ratio = {FLOOR: "50 %", CAP: "75 %"}.get(does, "")
    name = "" if does in RULES else _free_name(draft, DOES[does].split(",")[0])  # type: ignore[index]
    block = Block(draft.next_key, does, name, ratio, lasts="2 h" if does in HOLDING else "")
    return _with_block(_counted(draft), block, index)


def _free_name(draft: Draft, wanted: str) -> str:
    taken = {block.name for block in draft.blocks}
    names = [wanted, *(f"{wanted} {n}" for n in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def _counted(draft: Draft) -> Draft:
    return replace(draft, next_key=draft.next_key + 1)


# --- moving -------------------------------------------------------------------------------------


def move(draft: Draft, key: int, holder: int, index: int) -> Draft:
    """Take a piece from where it is and put it into a container, before what is there at `index`.

    `index` counts without the piece itself; that of a block counts among its own kind.

    Raises
    ------
    Refused
        When the container does not hold such pieces.
    """
    block = draft.block(key)
    if block is not None:
        if holder != ROOT:
            raise Refused("A rule cannot stand inside of another one.")
        return _with_block(_without(draft, key), block, index)
    part = draft.part(key)
    if part is None:
        raise Refused("That is not there any more.")
    _check(draft, holder, part)
    return _inserted(_without(draft, key), holder, index, part)


def shift(draft: Draft, key: int, by: int) -> Draft:
    """Move a piece up (-1) or down (1) among its neighbours; at the end it stays."""
    around: tuple[Any, ...]
    holder = draft.holder(key)
    around = draft.held(holder) if holder != ROOT else draft.section(key)
    at = next((i for i, one in enumerate(around) if one.key == key), None)
    if at is None:
        raise Refused("That is not there any more.")
    return move(draft, key, holder, min(max(at + by, 0), len(around) - 1))


def remove(draft: Draft, key: int) -> Draft:
    """Take a piece away, with all that it holds."""
    return _without(draft, key)


def _check(draft: Draft, holder: int, part: Part) -> None:
    if draft.block(holder) is not None:
        return
    if not isinstance(draft.part(holder), Box):
        raise Refused("Conditions stand in rules and plans: drop it onto one.")
    if isinstance(part, Box):
        raise Refused("A group holds plain conditions only. Make it a rule of its own.")


def _inserted(draft: Draft, holder: int, index: int, part: Part) -> Draft:
    _check(draft, holder, part)

    def put(held: tuple[Any, ...]) -> tuple[Any, ...]:
        at = min(max(index, 0), len(held))
        return (*held[:at], part, *held[at:])

    return _on_held(draft, holder, put)


def _without(draft: Draft, key: int) -> Draft:
    def cut(held: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(one for one in held if one.key != key)

    if draft.block(key) is not None:
        return replace(draft, blocks=cut(draft.blocks))
    return _on_held(draft, draft.holder(key), cut)


def _on_held(
    draft: Draft, holder: int, change: Callable[[tuple[Any, ...]], tuple[Any, ...]]
) -> Draft:
    """Change what a block or a box holds."""

    def of_block(block: Block) -> Block:
        if block.key == holder:
            return replace(block, parts=change(block.parts))
        parts = tuple(
            replace(part, lines=change(part.lines))
            if isinstance(part, Box) and part.key == holder
            else part
            for part in block.parts
        )
        return block if parts == block.parts else replace(block, parts=parts)

    return replace(draft, blocks=tuple(map(of_block, draft.blocks)))


def _with_block(draft: Draft, block: Block, index: int | None) -> Draft:
    same = [one for one in draft.blocks if one.is_plan == block.is_plan]
    others = [one for one in draft.blocks if one.is_plan != block.is_plan]
    same.insert(len(same) if index is None else max(index, 0), block)
    return replace(draft, blocks=(*others, *same) if block.is_plan else (*same, *others))


# --- typing -------------------------------------------------------------------------------------


def change_file(draft: Draft, **to: Any) -> Draft:
    """Change `name`, `about` or `policy`."""
    return replace(draft, **to)


def change_block(draft: Draft, key: int, **to: Any) -> Draft:
    """Change what was typed into a block. What it does decides where it stands."""
    block = draft.block(key)
    if block is None:
        return draft
    changed = replace(block, **to)
    if changed.is_plan != block.is_plan:
        return _with_block(_without(draft, key), changed, None)
    return replace(draft, blocks=tuple(changed if b.key == key else b for b in draft.blocks))


def change_part(draft: Draft, key: int, **to: Any) -> Draft:
    """Change what was typed into a line, or the mode of a box."""

    def put(held: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(replace(one, **to) if one.key == key else one for one in held)

    return _on_held(draft, draft.holder(key), put)


def set_quantity(draft: Draft, key: int, quantity: str) -> Draft:
    """Let a line read something else; comparator and value become those of its example."""
    new = line_of(key, QUANTITIES[quantity].example)
    return change_part(
        draft, key, quantity=new.quantity, comparator=new.comparator, values=new.values
    )


def set_comparator(draft: Draft, key: int, comparator: str) -> Draft:
    """Compare otherwise: ``between`` has two values, all others one; the first one stays."""
    line = draft.part(key)
    if not isinstance(line, Line):
        return draft
    first = line.values[0] if line.values else ""
    second = line.values[1] if len(line.values) > 1 else first
    values = (first, second) if comparator == "between" else (first,)
    return change_part(draft, key, comparator=comparator, values=values)


def set_value(draft: Draft, key: int, place: int, text: str) -> Draft:
    """Type a value."""
    line = draft.part(key)
    if not isinstance(line, Line):
        return draft
    values = tuple(text if i == place else one for i, one in enumerate(line.values))
    return change_part(draft, key, values=values)


# --- undo ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class History:
    """A draft, and the way to it. Typing on in one field is one step."""

    now: Draft
    past: tuple[Draft, ...] = ()
    future: tuple[Draft, ...] = ()
    field: str = ""

    def do(self, draft: Draft, field: str = "") -> History:
        """Take a step; `field` names what is typed into."""
        if draft == self.now:
            return self
        if field and field == self.field and self.past:
            return History(draft, self.past, (), field)
        return History(draft, (*self.past, self.now), (), field)

    def undo(self) -> History:
        """Take the last step back."""
        if not self.past:
            return self
        return History(self.past[-1], self.past[:-1], (self.now, *self.future))

    def redo(self) -> History:
        """Take the step again that was taken back last."""
        if not self.future:
            return self
        return History(self.future[0], (*self.past, self.now), self.future[1:])

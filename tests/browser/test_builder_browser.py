"""Rules are built by mouse, by touch and by keyboard, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browsing import SIZES, Served, covered, overflow, served, shoot, shut_out

from litehedge.hedge.rule_reading import parse_rules
from litehedge.hedge.rules import words_of
from litehedge.store.lake import Lake
from litehedge.units import NS_PER_MINUTE
from made_lakes import store, store_companions
from synthetic import Crash, market

pytestmark = pytest.mark.xdist_group("browser-builder")

RESULT = "[data-hg-result][data-state=good]"
LIES_THERE = (
    "at => !!at.closest('[data-hg-drop], [data-hg-rules]').querySelector(':scope > .hg-ghost')"
)
TAKES_HOLD = (  # SortableJS comes after the page; what it looks after has a mark of it
    "() => [...document.querySelectorAll('[data-hg-drop], [data-hg-rules]')].every("
    "at => Object.keys(at).some(key => key.startsWith('Sortable')))"
)
# Header and bar of places lie over what a browser takes to be in view.
INTO_VIEW = "at => { at.style.scrollMargin = '110px'; at.scrollIntoView({block: 'nearest'}) }"
FIRST_RULE = "[data-hg-rules] > [data-hg-key] >> nth=0"


GROUPED = """
[[rules]]
name = "one"
hedge_at_least = "25 %"
when_all = ["leverage_now > 3", { any = ["weekend", "volatility > 0.4 %"] }]

[[rules]]
name = "two"
hedge_at_least = "50 %"
when_all = ["distance_to_liquidation < 20 %"]
"""


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A screen beside a lake with a market that crashes every few days."""
    root = tmp_path_factory.mktemp("home")
    crashes = tuple(Crash(at, 6, 0.08) for at in range(1_500, 12_000, 1_500))
    own = market(12_960, seed=3, bar_ns=5 * NS_PER_MINUTE, vol=0.0004, crashes=crashes)
    lake = Lake(root / "lake")
    store(lake, "made", own)
    store_companions(lake, own)
    (root / "rules").mkdir()
    (root / "rules" / "grouped.toml").write_text(GROUPED)
    with served(root, "--demo") as one:
        yield one


def sentences(page: Any) -> list[str]:
    return list(page.locator("[data-hg-sentences] li").all_inner_texts())


def conditions(page: Any, rule: int = 0) -> list[str]:
    return list(
        page.locator(f"[data-hg-rules] > [data-hg-key] >> nth={rule}")
        .locator("[data-hg-drop] .hg-say").all_inner_texts()
    )  # fmt: skip


def centre(piece: Any) -> tuple[float, float]:
    box = piece.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def within(piece: Any, at: int) -> tuple[float, float]:
    """Return points above and below the middle, by turns."""
    box = piece.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] * (0.25 + 0.5 * (at % 2))


def taken(page: Any) -> bool:
    for _ in range(20):
        if page.locator(".hg-ghost").count():
            return True
        page.wait_for_timeout(100)
    return False


def by_mouse(page: Any, grip: Any, target: Any, name: str = "") -> None:
    page.wait_for_function(TAKES_HOLD)
    for _ in range(3):  # a slow page may miss the first one
        grip.evaluate(INTO_VIEW)
        x, y = centre(grip)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 8, y + 8, steps=3)
        if taken(page):
            break
        page.mouse.up()
    for at in range(100):  # near an edge the page scrolls meanwhile; no hand is quite still
        page.mouse.move(*within(target, at), steps=12)
        page.wait_for_timeout(150)
        if target.evaluate(LIES_THERE):
            break
    if name:
        shoot(page, name)
    page.mouse.up()


def by_touch(page: Any, grip: Any, target: Any, name: str = "", *, tries: int = 3) -> None:
    page.wait_for_function(TAKES_HOLD)
    wire = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        wire.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
        )

    for left in reversed(range(tries)):  # as by mouse
        grip.evaluate(INTO_VIEW)
        x, y = centre(grip)
        touch("touchStart", (x, y))
        page.wait_for_timeout(60)
        touch("touchMove", (x + 8, y + 8))
        if taken(page) or not left:
            break
        touch("touchEnd")
    lowest = page.evaluate("innerHeight") - 90.0  # above the bar of places
    for at in range(20):  # as by mouse
        tx, ty = within(target, at)
        ty = min(max(ty, 80.0), lowest)
        for step in range(1, 13):
            touch("touchMove", (x + (tx - x) * step / 12, y + (ty - y) * step / 12))
            page.wait_for_timeout(25)
        x, y = tx, ty
        if target.evaluate(LIES_THERE):
            break
    if name:
        shoot(page, name)
    touch("touchEnd")


def ready(page: Any) -> str:
    """Wait for the result of the test, and return it; the page moves no more then."""
    page.wait_for_selector(RESULT, timeout=240_000)
    return str(page.inner_text(RESULT))


def test_a_condition_is_dragged_by_mouse_and_words_and_test_follow(
    screen: Served, looking: Callable[..., Any]
) -> None:
    page = looking(screen, "/builder?rules=balanced")
    before = ready(page)
    assert "Would have hedged" in before
    said, had = sentences(page), conditions(page)
    shoot(page, "builder-desktop")
    by_mouse(
        page, page.locator("[data-hg-new=volatility] .hg-grip"),
        page.locator(f"{FIRST_RULE} >> [data-hg-drop] >> nth=0"), "builder-desktop-drag",
    )  # fmt: skip
    page.wait_for_function(
        "n => document.querySelector('[data-hg-rules] [data-hg-drop]').children.length === n",
        arg=len(had) + 1,
    )
    assert any("Volatility of 5-minute returns is above 0.4 %" in one for one in conditions(page))
    page.wait_for_function(
        "old => document.querySelector('[data-hg-sentences] li').innerText !== old", arg=said[0]
    )
    assert "volatility of 5-minute returns is above 0.4 %" in sentences(page)[0]
    assert sentences(page)[1:] == said[1:]
    ready(page)
    assert page.locator("[data-hg-new=volatility]").count() == 1  # the shelf keeps it
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function(
        "old => document.querySelector('[data-hg-sentences] li').innerText === old", arg=said[0]
    )


def test_a_condition_is_dragged_between_rules(screen: Served, looking: Callable[..., Any]) -> None:
    page = looking(screen, "/builder?rules=balanced")
    ready(page)
    [kept], [_, second] = conditions(page, 0), conditions(page, 1)
    moved = page.locator("[data-hg-rules] > [data-hg-key] >> nth=1 >> .hg-piece >> nth=1")
    by_mouse(page, moved.locator(".hg-grip"), page.locator(f"{FIRST_RULE} >> .hg-piece >> nth=0"))
    page.wait_for_function(
        "() => document.querySelector('[data-hg-rules] [data-hg-drop]').children.length === 2"
    )
    assert sorted(conditions(page, 0)) == sorted([kept, second])
    assert len(conditions(page, 1)) == 1


def test_a_condition_is_dragged_by_touch(screen: Served, looking: Callable[..., Any]) -> None:
    page = looking(screen, "/builder?rules=balanced", "phone")
    ready(page)
    rule = page.locator("[data-hg-rules] > [data-hg-key] >> nth=1")
    rule.evaluate(INTO_VIEW)
    first, second = conditions(page, 1)
    pieces = rule.locator(".hg-piece")
    by_touch(page, pieces.nth(1).locator(".hg-grip"), pieces.nth(0), "builder-phone-drag")
    page.wait_for_function(
        "old => document.querySelectorAll('[data-hg-rules] > [data-hg-key]')[1]"
        ".querySelector('.hg-say').innerText !== old",
        arg=first,
    )
    assert conditions(page, 1) == [second, first]
    assert overflow(page) <= 0


@pytest.mark.parametrize(("drag", "size"), [(by_mouse, "desktop"), (by_touch, "phone")])
def test_a_group_is_dragged_with_all_that_it_holds(
    screen: Served, looking: Callable[..., Any], drag: Callable[..., None], size: str
) -> None:
    page = looking(screen, "/builder?rules=grouped", size)
    ready(page)
    held = page.locator(".hg-box .hg-piece .hg-say").all_inner_texts()
    assert len(held) == 2
    group = page.locator(f"{FIRST_RULE} >> .hg-box > .hg-row .hg-grip")
    there = page.locator("[data-hg-rules] > [data-hg-key] >> nth=1 >> .hg-piece >> nth=0")
    said = sentences(page)[0]
    drag(page, group, there, f"builder-{size}-group")
    page.wait_for_function(  # the words come from the server, after what the hand moved
        "old => document.querySelector('[data-hg-sentences] li').innerText !== old", arg=said
    )
    page.wait_for_function(
        "() => document.querySelectorAll('[data-hg-rules] > [data-hg-key]')[1]"
        ".querySelector('.hg-box')"
    )
    assert page.locator(f"{FIRST_RULE} >> .hg-box").count() == 0
    assert page.locator(".hg-box .hg-piece .hg-say").all_inner_texts() == held
    assert "it is weekend" not in sentences(page)[0]
    assert overflow(page) <= 0


@pytest.mark.parametrize(("drag", "size"), [(by_mouse, "desktop"), (by_touch, "phone")])
def test_a_whole_action_is_dragged_before_another(
    screen: Served, looking: Callable[..., Any], drag: Callable[..., None], size: str
) -> None:
    page = looking(screen, "/builder?rules=grouped", size)
    ready(page)
    said = sentences(page)
    second = page.locator("[data-hg-rules] > [data-hg-key] >> nth=1 >> .hg-head .hg-grip")
    drag(page, second, page.locator(f"{FIRST_RULE} >> .hg-head .hg-grip"), f"builder-{size}-action")
    page.wait_for_function(
        "old => document.querySelector('[data-hg-sentences] li').innerText !== old", arg=said[0]
    )
    assert sentences(page) == said[::-1]


def test_an_action_is_dragged_from_the_shelf(screen: Served, looking: Callable[..., Any]) -> None:
    page = looking(screen, "/builder?rules=grouped")
    ready(page)
    had = sentences(page)
    shelved = page.locator("[data-hg-new='does:never_above'] .hg-grip")
    by_mouse(page, shelved, page.locator(f"{FIRST_RULE} >> .hg-head .hg-grip"))
    page.wait_for_function("() => document.querySelectorAll('[data-hg-sentences] li').length === 3")
    assert [one for one in sentences(page) if one not in had] == ["Never hedge above 75 %, always."]
    assert page.locator("[data-hg-new='does:never_above']").count() == 1


def test_a_finger_on_the_words_scrolls_and_moves_nothing(
    screen: Served, looking: Callable[..., Any]
) -> None:
    page = looking(screen, "/builder?rules=balanced", "phone")
    ready(page)
    rule = page.locator("[data-hg-rules] > [data-hg-key] >> nth=1")
    rule.evaluate(INTO_VIEW)
    had, said = conditions(page, 1), sentences(page)
    pieces = rule.locator(".hg-piece")
    by_touch(page, pieces.nth(1).locator(".hg-say"), pieces.nth(0), tries=1)
    page.wait_for_timeout(500)
    assert conditions(page, 1) == had
    assert sentences(page) == said


def test_the_keyboard_moves_by_menu_and_the_focus_follows(
    screen: Served, looking: Callable[..., Any]
) -> None:
    page = looking(screen, "/builder?rules=balanced")
    ready(page)
    [had], [moved, stays] = conditions(page, 0), conditions(page, 1)
    menu = page.locator("[data-hg-rules] > [data-hg-key] >> nth=1 >> .hg-piece button >> nth=1")
    key = menu.get_attribute("data-hg-menu")
    menu.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".q-menu .q-item")
    options = page.locator(".q-menu .q-item").all_inner_texts()
    assert options[:2] == ["Up", "Down"]
    assert options[-1] == "Remove"
    wanted = next(i for i, text in enumerate(options) if "within reach" in text)
    page.locator(".q-menu .q-item").nth(wanted).focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => document.querySelector('[data-hg-rules] [data-hg-drop]').children.length === 2"
    )
    assert conditions(page, 0) == [had, moved]
    assert conditions(page, 1) == [stays]
    page.wait_for_function(
        "key => document.activeElement?.dataset.hgMenu === key", arg=key, timeout=5_000
    )


def test_a_mistake_stands_beside_its_field_and_what_was_typed_stays(
    screen: Served, looking: Callable[..., Any]
) -> None:
    page = looking(screen, "/builder?rules=balanced")
    ready(page)
    rule = page.locator(FIRST_RULE)
    rule.get_by_label("How much").fill("25 x")
    told = rule.get_by_role("alert").filter(visible=True)
    told.wait_for()
    assert "measured in %" in told.inner_text()
    assert rule.get_by_label("How much").input_value() == "25 x"
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Not saved: 1 field to mend first.").wait_for()
    shoot(page, "builder-desktop-mistake")


@pytest.mark.parametrize("size", list(SIZES))
def test_what_is_saved_is_what_the_commands_read(
    screen: Served, looking: Callable[..., Any], size: str
) -> None:
    page = looking(screen, "/builder?rules=cost-saver", size)
    ready(page)
    name = f"saved-{size}"
    page.get_by_label("Name of the file").fill(name)
    page.locator("[data-hg-new='does:hedge_at_least']").get_by_role("button").click()
    page.wait_for_function("() => document.querySelectorAll('[data-hg-sentences] li').length === 3")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved to").wait_for()
    file = screen.root / "rules" / f"{name}.toml"
    assert words_of(parse_rules(file.read_text(), str(file), name)) == sentences(page)
    assert overflow(page) <= 0
    page.evaluate("window.scrollTo(0, 0)")
    assert not covered(page)
    assert not shut_out(page)
    shoot(page, f"builder-{size}-saved")

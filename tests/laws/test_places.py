"""Lines of everything in a TOML file, elements of lists too."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from litehedge.settings import places_of

TEXT = '''# "a" = [1,
top = 1
[one."two"]
plain = [1, [2,
  3], "] # no comment", { x = 1.5, y = [
  4] }]
long = """
key = 1
[no section]
"""
last = 'x'
[[many]]
a = 1
[[many.inner]]
b = [
  # nothing
  "x", "y",
  "z",
]
[[many]]
a = 2
'''


def test_an_example() -> None:
    found = places_of(TEXT)
    wanted = {
        "top": 2, "one.two": 3, "one.two.plain": 4, "one.two.plain.0": 4, "one.two.plain.1": 4,
        "one.two.plain.1.1": 5, "one.two.plain.2": 5, "one.two.plain.3": 5,
        "one.two.plain.3.y.0": 6, "one.two.long": 7, "one.two.last": 11, "many.0": 12,
        "many.0.inner.0": 14, "many.0.inner.0.b.0": 17, "many.0.inner.0.b.2": 18, "many.1": 20,
        "many.1.a": 21,
    }  # fmt: skip
    assert {path: found[path] for path in wanted} == wanted


def paths(tree: Any, path: str = "") -> list[str]:
    """Every dotted path in a tree."""
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found = []
    for step, inner in steps:
        here = f"{path}.{step}" if path else str(step)
        found.append(here)
        if isinstance(inner, dict | list):
            found += paths(inner, here)
    return found


def test_every_path_of_a_file_has_a_line() -> None:
    tree = tomllib.loads(TEXT)
    assert set(paths(tree)) <= set(places_of(TEXT)) | {"one", "many", "many.0.inner"}


@given(st.text("[]{}=\"'#,.\\ab1 \n", max_size=60) | st.text(max_size=40))
def test_any_text_is_walked_to_its_end(text: str) -> None:
    for line in places_of(text).values():
        assert 1 <= line <= text.count("\n") + 1

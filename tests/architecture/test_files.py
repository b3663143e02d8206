"""Files are short, and everything public says what it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "litehedge"
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 500

# File: why it is longer. Keep this empty.
EXCEPTIONS: dict[str, str] = {}


def name_of(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def test_files_are_short() -> None:
    lines = {name_of(f): len(f.read_text(encoding="utf-8").splitlines()) for f in FILES}
    long = {name: n for name, n in lines.items() if n > LONGEST}
    assert set(long) == set(EXCEPTIONS)


def public(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Public functions, classes, and their public methods."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                        yield f"{node.name}.{method.name}", method


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_everything_public_is_documented(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the file says nothing about itself"
    silent = [name for name, node in public(tree) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert silent == []


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_docstrings_begin_with_a_sentence(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for name, node in public(tree):
        first = (ast.get_docstring(node) or "").split("\n\n")[0]  # type: ignore[arg-type]
        assert first[0].isupper() or first[0] in '`|"', name
        assert first.rstrip()[-1] in ".:;`)", f"{name}: {first}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_there_is_no_leftover(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for word in ("TODO", "FIXME", "XXX", "HACK", "pdb", "pytest"):
        assert word not in text

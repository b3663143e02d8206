"""Files are short, and everything public says what it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

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


def test_everything_public_is_documented() -> None:
    silent = []
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        nodes: list[tuple[str, ast.AST]] = [("the file itself", tree), *public(tree)]
        silent += [f"{name_of(file)}: {name}" for name, node in nodes if not docstring(node)]
    assert silent == []


def test_docstrings_begin_with_a_sentence() -> None:
    odd = []
    for file in FILES:
        for name, node in public(ast.parse(file.read_text(encoding="utf-8"))):
            first = docstring(node).split("\n\n")[0].rstrip()
            begins = first[:1].isupper() or first[:1] in ("`", "|", '"')
            if not begins or first[-1:] not in (".", ":", ";", "`", ")"):
                odd.append(f"{name_of(file)}: {name}: {first}")
    assert odd == []


def test_there_is_no_leftover() -> None:
    left = [
        f"{name_of(file)}: {word}"
        for file in FILES
        for word in ("TODO", "FIXME", "XXX", "HACK", "pdb", "pytest")
        if word in file.read_text(encoding="utf-8")
    ]
    assert left == []


def docstring(node: ast.AST) -> str:
    return ast.get_docstring(node) or ""  # type: ignore[arg-type]

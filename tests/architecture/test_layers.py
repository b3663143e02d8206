"""The order of the layers, the pure core, and what it may not call: as `pyproject.toml` says."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "litehedge"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
LAYERS, CORE, _ = PROJECT["importlinter"]["contracts"]


def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False,
        **options,  # type: ignore[call-overload]
    )  # fmt: skip


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    assert "3 kept, 0 broken" in result.stdout


def test_every_module_has_its_layer() -> None:
    """`exhaustive` makes the linter say so; this makes sure that it stays on."""
    assert LAYERS["exhaustive"] is True
    listed = {name for layer in LAYERS["layers"] for name in layer.split(" | ")}
    there = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__"}
    there |= {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    assert listed == there


def test_the_core_is_everything_up_to_the_engine() -> None:
    layers = [layer.split(" | ") for layer in LAYERS["layers"]]
    engine = next(i for i, layer in enumerate(layers) if layer == ["engine"])
    core = {f"litehedge.{name}" for layer in layers[engine:] for name in layer}
    shell = {f"litehedge.{name}" for layer in layers[:engine] for name in layer}
    assert set(CORE["source_modules"]) == core
    assert shell <= set(CORE["forbidden_modules"])
    for module in ("asyncio", "threading", "multiprocessing", "socket", "ssl", "http", "urllib",
                   "sqlite3", "sqlalchemy", "os", "pathlib", "time", "random", "logging", "torch",
                   "onnxruntime", "nicegui", "ccxt"):  # fmt: skip
        assert module in CORE["forbidden_modules"]


def core_files() -> list[Path]:
    files = []
    for module in CORE["source_modules"]:
        path = PACKAGE / module.removeprefix("litehedge.")
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return files


def test_the_core_opens_prints_and_asks_nothing() -> None:
    """What needs no import: files, terminals, dynamic code."""
    banned = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint", "globals"}
    found = []
    for file in core_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            calls = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if isinstance(node, (ast.AsyncFunctionDef, ast.Global)) or (
                calls and node.func.id in banned
            ):
                found.append(f"{file.relative_to(PACKAGE)}:{node.lineno}")
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import time\nNOW = time.time()",
        "from time import monotonic\nNOW = monotonic()",
        "from datetime import datetime\nNOW = datetime.now(tz=None)",
        "import random",
        "import numpy as np\nX = np.random.default_rng()",
        "from numpy.random import default_rng",
        "import os\nHOME = os.environ['HOME']",
        "from os import getenv",
        "import uuid",
    ],
)
@pytest.mark.parametrize("where", ["engine.py", "sim/venue.py"])
def test_clocks_chance_and_environment_are_refused(line: str, where: str) -> None:
    """The linter sees such a line in the core, and in the simulated venue."""
    result = run(
        "-m", "ruff", "check", "--select", "TID251", "--no-cache",
        "--stdin-filename", f"src/litehedge/{where}", "-", input=line,
    )  # fmt: skip
    assert result.returncode == 1
    assert "TID251" in result.stdout


def test_the_core_imports_without_the_shell() -> None:
    """A process that imports the engine has loaded none of the shell's libraries."""
    shell = (
        "{'sqlalchemy', 'nicegui', 'typer', 'torch', 'sklearn', 'ccxt', 'sqlite3', 'onnxruntime'}"
    )
    code = f"import sys, litehedge.engine; print(sorted({shell} & set(sys.modules)))"
    result = run("-c", code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_the_command_line_starts_without_the_libraries_of_models() -> None:
    """They are imported when a model needs them: a second less for everybody else."""
    heavy = "{'torch', 'onnx', 'onnxruntime', 'sklearn', 'lightgbm', 'optuna', 'arch'}"
    code = f"import sys, litehedge.cli.app; print(sorted({heavy} & set(sys.modules)))"
    result = run("-c", code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"

"""The reference is what the code says, and every command is in it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from litehedge.cli.app import app

ROOT = Path(__file__).parents[2]


def test_reference_pages_are_current(tmp_path):
    script = (
        "import sys; sys.path.insert(0, 'docs'); import generate; from pathlib import Path; "
        f"generate.FOLDER = Path({str(tmp_path)!r}); generate.main()"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True)
    written = {page.name: page.read_text() for page in tmp_path.iterdir()}
    kept = {page.name: page.read_text() for page in (ROOT / "docs/reference").glob("*.md")}
    assert kept == written, "run: python docs/generate.py"


def _names(typer_app, before=()):
    for command in typer_app.registered_commands:
        yield " ".join((*before, command.name or command.callback.__name__.replace("_", "-")))
    for group in typer_app.registered_groups:
        yield from _names(group.typer_instance, (*before, group.name))


@pytest.mark.parametrize("name", sorted(_names(app)))
def test_every_command_is_in_the_reference(name):
    page = (ROOT / "docs/reference/commands.md").read_text()
    assert f"## `litehedge {name}`" in page


def test_links_in_the_docs_lead_somewhere():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []

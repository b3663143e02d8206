"""The reference is what the code says, and every command is in it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from litehedge.cli.app import app
from litehedge.config import Settings

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


def test_every_page_is_reached_from_the_index():
    docs = ROOT / "docs"
    index = (docs / "README.md").read_text()
    pages = [p.relative_to(docs) for p in docs.rglob("*.md") if p.parent.name != "decisions"]
    missing = [str(p) for p in pages if f"]({p})" not in index and str(p) != "README.md"]
    assert missing == []
    listed = (docs / "decisions" / "README.md").read_text()
    written = [p.name for p in (docs / "decisions").glob("0*.md")]
    assert [name for name in written if f"]({name})" not in listed] == []


def test_every_setting_is_in_the_reference_with_what_it_does():
    page = (ROOT / "docs/reference/settings.md").read_text()
    for section, field in Settings.model_fields.items():
        for name, told in field.annotation.model_fields.items():
            assert told.description, f"{section}.{name} has no description"
            assert f"`{name}`" in page or f"`{section}.{name}`" in page, f"{section}.{name}"

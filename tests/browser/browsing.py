"""What browser tests share: the screen served by its own command, and looks at a page."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "browser"
STARTS_S = 90.0
SIZES = {"desktop": (1366, 860, False), "phone": (390, 844, True)}


@dataclass
class Served:
    """A screen that is served: its address, the link that lets in, its process, its home."""

    address: str
    link: str
    process: subprocess.Popen
    root: Path
    cookies: Any = None  # of the one who was let in: the link lets in once

    def freeze(self) -> None:
        """Let the server stand still, as a machine does that swaps or sleeps."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def served(root: Path, *options: str) -> Iterator[Served]:
    """Serve the screen of a home folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "litehedge", "ui", "--home", str(root), "--port", "0",
         "--no-browser", *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "COLUMNS": "300", "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    said = ""
    try:
        assert process.stdout is not None
        began = time.monotonic()
        while not (found := re.search(r"(http://[^/\s]+/)\S*", said)):
            line = process.stdout.readline()
            said += line
            assert line or process.poll() is None, said
            assert time.monotonic() - began < STARTS_S, said
        yield Served(found[1], found[0], process, root)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def shoot(page: Page, name: str) -> None:
    """Keep a picture of a page, for people to look at."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def covered(page: Page) -> list[str]:
    """Return the buttons and links in sight whose middle something else covers."""
    return page.evaluate(
        """() => [...document.querySelectorAll("button, a[href], input")].filter((e) => {
          const box = e.getBoundingClientRect();
          const x = box.x + box.width / 2, y = box.y + box.height / 2;
          if (!box.width || y < 60 || y > innerHeight - 80 || x < 0 || x > innerWidth) return false;
          const top = document.elementFromPoint(x, y);
          return top && !e.contains(top) && !top.contains(e);
        }).map((e) => e.outerHTML.slice(0, 120))"""
    )


def shut_out(page: Page) -> list[tuple[str, list[str]]]:
    """Return what shuts people out of a page, by axe: rule and elements, serious and worse."""
    found = Axe().run(page).response["violations"]
    return [
        (one["id"], [node["html"][:160] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]

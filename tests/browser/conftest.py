"""A real browser, and the screen served by its own command."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

expect.set_options(timeout=20_000)  # a test machine may be busy; what is slow is measured in bench

ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "browser"
STARTS_S = 90.0
SIZES = {"desktop": (1366, 860, False), "phone": (390, 844, True)}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; tests that need it skip where it cannot be installed, and say so."""
    found = os.environ.get("LITEHEDGE_CHROMIUM") or shutil.which("chromium")
    if not found:
        pytest.skip("NO CHROMIUM: nothing on the screen is tested. Install: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


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


@pytest.fixture
def looking(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Open a page as somebody who was let in: ``looking(screen, "/", "phone")``."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def look(screen: Served, path: str = "/", size: str = "desktop") -> Page:
        width, height, is_phone = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height}, has_touch=is_phone, is_mobile=is_phone,
            storage_state=screen.cookies,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        if screen.cookies is None:
            page.goto(screen.link)
            screen.cookies = context.storage_state()
        page.goto(screen.address.rstrip("/") + path)
        page.wait_for_function("window.did_handshake === true", timeout=30_000)
        return page

    yield look
    for context in contexts:
        context.close()
    assert not troubles, troubles


@pytest.fixture
def visiting(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page by its whole address: ``visiting(address, "phone")``."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def visit(address: str, size: str = "desktop") -> Page:
        width, height, is_phone = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height}, has_touch=is_phone, is_mobile=is_phone
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(address)
        page.wait_for_function("window.did_handshake === true", timeout=30_000)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not troubles, troubles


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

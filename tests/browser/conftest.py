"""A real browser, and pages of somebody who was let in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from browsing import SIZES, Served
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

expect.set_options(timeout=20_000)  # a test machine may be busy; what is slow is measured in bench


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; tests that need it skip where it cannot be installed, and say so.

    It keeps an event loop in this thread: not longer than a file of tests, others have their own.
    """
    found = os.environ.get("LITEHEDGE_CHROMIUM") or shutil.which("chromium")
    if not found:
        pytest.skip("NO CHROMIUM: nothing on the screen is tested. Install: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


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
            page.wait_for_url(screen.address)  # the link's page goes there by itself
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

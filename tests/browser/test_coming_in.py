"""Coming in for the first time, and the page that works without any script."""

from __future__ import annotations

import re

import pytest
from browsing import overflow, served, shoot, shut_out
from guarding import Guarding
from playwright.sync_api import expect

from litehedge.market import events as ev
from litehedge.store.journal import Journal

pytestmark = pytest.mark.xdist_group("browser-coming_in")
PASSPHRASE = "five quiet otters swim"


def _is_in(url: str) -> bool:
    """Tell whether a page is one for those who are let in."""
    return not re.search("/(login|first)", url)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A session that runs, and a screen on its home."""
    root = tmp_path_factory.mktemp("home")
    with Guarding(root) as guarding, served(root, "--demo") as screen:
        yield guarding, screen


def test_the_first_link_a_passphrase_and_in_again(tmp_path, chromium):
    with served(tmp_path) as screen:
        first = chromium.new_context(viewport={"width": 390, "height": 844}, is_mobile=True)
        page = first.new_page()
        page.goto(screen.address)
        assert "/login" in page.url, "nobody is let in without a link"
        page.goto(screen.link)
        assert overflow(page) <= 0
        shoot(page, "first-phone")
        fields = page.locator('input[type="password"]')
        for i in range(fields.count()):
            fields.nth(i).fill(PASSPHRASE)
        page.locator('button[type="submit"], form button').first.click()
        page.wait_for_url(_is_in)
        expect(page.locator("#main")).to_contain_text("No session yet")
        first.close()

        again = chromium.new_context(viewport={"width": 390, "height": 844}, is_mobile=True)
        page = again.new_page()
        page.goto(screen.link)
        page.goto(screen.address)
        assert "/login" in page.url, "a link lets in once"
        shoot(page, "login-phone")
        page.locator('input[type="password"]').fill("something else entirely")
        page.locator("form button").first.click()
        expect(page.locator("body")).to_contain_text("that is not the passphrase")
        assert "/login" in page.url
        page.locator('input[type="password"]').fill(PASSPHRASE)
        page.locator("form button").first.click()
        page.wait_for_url(_is_in)
        expect(page.locator("#main")).to_contain_text("No session yet")
        again.close()


def test_panic_works_without_script(guarded, looking, chromium):
    guarding, screen = guarded
    looking(screen)  # it lets in whoever has its cookie
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True,
        java_script_enabled=False, storage_state=screen.cookies,
    )  # fmt: skip
    page = context.new_page()
    page.goto(f"{screen.address}panic")
    expect(page.locator("body")).to_contain_text("stay as they are")
    shoot(page, "panic-phone")
    page.get_by_role("button", name=re.compile("halt", re.I)).first.click()
    if (sure := page.get_by_role("button", name=re.compile("halt", re.I))).count():
        sure.first.click()
    for _ in range(40):
        page.wait_for_timeout(250)
        page.goto(f"{screen.address}panic")
        if "Trading is halted" in page.locator("body").inner_text():
            break
    expect(page.locator("body")).to_contain_text("Trading is halted")
    context.close()
    journal = Journal(guarding.session.journal)
    last = journal.last_run()
    assert last is not None
    assert any(isinstance(command, ev.Halt) for command in journal.commands(last[0]))
    journal.close()


@pytest.mark.parametrize("path", ["/panic", "/login"])
def test_plain_pages_are_for_everybody(guarded, looking, path):
    page = looking(guarded[1])
    page.goto(guarded[1].address.rstrip("/") + path)
    assert not shut_out(page)
    assert overflow(page) <= 0


def test_a_phone_can_keep_it_as_an_app(guarded, looking):
    page = looking(guarded[1], "/", "phone")
    session = page.context.new_cdp_session(page)
    told = session.send("Page.getAppManifest")
    assert told["url"].endswith("/static/app.webmanifest")
    assert not told["errors"]
    wrong = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [one["errorId"] for one in wrong] in ([], ["in-incognito"])  # a test's window is

"""The beginning in a real browser: six steps to a session on paper."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from browsing import overflow, shoot, shut_out
from faked import faked
from playwright.sync_api import expect

from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange
from litehedge.live.session import is_held, session_at
from litehedge.live.sockets import SocketThread
from litehedge.store.durable import is_locked
from litehedge.ui import starting

pytestmark = pytest.mark.xdist_group("browser-begin")
PAST_S = 1800
REAL_MS = 240_000


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    root = tmp_path_factory.mktemp("home")
    with faked(root) as served:
        yield served[0], root


def walk(page, name):
    """Go through the first five steps."""
    page.get_by_role("radio", name="Short").click()
    page.get_by_label("Leverage").fill("10")
    page.get_by_label("Wallet, USDT").fill("500")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("radio", name="Balanced").click()
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Name of the session").fill(name)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("4 of 6: Alerts")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("a 10x short of 5,000 USDT opens at the first price")).to_be_visible()


def ended(root, name):
    """End what a test started."""
    session = session_at(root, name)
    starting.call_off(session)
    assert not is_locked(session.folder / starting.LOCK)


def test_the_desk_without_a_session_leads_here(screen, visiting):
    page = visiting(screen[0])
    page.get_by_role("link", name="Begin on paper").click()
    expect(page.get_by_text("1 of 6: Position")).to_be_visible()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_every_step_fits(screen, visiting, size):
    page = visiting(screen[0] + "begin", size)
    for step in range(1, 7):
        expect(page.locator(f'[data-step="{step}"]')).to_be_visible()
        assert overflow(page) <= 0
        page.wait_for_timeout(1000)
        assert not shut_out(page)
        shoot(page, f"begin-{step}-{size}")
        if step < 6:
            page.get_by_role("button", name="Next").click()


def test_a_mistake_keeps_its_step_and_what_was_typed(screen, visiting):
    page = visiting(screen[0] + "begin")
    page.get_by_label("Leverage").fill("500")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("This must be above 0 and at most 125.")).to_be_visible()
    assert page.get_by_label("Leverage").input_value() == "500"


def test_a_start_shows_its_stages_and_leads_to_the_desk(screen, visiting):
    page = visiting(screen[0] + "begin")
    walk(page, "mine")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Start the session").click()
    try:
        expect(page.get_by_text("mine guards")).to_be_visible(timeout=20_000)
        assert "name=mine" in page.url
        shoot(page, "begin-started")
        link = page.get_by_role("link", name="Go to the desk")
        assert link.get_attribute("href") == "/?session=mine"
        assert is_locked(session_at(screen[1], "mine").folder / "started.lock")
    finally:
        ended(screen[1], "mine")


def test_a_start_is_called_off(screen, visiting):
    page = visiting(screen[0] + "begin")
    walk(page, "early-slow")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Start the session").click()
    page.get_by_role("button", name="Call it off").click()
    expect(page.get_by_text("It ended. Its last words:")).to_be_visible(timeout=20_000)
    assert not is_locked(session_at(screen[1], "early-slow").folder / "started.lock")


def test_a_start_that_fails_says_why_and_can_be_tried_again(screen, visiting):
    page = visiting(screen[0] + "begin")
    walk(page, "bad")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Start the session").click()
    expect(page.get_by_role("alert").first).to_contain_text("Binance cannot be reached")
    shoot(page, "begin-failed")
    page.get_by_role("button", name="Begin again").click()
    expect(page.get_by_text("1 of 6: Position")).to_be_visible()
    assert page.get_by_label("Leverage").input_value() == "10"


# --- the real command -----------------------------------------------------------------------------


@pytest.fixture
def exchange():
    begins = int(time.time()) - PAST_S
    made = FakeExchange(
        Scripted(begins_s=begins, path=((0.0, 84.1), (PAST_S, 84.3))),
        wallet_usdt=Decimal(1000), leverage=50, step_ms=1000, limited=False,
    )  # fmt: skip
    for _ in range(PAST_S):
        made.step()
    made.step_ms, made.speed = 100, 1.0
    with SocketThread() as thread:
        thread.call(made.__aenter__())
        yield made
        thread.call(made.__aexit__(None, None, None))


def test_the_real_command_guards_a_position_and_is_stopped_politely(tmp_path, exchange, visiting):
    quick = ("--frame=1m", "--warm-up=25m", f"--host={exchange.url}")
    with faked(tmp_path, "--real", *quick) as (address, _):
        page = visiting(address + "begin")
        walk(page, "mine")
        page.get_by_role("button", name="Next").click()
        page.get_by_role("button", name="Start the session").click()
        session = session_at(tmp_path, "mine")
        try:
            expect(page.get_by_text("mine guards")).to_be_visible(timeout=REAL_MS)
            page.get_by_role("link", name="Go to the desk").click()
            expect(page.locator('[data-hg-text="mode"]')).to_have_text("PAPER")
            expect(page.locator('[data-hg-text="position"]')).to_contain_text(
                "short", timeout=60_000
            )
            assert is_held(session)
            page.goto(address + "settings")
            page.get_by_role("button", name="Stop mine").click()
            page.get_by_role("button", name="Stop it").click()
            expect(page.get_by_text("paper, stopped")).to_be_visible(timeout=60_000)
            assert not is_held(session)
            assert "error" not in (session.folder / "started.log").read_text()
        finally:
            ended(tmp_path, "mine")
    assert not exchange.truth().orders  # nothing was sent to the venue

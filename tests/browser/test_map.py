"""The map in a real browser: the estimate is drawn and called one, and feeds tell how they are."""

from __future__ import annotations

import re

import pytest
from browsing import covered, overflow, served, shoot, shut_out
from playwright.sync_api import expect

from forecasters import logistic
from litehedge.model.artefact import Artefact
from networks import card
from told_sessions import journaled

pytestmark = pytest.mark.xdist_group("browser-map")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A session whose sources told how they are, and a screen on its home."""
    root = tmp_path_factory.mktemp("home")
    loaded = Artefact(card(kind="logistic", format=1), logistic(4))
    journaled(root / "sessions" / "told" / "journal.sqlite", loaded, health=True)
    with served(root, "--demo") as screen:
        yield screen


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_levels_are_drawn_and_called_estimated(told, looking, size):
    page = looking(told, "/map?session=told", size)
    expect(page.locator(".hg-heat canvas").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Liquidation levels, estimated")).to_be_visible()
    expect(page.locator("#map-worth")).to_contain_text("a guess gets")
    expect(page.locator('[data-hg-text="map_interest"]')).to_have_text(re.compile(r"M LTC$"))
    expect(page.locator('[data-hg-text="map_bid_mid"]')).to_have_text(re.compile(r"^\$"))
    assert overflow(page) <= 0
    assert not covered(page)
    shoot(page, f"map-{size}")


def test_a_source_of_long_ago_is_known_with_those_that_changed_since(told, looking):
    page = looking(told, "/map?session=told")
    lines = page.locator('[data-hg-list="map_sources"] .hg-line')
    expect(lines).to_have_count(3, timeout=60_000)
    expect(lines.nth(0)).to_contain_text("funding of okx: down, refused")
    expect(lines.nth(0)).to_contain_text("12 bad messages, failed 4 times")
    expect(lines.nth(1)).to_contain_text("liquidations of bybit: stale")
    expect(lines.nth(2)).to_contain_text("quotes: ok")


def test_nothing_is_out_of_reach_for_anybody(told, looking):
    page = looking(told, "/map?session=told", "phone")
    page.wait_for_timeout(1000)
    assert not shut_out(page)

"""The page that says why, in a real browser: a decision is reopened, others are found."""

from __future__ import annotations

import re

import pytest
from browsing import covered, overflow, served, shoot, shut_out
from playwright.sync_api import expect

from litehedge.model import artefact
from litehedge.store.bundled import pretrained_folder
from litehedge.store.lookback import Past
from litehedge.units import NS_PER_MINUTE
from told_sessions import journaled

pytestmark = pytest.mark.xdist_group("browser-why")
REOPENED_MS = 120_000


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A session that hedged with the default model, and a screen on its home."""
    root = tmp_path_factory.mktemp("home")
    folder = pretrained_folder() / "ltc-1m-logistic"
    loaded = artefact.load(folder, NS_PER_MINUTE)
    path = journaled(root / "sessions" / "told" / "journal.sqlite", loaded, folder)
    past = Past(path)
    found = past.decisions(lambda d: True, most=1000)
    past.close()
    with served(root, "--demo") as screen:
        yield screen, found


def hedged(found):
    return next(one for one in reversed(found) if one.decision.order_id)


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_decision_is_reopened_as_of_its_moment(told, looking, size):
    screen, found = told
    one = hedged(found)
    page = looking(screen, f"/why?session=told&at={one.decision.time_ns}", size)
    expect(page.locator("#why-sentence")).to_contain_text("Hedge more")
    expect(page.locator("#why-rebuilt")).to_contain_text(
        "the forecast is the journaled one to the last bit", timeout=REOPENED_MS
    )
    expect(page.locator(".hg-bars canvas").first).to_be_visible()
    label = page.locator(".hg-bars").first.get_attribute("aria-label")
    assert label is not None
    assert re.search(r"raises it by|lowers it by", label)
    expect(page.get_by_text("ltc_perp_1m 2024-12").first).to_be_visible()
    expect(page.get_by_text("after 15 min, at")).to_be_visible()
    assert overflow(page) <= 0
    assert not covered(page)
    shoot(page, f"why-{size}")


def test_held_decisions_are_found_page_by_page(told, looking):
    screen, found = told
    page = looking(screen, "/why?session=told&show=held")
    lines = page.locator(".hg-lines .hg-line")
    expect(lines).to_have_count(12)
    first = lines.first.get_attribute("href")
    page.get_by_role("link", name="Older").click()
    expect(lines.first).not_to_have_attribute("href", first or "")
    lines.nth(3).click()
    expect(page.locator("#why-sentence")).to_contain_text("Held at")
    page.get_by_role("link", name="Refused").click()
    expect(page.get_by_role("link", name="Refused")).to_have_attribute("aria-current", "true")
    refused = sum(bool(f.decision.verdicts) and not f.decision.order_id for f in found)
    expect(lines).to_have_count(min(12, refused))


def test_what_is_not_in_the_journal_is_said_so(told, looking):
    page = looking(told[0], "/why?session=told&at=5")
    expect(page.get_by_text("There is no such decision in the journal.")).to_be_visible()


def test_nothing_is_out_of_reach_for_anybody(told, looking):
    page = looking(told[0], "/why?session=told", "phone")
    page.wait_for_timeout(1000)
    assert not shut_out(page)

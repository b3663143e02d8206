"""Reports in a real browser: asked for, going on without the page, opened, compared, deleted."""

from __future__ import annotations

import re

import pytest
from browsing import covered, overflow, shoot, shut_out
from faked import faked
from playwright.sync_api import expect

from litehedge.store.lake import Lake
from litehedge.ui.workshop import Workshop
from made_lakes import store
from synthetic import market

pytestmark = pytest.mark.xdist_group("browser-reports")


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    root = tmp_path_factory.mktemp("home")
    for name in ("made", "partial", "bad"):
        store(Lake(root / "lake"), name, market(2000, seed=3))
    with faked(root) as served:
        yield served[0] + "reports", root


@pytest.fixture
def page(screen, visiting):
    yield visiting(screen[0])
    workshop = Workshop(screen[1], None)
    for report in workshop.reports():
        workshop.delete(report.id)


def ask(page, data="made", **typed):
    page.get_by_label("Data set").click()
    page.get_by_role("option", name=re.compile(f"^{data} ")).click()
    for label in ("From (UTC)", "To (UTC)"):
        page.get_by_label(label).fill("")
    for label, text in typed.items():
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="Run it").click()


def cards(page, state="done"):
    return page.locator(f'[data-report][data-state="{state}"]')


def test_a_report_is_made_opened_and_deleted(page, screen):
    ask(page)
    expect(cards(page)).to_contain_text("-51.50 USDT")
    expect(cards(page)).to_contain_text("unhedged 1 time")
    with page.context.expect_page() as opened:
        cards(page).get_by_role("link", name="Open").click()
    sheet = opened.value
    expect(sheet.get_by_text("a sheet")).to_be_visible()
    assert sheet.title() == "ran"
    assert sheet.evaluate(
        "() => { try { return document.cookie } catch (e) { return 'none' } }"
    ) == ("none")
    headers = page.context.request.get(sheet.url).headers
    assert "sandbox allow-scripts" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    sheet.close()
    cards(page).get_by_role("button", name=re.compile("^Delete")).click()
    page.get_by_role("button", name="Delete it").click()
    expect(cards(page)).to_have_count(0)
    assert not list((screen[1] / "reports").iterdir())


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_it_fits(screen, page, visiting, size):
    ask(page)
    expect(cards(page)).to_have_count(1)
    other = visiting(screen[0], size)
    expect(cards(other)).to_have_count(1)
    assert overflow(other) <= 0
    assert not covered(other)
    other.wait_for_timeout(1000)
    assert not shut_out(other)
    shoot(other, f"reports-{size}")


def test_one_goes_on_without_its_page_and_tells_what_it_found_when_cancelled(
    page, screen, visiting
):
    ask(page, "partial")
    expect(cards(page, "running")).to_contain_text("10%")
    page.close()
    again = visiting(screen[0])
    expect(cards(again, "running")).to_contain_text("10%")
    shoot(again, "reports-running")
    again.get_by_role("button", name="Cancel …").click()
    again.get_by_role("button", name="Cancel it").click()
    expect(cards(again)).to_contain_text("Cancelled after 4 of 9 days")
    expect(cards(again)).to_contain_text("-51.50 USDT")
    shoot(again, "reports-cancelled")


def test_who_ran_no_study_is_shown_the_one_that_ships(page, screen, visiting):
    expect(page.locator(".hg-badge").filter(has_text="NO SESSION")).to_be_visible()
    expect(page.locator(".hg-age")).to_have_text("")  # nothing is live where there is no session
    shipped = page.locator("[data-shipped]")
    expect(shipped).to_contain_text("In 40 simulated worlds")
    expect(shipped).to_contain_text("hedged behind the limits")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open").click()
    expect(opened.value.get_by_text("Blow-ups: 182 days, 40 simulated worlds")).to_be_visible()
    opened.value.close()
    page.get_by_role("button", name="Run a small one").click()
    expect(cards(page)).to_contain_text("30 days in 4 simulated worlds")
    again = visiting(screen[0])
    expect(again.get_by_text("Who is ruined")).to_be_visible()
    expect(again.locator("[data-shipped]")).to_have_count(0)


def test_one_that_fails_says_why(page):
    ask(page, "bad")
    expect(cards(page, "failed")).to_contain_text("bad cannot be used give another")
    cards(page, "failed").get_by_role("button").click()
    expect(cards(page, "failed")).to_have_count(0)


def test_every_mistake_stands_beside_its_field_and_nothing_is_begun(page):
    ask(page, Leverage="500", **{"Wallet, USDT": "x"})
    expect(page.get_by_text("This must be above 0 and at most 125.")).to_be_visible()
    expect(page.get_by_text("This must be a number.")).to_be_visible()
    assert page.get_by_label("Leverage", exact=True).input_value() == "500"
    expect(page.get_by_text("No report yet.")).to_be_visible()


def test_two_stand_side_by_side(page):
    ask(page)
    expect(cards(page)).to_have_count(1)
    ask(page, Leverage="7")
    expect(cards(page)).to_have_count(2)
    page.get_by_role("button", name="Compare 5x long on made").click()
    page.get_by_role("button", name="Compare 7x long on made").click()
    expect(page.get_by_text("Two reports side by side")).to_be_visible()
    expect(page.get_by_role("cell", name="leverage")).to_be_visible()
    assert overflow(page) <= 0
    shoot(page, "reports-compared")


def test_no_address_leads_out_of_the_reports(screen, page):
    base = screen[0]
    for name in ("../litehedge.toml", "..%2f..%2fetc%2fpasswd", "nope"):
        assert page.context.request.get(f"{base}/sheet/{name}").status == 404

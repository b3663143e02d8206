"""The settings in a real browser: mistakes beside fields, what was typed kept, a diff, a word."""

from __future__ import annotations

import re

import pytest
from browsing import covered, overflow, shoot, shut_out
from faked import faked
from playwright.sync_api import expect

from litehedge.ui.settings_file import read_file

pytestmark = pytest.mark.xdist_group("browser-settings")


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    with faked(tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture
def page(screen, visiting):
    screen[1].write_text("# mine\n[limits]\nmax_leverage = 20.0  # not more\n")
    return visiting(screen[0] + "settings")


def open_section(page, name):
    page.get_by_role("tab", name=name).click()


def field(page, path):
    return page.locator(f'[data-setting="{path}"]')


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_it_fits(screen, visiting, size):
    page = visiting(screen[0] + "settings", size)
    open_section(page, "Limits")
    expect(field(page, "limits.max_leverage")).to_contain_text("Max leverage")
    assert overflow(page) <= 0
    assert not covered(page)
    page.wait_for_timeout(1000)
    assert not shut_out(page)
    shoot(page, f"settings-{size}")


def test_every_mistake_stands_beside_its_field_and_what_was_typed_stays(page, screen):
    before = screen[1].read_text()
    field(page, "position.leverage").locator("input").fill("lots")
    open_section(page, "Limits")
    field(page, "limits.collar_bps").locator("input").fill("0.5")
    expect(page.get_by_text("2 changes, not saved yet")).to_be_visible()
    page.get_by_role("button", name="Save …").click()
    expect(page.get_by_text("3 fields are wrong; nothing was saved")).to_be_visible()
    expect(field(page, "position.leverage")).to_contain_text("Must be a number")
    assert field(page, "position.leverage").locator("input").input_value() == "lots"
    open_section(page, "Costs")
    expect(field(page, "costs.half_spread_bps")).to_contain_text("The collar ends inside")
    open_section(page, "Limits")
    expect(field(page, "limits.collar_bps")).to_contain_text("The collar ends inside")
    shoot(page, "settings-mistakes")
    field(page, "limits.collar_bps").locator("input").fill("100")
    expect(field(page, "limits.collar_bps")).not_to_contain_text("The collar ends inside")
    assert screen[1].read_text() == before


def test_what_is_safer_needs_one_confirmation_and_comments_stay(page, screen):
    open_section(page, "Limits")
    field(page, "limits.max_leverage").locator("input").fill("10")
    page.get_by_role("button", name="Save …").click()
    sheet = page.locator(".hg-sheet")
    expect(sheet).to_contain_text("+max_leverage = 10.0  # not more")
    expect(sheet).not_to_contain_text("RISKIER")
    shoot(page, "settings-diff")
    sheet.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. It counts from the next start")).to_be_visible()
    assert screen[1].read_text() == "# mine\n[limits]\nmax_leverage = 10.0  # not more\n"
    expect(page.get_by_text("not saved yet")).to_be_hidden()


def test_what_is_riskier_needs_the_word(page, screen):
    open_section(page, "Limits")
    field(page, "limits.max_leverage").locator("input").fill("30")
    page.get_by_role("button", name="Save …").click()
    sheet = page.locator(".hg-sheet")
    expect(sheet).to_contain_text("Riskier: limits.max_leverage: 20 to 30.")
    sheet.get_by_role("button", name="Save", exact=True).click()
    expect(sheet.get_by_role("alert")).to_contain_text("Nothing was saved")
    assert read_file(screen[1]).settings.limits.max_leverage == 20.0
    sheet.get_by_label(re.compile("Type RISKIER")).fill("RISKIER")
    sheet.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. It counts from the next start")).to_be_visible()
    assert read_file(screen[1]).settings.limits.max_leverage == 30.0


def test_a_file_with_mistakes_is_told_and_not_touched(screen, visiting):
    screen[1].write_text("[limits]\nmax_leverge = 3\n")
    page = visiting(screen[0] + "settings")
    expect(
        page.get_by_text("max_leverge is not a setting. Did you mean max_leverage?")
    ).to_be_visible()
    assert screen[1].read_text() == "[limits]\nmax_leverge = 3\n"


def test_alerts_keys_and_advice_say_what_commands_said(page):
    page.get_by_role("button", name="Send a test alert").click()
    expect(page.get_by_text("ntfy: 1 of 3 taken: refused.")).to_be_visible()
    page.get_by_role("button", name="Which are known?").click()
    expect(page.get_by_text("in the keyring", exact=True)).to_be_visible()


def test_the_model_of_the_next_session_is_a_setting(screen, visiting):
    screen[1].write_text("# mine\n")
    page = visiting(screen[0] + "models")
    expect(page.locator('[data-model="ltc-5m-logistic"]')).to_contain_text("auditable by hand")
    assert overflow(page) <= 0
    shoot(page, "models-desktop")
    page.get_by_label("Model", exact=True).click()
    page.get_by_role("option", name=re.compile("^ltc-5m-logistic")).click()
    page.get_by_role("button", name="Save …").click()
    expect(page.locator(".hg-sheet")).to_contain_text('+name = "ltc-5m-logistic"')
    page.locator(".hg-sheet").get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. It counts from the next start")).to_be_visible()
    assert read_file(screen[1]).settings.model.name == "ltc-5m-logistic"
    assert screen[1].read_text().startswith("# mine\n")

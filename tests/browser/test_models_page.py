"""The page of models: a typed word lets a model serve, a tap and a confirmation the one before."""

from __future__ import annotations

import os

import pytest
from browsing import covered, overflow, served, shut_out
from guarding import Guarding
from playwright.sync_api import expect

from litehedge.shelf.champion import champion_of
from litehedge.shelf.lineage import promote

pytestmark = pytest.mark.xdist_group("browser-models_page")


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """A screen on a home whose registry has a champion and a challenger that waits."""
    root = tmp_path_factory.mktemp("home")
    before = os.environ.get("LITEHEDGE_HOME")
    os.environ["LITEHEDGE_HOME"] = str(root)
    try:
        promote("ltc-5m", "tried")
        with Guarding(root, apart_s=0.25), served(root, "--demo") as shown:
            yield shown
    finally:
        if before is None:
            del os.environ["LITEHEDGE_HOME"]
        else:
            os.environ["LITEHEDGE_HOME"] = before


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_rolled_back_by_a_tap_and_promoted_by_a_word(screen, looking, size):
    page = looking(screen, "/models", size)
    first, other = (page.locator(f'[data-standing="{n}@1"]') for n in ("ltc-5m", "ltc-5m-logistic"))
    expect(first).to_contain_text("champion, frames of 5m")
    assert overflow(page) <= 0
    assert not covered(page)
    assert not shut_out(page)

    page.get_by_role("button", name="Roll back to ltc-5m-logistic@1").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back", exact=True).click()
    expect(other).to_contain_text("champion, frames of 5m")
    assert champion_of(300).version.label == "ltc-5m-logistic@1"

    page.get_by_role("button", name="Promote ltc-5m@1").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_role("button", name="Promote", exact=True).click()
    expect(sheet.get_by_role("alert")).to_contain_text("Nothing was changed")
    assert champion_of(300).version.label == "ltc-5m-logistic@1"
    sheet.get_by_label("Type PROMOTE").fill("PROMOTE")
    sheet.get_by_role("button", name="Promote", exact=True).click()
    # It is tried first, and a first try compiles.
    expect(first).to_contain_text("champion, frames of 5m", timeout=120_000)
    assert champion_of(300).version.label == "ltc-5m@1"

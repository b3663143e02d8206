"""Laws of every page: it fits, nothing covers anything, nobody is shut out, HALT is in reach."""

from __future__ import annotations

import pytest
from browsing import covered, overflow, served, shut_out
from guarding import Guarding
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser-every_page")
PAGES = ("/", "/models")
"""The others are tested so in their own files, with something on them."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A session that runs, and a screen on its home."""
    root = tmp_path_factory.mktemp("home")
    with Guarding(root, apart_s=0.25), served(root, "--demo") as screen:
        yield screen


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_and_shuts_nobody_out(guarded, looking, path, size):
    page = looking(guarded, path, size)
    page.wait_for_timeout(1500)
    assert overflow(page) <= 0
    assert not covered(page)
    expect(page.locator("#halt")).to_be_in_viewport()
    expect(page.locator('[data-hg-text="mode"]')).not_to_be_empty()
    text = page.locator("body").inner_text()
    assert not [word for word in ("undefined", "NaN", "None", "Traceback") if word in text.split()]
    assert not shut_out(page)

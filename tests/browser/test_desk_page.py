"""The desk in a real browser: what is seen, what can be done, and what it says when it is stale."""

from __future__ import annotations

import json
import re
import shutil
import time

import msgspec
import pytest
from browsing import covered, overflow, served, shoot, shut_out
from guarding import Guarding
from playwright.sync_api import Page, expect

from litehedge.live.session import Aside, session_at
from litehedge.market import events as ev
from litehedge.store.durable import write_whole
from litehedge.store.journal import Journal

pytestmark = pytest.mark.xdist_group("browser-desk")
MOST_BYTES_S = 2048


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A session that runs, and a screen on its home."""
    root = tmp_path_factory.mktemp("home")
    with Guarding(root) as guarding, served(root, "--demo") as screen:
        yield guarding, screen


def _commands(guarding: Guarding) -> list[ev.Event]:
    journal = Journal(guarding.session.journal)
    try:
        last = journal.last_run()
        assert last is not None
        return list(journal.commands(last[0]))
    finally:
        journal.close()


def _price(page: Page) -> str:
    return page.locator('[data-hg-text="price"]').inner_text()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_the_desk_fits_and_lives(guarded, looking, size):
    page = looking(guarded[1], "/", size)
    expect(page.locator('[data-hg-text="away"]')).to_have_text(re.compile(r"\d+\.\d%|none"))
    expect(page.locator('[data-hg-text="mode"]')).to_have_text("PAPER")
    expect(page.locator('[data-hg-text="trading"]')).to_have_text("ACTIVE")
    before = _price(page)
    page.wait_for_function(
        "price => document.querySelector('[data-hg-text=price]').textContent !== price", arg=before
    )
    assert overflow(page) <= 0
    assert not covered(page)
    shoot(page, f"desk-{size}")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_nothing_on_the_desk_is_out_of_reach_for_anybody(guarded, looking, size):
    page = looking(guarded[1], "/", size)
    page.wait_for_timeout(1000)
    assert not shut_out(page)


def _drawn(page: Page) -> list[list[float]]:
    """The prices on the chart, (ms, price)."""
    return page.evaluate(
        """() => getElement(document.querySelector(".hg-chart").id.slice(1)).chart
          .getOption().series.find((one) => one.id === "price").data"""
    )


def test_the_chart_has_the_past_and_goes_on(guarded, looking):
    page = looking(guarded[1])
    page.wait_for_function(
        """() => getElement(document.querySelector(".hg-chart").id.slice(1))?.chart?.getOption()
          .series[0].data.length > 30"""
    )
    before = _drawn(page)
    page.wait_for_timeout(1500)
    after = _drawn(page)
    assert after[-1][0] > before[-1][0]
    times = [ms for ms, _ in after]
    assert times == sorted(times)


def test_points_that_come_before_the_chart_are_drawn_with_it(guarded, looking):
    page = looking(guarded[1])
    page.evaluate(
        """() => {
          const real = window.getElement;
          window.told = [];
          window.isThere = false;
          const chart = { setOption: (option) => window.told.push(JSON.stringify(option)) };
          window.getElement = (id) => id !== "late" ? real(id)
            : window.isThere ? { chart } : undefined;
          hg.attach("late", "late", { price: [[1000, 80]] });
          hg.points("late", { price: [[9000, 81]], hedge: [[9000, 50]] });
        }"""
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.told") == []
    page.evaluate("window.isThere = true")
    page.wait_for_function("window.told.length > 0")
    option = json.loads(page.evaluate("window.told[0]"))
    series = {one["id"]: one["data"] for one in option["series"]}
    assert series["price"] == [[1000, 80], [9000, 81]]
    assert series["hedge"] == [[9000, 50]]


def test_targets_are_large_enough_for_a_thumb(guarded, looking):
    page = looking(guarded[1], "/", "phone")
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, .hg-bar a")].filter((e) => {
          const box = e.getBoundingClientRect();
          return box.width && (box.height < 44 || box.width < 44);
        }).map((e) => e.outerHTML.slice(0, 100))"""
    )
    assert small == []


def test_what_is_pushed_is_little(tmp_path, looking):
    with Guarding(tmp_path, apart_s=0.25), served(tmp_path, "--demo") as screen:
        page = looking(screen)
        sizes: list[int] = []

        def came(told: dict) -> None:
            sizes.append(len(told["response"]["payloadData"]))

        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.webSocketFrameReceived", came)
        page.reload()
        page.wait_for_timeout(2000)
        sizes.clear()
        began = time.monotonic()
        page.wait_for_timeout(6000)
        rate = sum(sizes) / (time.monotonic() - began)
    assert sizes, "nothing was pushed at all"
    assert rate < MOST_BYTES_S


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_halt_is_two_taps_and_resume_a_word(guarded, looking, size):
    guarding, screen = guarded
    page = looking(screen, "/", size)
    page.locator("#halt").click()
    sheet = page.locator(".hg-sheet")
    expect(sheet).to_contain_text("stay as they are")
    shoot(page, f"halt-{size}")
    sheet.get_by_text("HALT", exact=True).click()
    expect(page.locator('[data-hg-text="trading"]')).to_have_text("HALTED")
    expect(page.locator('[data-hg-text="stage"]')).to_contain_text("done, 3 of 3")
    assert isinstance(_commands(guarding)[-1], ev.Halt)
    page.get_by_text("Close", exact=True).click()

    page.locator("#halt").click()
    page.get_by_text("Resume …").click()
    page.get_by_label("Type RESUME").fill("resume")
    page.get_by_text("Resume", exact=True).click()
    expect(page.locator(".hg-problem")).to_contain_text("Nothing was asked")
    assert isinstance(_commands(guarding)[-1], ev.Halt)
    page.get_by_label("Type RESUME").fill("RESUME")
    page.get_by_text("Resume", exact=True).click()
    expect(page.locator('[data-hg-text="trading"]')).to_have_text("ACTIVE")


def test_a_hedge_is_held_and_less_of_it_asks_for_a_word(guarded, looking):
    guarding, screen = guarded
    page = looking(screen, "/", "phone")
    page.get_by_text("Hold …").click()
    page.get_by_label("Hedge in percent").fill("100")
    page.get_by_text("Hold it").click()
    expect(page.locator('[data-hg-text="stage"]')).to_contain_text("done, 3 of 3", timeout=20_000)
    assert _commands(guarding)[-1].ratio == 1.0
    page.get_by_text("Close", exact=True).click()
    expect(page.locator('[data-hg-text="held_by"]')).to_contain_text("You hold the hedge at 100%")
    shoot(page, "held-phone")

    page.get_by_text("Hold …").click()
    page.get_by_text("0%", exact=True).click()
    page.get_by_text("Hold it").click()
    expect(page.locator(".hg-problem")).to_contain_text("Type LESS")
    assert _commands(guarding)[-1].ratio == 1.0
    page.get_by_text("Cancel").click()
    page.get_by_text("Follow …").click()
    page.get_by_text("Follow", exact=True).click()
    expect(page.locator('[data-hg-text="stage"]')).to_contain_text("done, 3 of 3")
    assert isinstance(_commands(guarding)[-1], ev.Follow)


def test_a_frozen_server_is_seen_by_the_page_itself(guarded, looking):
    page = looking(guarded[1], "/", "phone")
    expect(page.locator(".hg-stale")).to_be_hidden()
    guarded[1].freeze()
    try:
        expect(page.locator(".hg-stale")).to_be_visible(timeout=8000)
        expect(page.locator(".hg-stale")).to_contain_text("hears nothing from the screen's server")
        expect(page.locator('[data-hg-text="age"]')).to_have_text(re.compile(r"data \d+ s old"))
        shoot(page, "stale-phone")
    finally:
        guarded[1].thaw()
    expect(page.locator(".hg-stale")).to_be_hidden(timeout=20_000)


def test_a_session_that_ended_is_not_shown_as_live(tmp_path, looking):
    with Guarding(tmp_path) as guarding, served(tmp_path, "--demo") as screen:
        page = looking(screen)
        expect(page.locator(".hg-stale")).to_be_hidden()
        guarding.stop()
        expect(page.locator(".hg-stale")).to_contain_text(
            "nobody guards the position", timeout=9000
        )
        page.get_by_text("Close all …").click()
        page.get_by_text("CLOSE ALL", exact=True).click()
        expect(page.locator('[data-hg-text="stage"]')).to_contain_text("within a minute")


def test_a_demo_that_is_over_says_so_and_not_that_it_is_stale(tmp_path, looking):
    with Guarding(tmp_path) as guarding, served(tmp_path, "--demo") as screen:
        aside = guarding.session.aside
        write_whole(aside, msgspec.json.encode(Aside(("Look here.",))))
        page = looking(screen)
        expect(page.locator(".hg-tour")).to_contain_text("Look here.")
        guarding.stop()
        write_whole(aside, msgspec.json.encode(Aside(("Look here.",), "The demo is over: gone.")))
        over = page.locator('[data-hg-show="over"]')
        expect(over).to_contain_text("The demo is over: gone.")
        page.wait_for_timeout(4000)  # longer than what makes data stale
        expect(page.locator('[data-hg-text="age"]')).to_have_text("over")
        expect(page.locator(".hg-stale")).to_be_hidden()
        shoot(page, "demo-over")
        page.locator("#halt").click()
        page.locator(".hg-sheet").get_by_text("HALT", exact=True).click()
        expect(page.get_by_text("nothing can be asked of it")).to_be_visible()
    expect(page.locator(".hg-stale")).to_contain_text("screen of this demo is closed")


def test_everything_is_closed_after_one_confirmation(tmp_path, looking):
    with Guarding(tmp_path), served(tmp_path, "--demo") as screen:
        page = looking(screen, "/", "phone")
        page.get_by_text("Close all …").click()
        page.get_by_text("CLOSE ALL", exact=True).click()
        expect(page.locator('[data-hg-text="stage"]')).to_contain_text(
            "done, 3 of 3", timeout=30_000
        )
        expect(page.locator('[data-hg-text="trading"]')).to_have_text("HALTED")


def test_with_several_sessions_nothing_in_the_header_is_cut(tmp_path, looking):
    with Guarding(tmp_path) as guarding, served(tmp_path, "--demo") as screen:
        other = session_at(tmp_path, "another-with-a-long-name")
        other.folder.mkdir()
        shutil.copy(guarding.session.journal, other.journal)
        for size in ("phone", "desktop"):
            page = looking(screen, "/", size)
            expect(page.locator(".hg-top .q-select")).to_be_visible()
            page.wait_for_timeout(1000)
            assert overflow(page) <= 0
            cut = page.evaluate(
                """() => [...document.querySelectorAll(".hg-top h1, .hg-top > span")]
                .filter((e) => {
                  const box = e.getBoundingClientRect();
                  const isAway = box.right < 0;  // for those who listen
                  return box.width && !isAway && (e.scrollWidth > e.clientWidth + 1 && e.clientWidth
                    || box.left < 0 || box.right > innerWidth);
                }).map((e) => e.outerHTML.slice(0, 90))"""
            )
            assert cut == []
            shoot(page, f"several-{size}")


def test_without_a_session_it_says_how_to_begin(tmp_path, looking):
    with served(tmp_path, "--demo") as screen:
        page = looking(screen, "/", "phone")
        expect(page.locator("#main")).to_contain_text("No session yet")
        assert overflow(page) <= 0

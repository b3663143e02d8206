"""The tear-sheet as a reader meets it: whole, in order, safe, small, and without a network."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import made
import numpy as np
import pytest

from litehedge.errors import UsageError
from litehedge.hedge.band import Action
from litehedge.market import events as ev
from litehedge.report.calls import Call
from litehedge.report.details import filled_ltc, score_name, shown_decisions
from litehedge.report.echarts import dist_folder, script
from litehedge.report.tearsheet import TearSheet, render
from litehedge.sim.episode import PATH_HI, PATH_LO
from litehedge.units import NS_PER_MINUTE

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&amp; \u2028 {{ }} ${x}"


class Page(HTMLParser):
    """Reads a page back: its elements with their attributes, headings, and words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.words = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag in ("h1", "h2"):
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("h1", "h2"):
            self.headings[-1] += data
        if self._inside not in ("script", "style"):
            self.words += data


def own(text: str) -> str:
    """The page without the bundle."""
    return text.replace(script(dist_folder()), "")


def page_of(**changes: object) -> Page:
    return Page(own(render(made.sheet_of(**changes))))


# --- what it holds ----------------------------------------------------------------------------


def test_sections_come_in_the_order_people_ask() -> None:
    page = page_of(card=made.card_of(), comparisons=[made.comparison_of()])
    assert page.headings == [
        "5x long through 2023-03-06 .. 2023-03-11: 1 squeeze, 1 liquidation without hedge, 0 with",
        "Profit and loss since the start", "Drawdown", "Price and squeezes",
        "Hedge ratio and band", "Distance to liquidation", "What it cost", "Months", "Figures",
        "All policies: 10x long, 40 episodes", "Squeezes", "Decisions", "Assumptions",
        "Model card",
    ]  # fmt: skip


def test_every_chart_has_a_place_and_an_option() -> None:
    text = own(render(made.sheet_of(comparisons=[made.comparison_of()])))
    places = re.findall(r'id="chart-([\w-]+)"', text)
    assert places == re.findall(r'litehedgeDraw\("chart-([\w-]+)",', text)
    assert len(set(places)) == len(places) == 9


def test_a_comparison_alone_makes_a_report() -> None:
    page = page_of(runs={}, comparisons=[made.comparison_of()])
    assert page.headings[0].startswith("10x long, 40 episodes in 2023-03-06 .. 2023-03-11: ")
    assert "liquidated without hedge" in page.headings[0]
    assert page.headings[1:] == ["All policies: 10x long, 40 episodes", "Assumptions"]


def test_a_policy_that_was_not_compared_leaves_the_title_to_the_others() -> None:
    page = page_of(policy="mine", runs={}, comparisons=[made.comparison_of(["oracle"])])
    assert page.headings[0] == "10x long, 40 episodes in 2023-03-06 .. 2023-03-11"


def test_a_report_on_no_hedge_compares_with_nothing() -> None:
    sheet = made.sheet_of(policy="unhedged")
    alone = replace(sheet, runs={"unhedged": sheet.runs["unhedged"]})
    page = Page(own(render(alone)))
    assert page.headings[0].endswith(": 1 squeeze, 1 liquidation")
    assert "Decisions" not in page.headings


def test_nothing_to_report_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a run or a comparison"):
        render(made.sheet_of(runs={}))


def test_a_policy_without_a_run_is_refused() -> None:
    with pytest.raises(UsageError, match="no run of 'oracle'"):
        render(made.sheet_of(policy="oracle"))


def test_a_path_without_a_band_is_drawn_from_the_decisions() -> None:
    sheet = made.sheet_of()
    sheet.runs["plugin"].path[:, [PATH_LO, PATH_HI]] = np.nan
    assert "Band to" in render(sheet)


def test_what_follows_a_liquidation_is_told_as_it_was() -> None:
    sheet = made.sheet_of()
    assert "a fresh wallet at the next midnight (UTC)" in Page(own(render(sheet))).words
    once = made.run_of(sheet.tape, sheet.settings, 0.0, [made.Life(0, 40, died=True)], "unhedged")
    ended = replace(sheet, runs={"plugin": sheet.runs["plugin"], "unhedged": once})
    assert "After a liquidation: nothing: the run ends." in Page(own(render(ended))).words
    alive = replace(sheet, runs={"plugin": sheet.runs["plugin"]})
    assert "After a liquidation" not in Page(own(render(alive))).words


# --- warnings ---------------------------------------------------------------------------------


def warnings_of(page: Page) -> int:
    return sum(attributes.get("class") == "hg-warning" for _, attributes in page.elements)


def test_a_small_sample_is_said_in_red() -> None:
    page = page_of(comparisons=[made.comparison_of(episodes=10)])
    assert warnings_of(page) == 2
    assert "Small sample: 1 squeeze, fewer than 10." in page.words
    assert "Small sample: 10 episodes, fewer than 20." in page.words


def test_in_sample_is_said_with_the_name_of_the_model() -> None:
    page = page_of(in_sample=True, card=made.card_of("my-model"))
    assert "In-sample: my-model was trained on data of this span." in page.words


def test_a_fair_large_sample_carries_no_warning() -> None:
    page = page_of(runs={}, comparisons=[made.comparison_of()])
    assert warnings_of(page) == 0


def test_notes_are_shown() -> None:
    assert "Bars are spot." in page_of(notes=["Bars are spot."]).words


# --- tables -----------------------------------------------------------------------------------


def test_a_squeeze_tells_how_it_went() -> None:
    page = page_of()
    assert f"1 {Call.CAUGHT}" in page.words
    assert "✓ caught" in page.words


def test_decisions_tell_action_size_reason_and_code() -> None:
    words = page_of().words
    for told in ("▲ increase", "✕ decrease refused", "0.0% → 100.0%", "+50.000 LTC", "because",
                 "ORDERS_PER_DAY_ABOVE_LIMIT", "12.0 bps", "Show the 1 held as well"):  # fmt: skip
        assert told in words, told


def test_a_partial_fill_is_told() -> None:
    sheet = made.sheet_of()
    run = sheet.runs["plugin"]
    order = run.decisions[1].order_id
    fill = ev.OrderFilled(1, 1, order, 1, -20.0, 100.0, 1.0, 1.0)
    run.account_events.extend([fill, ev.OrderExpired(1, 1, order, "no volume")])
    assert filled_ltc(run.account_events) == {order: 20.0}
    assert "filled 20.000" in Page(own(render(sheet))).words


def test_held_decisions_give_way_to_changes_when_there_are_too_many() -> None:
    held = [made.decision_at(2 * i, Action.MAINTAIN, 0.0, 0.0) for i in range(30)]
    moved = [made.decision_at(2 * i + 1) for i in range(8)]
    both = sorted(held + moved, key=lambda d: d.time_ns)
    shown = shown_decisions(both, 20)
    assert len(shown) == 20
    assert [d for d in shown if d.recommendation.action is Action.INCREASE] == moved
    assert [d.time_ns for d in shown] == sorted(d.time_ns for d in shown)
    assert shown_decisions(both, 38) == both


def test_a_cut_list_says_so() -> None:
    sheet = made.sheet_of()
    times = made.T0 + NS_PER_MINUTE * np.arange(2100)
    sheet.runs["plugin"].decisions[:] = [made.decision_at(int(t)) for t in times]
    words = Page(own(render(sheet))).words
    assert "2,000 of 2,100 are shown, changes first." in words


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("auc_30_long", "AUC, long squeeze within 30 min"),
        ("brier_skill_60_short", "Brier skill, short squeeze within 60 min"),
        ("new_score", "new_score"),
        ("x", "x"),
    ],
)
def test_scores_are_named_in_words(key: str, said: str) -> None:
    assert score_name(key) == said


# --- safety -----------------------------------------------------------------------------------


def hostile_sheet() -> TearSheet:
    sheet = made.sheet_of(notes=[HOSTILE], card=made.card_of(HOSTILE), in_sample=True)
    runs = {HOSTILE: replace(sheet.runs["plugin"], policy=HOSTILE)} | dict(sheet.runs)
    runs[HOSTILE].decisions[:] = [made.decision_at(int(sheet.tape.end_ns[31]), reason=HOSTILE)]
    return replace(
        sheet, policy=HOSTILE, runs=runs, tape=replace(sheet.tape, name=HOSTILE),
        comparisons=[made.comparison_of(["unhedged", HOSTILE, "oracle"])],
    )  # fmt: skip


def test_hostile_names_stay_text() -> None:
    page = Page(own(render(hostile_sheet())))
    tame = Page(own(render(made.sheet_of(card=made.card_of(), comparisons=[made.comparison_of()]))))
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in tame.elements}
    names = {name for _, attributes in page.elements for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in ("src", "href")]
    assert page.words.count("<img src=x onerror=alert(1)>") >= 8


def test_hostile_names_do_not_leave_their_scripts() -> None:
    text = own(render(hostile_sheet()))
    for body in re.findall(r'<script type="module">(.*?)</script>', text, re.DOTALL):
        assert "<img" not in body
        assert "\u2028" not in body
        assert body.count("litehedgeDraw") == bool(body.strip())


def test_the_page_forbids_itself_the_network() -> None:
    text = render(made.sheet_of(comparisons=[made.comparison_of()]))
    assert "default-src 'none'" in text
    mine = own(text)
    assert not re.search(r"https?://|\bsrc=|\bhref=|url\(|@import|fetch\(|XMLHttp", mine)


def test_the_page_fits_a_phone_and_says_so() -> None:
    text = own(render(made.sheet_of()))
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "@media (max-width: 640px)" in text


# --- size -------------------------------------------------------------------------------------


def test_a_long_run_with_many_decisions_stays_under_three_megabytes() -> None:
    given = made.settings()
    tape = made.tape_of(made.wandering(40_000), bar_ns=NS_PER_MINUTE)
    tape.squeezes.extend(made.squeeze_at(tape, i, i + 20, i + 40) for i in range(0, 39_000, 60))
    ratio = np.random.default_rng(0).uniform(0.0, 1.0, 40_000)
    names = ("plugin", "unhedged", "margin-vol", "static-50")
    runs = {name: made.run_of(tape, given, ratio, policy=name) for name in names}
    reason = "P(liquidation in 60 min) is 0.89%, above 0.78%; liquidation 15% away without hedge"
    runs["plugin"].decisions.extend(
        made.decision_at(int(t), reason=reason, refused=bool(i % 2))
        for i, t in enumerate(tape.end_ns[::10])
    )
    sheet = TearSheet(
        policy="plugin", settings=given, tiers=made.TIERS, tape=tape, created_ns=made.T0,
        runs=runs, comparisons=[made.comparison_of()] * 2, card=made.card_of(),
    )  # fmt: skip
    assert len(render(sheet).encode()) < 3_000_000

"""The desk: how far away liquidation is, what is coming, what is done about it."""

from __future__ import annotations

from typing import Any, Final

from nicegui import ui

from litehedge.report.style import AMBER, BLUE, DIM, LINE, TEAL
from litehedge.squeeze.forecast import OUTLOOK_MIN
from litehedge.ui import view
from litehedge.ui.adjust import Adjust
from litehedge.ui.frame import framed
from litehedge.ui.page import Page, card, meant, packed, say, words
from litehedge.ui.seen import Seen
from litehedge.ui.watching import Home
from litehedge.units import NS_PER_SECOND

_AXIS: Final = {"lineStyle": {"color": LINE}}
_SPLIT: Final = {"lineStyle": {"color": LINE}}
_WORDS: Final = {"color": DIM}


async def desk(home: Home, session: str) -> None:
    """Build the page."""
    page = Page(home, "/", await meant(home, session))
    with framed(page) as adjust:
        if page.watching is None:
            _nothing_yet()
            return
        watching = page.watching
        page.says.append(lambda: watching.once("desk", lambda: view.desk(watching.seen)))
        if watching.aside.sentences:
            _tour(page)
        with ui.element("div").classes("hg-columns"):
            with ui.element("div").classes("hg-column"):
                _distance(page, watching.seen)
                _hedge(adjust)
            with ui.element("div").classes("hg-column"):
                _forecast()
                _decisions()
                _alerts()


def _tour(page: Page) -> None:
    """Show the sentences of a demo; each has the number of the card that it points at."""
    watching = page.watching
    assert watching is not None
    page.says.append(
        lambda: {f"tour_{i}": text for i, text in enumerate(watching.aside.sentences, 1)}
    )
    with ui.element("ol").classes("hg-tour").props('aria-label="What to look at"'):
        for number in range(1, len(watching.aside.sentences) + 1):
            with ui.element("li"):
                say(f"tour_{number}")


def _nothing_yet() -> None:
    with card("No session yet"):
        words("Begin one on paper: the real market, no key, no money.", "hg-sentence")
        with ui.element("a").classes("hg-button hg-safe").props('href="/begin"').style(
            "display:inline-flex;align-items:center;justify-content:center;margin-top:12px;"
            "text-decoration:none"
        ):  # fmt: skip
            ui.label("Begin on paper")


def _distance(page: Page, seen: Seen) -> None:
    with card(css="hg-live hg-look-1"):
        with ui.element("div").classes("hg-split hg-tight"):
            with ui.element("div"):
                say("away_label", "hg-dim", "div")
                say("away", "hg-hero", "div").props('data-hg-state="danger"')
                say("to_liquidation", "hg-dim", "div")
            with ui.element("div").classes("hg-right"):
                words("LTC", "hg-dim")
                say("price", "", "div").style("font-size:22px;font-weight:700")
                say("position", "hg-dim", "div")
                say("equity", "hg-dim", "div")
        with ui.element("div").classes("hg-track").props('aria-hidden="true"'):
            ui.element("div").classes("hg-knob").props('data-hg-left="away_at"')
        _chart(page, seen)


def _chart(page: Page, seen: Seen) -> None:
    # Its points go to the page once, beside it: kept in the element they would be sent twice, and
    # stay in the server for as long as the page is open.
    element = ui.echart(chart_option()).classes("hg-chart").props(
        'role="img" aria-label="Price of the last hour, probability of a squeeze, hedge"'
    )  # fmt: skip

    def whole() -> str:
        return f"window.hg?.attach('desk',{element.id},{packed(view.chart_points(seen))});"

    ui.run_javascript(whole())
    since, count, sent_ns = seen.since, seen.count, seen.now_ns

    def newer() -> str:
        nonlocal since, count, sent_ns
        if seen.count == count:
            return ""
        after_ns, sent_ns, count = sent_ns - NS_PER_SECOND, seen.now_ns, seen.count
        if seen.since != since:  # another journal, or a clock that was set back
            since = seen.since
            return whole()
        news = view.chart_points(seen, after_ns)
        return f"window.hg?.points('desk',{packed(news)});" if news else ""

    page.pushes.append(newer)


def chart_option() -> dict[str, Any]:
    """Return the desk's chart, still empty: price, below it squeeze and hedge in percent, UTC."""
    time_axis: dict[str, Any] = {"type": "time", "axisLine": _AXIS, "axisLabel": _WORDS}
    return {
        "useUTC": True,
        "animation": False,
        "tooltip": {"trigger": "axis"},
        "legend": {"bottom": 0, "textStyle": _WORDS, "data": ["Squeeze within 60 min", "Hedge"]},
        "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "grid": [
            {"left": 52, "right": 12, "top": 10, "height": "52%"},
            {"left": 52, "right": 12, "top": "66%", "height": "18%"},
        ],
        "xAxis": [
            {**time_axis, "axisLabel": {"show": False}},
            {**time_axis, "gridIndex": 1, "axisLabel": {**_WORDS, "hideOverlap": True}},
        ],
        "yAxis": [
            {"type": "value", "scale": True, "splitLine": _SPLIT, "axisLabel": _WORDS},
            {
                "type": "value", "gridIndex": 1, "min": 0, "max": 100, "interval": 50,
                "splitLine": _SPLIT, "axisLabel": {**_WORDS, "formatter": "{value}%"},
            },
        ],
        "series": [
            {
                "id": "price", "name": "Price", "type": "line", "showSymbol": False,
                "lineStyle": {"color": BLUE, "width": 2}, "itemStyle": {"color": BLUE},
                "data": [],
            },
            {
                "id": "squeeze", "name": "Squeeze within 60 min", "type": "line",
                "showSymbol": False, "xAxisIndex": 1, "yAxisIndex": 1,
                "lineStyle": {"color": AMBER}, "itemStyle": {"color": AMBER},
                "areaStyle": {"color": AMBER, "opacity": 0.2}, "data": [],
            },
            {
                "id": "hedge", "name": "Hedge", "type": "line", "step": "end",
                "showSymbol": False, "xAxisIndex": 1, "yAxisIndex": 1,
                "lineStyle": {"color": TEAL, "type": "dashed"}, "itemStyle": {"color": TEAL},
                "data": [],
            },
        ],
    }  # fmt: skip


def _hedge(adjust: Adjust) -> None:
    with card("Hedge", css="hg-live hg-look-3"):
        with ui.element("div").classes("hg-split"):
            with ui.element("div"):
                say("hedge", "hg-hero", "span")
                words("now", "hg-dim", "span").style("margin-left:6px")
            with ui.element("div").classes("hg-right"):
                say("hedge_next", "", "span").style("font-size:22px;font-weight:700")
                words("next", "hg-dim", "span").style("margin-left:6px")
                say("band", "hg-dim", "div")
        with ui.element("div").classes("hg-track hg-track-plain").props('aria-hidden="true"'):
            ui.element("div").classes("hg-band").props(
                'data-hg-left="band_at" data-hg-width="band_wide"'
            )
            ui.element("div").classes("hg-knob hg-knob-next").props('data-hg-left="next_at"')
            ui.element("div").classes("hg-knob").props('data-hg-left="hedge_at"')
        say("reason", "hg-sentence", "div")
        with ui.element("div").classes("hg-split").style("margin-top:12px"):
            for text, act in (
                ("Hold …", adjust.open_set), ("Freeze …", adjust.open_freeze),
                ("Follow …", adjust.open_follow), ("Close all …", adjust.open_close_all),
            ):  # fmt: skip
                with ui.element("button").classes("hg-button").style(
                    "flex:1 1 120px;font-size:14px"
                ).on("click", act):  # fmt: skip
                    ui.label(text)


def _forecast() -> None:
    with card(key="squeeze_of", css="hg-live hg-look-2"):
        with ui.element("div").classes("hg-split"):
            say("squeeze", "hg-hero", "div")
            say("forecast_quality", "hg-dim", "div")
        say("forecast_state", "hg-dim", "div")
        with ui.element("table").classes("hg-table"):
            with ui.element("thead"), ui.element("tr"):
                words("within min", tag="th")
                for minutes in OUTLOOK_MIN:
                    words(f"{minutes:g}", tag="th")
                words("peak", tag="th")
            with ui.element("tbody"):
                for side in ("long", "short"):
                    with ui.element("tr"):
                        words(f"{side}s", tag="td")
                        for minutes in OUTLOOK_MIN:
                            say(f"{side}_{minutes:g}", tag="td")
                        say(f"{side}_peak", tag="td")
        say("bears", "hg-dim hg-sentence", "div")


def _decisions() -> None:
    with card("Latest decisions"):
        ui.element("div").classes("hg-lines").props('data-hg-list="decisions"')


def _alerts() -> None:
    with card("Alerts"):
        ui.element("div").classes("hg-lines").props('data-hg-list="alerts"')

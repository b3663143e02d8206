"""The desk's chart: what is pushed to it."""

from __future__ import annotations

import json
import re

import pytest
from nicegui import Client, ui

from litehedge.live.session import session_at
from litehedge.market import events as ev
from litehedge.ui import desk
from litehedge.ui.page import Page
from litehedge.ui.watching import Home, Watching
from litehedge.units import NS_PER_SECOND


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setattr(ui, "run_javascript", lambda code: None)  # no browser listens
    with Client(ui.page("/"), request=None):
        yield Page(Home(tmp_path), "/", Watching(session_at(tmp_path, "t")))


def _trades(*seconds):
    return [ev.Trade(s * NS_PER_SECOND, s * NS_PER_SECOND, 80.0 + s, 1.0, True) for s in seconds]


def _told(script):
    """Which function of the page was called, and with which prices."""
    found = re.fullmatch(r"window\.hg\?\.(\w+)\('desk',(?:\d+,)?(.*)\);", script)
    return found[1], json.loads(found[2])["price"]


def test_what_is_new_is_pushed_and_another_journal_begins_the_chart_anew(page):
    seen = page.watching.seen
    seen.take(_trades(100, 101, 102))
    desk._chart(page, seen)
    (push,) = page.pushes
    assert push() == ""
    seen.take(_trades(103))
    assert _told(push()) == ("points", [[102_000, 182.0], [103_000, 183.0]])  # that one changed
    seen.forget()  # the journal was replaced by another, whose time is earlier
    seen.take(_trades(50, 51))
    assert _told(push()) == ("attach", [[50_000, 130.0], [51_000, 131.0]])
    seen.take(_trades(52))
    assert _told(push())[0] == "points"


def test_the_points_are_not_kept_in_the_element(page):
    page.watching.seen.take(_trades(*range(100, 200)))
    desk._chart(page, page.watching.seen)
    (chart,) = [one for one in ui.context.client.elements.values() if isinstance(one, ui.echart)]
    assert [one["data"] for one in chart.options["series"]] == [[], [], []]

"""The sheets with which a person acts: a command is asked once, of the session that is shown."""

from __future__ import annotations

import asyncio
import threading

import pytest
from nicegui import Client, ui
from screens import commands_in

from litehedge.errors import JournalError
from litehedge.live.session import Aside
from litehedge.market import events as ev
from litehedge.ui.adjust import Adjust
from litehedge.ui.page import Page
from litehedge.ui.watching import Home, Watching


@pytest.fixture
def adjust(session, tmp_path):
    home = Home(tmp_path)
    with Client(ui.page("/"), request=None):
        yield Adjust(Page(home, "/", home.meant("paper")))
    home.close()


def _ask(adjust, sheet=None):
    asyncio.run(_asks(ui.context.client, adjust, sheet))


async def _asks(client, adjust, sheet):
    with client:  # as in the handler of a tap
        await adjust._ask(ev.Halt(0, 0, "the screen"), sheet)


def test_a_second_tap_asks_nothing(adjust, session):
    with ui.dialog() as sheet:
        pass
    sheet.open()
    for _ in range(2):  # the second one was sent before the browser heard of the first
        _ask(adjust, sheet)
    assert commands_in(session) == [ev.Halt(7, 7, "the screen")]


def test_what_could_not_be_asked_may_be_asked_again(adjust, session, monkeypatch):
    with ui.dialog() as sheet:
        pass
    sheet.open()

    def fails(watching, command):
        raise JournalError("the inbox cannot be written", "nothing was asked")

    with monkeypatch.context() as patched:
        patched.setattr(Watching, "ask", fails)
        _ask(adjust, sheet)
    assert commands_in(session) == []
    _ask(adjust, sheet)
    assert len(commands_in(session)) == 1


def test_it_is_received_when_the_journal_shows_it_however_many_came_before(adjust):
    seen = adjust._page.watching.seen
    seen.take([ev.Halt(n, n, "") for n in range(1, 61)])  # more than are kept
    with ui.dialog() as sheet:
        pass
    sheet.open()
    _ask(adjust, sheet)
    assert "1 of 3" in adjust.says()["stage"] or "does not run" in adjust.says()["stage"]
    seen.take([ev.Freeze(61, 61, 99)])
    assert "received" not in adjust.says()["stage"]
    seen.take([ev.Halt(62, 62, "the screen")])
    assert "2 of 3" in adjust.says()["stage"] or "3 of 3" in adjust.says()["stage"]


@pytest.mark.parametrize("runs", [True, False])
def test_before_all_is_closed_it_says_whether_anybody_would_do_it(adjust, runs):
    adjust._page.watching.runs = runs
    adjust.open_close_all()
    texts = [one.text for one in ui.context.client.elements.values() if isinstance(one, ui.label)]
    assert any("does not run" in text for text in texts) is not runs
    assert not any("nothing more can be" in text for text in texts)


def test_while_it_is_written_it_is_being_sent_and_the_pages_go_on(adjust, session, monkeypatch):
    may_go, ask = threading.Event(), Watching.ask

    def slow(watching, command):
        assert may_go.wait(20.0)  # the inbox is locked
        ask(watching, command)

    monkeypatch.setattr(Watching, "ask", slow)
    with ui.dialog() as sheet:
        pass
    sheet.open()

    client = ui.context.client

    async def taps():
        first = asyncio.create_task(_asks(client, adjust, sheet))
        await asyncio.sleep(0.05)
        assert adjust.says()["stage"] == "Halt: being sent. Nothing is asked yet."
        await _asks(client, adjust, sheet)  # a second tap
        assert sheet.value
        may_go.set()
        await first

    asyncio.run(taps())
    assert not sheet.value
    assert "asked" in adjust.says()["stage"]
    assert commands_in(session) == [ev.Halt(7, 7, "the screen")]


def test_what_could_not_be_asked_is_not_said_to_be_asked(adjust, monkeypatch):
    def fails(watching, command):
        raise JournalError("the inbox cannot be written", "nothing was asked")

    monkeypatch.setattr(Watching, "ask", fails)
    _ask(adjust)
    assert adjust.says() == {"stage": ""}


def test_of_a_demo_that_is_over_nothing_is_asked(adjust, session):
    adjust._page.watching.aside = Aside((), "The demo is over.")
    _ask(adjust)
    assert adjust.says() == {"stage": ""}
    assert commands_in(session) == []

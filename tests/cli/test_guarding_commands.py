"""``litehedge paper``, ``live``, ``report``, ``doctor`` and ``demo`` on the fake exchange."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from decimal import Decimal

import pytest

from litehedge.cli.market import places_of
from litehedge.errors import JournalError
from litehedge.exchange.access import Key
from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange
from litehedge.exchange.terms import Ask
from litehedge.live.sockets import SocketThread
from litehedge.market.events import Recording
from litehedge.orders.reports import VenueOrder
from litehedge.store.journal import Journal
from litehedge.store.places import Served, server_url
from litehedge.venues.binance import BinanceClient
from litehedge.venues.keys import Keys

PAST_S = 1800


class Fake:
    """A fake exchange in a thread of its own, in real time."""

    def __init__(self, thread: SocketThread, **changes: object) -> None:
        begins = int(time.time()) - PAST_S
        self.exchange = FakeExchange(
            Scripted(begins_s=begins, path=((0.0, 84.1), (PAST_S, 84.3))),
            wallet_usdt=Decimal(1000), leverage=50, step_ms=1000, limited=False, **changes,
        )  # fmt: skip
        for _ in range(PAST_S):
            self.exchange.step()
        self.exchange.step_ms, self.exchange.speed = 100, 1.0
        self.thread = thread
        thread.call(self.exchange.__aenter__())

    @property
    def url(self) -> str:
        return self.exchange.url

    def hold(self, qty: str = "150") -> None:
        """Let the user open a long."""

        async def opens() -> None:
            client = BinanceClient(
                Keys("binance", "key", "secret"), hosts=places_of(self.url).binance
            )
            await client.open()
            try:
                order = VenueOrder("user-1", True, "long", Decimal(qty), Decimal("86"), False)
                await client.place(order)
                await asyncio.sleep(0)
            finally:
                await client.close()

        self.thread.call(opens())
        assert self.exchange.truth().qty_ltc("long") == Decimal(qty)

    def hedge(self, qty: str) -> None:
        """Let the user open a short beside it."""
        ask = Ask("user-2", False, "short", Decimal(qty), Decimal("82"))

        async def opens() -> None:
            self.exchange.binance.matching.place(ask)

        self.thread.call(opens())

    def close(self) -> None:
        self.thread.call(self.exchange.__aexit__(None, None, None))


@pytest.fixture
def thread():
    with SocketThread() as one:
        yield one


@pytest.fixture
def fake(thread):
    made = Fake(thread)
    yield made
    made.close()


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("LITEHEDGE_BINANCE_KEY", "key")
    monkeypatch.setenv("LITEHEDGE_BINANCE_SECRET", "secret")
    monkeypatch.setenv("LITEHEDGE_CONFIRM", "GUARD")


QUICK = ("--frame", "1m", "--warm-up", "25m", "--no-ui", "--json")


def test_paper_opens_a_position_and_goes_on_with_it_when_started_again(litehedge, fake):
    short = ("--side", "short", "--leverage", "10", "--wallet", "500")
    first = litehedge("paper", "--host", fake.url, "--for", "4s", *short, *QUICK)
    assert first.code == 0, first.err
    assert first.json["is_open"]
    assert first.json["mode"] == "PAPER"
    assert first.json["feeds"]["binance.depth"]["state"] == "ok"
    again = litehedge("paper", "--host", fake.url, "--for", "4s", *QUICK)
    assert again.code == 0, again.err
    assert again.json["position_ltc"] == first.json["position_ltc"]
    assert again.json["trading"] == "ACTIVE"
    other = litehedge("paper", "--host", fake.url, "--leverage", "20", *QUICK)
    assert other.code == 2
    assert "guards a 10x short with 500 USDT" in other.err
    assert litehedge("halt", "--name", "paper").code == 0
    halted = litehedge("paper", "--host", fake.url, "--for", "4s", *QUICK)
    assert halted.json["trading"] == "HALTED"
    assert litehedge("resume", "--name", "paper", "--word", "RESUME").code == 0
    resumed = litehedge("paper", "--host", fake.url, "--for", "4s", *QUICK)
    assert resumed.json["trading"] == "ACTIVE"
    replayed = litehedge("replay", first.json["journal"], "--json")
    assert [run["difference"] for run in replayed.json["runs"]] == [None] * 4
    assert not fake.exchange.truth().orders  # nothing was sent to the venue


def stop_for_a_while(server, place, told):
    """Stop a server a second after a session began on it, for a second and a half."""
    while True:
        with suppress(JournalError):
            journal = Journal(place, reads_only=True)
            begun = next(journal.events(1), None) if journal.last_run() else None
            journal.close()
            if begun:
                break
        time.sleep(0.1)
    time.sleep(0.5)
    server.stop()
    time.sleep(1.5)
    server.start()
    told.append("back")


@pytest.mark.xdist_group("postgres")
def test_paper_goes_on_while_the_server_of_its_journal_is_gone(
    litehedge, fake, pg_server, pg_url, monkeypatch, tmp_path
):
    monkeypatch.setenv("LITEHEDGE_JOURNAL", pg_url)
    place, told = Served(server_url(pg_url), "paper"), []
    aside = threading.Thread(target=stop_for_a_while, args=(pg_server, place, told))
    aside.start()
    done = litehedge("paper", "--host", fake.url, "--leverage", "10", "--for", "20s", *QUICK)
    aside.join()
    assert done.code == 0, done.err
    assert told
    assert done.json["trading"] == "ACTIVE"
    assert not list((tmp_path / "home").rglob("journal.sqlite"))
    journal = Journal(place, reads_only=True)
    said = [event.trouble for event in journal.events(1) if isinstance(event, Recording)]
    journal.close()
    assert "refused" in said[0]
    assert said[-1] == ""
    (replayed,) = litehedge("replay", "paper", "--json").json["runs"]
    assert replayed["difference"] is None  # nothing is missing, nothing is there twice
    (listed,) = litehedge("journal", "list", "--json").json["journals"]
    assert (listed["session"], listed["runs"], listed["version"]) == ("paper", False, "0002")
    assert listed["journal"] == str(place) == done.json["journal"]
    assert "hushhush" not in done.out + done.err + str(listed)
    log = (tmp_path / "home" / "sessions" / "paper" / "litehedge.log").read_text()
    assert "kept in memory" in log
    assert "hushhush" not in log
    pg_server.stop()
    try:
        assert litehedge("halt", "--name", "paper").code == 0  # however the database is
        gone = litehedge("paper", "--host", fake.url, "--for", "1s", *QUICK)
        assert gone.code == 1
        assert "cannot be opened" in gone.err
    finally:
        pg_server.start()
    assert litehedge("paper", "--host", fake.url, "--for", "3s", *QUICK).json["trading"] == "HALTED"


def test_paper_says_what_is_wrong_in_one_message(litehedge, fake):
    other = litehedge("paper", "--venue", "nowhere")
    assert other.code == 2
    assert "choose one of binance, bybit" in other.err
    assert "no name for a session" in litehedge("paper", "--name", "../x").err
    assert "use 1m or 5m" in litehedge("paper", "--host", fake.url, "--frame", "7m").err
    gone = litehedge("paper", "--host", "http://127.0.0.1:9", "--frame", "1m", "--no-ui")
    assert gone.code == 1
    assert "cannot be reached" in gone.err


def test_report_needs_a_session_that_exists_and_is_old_enough(litehedge, fake):
    missing = litehedge("report", "paper")
    assert "there is no session 'paper'" in missing.err
    assert "begin one with: litehedge paper" in missing.err
    litehedge("paper", "--host", fake.url, "--for", "2s", *QUICK)
    young = litehedge("report", "paper")
    assert young.code == 2
    assert "let it run for longer" in young.err


def test_live_guards_the_position_that_the_account_holds(litehedge, fake, keys):
    fake.hold()
    done = litehedge("live", "--venue", "binance", "--host", fake.url, "--for", "4s", *QUICK)
    assert done.code == 0, done.err
    assert done.json["mode"] == "LIVE"
    assert done.json["position_ltc"] == 150.0
    assert done.json["feeds"]["binance.user"]["state"] in ("ok", "down")
    replayed = litehedge("replay", done.json["journal"], "--json")
    assert [run["difference"] for run in replayed.json["runs"]] == [None]


def test_live_says_what_stands_where_its_hedge_lived_before(litehedge, fake, keys, monkeypatch):
    ask = ("live", "--venue", "binance", "--host", fake.url, "--for", "3s", *QUICK)
    fake.hold()
    fake.hedge("40")
    monkeypatch.setenv("LITEHEDGE_HEDGE__LOCATION", "same_account")
    first = litehedge(*ask, "--side", "long")
    assert first.code == 0, first.err
    assert first.json["hedge_ltc"] == 40.0
    monkeypatch.delenv("LITEHEDGE_HEDGE__LOCATION")  # the default is another place
    moved = litehedge(*ask)
    assert moved.code == 2
    told = " ".join(moved.err.split())
    assert "hedge.location is reduce: a hedge of 40.000 LTC stands there" in told
    assert 'set hedge.location = "same_account" in litehedge.toml' in told
    assert fake.exchange.truth().qty_ltc("short") == -40


def test_live_starts_nothing_without_keys_position_or_word(litehedge, fake, keys, monkeypatch):
    ask = ("live", "--venue", "binance", "--host", fake.url, "--for", "2s", *QUICK)
    empty = litehedge(*ask)
    assert empty.code == 2
    assert "holds no LTCUSDT position" in empty.err
    fake.hold()
    monkeypatch.delenv("LITEHEDGE_CONFIRM")
    unasked = litehedge(*ask)
    assert unasked.code == 2
    assert "typed word" in unasked.err
    monkeypatch.setenv("LITEHEDGE_CONFIRM", "yes")
    assert "not confirmed" in litehedge(*ask).err
    monkeypatch.setenv("LITEHEDGE_BINANCE_SECRET", "wrong")
    wrong = litehedge(*ask)
    assert wrong.code == 2
    assert "key" in wrong.err.lower()
    monkeypatch.delenv("LITEHEDGE_BINANCE_KEY")
    assert "litehedge keys set binance" in litehedge(*ask).err
    assert len(fake.exchange.truth().orders) == 1  # the user's own


def test_a_key_that_can_withdraw_is_refused(litehedge, thread, keys):
    fake = Fake(thread, keys=(Key(can_withdraw=True),))
    try:
        fake.hold()
        done = litehedge("live", "--venue", "binance", "--host", fake.url, *QUICK)
        assert done.code == 2
        assert "withdraw" in done.err
        told = litehedge("doctor", "--venue", "binance", "--host", fake.url, "--json")
        assert told.code == 1
        faults = [check for check in told.json["checks"] if check["outcome"] == "fault"]
        assert any("withdraw" in check["what"] for check in faults)
    finally:
        fake.close()


def test_one_way_mode_cannot_hold_a_hedge_and_can_be_reduced(litehedge, thread, keys):
    fake = Fake(thread, hedge_mode=False)
    try:

        async def opens() -> None:
            client = BinanceClient(
                Keys("binance", "key", "secret"), hosts=places_of(fake.url).binance
            )
            await client.open()
            order = VenueOrder("user-1", True, "both", Decimal(150), Decimal("86"), False)
            await client.place(order)
            await client.close()

        thread.call(opens())
        ask = ("live", "--venue", "binance", "--host", fake.url, "--for", "3s", *QUICK)
        refused = litehedge(*ask, "--location", "same_account")
        assert refused.code == 2
        assert "mode" in refused.err
        done = litehedge(*ask)
        assert done.code == 0, done.err
        assert done.json["position_ltc"] == 150.0
    finally:
        fake.close()


def test_doctor_judges_machine_venue_and_account(litehedge, fake, keys, monkeypatch):
    alone = litehedge("doctor", "--offline", "--json")
    assert alone.code == 0, alone.out
    assert {"python", "disk", "journal", "model", "keys"} <= {
        c["name"] for c in alone.json["checks"]
    }
    fake.hold()
    asked = litehedge("doctor", "--venue", "binance", "--host", fake.url)
    assert asked.code == 0, asked.out
    for said in ("150.000 LTC long", "hedge mode", "taker fee"):
        assert said in asked.out, said
    assert "room for hedges" not in asked.out  # a position that is made smaller needs none
    monkeypatch.setenv("LITEHEDGE_HEDGE__LOCATION", "same_account")
    beside = litehedge("doctor", "--venue", "binance", "--host", fake.url)
    assert "room for hedges" in beside.out
    gone = litehedge("doctor", "--venue", "binance", "--host", "http://127.0.0.1:9")
    assert gone.code == 1
    assert "cannot be reached" in gone.out


def test_doctor_asks_a_venue_for_clock_and_contract_without_keys_too(litehedge, fake):
    venue = "binance"
    asked = litehedge("doctor", "--venue", venue, "--host", fake.url, "--json")
    assert asked.code == 0, asked.out
    told = {check["name"]: check for check in asked.json["checks"]}
    assert f"{venue}'s" in told["clock"]["what"]
    assert "trades; tick 0.01, lot 0." in told[f"{venue} LTCUSDT"]["what"]
    assert "answers after" in told["network"]["what"]
    assert told["keys"]["outcome"] == "note"


def test_the_demo_runs_through_real_sockets_and_its_journal_proves_it(litehedge, tmp_path):
    journal = tmp_path / "demo.sqlite"
    done = litehedge(
        "demo", "--venue", "fake", "--minutes", "3", "--speed", "20", "--json", "--journal", journal
    )
    assert done.code == 0, done.err
    assert done.json["position_ltc"] > 0
    assert done.json["events"] > 1000
    replayed = litehedge("replay", journal, "--json")
    assert [run["difference"] for run in replayed.json["runs"]] == [None]

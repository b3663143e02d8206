"""A day of trading in which the engine is killed again and again and the venue is not.

The venue lives in this process. The engine, with its journal on disk, its desk and its sockets'
thread, lives in a forked child that is ended by SIGKILL: at a request to the venue (before it is
heard, after it is done, after it is answered) and a random moment later. The next child begins
where the journal ends. Market time goes on in memory that both share.

What must come back is known exactly. A word of a person that was told as done is done. One that was
on its way when the engine was killed is said if, and only if, the journal that was left has it:
event and consequences are one transaction, so the next engine has to stand where that says.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from litehedge.config import Settings
from litehedge.errors import VenueDown, VenueUnknown
from litehedge.hedge.policies import policy_named
from litehedge.live import opening
from litehedge.live.funnel import Funnel
from litehedge.live.real import Seen, prepare
from litehedge.live.running import ATOM_NS, Plan, compile_kernels
from litehedge.live.setup import tiers_of
from litehedge.live.sockets import SocketThread
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.orders.reports import AccountReport, Contract, OrderReport, VenueOrder
from litehedge.risk.state import RESUME_WORD, TradingState
from litehedge.store.journal import Journal
from litehedge.store.steady import SteadyJournal
from litehedge.units import NS_PER_SECOND
from true_venue import CONTRACT, Time, TrueVenue

PRICE = 84.0
SESSION = "kills"
# How likely a request or a note of a kind is the last one
AT = {
    "place": 0.3, "order": 0.03, "halting": 0.5, "halted": 0.3, "resuming": 0.3, "resumed": 0.3,
}  # fmt: skip
SOON_S, WRITES_S = 0.004, 0.02  # that a killed one had at most after an answer; to write a word
SETTLE_S = 20.0  # that a child may take to come to rest before the test gives up
HALTS = 0.3  # of the lives in which a person halts, if they last that long
RESUMES_AT = 5  # looks after which a person lets it trade again
WORDS = {"halting": ev.Halt, "halted": ev.Halt, "resuming": ev.Resume, "resumed": ev.Resume}
NOTES = {"ready", *WORDS}


# --- the engine's process -----------------------------------------------------------------------


class PipedClient:
    """Implements `ports.VenueClient` over a pipe to the process in which the venue lives."""

    name = "true"

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._tell: Callable[[Any], None] = lambda report: None

    def ask(self, name: str, *told: Any) -> Any:
        self._pipe.send((name, *told))
        kind, result, news = self._pipe.recv()
        for report in news:
            self._tell(report)
        if kind == "ok":
            return result
        raise {"down": VenueDown, "unknown": VenueUnknown}[kind](result)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def contract(self) -> Contract:
        return CONTRACT

    async def account(self) -> AccountReport:
        return self.ask("account")

    async def place(self, order: VenueOrder) -> OrderReport:
        return self.ask("place", order)

    async def order(self, client_id: str) -> OrderReport:
        return self.ask("order", client_id)

    async def open_orders(self) -> list[str]:
        return self.ask("open_orders")

    async def cancel_all(self) -> None:
        self.ask("cancel_all")

    async def set_protective_stop(self, closes: VenueOrder, trigger_usdt: Decimal) -> None: ...

    async def arm_dead_man(self, after_ms: int) -> bool:
        return True

    async def run(self, tell: Callable[[Any], None], out: Any) -> None:
        self._tell = tell
        while True:
            await asyncio.sleep(0.002)
            self.ask("poll")


def second(now: int) -> list[ev.MarketEvent]:
    """Return what the market tells of a second."""
    price = PRICE + 0.5 * float(np.sin(now / NS_PER_SECOND / 40.0))
    book = ev.Book(now, now, price - 0.01, price + 0.01, 1e7, 1e7)
    trade = ev.Trade(now, now, price, 1.0, True)
    return [book, trade, ev.Mark(now, now, price), ev.Tick(now, now)]


class Day(Funnel):
    """A market that moves on by a second when the engine has done with the one before."""

    def __init__(self, now_ns: Time) -> None:
        super().__init__(now_ns)
        self._time = now_ns

    def events(self) -> Iterator[ev.AnyEvent]:
        while True:
            time.sleep(0.0002)  # the thread of the sockets must come to its work too
            while not self._queue.empty():
                told = self._queue.get()
                if told is None:
                    return
                yield told
            now = (self._time() // NS_PER_SECOND + 1) * NS_PER_SECOND
            self._time.by_market(now)
            self._given_ns = now
            yield from second(now)


def made_plan() -> Plan:
    """Return what every life guards with: no opinion of its own, and limits that stop nothing."""
    settings = Settings.model_validate({
        "position": {"leverage": 10.0, "wallet_usdt": 2000.0},
        "hedge": {"location": "same_account"},
        "limits": {
            "max_orders_per_day": 10**6, "daily_cost_share": 1.0, "weekly_cost_share": 1.0,
            "max_ratio_per_minute": 1e6, "max_hedge_notional_usdt": 1e9, "max_depth_share": 1.0,
            "equity_stop_share": 0.0,
        },
    })  # fmt: skip
    limits = settings.limits.model_copy(update={"max_orders_per_minute": 10**6})
    settings = settings.model_copy(update={"limits": limits})
    return Plan(
        settings, policy_named("unhedged", settings), tiers_of(CONTRACT), BlindForecaster(), "none",
        12 * ATOM_NS,
    )  # fmt: skip


def live(plan: Plan, folder: Path, pipe: Connection, now_ns: Time, seed: int) -> None:
    """Recover from the journal, tell how it stands, and trade until killed."""
    opening.RETRY_S = 0.005  # type: ignore[misc]
    chance = random.Random(seed)
    journal = SteadyJournal(folder / "journal.sqlite")
    client = PipedClient(pipe)
    with SocketThread() as thread:
        funnel = Day(now_ns)
        seen = Seen(client, CONTRACT, thread.call(client.account()), 0.0)  # type: ignore[arg-type]
        session = prepare(thread, funnel, plan, journal, seen, session=SESSION)
        state = session.taken.state
        halts_at = chance.randint(3, 40) if chance.random() < HALTS else -1

        class People:
            looks = 0

            def take(self) -> Iterable[ev.Command]:
                now = funnel.given_ns()
                if not now:
                    return  # as of every inbox: nobody is heard while it warms up
                self.looks += 1
                if self.looks == halts_at:
                    pipe_tell("halting")
                    yield ev.Halt(now, now, "a test")
                    journal.flush()
                    pipe_tell("halted")
                elif state.trading is TradingState.HALTED and self.looks == RESUMES_AT:
                    pipe_tell("resuming")
                    yield ev.Resume(now, now, RESUME_WORD)
                    journal.flush()
                    pipe_tell("resumed")
                elif self.looks % 20 == 1:
                    ratio = round(chance.random(), 2)
                    yield ev.SetHedge(now, now, ratio, now + 3600 * NS_PER_SECOND)

        def pipe_tell(*told: Any) -> None:
            """Speak from the thread of the sockets: the pipe has one speaker."""

            async def says() -> None:
                client.ask("note", *told)

            thread.call(says())

        def observe(event: ev.AnyEvent, effects: list[Any]) -> None:
            if type(event) is ev.Opened:
                books = state.books[0]
                pipe_tell(
                    "ready", state.fixed.session, float(books["qty"][POSITION]),
                    float(books["qty"][HEDGE]), float(books["wallet"][0]), int(state.trading),
                    state.order is None and not state.needs_reconciling,
                )  # fmt: skip

        past = [  # a frame and more, each atom told once
            event for ago in range(75, 0, -ATOM_NS // NS_PER_SECOND)
            for event in second(now_ns() - ago * NS_PER_SECOND)
        ]  # fmt: skip
        session.run([], past, journal=journal, inbox=People(), observers=[observe])


# --- the day ------------------------------------------------------------------------------------


@dataclass
class Killed:
    """What a day of kills was like."""

    kills: Counter[str] = field(default_factory=Counter)
    recoveries: int = 0
    cuts: int = 0
    sessions: list[str] = field(default_factory=list)
    said: list[type[ev.Command]] = field(default_factory=list)  # by people, and done
    is_halted: bool = False  # so the next engine has to wake
    word: type[ev.Command] | None = None  # that is on its way: told as begun, not yet as done
    doubts: Counter[str] = field(default_factory=Counter)  # words on their way at a kill
    words_here: int = 0  # said in the life that was ready last
    durable_bytes: int = 0  # of the journal's log, by what was promised: the rest may be lost

    def begin(self, word: type[ev.Command]) -> None:
        """Note that a person begins to speak."""
        assert self.word is None, "two words at once"
        self.word = word

    def done(self, word: type[ev.Command]) -> None:
        """Note that a word is said, for good."""
        self.said.append(word)
        self.words_here += 1
        self.word = None
        self.is_halted = word is ev.Halt


def kill_often(
    folder: Path, lives: int, seed: int, *, loses_power: bool = False
) -> tuple[TrueVenue, Killed]:
    """Let so many engines live and die on one account. Raises when one does not come back right.

    With `loses_power` half of them lose the end of what they wrote, as far as nobody was told that
    it is on disk.
    """
    plan, now_ns, chance = made_plan(), Time(), random.Random(seed)
    compile_kernels(plan)
    said_by_people(folder)  # what reads and writes a journal is imported here, not in every life
    venue, day = TrueVenue(now_ns, chance), Killed()
    log = folder / "journal.sqlite-wal"
    gc.freeze()  # a collection in a child must not touch, and so copy, all that is here
    try:
        for number in range(lives):
            _live_once(plan, folder, venue, day, chance, number, is_last=number == lives - 1)
            if loses_power and chance.random() < 0.5 and log.exists():
                size = log.stat().st_size
                least = min(day.durable_bytes, size)
                os.truncate(log, least + int(chance.random() * (size - least)))
                day.cuts += 1
            now_ns.by_venue(now_ns() + chance.randint(1, 5) * NS_PER_SECOND)
    finally:
        gc.unfreeze()
    _settle(folder, day)
    return venue, day


def _live_once(
    plan: Plan, folder: Path, venue: TrueVenue, day: Killed, chance: random.Random, number: int,
    *, is_last: bool,
) -> None:  # fmt: skip
    ours, theirs = Pipe()
    seed = chance.getrandbits(32)
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            signal.alarm(60)  # should the parent be gone
            live(plan, folder, theirs, venue.now_ns, seed)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(1)
    theirs.close()
    # Some die while they recover; the last one of a day must come to rest.
    requests = chance.choice([chance.randint(0, 8), chance.randint(8, 60)])
    moment = chance.choice(["before it is heard", "before the answer", "after the answer"])
    is_ready = False
    try:
        while True:
            name, told = _heard(ours, number)
            is_due = chance.random() < AT.get(name, 0.0)
            if name in NOTES:
                _note(folder, venue, day, name, *told)
                is_ready |= name == "ready"
                answer = ("ok", None, [])
            else:
                requests -= 1
                is_due = (is_due or requests < 0) and (is_ready or not is_last)
                if not (is_due and moment == "before it is heard"):
                    answer = venue.answer(name, *told)
                    may_send = not day.is_halted or day.word is ev.Resume
                    assert may_send or name != "place", "sent while it was halted"
            if is_due and moment == "after the answer":
                ours.send(answer)
                select.select([], [], [], chance.random() * (WRITES_S if name in WORDS else SOON_S))
            if is_due:
                day.kills[f"{moment}: {name}"] += 1
                return
            ours.send(answer)
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        ours.close()
        assert os.WIFSIGNALED(status) or sys.exc_info()[0], f"life {number} was not killed"


def _heard(pipe: Connection, number: int) -> tuple[str, list[Any]]:
    """Return what the engine asks of the venue, or tells of itself, and with what."""
    if not pipe.poll(SETTLE_S):
        raise AssertionError(f"life {number} stands still")
    try:
        name, *told = pipe.recv()
    except EOFError:
        raise AssertionError(f"life {number} ended by itself, see above") from None
    return (told[0], told[1:]) if name == "note" else (name, told)


def _note(folder: Path, venue: TrueVenue, day: Killed, what: str, *told: Any) -> None:
    """Hear what an engine says of itself; while it is heard, it waits."""
    if what in ("halting", "resuming"):
        day.begin(WORDS[what])
        return
    if what in ("halted", "resumed"):
        assert day.word is WORDS[what]
        day.done(WORDS[what])
        day.durable_bytes = (folder / "journal.sqlite-wal").stat().st_size
        return
    _settle(folder, day)
    name, position, hedge, wallet, trading, is_at_rest = told
    day.recoveries += 1
    assert name not in day.sessions, "ids come again"
    day.sessions.append(name)
    assert is_at_rest, "an order has no end"
    assert not [n for n, held in venue.orders.items() if held.status == "open"]
    truth = [float(venue.legs[side][0]) for side in ("long", "short")]
    assert [position, hedge] == truth, f"our books have {position}, {hedge}, the venue {truth}"
    assert abs(wallet - float(venue.wallet)) < 1e-6
    wanted = TradingState.HALTED if day.is_halted else TradingState.ACTIVE
    assert trading == wanted, f"trading is {trading}, and has to be {wanted}"
    day.words_here = 0
    day.durable_bytes = 0  # a run begins with all of the log moved into the file


def _settle(folder: Path, day: Killed) -> None:
    """Find out whether the word that was on its way at a kill is in the journal that was left."""
    if day.word is None:
        return
    written = said_by_people(folder, day.sessions[-1])
    before = day.said[len(day.said) - day.words_here :]
    assert written[: len(before)] == before, "what was told as done is not in the journal"
    assert written in (before, [*before, day.word]), f"{written} was never said"
    day.doubts[f"{day.word.__name__} {'written' if written != before else 'not written'}"] += 1
    if written != before:
        day.done(day.word)
    day.word = None


def said_by_people(folder: Path, session: str = "") -> list[type[ev.Command]]:
    """Return the halts and resumes in the journal, in order; of a copy, so that the log stays."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for name in ("journal.sqlite", "journal.sqlite-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, place)
        journal = Journal(Path(place) / "journal.sqlite")
        said = [
            type(word)
            for number, header in journal.runs()
            if session in ("", header.session)
            for word in journal.commands(number)
            if isinstance(word, ev.Halt | ev.Resume)
        ]
        journal.close()
    return said

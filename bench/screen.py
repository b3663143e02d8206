"""Claim: 2 KB/s per client, a tenth of a core for 10 clients, a desk in 2 s, memory flat.

The screen is served by its own command; a session writes its journal beside it, a book and a trade
ten times a second, as a live one does. It has lived for an hour: all prices of the chart are there.
Clients are sockets that speak as the page does and read
what is pushed; until the desk stands is measured in a real browser (Debian's Chromium, where there
is one). Processor time and memory are the server's, by /proc. Noted before for a bare page with a
chart of which points are pushed: 3.4 % of a core for 10 clients, 1.2 KB/s.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import numpy as np

from bench.timing import Figure
from litehedge.config import Settings
from litehedge.engine import step
from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.live.session import held, session_at
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.store.bundled import tier_table
from litehedge.store.header import Header
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND

WATCHES_S = 15.0
CLIENTS = (1, 10, 30)
EVERY_S = 0.1
PAST_S = 3700
"""So long a session has lived before anybody looks: the chart holds an hour, a price a second."""
PAGE_S = 30.0
ACKS_S = 3.0  # a page says so often which message came last
TICKS = os.sysconf("SC_CLK_TCK")


def measure() -> list[Figure]:
    """Serve a session to one, ten and thirty clients, and to a browser."""
    with (
        tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder, journaled(Path(folder)),
        served(Path(folder)) as (process, link),
    ):  # fmt: skip
        figures = []
        watched, address, cookies = asyncio.run(_watched_by_all(process.pid, link))
        for count, (share, bytes_s, memory_mb) in watched.items():
            claim = "claim: 10 % for 10; noted before: 3.4 %" if count == 10 else ""
            figures.append(
                Figure(f"screen, {count} clients: processor, of one core", share, "%", claim)
            )
            figures.append(Figure("  pushed to each", bytes_s / 1000, "KB/s", "claim: 2"))
            figures.append(Figure("  memory of the server", memory_mb, "MB"))
        if (browser := shutil.which("chromium")) is not None:
            paints = _painted(browser, address, cookies)
            claim = f"claim: 2; {min(paints):.2f} to {max(paints):.2f} in {len(paints)} loads"
            figures.append(
                Figure(
                    "first paint of the desk, browser, median", float(np.median(paints)), "s", claim
                )
            )
        return figures


@contextmanager
def journaled(root: Path) -> Iterator[None]:
    """Let a session write its journal, in a thread."""
    session = session_at(root, "paper")
    end, begun = threading.Event(), threading.Event()

    def write() -> None:
        settings = Settings()
        tiers = tier_table(settings.venue.name, settings.venue.symbol)
        with held(session):
            journal = Journal(session.journal)
            journal.begin(
                Header(
                    litehedge="bench", created="", mode="paper", settings=settings.model_dump(),
                    policy="plugin", free_ratio=0.0, model_id="none", model_folder="",
                    session="bench", atom_ns=5 * NS_PER_SECOND, per_frame=12,
                    held_every_ns=NS_PER_MINUTE, trading_state=0, data="made up",
                    keeps_checkpoints=True,
                )
            )  # fmt: skip
            state = start(
                settings, policy_named("plugin", settings), tiers, BlindForecaster(),
                session="bench", atom_ns=5 * NS_PER_SECOND, per_frame=12,
                held_every_ns=NS_PER_MINUTE, keeps_checkpoints=True,
            )  # fmt: skip
            chance, price = np.random.default_rng(1), 84.0

            def lives(now_ns: int, *, opens: bool = False) -> None:
                nonlocal state, price
                price *= float(np.exp(chance.normal(0.0, 1e-4)))
                for event in _told(now_ns, price, opens=opens):
                    journal.event(event)
                    state, effects = step(state, event)
                    for effect in effects:
                        journal.effect(effect)

            begin_ns = time.time_ns() - PAST_S * NS_PER_SECOND
            for second in range(PAST_S):
                lives(begin_ns + second * NS_PER_SECOND)
                if second % 60 == 59:
                    journal.write()
            is_open = False
            while not end.is_set():
                lives(time.time_ns(), opens=not is_open)
                journal.write()
                is_open = True
                begun.set()
                end.wait(EVERY_S)
            journal.close()

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait(120.0)
    try:
        yield
    finally:
        end.set()
        thread.join()


def _told(now_ns: int, price: float, *, opens: bool) -> list[ev.AnyEvent]:
    told: list[ev.AnyEvent] = [
        ev.Book(now_ns, now_ns, price - 0.005, price + 0.005, 1e6, 1e6),
        ev.Trade(now_ns, now_ns, price, 1.0, True),
    ]
    if opens:
        told.append(ev.Opened(now_ns, now_ns, 1000.0, None, 5000.0 / price, price, 5.0, False))
    return told


@contextmanager
def served(root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "litehedge", "ui", "--home", str(root), "--port", "0",
         "--no-browser", "--demo"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = ""
        while not (found := re.search(r"http://\S+", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        yield process, found[0]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


Watched = tuple[float, float, float]


async def _watched_by_all(pid: int, link: str) -> tuple[dict[int, Watched], str, dict[str, str]]:
    """Come in once, then watch with each number of clients; return address and cookies too."""
    async with browsing() as session:
        async with session.get(link) as answer:
            address = str(answer.url.origin())
        watched = {count: await _watched(session, pid, address, count) for count in CLIENTS}
        return watched, address, {one.key: one.value for one in session.cookie_jar}


async def _watched(session: aiohttp.ClientSession, pid: int, address: str, count: int) -> Watched:
    """Return the server's share of a core in %, bytes per second and client, memory in MB."""
    came = [0] * count
    tasks = [
        asyncio.create_task(client(session, address, came, i, f"{count}-{i}")) for i in range(count)
    ]
    waits_s = time.monotonic() + PAGE_S
    while not all(came) and time.monotonic() < waits_s:
        await asyncio.sleep(0.5)
    await asyncio.sleep(5.0)
    before, began, first = _spent_s(pid), time.monotonic(), list(came)
    await asyncio.sleep(WATCHES_S)
    spent, took_s = _spent_s(pid) - before, time.monotonic() - began
    await end(tasks)
    pushed = sum(b - a for a, b in zip(first, came, strict=True))
    silent = [i for i, (a, b) in enumerate(zip(first, came, strict=True)) if b <= a]
    assert not silent, f"of {count} clients these were pushed nothing: {silent}"
    return 100.0 * spent / took_s, pushed / took_s / count, memory_mb(pid)


async def end(tasks: list[asyncio.Task[None]]) -> None:
    """End what goes on; raise what ended it before."""
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def browsing() -> aiohttp.ClientSession:
    """Return what clients ask with: like a browser it opens a connection for each websocket.

    On one that served a page before, the server's patience with idle connections goes on counting.
    """
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
    )


async def client(
    session: aiohttp.ClientSession, address: str, came: list[int], i: int, who: str
) -> None:
    """Open the desk as a page does, read what is pushed, and say now and then how far it came."""
    async with session.get(address) as answer:
        text = await answer.text()
    query = ast.literal_eval(re.search(r"query: (\{.*?\}),\n", text)[1])  # type: ignore[index]
    query = {name: str(value).lower() for name, value in query.items()}
    query |= {"tab_id": f"tab-{who}", "document_id": f"document-{who}", "EIO": "4",
              "transport": "websocket"}  # fmt: skip
    prefix = f"{address}/_nicegui_ws/socket.io/?{urllib.parse.urlencode(query)}"
    async with session.ws_connect(prefix, headers={"Origin": address}) as socket:
        await socket.receive()
        await socket.send_str("40")
        await socket.receive()  # from here on the server takes it for the page
        acks_s = time.monotonic()
        async for message in socket:
            if message.data == "2":
                await socket.send_str("3")
                continue
            came[i] += len(message.data)
            number = re.search(r'"_id": ?(\d+)', message.data[-40:])
            if number is not None and time.monotonic() - acks_s > ACKS_S:
                acks_s = time.monotonic()
                told = {"client_id": query["client_id"], "next_message_id": int(number[1]) + 1}
                await socket.send_str(f"42{json.dumps(['ack', told])}")
        raise AssertionError(f"the screen hung up on {who}, {socket.close_code}")


def _painted(browser: str, address: str, cookies: dict[str, str]) -> list[float]:
    """Return how long the desk took until its first contentful paint, seconds, load by load."""
    from playwright.sync_api import sync_playwright

    paints = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        context = chromium.new_context(viewport={"width": 390, "height": 844})
        context.add_cookies(
            [{"name": name, "value": value, "url": address} for name, value in cookies.items()]
        )
        page = context.new_page()
        for _ in range(7):
            page.goto(address)
            page.wait_for_selector('[data-hg-text="away"]:not(:empty)', timeout=PAGE_S * 1000)
            paints.append(page.evaluate("performance.now()") / 1000)
        chromium.close()
    return paints


def _spent_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

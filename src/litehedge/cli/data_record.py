"""``litehedge data record``: everything that feeds tell, into the lake, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import aiohttp
import typer
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from litehedge.cli.common import settings_from, write_json
from litehedge.cli.data_words import say
from litehedge.errors import LitehedgeError, UsageError
from litehedge.feeds.names import check_symbol
from litehedge.live.places import PRODUCTION
from litehedge.live.recorder import Options, Recorder, record
from litehedge.live.recorder_tables import BAR_NS
from litehedge.live.sources import GROUPS, Context, sources_for, unique, venues
from litehedge.shelf.home import home, stderr
from litehedge.store.lake import Lake
from litehedge.units import NS_PER_SECOND, describe_ns, duration_ns

LOOK_S: Final = 1.0
_SIZES: Final = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}


def record_command(
    venue: Annotated[
        list[str] | None,
        typer.Option(help="Whose prices to record; give it again for several. Default: binance."),
    ] = None,
    feed: Annotated[
        list[str] | None,
        typer.Option(
            help="What else to record: across, liquidations, chain, mood; give it again for "
            "several, or all. Default: nothing."
        ),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--for", help="Stop after 1h, 7d and so on. Default: never.")
    ] = None,
    symbol: Annotated[str, typer.Option(help="What to record.")] = "LTCUSDT",
    keep: Annotated[
        str | None, typer.Option(help="Forget recorded days that are older: 90d. Default: none.")
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(help="Forget the oldest recorded days beyond this size: 20GB. Default: none."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="Settings file. Default: litehedge.toml here.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary as JSON at the end, and no table.")
    ] = False,
) -> None:
    """Record live feeds: trades, book, forced orders, funding, open interest and what else is told.

    Goes on until Ctrl-C, for months if need be. A kill or a power cut costs the last seconds. When
    the disk is full it pauses, and goes on when there is room. Times without data are kept as gaps,
    with the reason. Every hour what was recorded goes into the lake, as recorded_VENUE_KIND, where
    backtest finds bars of 5 s and 1 min. What a feed needs, such as a node or a key, stands in
    [feeds] of the settings and in the environment; one that lacks it is off, the others go on.

    Example: litehedge data record --venue binance --feed across --feed mood --keep 180d
    """
    options = Options(
        keep_ns=duration_ns(keep) if keep is not None else None,
        max_bytes=_bytes(max_size) if max_size is not None else None,
    )
    for_s = duration_ns(duration) / NS_PER_SECOND if duration is not None else None
    chosen = list(dict.fromkeys(venue or ["binance"]))
    for one in chosen:
        if one not in venues():
            raise UsageError(f"there is no venue {one}", f"choose from: {', '.join(venues())}")
    feeds = list(GROUPS) if "all" in (feed or ()) else list(dict.fromkeys(feed or ()))
    for one in feeds:
        if one not in GROUPS:
            raise UsageError(f"there is no feed {one}", f"choose from: all, {', '.join(GROUPS)}")
    listen = partial(
        Context, settings=settings_from(settings), environ=os.environ, places=PRODUCTION,
        venues=tuple(chosen), symbol=check_symbol(symbol), btc_intervals_ns=BAR_NS,
    )  # fmt: skip
    recorder, seconds = asyncio.run(_record([*chosen, *feeds], listen, options, for_s, as_json))
    told = _summary(recorder, seconds)
    if as_json:
        write_json(told, "-")
    else:
        stderr.print(_table(recorder, {}))
        then = " Next: litehedge data list" if told["events"] else ""
        say(
            f"recorded {told['events']:,} events and {told['gaps']:,} gaps in {seconds:,.0f} s."
            + then
        )
    if told["events"] == 0 and not any(one["state"] == "ok" for one in told["feeds"]):
        raise LitehedgeError(
            "nothing was recorded: no feed was reached",
            "check the network, and what each feed says above",
        )


async def _record(
    wanted: list[str],
    listen: Callable[[aiohttp.ClientSession], Context],
    options: Options,
    for_s: float | None,
    is_quiet: bool,
) -> tuple[Recorder, float]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop.set)
    if for_s is not None:
        loop.call_later(for_s, stop.set)
    begun = time.monotonic()
    try:
        async with aiohttp.ClientSession() as session:
            context = listen(session)
            sources = unique([one for name in wanted for one in sources_for(name, context)])
            recorder = Recorder(
                home() / "recordings", Lake(home() / "lake"), options, symbol=context.symbol,
                notice=_notice,
            )  # fmt: skip
            async with recorder:
                looking = asyncio.create_task(_show(recorder, is_quiet))
                try:
                    await record(sources, recorder, stop)
                finally:
                    looking.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await looking
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(number)
    return recorder, time.monotonic() - begun


def _notice(text: str) -> None:
    stderr.print(f"[yellow]note:[/] {escape(text)}", highlight=False, soft_wrap=True)


async def _show(recorder: Recorder, is_quiet: bool) -> None:
    """Show every second how each feed is, where somebody looks."""
    if is_quiet or not stderr.is_terminal:
        return
    before: dict[str, int] = {}
    with Live(_table(recorder, {}), console=stderr, transient=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(LOOK_S)
            heard = recorder.heard.values()
            rates = {one.source: (one.events - before.get(one.source, 0)) / LOOK_S for one in heard}
            before = {one.source: one.events for one in heard}
            live.update(_table(recorder, rates), refresh=True)


def _table(recorder: Recorder, rates: dict[str, float]) -> Group:
    """Return how each feed is; what is wrong stands below it, since both together are too wide."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("feed", no_wrap=True, overflow="ellipsis")
    table.add_column("state", no_wrap=True)
    for column in ("events", "per s", "last", "gaps", "bad"):
        table.add_column(column, justify="right", no_wrap=True)
    wrong: list[Text] = []
    now_ns = recorder.now_ns()
    for one in recorder.heard.values():
        age = "" if one.last_ns is None else describe_ns((now_ns - one.last_ns) // 10**8 * 10**8)
        rate = f"{rates[one.source]:,.0f}" if one.source in rates else ""
        table.add_row(
            one.source, one.state, f"{one.events:,}", rate, age, f"{one.gaps:,}", f"{one.bad:,}"
        )
        if one.detail and one.state != "ok":
            text = f"  {one.source}: {one.detail}"
            wrong.append(Text(text, style="yellow", no_wrap=True, overflow="ellipsis"))
    paused = f"; no room for {', '.join(recorder.paused)}" if recorder.paused else ""
    written = f"{recorder.bytes_written / 2**20:,.1f} MiB written{paused}; Ctrl-C ends it"
    return Group(table, *wrong, Text(written, style="italic dim"))


def _summary(recorder: Recorder, seconds: float) -> dict[str, Any]:
    feeds = [
        {
            "source": one.source, "venue": one.venue, "state": one.state, "detail": one.detail,
            "events": one.events, "per_s": one.events / seconds if seconds > 0 else 0.0,
            "gaps": one.gaps, "bad": one.bad, "kinds": sorted(one.kinds), "last_ns": one.last_ns,
        }
        for one in recorder.heard.values()
    ]  # fmt: skip
    return {
        "seconds": seconds,
        "bytes": recorder.bytes_written,
        "events": sum(one.events for one in recorder.heard.values()),
        "gaps": sum(one.gaps for one in recorder.heard.values()),
        "feeds": feeds,
    }


def _bytes(text: str) -> int:
    for unit, size in _SIZES.items():
        if text.lower().endswith(unit):
            try:
                amount = float(text[: -len(unit)])
            except ValueError:
                break
            if 0 < amount < 1e6:
                return int(amount * size)
    raise UsageError(f"{text!r} is not a size", "write a number and a unit: 500MB, 20GB")

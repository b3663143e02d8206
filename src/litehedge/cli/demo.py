"""``litehedge demo``: watch the engine guard a position, without data, keys or network."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from litehedge.backtest import with_position
from litehedge.cli.common import (
    check_writable,
    console,
    note,
    patience,
    settings_from,
    write_json,
)
from litehedge.cli.demo_fake import demo_fake
from litehedge.cli.demo_screen import DemoScreen, screened
from litehedge.cli.rules import ruled
from litehedge.effects import Decision, Effect
from litehedge.engine_state import State, start
from litehedge.errors import UsageError
from litehedge.hedge import signals as sg
from litehedge.hedge.band import Action
from litehedge.hedge.policies import with_rules
from litehedge.live.running import Plan, compile_kernels
from litehedge.live.session import VARIABLE
from litehedge.margin.liquidation import distance
from litehedge.market import events as ev
from litehedge.report.style import percent, usdt
from litehedge.risk.capital import capital_check
from litehedge.runner import run
from litehedge.shelf.home import stderr
from litehedge.shelf.journals import begin_journal, end_journal, say_journal
from litehedge.shelf.models import choose_model
from litehedge.shelf.policies import choose_policy
from litehedge.sim.find import world_before_fall
from litehedge.sim.market.feed import LiveMarket
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue
from litehedge.store.bundled import tier_table
from litehedge.store.journal import Journal
from litehedge.tape import FRAME_NS
from litehedge.ui.binding import PORT
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND, instant_ns, iso_utc

ATOM_NS: Final = 5 * NS_PER_SECOND
PRE_ROLL_NS: Final = NS_PER_DAY + 2 * NS_PER_MINUTE
STARTS: Final = "2026-01-05"
LEAD_MINUTES: Final = 20  # from the opening of the position to the fall
FALL: Final = 0.06
STATIC: Final = 0.5
FLUSH_S: Final = 0.2  # how often the screen may read something new, seconds of this machine
BLOCKS: Final = "▁▂▃▄▅▆▇█"
LABEL: Final = "SIMULATED MARKET, its squeeze looked for: shows how it works, not how well"


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another market.")] = 1,
    minutes: Annotated[int, typer.Option(min=1, help="Simulated minutes to show.")] = 60,
    speed: Annotated[float, typer.Option(min=1, help="Simulated seconds per second.")] = 60.0,
    rules: Annotated[str | None, typer.Option(help="Your rules: a preset or a TOML file.")] = None,
    where: Annotated[
        str,
        typer.Option(
            "--venue", help="sim: a simulated venue; fake: a fake exchange, through real sockets."
        ),
    ] = "sim",
    ui: Annotated[
        bool | None,
        typer.Option(
            "--ui/--no-ui",
            help="Open the screen in the browser, and the live view here. Default: "
            "where there is a terminal.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Of the screen; 0 takes any.")] = PORT,
    journal: Annotated[
        Path | None, typer.Option(help="Write the journal, for: litehedge replay.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the end result as JSON.")] = False,
) -> None:
    """Guard a 20x long through a long squeeze of a simulated market, on the screen.

    The market is made as it goes: our orders eat its book. It begins twenty minutes before a fall
    that was looked for. The engine, the forecaster, the guards and the margin account are the real
    ones; beside them go the same position without hedge, and one half as large.
    """
    os.environ.pop(VARIABLE, None)  # a demo's journal is nobody's: never on a server
    check_writable(journal)
    is_shown = (console.is_terminal if ui is None else ui) and not json
    settings, ruling = ruled(settings_from(None, {"hedge.rules": rules}))
    settings = with_position(settings, "long", 20.0)
    if where == "fake":
        live_ui = is_shown and console.is_terminal
        _say_fake(
            demo_fake(settings, ruling, seed, minutes, speed, ui=live_ui, journal=journal),
            minutes,
            json=json,
        )
        return
    if where != "sim":
        raise UsageError(f"there is no --venue {where}", "choose sim or fake")
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    lead_s = PRE_ROLL_NS // NS_PER_SECOND + LEAD_MINUTES * 60
    with patience("looking for a squeeze"):
        world, fall_s = world_before_fall(
            Parameters(), seed, instant_ns(STARTS) // NS_PER_SECOND, fall=FALL, lead_s=lead_s
        )
    market = LiveMarket(world, ATOM_NS // NS_PER_SECOND)
    opens_ns = (fall_s - LEAD_MINUTES * 60) * NS_PER_SECOND
    atoms = (PRE_ROLL_NS + minutes * NS_PER_MINUTE) // ATOM_NS
    model = choose_model(settings.model.name, FRAME_NS)
    policy = with_rules(choose_policy(settings.hedge.policy, settings), ruling)
    with patience("getting ready"):
        compile_kernels(Plan(settings, policy, tiers, model.forecaster, model.folder, FRAME_NS))
    state = start(
        settings, policy, tiers, model.forecaster,
        session=f"demo{seed}", atom_ns=ATOM_NS, per_frame=FRAME_NS // ATOM_NS,
        held_every_ns=NS_PER_MINUTE, keeps_checkpoints=True,
    )  # fmt: skip
    opening = Opening(opens_ns, reopens=False)
    venue = SimVenue(settings, tiers, opening, ATOM_NS, market)
    twins = {
        name: SimVenue(settings, tiers, one, ATOM_NS, market, is_felt=False)
        for name, one in (("unhedged", opening), ("half", Opening(opens_ns, False, STATIC)))
    }
    watch = _Watch(state, venue, twins, opens_ns, settings.position.wallet_usdt)
    feed = market.events(atoms)
    with screened(port) if is_shown else nullcontext() as screen:
        path = journal if screen is None else screen.session.file
        book = None
        if path is not None:
            book = begin_journal(path, state.fixed, model, mode="demo", data=f"seed {seed}")
        flush = (lambda: None) if book is None else book.flush
        paced = _paced(feed, watch, opens_ns, speed if is_shown else float("inf"), screen)
        view = (
            Live(watch.warming(opens_ns - PRE_ROLL_NS), console=console, refresh_per_second=8)
            if is_shown and console.is_terminal
            else None
        )
        watch.live = view
        was_stopped = False
        try:
            with view or nullcontext():
                run(
                    state, paced, venue, journal=book, observe=watch,
                    inbox=None if screen is None else screen.inbox.attach(watch.now_ns, flush),
                    flush_ns=int(FLUSH_S * speed * NS_PER_SECOND) if is_shown else None,
                    flush_from_ns=opens_ns,
                )  # fmt: skip
        except KeyboardInterrupt:
            stderr.print("stopped")
            was_stopped = True
        if book is not None and path is not None:
            book.close() if journal is None else _kept(book, path, journal)
        if json:
            write_json(watch.result(), "-")
        else:
            watch.say_result()
            note(capital_check(settings, watch.price, tiers).problems)
        if screen is not None:
            screen.stay(watch.ending(seed, was_stopped=was_stopped))


def _say_fake(result: dict[str, Any], minutes: int, *, json: bool) -> None:
    if json:
        write_json(result, "-")
        return
    fate = "was liquidated" if result["liquidated"] else "survived"
    orders = "1 order" if result["orders"] == 1 else f"{result['orders']} orders"
    console.print(
        f"the 20x long {fate} with {usdt(result['equity_usdt'])}; {orders} over "
        f"loopback, {result['trades']} traded, {result['events']:,} events",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    if minutes < LEAD_MINUTES + 10:
        console.print(
            f"it ended before the fall, {LEAD_MINUTES} minutes in: give --minutes 60",
            style="yellow", highlight=False,
        )  # fmt: skip
    console.print(result["label"] + ".", style="yellow", highlight=False)


def _kept(book: Journal, path: Path, journal: Path) -> None:
    """End a journal; where the screen read another file, leave it where it was asked for."""
    if path == journal:
        end_journal(book, journal)
        return
    book.close()
    with sqlite3.connect(path) as whole, sqlite3.connect(journal) as copy:
        whole.backup(copy)
    say_journal(journal)


def _paced(
    feed: Iterator[ev.MarketEvent], watch: _Watch, opens_ns: int, speed: float,
    screen: DemoScreen | None,
) -> Iterator[ev.MarketEvent]:  # fmt: skip
    """Let time pass as fast as asked, for the twins too."""
    began = 0.0
    is_paced = speed < float("inf")
    for event in feed:
        if event.known_ns >= opens_ns and is_paced:
            began = began or time.monotonic()
            due = began + (event.known_ns - opens_ns) / NS_PER_SECOND / speed
            time.sleep(max(0.0, due - time.monotonic()))
        elif watch.live is not None and event.known_ns % (600 * NS_PER_SECOND) == 0:
            watch.live.update(watch.warming(event.known_ns))
        watch.show_twins(event)
        yield event
        is_last = isinstance(event, ev.Bar) and event.asset == "LTC"  # of its atom
        if is_last and event.known_ns >= opens_ns:
            if watch.live is not None:
                watch.live.update(watch.view())
            if screen is not None:
                screen.tell(watch.sentences())


class _Watch:
    """Collects what the view shows."""

    def __init__(
        self, state: State, venue: SimVenue, twins: dict[str, SimVenue], opens_ns: int,
        wallet_usdt: float,
    ) -> None:  # fmt: skip
        self._state = state
        self._venue = venue
        self._twins = twins
        self._twin_died_ns = dict.fromkeys(twins, 0)
        self._opens_ns = opens_ns
        self._wallet_usdt = wallet_usdt
        self._prices: deque[float] = deque(maxlen=72)
        self._told: deque[Decision] = deque(maxlen=6)
        self._last: Decision | None = None
        self._now_ns = opens_ns
        self.price = float("nan")
        self._died_ns = 0
        self._trades = 0
        self.live: Live | None = None

    def now_ns(self) -> int:
        """Return the time of the market, 0 before the position is open."""
        return self._now_ns if self._now_ns > self._opens_ns else 0

    def __call__(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        if event.known_ns < self._opens_ns:
            return
        if isinstance(event, ev.Bar) and event.asset == "LTC":
            self._now_ns = event.known_ns
            self.price = event.close
            if event.known_ns % (60 * NS_PER_SECOND) == 0:
                self._prices.append(event.close)
        elif isinstance(event, ev.Liquidated) and not event.alive:
            self._died_ns = event.known_ns
        elif isinstance(event, ev.OrderFilled):
            self._trades += 1
        for effect in effects:
            if not isinstance(effect, Decision):
                continue
            self._last = effect
            if effect.recommendation.action is not Action.MAINTAIN or effect.verdicts:
                self._told.append(effect)

    def show_twins(self, event: ev.MarketEvent) -> None:
        """Note what the market did to the positions without litehedge."""
        for name, twin in self._twins.items():
            for happened in twin.on_market(event):
                if isinstance(happened, ev.Liquidated) and not happened.alive:
                    self._twin_died_ns[name] = happened.known_ns

    # --- what is shown ------------------------------------------------------------------------

    def warming(self, now_ns: int) -> Panel:
        """Show how far the statistics have warmed up."""
        bar = Progress(TextColumn("one day of history warms up the statistics"), BarColumn())
        bar.add_task("", total=PRE_ROLL_NS, completed=PRE_ROLL_NS - (self._opens_ns - now_ns))
        return Panel(bar, title="litehedge demo", subtitle=LABEL)

    def view(self) -> Panel:
        """Show price, distance, forecast, hedge, last decisions."""
        signals = self._state.signals
        position, hedge = self._venue.sizes()
        away = float(distance(self._venue.books, self.price, self._state.fixed.tiers.rows))
        facts = Table.grid(padding=(0, 3))
        facts.add_column(style="dim")
        facts.add_column(justify="right")
        facts.add_column(style="dim")
        facts.add_column(justify="right")
        colour = "red" if away < 0.02 else "yellow" if away < 0.04 else "green"
        alive = self._venue.is_open
        how_far = percent(away) if alive else "liquidated"
        facts.add_row(
            "to liquidation", Text(how_far, style=f"bold {colour}"),
            "price", f"{self.price:.2f} USDT",
        )  # fmt: skip
        soon = f"{_p(signals[sg.ONSET, 0])} / {_p(signals[sg.ONSET + 1, 0])}"
        facts.add_row(
            "squeeze of longs in 15 / 60 min", soon,
            "hedged", (percent(hedge / position, 0) if position else "-") + self._band(),
        )  # fmt: skip
        facts.add_row(
            "equity with litehedge", usdt(self._venue.equity()),
            "without / half as large",
            f"{self._standing('unhedged')} / {self._standing('half')}",
        )  # fmt: skip
        decisions = Table.grid(padding=(0, 2))
        for d in self._told:
            r = d.recommendation
            what = "refused" if d.verdicts and not d.order_id else r.action.value
            decisions.add_row(
                iso_utc(d.time_ns, seconds=True)[11:], what,
                f"{percent(r.ratio, 0)} → {percent(r.target, 0)}", Text(r.reason, style="dim"),
            )  # fmt: skip
        return Panel(
            Group(Text(self._spark(), style="blue"), Text(), facts, Text(), decisions),
            title=f"litehedge demo · 20x long · {iso_utc(self._now_ns, seconds=True)} UTC · PAPER",
            subtitle=LABEL,
        )

    def sentences(self) -> list[str]:
        """Point at three things to look at; the last tells what litehedge changed so far."""
        with_it = usdt(self._venue.equity()) if not self._died_ns else "was liquidated"
        standings = (
            f"With litehedge: {with_it}. Without: {self._standing('unhedged')}. "
            f"Half as large: {self._standing('half')}."
        )
        return [
            "How far the price may fall before this 20x long is closed by force.",
            "How likely a squeeze is, and when it would peak. One comes: it was looked for.",
            f"What is done about it. {standings}",
        ]

    def ending(self, seed: int, *, was_stopped: bool) -> str:
        """Say that it is over, what came of it, and how to see it again."""
        with_it = (
            f"was liquidated {iso_utc(self._died_ns)[11:]}" if self._died_ns
            else f"survived with {usdt(self._venue.equity())}"
        )  # fmt: skip
        return (
            f"The demo {'was stopped' if was_stopped else 'is over'}: the 20x long {with_it}. "
            f"Without litehedge: {self._standing('unhedged')}. Half as large: "
            f"{self._standing('half')}. To see it again: litehedge demo; another market: "
            f"litehedge demo --seed {seed + 1}."
        )

    def _band(self) -> str:
        if self._last is None:
            return ""
        band = self._last.recommendation
        return f"  (wants {percent(band.lo, 0)} to {percent(band.hi, 0)})"

    def _standing(self, name: str) -> str:
        died_ns = self._twin_died_ns[name]
        return (
            f"liquidated {iso_utc(died_ns)[11:]}" if died_ns else usdt(self._twins[name].equity())
        )

    def _spark(self) -> str:
        if len(self._prices) < 2:
            return ""
        low, high = min(self._prices), max(self._prices)
        span = max(high - low, 1e-9)
        return "".join(BLOCKS[int((p - low) / span * 7.999)] for p in self._prices)

    def result(self) -> dict[str, Any]:
        """Return how it ended."""
        return {
            "label": LABEL,
            "wallet_usdt": self._wallet_usdt,
            "equity_usdt": self._venue.equity(),
            "liquidated": bool(self._died_ns),
            "trades": self._trades,
            **{f"{n}_equity_usdt": twin.equity() for n, twin in self._twins.items()},
            **{f"{n}_liquidated": bool(at) for n, at in self._twin_died_ns.items()},
        }

    def say_result(self) -> None:
        """Say how it ended, beside the positions without litehedge."""
        rows = [
            ("with litehedge", self._venue.equity(), self._died_ns, self._trades),
            ("without", self._twins["unhedged"].equity(), self._twin_died_ns["unhedged"], 0),
            ("half as large", self._twins["half"].equity(), self._twin_died_ns["half"], 0),
        ]
        table = Table("20x long", "it", "holds", "trades")
        for name, worth, died_ns, trades in rows:
            fate = f"was liquidated at {iso_utc(died_ns)[11:]}" if died_ns else "survived"
            of_all = f"{usdt(worth)} of {usdt(self._wallet_usdt)}"
            table.add_row(name, fate, of_all, str(trades))
        console.print(table)
        console.print(LABEL + ".", style="yellow", highlight=False)
        console.print(
            "Real history: litehedge data import FILE..., then litehedge backtest --help",
            style="dim",
            highlight=False,
        )


def _p(value: float) -> str:
    return "-" if value != value else percent(float(value))

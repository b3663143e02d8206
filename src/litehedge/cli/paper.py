"""``litehedge paper``: the real market, an account on paper, for as long as you like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from litehedge.cli.alerts import telling
from litehedge.cli.common import console, note, settings_from, write_json
from litehedge.cli.guarding import (
    FRAME,
    WARM_UP,
    Screen,
    following,
    lessons_for,
    minds_by,
    one_of,
    plan_of,
    say_end,
    stopping,
    watched,
)
from litehedge.cli.market import check_market, listening, places_of
from litehedge.cli.rules import ruled
from litehedge.config import Settings
from litehedge.errors import UsageError, VenueError
from litehedge.live.funnel import Funnel
from litehedge.live.paper import PaperVenue
from litehedge.live.running import guard, take_up
from litehedge.live.session import held, session_at
from litehedge.live.sockets import SocketThread
from litehedge.market import events as ev
from litehedge.risk.capital import capital_check
from litehedge.shelf.home import home, stderr
from litehedge.store.bundled import tier_table
from litehedge.store.inbox import Inbox
from litehedge.store.journal import Journal
from litehedge.store.lookback import last_folder
from litehedge.store.steady import SteadyJournal
from litehedge.units import NS_PER_MINUTE, duration_ns

TIERS: str = "binance"  # the one contract whose tiers ship: paper on another venue uses them too


def paper(
    name: Annotated[str, typer.Option(help="Name of the session; it goes on when run again.")] = (
        "paper"
    ),
    venue: Annotated[str, typer.Option(help="Whose market.")] = "binance",
    side: Annotated[str | None, typer.Option(help="The position to guard: long or short.")] = None,
    leverage: Annotated[float | None, typer.Option(help="Its leverage.")] = None,
    wallet: Annotated[float | None, typer.Option(help="Its margin wallet in USDT.")] = None,
    policy: Annotated[str | None, typer.Option(help="The policy.")] = None,
    rules: Annotated[str | None, typer.Option(help="Your rules: a preset or a TOML file.")] = None,
    model: Annotated[str | None, typer.Option(help="The model by name or folder; auto.")] = None,
    frame: Annotated[str, typer.Option(help="Frame of the model: 5m or 1m.")] = FRAME,
    warm_up: Annotated[str, typer.Option(help="How much of the past warms it up.")] = WARM_UP,
    duration: Annotated[
        str | None, typer.Option("--for", help="Stop after 1h, 7d and so on. Default: never.")
    ] = None,
    reopen: Annotated[
        bool, typer.Option(help="After a liquidation open it again at midnight (UTC).")
    ] = True,
    settings: Annotated[
        Path | None, typer.Option(help="Settings file. Default: litehedge.toml if it exists.")
    ] = None,
    ui: Annotated[bool, typer.Option(help="Show the live view.")] = True,
    host: Annotated[str, typer.Option(help="Another server that speaks like the venue.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the end as JSON.")] = False,
) -> None:
    """Guard a made-up position in the real market. No keys, no money, the same code as live.

    The position opens at the first price. Orders fill against the live book with latency and fees,
    and the account is liquidated where the venue would. Stopped or killed, it goes on where it was
    when it is started again; what it missed meanwhile it lives through unhedged-as-it-was.

    litehedge paper --side long --leverage 10 --wallet 500

    How it went, and how far it is from the backtest of the same days: litehedge report paper
    """
    check_market(venue)
    session = session_at(home(), name)
    overrides = {
        "position.side": side, "position.leverage": leverage, "position.wallet_usdt": wallet,
        "hedge.policy": policy, "hedge.rules": rules, "model.name": model,
    }  # fmt: skip
    chosen, ruling = ruled(settings_from(settings, overrides), policy)
    minutes = duration_ns(warm_up) // NS_PER_MINUTE
    with (
        held(session),
        Inbox(session.inbox) as inbox,
        telling(chosen, f"litehedge {name}", is_real=False) as told,
        SocketThread() as thread,
    ):
        journal = SteadyJournal(session.journal)
        chosen = _as_before(chosen, journal, name, overrides)
        tiers = tier_table(TIERS, chosen.venue.symbol)
        plan = plan_of(chosen, ruling, tiers, frame, last_folder(session.journal))
        funnel = Funnel()
        places = places_of(host)
        stderr.print(f"fetching {warm_up} of the past from {venue} …", highlight=False)
        with listening(thread, venue, chosen, places, minutes) as market:
            past = market.past
            if not past:
                raise VenueError(f"{venue} told nothing of the past", "try again later")
            taken = take_up(
                plan, journal, session=name, mode="paper", data=venue, now_ns=funnel.now_ns()
            )
            account = PaperVenue(chosen, tiers, NS_PER_MINUTE, reopens=reopen)
            screen = Screen(
                taken.state, "PAPER", funnel, session, ui=ui, quiet=json, notifier=told.notifier
            )

            def begin() -> Sequence[ev.MarketEvent]:
                meanwhile = market.since(past[-1].known_ns)
                account.wake(max(funnel.now_ns(), [*past, *meanwhile][-1].known_ns + 1))
                if taken.ended_ns:
                    missed = account.resume(taken.state, taken.ended_ns, [*past, *meanwhile])
                    note(_meanwhile(missed))
                thread.run_sources(market.sources, funnel)
                return meanwhile

            with (
                stopping(funnel, duration),
                watched(inbox, funnel),
                screen.shown(),
                following(taken.state, chosen, funnel) as follows,
                lessons_for(taken.state, chosen, funnel, session) as lessons,
            ):
                guard(
                    taken.state, account, funnel, past, journal=journal,
                    inbox=inbox.attach(funnel.given_ns, journal.flush),
                    notifier=told.notifier,
                    observers=[*told.observers, *screen.observers, *one_of(follows), lessons],
                    begin=begin, warming=screen.warming, minds=minds_by(follows),
                )  # fmt: skip
        journal.close()
    result = screen.finish()
    if json:
        write_json(result, "-")
        return
    say_end(result, name, lambda text: console.print(text, highlight=False, soft_wrap=True))
    if result["price"] == result["price"]:
        note(capital_check(chosen, result["price"], tiers).problems)


def _as_before(
    settings: Settings, journal: Journal, name: str, asked: Mapping[str, object]
) -> Settings:
    """Return the settings with the position that the session guards already, if there is one.

    Raises
    ------
    UsageError
        When another position was asked for.
    """
    runs = journal.runs()
    if not runs:
        return settings
    before = Settings.model_validate(runs[-1][1].settings).position
    told = {"position.side": before.side, "position.leverage": before.leverage,
            "position.wallet_usdt": before.wallet_usdt}  # fmt: skip
    if any(asked[path] not in (None, value) for path, value in told.items()):
        raise UsageError(
            f"session {name} guards a {before.leverage:g}x {before.side} with "
            f"{before.wallet_usdt:,.0f} USDT",
            "leave out --side, --leverage and --wallet, or give another --name",
        )
    return settings.model_copy(update={"position": before})


def _meanwhile(missed: list[ev.AccountEvent]) -> list[str]:
    """Return what happened to the account while nobody ran it, in words."""
    told = [
        f"while it was stopped the position was liquidated at {event.price:.2f} USDT"
        for event in missed
        if isinstance(event, ev.Liquidated)
    ]
    settled = sum(isinstance(event, ev.FundingPaid) for event in missed)
    if settled:
        told.append(f"while it was stopped funding was settled {settled} times")
    return told

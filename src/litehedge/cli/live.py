"""``litehedge live``: guard a real position with real orders."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final, cast

import typer
from rich.panel import Panel

from litehedge.cli.alerts import telling
from litehedge.cli.common import console, settings_from, write_json
from litehedge.cli.doctor import look_at, print_checks
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
from litehedge.cli.market import check_market, client_of, listening, places_of
from litehedge.cli.rules import ruled
from litehedge.config import PositionSide, Settings
from litehedge.errors import UsageError, WrongSetup
from litehedge.live.before import Before, before_of, check_place, hedge_leg_ltc
from litehedge.live.checks import SHARED, faults, foreign_orders_checks
from litehedge.live.funnel import Funnel
from litehedge.live.lease import lease_of, leased
from litehedge.live.real import Seen, look, prepare, settings_of
from litehedge.live.session import held, session_at
from litehedge.live.setup import tiers_of
from litehedge.live.sockets import SocketThread
from litehedge.shelf.home import home, stderr
from litehedge.store.inbox import Inbox
from litehedge.store.lookback import last_folder
from litehedge.store.steady import SteadyJournal
from litehedge.units import NS_PER_MINUTE, duration_ns
from litehedge.venues.keys import find_keys

WORD: Final = "GUARD"


def live(
    venue: Annotated[str, typer.Option(help="Where your position is.")],
    name: Annotated[str | None, typer.Option(help="Name of the session. Default: the venue.")] = (
        None
    ),
    hedge_venue: Annotated[
        str | None, typer.Option(help="Where hedges go, with hedge.location = second_venue.")
    ] = None,
    side: Annotated[
        str | None,
        typer.Option(help="Which leg is the position, where the account holds both: long, short."),
    ] = None,
    policy: Annotated[str | None, typer.Option(help="The policy.")] = None,
    rules: Annotated[str | None, typer.Option(help="Your rules: a preset or a TOML file.")] = None,
    location: Annotated[
        str | None, typer.Option(help="same_account, second_venue or reduce.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model by name or folder; auto.")] = None,
    frame: Annotated[str, typer.Option(help="Frame of the model: 5m or 1m.")] = FRAME,
    warm_up: Annotated[str, typer.Option(help="How much of the past warms it up.")] = WARM_UP,
    duration: Annotated[
        str | None, typer.Option("--for", help="Stop after 1h, 7d and so on. Default: never.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="Settings file. Default: litehedge.toml if it exists.")
    ] = None,
    share_margin: Annotated[
        bool,
        typer.Option(help="Start although other positions of the account may take its margin."),
    ] = False,
    testnet: Annotated[bool, typer.Option(help="The venue's test network: no real money.")] = False,
    ui: Annotated[bool, typer.Option(help="Show the live view.")] = True,
    host: Annotated[str, typer.Option(help="Another server that speaks like the venue.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the end as JSON.")] = False,
) -> None:
    """Guard the position that your account holds, with real orders and real money.

    Looks first (keys, permissions, clock, mode, margin, tiers), shows what it found, and asks for a
    typed word. Keys come from the environment or the keyring (litehedge keys set VENUE); one that
    can withdraw is refused. Nothing is opened but hedges, or reductions where hedges cannot be.

    At the start, and when it halts, its own open orders are cancelled; yours stay. Positions in
    other contracts share a cross margin: live does not start when they may take much of it.
    Stopped or killed, position and hedge stay there as they are, guarded by nothing but the stop
    at the venue; started again it first compares its record of the account with the venue's.
    """
    check_market(venue)
    if side not in (None, "long", "short"):
        raise UsageError(f"there is no side {side!r}", "use long or short")
    asked = cast("PositionSide | None", side)
    session = session_at(home(), name or (f"{venue}-test" if testnet else venue))
    chosen, ruling = ruled(
        settings_from(
            settings,
            {
                "hedge.policy": policy, "hedge.rules": rules, "hedge.location": location,
                "model.name": model,
            },
        ),
        policy,
    )  # fmt: skip
    apart = _second_name(chosen, venue, hedge_venue)
    keys = find_keys(venue, os.environ)
    second_keys = None if apart is None else find_keys(apart, os.environ)
    places = places_of(host, testnet=testnet)
    is_test = testnet or bool(host)
    accounts = [keys] if second_keys is None else [keys, second_keys]
    with (
        held(session),
        leased(home(), accounts, session.name),
        Inbox(session.inbox) as inbox,
        telling(chosen, f"litehedge {session.name}", is_real=not is_test) as told,
        SocketThread() as thread,
    ):
        journal = SteadyJournal(session.journal)
        journal.hold(lease_of(home(), one).stem for one in accounts)
        before = before_of(journal)
        if before is not None and asked not in (None, before.position.side):
            raise UsageError(
                f"session {session.name} guards a {before.position.side}, not a {asked}",
                "leave out --side, or give another --name",
            )
        if before is not None and before.is_reduced:  # ccxt is told its margin mode with orders
            chosen = chosen.model_copy(update={"position": before.position})
        stderr.print(f"asking {venue} …", highlight=False)
        first = look(thread, client_of(keys, chosen, places, testnet=testnet))
        second = None
        if second_keys is not None:
            second = look(thread, client_of(second_keys, chosen, places, testnet=testnet))
        try:
            if before is not None:
                _same_place(session.name, before, chosen, first)
            checks = look_at(chosen, first, second)
            for seen in (first, second):
                checks += foreign_orders_checks(seen.foreign_orders if seen is not None else ())
            if not json:
                print_checks(checks)
            is_shared = {SHARED} if share_margin else set()
            if bad := [check for check in faults(checks) if check.name not in is_shared]:
                raise WrongSetup(
                    "; ".join(check.what for check in bad),
                    f"{bad[0].remedy}; nothing was started, the position stays as it is",
                )
            guarded = settings_of(chosen, first, asked, before)
            plan = plan_of(
                guarded, ruling, tiers_of(first.contract), frame, last_folder(session.journal)
            )
            _confirm(guarded, first, testnet=is_test)
            funnel = Funnel()
            mode = "live" if not is_test else f"live ({host or 'test network'})"
            running = prepare(
                thread, funnel, plan, journal, first, second, session=session.name, mode=mode
            )
            screen = Screen(
                running.taken.state, "LIVE", funnel, session, ui=ui, quiet=json,
                notifier=told.notifier,
            )  # fmt: skip
            minutes = duration_ns(warm_up) // NS_PER_MINUTE
            with (
                listening(thread, venue, guarded, places, minutes) as market,
                stopping(funnel, duration),
                watched(inbox, funnel),
                screen.shown(),
                following(running.taken.state, guarded, funnel) as follows,
                lessons_for(running.taken.state, guarded, funnel, session) as lessons,
            ):
                running.run(
                    market.sources, market.past, market.since, journal=journal,
                    inbox=inbox.attach(funnel.given_ns, journal.flush),
                    notifier=told.notifier,
                    observers=[*told.observers, *screen.observers, *one_of(follows), lessons],
                    warming=screen.warming, minds=minds_by(follows),
                )  # fmt: skip
                running.disarm()
            journal.close()
        finally:
            for seen in (first, second):
                if seen is not None:
                    thread.call(seen.client.close())
    result = screen.finish()
    if json:
        write_json(result, "-")
        return
    say_end(result, session.name, lambda text: console.print(text, highlight=False, soft_wrap=True))
    console.print(
        "position and hedge stay on the venue as they are: nobody guards them now", style="yellow"
    )


def _same_place(session: str, before: Before, chosen: Settings, first: Seen) -> None:
    """Refuse another place of the hedge while something of the old one stands."""
    check_place(
        session, before.location, chosen.hedge.location,
        hedge_ltc=hedge_leg_ltc(first.account, before.position), sold_ltc=before.sold_ltc,
        lot_ltc=before.lot_ltc, is_asking=before.is_asking,
    )  # fmt: skip


def _second_name(settings: Settings, venue: str, hedge_venue: str | None) -> str | None:
    if settings.hedge.location != "second_venue":
        if hedge_venue is not None:
            raise UsageError(
                f"--hedge-venue {hedge_venue} has no use with hedge.location = "
                f"{settings.hedge.location}",
                "add --location second_venue, or leave it out",
            )
        return None
    if hedge_venue is None or hedge_venue == venue:
        raise UsageError(
            "hedge.location = second_venue needs another venue", "give --hedge-venue NAME"
        )
    check_market(hedge_venue)
    return hedge_venue


def _confirm(settings: Settings, first: Seen, *, testnet: bool) -> None:
    """Show what is about to be guarded, and ask for a typed word."""
    position = settings.position
    money = "the test network's money" if testnet else "[bold red]real money[/]"
    stderr.print(
        Panel(
            f"{first.client.name} {first.contract.symbol}: {position.side} at "
            f"{position.leverage:.1f}x, {position.wallet_usdt:,.2f} USDT behind it\n"
            f"hedges: {settings.hedge.location}, policy {settings.hedge.policy}, at most "
            f"{settings.limits.max_hedge_notional_usdt:,.0f} USDT, "
            f"{settings.limits.max_orders_per_day} orders a day, costs up to "
            f"{settings.limits.daily_cost_share:.1%} of equity a day\n"
            f"This sends orders with {money}. It cannot promise that you keep it.",
            title="litehedge live",
        )
    )
    if not sys.stdin.isatty() and os.environ.get("LITEHEDGE_CONFIRM") is None:
        raise UsageError(
            "live asks for a typed word, and nobody is at the terminal",
            f"run it in a terminal, or set LITEHEDGE_CONFIRM={WORD} where you mean it",
        )
    typed = os.environ.get("LITEHEDGE_CONFIRM") or typer.prompt(f"type {WORD} to begin")
    if typed.strip() != WORD:
        raise UsageError("not confirmed", "nothing was started")

"""Sessions in which a person acts, on made-up bars, and their ledgers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named, with_rules
from litehedge.hedge.rule_reading import parse_rules
from litehedge.ledger.scores import Ledger
from litehedge.ledger.walk import Part, keep
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.runner import run
from litehedge.settings import load_settings
from litehedge.sim.venue import Opening, SimVenue
from litehedge.store.header import Header
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_MINUTE
from litehedge_runs import header
from synthetic import T0, Market, everything, funding, packaged_tiers

MINUTE = NS_PER_MINUTE


class OnBars(SimVenue):
    """The venue of a backtest."""

    def on_market(self, event: ev.MarketEvent) -> list[ev.AccountEvent]:
        quotes = (ev.Book, ev.Trade, ev.Mark)
        return [] if type(event) in quotes else super().on_market(event)


class Person:
    """Gives commands when their time has come: stamped with the event that is about to come."""

    def __init__(self, commands: Iterable[ev.Command]) -> None:
        self.commands = sorted(commands, key=lambda one: one.known_ns)
        self.now_ns = 0

    def feed(self, events: Iterable[ev.MarketEvent]) -> Iterable[ev.MarketEvent]:
        for event in events:
            self.now_ns = event.known_ns
            yield event

    def take(self) -> list[ev.Command]:
        due = [one for one in self.commands if one.known_ns <= self.now_ns]
        self.commands = self.commands[len(due) :]
        return due


def at(minute: int) -> int:
    """The time a minute of the market ends."""
    return T0 + minute * MINUTE


def set_hedge(minute: int, ratio: float, minutes: int) -> ev.SetHedge:
    """Hold a hedge from a minute on, for some minutes."""
    return ev.SetHedge(at(minute), at(minute), ratio, at(minute + minutes))


def settings_with(**position: Any):
    """Settings with another position."""
    chosen = load_settings()
    held = chosen.position.model_copy(update=position)
    return chosen.model_copy(update={"position": held})


def journaled(
    path: Path,
    own: Market,
    commands: Iterable[ev.Command] = (),
    *,
    policy: str = "plugin",
    is_full: bool = False,
    rules: str = "",
    **position: Any,
) -> Journal:
    """Guard a position while a person acts, or plans in `rules` do; return the journal."""
    settings = settings_with(**position)
    person = Person(commands)
    told = everything(own) if is_full else own.events(funding(own))
    journal = Journal(path)
    journal.begin(header(settings=settings.model_dump(), policy=policy, rules=rules,
                         looks_between=False))  # fmt: skip
    venue = OnBars(settings, packaged_tiers(), Opening(T0, reopens=False), MINUTE)
    state = begin(journal.runs()[-1][1])
    run(state, person.feed(told.events()), venue, journal=journal, inbox=person)
    journal.close()
    return Journal(path)


def begin(head: Header):
    """The state before a run's first event."""
    settings = load_settings().model_validate(head.settings)
    rules = parse_rules(head.rules, "my.toml", "my") if head.rules else None
    named = with_rules(policy_named(head.policy, settings), rules)
    return start(
        settings, named, packaged_tiers(), BlindForecaster(), session=head.session,
        atom_ns=head.atom_ns, per_frame=head.per_frame, held_every_ns=head.held_every_ns,
        looks_between=head.looks_between,
    )  # fmt: skip


def part_of(journal: Journal, number: int, head: Header, *, is_on_bars: bool = True) -> Part:
    """One run as the ledger walks through it."""
    return Part(
        begin=lambda: begin(head),
        events=lambda: journal.events(number),
        sent=lambda: {order.client_id: order for order in journal.orders(number)},
        plan=(head.settings, head.policy, head.rules),
        bar_ns=head.atom_ns,
        is_on_bars=is_on_bars,
        is_silent=not any(True for _ in journal.commands(number)),
        fired=journal.fired(number),
    )


def ledger_of(journal: Journal, **options: Any) -> Ledger:
    """The ledger of a journal."""
    return keep([part_of(journal, n, head) for n, head in journal.runs()], **options)

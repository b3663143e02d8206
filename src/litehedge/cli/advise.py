"""``litehedge advise``: how much leverage this market bears, and whether the wallet suffices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import typer
from rich.markup import escape
from rich.table import Table

from litehedge.backtest import with_position
from litehedge.cli.common import (
    JsonTarget,
    console,
    open_lake,
    print_table,
    settings_from,
    write_json,
)
from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.hedge.leverage import (
    MAX_HORIZON_DAYS,
    MIN_HORIZON_DAYS,
    LeverageAdvice,
    advise,
    deviations,
    fresh_move,
    liquidation_probability,
    volatilities,
)
from litehedge.hedge.past import PastStarts, of_ten, span_words, told
from litehedge.margin.account import ACCOUNT
from litehedge.margin.tiers import TierTable
from litehedge.report.style import percent, usdt
from litehedge.risk.capital import CapitalCheck, capital_check
from litehedge.shelf.home import stderr
from litehedge.shelf.models import choose_model, saw
from litehedge.store.bundled import past_starts, tier_table
from litehedge.store.lake import Dataset
from litehedge.tape import Tape, build_tape, per_frame_of
from litehedge.units import LONG, NS_PER_DAY, SHORT, duration_ns, instant_ns, iso_utc

LEVERAGES: Final = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0)
READ_NS: Final = NS_PER_DAY  # before the moment; statistics warm up on more
STALE_BARS: Final = 12


@dataclass(frozen=True, slots=True)
class Row:
    """What one leverage means: how far liquidation is away, and how likely.

    `distance` is a fraction of the price, infinite and `price_usdt` NaN where no price
    liquidates; `probability` is the model's, `past` the share of like starts that ended so.
    """

    leverage: float
    distance: float
    price_usdt: float
    probability: float
    past: float


def advise_command(
    data: Annotated[str, typer.Option(help="Data set with bars; see: litehedge data list.")],
    at: Annotated[
        str | None, typer.Option(help="Moment (UTC); nothing after it is used. Default: the last.")
    ] = None,
    side: Annotated[str | None, typer.Option(help="long or short.")] = None,
    leverage: Annotated[float | None, typer.Option(help="Leverage that you have in mind.")] = None,
    wallet: Annotated[float | None, typer.Option(help="Margin wallet in USDT.")] = None,
    horizon: Annotated[
        str | None, typer.Option(help="How long the position is to live: 1d to 30d.")
    ] = None,
    tolerance: Annotated[
        str | None, typer.Option(help="Acceptable probability of liquidation: 0.1% to 50%.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model by name or folder; auto fits the bars; none.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="Settings file. Default: litehedge.toml if it exists.")
    ] = None,
    json: JsonTarget = None,
) -> None:
    """Say how much leverage this market bears, and whether the wallet suffices for the hedge.

    The largest leverage whose probability of liquidation stays within the tolerance; the
    probability at yours; how such weeks ended in the past; what the venue takes of this wallet.
    All of it for the position without hedge.

    Example: litehedge advise --data ltc_spot_5m --side long --leverage 20 --wallet 300
    """
    chosen = settings_from(
        settings,
        {
            "position.side": side,
            "position.leverage": leverage,
            "position.wallet_usdt": wallet,
            "advice.horizon_days": None if horizon is None else read_horizon(horizon),
            "advice.tolerance": None if tolerance is None else read_tolerance(tolerance),
            "model.name": model,
        },
    )
    dataset = open_lake().bars(data)
    if not chosen.venue.symbol.startswith(dataset.asset) or dataset.market == "mark":
        what = "mark prices" if dataset.market == "mark" else dataset.symbol
        raise UsageError(
            f"{data} holds {what}, the contract is {chosen.venue.symbol}",
            "choose bars that were traded in that coin; see: litehedge data list",
        )
    at_ns = check_moment(dataset, None if at is None else instant_ns(at))
    frame_ns = dataset.interval_ns * per_frame_of(dataset.interval_ns)
    chosen_model = choose_model(chosen.model.name, frame_ns)
    with stderr.status(f"reading {dataset.name} …"):
        start_ns = max(dataset.start_ns, at_ns - READ_NS)
        tape = build_tape(open_lake(), dataset, chosen_model.forecaster, start_ns, at_ns)
    report = Report(
        tape, chosen, tier_table(chosen.venue.name, chosen.venue.symbol), past_starts(), at_ns,
        is_in_sample=saw(chosen_model.card, at_ns - frame_ns, at_ns),
    )  # fmt: skip
    if json is not None:
        write_json(report.row(), json)
    if json != "-":
        report.print()


# --- what was asked for -----------------------------------------------------------------------


def read_horizon(text: str) -> float:
    """Read a horizon in days.

    Raises
    ------
    UsageError
        When it is no duration, or outside of what the advice was fitted on.
    """
    days = duration_ns(text) / NS_PER_DAY
    if not MIN_HORIZON_DAYS <= days <= MAX_HORIZON_DAYS:
        nearest = min(max(days, MIN_HORIZON_DAYS), MAX_HORIZON_DAYS)
        raise UsageError(
            f"a --horizon of {text} is outside of {MIN_HORIZON_DAYS:g}d to "
            f"{MAX_HORIZON_DAYS:g}d, on which the advice was fitted",
            f"use --horizon {nearest:g}d",
        )
    return days


def read_tolerance(text: str) -> float:
    """Read a probability: ``5%`` or ``0.05``.

    Raises
    ------
    UsageError
        When it is none, or outside of 0.1 % to 50 %.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*", text)
    if found is None:
        raise UsageError(f"--tolerance {text} is not a probability", "write 5% or 0.05")
    share = float(found[1]) / (100.0 if found[2] else 1.0)
    if not 0.001 <= share <= 0.5:
        meant = f"{text.strip()}%" if not found[2] and 0.1 <= share <= 50.0 else "5%"
        raise UsageError(
            f"a --tolerance of {text} is outside of 0.1% to 50%", f"use --tolerance {meant}"
        )
    return share


def check_moment(dataset: Dataset, at_ns: int | None) -> int:
    """Return the moment, by default the last of the data set.

    Raises
    ------
    UsageError
        When the data set does not reach it.
    """
    if at_ns is None:
        return dataset.end_ns
    if not dataset.start_ns < at_ns <= dataset.end_ns:
        nearest = min(max(at_ns, dataset.start_ns + dataset.interval_ns), dataset.end_ns)
        raise UsageError(
            f"no data at {iso_utc(at_ns)}",
            f'{dataset.name} covers {dataset.span}; use --at "{iso_utc(nearest)}"',
        )
    return at_ns


# --- the answer -------------------------------------------------------------------------------


class Report:
    """Advice, past and capital at the end of a tape."""

    def __init__(
        self, tape: Tape, settings: Settings, tiers: TierTable, past: PastStarts, at_ns: int,
        *, is_in_sample: bool,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._tiers = tiers
        self._past = past
        self._signals = tape.signals[:, -1:]
        self._is_in_sample = is_in_sample
        self._name = tape.name
        self._known_ns = int(tape.end_ns[-1])
        self._late_bars = (at_ns - self._known_ns) // tape.bar_ns
        self.price = float(tape.bars[-1, 3])
        wanted = settings.position
        second = settings.hedge
        share = second.second_wallet_share if second.location == "second_venue" else 0.0
        self._side = LONG if wanted.side == "long" else SHORT
        self._backing_usdt = wanted.wallet_usdt * (1.0 - share)
        self._units = deviations(*volatilities(self._signals))
        self.advice: LeverageAdvice = advise(
            self._signals,
            tiers,
            self._side,
            self._backing_usdt,
            wanted.leverage,
            horizon_days=settings.advice.horizon_days,
            tolerance=settings.advice.tolerance,
        )
        if np.isnan(self.advice.leverage):
            raise UsageError(
                f"{tape.name} has no volatility yet at {iso_utc(self._known_ns)}",
                "choose a moment at least a day after the data begins",
            )
        allowed = tiers.largest_leverage(self._backing_usdt)
        self.rows = [self.at(one) for one in LEVERAGES if one <= allowed]
        self.own = self.at(wanted.leverage)
        self.advised = self.at(self.advice.leverage)
        self.capital: CapitalCheck = capital_check(settings, self.price, tiers)
        lower = with_position(settings, wanted.side, self.advice.leverage)
        self.capital_if_advised: CapitalCheck = capital_check(lower, self.price, tiers)

    def at(self, leverage: float) -> Row:
        """Return what a leverage means here."""
        horizon = self._settings.advice.horizon_days
        books = np.zeros(1, dtype=ACCOUNT)
        move = float(fresh_move(self._side, leverage, self._backing_usdt, self._tiers.rows, books))
        price = self.price * float(np.exp(-self._side * move)) if np.isfinite(move) else np.nan
        return Row(
            leverage=leverage,
            distance=abs(price / self.price - 1.0) if np.isfinite(move) else float("inf"),
            price_usdt=float(price),
            probability=liquidation_probability(
                self._signals, self._tiers, self._side, self._backing_usdt, leverage, horizon
            ),
            past=self._past.share_beyond(self._side, move, self._units, horizon),
        )

    def row(self) -> dict[str, Any]:
        """Return everything for JSON."""
        wanted = self._settings.position
        return {
            "data": self._name,
            "time": iso_utc(self._known_ns, seconds=True),
            "price_usdt": self.price,
            "side": wanted.side,
            "wallet_usdt": wanted.wallet_usdt,
            "horizon_days": self.advice.horizon_days,
            "tolerance": self.advice.tolerance,
            "advised": self.advised,
            "own": self.own,
            "past": {
                "told": told(self.own.past, self.own.leverage, self.advice.horizon_days),
                "group": self._past.group_of(self._units, self.advice.horizon_days) + 1,
                "weeks": self._past.weeks,
                "source": self._past.source,
            },
            "by_leverage": self.rows,
            "capital": msgspec.to_builtins(self.capital),
            "in_sample": self._is_in_sample,
            "what_to_do": self.what_to_do(),
        }

    # --- in words -----------------------------------------------------------------------------

    def what_to_do(self) -> list[str]:
        """Say what follows, in plain words."""
        own, advised = self.own, self.advised
        wanted, tolerance = self._settings.position, percent(self.advice.tolerance, 1)
        said: list[str] = []
        if own.probability <= self.advice.tolerance:
            said.append(
                f"{own.leverage:g}x is within what you accept; so is up to {advised.leverage:.1f}x"
            )
        else:
            size = advised.leverage * self._backing_usdt
            more = own.leverage * self._backing_usdt / advised.leverage - self._backing_usdt
            said.append(
                f"to stay within {tolerance}: carry at most {usdt(size)} with this wallet "
                f"({advised.leverage:.1f}x), or about {usdt(more)} more margin under the same "
                "position, or a shorter time"
            )
            said.append(
                "a hedge can stand in for some of that; see how it did: litehedge backtest --data "
                f"{self._name} --side {wanted.side} --leverage {own.leverage:g} --episodes 7d"
            )
        said += self.capital.problems
        if self.capital.is_enough and not self.capital_if_advised.is_enough:
            said.append(
                f"at {advised.leverage:.1f}x the position is small: "
                + "; ".join(self.capital_if_advised.problems)
            )
        return said

    def print(self) -> None:
        """Print the answer."""
        own, advised, advice = self.own, self.advised, self.advice
        wanted = self._settings.position
        span = f"{advice.horizon_days:g} day" + ("" if advice.horizon_days == 1.0 else "s")
        console.print(
            f"[bold]{own.leverage:g}x {wanted.side}[/], {usdt(wanted.wallet_usdt)} wallet, LTC at "
            f"{self.price:.2f} USDT ({escape(self._name)}, {iso_utc(self._known_ns)} UTC)",
            highlight=False,
            soft_wrap=True,
        )
        if self._late_bars > STALE_BARS:
            self._note(f"the data has a gap here: nothing is known after {iso_utc(self._known_ns)}")
        if self._is_in_sample:
            self._note("in-sample: the model was trained on a part of this span")
        console.print(f"  liquidated {_away(own)}", highlight=False, soft_wrap=True)
        sentence = told(own.past, own.leverage, advice.horizon_days)
        console.print(
            f"  within {span}, without hedge: {percent(own.probability)}; {sentence}",
            highlight=False,
            soft_wrap=True,
        )
        console.print(
            f"[bold]Advised: at most {advised.leverage:.1f}x[/] for {percent(advice.tolerance)} "
            f"within {span}, without hedge; liquidated {_away(advised)}",
            highlight=False,
            soft_wrap=True,
        )
        table = Table("leverage", "liquidated at", "away", f"within {span}",
                      f"such {span_words(advice.horizon_days)}")  # fmt: skip
        for column in table.columns:
            column.justify = "right"
        for row in self.rows:
            style = "" if row.probability <= advice.tolerance else "dim"
            price = "never" if np.isnan(row.price_usdt) else f"{row.price_usdt:.2f}"
            away = "" if np.isnan(row.price_usdt) else percent(row.distance)
            table.add_row(
                f"{row.leverage:g}x", price, away, percent(row.probability), of_ten(row.past),
                style=style,
            )  # fmt: skip
        print_table(table)
        group = self._past.group_of(self._units, advice.horizon_days) + 1
        console.print(
            f"such {span_words(advice.horizon_days)}: starts in {self._past.weeks} weeks of "
            f"2019 to 2023 with volatility like now's, group {group} of 10 from calm to wild",
            style="dim", highlight=False, soft_wrap=True,
        )  # fmt: skip
        self._print_capital()
        for line in self.what_to_do():
            console.print(f"→ {line}", highlight=False, soft_wrap=True, markup=False)

    def _print_capital(self) -> None:
        check = self.capital
        fine = "[green]enough[/]" if check.is_enough else "[yellow]too small[/]"
        what = f"hedge steps of {check.step:.0%} need" if check.step > 0.0 else "the position needs"
        console.print(
            f"Wallet: {fine}; the venue takes orders from {usdt(check.smallest_order_usdt)}, so "
            f"{what} {usdt(check.minimum_usdt)} or more at {check.leverage:g}x",
            highlight=False, soft_wrap=True,
        )  # fmt: skip

    def _note(self, text: str) -> None:
        console.print(f"[yellow]note:[/] {text}", highlight=False, soft_wrap=True)


def _away(row: Row) -> str:
    if np.isnan(row.price_usdt):
        return "at no price"
    return f"at {row.price_usdt:.2f} USDT, {percent(row.distance)} away"

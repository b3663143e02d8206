"""What lots and the smallest order cost small wallets: ``python -m studies.small_wallets``.

Positions of seven days, a new one every three days, in the data up to 2023-12-31, hedged by the
default policy: with the venue's rules, and on a venue that takes any size. Beside them the smallest
wallet that the capital check asks for, at the median price.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from litehedge.backtest import Episodes, episodes, run_grid, with_position
from litehedge.config import Settings
from litehedge.hedge.policies import policy_named
from litehedge.risk.capital import capital_check
from litehedge.settings import load_settings
from litehedge.shelf.home import home
from litehedge.shelf.models import choose_model
from litehedge.store.bundled import tier_table
from litehedge.store.lake import Lake
from litehedge.tape import Tape, build_tape, check_range
from litehedge.units import NS_PER_DAY, instant_ns

DATA = "ltc_spot_5m"
MODEL = "ltc-5m-logistic"
LAST = "2024-01-01"
WALLETS_USDT = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 300.0, 1000.0)
LEVERAGES = (3.0, 5.0, 10.0, 20.0)
ANY_SIZE = {"lot_ltc": 1e-7, "min_notional_usdt": 0.0}


class Small(msgspec.Struct):
    """One wallet at one leverage, both sides: with the venue's rules and without, as shares."""

    leverage: float
    wallet_usdt: float
    minimum_usdt: float
    placeable: str
    episodes: int
    lost: float
    lost_any_size: float
    hedge: float
    hedge_any_size: float
    mean_return: float
    mean_return_any_size: float


def carried(
    tape: Tape, where: Episodes, settings: Settings, wallet: float, leverage: float
) -> tuple[float, float, float]:
    """Return share lost, average hedge and mean return of both sides."""
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    lost, hedge, returns = [], [], []
    for side in ("long", "short"):
        own = with_wallet(with_position(settings, side, leverage), wallet)
        done = run_grid(tape, where, own, tiers, policy_named(own.hedge.policy, own))
        lost.append(done["liquidations"] > 0)
        hedge.append(done["ratio_sum"] / done["bars"])
        returns.append(done["equity"] / done["wallet"] - 1.0)
    return float(np.mean(lost)), float(np.mean(hedge)), float(np.mean(returns))


def with_wallet(settings: Settings, wallet: float) -> Settings:
    """Return the settings with another wallet."""
    position = settings.position.model_copy(update={"wallet_usdt": wallet})
    return settings.model_copy(update={"position": position})


def study(tape: Tape, settings: Settings, console: Console) -> list[Small]:
    """Carry every wallet at every leverage."""
    where = episodes(tape, 7 * NS_PER_DAY, 3 * NS_PER_DAY)
    venue = settings.venue.model_copy(update=ANY_SIZE)
    free = settings.model_copy(update={"venue": venue})
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    price = float(np.median(tape.bars[:, 3]))
    rows = []
    wanted = list(product(LEVERAGES, WALLETS_USDT))
    for leverage, wallet in track(wanted, f"{len(where)} episodes each", console=console):
        own = with_wallet(with_position(settings, "long", leverage), wallet)
        check = capital_check(own, price, tiers)
        with_rules = carried(tape, where, settings, wallet, leverage)
        any_size = carried(tape, where, free, wallet, leverage)
        pairs = [x for pair in zip(with_rules, any_size, strict=True) for x in pair]
        rows.append(
            Small(
                leverage, wallet, check.minimum_usdt, check.placeable.value, 2 * len(where), *pairs
            )
        )
    return rows


def main() -> None:
    """Carry them, print the table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    given = options.parse_args()
    console = Console(width=120)
    lake = Lake(home() / "lake")
    dataset = lake.dataset(DATA)
    model = choose_model(MODEL, dataset.interval_ns)
    with console.status("signals …"):
        tape = build_tape(
            lake, dataset, model.forecaster, *check_range(dataset, None, instant_ns(LAST))
        )
    rows = study(tape, load_settings(), console)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")
    console.print(table(rows))


def table(rows: list[Small]) -> Table:
    """Return the table; in brackets a venue that takes any size."""
    told = Table(title=f"{DATA} up to {LAST}, {rows[0].episodes} positions of seven days each")
    for heading in ("leverage", "wallet", "needs", "placeable", "lost", "hedge", "mean return"):
        told.add_column(heading, justify="left" if heading == "placeable" else "right")
    for row in rows:
        told.add_row(
            f"{row.leverage:g}x", f"{row.wallet_usdt:g}", f"{row.minimum_usdt:.1f}", row.placeable,
            f"{row.lost:.2%} ({row.lost_any_size:.2%})",
            f"{row.hedge:.3f} ({row.hedge_any_size:.3f})",
            f"{row.mean_return:+.2%} ({row.mean_return_any_size:+.2%})",
        )  # fmt: skip
    return told


if __name__ == "__main__":
    main()

"""Compare where a hedge may live: ``python -m studies.hedge_location``.

The same capital, position by position: hedge and position in one account; the hedge on a second
venue, which holds back a part of the capital, without transfers and with transfers that take 5, 30
and 120 minutes; or the position made smaller. Weeks that begin every day, in the data up to
2023-12-31; what comes after has no part in it.

A leverage is that of the first wallet. With half of the capital on a second venue the position is
half as large; ``second_venue at double leverage`` has the same exposure per capital as the others,
and half the distance to liquidation. Returns are of the whole capital, always.

``--tune`` tries triggers and targets of transfers instead. Needs the history in the lake.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from litehedge.backtest import Episodes, episodes, run_grid, with_location, with_position
from litehedge.config import Settings, Transfer
from litehedge.hedge.policies import policy_named
from litehedge.margin.tiers import TierTable
from litehedge.report.metrics import cvar5, episode_returns
from litehedge.settings import load_settings
from litehedge.shelf.home import home
from litehedge.shelf.models import choose_model
from litehedge.store.bundled import tier_table
from litehedge.store.lake import Lake
from litehedge.tape import Tape, build_tape, check_range
from litehedge.units import NS_PER_DAY, instant_ns

DATA = "ltc_spot_5m"
LAST = "2024-01-01"
SIDES = ("long", "short")
LEVERAGES = (5.0, 10.0, 20.0)
POLICIES = ("unhedged", "plugin", "margin-vol")
DELAYS_MIN = (5.0, 30.0, 120.0)


@dataclass(frozen=True)
class Row:
    """One place, policy, side and leverage; rates and money per episode, money of the capital."""

    place: str
    policy: str
    side: str
    leverage: float
    first_wallet_leverage: float
    position_lost: float  # closed to the end by force
    touched: float  # any part of the position closed by force
    hedge_lost: float  # the hedge leg on its own venue
    mean_return: float
    cvar5: float
    worst: float
    cost: float
    avg_hedge: float
    transfers: float
    too_late: float  # of transfers, NaN without any


def places(settings: Settings, leverage: float) -> Iterator[tuple[str, Settings]]:
    """Yield every place of the hedge with its settings."""
    side = settings.position.side
    for name in ("same_account", "reduce"):
        yield name, with_location(settings, name)
    for first, told in ((leverage, ""), (2.0 * leverage, " at double leverage")):
        apart = with_location(with_position(settings, side, first), "second_venue")
        off = apart.transfer.model_copy(update={"enabled": False})
        yield f"second_venue{told}, no transfers", apart.model_copy(update={"transfer": off})
        for delay in DELAYS_MIN:
            move = apart.transfer.model_copy(update={"delay_min": delay})
            yield (
                f"second_venue{told}, {delay:g} min",
                apart.model_copy(update={"transfer": move}),
            )


def triggers(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """Yield the second venue with other triggers and targets."""
    apart = with_location(settings, "second_venue")
    for trigger, share in product((0.08, 0.1, 0.15, 0.2, 0.3, 0.5), (0.5, 0.67, 0.8)):
        move = Transfer.model_validate(
            apart.transfer.model_dump()
            | {"trigger_ratio": trigger, "target_ratio": round(trigger * share, 3)}
        )
        told = f"trigger {trigger:g}, target {move.target_ratio:g}"
        yield told, apart.model_copy(update={"transfer": move})


def measured(
    tape: Tape, where: Episodes, settings: Settings, tiers: TierTable, name: str,
    told: tuple[str, str, float],
) -> Row:  # fmt: skip
    """Carry the positions of one row through all episodes."""
    place, side, leverage = told
    outcomes = run_grid(tape, where, settings, tiers, policy_named(name, settings))
    capital = outcomes["wallet"]
    sent = float(outcomes["transfers"].sum())
    returns = episode_returns(outcomes)
    paid = sum(outcomes[c] for c in ("fees", "slippage", "funding", "clearance", "transfer_fees"))
    return Row(
        place, name, side, leverage, settings.position.leverage,
        position_lost=float(outcomes["liquidated"].mean()),
        touched=float((outcomes["liquidations"] > outcomes["hedge_liquidations"]).mean()),
        hedge_lost=float((outcomes["hedge_liquidations"] > 0).mean()),
        mean_return=float(returns.mean()),
        cvar5=cvar5(returns),
        worst=float(returns.min()),
        cost=float((paid / capital).mean()),
        avg_hedge=float((outcomes["ratio_sum"] / outcomes["bars"]).mean()),
        transfers=sent / len(where),
        too_late=float(outcomes["late_transfers"].sum()) / sent if sent else float("nan"),
    )  # fmt: skip


def table(rows: list[Row]) -> Table:
    """Return the rows of one side and leverage as a table."""
    shown = Table(title=f"{rows[0].side} {rows[0].leverage:g}x")
    shown.add_column("hedge")
    shown.add_column("policy")
    for name in ("touched", "hedge lost", "mean", "CVaR5", "worst", "cost", "hedge",
                 "transfers", "late"):  # fmt: skip
        shown.add_column(name, justify="right")
    for r in rows:
        shown.add_row(
            r.place, r.policy, f"{100 * r.touched:.1f}", f"{100 * r.hedge_lost:.1f}",
            f"{100 * r.mean_return:+.2f}", f"{100 * r.cvar5:+.1f}", f"{100 * r.worst:+.0f}",
            f"{100 * r.cost:.2f}", f"{r.avg_hedge:.2f}", f"{r.transfers:.2f}",
            f"{100 * r.too_late:.0f}",
        )  # fmt: skip
    return shown


def main() -> None:
    """Run the comparison, or with ``--tune`` that of triggers."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    asked.add_argument("--every", type=int, default=1, help="days between beginnings")
    asked.add_argument("--tune", action="store_true", help="other triggers and targets instead")
    asked.add_argument("--json", type=Path, help="write all figures here")
    asked.add_argument("--model", default="auto", help="model by name")
    options = asked.parse_args()
    settings = load_settings()
    lake = Lake(home() / "lake")
    data = lake.bars(DATA)
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    model = choose_model(options.model, data.interval_ns)
    first, last = check_range(data, None, instant_ns(LAST))
    tape = build_tape(lake, data, model.forecaster, first, last)
    where = episodes(tape, 7 * NS_PER_DAY, options.every * NS_PER_DAY)
    screen = Console()
    rows: list[Row] = []
    for side, leverage in product(SIDES, LEVERAGES):
        positioned = with_position(settings, side, leverage)
        tried = triggers(positioned) if options.tune else places(positioned, leverage)
        wanted = list(product(tried, POLICIES[1:] if options.tune else POLICIES))
        for (place, chosen), name in track(
            wanted, f"{side} {leverage:g}x", console=Console(stderr=True)
        ):
            rows.append(measured(tape, where, chosen, tiers, name, (place, side, leverage)))
        screen.print(table([r for r in rows if (r.side, r.leverage) == (side, leverage)]))
    if options.json:
        told = {"episodes": len(where), "rows": [asdict(r) for r in rows]}
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(told)))
    assert np.isfinite([r.mean_return for r in rows]).all()


if __name__ == "__main__":
    main()

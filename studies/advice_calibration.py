"""Does the leverage advice keep its word? ``python -m studies.advice_calibration``.

Every six hours the advice is asked for, for both sides, several horizons and tolerances, with what
was known then. A cross position of the advised leverage is then carried through the margin account
for the horizon, without hedge, and with the default policy. Advice that keeps its word loses a
share of the positions that is the tolerance. A position counts as lost when the venue closed any
part of it.

Starts overlap: of a horizon of 30 days there are twelve a year that do not. Intervals (90 %) draw
stretches of four horizons. Where the venue's brackets cap the advice, it loses less than it may:
the share of such starts is told.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from litehedge.backtest import Episodes, episodes, run_grid, with_position
from litehedge.config import Settings
from litehedge.hedge.leverage import advise
from litehedge.hedge.policies import policy_named
from litehedge.margin.tiers import TierTable
from litehedge.report.metrics import comparison_interval
from litehedge.settings import load_settings
from litehedge.shelf.home import home
from litehedge.shelf.models import choose_model
from litehedge.store.bundled import tier_table
from litehedge.store.lake import Lake
from litehedge.tape import Tape, build_tape, check_range
from litehedge.units import LONG, NS_PER_DAY, NS_PER_HOUR, SHORT, instant_ns
from studies.reliability import reliability_svg

Floats = NDArray[np.float64]

MODEL = "ltc-5m-logistic"
HORIZONS_DAYS = (1, 3, 7, 14, 30)
TOLERANCES = (0.01, 0.02, 0.05, 0.10)
MORE_TOLERANCES = (0.20, 0.30, 0.50)
SIDES = {"long": LONG, "short": SHORT}
WALLET_USDT = 300.0


class Judged(msgspec.Struct):
    """What became of the positions of one side, horizon and tolerance; shares.

    `by_wildness` are the shares lost of the calmest, middle and wildest third of starts, by the
    advised leverage. `hedged` is the share lost under the policy.
    """

    side: str
    horizon_days: int
    tolerance: float
    starts: int
    apart: int
    leverage: float
    capped: float
    lost: float
    low: float
    high: float
    by_wildness: list[float]
    hedged: float


def advised(
    tape: Tape, where: Episodes, tiers: TierTable, side: float, days: float, tolerance: float
) -> Floats:
    """Return the advised leverage at every start, from the frame that had just ended."""
    return np.array([
        advise(
            tape.signals, tiers, side, WALLET_USDT, 1.0, horizon_days=days, tolerance=tolerance,
            frame=at - 1,
        ).leverage
        for at in where.starts.tolist()
    ])  # fmt: skip


def judge(
    tape: Tape, settings: Settings, tiers: TierTable, side: str, days: int, tolerance: float,
    *, is_hedged: bool,
) -> Judged:  # fmt: skip
    """Carry a position of the advised leverage from every start."""
    length_ns = days * NS_PER_DAY
    where = episodes(tape, length_ns, 6 * NS_PER_HOUR)
    leverage = advised(tape, where, tiers, SIDES[side], days, tolerance)
    known = np.isfinite(leverage)
    where, leverage = Episodes(where.starts[known], where.stops[known]), leverage[known]
    own = with_position(settings, side, 1.0)
    done = run_grid(tape, where, own, tiers, policy_named("unhedged", own), leverage)
    lost = done["liquidations"] > 0
    opens_ns = tape.end_ns[where.starts] - tape.bar_ns
    low, high = comparison_interval(done, opens_ns, length_ns).liquidation_rate
    order = np.argsort(-leverage, kind="stable")
    hedged = float("nan")
    if is_hedged:
        policy = policy_named(own.hedge.policy, own)
        kept = run_grid(tape, where, own, tiers, policy, leverage)
        hedged = float((kept["liquidations"] > 0).mean())
    return Judged(
        side, days, tolerance, len(where), _apart(opens_ns, length_ns), float(np.median(leverage)),
        float((leverage >= tiers.largest_leverage(WALLET_USDT) * (1 - 1e-9)).mean()),
        float(lost.mean()), low, high,
        [float(third.mean()) for third in np.array_split(lost[order], 3)], hedged,
    )  # fmt: skip


def _apart(opens_ns: NDArray[np.int64], length_ns: int) -> int:
    """Count starts that do not overlap."""
    count, free_ns = 0, int(opens_ns[0])
    for opened in opens_ns.tolist():
        if opened >= free_ns:
            count, free_ns = count + 1, opened + length_ns
    return count


def main() -> None:
    """Judge the advice over a span; print the table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    options.add_argument("--data", default="ltc_spot_5m", help="bars (default ltc_spot_5m)")
    options.add_argument("--from", dest="first", metavar="DAY", help="first day (UTC)")
    options.add_argument("--to", default="2024-01-01", help="last moment (default 2024-01-01)")
    options.add_argument("--model", default=MODEL, help=f"forecaster (default {MODEL})")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    options.add_argument("--plot", type=Path, metavar="FILE", help="draw reliability as SVG")
    given = options.parse_args()
    console = Console(width=130)
    lake = Lake(home() / "lake")
    dataset = lake.bars(given.data)
    first = None if given.first is None else instant_ns(given.first)
    model = choose_model(given.model, dataset.interval_ns)
    with console.status("signals …"):
        span = check_range(dataset, first, instant_ns(given.to))
        tape = build_tape(lake, dataset, model.forecaster, *span)
    rows = judge_all(tape, load_settings(), console)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")
    if given.plot is not None:
        given.plot.write_text(reliability_svg(points_of(rows), f"{given.data} up to {given.to}"))
    console.print(table([row for row in rows if row.tolerance in TOLERANCES]))


def judge_all(tape: Tape, settings: Settings, console: Console) -> list[Judged]:
    """Judge every side, horizon and tolerance; the policy only at the smaller tolerances."""
    position = settings.position.model_copy(update={"wallet_usdt": WALLET_USDT})
    settings = settings.model_copy(update={"position": position})
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    wanted = list(product(SIDES, HORIZONS_DAYS, (*TOLERANCES, *MORE_TOLERANCES)))
    return [
        judge(tape, settings, tiers, side, days, tolerance, is_hedged=tolerance in TOLERANCES)
        for side, days, tolerance in track(wanted, "positions", console=console)
    ]


def points_of(rows: list[Judged]) -> dict[str, list[tuple[float, float]]]:
    """Return (promised, lost) by kind of position, without those that the venue capped."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        if row.capped < 0.05:
            found.setdefault(f"{row.side} {row.horizon_days}d", []).append(
                (row.tolerance, row.lost)
            )
    return found


def table(rows: list[Judged]) -> Table:
    """Return the table of promised and lost shares."""
    told = Table(title=f"{rows[0].starts:,} starts or fewer, {WALLET_USDT:g} USDT each")
    for heading in ("position", "horizon", "apart", "promised", "lost", "90 %",
                    "calm, middle, wild", "leverage", "capped", "hedged"):  # fmt: skip
        told.add_column(heading, justify="left" if heading == "position" else "right")
    for row in rows:
        wild = " ".join(f"{100 * share:.1f}" for share in row.by_wildness)
        told.add_row(
            row.side, f"{row.horizon_days} d", f"{row.apart}", f"{row.tolerance:.0%}",
            f"{row.lost:.1%}", f"{100 * row.low:.1f}-{100 * row.high:.1f}", wild,
            f"{row.leverage:.1f}x", f"{row.capped:.0%}", f"{row.hedged:.1%}",
        )  # fmt: skip
    return told


if __name__ == "__main__":
    main()

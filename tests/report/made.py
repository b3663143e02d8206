"""Made-up tapes and runs for reports: small, and every figure can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import STATIC_GRID, Episodes, Run
from litehedge.config import Position, Settings
from litehedge.effects import Decision
from litehedge.hedge import signals as sg
from litehedge.hedge.band import Action, Recommendation
from litehedge.hedge.leverage import LeverageAdvice
from litehedge.margin.tiers import TierTable
from litehedge.model.artefact import Card, Score, Span
from litehedge.report.contest.families import Trace
from litehedge.report.contest.figures import FullRow, full_row
from litehedge.report.metrics import (
    Comparison,
    ComparisonRow,
    comparison_interval,
    comparison_row,
)
from litehedge.report.sheet import TearSheet
from litehedge.risk.limits import Code
from litehedge.risk.verdicts import Verdict
from litehedge.sim.episode import (
    N_PATH,
    OUTCOME,
    PATH_DISTANCE,
    PATH_EQUITY,
    PATH_HI,
    PATH_LO,
    PATH_RATIO,
)
from litehedge.squeeze.labels import Side, Squeeze
from litehedge.tape import Tape
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, instant_ns

Floats = NDArray[np.float64]

T0 = instant_ns("2023-03-06")
TIERS = TierTable(
    venue="binance", symbol="LTCUSDT", version="2026-09", source="made up", clearance_fee=0.0125,
    cap_usdt=1e7, rows=np.array([[0.0, 0.005, 0.0, 75.0]]),
)  # fmt: skip


def settings(side: Side = "long", leverage: float = 5.0, wallet_usdt: float = 1000.0) -> Settings:
    position = Position(side=side, leverage=leverage, wallet_usdt=wallet_usdt)
    return Settings(position=position)


def tape_of(
    closes: Sequence[float] | Floats,
    bar_ns: int = NS_PER_HOUR,
    name: str = "made",
    squeezes: Sequence[Squeeze] = (),
) -> Tape:
    """A tape whose bars open at the close before them, the first one at its own close."""
    close = np.asarray(closes, dtype=np.float64)
    opens = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    n = close.size
    return Tape(
        name=name,
        bar_ns=bar_ns,
        end_ns=T0 + bar_ns * np.arange(1, n + 1),
        bars=np.column_stack([opens, high, low, close, np.full(n, 1e6)]),
        funding_at=np.empty(0, dtype=np.int64),
        funding=np.empty(0),
        signals=quiet_signals(n),
        liquidity=np.zeros(4),
        squeezes=list(squeezes),
    )


def quiet_signals(n: int) -> NDArray[np.float32]:
    """Signals that say nothing, without a book."""
    signals = np.zeros((sg.N_SIGNALS, n), dtype=np.float32)
    signals[sg.DEPTH] = np.nan
    return signals


def wandering(n: int, seed: int = 0, step: float = 0.002) -> Floats:
    """Prices of a random walk that starts at 100."""
    moves = np.random.default_rng(seed).normal(0.0, step, n)
    moves[0] = 0.0
    return 100.0 * np.exp(np.cumsum(moves))


@dataclass(frozen=True)
class Life:
    """Bars ``start .. stop - 1``; a position that died has lost its wallet in the last one."""

    start: int
    stop: int
    died: bool = False


def run_of(
    tape: Tape,
    given: Settings,
    ratio: float | Floats = 0.0,
    lives: Sequence[Life] | None = None,
    policy: str = "plugin",
    fees_usdt: float = 0.0,
) -> Run:
    """A run that holds `ratio` from the open of each bar on; `fees_usdt` are paid at the end."""
    n = len(tape)
    ratios = np.broadcast_to(np.asarray(ratio, dtype=np.float64), n)
    path = np.full((n, N_PATH), np.nan)
    outcomes = []
    wallet = given.position.wallet_usdt
    sign = 1.0 if given.position.side == "long" else -1.0
    for life in lives if lives is not None else [Life(0, n)]:
        row = np.zeros(1, dtype=OUTCOME)
        entry = tape.bars[life.start, 0]
        size = sign * np.floor(given.position.leverage * wallet / entry * 1000 + 1e-9) / 1000
        worth = wallet
        for i in range(life.start, life.stop):
            worth += size * (1.0 - ratios[i]) * (tape.bars[i, 3] - tape.bars[i, 0])
            path[i, [PATH_EQUITY, PATH_RATIO, PATH_LO, PATH_HI]] = worth, *ratios[[i, i, i]]
            path[i, PATH_DISTANCE] = max(0.0, min(1.0, worth / (abs(size) * tape.bars[i, 3])))
        if life.died:
            worth = 0.0
            path[life.stop - 1] = np.nan
            path[life.stop - 1, PATH_EQUITY] = 0.0
        equities = path[life.start : life.stop, PATH_EQUITY]
        row["start"], row["stop"], row["liquidated"] = life.start, life.stop, int(life.died)
        row["wallet"], row["equity"], row["entry"] = wallet, worth - fees_usdt, entry
        row["drawdown"] = (1.0 - equities / np.maximum.accumulate(equities)).max()
        row["bars"] = life.stop - life.start
        row["ratio_sum"] = ratios[life.start : life.stop].sum()
        row["trades"], row["turnover"], row["fees"] = 1, abs(ratios[life.start]), fees_usdt
        outcomes.append(row)
    return Run(policy, tape.end_ns, path, np.concatenate(outcomes))


def squeeze_at(
    tape: Tape, onset: int, peak: int, end: int, side: Side = "long", **more: float
) -> Squeeze:
    """A squeeze between bars of the tape, its move taken from their closes."""
    first, last = float(tape.bars[onset, 3]), float(tape.bars[peak, 3])
    return replace(
        Squeeze(
            side=side, onset_ns=int(tape.end_ns[onset]), trigger_ns=int(tape.end_ns[onset + 1]),
            peak_ns=int(tape.end_ns[peak]), end_ns=int(tape.end_ns[end]), onset_price=first,
            peak_price=last, severity_bps=abs(float(np.log(last / first))) * 1e4,
            severity_sigma=5.0, retrace_60m=0.4, liquidated_usdt=float("nan"),
            oi_change=float("nan"), tier=1, proxy=True, complete=True,
        ),
        **more,
    )  # fmt: skip


def decision_at(
    time_ns: int,
    action: Action = Action.INCREASE,
    ratio: float = 0.0,
    target: float = 1.0,
    *,
    refused: bool = False,
    reason: str = "because",
) -> Decision:
    advice = Recommendation(
        action=action, ratio=ratio, target=target, lo=min(ratio, target), hi=max(ratio, target),
        size_ltc=50.0 * (target - ratio), confidence=0.9, benefit_bps=12.0, cost_bps=8.0,
        reason=reason,
    )  # fmt: skip
    refusals = [Verdict(Code.ORDERS_PER_DAY_ABOVE_LIMIT, 50.0, 0.0)] if refused else []
    return Decision(
        time_ns=time_ns, price=100.0, trading_state="ACTIVE", recommendation=advice,
        verdicts=refusals, order_id="" if refused or action is Action.MAINTAIN else f"o{time_ns}",
        equity_usdt=1000.0, distance=0.2,
        advice=LeverageAdvice(leverage=3.0, tolerance=0.05, horizon_days=7.0, probability_now=0.1),
        onset=[0.1] * 6, forecast_state=0,
    )  # fmt: skip


def outcomes_of(
    returns: Sequence[float] | Floats,
    wallet_usdt: float = 1000.0,
    hedge: float = 0.0,
    died: Sequence[bool] | None = None,
) -> NDArray[np.void]:
    """Episodes of 100 bars that ended with these returns."""
    rows = np.zeros(len(returns), dtype=OUTCOME)
    rows["wallet"] = wallet_usdt
    rows["equity"] = wallet_usdt * (1.0 + np.asarray(returns))
    rows["liquidated"] = 0 if died is None else np.asarray(died, dtype=np.int64)
    rows["liquidations"] = rows["liquidated"]
    rows["bars"] = 100
    rows["ratio_sum"] = 100.0 * hedge
    rows["trades"] = 2
    rows["turnover"] = 2.0 * hedge
    for name, share in (
        ("fees", 0.01), ("slippage", 0.02), ("funding", -0.005), ("clearance", 0.001),
    ):  # fmt: skip
        rows[name] = share * wallet_usdt
    return rows


FRONTIER = (0.3 * (1.0 - STATIC_GRID), -0.1 * (1.0 - STATIC_GRID) ** 2)


def comparison_of(
    names: Sequence[str] = ("unhedged", "static-50", "plugin", "oracle"), episodes: int = 40
) -> Comparison:
    rng = np.random.default_rng(1)
    opens_ns = T0 + NS_PER_DAY * np.arange(episodes)
    groups = []
    for i, name in enumerate(names):
        returns = rng.normal(0.01 * i, 0.1, episodes)
        groups.append((name, outcomes_of(returns, hedge=i / 8, died=list(returns < -0.1))))
    return Comparison(
        side="long",
        leverage=10.0,
        rows=[comparison_row(name, "long", 10.0, o, FRONTIER) for name, o in groups],
        intervals=[comparison_interval(o, opens_ns, NS_PER_DAY) for _, o in groups],
        static_liquidation_rates=FRONTIER[0],
        static_mean_returns=FRONTIER[1],
    )


def row_of(policy: str, mean: float, tail: float) -> ComparisonRow:
    """A row with a mean return and a CVaR."""
    row = comparison_row(policy, "long", 5.0, outcomes_of([mean]), FRONTIER)
    return {**row, "cvar5": tail}


def full_row_of(
    policy: str, outcomes: NDArray[np.void], unhedged: NDArray[np.void], statics: Trace
) -> FullRow:
    """A row of episodes right after another, of 100 bars each and a week long."""
    starts = 100 * np.arange(outcomes.size)
    if unhedged.size != outcomes.size:
        unhedged = np.resize(unhedged, outcomes.size)
    return full_row(
        comparison_row(policy, "long", 5.0, outcomes, FRONTIER), outcomes, unhedged,
        Episodes(starts, starts + 100), 7 * NS_PER_DAY, statics,
    )  # fmt: skip


def card_of(name: str = "ltc-1m") -> Card:
    span = Span(data="ltc_spot_1m", start="2019-01-01", end="2023-12-31", frames=291_270)
    return Card(
        name=name, kind="logistic", format=1, litehedge="0.1.0", created="2026-11-22", frame_s=60,
        feature_schema="e355bdf5", label_spec="b51cdc7a", weights_sha256="15a0b5e1" * 8,
        trained_on=[span], events_long=226, events_short=173, parameters={"penalty": 0.001},
        validated_on=[span], validation_note="fitted before", scores={
            "auc_30_long": Score(0.73, 0.66, 0.79), "new_score": Score(1.0, 0.9, 1.1),
        },
        baseline_scores={"vol_auc_30_long": Score(0.69, 0.61, 0.77)},
    )  # fmt: skip


def sheet_of(**changes: object) -> TearSheet:
    """A report of a long that is squeezed once, with and without hedge."""
    given = settings()
    closes = np.concatenate((np.full(30, 100.0), np.linspace(100.0, 78.0, 10), np.full(80, 80.0)))
    tape = tape_of(closes)
    tape.squeezes.append(squeeze_at(tape, 30, 39, 45))
    hedged = run_of(tape, given, np.where(np.arange(120) >= 32, 1.0, 0.0))
    hedged.decisions.extend(
        [
            decision_at(int(tape.end_ns[5]), Action.MAINTAIN, 0.0, 0.0, reason="calm"),
            decision_at(int(tape.end_ns[31])),
            decision_at(int(tape.end_ns[60]), Action.DECREASE, 1.0, 0.5, refused=True),
        ]
    )
    unhedged = run_of(tape, given, 0.0, [Life(0, 40, died=True), Life(48, 120)], "unhedged")
    sheet = TearSheet(
        policy="plugin", settings=given, tiers=TIERS, tape=tape, created_ns=T0 + 30 * NS_PER_DAY,
        runs={"plugin": hedged, "unhedged": unhedged},
    )  # fmt: skip
    return replace(sheet, **changes)

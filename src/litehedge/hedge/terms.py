"""Terms: everything that stays fixed while one position is guarded, as one record.

Policies and fills read it whole: one record instead of a dozen arguments. From Python it enters a
kernel as an array `Terms` (cheap there); from kernel to kernel it goes as a record (cheap there,
where handing over arrays costs more than the arithmetic behind them).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Settings
from litehedge.errors import DataError
from litehedge.hedge.exposure import APART, REDUCE, REDUCED, SAME_ACCOUNT, SECOND_VENUE, SHARED
from litehedge.hedge.network_policy import N_WEIGHTS
from litehedge.hedge.policies import N_PARAMETERS, Policy
from litehedge.hedge.rule_kernel import MAX_CONDITIONS, MAX_RULES, N_CONDITION, N_RULE
from litehedge.hedge.rules import write_rules
from litehedge.margin.tiers import CUM, FLOOR, TierTable
from litehedge.units import BPS, LONG, NS_PER_MINUTE, SHORT

LOCATIONS: Final = {
    "same_account": SAME_ACCOUNT,
    "second_venue": SECOND_VENUE,
    "reduce": REDUCE,
}
COUPLINGS: Final = {"same_account": SHARED, "second_venue": APART, "reduce": REDUCED}
MAX_TIERS: Final = 24

TERMS: Final = np.dtype(
    [
        # the policy
        ("kind", np.int64),
        ("parameters", np.float64, (N_PARAMETERS,)),
        # the position and where its hedge lives
        ("side", np.float64),  # +1 long, -1 short
        ("size", np.float64),  # LTC, as it was opened, less what the venue closed by force
        ("floor", np.float64),  # USDT of what backs it, below which is ruin; set at the opening
        ("aid", np.float64),  # USDT of another venue that count as backing now
        ("location", np.int64),
        ("coupling", np.int64),  # of hedge and position: see `exposure`
        ("max_ratio", np.float64),
        ("leverage", np.float64),  # size by wallet, as it was opened
        ("budget", np.float64),  # the user's risk budget, a share of the wallet
        # what trading costs
        ("taker_fee", np.float64),  # fraction, of the venue where the hedge is traded
        ("half_spread", np.float64),  # fraction, in a calm market
        ("impact", np.float64),
        ("max_bar_share", np.float64),
        # the contract
        ("collar", np.float64),  # fraction of the decision price
        ("tick", np.float64),  # USDT
        ("lot", np.float64),  # LTC
        ("min_notional", np.float64),  # USDT
        ("clearance", np.float64),  # fraction
        ("tiers", np.float64, (MAX_TIERS, 4)),
        ("hedge_tiers", np.float64, (MAX_TIERS, 4)),  # of the venue where the hedge lives
        # the user's rules: see `rule_kernel`
        ("n_rules", np.int64),
        ("rules", np.float64, (MAX_RULES, N_RULE)),
        ("conditions", np.float64, (MAX_RULES, MAX_CONDITIONS, N_CONDITION)),
        # money between two venues: see `margin.transfers`
        ("moves_money", np.int64),
        ("transfer_trigger", np.float64),  # margin ratio
        ("transfer_target", np.float64),
        ("transfer_keep", np.float64),  # margin ratio at which the sender stays at most
        ("transfer_fee", np.float64),  # USDT
        ("transfer_minimum", np.float64),  # USDT
        ("transfer_per_day", np.float64),  # USDT
        ("transfer_delay_ns", np.int64),
        # of the network policy; last, so that the others never touch this memory
        ("weights", np.float32, (N_WEIGHTS,)),
    ]
)

Terms = NDArray[np.void]
"""An array of `TERMS`, usually ``(1,)``."""

Record = Any
"""One record of `TERMS`, inside kernels only."""


def terms_of(settings: Settings, policy: Policy, tiers: TierTable, size_ltc: float) -> Terms:
    """Return the terms of one guarded position of unsigned `size_ltc`, ``(1,)``."""
    row = np.zeros(1, dtype=TERMS)
    row["kind"] = policy.kind
    row["parameters"][0] = policy.parameters
    row["side"] = LONG if settings.position.side == "long" else SHORT
    row["size"] = size_ltc
    row["location"] = LOCATIONS[settings.hedge.location]
    isolated = settings.position.margin_mode == "isolated"
    row["coupling"] = APART if isolated else COUPLINGS[settings.hedge.location]
    row["max_ratio"] = settings.hedge.max_ratio
    row["leverage"] = settings.position.leverage
    row["budget"] = settings.hedge.risk_budget
    row["taker_fee"] = settings.costs.taker_fee_bps * BPS
    row["half_spread"] = settings.costs.half_spread_bps * BPS
    row["impact"] = settings.costs.impact
    row["max_bar_share"] = settings.costs.max_bar_share
    row["collar"] = settings.limits.collar_bps * BPS
    row["tick"] = settings.venue.tick_usdt
    row["lot"] = settings.venue.lot_ltc
    row["min_notional"] = settings.venue.min_notional_usdt
    row["clearance"] = tiers.clearance_fee
    row["tiers"][0] = row["hedge_tiers"][0] = padded(tiers)
    write_rules(policy.rules, float(row["side"][0]), row)
    if policy.weights.size:
        row["weights"][0] = policy.weights
    move = settings.transfer
    row["moves_money"] = move.enabled and settings.hedge.location == "second_venue"
    row["transfer_trigger"] = move.trigger_ratio
    row["transfer_target"] = move.target_ratio
    row["transfer_keep"] = min(move.target_ratio, 1.0 - settings.limits.min_margin_buffer)
    row["transfer_fee"] = move.fee_usdt
    row["transfer_minimum"] = move.min_usdt
    row["transfer_per_day"] = move.max_per_day_usdt
    row["transfer_delay_ns"] = round(move.delay_min * NS_PER_MINUTE)
    return row


def padded(tiers: TierTable) -> NDArray[np.float64]:
    """Return the tiers with rows that no notional reaches, ``(MAX_TIERS, 4)``."""
    n = tiers.rows.shape[0]
    if n > MAX_TIERS:
        raise DataError(
            f"{tiers.venue} {tiers.symbol} has {n} tiers", f"at most {MAX_TIERS} are supported"
        )
    rows = np.zeros((MAX_TIERS, 4))
    rows[:n] = tiers.rows
    rows[n:, FLOOR] = np.inf
    rows[n:, CUM] = 0.0
    return rows

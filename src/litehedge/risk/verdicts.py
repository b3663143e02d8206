"""What guards say: closed codes with the numbers that made them speak, and the manual's table."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.margin.tiers import maintenance
from litehedge.risk.backoff import wait_after
from litehedge.risk.limits import MEANING, MINIMUM_GUARD, Code, day_reserve, minute_reserve
from litehedge.units import NS_PER_SECOND

Floats = NDArray[np.float64]

SETTINGS: Final[dict[Code, tuple[str, ...]]] = {
    Code.TRADING_HALTED: (),
    Code.TRADING_REDUCING: ("limits.equity_stop_share",),
    Code.NOTIONAL_ABOVE_LIMIT: ("limits.max_hedge_notional_usdt",),
    Code.LEVERAGE_ABOVE_LIMIT: ("limits.max_leverage",),
    Code.RATIO_STEP_ABOVE_LIMIT: ("limits.max_ratio_per_minute",),
    Code.ORDERS_PER_MINUTE_ABOVE_LIMIT: ("limits.max_orders_per_minute",),
    Code.ORDERS_PER_DAY_ABOVE_LIMIT: ("limits.max_orders_per_day",),
    Code.ORDERS_REFUSED_LATELY: (),
    Code.COST_ABOVE_BUDGET: ("limits.daily_cost_share",),
    Code.WEEKLY_COST_ABOVE_BUDGET: ("limits.weekly_cost_share",),
    Code.DEPTH_SHARE_ABOVE_LIMIT: ("limits.max_depth_share",),
    Code.MARGIN_BUFFER_BELOW_LIMIT: ("limits.min_margin_buffer",),
    Code.PRICE_TOO_OLD: ("limits.max_price_age_s",),
    Code.PARACHUTE_OPEN: ("parachute.calm_s",),
    Code.ORDER_BELOW_MINIMUM: ("venue.min_notional_usdt",),
}
"""The settings that each code belongs to."""

WITHOUT_CODE: Final[dict[str, str]] = {
    "limits.collar_bps": "is in every order: its limit price lies no further from the decision's",
    "limits.equity_stop_share": "below it trading is REDUCING",
    "limits.max_clock_skew_ms": "beyond it trading is HALTED",
}
"""Limits that act elsewhere than on the size of a change, and how."""

SANE: Final[dict[str, str]] = {
    "limits.max_hedge_notional_usdt": "50000",
    "limits.max_leverage": "10",
    "limits.max_ratio_per_minute": "0.5",
    "limits.max_orders_per_minute": "6",
    "limits.max_orders_per_day": "100",
    "limits.daily_cost_share": "0.01",
    "limits.weekly_cost_share": "0.03",
    "limits.max_depth_share": "0.1",
    "limits.min_margin_buffer": "0.2",
    "limits.max_price_age_s": "60",
    "limits.collar_bps": "100",
    "limits.equity_stop_share": "0.3",
    "limits.max_clock_skew_ms": "1000",
    "parachute.calm_s": "60",
    "venue.min_notional_usdt": "5",
}
"""A sane value of each, for a small account that is watched."""


class Verdict(msgspec.Struct, frozen=True):
    """One guard's word: its closed code, and the numbers that made it speak.

    `numbers` are the limit's own, by key; keys carry units.
    """

    code: Code
    wanted_ltc: float
    allowed_ltc: float
    numbers: dict[str, float] = {}  # msgspec gives each its own

    def told(self) -> str:
        """Return what it says to a person."""
        sizes = f"wanted {self.wanted_ltc:.3f}, allowed {self.allowed_ltc:.3f} LTC"
        why = [f"{key.replace('_', ' ')} {value:.6g}" for key, value in self.numbers.items()]
        return f"{MEANING[self.code]} ({'; '.join([sizes, *why])})"

    def __str__(self) -> str:
        said = f"{self.code} wanted_ltc={self.wanted_ltc:.3f} allowed_ltc={self.allowed_ltc:.3f}"
        return " ".join([said, *(f"{key}={value:.6g}" for key, value in self.numbers.items())])


class Case(msgspec.Struct, frozen=True):
    """What guards were asked: a change of the hedge in LTC, signed, and what they looked at.

    `backing` and `taken` are as in `limits.allowances`; the arrays are ``(1,)`` as there, `tiers`
    ``(tier, 4)``.
    """

    delta: float
    position: float
    hedge: float
    price: float
    equity: float
    depth_usdt: float
    age_s: float
    backing: float
    taken: float
    min_notional: float
    budgets: NDArray[np.void]
    limits: NDArray[np.void]
    tiers: Floats


def verdicts(wanted_ltc: float, allowed: Floats, case: Case | None = None) -> list[Verdict]:
    """Return the word of every guard that cut or refused a change of `wanted_ltc` (unsigned)."""
    return [
        Verdict(
            code, wanted_ltc, float(allowed[i]),
            {} if case is None else numbers_of(code, case, allowed),
        )
        for i, code in enumerate(Code)
        if allowed[i] < wanted_ltc
    ]  # fmt: skip


def numbers_of(code: Code, case: Case, allowed: Floats) -> dict[str, float]:
    """Return the numbers of one guard: the limit, and what would be, or is."""
    limit, budget = case.limits[0], case.budgets[0]
    after = case.hedge + case.delta
    told: dict[str, float] = {}
    match code:
        case Code.NOTIONAL_ABOVE_LIMIT:
            told = {
                "limit_usdt": limit["max_hedge_notional"], "would_be_usdt": after * case.price,
            }  # fmt: skip
        case Code.LEVERAGE_ABOVE_LIMIT:
            net_usdt = abs(case.position - after) * case.price
            would_be = net_usdt / case.equity if case.equity > 0.0 else np.inf
            told = {"limit": limit["max_leverage"], "would_be": would_be}
        case Code.RATIO_STEP_ABOVE_LIMIT:
            told = {
                "limit_per_minute": limit["max_ratio_per_minute"],
                "left": max(0.0, budget["ratio_tokens"]),
                "would_be": abs(case.delta) / case.position,
            }
        case Code.ORDERS_PER_MINUTE_ABOVE_LIMIT:
            most = limit["max_orders_per_minute"]
            told = {"limit": most, "left": np.floor(budget["order_tokens"])}
            told["for_protection"] = minute_reserve(most)
        case Code.ORDERS_PER_DAY_ABOVE_LIMIT:
            most = limit["max_orders_per_day"]
            told = {"limit": most, "sent": budget["orders_today"]}
            told["for_protection"] = day_reserve(most)
        case Code.ORDERS_REFUSED_LATELY:
            since_ns = budget["refilled_ns"] - budget["refused_ns"]
            left_ns = wait_after(int(budget["refused"]), case.delta) - since_ns
            told = {"refused": budget["refused"], "wait_s": left_ns / NS_PER_SECOND}
        case Code.COST_ABOVE_BUDGET | Code.WEEKLY_COST_ABOVE_BUDGET:
            of = "daily" if code is Code.COST_ABOVE_BUDGET else "weekly"
            spent = budget["cost_today" if of == "daily" else "cost_week"]
            share = limit[f"{of}_cost_share"]
            told = {"limit_usdt": share * max(case.equity, 0.0), "spent_usdt": spent}
        case Code.DEPTH_SHARE_ABOVE_LIMIT:
            told = {
                "limit_usdt": limit["max_depth_share"] * case.depth_usdt,
                "would_be_usdt": abs(case.delta) * case.price,
            }
        case Code.MARGIN_BUFFER_BELOW_LIMIT:
            needed = case.taken + maintenance(after * case.price, case.tiers)
            free = 1.0 - needed / case.backing if case.backing > 0.0 else -np.inf
            told = {"limit_share": limit["min_margin_buffer"], "would_be_share": free}
        case Code.PRICE_TOO_OLD:
            told = {"limit_s": limit["max_price_age_s"], "age_s": case.age_s}
        case Code.ORDER_BELOW_MINIMUM:
            size = min(abs(case.delta), *np.delete(allowed, MINIMUM_GUARD).tolist())
            told = {"limit_usdt": case.min_notional, "would_be_usdt": size * case.price}
        case _:  # the trading state has no numbers
            pass
    return {key: float(value) for key, value in told.items()}


def table() -> str:
    """Return the tables of codes and of limits without one as Markdown, for the manual."""
    rows = ["| code | meaning | settings, for example |", "|---|---|---|"]
    for code in Code:
        named = ", ".join(f"`{name} = {SANE[name]}`" for name in SETTINGS[code])
        rows.append(f"| `{code}` | {MEANING[code]} | {named} |")
    rows += ["", "Limits that have no code, because they act elsewhere:", ""]
    rows += ["| setting, for example | |", "|---|---|"]
    rows += [f"| `{name} = {SANE[name]}` | {how} |" for name, how in WITHOUT_CODE.items()]
    return "\n".join(rows)

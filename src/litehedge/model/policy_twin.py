"""The margin account as a function with a gradient: what an episode is worth, by its hedge ratios.

The forward pass is the account itself: equity is a straight line in price, trades shift its
constant, and the first bar whose extreme leaves less than the maintenance ends the episode. A test
holds it equal to the kernels. The backward pass is smooth where the account is not:

- Whether the account was closed by force is a step of the smallest room that it ever had; its
  gradient is that of a sigmoid, ``1 / (1 + exp(room / temperature))``.
- Moving to the nearest edge of a band is a clamp. An edge that moved the hedge gets what came of
  it; one that was near gets a part of what a move there would have brought, less the trade, so that
  a band which never binds still learns. A hedge that is held passes its gradient on whole: softened
  there, it would forget within hours what it is worth over a week.
- What a closed account was worth moves with its hedge as if the price of the closing were given.

The inputs of the network count as given: that hedging now changes what the policy will see later
is left out. It keeps the gradient of two thousand decisions in a row tame, and lets the network run
on all bars at once.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litehedge.hedge.exposure import REDUCED
from litehedge.jit import kernel
from litehedge.margin.tiers import RATE, tier_index
from litehedge.model.policy_paths import (
    CLOSE,
    HALF,
    IMPACT,
    OPEN,
    PAID,
    Course,
    Episodes,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BAND_TEMPERATURE: Final = 0.1
LEAK: Final = 0.01  # an edge pulls at least so much, however far it is
NEAR: Final = 0.05  # weight of an edge that was near beside one that moved the hedge
ROOM_TEMPERATURE: Final = 0.005  # of the position: a move of half a per cent


class Worth(NamedTuple):
    """What came of each episode, ``(episode,)``, as shares of the wallet.

    `equity` at the end or after the first forced closing; `paid` for fees, slippage and clearance;
    `funding`; `kept`, the mean share of the position that was not hedged, 0 after the end;
    `closed`, 1 for a forced closing.
    """

    equity: Tensor
    paid: Tensor
    funding: Tensor
    kept: Tensor
    closed: Tensor


def worth_of(
    episodes: Episodes, course: Course, ratio: Tensor, extra: Tensor | None = None
) -> Worth:
    """Return what the episodes are worth at these hedge ratios.

    Parameters
    ----------
    ratio
        ``(episode, bar)``, during each bar: those of `course`, with their gradient.
    extra
        ``(episode, bar)`` of zeros: what would be traded besides at the open of each bar, as a
        share of the position. Its gradient is what a trade would cost where there was none.
    """
    terms = episodes.terms
    market = torch.from_numpy(episodes.market)
    side, size, fee = (_column(terms[name]) for name in ("side", "size", "taker_fee"))
    wallet = torch.from_numpy(episodes.wallet)
    died = torch.from_numpy(course.died)
    bars = episodes.bars
    last = torch.where(died >= 0, died, bars - 1)
    rows = torch.arange(len(episodes))
    lived = torch.arange(bars)[None] <= last[:, None]
    open_, close = market[..., OPEN], market[..., CLOSE]
    before = torch.nn.functional.pad(ratio[:, :-1], (1, 0))
    change = (ratio - before) * lived
    traded = torch.from_numpy(course.source >= 0)
    qty = change.abs() * size * traded
    if extra is not None:
        qty = qty + extra * size * lived
    # A hedge that the venue closed left at the open, free of charge; then nothing else traded.
    rate = market[..., HALF] * qty + market[..., IMPACT] * qty.clamp_min(0.0).pow(1.5)
    slipped = rate * open_
    direction = -side * torch.sign(change.detach())
    fees = (qty * open_ + direction * slipped) * fee
    flow = side * change * size * open_ - slipped - fees
    slope = side * size * (1.0 - ratio)
    settled = slope * close * market[..., PAID] * lived
    start = wallet - (side * size)[:, 0] * open_[:, 0]
    before_closing = flow - torch.nn.functional.pad(settled[:, :-1], (1, 0))
    constant = start + before_closing.sum(dim=1)
    price = torch.where(died >= 0, torch.from_numpy(course.price), close[:, -1])
    there = slope[rows, last]
    ended = constant + there * price
    ended = ended - torch.where(died >= 0, 0.0, settled[:, -1])
    # What the closing took, and what insurance gave, are as they were.
    rest = torch.from_numpy(course.rest)
    ended = torch.where(died >= 0, ended + (rest - ended).detach(), ended)
    cleared = torch.from_numpy(course.cleared)
    kept = ((1.0 - ratio) * lived).sum(dim=1) / bars
    return Worth(
        equity=ended / wallet,
        paid=((slipped + fees).sum(dim=1) + cleared) / wallet,
        funding=settled.sum(dim=1) / wallet,
        kept=kept,
        closed=_closed(episodes, course, ratio, before_closing, start),
    )


def _column(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))[:, None]


def _closed(
    episodes: Episodes, course: Course, ratio: Tensor, flow: Tensor, start: Tensor
) -> Tensor:
    """Return 1 where the account was closed by force, with the gradient of a sigmoid."""
    terms = episodes.terms
    rows = torch.arange(len(episodes))
    worst = torch.from_numpy(course.worst)
    price = torch.from_numpy(course.worst_price)
    side, size = _column(terms["side"])[:, 0], _column(terms["size"])[:, 0]
    wallet = torch.from_numpy(episodes.wallet)
    up_to = torch.arange(episodes.bars)[None] <= worst[:, None]
    here = ratio[rows, worst]
    rates = torch.from_numpy(_rates(terms["tiers"], terms["size"] * course.worst_price))
    reduced = torch.from_numpy(terms["coupling"] == REDUCED)
    legs = torch.where(reduced, 1.0 - here, 1.0 + here)
    equity = start + (flow * up_to).sum(dim=1) + side * size * (1.0 - here) * price
    room = (equity - rates * legs * size * price) / wallet
    leverage = torch.from_numpy(np.ascontiguousarray(terms["leverage"]))
    soft = torch.sigmoid(-room / (ROOM_TEMPERATURE * leverage))
    hard = torch.from_numpy((course.died >= 0).astype(np.float64))
    return hard + soft - soft.detach()


@kernel
def _rates_of(tiers: Floats, notional: Floats, out: Floats) -> None:
    for e in range(notional.size):
        out[e] = tiers[e, tier_index(notional[e], tiers[e]), RATE]


def _rates(tiers: Floats, notional: Floats) -> Floats:
    """Return the maintenance rate of each notional by its own tiers, ``(episode,)``."""
    out = np.empty(notional.size)
    _rates_of(np.ascontiguousarray(tiers), np.ascontiguousarray(notional), out)
    return out


# --- following a band ---------------------------------------------------------------------------


@kernel
def _follow_back(
    lo: Floats, hi: Floats, ratio: Floats, source: Ints, cut: NDArray[np.bool_],
    deleveraged: NDArray[np.bool_], died: Ints, temperature: float, grad: Floats, price: Floats,
    grad_lo: Floats, grad_hi: Floats,
) -> None:  # fmt: skip
    for e in range(lo.shape[0]):
        last = died[e] if died[e] >= 0 else lo.shape[1] - 1
        behind = 0.0  # gradient of the ratio that is carried on
        wanted = 0.0  # gradient of a target that was decided earlier,
        decided = -1  # at this bar
        for t in range(last, -1, -1):
            if t < last and not np.isnan(lo[e, t]):
                up = LEAK + (1.0 - 2.0 * LEAK) / (
                    1.0 + np.exp(min((ratio[e, t] - lo[e, t]) / temperature, 50.0))
                )
                down = LEAK + (1.0 - 2.0 * LEAK) / (
                    1.0 + np.exp(min((hi[e, t] - ratio[e, t]) / temperature, 50.0))
                )
                if decided == t:  # its order filled later, at the edge
                    if ratio[e, t] < lo[e, t]:
                        grad_lo[e, t] = wanted
                    else:
                        grad_hi[e, t] = wanted
                    decided = -1
                else:
                    # Had the edge moved the hedge here, that would have been a trade.
                    grad_lo[e, t] = NEAR * (behind + price[e, t + 1]) * up
                    grad_hi[e, t] = NEAR * (behind - price[e, t + 1]) * down
            behind += grad[e, t]
            if deleveraged[e, t] and ratio[e, t] == 0.0:
                behind = 0.0
            elif source[e, t] >= 0 and not cut[e, t]:
                wanted = behind
                decided = source[e, t]
                behind = 0.0


class Follow(torch.autograd.Function):
    """Hedge ratios that follow a band: as they were, with the gradient of a soft clamp."""

    @staticmethod
    def forward(
        ctx: Any, lo: Tensor, hi: Tensor, episodes: Episodes, course: Course
    ) -> tuple[Tensor, Tensor]:
        """Return the ratios of `course`, ``(episode, bar)``, and no extra trades."""
        ctx.episodes = episodes
        ctx.course = course
        return torch.from_numpy(course.ratio), torch.zeros(course.ratio.shape, dtype=torch.float64)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Return the gradients of both edges."""
        course: Course = ctx.course
        grad_lo, grad_hi = np.zeros_like(course.ratio), np.zeros_like(course.ratio)
        _follow_back(
            course.lo, course.hi, course.ratio, course.source, course.cut,
            ctx.episodes.deleveraged, course.died, BAND_TEMPERATURE,
            np.ascontiguousarray(grads[0].numpy()), np.ascontiguousarray(grads[1].numpy()),
            grad_lo, grad_hi,
        )  # fmt: skip
        return torch.from_numpy(grad_lo), torch.from_numpy(grad_hi), None, None


def follow(episodes: Episodes, course: Course, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
    """Return hedge ratios that follow the bands of `course`, and `extra` for `worth_of`.

    Shapes: all ``(episode, bar)``.
    """
    both: tuple[Tensor, Tensor] = Follow.apply(  # type: ignore[no-untyped-call]
        lo, hi, episodes, course
    )
    return both

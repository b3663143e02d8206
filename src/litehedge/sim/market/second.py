"""One second of the world, in the order in which it happens."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.sim.market.book import (
    arbitrage,
    displacement,
    refill,
    slow_displacement,
    take,
    usual_variance,
    withdraw_or_return,
)
from litehedge.sim.market.chance import Chance, normals, uniform
from litehedge.sim.market.crowd import close_some, cross, open_one
from litehedge.sim.market.forced import (
    reported,
    run_liquidations,
    run_stops,
    unload_fund,
)
from litehedge.sim.market.shocks import Shock
from litehedge.sim.market.state import LONGS, N_WHALES, SECONDS_PER_YEAR, Floats

FUNDING_S: Final = 28_800
MOST_SQUARED: Final = 4e3  # of a standardised return, in the feedback
MOST_RETURN: Final = 0.004  # that counts as volatility in one second
DIGESTED: Final = 0.02  # share of news that is digested each second
MOST_LASTING: Final = 0.003

(
    _BTC_MOVE, _OWN_MOVE, _DEPTH, _OUTAGE, _PREMIUM, _FLOW, _REGIME, _VOL,
) = (
    int(Shock.BTC_MOVE), int(Shock.OWN_MOVE), int(Shock.DEPTH), int(Shock.OUTAGE),
    int(Shock.PREMIUM), int(Shock.FLOW), int(Shock.REGIME), int(Shock.VOL),
)  # fmt: skip

PUSH: Final = np.dtype(
    [
        ("btc", np.float64),  # log return of this second
        ("own", np.float64),
        ("depth", np.float64),  # factor
        ("outage", np.int64),
        ("premium", np.float64),
        ("flow", np.float64),  # USDT of this second
        ("regime", np.int64),  # -1: as it comes
        ("vol", np.float64),  # factor
    ]
)
"""What all shocks together do in one second."""


@kernel
def gather(shocks: NDArray[np.void], second: int, push: NDArray[np.void]) -> None:
    """Add up the shocks of one second."""
    now = push[0]
    now.btc = 0.0
    now.own = 0.0
    now.depth = 1.0
    now.outage = 0
    now.premium = 0.0
    now.flow = 0.0
    now.regime = -1
    now.vol = 1.0
    for i in range(shocks.shape[0]):
        shock = shocks[i]
        if not shock.start_s <= second < shock.stop_s:
            continue
        lasts = shock.stop_s - shock.start_s
        if shock.kind == _BTC_MOVE:
            now.btc += shock.size / lasts
            now.own += 0.3 * shock.size / lasts
        elif shock.kind == _OWN_MOVE:
            now.own += shock.size / lasts
        elif shock.kind == _DEPTH:
            now.depth *= shock.size
        elif shock.kind == _OUTAGE:
            now.outage = 1
        elif shock.kind == _PREMIUM:
            now.premium += shock.size
        elif shock.kind == _FLOW:
            now.flow += shock.size / 60.0
        elif shock.kind == _REGIME:
            now.regime = int(shock.size)
        elif shock.kind == _VOL:
            now.vol *= shock.size


@kernel
def _jump_compensation(p: Any) -> float:
    """Return the drift per second that undoes the mean of the jumps."""
    a_day = p.btc_news_per_day * p.btc_news_size * p.beta + p.own_news_per_day * p.own_news_size
    mean_size = p.news_tail / (p.news_tail - 1.0)
    lean = p.news_skew * (1.0 + p.news_down) + 0.5 * (p.news_down - 1.0)
    return a_day * mean_size * lean * 1.3 / 86_400.0


@kernel
def fair_return(p: Any, s: Any, regime: Any, push: Any, chance: Chance) -> tuple[float, float]:
    """Draw what happens to fair value: Bitcoin, LTC's own part, news. Return (LTC, Bitcoin)."""
    e_btc, e_own = normals(chance)
    e_noise, _ = normals(chance)
    steady = 1.0 - p.arch_fast - p.arch_slow
    var_btc = s.btc_variance * (
        steady + p.arch_fast * s.arch_btc_fast + p.arch_slow * s.arch_btc_slow
    )
    var_own = s.own_variance * (
        steady + p.arch_fast * s.arch_own_fast + p.arch_slow * s.arch_own_slow
    )
    news_btc = s.news_btc * DIGESTED
    news_own = s.news_own * DIGESTED
    s.news_btc -= news_btc
    s.news_own -= news_own
    btc = math.sqrt(var_btc) * e_btc + news_btc + push.btc
    own = math.sqrt(var_own) * e_own + news_own + push.own
    s.btc += btc
    s.btc_lagged += (btc - s.btc_lagged) * 0.35
    squared = min(btc * btc / s.btc_variance, MOST_SQUARED)
    s.arch_btc_fast += (squared - s.arch_btc_fast) / 480.0
    s.arch_btc_slow += (squared - s.arch_btc_slow) / 9000.0
    jump = p.beta * (news_btc + push.btc) + news_own + push.own
    wide = s.own_variance / (p.own_vol**2 / SECONDS_PER_YEAR)
    s.noise += (
        -s.noise / p.noise_s
        + p.noise_sd * math.sqrt(2.0 / p.noise_s * wide) * e_noise
        + jump * (p.overshoot_down if jump < 0.0 else p.overshoot_up)
    )
    fair = (
        p.beta * (0.6 * btc + 0.4 * s.btc_lagged)
        + own
        + regime.sentiment * p.sentiment_drift * s.sentiment / 86_400.0
        - (s.fair - math.log(p.price_usdt) - 0.35) / p.reversion_s
        + _jump_compensation(p)
        + p.drift / SECONDS_PER_YEAR
    )
    return fair, btc


@kernel
def whale_flow(s: Any, second: int) -> float:
    """Let whales trade on spot. Return their signed USDT of this second."""
    flow = 0.0
    for w in range(N_WHALES):
        if s.whale_left[w] > 0.0 and second >= s.whale_start[w]:
            flow += s.whale_rate[w]
            s.whale_left[w] -= abs(s.whale_rate[w])
    return flow


@kernel
def settle_prices(p: Any, s: Any, fair: float, btc: float, lasting: float, premium: float) -> None:
    """Find the prices after everything that was taken; remember volatility and momentum."""
    s.fair += fair + max(-MOST_LASTING, min(MOST_LASTING, lasting))
    before = s.perp
    middle = s.fair + slow_displacement(p, s) + s.noise
    s.perp = middle + s.premium + premium - displacement(s.taken[0]) + displacement(s.taken[1])
    s.spot = middle - displacement(s.spot_taken[0]) + displacement(s.spot_taken[1])
    moved = s.perp - before
    s.variance += (min(moved * moved, MOST_RETURN**2) - s.variance) / 60.0
    own = moved - p.beta * btc
    squared = min(own * own / s.own_variance, MOST_SQUARED)
    s.arch_own_fast += (squared - s.arch_own_fast) / 480.0
    s.arch_own_slow += (squared - s.arch_own_slow) / 9000.0
    s.momentum_hour += moved - s.momentum_hour / 3600.0
    s.momentum_day += moved - s.momentum_day / 86_400.0


@kernel
def predicted_funding(premium: float) -> float:
    """Return the rate of 8 hours: the mean premium, clamped around 1 bp, within 75 bp."""
    rate = premium + max(-0.0005, min(0.0005, 1e-4 - premium))
    return max(-0.0075, min(0.0075, rate))


@kernel
def mark_and_fund(s: Any, second: int) -> None:
    """Follow index and mark; settle funding every eight hours."""
    s.index += (s.spot - s.index) * 0.35
    s.basis += (s.perp - s.spot - s.basis) / 30.0
    s.mark = s.index + max(-0.05, min(0.05, s.basis))
    s.premium_8h += (s.perp - s.index - s.premium_8h) / 9600.0
    if (second + 1) % FUNDING_S == 0:
        s.funding = predicted_funding(s.premium_8h)


@kernel
def one_second(
    p: Any, s: Any, regime: Any, push: Any, mass: Floats, scale: Floats, total: Floats,
    mix: Floats, chance: Chance, second: int, own_usdt: float, told: Floats,
) -> None:  # fmt: skip
    """Let one second pass.

    Parameters
    ----------
    own_usdt
        What we trade at market in this second, signed.
    told
        ``(8,)``, written: bought and sold by takers; liquidated and reported per side (long,
        short); stops; deleveraged; all in USDT.
    """
    fair, btc = fair_return(p, s, regime, push, chance)
    stress = math.sqrt(s.variance / usual_variance(p))
    draw_outage = uniform(chance)
    length = uniform(chance)
    if s.outage_until <= second and stress > 7.0 and draw_outage < (stress - 7.0) / 1500.0:
        s.outage_until = second + 1.0 - 300.0 * math.log(length)
    is_out = s.outage_until > second or push.outage == 1
    withdraw_or_return(p, s, stress, is_out, push.depth)

    price = math.exp(s.perp)
    flow = own_usdt + push.flow
    opened = open_one(p, s, mass, scale, total, mix, chance) if not is_out else 0.0
    flow += opened + close_some(p, s, scale, total)
    cross(s, mass, scale, total)
    take(s, flow)
    anchor = s.fair + fair + s.noise + slow_displacement(p, s) + s.premium + push.premium
    stops = 0.0
    deleveraged = 0.0
    for side in range(2):
        sign = -1.0 if side == LONGS else 1.0
        stopped = run_stops(p, s, side, anchor, price)
        sold, closed, winners = run_liquidations(p, s, side, anchor, price, scale, total)
        flow += sign * p.forced_impact * (stopped + sold)
        stops += stopped
        deleveraged += winners
        told[2 + side] = closed
    flow += unload_fund(s, price)

    spot_depth = (
        p.spot_depth
        * s.usual_depth
        * (1.0 + 0.25 * (stress / p.depth_vol) ** 2) ** (-0.5 * p.depth_exponent)
    )
    arbitrage(p, s, is_out, spot_depth)
    whales = whale_flow(s, second)
    s.spot_taken[0 if whales < 0.0 else 1] += abs(whales) / spot_depth
    refill(p, s, stress, is_out)
    s.slow_flow += flow + whales - s.slow_flow / p.slow_impact_s
    lasting = p.permanent_impact * 0.004 * (flow + 2.0 * whales)
    lasting /= 0.5 * (s.depth[0] + s.depth[1]) + 0.3 * s.usual_depth
    settle_prices(p, s, fair, btc, lasting, push.premium)
    mark_and_fund(s, second)

    lost = told[2] + told[3]
    s.lost_interest += 0.9 * lost / price / (2.0 * p.open_interest_ltc)
    draw = uniform(chance)
    told[0] = max(flow, 0.0)
    told[1] = max(-flow, 0.0)
    told[4] = reported(told[2], draw)
    told[5] = reported(told[3], draw)
    told[6] = stops
    told[7] = deleveraged

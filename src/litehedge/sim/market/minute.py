"""What changes from minute to minute: volatility, news, whales, mood, how the crowd trades."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.sim.market.chance import Chance, normals, pareto, uniform
from litehedge.sim.market.parameters import BUCKETS, LEVERAGES, N_LAYERS, N_LEVERAGES
from litehedge.sim.market.season import EPOCH_MINUTE_OF_WEEK, MINUTES_PER_WEEK, SEASON
from litehedge.sim.market.state import (
    HOLDING_S,
    LONGS,
    N_WHALES,
    SECONDS_PER_YEAR,
    SHARES,
    SHORTS,
    Floats,
)

_LEVERAGES: Final = np.array(LEVERAGES)
N_REGIMES: Final = 5
PER_DAY: Final = 60.0 / 86_400.0
FRIDAY_NIGHT: Final = 5 * 1440
USUAL_IMBALANCE: Final = 0.09  # longs outnumber shorts
LARGEST_TRANSFER: Final = 4e7


@kernel
def _pulled(x: float, memory_s: float, sd: float, shock: float) -> float:
    """One minute of an Ornstein-Uhlenbeck process around 0."""
    k = 60.0 / memory_s
    return x - x * k + sd * math.sqrt(2.0 * k) * shock


@kernel
def draw_moods(p: Any, s: Any, chance: Chance, fixed_regime: int) -> None:
    """Move the slow factors; now and then the regime changes."""
    a, b = normals(chance)
    c, d = normals(chance)
    e, f = normals(chance)
    g, h = normals(chance)
    s.log_vol_25m = _pulled(s.log_vol_25m, 1500.0, p.vol_sd_25m, a)
    s.log_vol_5h = _pulled(s.log_vol_5h, 18_000.0, p.vol_sd_5h, b)
    s.log_vol_3d = _pulled(s.log_vol_3d, 260_000.0, p.vol_sd_3d, c)
    s.log_vol_40d = _pulled(s.log_vol_40d, 3.5e6, p.vol_sd_40d, d)
    s.log_vol_own = _pulled(s.log_vol_own, 28_800.0, 0.30, e)
    s.log_depth = _pulled(s.log_depth, 400_000.0, 0.25, f)
    s.sentiment = _pulled(s.sentiment, 130_000.0, 1.0, g)
    s.appetite = _pulled(s.appetite, 864_000.0, 0.28, h)
    s.lost_interest *= math.exp(-60.0 / (6 * 86_400.0))
    switches = uniform(chance) < PER_DAY / p.regime_days
    other = int(uniform(chance) * N_REGIMES)
    if fixed_regime >= 0:
        s.regime = fixed_regime
    elif switches:
        s.regime = other


@kernel
def set_variances(p: Any, s: Any, regime: Any, second: int, vol_factor: float) -> None:
    """Set the variances of the minute: factors, season, regime."""
    s.season = SEASON[(second // 60 + EPOCH_MINUTE_OF_WEEK) % MINUTES_PER_WEEK]
    log_vol = s.log_vol_25m + s.log_vol_5h + s.log_vol_3d + s.log_vol_40d
    spread = p.vol_sd_25m**2 + p.vol_sd_5h**2 + p.vol_sd_3d**2 + p.vol_sd_40d**2
    level = math.exp(2.0 * log_vol - 2.0 * spread) * (s.season * regime.vol * vol_factor) ** 2
    s.btc_variance = p.btc_vol**2 / SECONDS_PER_YEAR * level
    own = math.exp(2.0 * s.log_vol_own - 2.0 * 0.09)
    s.own_variance = p.own_vol**2 / SECONDS_PER_YEAR * level * own


@kernel
def draw_news(p: Any, s: Any, regime: Any, chance: Chance) -> None:
    """Self-exciting jumps of Bitcoin and of LTC alone; what whales know tilts the latter."""
    fading = math.exp(-60.0 / 9000.0)
    s.excitation_btc *= fading
    s.excitation_own *= fading
    s.informed *= math.exp(-60.0 / 7200.0)
    active = s.season * regime.vol
    if uniform(chance) < PER_DAY * (p.btc_news_per_day * active + s.excitation_btc):
        size = min(pareto(chance, p.btc_news_size, p.news_tail), 0.12)
        rises = uniform(chance) < 0.5 - p.news_skew
        s.news_btc += size if rises else -p.news_down * size
        s.excitation_btc += p.news_excitation * 9.6
        s.excitation_own += p.news_excitation * 4.0
    known = p.own_news_per_day * active * (1.0 + 2.0 * abs(s.informed))
    if uniform(chance) < PER_DAY * (known + s.excitation_own):
        size = min(pareto(chance, p.own_news_size, p.news_tail), 0.15)
        tilt = 0.33 * max(-1.0, min(1.0, s.informed))
        rises = uniform(chance) < 0.5 - p.news_skew + tilt
        s.news_own += size if rises else -p.news_down * size
        s.excitation_own += p.news_excitation * 9.6


@kernel
def draw_whales(p: Any, s: Any, regime: Any, chance: Chance, second: int) -> tuple[float, float]:
    """Move whales' coins; return the transfers (in, out), in USDT, that become known this minute.

    A transfer is seen minutes late, and only sometimes followed by an order. Others mean nothing.
    """
    seen_in = 0.0
    seen_out = 0.0
    if s.seen_usdt[0] > 0.0 and second >= s.seen_at[0]:
        seen_in += s.seen_usdt[0]
        s.seen_usdt[0] = 0.0
    if s.seen_usdt[1] > 0.0 and second >= s.seen_at[1]:
        seen_out += s.seen_usdt[1]
        s.seen_usdt[1] = 0.0
    if uniform(chance) < PER_DAY * p.transfers_per_day:
        sign = -1.0 if uniform(chance) < 0.55 else 1.0
        size = min(LARGEST_TRANSFER, pareto(chance, p.transfer_usdt, p.transfer_tail))
        way = 0 if sign < 0.0 else 1
        s.seen_usdt[way] += size
        s.seen_at[way] = second + 180.0 + 540.0 * uniform(chance)
        luck, _ = normals(chance)
        if uniform(chance) < regime.whales_act:
            for w in range(N_WHALES):
                if s.whale_left[w] <= 0.0:
                    s.whale_left[w] = size
                    s.whale_rate[w] = sign * size / (1800.0 + 7200.0 * uniform(chance))
                    s.whale_start[w] = second + 2700.0 * math.exp(0.8 * luck)
                    break
            s.informed += 0.5 * sign
    if uniform(chance) < PER_DAY * p.false_transfers_per_day:
        size = min(LARGEST_TRANSFER, pareto(chance, p.transfer_usdt, p.transfer_tail))
        if uniform(chance) < 0.5:
            seen_in += size
        else:
            seen_out += size
    return seen_in, seen_out


@kernel
def set_crowd(p: Any, s: Any, regime: Any, mix: Floats) -> None:
    """Set how the crowd opens and closes this minute: side, leverage, pace."""
    log_price0 = math.log(p.price_usdt)
    surplus = s.funding - 1e-4
    momentum = math.tanh(s.momentum_hour / 0.012) + math.tanh(s.momentum_day / 0.06)
    odds = (
        p.long_bias + regime.bias + 0.45 * math.tanh(s.sentiment) + 0.35 * momentum
        - 250.0 * surplus
    )  # fmt: skip
    is_long = 1.0 / (1.0 + math.exp(-odds))
    wanted = (
        p.open_interest_ltc
        * math.exp(-0.4 * (s.mark - log_price0))
        * math.exp(s.appetite + regime.interest - s.lost_interest)
    )
    norm = 0.0
    for layer in range(N_LEVERAGES):
        norm += SHARES[layer] * _LEVERAGES[layer] ** regime.tilt
    pace = min(3.0, s.season**1.2 * math.exp(0.8 * (s.log_vol_25m + s.log_vol_5h)))
    for side in range(2):
        share = is_long if side == LONGS else 1.0 - is_long
        s.mix_sum[side] = 0.0
        for layer in range(N_LEVERAGES):
            held = SHARES[layer] * _LEVERAGES[layer] ** regime.tilt / norm
            mix[side, layer] = 2.0 * share * wanted * held / HOLDING_S[layer]
            s.mix_sum[side] += mix[side, layer]
        s.opening[side] = s.mix_sum[side] * pace
    moved = s.perp - s.price_15m
    s.price_15m += moved / 15.0
    for side in range(2):
        sign = 1.0 if side == LONGS else -1.0
        fear = min(6.0, max(0.0, -sign * moved / 0.015))
        s.closing[side] = pace * (1.0 + 80.0 * max(0.0, sign * surplus)) * (1.0 + p.panic * fear)


@kernel
def set_depth(p: Any, s: Any, regime: Any, second: int) -> None:
    """Set the depth that makers would offer in a calm market."""
    minute = (second // 60 + EPOCH_MINUTE_OF_WEEK) % MINUTES_PER_WEEK
    weekend = 0.85 if minute >= FRIDAY_NIGHT else 1.0
    s.usual_depth = (
        p.depth_usdt
        * regime.depth
        * math.exp(s.log_depth - 0.03)
        * (0.85 + 0.15 * s.season)
        * weekend
    )


@kernel
def begin_minute(
    p: Any, s: Any, regimes: NDArray[np.void], mix: Floats, chance: Chance, second: int,
    fixed_regime: int, vol_factor: float,
) -> tuple[float, float]:  # fmt: skip
    """Do all of the above; return whale transfers (in, out) that become known."""
    draw_moods(p, s, chance, fixed_regime)
    regime = regimes[s.regime]
    set_variances(p, s, regime, second, vol_factor)
    draw_news(p, s, regime, chance)
    seen = draw_whales(p, s, regime, chance, second)
    set_crowd(p, s, regime, mix)
    set_depth(p, s, regime, second)
    return seen


@kernel
def end_minute(p: Any, s: Any, mass: Floats, scale: Floats, total: Floats, shock: float) -> None:
    """Let the imbalance of the crowd move the premium; write lazy scales out before they vanish."""
    longs = total[LONGS].sum()
    shorts = total[SHORTS].sum()
    imbalance = (longs - shorts) / (longs + shorts + 1.0) - USUAL_IMBALANCE
    target = p.premium_imbalance * imbalance + 1e-4 * math.tanh(s.momentum_day / 0.05)
    memory = 60.0 / p.premium_s
    s.lean += (target - s.lean) * memory + p.premium_sd * math.sqrt(2.0 * memory) * shock
    s.premium = p.premium_base + s.lean * (1.0 if s.lean > 0.0 else p.discount_share)
    s.sentiment_seen += (
        0.5 * s.sentiment + 0.5 * math.tanh(s.momentum_day / 0.05) - s.sentiment_seen
    ) / 90.0
    for side in range(2):
        for layer in range(N_LAYERS):
            if scale[side, layer] < 1e-9:
                for bucket in range(BUCKETS):
                    mass[side, layer, bucket] *= scale[side, layer]
                scale[side, layer] = 1.0

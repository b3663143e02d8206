"""The names of the features, by family; a family is what a lost feed takes away together."""

from __future__ import annotations

from typing import Final

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "price": (
        "ret_frame",  # log return of the frame, in sigma
        "ret_5m", "ret_15m", "ret_60m", "ret_240m", "ret_1440m",  # log return / (sigma sqrt(h))
        "fall_60m", "fall_240m", "fall_1440m",  # log(close / highest high) / (sigma sqrt(h))
        "rise_60m", "rise_240m", "rise_1440m",  # log(close / lowest low) / (sigma sqrt(h))
    ),
    "volatility": (
        "log_sigma",  # log of sigma
        "vol_5m", "vol_15m", "vol_60m", "vol_240m", "vol_1440m",  # log(half-life vol / sigma)
        "range_vol_15m", "range_vol_60m",  # log(Parkinson volatility / sigma)
        "down_share_60m", "down_share_240m",  # (down - up) / (down + up) semivariance
        "jumpiness_60m",  # log(mean |r| / root mean r^2)
        "range_frame",  # log1p(log(high / low) / sigma)
    ),
    "volume": (
        "volume_15m", "volume_60m", "volume_1440m",  # log(mean volume / 7-day mean)
        "volume_frame",  # log1p(volume / mean of 60 minutes)
        "flow_15m", "flow_60m",  # signed volume / volume
        "illiquidity",  # log(|r| per USDT traded, 60 minutes / 7 days)
    ),
    "memory": (
        "squeezing_down", "squeezing_up",  # move of 15 minutes / trigger threshold
        "squeezed_down", "squeezed_up",  # share of triggered frames, half-life 240 minutes
        "since_down", "since_up",  # log1p(minutes since the last trigger / 60), at most 2 days
    ),
    "funding": (
        "funding_bps",  # last settled rate
        "funding_mean_bps",  # mean of about 3 days
        "to_settlement",  # share of the 8-hour interval that is left
    ),
    "open_interest": (
        "oi_60m", "oi_240m", "oi_1440m",  # log change
        "oi_turnover",  # log(open interest / volume of a day)
    ),
    "btc": (
        "btc_ret_5m", "btc_ret_15m", "btc_ret_60m", "btc_ret_240m",  # in Bitcoin's own sigma
        "btc_vol_15m", "btc_vol_60m",  # log(vol / Bitcoin's sigma)
        "btc_corr", "btc_beta",  # over about a day
        "own_15m", "own_60m",  # return beyond beta, in sigma
    ),
    "liquidations": (  # log1p of the per mille of volume that is forced, of all forced orders
        "liq_long_15m", "liq_long_60m", "liq_short_15m", "liq_short_60m",
    ),
    "largest_liquidations": (  # the same of a feed that tells the largest order of each second
        "largest_long_15m", "largest_long_60m", "largest_short_15m", "largest_short_60m",
    ),
    "book": (
        "imbalance", "imbalance_near",  # (bids - asks) / (bids + asks), within 1 % and 0.2 %
        "depth_1440m", "depth_week",  # log(depth within 1 % / its mean)
        "near_share", "far_share",  # log(depth within 0.2 %, 5 % / within 1 %)
        "spread_bps",
    ),
    "premium": ("premium_bps", "mark_premium_bps"),  # price, mark over index
    "funding_venues": (
        "funding_predicted_bps",  # what our venue would settle now
        "funding_elsewhere_bps",  # mean of other venues above that
    ),
    "crowd": ("long_short", "long_short_60m", "long_short_240m"),  # log ratio, its change
    "whales": (  # asinh of net transfers to exchanges, in per cent of a day's volume
        "whales_60m", "whales_240m",
    ),
    "sentiment": ("sentiment",),
    "calendar": ("hour_sin", "hour_cos", "weekend"),
    "age": ("age_btc", "age_funding", "age_oi"),  # log1p(minutes)
    "feed_age": (  # log1p(minutes), in the order of `FEED_AGES`
        "age_book", "age_mark", "age_liquidations", "age_largest_liquidations", "age_index",
        "age_long_short_ratio", "age_transfers", "age_sentiment", "age_funding_own",
        "age_funding_bybit", "age_funding_okx",
    ),
    "raw": (  # what rules and cost estimates use; models leave these out
        "move_15m",  # log return over 15 minutes
        "vol_rule",  # volatility of 5-minute returns, span 60 minutes
        "volume_per_min",  # LTC per minute, mean of about an hour
        "depth_usdt",  # of the thinner side of the book within 1 %
    ),
}  # fmt: skip
NAMES: Final = tuple(name for family in FAMILIES.values() for name in family)
N_FEATURES: Final = len(NAMES)
INDEX: Final = {name: i for i, name in enumerate(NAMES)}

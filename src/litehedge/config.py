"""The settings: one frozen, typed tree with a meaning for every leaf.

`settings.load_settings` reads it from TOML text and the environment.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]

PositionSide = Literal["long", "short"]
VenueName = Literal[
    "binance", "bybit", "okx", "krakenfutures", "hyperliquid", "bitget", "gate", "kucoin"
]
FeedGroup = Literal["across", "liquidations", "chain", "mood"]
HedgeLocation = Literal["same_account", "second_venue", "reduce"]


class Contradiction(ValueError):
    """Settings that are fine alone and impossible together; `paths` are theirs, dotted."""

    def __init__(self, text: str, *paths: str) -> None:
        super().__init__(text)
        self.paths = paths


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Position(_Section):
    """The leveraged position to protect."""

    side: PositionSide = Field("long", description="which way the position profits")
    leverage: Positive = Field(5.0, le=125, description="position size divided by the wallet")
    wallet_usdt: Positive = Field(1000.0, description="margin wallet at the start, in USDT")
    margin_mode: Literal["cross", "isolated"] = Field(
        "cross", description="whether the whole wallet or only set-aside margin backs the position"
    )


class Hedge(_Section):
    """How and where hedges are placed."""

    policy: str = Field("plugin", description="the policy that sets the band of the hedge ratio")
    rules: str = Field(
        "", description="your own rules around the policy: a preset by name, or a TOML file"
    )
    location: HedgeLocation = Field(
        "reduce",
        description="opposite leg in the same wallet, on a second venue, or a smaller position",
    )
    max_ratio: Share = Field(1.0, description="largest hedge, as a share of the position")
    fall_back_to_reduce: bool = Field(
        True,
        description="whether the position is reduced instead while the venue refuses new hedges; "
        "what is closed does not come back by itself",
    )
    risk_budget: float = Field(
        0.55, ge=0.2, le=1, allow_inf_nan=False,
        description="share of what backs the position that may be lost: the plug-in hedges before "
        "more is gone (1: before liquidation only), the network keeps the worst weeks to it",
    )  # fmt: skip
    second_wallet_share: Share = Field(
        0.5, lt=1, description="share of the capital that waits on the second venue"
    )
    network: str = Field(
        "auto", description="the network policy by name or folder; auto takes the one that ships"
    )


class Transfer(_Section):
    """Money between the two venues of a hedge on a second one."""

    enabled: bool = Field(
        True, description="whether margin moves between the venues of position and hedge"
    )
    trigger_ratio: Share = Field(
        0.1, lt=1, description="margin ratio (maintenance / equity) of a venue above which margin "
        "is brought"
    )  # fmt: skip
    target_ratio: Share = Field(
        0.05, lt=1, description="margin ratio to which a transfer brings it, and above which it "
        "never brings the sender"
    )  # fmt: skip
    delay_min: NonNegative = Field(
        30.0, le=10_080, description="from sending to arrival, in minutes; assumed: a withdrawal "
        "of LTC or USDT and its confirmations"
    )  # fmt: skip
    fee_usdt: NonNegative = Field(1.0, lt=10_000, description="what one transfer costs, in USDT")
    min_usdt: Positive = Field(20.0, description="smallest transfer, in USDT")
    max_per_day_usdt: Positive = Field(
        100_000.0, description="most that may be sent in a UTC day, in USDT"
    )

    @model_validator(mode="after")
    def _calms_down(self) -> Transfer:
        if self.target_ratio >= self.trigger_ratio:
            raise ValueError(
                "target_ratio must be below trigger_ratio, or money would go to and fro; for "
                "example 0.05 and 0.1"
            )
        if self.fee_usdt >= self.min_usdt:
            raise ValueError(
                "fee_usdt must be below min_usdt, or nothing would arrive; for example 1 and 20"
            )
        if self.min_usdt > self.max_per_day_usdt:
            raise Contradiction(
                "min_usdt is above max_per_day_usdt, so nothing could ever be sent; for example "
                "20 and 1000",
                "transfer.min_usdt",
                "transfer.max_per_day_usdt",
            )
        return self


class Costs(_Section):
    """What trading costs; the simulated venue charges it and the policies count it."""

    taker_fee_bps: NonNegative = Field(5.0, lt=1000, description="fee of a taker order")
    half_spread_bps: NonNegative = Field(
        1.0, lt=1000, description="half of the bid-ask spread in a calm market"
    )
    impact: NonNegative = Field(
        0.7, lt=100, description="coefficient of the square-root impact of our own orders"
    )
    latency_ms: NonNegative = Field(250.0, lt=600_000, description="decision to the venue")
    max_bar_share: Share = Field(
        0.1, description="largest share of a bar's volume that one order may take"
    )


class Limits(_Section):
    """Hard limits: they outrank the model, and the strictest one wins."""

    max_hedge_notional_usdt: Positive = Field(
        1_000_000.0, description="largest hedge, in US dollars"
    )
    max_leverage: Positive = Field(
        40.0, le=250, description="largest net exposure / equity that lifting a hedge may leave"
    )
    max_ratio_per_minute: Positive = Field(
        1.0,
        description="how far the hedge ratio may fall in any 60 s; what protects is never slowed",
    )
    max_orders_per_minute: int = Field(
        6, ge=1, le=60, description="orders that may be sent in any 60 seconds"
    )
    max_orders_per_day: int = Field(200, ge=1, description="orders that may be sent in a UTC day")
    daily_cost_share: Share = Field(
        0.03, description="fees, slippage and funding of hedges in a UTC day, as a share of "
        "equity, before only protecting trades are allowed"
    )  # fmt: skip
    weekly_cost_share: Share = Field(
        0.1, description="the same for seven UTC days, today among them; from three quarters of "
        "either budget on, hedges are let go later"
    )  # fmt: skip
    collar_bps: Positive = Field(
        150.0, lt=10_000, description="worst price of an order, measured from the decision price"
    )
    max_depth_share: Share = Field(
        0.2, description="largest share of the depth within 1 % that one order may take"
    )
    min_margin_buffer: float = Field(
        0.1, ge=0, lt=1, allow_inf_nan=False,
        description="share of equity that must stay free of maintenance after a trade",
    )  # fmt: skip
    equity_stop_share: float = Field(
        0.05, ge=0, lt=1, allow_inf_nan=False,
        description="share of the starting equity below which no hedge is lifted; 0 = never",
    )  # fmt: skip
    max_clock_skew_ms: Positive = Field(
        1500.0, description="how far an event may lie in the future before trading halts"
    )
    max_price_age_s: Positive = Field(
        900.0, description="age of the last price above which no risk is added"
    )

    @model_validator(mode="after")
    def _sane(self) -> Limits:
        if self.max_orders_per_minute > self.max_orders_per_day:
            raise Contradiction(
                "max_orders_per_minute is above max_orders_per_day; for example 6 and 200",
                "limits.max_orders_per_minute",
                "limits.max_orders_per_day",
            )
        if self.daily_cost_share > self.weekly_cost_share:
            raise Contradiction(
                "daily_cost_share is above weekly_cost_share, of which a day is a part; for "
                "example 0.03 and 0.1",
                "limits.daily_cost_share",
                "limits.weekly_cost_share",
            )
        return self


class Health(_Section):
    """Margin health: what is done between decisions, when liquidation comes near."""

    enabled: bool = Field(
        True, description="whether the position is made smaller, and stops are kept at the venue"
    )
    trigger_ratio: Share = Field(
        0.6, lt=1, description="margin ratio (maintenance / equity) above which a part of the "
        "position is closed at once"
    )  # fmt: skip
    target_ratio: Share = Field(0.4, lt=1, description="margin ratio to which that brings it")
    stop_ratio: Share = Field(
        0.8, lt=1, description="margin ratio at which a stop at the venue closes what is not hedged"
    )
    reaction_s: Positive = Field(
        30.0, le=600, description="how long an order may take at worst, in seconds: ratios are "
        "looked at where the price may be by then"
    )  # fmt: skip
    retry_s: Positive = Field(
        5.0, le=300, description="seconds between two orders that bring liquidation further away"
    )
    collar_bps: Positive = Field(
        400.0, lt=10_000, description="worst price of such an order, and of any that protects in "
        "a wild market"
    )  # fmt: skip
    warn_probability: Share = Field(
        0.25, description="probability of a squeeze within an hour above which missing margin is "
        "told, before it is needed"
    )  # fmt: skip

    @model_validator(mode="after")
    def _in_order(self) -> Health:
        if not self.target_ratio < self.trigger_ratio < self.stop_ratio:
            raise ValueError(
                "target_ratio must be below trigger_ratio, and that below stop_ratio; for example "
                "0.4, 0.6 and 0.8"
            )
        return self


class Parachute(_Section):
    """When feeds, venue or this machine cannot be trusted: see docs/reference/limits.md."""

    enabled: bool = Field(True, description="whether any of it is watched")
    silent_s: Positive = Field(15.0, description="seconds without a price, or without a book")
    mark_silent_s: Positive = Field(30.0, description="seconds without a mark price")
    account_silent_s: Positive = Field(
        150.0, description="seconds in which the venue does not tell what the account holds"
    )
    wrong_s: NonNegative = Field(
        3.0, description="seconds for which prices must contradict each other, the engine be late, "
        "or the clock be wrong"
    )  # fmt: skip
    calm_s: NonNegative = Field(
        60.0, description="seconds for which all must be well before a fallback ends"
    )
    max_gap_bps: Positive = Field(200.0, description="how far book, mark and index may be apart")
    frozen_s: Positive = Field(60.0, description="seconds in which the book does not move at all")
    frozen_move_bps: Positive = Field(
        50.0, description="by how much mark, index or Bitcoin must have moved meanwhile"
    )
    count_s: Positive = Field(120.0, description="seconds over which refusals are counted")
    max_refused: int = Field(3, ge=1, description="refused hedges within that time")
    max_unsure: int = Field(2, ge=1, description="orders without an answer within that time")
    max_fill_s: Positive = Field(15.0, description="seconds from decision to the end of an order")
    max_slip_bps: Positive = Field(100.0, description="how far beyond the middle a fill may be")
    max_lag_ms: Positive = Field(
        1500.0, description="how old an event may be when it is acted upon"
    )
    wild_bps: Positive = Field(
        60.0, description="standard deviation of the price over a minute that counts as wild"
    )


class VenueRules(_Section):
    """The rules of the contract that is traded."""

    name: str = Field("binance", description="the venue")
    symbol: str = Field("LTCUSDT", description="the contract")
    tick_usdt: Positive = Field(0.01, description="smallest price step")
    lot_ltc: Positive = Field(0.001, description="smallest quantity step")
    min_notional_usdt: NonNegative = Field(
        20.0, description="smallest order that is not reducing, in USDT"
    )
    dead_man_switch: bool = Field(
        False, description="whether the venue cancels open orders, yours too, when this falls dead"
    )


class Plugin(_Section):
    """The auditable default policy; its defaults were fitted on data up to 2023-12-31.

    See ``python -m studies.fit_policies``.
    """

    horizon_min: Positive = Field(
        60.0, le=240, description="how far ahead ruin is looked for before the hedge grows, min"
    )
    enter_probability: Share = Field(
        0.075, lt=1, description="probability of ruin above which the hedge grows"
    )
    release_horizon_min: Positive = Field(
        240.0, le=240, description="how far ahead ruin is looked for before the hedge shrinks, min"
    )
    release_probability: Share = Field(
        0.0005, lt=1, description="probability of ruin below which the hedge shrinks, at 7 bps"
    )
    step: Share = Field(0.1, description="rung of the ladder on which the hedge ratio moves")
    width: float = Field(
        0.4, ge=0, lt=1, allow_inf_nan=False,
        description="narrowest band: a hedge this much above the rung that is needed stays",
    )  # fmt: skip
    peak_release: float = Field(
        0.6, ge=0, lt=1, allow_inf_nan=False,
        description="share of the danger that is discounted, for letting go, when a squeeze has "
        "peaked for certain",
    )  # fmt: skip
    tilt: float = Field(
        0.0, ge=0, le=3, allow_inf_nan=False,
        description="how much earlier the hedge goes when a squeeze of the other side is likelier",
    )  # fmt: skip

    @model_validator(mode="after")
    def _band_is_open(self) -> Plugin:
        if self.release_probability >= self.enter_probability:
            raise ValueError(
                "release_probability must be below enter_probability; for example 0.0001 and 0.01"
            )
        return self


class Advice(_Section):
    """The leverage advice, for the position without hedge."""

    horizon_days: float = Field(
        7.0, ge=1, le=30, description="how long the position is meant to live, in days"
    )
    tolerance: float = Field(
        0.05, ge=0.001, le=0.5,
        description="probability of liquidation within that time that is acceptable",
    )  # fmt: skip


class Model(_Section):
    """The forecaster."""

    name: str = Field(
        "auto", description="a model by name or folder; auto: the champion for the bar length"
    )
    learns: bool = Field(True, description="whether a session goes by what was learnt from it")


class Feeds(_Section):
    """What is listened to, live and while recording. All but the venue's prices is optional."""

    venue: Literal["", VenueName] = Field(
        "", description="whose prices are heard; empty: those of the venue that is traded on"
    )
    extra: Annotated[tuple[FeedGroup, ...], Field(strict=False)] = Field(
        ("across", "chain", "mood"),
        description="what else is heard: funding and open interest of other venues, their forced "
        "orders (liquidations), whale transfers (chain), mood",
    )
    litecoin_rpc: str = Field(
        "", description="a Litecoin node of yours, such as http://127.0.0.1:9332; empty: "
        "litecoinspace.org is asked instead",
    )  # fmt: skip
    litecoin_zmq: str = Field(
        "", description="where that node publishes, such as tcp://127.0.0.1:28332; empty: "
        "transfers are known with their block",
    )  # fmt: skip
    tags: str = Field(
        "", description="your file of exchanges' Litecoin addresses; empty: the one that ships"
    )
    whale_usdt: Positive = Field(
        1_500_000.0, description="smallest transfer that counts as a whale's, in USDT"
    )
    rss: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (
            "https://www.coindesk.com/arc/outboundfeeds/rss/",
            "https://cointelegraph.com/rss/tag/litecoin",
            "https://cointelegraph.com/rss",
            "https://decrypt.co/feed",
        ),
        description="RSS and Atom feeds whose headlines are scored",
    )

    @model_validator(mode="after")
    def _addresses(self) -> Feeds:
        for name, address, schemes in (
            ("litecoin_rpc", self.litecoin_rpc, ("http://", "https://")),
            ("litecoin_zmq", self.litecoin_zmq, ("tcp://", "ipc://")),
            *(("rss", address, ("http://", "https://")) for address in self.rss),
        ):
            if address and not address.startswith(schemes):
                raise ValueError(f"{name} must begin with {' or '.join(schemes)}")
        if "@" in self.litecoin_rpc:
            raise ValueError(
                "litecoin_rpc must not hold a login; set LITEHEDGE_LITECOIN_KEY to the user and "
                "LITEHEDGE_LITECOIN_SECRET to the password"
            )
        return self


class Alerts(_Section):
    """What people are told and when. Where to is a secret: `litehedge keys set alerts`."""

    least: Literal["act_now", "done", "digest"] = Field(
        "digest", description="the least urgent that is sent: act_now, also done, or all"
    )
    window_min: Positive = Field(
        10.0, le=1440, description="what is said again within so long is counted and told once, min"
    )
    quiet_hours: str = Field(
        "", description="hours (UTC) in which only act_now is sent, such as 22-6; empty: none"
    )
    digest_hour: int = Field(
        7, ge=0, le=23, description="hour (UTC) at which digests are sent, those of the day as one"
    )
    heartbeat_url: str = Field(
        "", exclude=True, repr=False,
        description="address that is asked every minute while the engine works, so that a service "
        "notices its death; empty: none",
    )  # fmt: skip

    @property
    def quiet(self) -> tuple[int, int] | None:
        """First hour of quiet and the one at which it ends."""
        if not self.quiet_hours:
            return None
        begin, end = self.quiet_hours.split("-")
        return int(begin), int(end)

    @model_validator(mode="after")
    def _readable(self) -> Alerts:
        parts = self.quiet_hours.split("-") if self.quiet_hours else ["0", "1"]
        hours = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 3]
        if len(parts) != 2 or len(hours) != 2 or max(hours) > 23 or hours[0] == hours[1]:
            raise ValueError("quiet_hours must be two hours of the day; for example 22-6")
        if self.heartbeat_url and not self.heartbeat_url.startswith(("http://", "https://")):
            raise ValueError("heartbeat_url must begin with http:// or https://")
        return self


class Settings(_Section):
    """Everything that can be set."""

    position: Position = Field(default_factory=Position, description="the position to protect")
    hedge: Hedge = Field(default_factory=Hedge, description="how hedges are placed")
    transfer: Transfer = Field(
        default_factory=Transfer, description="money between two venues, with second_venue"
    )
    plugin: Plugin = Field(default_factory=Plugin, description="the default policy")
    advice: Advice = Field(default_factory=Advice, description="the leverage advice")
    costs: Costs = Field(default_factory=Costs, description="what trading costs")
    limits: Limits = Field(default_factory=Limits, description="hard limits")
    health: Health = Field(default_factory=Health, description="margin health")
    parachute: Parachute = Field(
        default_factory=Parachute, description="when something cannot be trusted"
    )
    venue: VenueRules = Field(default_factory=VenueRules, description="the contract's rules")
    feeds: Feeds = Field(default_factory=Feeds, description="what is listened to")
    model: Model = Field(default_factory=Model, description="the forecaster")
    alerts: Alerts = Field(default_factory=Alerts, description="what people are told and when")

    @model_validator(mode="after")
    def _hedge_has_margin(self) -> Settings:
        if self.position.margin_mode == "isolated" and self.hedge.location == "same_account":
            raise ValueError(
                "with position.margin_mode = 'isolated' the wallet is spent on the position and "
                "a hedge in the same account has no margin; set hedge.location to 'reduce' or "
                "'second_venue', or the margin mode to 'cross'"
            )
        return self

    @model_validator(mode="after")
    def _orders_are_possible(self) -> Settings:
        if self.limits.collar_bps <= self.costs.half_spread_bps:
            raise Contradiction(
                "the collar ends inside the spread, so no order would ever be filled: "
                "limits.collar_bps must be above costs.half_spread_bps; for example 150 and 1",
                "limits.collar_bps",
                "costs.half_spread_bps",
            )
        if self.limits.max_hedge_notional_usdt < self.venue.min_notional_usdt:
            raise Contradiction(
                "the largest hedge is smaller than the venue's smallest order: "
                "limits.max_hedge_notional_usdt must be at least venue.min_notional_usdt; for "
                "example 50000 and 20",
                "limits.max_hedge_notional_usdt",
                "venue.min_notional_usdt",
            )
        return self


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the settings, from which forms are drawn."""
    return Settings.model_json_schema()

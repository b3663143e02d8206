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
HedgeLocation = Literal["same_account", "second_venue", "reduce"]


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
    location: HedgeLocation = Field(
        "same_account",
        description="opposite leg in the same wallet, on a second venue, or a smaller position",
    )
    max_ratio: Share = Field(1.0, description="largest hedge, as a share of the position")
    second_wallet_share: Share = Field(
        0.5, lt=1, description="share of the capital that waits on the second venue"
    )
    network: str = Field(
        "auto", description="the network policy by name or folder; auto takes the one that ships"
    )
    risk_budget: float = Field(
        0.6, ge=0.2, le=0.9, allow_inf_nan=False,
        description="share of the wallet that the worst 5 % of weeks may lose on average; only "
        "the network policy reads it"
    )  # fmt: skip


class Costs(_Section):
    """What trading costs; the simulated venue charges it and the policies count it."""

    taker_fee_bps: NonNegative = Field(5.0, lt=1000, description="fee of a taker order")
    half_spread_bps: NonNegative = Field(
        1.0, lt=1000, description="half of the bid-ask spread in a calm market"
    )
    impact: NonNegative = Field(
        0.7, lt=100, description="coefficient of the square-root impact of our own orders"
    )
    latency_ms: NonNegative = Field(
        250.0, lt=600_000, description="from decision to arrival at the venue"
    )
    max_bar_share: Share = Field(
        0.1, description="largest share of a bar's volume that one order may take"
    )


class Limits(_Section):
    """Hard limits: they outrank the model, and the strictest one wins."""

    max_hedge_notional_usdt: Positive = Field(
        1_000_000.0, description="largest hedge, in US dollars"
    )
    max_leverage: Positive = Field(
        40.0, le=250, description="largest gross notional (both legs) divided by equity"
    )
    max_ratio_per_minute: Positive = Field(
        1.0, description="how far the hedge ratio may move within one minute"
    )
    max_orders_per_minute: int = Field(6, ge=1, description="orders that may be sent in a minute")
    max_orders_per_day: int = Field(200, ge=1, description="orders that may be sent in a UTC day")
    daily_cost_share: Share = Field(
        0.03, description="fees and slippage of a UTC day, as a share of equity, before only "
        "protecting trades are allowed"
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
            raise ValueError(
                "max_orders_per_minute is above max_orders_per_day; for example 6 and 200"
            )
        return self


class VenueRules(_Section):
    """The rules of the contract that is traded."""

    name: str = Field("binance", description="the venue")
    symbol: str = Field("LTCUSDT", description="the contract")
    tick_usdt: Positive = Field(0.01, description="smallest price step")
    lot_ltc: Positive = Field(0.001, description="smallest quantity step")
    min_notional_usdt: NonNegative = Field(
        20.0, description="smallest order that is not reducing, in USDT"
    )


class Plugin(_Section):
    """The auditable default policy; its defaults were fitted on data up to 2023-12-31.

    See ``python -m studies.fit_policies``.
    """

    horizon_min: Positive = Field(
        240.0, le=240, description="how far ahead a liquidation is looked for, in minutes"
    )
    enter_probability: Share = Field(
        0.01, lt=1, description="probability of liquidation above which the hedge grows"
    )
    release_probability: Share = Field(
        0.0001,
        lt=1,
        description="probability of liquidation below which the hedge shrinks, at 7 bps per trade",
    )
    step: Share = Field(0.25, description="rung of the ladder on which the hedge ratio moves")

    @model_validator(mode="after")
    def _band_is_open(self) -> Plugin:
        if self.release_probability >= self.enter_probability:
            raise ValueError(
                "release_probability must be below enter_probability; for example 0.0001 and 0.01"
            )
        return self


class Advice(_Section):
    """The leverage advice."""

    horizon_days: Positive = Field(
        7.0, le=60, description="how long the position is meant to live, in days"
    )
    tolerance: Share = Field(
        0.05, lt=1, description="probability of liquidation within that time that is acceptable"
    )


class Model(_Section):
    """The forecaster."""

    name: str = Field(
        "auto", description="an artefact by name or folder; auto takes the one for the bar length"
    )


class Settings(_Section):
    """Everything that can be set."""

    position: Position = Field(default_factory=Position, description="the position to protect")
    hedge: Hedge = Field(default_factory=Hedge, description="how hedges are placed")
    plugin: Plugin = Field(default_factory=Plugin, description="the default policy")
    advice: Advice = Field(default_factory=Advice, description="the leverage advice")
    costs: Costs = Field(default_factory=Costs, description="what trading costs")
    limits: Limits = Field(default_factory=Limits, description="hard limits")
    venue: VenueRules = Field(default_factory=VenueRules, description="the contract's rules")
    model: Model = Field(default_factory=Model, description="the forecaster")

    @model_validator(mode="after")
    def _hedge_has_margin(self) -> Settings:
        if self.position.margin_mode == "isolated" and self.hedge.location == "same_account":
            raise ValueError(
                "with position.margin_mode = 'isolated' the wallet is spent on the position and "
                "a hedge in the same account has no margin; set hedge.location to 'reduce' or "
                "'second_venue', or the margin mode to 'cross'"
            )
        return self


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the settings, from which forms are drawn."""
    return Settings.model_json_schema()

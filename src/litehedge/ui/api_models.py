"""What the API tells and takes, as its OpenAPI describes it. What is not known is null."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Ratio = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


def _whole(value: object) -> object:
    """JSON knows one kind of number: 60.0 is as whole as 60."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Seconds = Annotated[
    int,
    Field(ge=1, le=604_800, description="How long, seconds: 7 days at most."),
    BeforeValidator(_whole),
]
Reason = Annotated[
    str,
    Field(max_length=200, pattern=r"^[ -~]*$", description="Why, one line; it is in the journal."),
]
_REASON: Final = "a program asked"


class Told(BaseModel):
    """What every answer is: exactly its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorTold(Told):
    """What went wrong."""

    code: str = Field(description="Which kind of error, a closed set of words.")
    what: str = Field(description="What is wrong.")
    remedy: str = Field(description="What to do next; empty where there is nothing.")


class ErrorAnswer(Told):
    """The one shape of every error."""

    error: ErrorTold


class SessionTold(Told):
    """A session in a list."""

    name: str = Field(description="Its name.")
    mode: str = Field(description="live, paper, demo or backtest; empty before it is known.")
    runs: bool = Field(description="Whether a process runs it now.")
    health: Literal["ok", "stale", "down"] = Field(
        description="stale: it runs and tells nothing new; down: no process runs it."
    )


class StatusTold(SessionTold):
    """How a session is."""

    now_ns: int = Field(
        description="Time by the session's own clock, ns since 1970: in a demo it runs faster. "
        "Overrides are counted by it."
    )
    trading_state: Literal["ACTIVE", "REDUCING", "HALTED"] = Field(description="What it may do.")
    price_usdt: float | None = Field(description="Newest price of LTC, USDT.")
    data_age_s: float | None = Field(description="Since it told anything new, seconds.")
    liquidation_distance: float | None = Field(
        description="Move to liquidation, a fraction of the price; null without a position."
    )
    override: Literal["", "set", "freeze"] = Field(
        description="What a person holds; empty where the policy decides."
    )
    override_until_ns: int | None = Field(description="Until when, ns since 1970.")
    is_closing: bool = Field(description="Whether everything is being closed.")
    watches_open: list[str] = Field(description="Watches of the parachute that are open.")
    trouble: str = Field(description="Why the journal cannot be read; empty when it can.")


class AccountTold(Told):
    """The account at the newest price."""

    side: Literal["long", "short"] = Field(description="The position's.")
    position_ltc: float | None = Field(description="As it was opened, unsigned, LTC.")
    held_ltc: float | None = Field(description="Of it, now at the venue, LTC.")
    hedge_ltc: float | None = Field(description="Unsigned, LTC.")
    hedge_ratio: float | None = Field(description="Hedge as a share of the position.")
    equity_usdt: float | None = Field(description="USDT.")
    leverage: float | None = Field(description="Net exposure over equity.")
    liquidation_distance: float | None = Field(description="Move to liquidation, of the price.")
    liquidation_price_usdt: float | None = Field(description="USDT; null where there is none.")


class DecisionTold(Told):
    """One decision, held and refused ones too."""

    time_ns: int = Field(description="ns since 1970.")
    price_usdt: float | None = Field(description="USDT.")
    trading_state: str = Field(description="What it could do then.")
    action: Literal["increase", "decrease", "maintain"] = Field(description="What to do.")
    hedge_ratio: float | None = Field(description="The hedge then, as a share of the position.")
    target_ratio: float | None = Field(description="What it was to become.")
    size_ltc: float | None = Field(description="Change of the hedge, positive adds, LTC.")
    confidence: float | None = Field(description="In the forecast, 0 to 1.")
    reason: str = Field(description="Why, in words.")
    refusals: list[str] = Field(description="Which guards cut or refused, in words.")
    order_id: str = Field(description="The order that was sent; empty where none was.")
    equity_usdt: float | None = Field(description="USDT.")
    liquidation_distance: float | None = Field(description="Of the price.")


class DecisionsTold(Told):
    """A page of decisions, newest first."""

    decisions: list[DecisionTold] = Field(description="Held and refused ones too.")
    next: str | None = Field(description="Give this as `before` for older ones; null at the end.")


class AlertTold(Told):
    """An alert."""

    time_ns: int = Field(description="ns since 1970.")
    level: Literal["act_now", "done", "digest"] = Field(description="How urgent.")
    text: str = Field(description="What, why, what happens next.")
    clears: bool = Field(description="Whether it says that something is right again.")


class ForecastTold(Told):
    """The newest forecast: probabilities of a squeeze's start, and how it would go."""

    time_ns: int = Field(description="Of the decision that it belongs to, ns since 1970.")
    state: int = Field(description="0 ok, 1 degraded, 2 cold, 3 expired.")
    confidence: float | None = Field(description="0 to 1.")
    minutes: list[float] = Field(description="Horizons of `onset`, minutes.")
    onset_long: list[float | None] = Field(description="P(start within each), of longs.")
    onset_short: list[float | None] = Field(description="The same, of shorts.")
    severity_long_bps: list[float | None] = Field(description="Move at 50 % and 90 %, bps.")
    severity_short_bps: list[float | None] = Field(description="The same, of shorts.")


class FeedTold(Told):
    """A kind of news, and how old the newest is."""

    kind: str = Field(description="Such as trade, book, mark, funding.")
    age_s: float | None = Field(description="Seconds.")


class AskedTold(Told):
    """A command that is in a session's inbox, durably."""

    session: str = Field(description="Whom it was asked of.")
    asked: str = Field(description="What was asked.")
    asked_ns: int = Field(description="When, ns since 1970.")
    is_new: bool = Field(description="False where an earlier request with this key asked it.")
    runs: bool = Field(description="Whether a process ran the session then.")
    when: str = Field(description="When it counts, in words.")


class Body(BaseModel):
    """What every command takes: exactly its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class HaltBody(Body):
    """To halt."""

    reason: Reason = _REASON


class ResumeBody(Body):
    """To go on."""

    word: Literal["RESUME"] = Field(description="Riskier, so it is to be spelled out.")


class CloseBody(Body):
    """To close position and hedge."""

    words: Literal["CLOSE ALL"] = Field(description="Riskier, so it is to be spelled out.")
    reason: Reason = _REASON


class HoldBody(Body):
    """To hold a hedge."""

    ratio: Ratio = Field(description="The hedge as a share of the position, 0 to 1.")
    lasts_s: Seconds


class KeepBody(Body):
    """To leave the hedge as it is."""

    lasts_s: Seconds

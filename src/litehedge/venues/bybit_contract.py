"""Bybit v5: the rules of a contract, its tiers and our fees. Pure.

Shapes: https://bybit-exchange.github.io/docs/v5/market/instrument, `/v5/market/risk-limit`,
`/v5/account/fee-rate`.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from litehedge.errors import BadMessage, WrongSetup
from litehedge.orders.reports import Contract
from litehedge.venues.bybit_values import Whole, Wire, decode, money

Tier = tuple[Decimal, Decimal, Decimal, Decimal, Decimal]


class _Fee(Wire, frozen=True):
    symbol: str
    taker_fee_rate: str
    maker_fee_rate: str


class _Fees(Wire, frozen=True):
    rows: list[_Fee] = msgspec.field(name="list")


class _PriceFilter(Wire, frozen=True):
    tick_size: str


class _LotFilter(Wire, frozen=True):
    qty_step: str
    max_order_qty: str
    max_mkt_order_qty: str = ""
    min_notional_value: str = ""


class _Risk(Wire, frozen=True):
    price_limit_ratio_x: str = msgspec.field(default="", name="priceLimitRatioX")


class _Instrument(Wire, frozen=True):
    symbol: str
    status: str
    price_filter: _PriceFilter
    lot_size_filter: _LotFilter
    risk_parameters: _Risk = _Risk()
    funding_interval: Whole = 480


class _Instruments(Wire, frozen=True):
    rows: list[_Instrument] = msgspec.field(name="list")


class _Tier(Wire, frozen=True):
    symbol: str
    risk_limit_value: str
    maintenance_margin: str | float
    initial_margin: str | float
    max_leverage: str
    mm_deduction: str = ""


class _Tiers(Wire, frozen=True):
    rows: list[_Tier] = msgspec.field(name="list")


_FEES = msgspec.json.Decoder(_Fees)
_INSTRUMENTS = msgspec.json.Decoder(_Instruments)
_TIERS = msgspec.json.Decoder(_Tiers)


def contract_of(
    instruments: msgspec.Raw, tiers: msgspec.Raw, fees: msgspec.Raw, symbol: str
) -> Contract:
    """Put `market/instruments-info`, `market/risk-limit` and `account/fee-rate` together.

    `price_band` is `priceLimitRatioX`: a limit within it is always taken. (Up to ratio Y it is
    taken while the index stands so far off.) Bybit takes liquidated positions over at their
    bankruptcy price and asks no fee for it.

    Raises
    ------
    BadMessage
        When one of them cannot be read or true.
    WrongSetup
        When Bybit does not know the symbol.
    """
    found = decode(_INSTRUMENTS, instruments, "contract").rows
    ours = next((row for row in found if row.symbol == symbol), None)
    if ours is None:
        raise WrongSetup(
            f"bybit has no contract {symbol}",
            "check the symbol; nothing was started, and positions stand as they were",
        )
    rates = decode(_FEES, fees, "fee rates").rows
    fee = next((row for row in rates if row.symbol == symbol), None)
    if fee is None:
        raise BadMessage(f"bybit tells no fees of {symbol}", "it is asked again")
    band = money(ours.risk_parameters.price_limit_ratio_x, "price limit")
    lot = money(ours.lot_size_filter.qty_step, "quantity step")
    tick = money(ours.price_filter.tick_size, "price step")
    largest = money(ours.lot_size_filter.max_order_qty, "largest quantity")
    if not (lot and tick and largest) or not 0 < ours.funding_interval <= 24 * 60:
        raise BadMessage("bybit contract has an empty step or interval", "it is asked again")
    return Contract(
        venue="bybit",
        symbol=symbol,
        is_trading=ours.status == "Trading",
        tick_usdt=tick,
        lot_ltc=lot,
        min_notional_usdt=money(ours.lot_size_filter.min_notional_value, "least notional"),
        max_qty_ltc=largest,
        price_band=band or None,
        taker_fee=money(fee.taker_fee_rate, "taker fee", signed=True),
        maker_fee=money(fee.maker_fee_rate, "maker fee", signed=True),
        clearance_fee=Decimal(0),
        tiers=tiers_of(tiers, symbol),
        funding_interval_h=ours.funding_interval / 60.0,
        max_market_qty_ltc=money(ours.lot_size_filter.max_mkt_order_qty, "largest order") or None,
    )


def tiers_of(result: msgspec.Raw, symbol: str) -> list[Tier]:
    """Read `market/risk-limit`: (floor, cap, largest leverage, maintenance rate, deduction).

    Some contracts tell rates in percent; the initial rate times the largest leverage, which is 1,
    tells which. A deduction that is not told is that which leaves the maintenance continuous.

    Raises
    ------
    BadMessage
        When they cannot be read, or are no ladder.
    """
    rows = [row for row in decode(_TIERS, result, "risk limits").rows if row.symbol == symbol]
    caps = [(money(row.risk_limit_value, "risk limit"), row) for row in rows]
    out: list[Tier] = []
    floor, rate, cut = Decimal(0), Decimal(0), Decimal(0)
    for cap, row in sorted(caps, key=lambda pair: pair[0]):
        leverage = money(row.max_leverage, "largest leverage")
        initial = money(str(row.initial_margin), "initial margin")
        new = money(str(row.maintenance_margin), "maintenance margin")
        if initial * leverage > 10:
            new /= 100
        if not (cap > floor and rate < new < 1 and leverage >= 1):
            raise BadMessage("bybit risk limits are no ladder", "they are asked for again")
        told = money(row.mm_deduction, "deduction")
        cut = told if told or not out else cut + floor * (new - rate)
        out.append((floor, cap, leverage, new, cut))
        floor, rate = cap, new
    if not out:
        raise BadMessage(f"bybit tells no risk limits of {symbol}", "they are asked for again")
    return out

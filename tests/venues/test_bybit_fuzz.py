"""Broken messages of Bybit: every parser raises `BadMessage` and nothing else.

`MUTATIONS` messages in CI; set LITEHEDGE_MUTATIONS to a million for a soak.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from mutate import mutated

from litehedge.errors import BadMessage, WrongSetup
from litehedge.venues import bybit_account as account
from litehedge.venues import bybit_history as past
from litehedge.venues import bybit_orders as orders
from litehedge.venues import bybit_wire as wire
from litehedge.venues.bybit_contract import contract_of

FIXTURES = Path(__file__).parents[1] / "fixtures" / "venues"
MUTATIONS = int(os.environ.get("LITEHEDGE_MUTATIONS", "30000"))
KNOWN = 1_795_000_000_500_000_000
S = "LTCUSDT"


def samples(start: str) -> list[bytes]:
    paths = sorted(FIXTURES.glob(f"bybit_{start}*.json"))
    return [path.read_bytes() for path in paths if "order_create" not in path.name]


def public() -> Callable[[bytes], object]:
    sync, fold = wire.BookSync(S, 0.01), wire.TickerFold(S)

    def use(payload: bytes) -> object:
        message = wire.public(payload)
        match message.topic.split(".")[0]:
            case "orderbook":
                return sync.take(message), sync.event(KNOWN)
            case "tickers":
                return fold.take(message, KNOWN)
            case "allLiquidation":
                return wire.liquidations(message, S, KNOWN)
            case "kline":
                return wire.closed_bars(message, "BTC", KNOWN)
            case _:
                return wire.trades(message, S, KNOWN)

    return use


def private() -> Callable[[bytes], object]:
    mirror, fold = account.AccountMirror(S), orders.Executions(S)

    def use(payload: bytes) -> object:
        message = orders.private(payload)
        match message.topic.split(".")[0]:
            case "order":
                return orders.orders_told(message, S)
            case "execution":
                return fold.take(orders.executions_told(message), hedge_mode=True)
            case _:
                return mirror.take(message), mirror.report()

    return use


def rest() -> Callable[[bytes], object]:
    sound = {
        name: orders.envelope((FIXTURES / f"bybit_rest_{name}_LTCUSDT.json").read_bytes()).result
        for name in ("instruments", "risk_limit", "fee_rate")
    }
    rights = account.KeyRights(can_trade=True, can_withdraw=False)

    def positions(result: msgspec.Raw) -> object:
        rows = account.positions_of(result)
        return account.AccountMirror(S).whole(rows, account.wallet_of(WALLET), True, rights, KNOWN)

    readers: list[Callable[[msgspec.Raw], object]] = [
        lambda r: contract_of(r, sound["risk_limit"], sound["fee_rate"], S),
        lambda r: contract_of(sound["instruments"], r, sound["fee_rate"], S),
        lambda r: contract_of(sound["instruments"], sound["risk_limit"], r, S),
        account.key_rights, account.is_isolated, account.wallet_of, positions,
        lambda r: [orders.report(row) for row in orders.order_list(r)[0]],
        lambda r: orders.Executions(S).take(orders.execution_list(r)[0], hedge_mode=False),
        lambda r: past.bars_of(r, S, "LTC"), lambda r: past.funding_of(r, S), past.interest_of,
    ]  # fmt: skip

    def use(payload: bytes) -> None:
        result = orders.envelope(payload).result
        read = 0
        for reader in readers:
            try:
                reader(result)
                read += 1
            except (BadMessage, WrongSetup):
                pass
        if not read:
            raise BadMessage("nobody can read it")

    return use


WALLET = orders.envelope((FIXTURES / "bybit_rest_wallet_balance.json").read_bytes()).result
PARSERS = {
    "public": (
        public, ["ws_orderbook", "ws_tickers", "ws_publicTrade", "ws_allLiq", "ws_kline"], 0.5
    ),
    "private": (private, ["ws_order_", "ws_execution", "ws_position", "ws_wallet"], 0.35),
    "rest": (rest, ["rest_"], 0.15),
}  # fmt: skip


@pytest.mark.parametrize("kind", PARSERS)
def test_broken_messages_raise_bad_message_and_nothing_else(kind: str) -> None:
    make, starts, part = PARSERS[kind]
    whole = [sample for start in starts for sample in samples(start)]
    assert whole
    use = make()
    for sample in whole:
        use(sample)  # each is sound
    longest, bad = 0, 0
    for payload in mutated(whole, int(MUTATIONS * part), seed=20):
        try:
            use(payload)
        except BadMessage as error:
            bad += 1
            longest = max(longest, len(str(error)))
    assert longest < 400, "a message tells what is wrong, not all of it"
    assert bad > 0.2 * MUTATIONS * part

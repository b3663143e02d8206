"""What the chain's sources send: HogEx is nobody's coins, and nothing raises but BadMessage."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onchain_made import HOT, SOMEBODY, core_json, dumps, fixture, space_json, txid

from litehedge.errors import BadMessage
from litehedge.feeds import onchain_wire as wire
from litehedge.feeds.onchain_zmq import Drops, Notice, zmq_notice

CORE = core_json(7, [(1, 0)], [(HOT, 1.5), (SOMEBODY, 0.00000001)])
SPACE = space_json(7, [(1, 0, SOMEBODY, 2.0)], [(HOT, 1.5)])
BLOCK = {
    "hash": txid(100), "height": 5, "time": 1_777_299_900, "previousblockhash": txid(99),
    "tx": [CORE],
}  # fmt: skip
SPACE_BLOCK = {"id": txid(100), "height": 5, "timestamp": 1_777_299_900, "tx_count": 1}

READERS: list[tuple[Callable[[bytes], Any], bytes]] = [
    (wire.rpc_reply, dumps({"result": CORE, "error": None, "id": 1})),
    (wire.core_transaction, dumps(CORE)),
    (wire.core_transaction, fixture("ltc_hogex_vout_false_whale")),
    (wire.core_block, dumps(BLOCK)),
    (lambda raw: wire.core_coins(raw, 0), dumps(CORE["vout"][0])),
    (wire.core_hash, dumps(txid(1))),
    (wire.core_hashes, dumps([txid(1)])),
    (wire.space_transaction, dumps(SPACE)),
    (wire.space_transactions, dumps([SPACE])),
    (wire.space_blocks, dumps([SPACE_BLOCK])),
    (wire.space_recent, dumps([{"txid": txid(1), "fee": 1, "vsize": 1, "value": 5}])),
    (wire.space_push, fixture("ltcspace_ws_transactions_push")),
    (wire.space_push, dumps({"block": SPACE_BLOCK})),
]


# --- laws -------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(len(READERS)))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_mutated_message_raises_only_bad_message(k: int, data: st.DataObject) -> None:
    read, payload = READERS[k]
    read(payload)
    at = data.draw(st.integers(0, len(payload)))
    gone = data.draw(st.integers(0, 12))
    new = data.draw(
        st.binary(max_size=8)
        | st.sampled_from([b"null", b"-1", b"1e400", b"NaN", b'"NaN"', b"[" * 5000, b"9" * 400])
    )
    with contextlib.suppress(BadMessage):
        read(payload[:at] + new + payload[at + gone :])


@given(st.binary(max_size=200))
def test_bytes_raise_only_bad_message(payload: bytes) -> None:
    for read, _ in READERS:
        with contextlib.suppress(BadMessage):
            read(payload)


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_parts_raise_only_bad_message(parts: list[bytes]) -> None:
    for candidate in (parts, [b"sequence", *parts], [b"hashtx", *parts]):
        with contextlib.suppress(BadMessage):
            zmq_notice(candidate)


@given(st.integers(0, 84_000_000 * 10**8))
def test_coins_are_exact(litoshi: int) -> None:
    value = f"{litoshi // 10**8}.{litoshi % 10**8:08d}"
    text = json.dumps(CORE).replace("1.5", value)
    assert wire.core_transaction(text.encode()).outputs[0].litoshi == litoshi


# --- examples ---------------------------------------------------------------------------------


def test_the_hogex_holds_nothing_that_moved() -> None:
    tx = wire.core_transaction(fixture("ltc_hogex_vout_false_whale"))
    assert tx.is_hogex
    assert tx.moved_litoshi == 0
    assert tx.outputs[0].litoshi == 11_347_466_120_062


def test_an_explorer_that_knows_no_mweb_shows_the_hogex_by_its_script() -> None:
    got = space_json(7, [(1, 0, "", 3.0)], [("", 113_474.0), (HOT, 2.0)])
    got["vout"][0] |= {"scriptpubkey": "5820" + "ab" * 32, "scriptpubkey_type": "unknown"}
    tx = wire.space_transaction(dumps(got))
    assert tx.is_hogex
    assert tx.moved_litoshi == 2 * wire.LITOSHI, "the peg-out is real"


def test_parts_inside_the_extension_block_are_no_coins() -> None:
    got = core_json(7, [(1, 0)], [(HOT, 1.0)])
    got["vin"].append({"ismweb": True, "output_id": "ab" * 32})
    got["vout"].append({"ismweb": True, "output_id": "cd" * 32})
    tx = wire.core_transaction(dumps(got))
    assert (len(tx.spends), len(tx.outputs)) == (1, 1)


def test_newer_nodes_tell_one_address_and_what_inputs_held() -> None:
    got = core_json(7, [(1, 3)], [(HOT, 1.0)])
    got["vout"][0]["scriptPubKey"] = {"type": "witness_v0_keyhash", "address": SOMEBODY}
    got["vin"][0]["prevout"] = {"value": 1.1, "scriptPubKey": {"address": HOT}}
    tx = wire.core_transaction(dumps(got))
    assert tx.outputs[0].address == SOMEBODY
    assert tx.spends[0].output == wire.Output(3, HOT, 110_000_000)


def test_coins_of_many_owners_have_no_address() -> None:
    got = core_json(7, [(1, 0)], [(HOT, 1.0)], addresses=[HOT, SOMEBODY])
    assert wire.core_transaction(dumps(got)).outputs[0].address == ""


def test_a_coinbase_spends_nothing() -> None:
    got = core_json(7, [], [(HOT, 6.25)])
    got["vin"] = [{"coinbase": "03", "sequence": 1}]
    assert wire.core_transaction(dumps(got)).spends == ()


@pytest.mark.parametrize("value", ["-1", "84000001", '"NaN"', "1e400", '"Infinity"'])
def test_coins_that_cannot_be_are_refused(value: str) -> None:
    with pytest.raises(BadMessage):
        wire.core_transaction(json.dumps(CORE).replace("1.5", value).encode())


def test_a_node_that_refuses_says_why() -> None:
    got = wire.rpc_reply(b'{"result":null,"error":{"code":-5,"message":"No such"},"id":1}')
    assert (got.code, got.message) == (-5, "No such")


def sequence(label: bytes, count: int, mempool: int | None = None) -> list[bytes]:
    more = b"" if mempool is None else mempool.to_bytes(8, "little")
    return [b"sequence", bytes(range(32)) + label + more, count.to_bytes(4, "little")]


def test_zmq_notices() -> None:
    of = bytes(range(32)).hex()
    assert zmq_notice(sequence(b"A", 258, 7)) == Notice("sequence", "tx", of, 258, 7)
    assert zmq_notice(sequence(b"R", 1, 7)).happened == "removed"
    assert zmq_notice(sequence(b"C", 2)).happened == "block"
    assert zmq_notice(sequence(b"D", 3)).happened == "unblocked"
    assert zmq_notice([b"hashblock", bytes(32), bytes(4)]).happened == "block"
    for wrong in (sequence(b"A", 1), sequence(b"X", 1), [b"rawtx", b"00", bytes(4)]):
        with pytest.raises(BadMessage):
            zmq_notice(wrong)


def test_dropped_notices_are_counted_by_topic() -> None:
    drops = Drops()
    counts = [5, 6, 9, 10, 2**32 - 1, 0, 1, 0, 3]
    missed = [drops.missed(Notice("hashtx", "tx", "", count)) for count in counts]
    assert missed[:4] == [0, 0, 2, 0]
    assert missed[4] >= 1, "so far ahead is a count that went back"
    assert missed[5:] == [0, 0, 1, 2], "round the end; then a node that started again"
    assert drops.missed(Notice("hashblock", "block", "", 50)) == 0

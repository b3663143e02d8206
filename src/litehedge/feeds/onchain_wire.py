"""Litecoin's chain as nodes and explorers tell it: bytes in, transactions out. No I/O.

Two forms are read: JSON of Litecoin Core's RPC (``getrawtransaction true``, ``getblock 2``), and
JSON of litecoinspace.org, a fork of mempool (API.md of Esplora). The node decodes; raw
transactions are never parsed here, since the extension block (MWEB) breaks every parser made for
Bitcoin.

The last transaction of nearly every block, the HogEx, carries the whole balance of the extension
block in its first output: more than 100,000 LTC that nobody moved. That output is marked
`is_balance` and means nothing. Its other outputs are peg-outs, and real.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec

from litehedge.errors import BadMessage

LITOSHI: Final = 100_000_000
"""In one LTC."""
MOST_LITOSHI: Final = 84_000_000 * LITOSHI
"""More there will never be."""

_HOGEX_TYPE: Final = "witness_mweb_hogaddr"
_HOGEX_SCRIPT: Final = "5820"
"""Witness version 8, 32 bytes: how an explorer shows it that knows nothing of MWEB."""
_HASH: Final = r"\A[0-9a-f]{64}\Z"

Hash = Annotated[str, msgspec.Meta(pattern=_HASH)]
Litoshi = Annotated[int, msgspec.Meta(ge=0, le=MOST_LITOSHI)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**32)]
Second = Annotated[int, msgspec.Meta(ge=0, le=2**33)]

# --- what is told -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Output:
    """Coins that were sent: to whom ("" where that cannot be said), and how many."""

    n: int
    address: str
    litoshi: int
    is_balance: bool = False
    """The balance of the extension block: nobody moved it."""


@dataclass(frozen=True, slots=True)
class Spend:
    """An input: the output that it spends, None where the source does not say what that held."""

    txid: str
    n: int
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction of the chain. Coinbase and inputs out of the extension block are no spends."""

    txid: str
    spends: tuple[Spend, ...]
    outputs: tuple[Output, ...]

    @property
    def is_hogex(self) -> bool:
        """Whether it carries the balance of the extension block."""
        return any(output.is_balance for output in self.outputs)

    @property
    def moved_litoshi(self) -> int:
        """What its outputs hold, the balance of the extension block left out."""
        return sum(output.litoshi for output in self.outputs if not output.is_balance)

    def resolved(self, held: Mapping[tuple[str, int], Output]) -> Transaction:
        """Return it with what its inputs held, where that is given."""
        spends = tuple(
            s if s.output is not None else replace(s, output=held.get((s.txid, s.n)))
            for s in self.spends
        )
        return replace(self, spends=spends)


@dataclass(frozen=True, slots=True)
class Block:
    """A block; `time_s` is what its miner wrote, seconds since 1970."""

    block_hash: str
    previous: str
    height: int
    time_s: int
    transactions: tuple[Transaction, ...] = ()
    count: int = 0
    """How many transactions it has, told or not."""


@dataclass(frozen=True, slots=True)
class Recent:
    """A transaction of which only the sum of its outputs is told."""

    txid: str
    litoshi: int


# --- Litecoin Core ----------------------------------------------------------------------------


class _Script(msgspec.Struct):
    type: str = ""
    address: str = ""
    addresses: list[str] = []


class _CoreCoins(msgspec.Struct):
    value: Decimal | None = None
    script: _Script = msgspec.field(name="scriptPubKey", default_factory=_Script)
    n: Count = 0
    ismweb: bool = False


class _CoreIn(msgspec.Struct):
    txid: Hash | None = None
    vout: Count | None = None
    prevout: _CoreCoins | None = None
    ismweb: bool = False


class _CoreTx(msgspec.Struct):
    txid: Hash
    vin: list[_CoreIn]
    vout: list[_CoreCoins]


class _CoreBlock(msgspec.Struct):
    hash: Hash
    height: Count
    time: Second
    tx: list[_CoreTx]
    previousblockhash: Hash = "0" * 64


class _RpcError(msgspec.Struct):
    code: int
    message: str


class _Reply(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _RpcError | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a node answered: JSON of the result, or the code and words of its error."""

    result: bytes = b"null"
    code: int | None = None
    message: str = ""


_REPLY = msgspec.json.Decoder(_Reply)
_CORE_TX = msgspec.json.Decoder(_CoreTx)
_CORE_BLOCK = msgspec.json.Decoder(_CoreBlock)
_CORE_COINS = msgspec.json.Decoder(_CoreCoins | None)
_ONE_HASH = msgspec.json.Decoder(Hash)
_HASHES = msgspec.json.Decoder(list[Hash])


def _read(decoder: Any, payload: bytes, what: str) -> Any:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        raise BadMessage(f"not {what} ({error})", "it is skipped") from None


def rpc_reply(payload: bytes) -> Reply:
    """Read the envelope of an RPC answer.

    Raises
    ------
    BadMessage
        When it is none. So do all functions below.
    """
    reply = _read(_REPLY, payload, "an answer of a node")
    if reply.error is not None:
        return Reply(code=reply.error.code, message=reply.error.message[:200])
    return Reply(result=bytes(reply.result))


def core_hash(payload: bytes) -> str:
    """Read one hash (`getbestblockhash`)."""
    return str(_read(_ONE_HASH, payload, "a hash"))


def core_hashes(payload: bytes) -> list[str]:
    """Read a list of hashes (`getrawmempool`)."""
    return list(_read(_HASHES, payload, "a list of hashes"))


def core_transaction(payload: bytes) -> Transaction:
    """Read the result of `getrawtransaction txid true`."""
    return _core_transaction(_read(_CORE_TX, payload, "a transaction"))


def core_block(payload: bytes) -> Block:
    """Read the result of `getblock hash 2` (or 3, which adds what inputs held)."""
    got = _read(_CORE_BLOCK, payload, "a block")
    transactions = tuple(_core_transaction(tx) for tx in got.tx)
    return Block(
        got.hash, got.previousblockhash, got.height, got.time, transactions, len(transactions)
    )


def core_coins(payload: bytes, n: int) -> Output | None:
    """Read the result of `gettxout`; None when the output is spent or unknown."""
    got = _read(_CORE_COINS, payload, "an output")
    return None if got is None or got.value is None else _core_output(got, n)


def _core_transaction(got: _CoreTx) -> Transaction:
    spends = tuple(
        Spend(
            i.txid, i.vout,
            None if i.prevout is None or i.prevout.value is None
            else _core_output(i.prevout, i.vout),
        )
        for i in got.vin
        if i.txid is not None and i.vout is not None and not i.ismweb
    )  # fmt: skip
    outputs = tuple(_core_output(o, o.n) for o in got.vout if o.value is not None and not o.ismweb)
    return Transaction(got.txid, spends, outputs)


def _core_output(got: _CoreCoins, n: int) -> Output:
    """Litecoin Core up to 0.21 lists addresses, later ones tell one."""
    script = got.script
    address = script.address or (script.addresses[0] if len(script.addresses) == 1 else "")
    is_balance = script.type == _HOGEX_TYPE
    return Output(n, "" if is_balance else address, _litoshi(got.value), is_balance)


def _litoshi(value: Decimal | None) -> int:
    if value is None or not value.is_finite() or not 0 <= value <= MOST_LITOSHI // LITOSHI:
        raise BadMessage(f"an output of {value} LTC", "it is skipped")
    return int(value * LITOSHI)


# --- litecoinspace.org ------------------------------------------------------------------------


class _SpaceCoins(msgspec.Struct):
    value: Litoshi
    scriptpubkey: str = ""
    scriptpubkey_type: str = ""
    scriptpubkey_address: str = ""


class _SpaceIn(msgspec.Struct):
    txid: Hash
    vout: Count
    prevout: _SpaceCoins | None = None
    is_coinbase: bool = False


class _SpaceTx(msgspec.Struct):
    txid: Hash
    vin: list[_SpaceIn]
    vout: list[_SpaceCoins]


class _SpaceBlock(msgspec.Struct):
    id: Hash
    height: Count
    timestamp: Second
    tx_count: Count = 0
    previousblockhash: Hash | None = None


class _SpaceRecent(msgspec.Struct):
    txid: Hash
    value: Litoshi


class _SpacePush(msgspec.Struct):
    transactions: list[_SpaceRecent] = []
    block: _SpaceBlock | None = None


_SPACE_TX = msgspec.json.Decoder(_SpaceTx)
_SPACE_TXS = msgspec.json.Decoder(list[_SpaceTx])
_SPACE_BLOCKS = msgspec.json.Decoder(list[_SpaceBlock])
_SPACE_RECENT = msgspec.json.Decoder(list[_SpaceRecent])
_SPACE_PUSH = msgspec.json.Decoder(_SpacePush)


def space_transaction(payload: bytes) -> Transaction:
    """Read the answer of `/tx/:txid`."""
    return _space_transaction(_read(_SPACE_TX, payload, "a transaction"))


def space_transactions(payload: bytes) -> list[Transaction]:
    """Read the answer of `/block/:hash/txs/:start`: at most 25 transactions."""
    return [_space_transaction(tx) for tx in _read(_SPACE_TXS, payload, "transactions")]


def space_blocks(payload: bytes) -> list[Block]:
    """Read the answer of `/v1/blocks`, oldest first; transactions are not in it."""
    got = _read(_SPACE_BLOCKS, payload, "a list of blocks")
    return sorted((_space_block(b) for b in got), key=lambda block: block.height)


def space_recent(payload: bytes) -> list[Recent]:
    """Read the answer of `/mempool/recent`: the last ten transactions."""
    return [Recent(r.txid, r.value) for r in _read(_SPACE_RECENT, payload, "recent transactions")]


def space_push(payload: bytes) -> tuple[list[Recent], Block | None]:
    """Read a message of the websocket: transactions that it tells, and a new block, if any."""
    got = _read(_SPACE_PUSH, payload, "a message of the explorer")
    recent = [Recent(r.txid, r.value) for r in got.transactions]
    return recent, None if got.block is None else _space_block(got.block)


def _space_transaction(got: _SpaceTx) -> Transaction:
    spends = tuple(
        Spend(i.txid, i.vout, None if i.prevout is None else _space_output(i.prevout, i.vout))
        for i in got.vin
        if not i.is_coinbase
    )
    return Transaction(got.txid, spends, tuple(_space_output(o, n) for n, o in enumerate(got.vout)))


def _space_output(got: _SpaceCoins, n: int) -> Output:
    script = got.scriptpubkey.lower()
    is_balance = got.scriptpubkey_type == _HOGEX_TYPE or (
        script.startswith(_HOGEX_SCRIPT) and len(script) == 68
    )
    return Output(n, "" if is_balance else got.scriptpubkey_address, got.value, is_balance)


def _space_block(got: _SpaceBlock) -> Block:
    previous = got.previousblockhash or "0" * 64
    return Block(got.id, previous, got.height, got.timestamp, (), got.tx_count)

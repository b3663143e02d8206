"""The life of a transfer of margin between two venues, as a table; ids are deterministic.

As with orders: journaled before it is on the wire, asked about when its outcome is unknown, never
sent again blindly.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from math import isfinite
from typing import Final

import msgspec

from litehedge.errors import OrderProtocolError
from litehedge.market import events as ev


class TransferState(enum.StrEnum):
    """Where a transfer is in its life."""

    INTENDED = "intended"  # in the journal, not known to the venue
    SENT = "sent"
    UNKNOWN = "unknown"  # asked for, outcome not known: query before anything else
    ARRIVED = "arrived"
    REJECTED = "rejected"


class MarginTransfer(msgspec.Struct, frozen=True):
    """Money that leaves the venue of one leg for that of leg `target`; the amount is exact."""

    transfer_id: str
    target: int
    amount_usdt: Decimal
    decided_ns: int
    state: TransferState = TransferState.INTENDED

    @property
    def is_open(self) -> bool:
        """Whether the money may still arrive."""
        return self.state not in (TransferState.ARRIVED, TransferState.REJECTED)


_S = TransferState
_BEFORE_SENT: Final = (_S.INTENDED, _S.UNKNOWN)
TRANSITIONS: Final[dict[tuple[TransferState, type[ev.Event]], TransferState]] = {
    (_S.INTENDED, ev.TransferUnknown): _S.UNKNOWN,
    **{(state, ev.TransferSent): _S.SENT for state in (*_BEFORE_SENT, _S.SENT)},
    # An arrival may overtake the word that it was sent. A venue may take a withdrawal and then
    # not make it.
    **{(state, ev.TransferArrived): _S.ARRIVED for state in (*_BEFORE_SENT, _S.SENT)},
    **{(state, ev.TransferRejected): _S.REJECTED for state in (*_BEFORE_SENT, _S.SENT)},
}

TransferEvent = ev.TransferSent | ev.TransferArrived | ev.TransferRejected | ev.TransferUnknown


def is_of(session: str, transfer_id: str) -> bool:
    """Tell whether a transfer is one of this session's."""
    return transfer_id.startswith(f"lh-{session}-t")


def new_transfer(
    session: str, number: int, target: int, amount_usdt: float, decided_ns: int
) -> MarginTransfer:
    """Build the transfer number `number` of a session; the amount lies on whole cents."""
    amount = Decimal(repr(amount_usdt)).quantize(Decimal("0.01"))
    return MarginTransfer(f"lh-{session}-t{number:06d}", target, amount, decided_ns)


def advance(transfer: MarginTransfer, event: TransferEvent) -> MarginTransfer:
    """Return the transfer after the venue said `event`.

    Raises
    ------
    OrderProtocolError
        When its state does not allow the event, or more arrived than was sent.
    """
    after = TRANSITIONS.get((transfer.state, type(event)))
    if after is None:
        raise OrderProtocolError(
            f"transfer {transfer.transfer_id} is {transfer.state} and was told "
            f"{type(event).__name__}",
            "trading halts; compare both venues' wallets with the journal",
        )
    if isinstance(event, ev.TransferArrived):
        came = event.amount_usdt
        if not (isfinite(came) and 0.0 < came <= float(transfer.amount_usdt)):
            raise OrderProtocolError(
                f"transfer {transfer.transfer_id} of {transfer.amount_usdt} USDT arrived as {came}",
                "trading halts; compare both venues' wallets with the journal",
            )
    return msgspec.structs.replace(transfer, state=after)

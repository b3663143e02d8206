"""What a run of a journal was started with, and how headers of earlier versions are read."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from litehedge.margin.tiers import TierTable

FORMAT: Final = 1
_GONE: Final = ("store", "model.expiry_days")  # settings that earlier versions had


class Tiers(msgspec.Struct, frozen=True):
    """The maintenance tiers of a run: see `margin.tiers.TierTable`."""

    venue: str
    symbol: str
    version: str
    source: str
    clearance_fee: float
    cap_usdt: float
    rows: list[list[float]]

    @classmethod
    def of(cls, table: TierTable) -> Tiers:
        """Return a table as it is written down."""
        return cls(
            table.venue, table.symbol, table.version, table.source, table.clearance_fee,
            table.cap_usdt, table.rows.tolist(),
        )  # fmt: skip

    @property
    def table(self) -> TierTable:
        """The table that was written down."""
        return TierTable(
            self.venue, self.symbol, self.version, self.source, self.clearance_fee, self.cap_usdt,
            np.array(self.rows, dtype=np.float64),
        )  # fmt: skip


class Header(msgspec.Struct, frozen=True):
    """What a run was started with: everything a replay needs besides the events."""

    litehedge: str
    created: str
    mode: str
    settings: dict[str, Any]
    policy: str
    free_ratio: float
    model_id: str
    model_folder: str
    session: str
    atom_ns: int
    per_frame: int
    held_every_ns: int
    trading_state: int
    data: str
    rules: str = ""  # the user's, as TOML
    format: int = FORMAT
    policy_id: str = ""  # of a network policy
    keeps_checkpoints: bool = False
    checkpoint: bytes = b""  # where it took up an earlier run: see `encode_effect`
    needs_reconciling: bool = False
    tiers: Tiers | None = None  # as the venue told them; None: those of the package
    looks_between: bool = False  # whether guards looked at the account between two frames


def read_header(payload: bytes) -> Header:
    """Read a header of this version or an earlier one.

    Raises
    ------
    msgspec.DecodeError
        When it is none.
    """
    header = msgspec.json.decode(payload, type=Header)
    for path in _GONE:
        *parents, leaf = path.split(".")
        tree: Any = header.settings
        for name in parents:
            tree = tree.get(name) if isinstance(tree, dict) else None
        if isinstance(tree, dict):
            tree.pop(leaf, None)
    return header

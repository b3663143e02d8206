"""Which Litecoin addresses belong to an exchange: a file that people edit.

No kept list of them is public, so what ships is small and says of itself that it is not verified.
A mistyped address would never match anything; its checksum tells.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from litehedge.errors import DataError

SHIPPED: Final = Path(__file__).with_name("exchange_tags.csv")
LEAST_CONFIDENCE: Final = 0.3
COLUMNS: Final = ["address", "exchange", "confidence"]

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_HRPS: Final = ("ltc", "tltc", "rltc")
_OLD_P2SH, _P2SH = 5, 50


@dataclass(frozen=True, slots=True)
class ExchangeTag:
    """Whose address it is, and how sure that is, 0 to 1."""

    exchange: str
    confidence: float


ExchangeTags = Mapping[str, ExchangeTag]
"""Address -> tag."""


def read_tags(path: Path = SHIPPED, least_confidence: float = LEAST_CONFIDENCE) -> ExchangeTags:
    """Read a file of tags.

    Raises
    ------
    DataError
        When the file cannot be read, or a line is wrong; all wrong lines are named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}", "give a file of tags that can be read") from None
    return parse_tags(text, str(path), least_confidence)


def parse_tags(
    text: str, where: str = "tags", least_confidence: float = LEAST_CONFIDENCE
) -> ExchangeTags:
    """Return the tags of a CSV text (address,exchange,confidence) that are sure enough.

    Raises
    ------
    DataError
        When a line is wrong; all wrong lines are named.
    """
    tags: dict[str, ExchangeTag] = {}
    wrong: list[str] = []
    header: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        cells = [cell.strip() for cell in next(csv.reader([line]), [])]
        if header is None:
            header = cells
            if header != COLUMNS:
                raise DataError(
                    f"{where}: the first line is {','.join(cells)[:80]!r}",
                    f"it must be {','.join(COLUMNS)}",
                )
            continue
        try:
            address, tag = _tag(cells)
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
            continue
        if address in tags and tags[address].exchange != tag.exchange:
            wrong.append(f"line {number}: {address} is also {tags[address].exchange}'s")
        tags[address] = tag
    if wrong:
        raise DataError(f"{where}: {'; '.join(wrong)}", "mend these lines or take them out")
    return {a: tag for a, tag in tags.items() if tag.confidence >= least_confidence}


def _tag(cells: list[str]) -> tuple[str, ExchangeTag]:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{len(cells)} cells, not {len(COLUMNS)}")
    address, exchange, sure = cells
    if not exchange:
        raise ValueError("no exchange")
    try:
        confidence = float(sure)
    except ValueError:
        raise ValueError(f"confidence {sure!r} is no number") from None
    if not 0.0 <= confidence <= 1.0:
        raise ValueError(f"confidence {sure} is not between 0 and 1")
    return usual_address(address), ExchangeTag(exchange.lower(), confidence)


def usual_address(address: str) -> str:
    """Return an address as nodes write it: M for 3, small letters for bech32.

    Raises
    ------
    ValueError
        When it is no Litecoin address; the checksum is looked at.
    """
    low = address.lower()
    if low.split("1", 1)[0] in _HRPS:
        if address not in (low, address.upper()) or not _bech32_holds(low):
            raise ValueError(f"{address} is no Litecoin address (checksum)")
        return low
    payload = _base58_payload(address)
    if payload is None:
        raise ValueError(f"{address} is no Litecoin address (checksum)")
    if payload[0] == _OLD_P2SH:
        return _base58(bytes([_P2SH]) + payload[1:])
    return address


def _check(payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]


def _base58_payload(address: str) -> bytes | None:
    """Return version and hash of a base58 address, None when its checksum fails."""
    if not 26 <= len(address) <= 36 or any(c not in _BASE58 for c in address):
        return None
    number = 0
    for c in address:
        number = number * 58 + _BASE58.index(c)
    if number.bit_length() > 25 * 8:
        return None
    whole = number.to_bytes(25, "big")
    return whole[:-4] if _check(whole[:-4]) == whole[-4:] else None


def _base58(payload: bytes) -> str:
    number = int.from_bytes(payload + _check(payload), "big")
    out = ""
    while number:
        number, digit = divmod(number, 58)
        out = _BASE58[digit] + out
    return out


def _bech32_holds(address: str) -> bool:
    """Tell whether the checksum of a bech32 (BIP 173) or bech32m (BIP 350) address holds."""
    hrp, _, data = address.partition("1")
    if len(data) < 8 or len(address) > 90 or any(c not in _BECH32 for c in data):
        return False
    values = [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]
    values += [_BECH32.index(c) for c in data]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                check ^= factor
    return check in (1, 0x2BC830A3)

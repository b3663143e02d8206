"""Our client ids in the spelling of each venue: the same id always becomes the same, and back.

An order whose outcome is unknown is asked for by its id, perhaps after a restart, so nothing may
depend on memory. Venues allow 32 letters and digits (OKX), 128 bits (Hyperliquid), 28 characters
after `t-` (Gate). An id that does not fit becomes a hash: that is found, but cannot be read back.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal

_OURS: Final = re.compile(r"lh-(?P<session>.+)-(?P<number>\d{6,10})")
_HASHED: Final = "xh"
_HASHED_BYTE: Final = 0xFF
_PACKED_SESSION: Final = 11  # of 16 bytes: one for the length, four for the number


@dataclass(frozen=True, slots=True)
class IdRule:
    """What a venue takes: `plain` of an alphabet, `letters` and digits only, or a `hex` number."""

    style: Literal["plain", "letters", "hex"] = "plain"
    longest: int = 36
    prefix: str = ""
    allowed: str = r"[0-9A-Za-z_-]+"


def to_venue(rule: IdRule, client_id: str) -> str:
    """Return the venue's spelling of one of our ids."""
    if rule.style == "hex":
        return "0x" + _packed(client_id).hex()
    body = _escaped(client_id) if rule.style == "letters" else client_id
    fits = len(body) <= rule.longest and not body.startswith(_HASHED)
    if not fits or not re.fullmatch(rule.allowed, body):
        body = _HASHED + hashlib.sha256(client_id.encode()).hexdigest()[: rule.longest - 2]
    return rule.prefix + body


def from_venue(rule: IdRule, venue_id: str) -> str | None:
    """Return our id of a venue's spelling; None for what is not ours, or was hashed."""
    if rule.style == "hex":
        return _unpacked(venue_id)
    if not venue_id.startswith(rule.prefix):
        return None
    body = venue_id[len(rule.prefix) :]
    ours = _unescaped(body) if rule.style == "letters" else body
    if ours is None or ours.startswith(_HASHED) or not ours.startswith("lh-"):
        return None
    return ours if to_venue(rule, ours) == venue_id else None


def is_hashed(rule: IdRule, venue_id: str) -> bool:
    """Tell whether a venue's spelling is that of an id of ours which cannot be read back."""
    if rule.style == "hex":
        return re.fullmatch(r"0x[fF]{2}[0-9a-fA-F]{30}", venue_id) is not None
    return venue_id.startswith(rule.prefix + _HASHED)


def _escaped(text: str) -> str:
    """Letters and digits stay; `-` becomes `Z`, every other byte (and z, Z) `z` and two digits."""
    out = []
    for char in text:
        if char == "-":
            out.append("Z")
        elif char.isascii() and char.isalnum() and char not in "zZ":
            out.append(char)
        else:
            out += [f"z{byte:02x}" for byte in char.encode()]
    return "".join(out)


def _unescaped(text: str) -> str | None:
    out = bytearray()
    at = 0
    while at < len(text):
        if text[at] == "z":
            try:
                out.append(int(text[at + 1 : at + 3], 16))
            except ValueError:
                return None
            at += 3
            continue
        out += b"-" if text[at] == "Z" else text[at].encode()
        at += 1
    try:
        return out.decode()
    except UnicodeDecodeError:
        return None


def _packed(client_id: str) -> bytes:
    ours = _OURS.fullmatch(client_id)
    if ours is not None:
        session, number = ours["session"].encode(), int(ours["number"])
        same = f"lh-{ours['session']}-{number:06d}" == client_id
        if same and len(session) <= _PACKED_SESSION and number < 2**32:
            packed = bytes([len(session)]) + number.to_bytes(4) + session
            return packed.ljust(16, b"\0")
    return bytes([_HASHED_BYTE]) + hashlib.sha256(client_id.encode()).digest()[:15]


def _unpacked(venue_id: str) -> str | None:
    try:
        packed = bytes.fromhex(venue_id.removeprefix("0x"))
    except ValueError:
        return None
    if len(packed) != 16 or packed[0] > _PACKED_SESSION:
        return None
    length = packed[0]
    try:
        session = packed[5 : 5 + length].decode()
    except UnicodeDecodeError:
        return None
    ours = f"lh-{session}-{int.from_bytes(packed[1:5]):06d}"
    return ours if _packed(ours) == packed else None

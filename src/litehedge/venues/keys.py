"""API keys: from the environment or the system's keyring, never from a file of ours, never shown.

``LITEHEDGE_BINANCE_KEY`` and ``LITEHEDGE_BINANCE_SECRET`` (and ``_PASSPHRASE`` where a venue has
one) come before what the keyring holds under the service ``litehedge``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import keyring
from keyring.errors import KeyringError

from litehedge.errors import WrongSetup

SERVICE: Final = "litehedge"
PARTS: Final = ("key", "secret", "passphrase")
WITH_PASSPHRASE: Final = frozenset({"okx", "bitget", "kucoin"})
ALERTS: Final = "alerts"
"""No venue: where alerts go, as apprise's URLs, which hold tokens and passwords."""
WITHOUT_SECRET: Final = frozenset({"lunarcrush", "cryptopanic", "coinalyze", ALERTS})
"""What has one part alone: servers that tell us something, and where alerts go."""


class Keys:
    """What signs requests. Its text never shows the secret, and only the key's last letters.

    Hyperliquid has no keys: there `key` is the wallet's address, `secret` the private key.
    """

    __slots__ = ("key", "passphrase", "secret", "venue")

    def __init__(self, venue: str, key: str, secret: str = "", passphrase: str = "") -> None:
        self.venue = venue
        self.key = key
        self.secret = secret
        self.passphrase = passphrase

    def __repr__(self) -> str:
        shown = len(self.key) >= 12 and self.venue != ALERTS
        return f"Keys({self.venue}, …{self.key[-4:] if shown else ''})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("keys are not written anywhere")


def variable(venue: str, part: str) -> str:
    """Return the name of the environment variable of one part of a venue's keys."""
    return "LITEHEDGE_ALERTS" if venue == ALERTS else f"LITEHEDGE_{venue.upper()}_{part.upper()}"


def parts_of(venue: str) -> tuple[str, ...]:
    """Return what makes up the keys of a venue."""
    if venue in WITHOUT_SECRET:
        return PARTS[:1]
    return PARTS if venue in WITH_PASSPHRASE else PARTS[:2]


def find_keys(venue: str, environ: Mapping[str, str]) -> Keys:
    """Return a venue's keys from the environment, else from the keyring.

    Raises
    ------
    WrongSetup
        When a part is missing, or the keyring cannot be read.
    """
    found = {part: environ.get(variable(venue, part), "").strip() for part in parts_of(venue)}
    missing = [part for part, value in found.items() if not value]
    if missing:
        found |= {part: _from_keyring(venue, part) for part in missing}
        missing = [part for part, value in found.items() if not value]
    if missing:
        names = " and ".join(variable(venue, part) for part in missing)
        raise WrongSetup(
            f"there are no API keys for {venue}",
            f"run: litehedge keys set {venue}, or set {names}; nothing was started",
        )
    return Keys(venue, **found)


def part_or_none(name: str, part: str, environ: Mapping[str, str]) -> str:
    """Return a key that may be missing: from the environment, else the keyring, else empty."""
    return environ.get(variable(name, part), "").strip() or _from_keyring(name, part)


def store_keys(keys: Keys) -> None:
    """Put a venue's keys into the keyring.

    Raises
    ------
    WrongSetup
        When this machine has no keyring.
    """
    try:
        for part in parts_of(keys.venue):
            keyring.set_password(SERVICE, f"{keys.venue}.{part}", getattr(keys, part))
    except KeyringError as error:
        raise _no_keyring(keys.venue, error) from None


def forget_keys(venue: str) -> bool:
    """Remove a venue's keys from the keyring; return whether there were any."""
    removed = False
    try:
        for part in PARTS:
            if keyring.get_password(SERVICE, f"{venue}.{part}") is not None:
                keyring.delete_password(SERVICE, f"{venue}.{part}")
                removed = True
    except KeyringError as error:
        raise _no_keyring(venue, error) from None
    return removed


def _from_keyring(venue: str, part: str) -> str:
    try:
        return (keyring.get_password(SERVICE, f"{venue}.{part}") or "").strip()
    except KeyringError:
        return ""  # none on this machine: the environment is the only place


def _no_keyring(venue: str, error: KeyringError) -> WrongSetup:
    names = " and ".join(variable(venue, part) for part in parts_of(venue))
    return WrongSetup(
        f"this machine's keyring cannot be used ({type(error).__name__})",
        f"set {names} in the environment instead",
    )

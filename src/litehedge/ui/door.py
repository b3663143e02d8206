"""Who may come in: one-time link, passphrase, sessions, devices, tokens of the API.

How long a session lasts is a choice between two harms. A stolen cookie should die soon; a phone
that is taken up at three in the morning must show HALT and no login. So a session ends after a
week in which nobody used it, and after 30 days in any case; it ends at once everywhere by "log out
everywhere". What raises risk asks for a typed word besides.

Guessing a passphrase is slowed for each address. A device that logged in before has a count of its
own, so that a stranger who guesses through the same tunnel cannot keep its owner out.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from litehedge.errors import DataError, UsageError
from litehedge.ui.rates import Patience
from litehedge.ui.vault import Kept, Scope, Secrets, Token, Vault
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE

log = logging.getLogger("litehedge.ui")

IDLE_NS: Final = 7 * NS_PER_DAY
LASTS_NS: Final = 30 * NS_PER_DAY
DEVICE_NS: Final = 400 * NS_PER_DAY
LINK_NS: Final = 10 * NS_PER_MINUTE
TOUCH_NS: Final = 5 * NS_PER_MINUTE
"""A session's last use is on disk to within so much."""
SESSIONS: Final = 50
DEVICES: Final = 20
SHORTEST: Final = 12
LONGEST: Final = 256
TOKEN_PREFIX: Final = "lh_"


class Refused(UsageError):
    """Somebody was not let in; `wait_s` is for how long another attempt is not looked at."""

    def __init__(self, what: str, remedy: str = "", *, wait_s: float = 0.0) -> None:
        super().__init__(what, remedy)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks: a person with a session, or a program with a token.

    `csrf` is what the forms of this session carry, "" for a token.
    """

    key: str
    name: str
    scope: Scope
    csrf: str = ""

    @property
    def is_person(self) -> bool:
        """Whether it is a person's session."""
        return self.csrf != ""


class Door:
    """Lets people and programs in, or not.

    Parameters
    ----------
    folder
        ``$LITEHEDGE_HOME/ui``.
    is_demo
        The one-time link logs in without a passphrase, and none is ever asked for.
    now_ns, monotonic_s, hasher
        Clocks and the hash of passphrases; tests give their own.

    Raises
    ------
    DataError
        When what is kept cannot be read.
    """

    def __init__(
        self, folder: Path, *, is_demo: bool = False, now_ns: Callable[[], int] = time.time_ns,
        monotonic_s: Callable[[], float] = time.monotonic, hasher: PasswordHasher | None = None,
    ) -> None:  # fmt: skip
        self.is_demo = is_demo
        self._vault = Vault(folder)
        self._now_ns = now_ns
        self._monotonic_s = monotonic_s
        self._hasher = hasher or PasswordHasher()
        self._patience = Patience()
        self._one = threading.Lock()  # one hash at a time: each takes 64 MB
        self._beside = ThreadPoolExecutor(1, "door")  # who asks does not wait for a disk
        self._noted: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    # --- the one-time link --------------------------------------------------------------------

    @property
    def needs_link(self) -> bool:
        """Whether nobody can log in without a link: the first time, after a reset, in the demo."""
        return self.is_demo or not self._vault.read().passphrase

    def invite(self) -> str:
        """Return the token of a new one-time link: valid once, for ten minutes; the last counts."""
        token = secrets.token_urlsafe(32)
        until_ns = self._now_ns() + LINK_NS

        def change(kept: Secrets) -> None:
            kept.link, kept.link_until_ns = hashed(token), until_ns

        self._vault.change(change)
        return token

    def is_invited(self, token: str) -> bool:
        """Return whether a token's link may be used now."""
        return self._opens(self._vault.read(), token)

    def enter(self, token: str) -> str:
        """Use up a link in the demo. Return the cookie of a new session.

        Raises
        ------
        Refused
            When it is no demo, or the link is not valid.
        """
        if not self.is_demo:
            raise Refused("a link alone lets nobody in", "choose a passphrase")
        return self._vault.change(lambda kept: self._used(kept, token))

    def begin(self, token: str, passphrase: str) -> str:
        """Use up a link and set the passphrase; earlier sessions end. Return a session's cookie.

        Raises
        ------
        Refused
            When the link is not valid, or the passphrase is too weak. The link stays then.
        """
        if not self.is_invited(token):
            raise _stale()
        plain = _normal(passphrase)
        if (weak := weakness(plain)) is not None:
            raise Refused(weak)
        with self._one:
            made = self._hasher.hash(plain)

        def change(kept: Secrets) -> str:
            if kept.passphrase and not self.is_demo:
                raise Refused("there is a passphrase already", "log in with it")
            cookie = self._used(kept, token)
            kept.passphrase = made
            only = kept.sessions.pop(hashed(cookie))
            kept.sessions = {hashed(cookie): only}
            kept.devices.clear()
            return cookie

        return self._vault.change(change)

    # --- the passphrase -----------------------------------------------------------------------

    def login(self, passphrase: str, address: str, device: str = "") -> str:
        """Return the cookie of a new session.

        Parameters
        ----------
        address
            Whose guesses are counted: see `rates.client_of`.
        device
            The cookie of a device that logged in before, "" where there is none.

        Raises
        ------
        Refused
            When it is wrong, or too many were.
        """
        kept = self._vault.read()
        who = f"device {hashed(device)}" if self._is_known(kept, device) else address
        if wait_s := self._patience.wait_s(who, self._monotonic_s()):
            raise Refused("too many wrong passphrases", wait_s=wait_s)
        if not kept.passphrase:
            raise Refused(
                "no passphrase was chosen yet",
                "use the link that litehedge ui prints where it runs",
            )
        # Counted before it is looked at: many at once are not more than one after another.
        self._patience.failed(who, self._monotonic_s())
        plain = _normal(passphrase)
        try:
            if len(plain) > LONGEST:
                raise VerificationError
            with self._one:
                self._hasher.verify(kept.passphrase, plain)
        except (VerificationError, InvalidHashError):
            log.warning("a wrong passphrase from %s", address)
            raise Refused("that is not the passphrase") from None
        self._patience.succeeded(who)

        def change(now: Secrets) -> str:
            if now.passphrase != kept.passphrase:
                raise Refused("the passphrase was changed meanwhile", "try again")
            return self._opened(now)

        return self._vault.change(change)

    # --- sessions and devices -----------------------------------------------------------------

    def who(self, cookie: str) -> Who | None:
        """Return whose session a cookie is, and note its use; None where it is none (any more)."""
        if not 20 <= len(cookie) <= 100 or not cookie.isascii():
            return None
        key = hashed(cookie)
        try:
            kept = self._vault.read().sessions.get(key)
        except DataError as error:
            log.error("%s", error)
            return None
        if kept is None or not self._lives(key, kept):
            return None
        self._touch(key, kept)
        return Who(key, "a person", "command", form_key(cookie))

    def is_in(self, who: Who) -> bool:
        """Return whether a session or token that came in earlier still counts."""
        try:
            kept = self._vault.read()
        except DataError:
            return False
        if not who.is_person:
            return who.key in kept.tokens
        return who.key in kept.sessions and self._lives(who.key, kept.sessions[who.key])

    def leave(self, who: Who) -> None:
        """End a session."""
        self._vault.change(lambda kept: kept.sessions.pop(who.key, None))

    def leave_everywhere(self) -> None:
        """End all sessions and forget all devices; tokens of the API stay."""

        def change(kept: Secrets) -> None:
            kept.sessions.clear()
            kept.devices.clear()

        self._vault.change(change)

    def remember(self) -> str:
        """Return the cookie of a device that has just logged in."""
        cookie = secrets.token_urlsafe(32)

        def change(kept: Secrets) -> None:
            now_ns = self._now_ns()
            kept.devices[hashed(cookie)] = Kept(now_ns, now_ns)
            _newest(kept.devices, DEVICES)

        self._vault.change(change)
        return cookie

    def knows(self, device: str) -> bool:
        """Return whether a cookie is of a device that logged in before."""
        return self._is_known(self._vault.read(), device)

    # --- tokens of the API --------------------------------------------------------------------

    def make_token(self, name: str, scope: Scope) -> str:
        """Return a new token of the API. It is shown once: only its hash is kept.

        Raises
        ------
        UsageError
            When there is one of that name, or it is no name.
        """
        if not name.isprintable() or not 1 <= len(name) <= 40:
            raise UsageError(f"{name!r} is no name for a token", "use up to 40 signs")
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)

        def change(kept: Secrets) -> None:
            if any(one.name == name for one in kept.tokens.values()):
                raise UsageError(f"there is a token {name} already", "revoke it, or take a name")
            kept.tokens[hashed(token)] = Token(name, scope, self._now_ns())

        self._vault.change(change)
        return token

    def revoke_token(self, name: str) -> None:
        """Let a token count no more.

        Raises
        ------
        UsageError
            When there is none of that name.
        """

        def change(kept: Secrets) -> None:
            left = {key: one for key, one in kept.tokens.items() if one.name != name}
            if len(left) == len(kept.tokens):
                raise UsageError(f"there is no token {name}", "litehedge ui --tokens lists them")
            kept.tokens = left

        self._vault.change(change)

    def tokens(self) -> list[Token]:
        """Return the tokens by name."""
        return sorted(self._vault.read().tokens.values(), key=lambda one: one.name)

    def bearer(self, token: str) -> Who | None:
        """Return which program a token is of; None where it is none."""
        if not token.startswith(TOKEN_PREFIX) or len(token) > 100 or not token.isascii():
            return None
        key = hashed(token)
        try:
            found = self._vault.read().tokens.get(key)
        except DataError as error:
            log.error("%s", error)
            return None
        return None if found is None else Who(key, found.name, found.scope)

    # --- pieces -------------------------------------------------------------------------------

    def _opens(self, kept: Secrets, token: str) -> bool:
        return (
            kept.link != ""
            and hmac.compare_digest(kept.link, hashed(token))
            and self._now_ns() <= kept.link_until_ns
        )

    def _used(self, kept: Secrets, token: str) -> str:
        if not self._opens(kept, token):
            raise _stale()
        kept.link, kept.link_until_ns = "", 0
        return self._opened(kept)

    def _opened(self, kept: Secrets) -> str:
        cookie = secrets.token_urlsafe(32)
        now_ns = self._now_ns()
        kept.sessions = {k: s for k, s in kept.sessions.items() if self._lives(k, s)}
        kept.sessions[hashed(cookie)] = Kept(now_ns, now_ns)
        _newest(kept.sessions, SESSIONS)
        return cookie

    def _lives(self, key: str, kept: Kept) -> bool:
        now_ns = self._now_ns()
        seen_ns = max(kept.seen_ns, self._seen.get(key, 0))
        return now_ns - seen_ns <= IDLE_NS and now_ns - kept.since_ns <= LASTS_NS

    def _touch(self, key: str, kept: Kept) -> None:
        now_ns = self._now_ns()
        self._seen[key] = now_ns
        if now_ns - max(kept.seen_ns, self._noted.get(key, 0)) < TOUCH_NS:
            return
        self._noted[key] = now_ns
        self._beside.submit(self._note_use, key, now_ns)

    def _note_use(self, key: str, now_ns: int) -> None:
        def change(now: Secrets) -> set[str]:
            if key in now.sessions:
                now.sessions[key].seen_ns = now_ns
            return set(now.sessions)

        try:
            there = self._vault.change(change)
        except DataError as error:  # a full disk shuts out nobody who is in
            log.error("%s", error)
            return
        for times in (self._seen, self._noted):
            for gone in [one for one in list(times) if one not in there]:
                times.pop(gone, None)

    def settle(self) -> None:
        """Wait until every use so far is noted on disk, or could not be."""
        self._beside.submit(int).result()

    def _is_known(self, kept: Secrets, device: str) -> bool:
        found = kept.devices.get(hashed(device)) if device else None
        return found is not None and self._now_ns() - found.since_ns <= DEVICE_NS


def reset(folder: Path) -> None:
    """Forget passphrase, sessions, devices and tokens, for ``litehedge ui --reset``.

    Raises
    ------
    DataError
        When the disk refuses.
    """
    file = folder / "secrets.json"
    if file.exists():
        try:
            Vault(folder).forget()
        except DataError:
            file.unlink()  # damaged: nothing of it can be kept


def weakness(passphrase: str) -> str | None:
    """Say why a passphrase is too weak; None when it is not."""
    if len(passphrase) < SHORTEST:
        return f"too short: take at least {SHORTEST} signs, such as four words"
    if len(passphrase) > LONGEST:
        return f"too long: take at most {LONGEST} signs"
    if len(set(passphrase)) < 6:
        return "too much the same: take at least 6 different signs"
    return None


def hashed(token: str) -> str:
    """Return what is kept of a random token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def form_key(cookie: str) -> str:
    """Return what the forms of a cookie's pages carry: nobody without the cookie can make it."""
    return hmac.new(cookie.encode(), b"litehedge form", hashlib.sha256).hexdigest()


def _normal(passphrase: str) -> str:
    """The same signs typed on another keyboard are the same passphrase."""
    return unicodedata.normalize("NFKC", passphrase)


def _newest(kept: dict[str, Kept], count: int) -> None:
    for key in sorted(kept, key=lambda k: kept[k].seen_ns)[: max(0, len(kept) - count)]:
        del kept[key]


def _stale() -> Refused:
    return Refused(
        "this link was used, or is older than ten minutes",
        "start litehedge ui again: it prints a new one",
    )

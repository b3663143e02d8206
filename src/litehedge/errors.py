"""One tree of errors. Each message says what is wrong, where, and what to do next."""

from __future__ import annotations


class LitehedgeError(Exception):
    """Base of everything litehedge raises on purpose; the command line exits with `exit_code`."""

    exit_code = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what}: {remedy}" if remedy else what)


class UsageError(LitehedgeError):
    """A command was given something it cannot use. Nothing was started."""

    exit_code = 2


class ConfigError(LitehedgeError):
    """The settings hold mistakes, all of them listed. Nothing was started."""

    exit_code = 2


class DataError(LitehedgeError):
    """A file or a data set cannot be used. Nothing was imported or changed."""

    exit_code = 2


class EmptyRange(DataError):
    """A data set is sound, but has nothing in the range that was asked for."""


class BadMessage(LitehedgeError):
    """One message of a feed cannot be read. It is counted, journaled and skipped."""


class ArtefactError(LitehedgeError):
    """A model artefact does not fit this data or this version. It is not loaded."""

    exit_code = 2


class RegistryError(LitehedgeError):
    """The registry of models cannot be read or changed. Sessions go on with the model they have."""


class OrderProtocolError(LitehedgeError):
    """An order was told something its state does not allow. The engine halts."""


class JournalError(LitehedgeError):
    """The journal cannot be read or written. No order is sent without it."""


class LeaseLost(JournalError):
    """Another engine guards the account by now: this one must not go on."""


class VenueError(LitehedgeError):
    """A venue did not do what was asked; `code` is the venue's own, where it gave one.

    `raises_only` tells that the venue refuses what raises exposure and still takes what reduces.
    """

    def __init__(
        self, what: str, remedy: str = "", *, code: str = "", raises_only: bool = False
    ) -> None:
        super().__init__(what, remedy)
        self.code = code
        self.raises_only = raises_only


class VenueRefused(VenueError):
    """The venue refused for certain: nothing was done."""


class VenueUnknown(VenueError):
    """The outcome is unknown: it may have been done. Ask before anything is sent again."""


class VenueDown(VenueError):
    """The venue was not reached, or was too busy to begin: nothing was done."""


class WrongSetup(VenueError):
    """Keys, permissions, mode, symbol or clock do not allow trading. Nothing was started."""

    exit_code = 2

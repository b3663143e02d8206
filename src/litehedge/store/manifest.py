"""What the lake writes down about a data set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from litehedge.errors import DataError
from litehedge.feeds.archive import Kind
from litehedge.units import describe_ns, iso_utc

FORMAT: Final = 1
"""Version of the manifest and of the layout below it; others are refused."""

VERSION: Final = re.compile(r"[0-9a-f]{16}")
"""What the folder of a version is called."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ +()-]{0,99}")
"""What a data set may be called."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that went into a data set."""

    file: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a data set: the rows of a month."""

    month: str
    rows: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the manifest of a data set says.

    `interval_ns` is the length of a bar; of open interest the usual time between rows; 0 when rows
    come at any time. `unit` is what open interest is counted in. `start_ns` and `end_ns` are the
    first and last ``event_ns``; of bars, the first open and the last close.
    """

    name: str
    kind: Kind
    asset: str
    symbol: str
    venue: str
    market: str
    interval_ns: int
    unit: str
    rows: int
    start_ns: int
    end_ns: int
    sources: tuple[Source, ...]
    parts: tuple[Part, ...]
    version: str
    created_by: str
    format: int = FORMAT

    @property
    def interval(self) -> str:
        """The interval in words: ``5m``; empty when rows come at any time."""
        return describe_ns(self.interval_ns) if self.interval_ns else ""

    @property
    def span(self) -> str:
        """First and last time in words."""
        return f"{iso_utc(self.start_ns)} .. {iso_utc(self.end_ns)}"


def to_bytes(dataset: Dataset) -> bytes:
    """Return the manifest as JSON."""
    return msgspec.json.format(msgspec.json.encode(dataset), indent=2) + b"\n"


def read_manifest(folder: Path) -> Dataset:
    """Read the manifest of the data set in a folder.

    Raises
    ------
    DataError
        When it is damaged, of another format, or of another data set.
    """
    path = folder / "manifest.json"
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}", "check its permissions"
        ) from None
    return from_bytes(payload, folder.name, str(folder))


def from_bytes(payload: bytes, name: str, where: str) -> Dataset:
    """Read the manifest of a data set of that name, which lies there.

    Raises
    ------
    DataError
        When it is damaged, of another format, or of another data set.
    """
    try:
        stated = msgspec.json.decode(payload, type=dict[str, object]).get("format")
        if stated != FORMAT:
            raise DataError(
                f"data set {name} has format {stated}, this litehedge reads format {FORMAT}",
                "use the litehedge that wrote it, or import its files again with --replace",
            )
        dataset = msgspec.json.decode(payload, type=Dataset)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"the manifest of data set {name} is damaged ({error})",
            "import its files again with --replace",
        ) from None
    if dataset.name != name or not VERSION.fullmatch(dataset.version):
        raise DataError(
            f"the manifest in {where} is that of a data set {dataset.name}",
            "give the folder its name back, or import the files again",
        )
    return dataset


def check_name(name: str) -> str:
    """Return the name of a data set.

    Raises
    ------
    DataError
        When it cannot be the name of a folder.
    """
    if NAME.fullmatch(name) is None:
        raise DataError(
            f"{name!r} cannot be the name of a data set",
            "use letters, digits and . _ - (at most 100, the first a letter or digit): --name NAME",
        )
    return name

"""What the pages of reports, models, settings and the beginning share: files, commands, lists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from litehedge.config import Settings
from litehedge.errors import LitehedgeError, UsageError
from litehedge.hedge.policies import ORACLE
from litehedge.live.session import Session, is_held, session_at, sessions
from litehedge.shelf.lineage import RegistryLineage
from litehedge.shelf.policies import all_policies
from litehedge.store.bundled import preset_names
from litehedge.ui.models_view import Lineage
from litehedge.ui.programs import Commands, Programs
from litehedge.ui.settings_file import NAME, read_file
from litehedge.ui.workshop import Workshop
from litehedge.units import describe_ns, iso_utc

ASK_S: Final = 120.0
"""How long a short command may take: its first start compiles."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A data set of Litecoin bars: its span in ns, and how long a bar is, in words."""

    name: str
    interval: str
    start_ns: int
    end_ns: int
    words: str


@dataclass(slots=True)
class Tools:
    """Files and commands of one home folder.

    Parameters
    ----------
    root
        ``$LITEHEDGE_HOME``.
    settings_path
        The settings file that the page edits, and that sessions started here are given.
    programs
        What starts commands.
    lineage
        Where a champion and its challenger are kept; by default the registry.
    paper_arguments
        What else sessions on paper are started with.
    """

    root: Path
    settings_path: Path
    programs: Programs
    workshop: Workshop
    lineage: Lineage
    paper_arguments: tuple[str, ...] = ()
    _policies: dict[str, dict[str, str]] = field(default_factory=dict)  # by the network's name

    @classmethod
    def at(
        cls, root: Path, settings_path: Path | None = None, programs: Programs | None = None,
        lineage: Lineage | None = None, paper_arguments: tuple[str, ...] = (),
    ) -> Tools:  # fmt: skip
        """Return the tools of a home folder; settings are those of the folder of this process."""
        starts = Commands(root) if programs is None else programs
        path = (Path(NAME) if settings_path is None else settings_path).absolute()
        kept = RegistryLineage() if lineage is None else lineage
        return cls(root, path, starts, Workshop(root, starts), kept, paper_arguments)

    def settings(self) -> tuple[Settings, str]:
        """Return the settings of the file, and what is wrong with it: then those that ship."""
        try:
            return read_file(self.settings_path).settings, ""
        except LitehedgeError as error:
            return Settings(), error.what

    def settings_arguments(self) -> list[str]:
        """Return the arguments that give a command the settings file, where there is one."""
        return [f"--settings={self.settings_path}"] if self.settings_path.is_file() else []

    def policies(self) -> dict[str, str]:
        """Return the policies that a session may have, by name, and what each is."""
        settings, _ = self.settings()
        name = settings.hedge.network
        if name not in self._policies:
            self._policies[name] = self._read_policies(settings)
        return self._policies[name]

    def _read_policies(self, settings: Settings) -> dict[str, str]:
        try:
            known = all_policies(settings)
        except LitehedgeError:
            known = all_policies(Settings())
        return {one.name: one.about for one in known if one.kind != ORACLE}

    def presets(self) -> list[str]:
        """Return the names of the rules that ship."""
        return preset_names()

    def sessions(self) -> list[tuple[Session, bool]]:
        """Return the sessions, and whether each runs."""
        return [(session, is_held(session)) for session in sessions(self.root)]

    def session(self, name: str) -> Session:
        """Return the session of a name; it need not exist yet."""
        return session_at(self.root, name)

    def bars(self) -> list[Bars]:
        """Return the data sets of Litecoin bars that backtests can run on, by name.

        Read from the lake's manifests: the lake itself knows feeds, which the screen must not.
        """
        found = (_manifest(file) for file in sorted((self.root / "lake").glob("*/manifest.json")))
        return [_bars(one) for one in found if _is_usable(one)]

    async def ask_json(self, *arguments: str) -> dict[str, Any]:
        """Run a short command, and return the JSON that it prints.

        Raises
        ------
        UsageError
            With its last words, when it says something else.
        """
        answer = await asyncio.to_thread(self.programs.ask, arguments, ASK_S)
        try:
            told = json.loads(answer.out)
        except ValueError:
            words = " ".join(answer.err.split()).removeprefix("error: ")
            raise UsageError(words[-400:] or f"{arguments[0]} said nothing") from None
        if not isinstance(told, dict):
            raise UsageError(f"{arguments[0]} said something else than was asked")
        return told


def _is_usable(row: Mapping[str, Any]) -> bool:
    return (
        row.get("kind") == "bars"
        and row.get("market") != "mark"
        and str(row.get("symbol", "")).startswith("LTC")
    )


def _bars(row: Mapping[str, Any]) -> Bars:
    start, end = int(row["start_ns"]), int(row["end_ns"])
    interval = describe_ns(int(row["interval_ns"]))
    words = f"{row['name']} ({interval}, {iso_utc(start)[:10]} to {iso_utc(end)[:10]})"
    return Bars(str(row["name"]), interval, start, end, words)


def _manifest(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

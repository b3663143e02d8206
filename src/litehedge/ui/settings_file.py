"""The settings file: read, edited in place with its comments, and written whole or not at all."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from litehedge.config import Settings
from litehedge.errors import ConfigError, UsageError
from litehedge.settings import ENV_PREFIX, load_settings, setting_paths
from litehedge.store.durable import write_whole
from litehedge.ui.forms import HIDDEN, fields

NAME: Final = "litehedge.toml"


@dataclass(frozen=True, slots=True)
class File:
    """The file as it was read: `text` is None where there is none yet."""

    path: Path
    text: str | None
    settings: Settings


def read_file(path: Path) -> File:
    """Read the settings of a file; what is not in it has its default.

    Raises
    ------
    ConfigError
        With every mistake in it.
    """
    text = _text(path)
    return File(path, text, load_settings(text or "", where=str(path)))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text", "save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", "see to it") from None


def edited(text: str, values: Mapping[str, Any]) -> str:
    """Return TOML text with values set by dotted path; comments and order stay.

    Raises
    ------
    ConfigError
        When the text is no TOML that can be edited.
    """
    try:
        document = tomlkit.parse(text)
        for path, value in values.items():
            section, leaf = path.split(".")
            if section not in document:
                document[section] = tomlkit.table()
            document[section][leaf] = value
        return document.as_string()
    except (TOMLKitError, TypeError) as error:
        raise ConfigError(
            f"the settings file cannot be edited: {error}", "edit it by hand"
        ) from None


def difference(before: str, after: str) -> list[str]:
    """Return what changes in the file, line by line, secrets hidden."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "", "", "", "", 1, "")
    return [_without_secrets(line) for line in lines if not line.startswith(("---", "+++"))]


def _without_secrets(line: str) -> str:
    name, mark, _ = line.partition("=")
    leaf = name.strip(" +-").rsplit(".", 1)[-1]
    is_secret = any(f.kind == "secret" and f.path.endswith(f".{leaf}") for f in fields().values())
    return f"{name}{mark} {HIDDEN}" if mark and is_secret else line


def save(file: File, values: Mapping[str, Any]) -> File:
    """Write values into the file in one step, and return it as it is now.

    Raises
    ------
    ConfigError
        When what would be written is not sound. Nothing was written.
    UsageError
        When somebody else changed the file meanwhile, or the disk refuses. Nothing was written.
    """
    if _text(file.path) != file.text:
        raise UsageError(
            f"{file.path} was changed by somebody else meanwhile", "load the page again"
        )
    text = edited(file.text or "", values)
    settings = load_settings(text, where=str(file.path))
    replace(file.path, text)
    return File(file.path, text, settings)


def replace(path: Path, text: str) -> None:
    """Write a file in one step; one that is there keeps its permissions.

    Raises
    ------
    UsageError
        When the disk refuses.
    """
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        write_whole(path, text.encode(), mode)
    except OSError as error:
        raise UsageError(f"cannot write {path} ({error.strerror})", "nothing was changed") from None


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the environment overrides, and the names of their variables."""
    known = set(setting_paths())
    found = {
        name[len(ENV_PREFIX) :].lower().replace("__", "."): name
        for name in environ
        if name.startswith(ENV_PREFIX) and "__" in name
    }
    return {path: name for path, name in found.items() if path in known}

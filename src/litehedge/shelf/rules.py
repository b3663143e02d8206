"""Which rules there are: presets that ship, your own by name, a TOML file by path."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from litehedge.errors import ConfigError, UsageError
from litehedge.hedge.rule_reading import parse_rules
from litehedge.hedge.rules import Rules
from litehedge.settings import near_miss
from litehedge.shelf.home import home
from litehedge.store.bundled import preset_names, preset_text
from litehedge.store.durable import write_whole

NONE: Final = ("", "none")


def own_rules(root: Path | None = None) -> Path:
    """Return the folder of your own rules, where the screen saves them; `root` is the home."""
    return (home() if root is None else root) / "rules"


def rule_files(root: Path | None = None) -> dict[str, Path]:
    """Return your own rules by name; the name of a preset always means the preset."""
    folder = own_rules(root)
    taken = preset_names()
    if not folder.is_dir():
        return {}
    return {one.stem: one for one in sorted(folder.glob("*.toml")) if one.stem not in taken}


def load_rules(name_or_file: str) -> Rules | None:
    """Read a preset or your own rules by name, or a TOML file; nothing and ``none`` give None.

    Raises
    ------
    UsageError
        When there are none, with the nearest name.
    ConfigError
        With every mistake in the file.
    """
    if name_or_file in NONE:
        return None
    if name_or_file in preset_names():
        return parse_rules(preset_text(name_or_file), f"{name_or_file}.toml", name_or_file)
    path = rule_files().get(name_or_file, Path(name_or_file))
    return parse_rules(rules_text(path, name_or_file), str(path), path.stem)


def rules_text(path: Path, called: str = "") -> str:
    """Read the text of a rules file; `called` is what a person called it.

    Raises
    ------
    UsageError
        When there is no such file, with the nearest name.
    ConfigError
        When it is not text.
    """
    names = [*preset_names(), *rule_files()]
    called = called or str(path)
    hint = near_miss(path.stem, names, or_all=False).lstrip()
    remedy = f"{hint} Presets are {', '.join(preset_names())}; or give the path of a TOML file"
    try:
        if not path.is_file():
            raise UsageError(f"there are no rules {called}", remedy.lstrip())
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{called} is not UTF-8 text", "save it as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such path"
        raise UsageError(f"{called!r} cannot be read ({reason})", remedy.lstrip()) from None


def save_rules(root: Path, name: str, text: str) -> Path:
    """Write your own rules, whole or not at all, and return where they lie.

    Raises
    ------
    UsageError
        When the disk refuses.
    """
    path = own_rules(root) / f"{name}.toml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror})", "check the disk and its permissions"
        ) from None
    return path

"""Files that ship with the package: tier tables and pre-trained models."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from litehedge.errors import UsageError
from litehedge.margin.tiers import TierTable, parse_tiers

_PRESETS: Final = ("conservative", "balanced", "cost-saver")


def tier_table(venue: str, symbol: str) -> TierTable:
    """Return the packaged maintenance tiers of a contract.

    Raises
    ------
    UsageError
        When there is no table for it, with those there are.
    """
    folder = resources.files("litehedge.margin") / "tables"
    path = folder / f"{venue}-{symbol}.toml"
    if not path.is_file():
        known = sorted(
            entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")
        )
        raise UsageError(
            f"there are no maintenance tiers for {venue} {symbol}",
            f"set [venue] to one of: {', '.join(known)}",
        )
    return parse_tiers(path.read_text(encoding="utf-8"), path.name)


def preset_names() -> list[str]:
    """Return the names of the rules that ship with the package, the careful ones first."""
    folder = resources.files("litehedge.hedge") / "presets"
    found = {entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return [name for name in _PRESETS if name in found] + sorted(found - set(_PRESETS))


def preset_text(name: str) -> str:
    """Return the text of packaged rules, one of `preset_names`."""
    folder = resources.files("litehedge.hedge") / "presets"
    return (folder / f"{name}.toml").read_text(encoding="utf-8")


def pretrained_folder() -> Path:
    """Return the folder of the models that ship with the package."""
    return Path(str(resources.files("litehedge") / "pretrained"))

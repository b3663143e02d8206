"""Files that ship with the package: tier tables, past starts, a study, pre-trained models."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any, Final

from litehedge.errors import UsageError
from litehedge.hedge.past import PastStarts, parse_past
from litehedge.margin.tiers import TierTable, parse_tiers

_PRESETS: Final = ("conservative", "balanced", "cost-saver")
BLOWUP: Final = "blow-ups-40-worlds.json"


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


def past_starts() -> PastStarts:
    """Return the packaged table of what became of Litecoin positions in the past."""
    path = resources.files("litehedge.hedge") / "tables" / "past-LTCUSDT.json"
    return parse_past(path.read_bytes(), path.name)


def blowup_study() -> dict[str, Any]:
    """Return the packaged result of a blow-up study, for who has run none: the JSON of its command.

    `studies.ship_blowup` made it; ``meta.command`` is the command that it came from.
    """
    path = resources.files("litehedge.blowup") / "tables" / BLOWUP
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def pretrained_folder() -> Path:
    """Return the folder of the models that ship with the package."""
    return Path(str(resources.files("litehedge") / "pretrained"))

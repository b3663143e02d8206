"""Scenarios: what is different about a world, and what happens to it from outside, as TOML files.

A scenario says what it is `about`, sets constants (``[parameters]``) and lists shocks
(``[[shocks]]``). Scenarios add: several can act on one world.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.functional_serializers import field_serializer

from litehedge.errors import ConfigError, UsageError
from litehedge.settings import lines_of, read_toml
from litehedge.sim.market.parameters import REGIME_NAMES, Parameters
from litehedge.sim.market.shocks import SHOCK, Shock
from litehedge.units import NS_PER_DAY, NS_PER_SECOND, duration_ns

LONGEST_S: Final = 3650 * NS_PER_DAY // NS_PER_SECOND
"""No shock begins later or lasts longer: ten years, in seconds."""

_FOLDER: Final = resources.files("litehedge.sim") / "scenarios"
_STRICT: Final = ConfigDict(frozen=True, extra="forbid", strict=True)


class Size(NamedTuple):
    """The sizes that a kind of shock may have, what they mean, and why there are no others."""

    low: float
    high: float
    meaning: str
    why: str

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g} ({self.meaning}; {self.why})"


_FOURFOLD = "1.5 is a price 4.5 times as high, and no market has seen that in one shock"

SIZES: Final[dict[Shock, Size | None]] = {
    Shock.BTC_MOVE: Size(-1.5, 1.5, "log return of Bitcoin", _FOURFOLD),
    Shock.OWN_MOVE: Size(-1.5, 1.5, "log return of LTC alone", _FOURFOLD),
    Shock.DEPTH: Size(0.001, 10, "share of depth that is left", "an empty book has no price"),
    Shock.OUTAGE: None,
    Shock.REFUSE: None,
    Shock.FREEZE: None,
    Shock.CROSS: Size(0, 0.05, "bid above ask, share of price", "beyond it no quote is right"),
    Shock.PREMIUM: Size(-0.05, 0.05, "push of perpetual over spot", "arbitrage leaves no more"),
    Shock.FLOW: Size(-1e9, 1e9, "USDT a minute, negative sells", "no market trades more"),
    Shock.REGIME: Size(0, len(REGIME_NAMES) - 1, "or " + ", ".join(REGIME_NAMES), "no others"),
    Shock.VOL: Size(0.05, 20, "factor of volatility", "beyond it prices stop or mean nothing"),
}
"""Allowed sizes of each kind of shock; None where it takes no size."""


class ScenarioShock(BaseModel):
    """One shock, timed from the start of its scenario."""

    model_config = _STRICT

    kind: str = Field(description="the name of a shock in lower case")
    at: str = Field("0s", description="when it begins, such as 10min")
    lasts: str = Field(description="how long it acts, such as 90s")
    size: float | None = Field(None, validate_default=True, description="see `SIZES`")

    @property
    def shock(self) -> Shock:
        """What kind of shock it is."""
        return Shock[self.kind.upper()]

    @property
    def span_s(self) -> tuple[int, int]:
        """First second with it and first without it, from the start of the scenario."""
        start_s = _seconds(self.at, or_zero=True)
        return start_s, start_s + _seconds(self.lasts)

    @field_validator("kind", "at", "lasts")
    @classmethod
    def _is_understood(cls, text: str, info: ValidationInfo) -> str:
        kinds = [shock.name.lower() for shock in Shock]
        if info.field_name != "kind":
            _seconds(text, or_zero=info.field_name == "at")
        elif text not in kinds:
            raise ValueError(f"must be a kind of shock.{_near(text, kinds, or_all=True)}")
        return text

    @field_validator("size", mode="before")
    @classmethod
    def _is_allowed(cls, size: Any, info: ValidationInfo) -> float | None:
        if "kind" not in info.data:  # told already, and without it no size can be judged
            return None
        kind: str = info.data["kind"]
        allowed = SIZES[Shock[kind.upper()]]
        if allowed is None:
            if size is not None:
                raise ValueError(f"must be left out, because {kind} takes no size")
            return None
        if kind == "regime" and size in REGIME_NAMES:
            return float(REGIME_NAMES.index(size))
        is_number = isinstance(size, int | float) and not isinstance(size, bool)
        fits = is_number and allowed.low <= size <= allowed.high
        if not fits or (kind == "regime" and size != int(size)):
            hint = _near(size, REGIME_NAMES) if isinstance(size, str) else ""
            raise ValueError(f"must be {allowed}.{hint}")
        return float(size)


class Scenario(BaseModel):
    """What a scenario changes in a world: constants, and shocks from outside."""

    model_config = _STRICT

    name: str = Field(min_length=1, description="what it is called")
    about: str = Field(min_length=1, description="what happens, in a sentence or two")
    parameters: Parameters = Field(
        default_factory=Parameters, description="constants; those that were set are overrides"
    )
    # TOML has lists where a frozen model wants tuples
    shocks: tuple[ScenarioShock, ...] = Field((), strict=False, description="what happens to it")

    @property
    def overrides(self) -> dict[str, float]:
        """The parameters that this scenario sets."""
        return self.parameters.model_dump(exclude_unset=True)

    @field_serializer("parameters")
    def _written(self, _: Parameters) -> dict[str, float]:
        return self.overrides  # a default that is written would be an override when read


# --- loading ----------------------------------------------------------------------------------


def scenario_names() -> list[str]:
    """Return the names of the packaged scenarios."""
    files = [entry.name for entry in _FOLDER.iterdir()]
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Load a packaged scenario by name, or a TOML file by path (a folder or ``.toml`` in it).

    Raises
    ------
    ConfigError
        When there is no such scenario, with the nearest name; and as `parse_scenario` does.
    """
    given, path, names = str(name_or_path), Path(name_or_path), scenario_names()
    near = _near(path.name.removesuffix(".toml"), names).lstrip()
    remedy = f"{near or 'There is no similar name.'} Use one of {', '.join(names)}, or a TOML file"
    is_name = path.name == given and path.suffix != ".toml" and not isinstance(name_or_path, Path)
    if is_name and given not in names:
        raise ConfigError(f"there is no scenario {json.dumps(given)}", remedy)
    try:
        text = (_FOLDER / f"{given}.toml" if is_name else path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", "it is not text in UTF-8")
        raise ConfigError(f"{given} cannot be read ({reason})", remedy) from None
    return parse_scenario(text, f"{given}.toml" if is_name else given)


def parse_scenario(text: str, where: str) -> Scenario:
    """Read a scenario from TOML text; without `name` in it, it is named like the file.

    Raises
    ------
    ConfigError
        With one line per mistake, all of them: file and line, dotted path, what is allowed, why.
    """
    tree = read_toml(text, where)[0]
    try:
        return Scenario.model_validate({"name": Path(where).stem, **tree})
    except ValidationError as error:
        mistakes = error.errors()
    # text over several lines may look like keys; each [[shocks]] becomes a section with its number
    text = re.sub(r'("""|\'\'\').*?\1', lambda it: "\n" * it[0].count("\n"), text, flags=re.S)
    number = count()
    header = re.compile(r"^[ \t]*\[\[\s*shocks\s*\]\]", re.M)
    lines = lines_of(header.sub(lambda _: f"[shocks.{next(number)}]", text))
    told = sorted((_line(item["loc"], lines), _explain(item)) for item in mistakes)
    raise ConfigError(
        "\n".join(f"{where}{f':{line}' if line else ''}  {mistake}" for line, mistake in told),
        "nothing was started",
    )


def compose(scenarios: Iterable[Scenario]) -> tuple[Parameters, list[ScenarioShock]]:
    """Add scenarios: their shocks are joined by time, and what any of them sets is set.

    Raises
    ------
    ConfigError
        When two set the same parameter to different values, with both names.
    """
    values: dict[str, float] = {}
    owners: dict[str, str] = {}
    shocks: list[ScenarioShock] = []
    conflicts = []
    for scenario in scenarios:
        shocks += scenario.shocks
        for name, value in scenario.overrides.items():
            owner = owners.setdefault(name, scenario.name)
            if values.setdefault(name, value) != value:
                first = f"parameters.{name}: {owner} sets {values[name]:g}"
                conflicts.append(f"{first}, {scenario.name} sets {value:g}")
    if conflicts:
        raise ConfigError("\n".join(conflicts), "leave one out, or write a scenario that decides")
    return Parameters(**values), sorted(shocks, key=_by_time)


def shocks_array(shocks: Iterable[ScenarioShock], begin_s: int) -> NDArray[np.void]:
    """Return shocks as kernels see them: an array of `SHOCK`, by start, one row each.

    Their times count from second `begin_s` since 1970. A shock that takes no size has size 0.
    """
    rows = [
        (shock.shock, *(begin_s + second for second in shock.span_s), shock.size or 0.0)
        for shock in sorted(shocks, key=_by_time)
    ]
    return np.array(rows, dtype=SHOCK)


def _by_time(shock: ScenarioShock) -> tuple[tuple[int, int], int, float, str, str]:
    # complete, so that the order in which scenarios are given changes nothing
    return shock.span_s, shock.shock, shock.size or 0.0, shock.at, shock.lasts


def _seconds(text: str, *, or_zero: bool = False) -> int:
    """Read a duration as whole seconds; zero only where it is allowed."""
    # "0s" is no duration, but a time to begin at; its unit is checked all the same
    above_zero = re.sub(r"^\s*0+(\.0+)?(?=\s*[a-z])", "1", text) if or_zero else text
    try:
        nanoseconds = duration_ns(above_zero)
    except UsageError as error:
        raise ValueError(f"{error.what}. {error.remedy.capitalize()}") from None
    except OverflowError:
        nanoseconds = (LONGEST_S + 1) * NS_PER_SECOND
    if above_zero != text:
        return 0
    seconds = round(nanoseconds / NS_PER_SECOND)
    if seconds > LONGEST_S:
        raise ValueError(f"must be {LONGEST_S // 86_400}d or less; a shock is not for ever")
    # 2.3min is read as a nanosecond less than 138 seconds
    if seconds == 0 or abs(nanoseconds - seconds * NS_PER_SECOND) > 1_000:
        raise ValueError("must be whole seconds, because the world moves in seconds")
    return seconds


# --- explaining -------------------------------------------------------------------------------


def _line(location: tuple[int | str, ...], lines: dict[str, int]) -> int:
    """Return the line of a path, or of the nearest section around it; 0 where there is none."""
    paths = (".".join(map(str, location[:length])) for length in range(len(location), 0, -1))
    return next((lines[path] for path in paths if path in lines), 0)


def _explain(item: Any) -> str:
    path, name = ".".join(str(part) for part in item["loc"]), str(item["loc"][-1])
    models: dict[str, type[BaseModel]] = {"parameters": Parameters, "shocks": ScenarioShock}
    model = models[item["loc"][0]] if len(item["loc"]) > 1 else Scenario
    shown = "is missing" if item["input"] is None else f"= {json.dumps(item['input'], default=str)}"
    match item["type"]:
        case "extra_forbidden":
            hint = _near(name, model.model_fields, or_all=True)
            if model is Scenario and name in Parameters.model_fields:
                hint = f" Did you mean parameters.{name}?"
            return f"{path} is not known here.{hint}"
        case "value_error":
            must = str(item["ctx"]["error"])
        case "missing":
            shown, must = "is missing", f"say {model.model_fields[name].description}"
        case "model_type" | "tuple_type":
            must = "must be a section: [parameters], or [[shocks]] for each shock"
        case "string_type" | "string_too_short":
            must = f"must be text in quotes ({model.model_fields[name].description})"
        case _:
            here = model.model_json_schema()["properties"][name]
            why = "outside it the mechanics lose their meaning"
            must = f"must be {Size(here['minimum'], here['maximum'], here['description'], why)}"
    return f"{path} {shown}: {must}" + ("" if must.endswith((".", "?")) else ".")


def _near(name: str, names: Iterable[str], *, or_all: bool = False) -> str:
    there = list(names)
    if close := difflib.get_close_matches(name.lower(), there, n=1, cutoff=0.6):
        return f" Did you mean {close[0]}?"
    return f" There are: {', '.join(there)}." if or_all else ""

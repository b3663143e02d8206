"""The settings as a form: what each field is, how what was typed is read, and what is riskier.

Pure: drawn from the schema of `config.Settings`, so that a new setting is on the page by itself.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from litehedge.config import Settings
from litehedge.settings import mistakes

Kind = Literal["choice", "switch", "number", "whole", "text", "lines", "secret"]
Typed = Mapping[str, Any]
"""What stands in the fields: text, or a truth value for a switch, by dotted path."""

HIDDEN: Final = "(hidden)"
UNITS: Final = {
    "usdt": "USDT", "ltc": "LTC", "bps": "bps", "ms": "ms", "s": "seconds", "min": "minutes",
}  # fmt: skip
"""What the last part of a setting's name says of its unit."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `range` and `default` are in words; `choices` where there are only so many."""

    path: str
    kind: Kind
    about: str
    default: Any
    range: str = ""
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its label: the name of the setting, readable, with its unit."""
        leaf = self.path.rsplit(".", 1)[-1]
        stem, _, last = leaf.rpartition("_")
        if stem and last in UNITS:
            leaf = f"{stem}, {UNITS[last]}"
        return leaf[:1].upper() + leaf[1:].replace("_", " ")

    @property
    def hint(self) -> str:
        """What stands below the field while nothing is wrong."""
        parts = [self.about[:1].upper() + self.about[1:]]
        parts += [self.range[:1].upper() + self.range[1:]] if self.range else []
        if self.kind == "switch":
            parts.append(f"Default: {'on' if self.default else 'off'}")
        elif self.kind == "lines":
            parts.append("One in each line")
        elif self.default and self.kind != "secret":
            parts.append(f"Default: {self.default}")
        return ". ".join(part.rstrip(".") for part in parts) + "."


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together."""

    name: str
    title: str
    about: str
    fields: tuple[Field, ...]


def sections() -> list[Section]:
    """Return the form of all settings."""
    return [
        Section(
            name, name.capitalize(), info.description or "",
            tuple(_field(f"{name}.{leaf}", one) for leaf, one in _model(info).model_fields.items()),
        )
        for name, info in Settings.model_fields.items()
    ]  # fmt: skip


def fields() -> dict[str, Field]:
    """Return every field by its dotted path."""
    return {field.path: field for section in sections() for field in section.fields}


def _model(info: FieldInfo) -> type[BaseModel]:
    annotation = info.annotation
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        raise TypeError(f"{annotation} is no section")
    return annotation


def _field(path: str, info: FieldInfo) -> Field:
    kind, choices = _kind(info)
    return Field(
        path, kind, info.description or "", shown(info.default, kind), _range(info), choices
    )


def _kind(info: FieldInfo) -> tuple[Kind, tuple[str, ...]]:
    if info.exclude:
        return "secret", ()
    options: list[str] = []
    plain = _bare(info.annotation, options)
    if plain is bool:
        return "switch", ()
    if plain is int:
        return "whole", ()
    if plain is float:
        return "number", ()
    if plain is tuple:
        return "lines", tuple(options)
    return ("choice", tuple(options)) if options else ("text", ())


def _bare(annotation: Any, options: list[str]) -> Any:
    """Return the plain type behind an annotation; texts that a literal allows go to `options`."""
    origin = get_origin(annotation)
    if origin is Literal:
        options.extend(str(one) for one in get_args(annotation))
        return str
    if origin is Annotated:
        return _bare(get_args(annotation)[0], options)
    if origin in (Union, types.UnionType):
        return _bare(get_args(annotation)[0], options)
    if origin is tuple:
        _bare(get_args(annotation)[0], options)
        return tuple
    return annotation


def _range(info: FieldInfo) -> str:
    words = {"gt": "above", "ge": "from", "lt": "below", "le": "up to"}
    found = {
        name: getattr(mark, name) for mark in info.metadata for name in words if hasattr(mark, name)
    }
    if "lt" in found:
        found.pop("le", None)
    return ", ".join(
        f"{words[name]} {found[name]:g}" for name in words if found.get(name) is not None
    )


# --- between settings and fields --------------------------------------------------------------


def shown(value: Any, kind: Kind) -> Any:
    """Return how a value stands in its field."""
    match kind:
        case "switch":
            return bool(value)
        case "number":
            return f"{value:.12g}" if isinstance(value, int | float) else str(value)
        case "lines":
            return "\n".join(str(one) for one in value)
        case "secret":
            return ""
        case _:
            return str(value)


def typed_of(settings: Settings) -> dict[str, Any]:
    """Return what the fields hold when settings are shown."""
    found = fields()
    return {path: shown(value_at(settings, path), field.kind) for path, field in found.items()}


def value_at(settings: Settings, path: str) -> Any:
    """Return one setting."""
    section, leaf = path.split(".")
    return getattr(getattr(settings, section), leaf)


def read(typed: Typed) -> dict[str, Any]:
    """Return the values of what was typed by dotted path; what is no number stays text."""
    found = fields()
    return {path: _value(found[path].kind, raw) for path, raw in typed.items()}


def _value(kind: Kind, raw: Any) -> Any:
    text = raw if isinstance(raw, str) else ""
    match kind:
        case "switch":
            return bool(raw)
        case "whole":
            try:
                return int(text.strip())
            except ValueError:
                return _number(text)
        case "number":
            return _number(text)
        case "lines":
            return [line.strip() for line in text.splitlines() if line.strip()]
        case _:
            return text.strip()


def _number(text: str) -> float | str:
    try:
        return float(text.strip().replace("_", ""))
    except ValueError:
        return text


def tree_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted path as a tree."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        section, leaf = path.split(".")
        tree.setdefault(section, {})[leaf] = value
    return tree


def wrong_in(typed: Typed) -> dict[str, list[str]]:
    """Return every mistake in what was typed, by the path at whose field it stands."""
    return mistakes(tree_of(read(typed)))


def changed(before: Settings, typed: Typed) -> dict[str, Any]:
    """Return the values that differ from settings, by path; a secret left empty stays."""
    found = fields()
    news = {}
    for path, value in read(typed).items():
        old = value_at(before, path)
        if found[path].kind == "secret" and not value:
            continue
        if list(old) != value if isinstance(old, tuple) else old != value:
            news[path] = value
    return news


# --- what is riskier --------------------------------------------------------------------------

RISKY_WORD: Final = "RISKIER"

UP: Final = frozenset(
    {
        "position.leverage", "position.wallet_usdt", "hedge.risk_budget", "advice.tolerance",
        "advice.horizon_days", "transfer.max_per_day_usdt", "transfer.trigger_ratio",
        "plugin.enter_probability", "plugin.release_probability", "plugin.peak_release",
        "limits.max_hedge_notional_usdt", "limits.max_leverage", "limits.max_ratio_per_minute",
        "limits.max_orders_per_minute", "limits.max_orders_per_day", "limits.daily_cost_share",
        "limits.weekly_cost_share", "limits.collar_bps", "limits.max_depth_share",
        "limits.max_clock_skew_ms", "limits.max_price_age_s",
        "health.trigger_ratio", "health.target_ratio", "health.stop_ratio", "health.retry_s",
        "health.collar_bps", "health.warn_probability",
        "parachute.silent_s", "parachute.mark_silent_s", "parachute.account_silent_s",
        "parachute.wrong_s", "parachute.max_gap_bps", "parachute.frozen_s",
        "parachute.frozen_move_bps", "parachute.max_refused", "parachute.max_unsure",
        "parachute.max_fill_s", "parachute.max_slip_bps", "parachute.max_lag_ms",
        "parachute.wild_bps",
    }
)  # fmt: skip
"""Where more is riskier: the limit allows more, or what protects comes later."""

DOWN: Final = frozenset(
    {
        "hedge.max_ratio", "limits.min_margin_buffer", "limits.equity_stop_share",
        "health.reaction_s", "parachute.calm_s", "parachute.count_s",
    }
)  # fmt: skip
"""Where less is riskier."""

OFF: Final = frozenset(
    {"health.enabled", "parachute.enabled", "hedge.fall_back_to_reduce", "venue.dead_man_switch"}
)
"""What protects while it is on."""


def riskier(before: Settings, after: Mapping[str, Any]) -> list[str]:
    """Return the changes that make things riskier, in words; empty: one confirmation is enough."""
    told = []
    for path, value in after.items():
        old = value_at(before, path)
        if (path in UP and value > old) or (path in DOWN and value < old):
            told.append(f"{path}: {old:g} to {value:g}")
        elif path in OFF and old and not value:
            told.append(f"{path} is switched off")
        elif path == "hedge.policy" and _protects_less(str(value)):
            told.append(f"{path}: {value} does not act on danger")
        elif path == "position.margin_mode" and value == "cross":
            told.append(f"{path}: the whole wallet backs the position")
    return told


def _protects_less(policy: str) -> bool:
    return policy == "unhedged" or policy.startswith("static")

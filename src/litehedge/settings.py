"""Settings are read from TOML text, then the environment, then the command line.

Every mistake is reported at once, with file line, dotted path, near-miss name and meaning. This
module touches no file and no environment itself: both come in as arguments.

An environment variable ``LITEHEDGE_POSITION__LEVERAGE=20`` sets ``position.leverage``.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from litehedge.config import Settings
from litehedge.errors import ConfigError

ENV_PREFIX: Final = "LITEHEDGE_"


def load_settings(
    text: str = "",
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    where: str = "litehedge.toml",
) -> Settings:
    """Build the settings from TOML text, then the environment, then command-line overrides.

    Parameters
    ----------
    text
        Content of the settings file.
    environ
        Environment; only names that start with ``LITEHEDGE_`` and hold ``__`` are read.
    overrides
        Dotted path -> value; None values are ignored.
    where
        How to name the file in messages.

    Raises
    ------
    ConfigError
        With one line per mistake, all of them.
    """
    tree, problems, origins = read_toml(text, where)
    lines = lines_of(text)
    for name, raw in sorted((environ or {}).items()):
        if name.startswith(ENV_PREFIX) and "__" in name:
            path = name[len(ENV_PREFIX) :].lower().replace("__", ".")
            problems += _set(tree, path, _env_value(raw), name)
            origins[path] = name
    for path, value in (overrides or {}).items():
        if value is not None:
            option = "--" + path.rsplit(".", 1)[-1].removesuffix("_usdt").replace("_", "-")
            problems += _set(tree, path, value, option)
            origins[path] = option

    def place(path: str) -> str:
        if path in origins:
            return origins[path]
        return f"{where}:{lines[path]}" if path in lines else where

    settings = None
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += [_explain(item, place) for item in error.errors()]
    if settings is None or problems:
        told = sorted(dict.fromkeys(problems), key=_line_number)
        raise ConfigError("\n".join(told), "nothing was started")
    return settings


def _line_number(problem: str) -> int:
    found = re.match(r"\S+:(\d+)  ", problem)
    return int(found[1]) if found else 1_000_000


# --- reading ----------------------------------------------------------------------------------


def read_toml(text: str, where: str) -> tuple[dict[str, Any], list[str], dict[str, str]]:
    """Return the tree of TOML text, and room for problems and origins; `where` names the file.

    Raises
    ------
    ConfigError
        When it is not TOML.
    """
    try:
        return tomllib.loads(text), [], {}
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = f":{found[1]}" if found else ""
        raise ConfigError(
            f"{where}{line}  is not valid TOML: {error}", "nothing was started"
        ) from None


def _env_value(raw: str) -> Any:
    """Read an environment value as TOML would, and as plain text where that is not TOML."""
    try:
        return tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        return raw


def _set(tree: dict[str, Any], path: str, value: Any, origin: str) -> list[str]:
    *parents, leaf = path.split(".")
    node = tree
    for name in parents:
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            return [f"{origin}  {path}: {name} is not a section"]
    node[leaf] = value
    return []


def lines_of(text: str) -> dict[str, int]:
    """Return the line number of each dotted path in TOML text (tables, keys and dotted keys)."""
    lines: dict[str, int] = {}
    section = ""
    in_string = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if in_string:
            if in_string in line:
                in_string = ""
            continue
        for quote in ('"""', "'''"):
            if line.count(quote) % 2 == 1:
                in_string = quote
        if table := re.match(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$", line):
            section = _plain(table[1])
            lines.setdefault(section, number)
        elif key := re.match(r"^\s*([A-Za-z0-9_\-.\"' ]+?)\s*=", line):
            path = _plain(key[1])
            lines.setdefault(f"{section}.{path}" if section else path, number)
    return lines


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


# --- explaining -------------------------------------------------------------------------------


def _explain(item: Any, place: Callable[[str], str]) -> str:
    location = [str(part) for part in item["loc"]]
    path = ".".join(location)
    parent, name = location[:-1], location[-1] if location else ""
    if item["type"] == "extra_forbidden":
        hint = ""
        if close := difflib.get_close_matches(name, _names_in(parent), n=1, cutoff=0.6):
            hint = f" Did you mean {close[0]}?"
        elif elsewhere := [p for p in setting_paths() if p.endswith(f".{name}")]:
            hint = f" Did you mean {elsewhere[0]}?"
        else:
            hint = f" There are: {', '.join(_names_in(parent))}."
        return f"{place(path)}  {path} is not a setting.{hint}"
    if item["type"] == "value_error":
        where = path or "settings"
        return f"{place(path)}  {where}: {item['ctx']['error']!s}."
    field = _field(location)
    meaning = f" It is {_with_article(field.description)}." if field is not None else ""
    return f"{place(path)}  {path} = {_shown(item['input'])}: {_must(item)}.{meaning}"


def _must(item: Any) -> str:
    context = item.get("ctx", {})
    match item["type"]:
        case "greater_than":
            return f"must be above {context['gt']:g}"
        case "greater_than_equal":
            return f"must be {context['ge']:g} or more"
        case "less_than":
            return f"must be below {context['lt']:g}"
        case "less_than_equal":
            return f"must be {context['le']:g} or less"
        case "literal_error":
            return f"must be {context['expected']}"
        case "finite_number":
            return "must be a finite number"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a section"
        case kind if kind.endswith(("_type", "_parsing")):
            words = {"float": "a number", "int": "a whole number", "string": "text in quotes",
                     "bool": "true or false"}  # fmt: skip
            return f"must be {words.get(kind.split('_')[0], kind.split('_')[0])}"
        case _:
            message: str = item["msg"]
            return message[0].lower() + message[1:]


def _shown(value: Any) -> str:
    try:
        return json.dumps(value)
    except TypeError:
        return repr(value)


def _with_article(description: str | None) -> str:
    text = description or "a setting"
    if re.match(r"^(the|a|an|how|which|what|where|whether|from|fees|opposite) ", text):
        return text
    return f"the {text}"


def _model_at(location: list[str]) -> type[BaseModel] | None:
    model: type[BaseModel] | None = Settings
    for name in location:
        if model is None or name not in model.model_fields:
            return None
        annotation = model.model_fields[name].annotation
        model = (
            annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel)
            else None
        )
    return model


def _names_in(location: list[str]) -> list[str]:
    model = _model_at(location)
    return list(model.model_fields) if model is not None else []


def _field(location: list[str]) -> FieldInfo | None:
    parent = _model_at(location[:-1])
    return parent.model_fields.get(location[-1]) if parent is not None and location else None


def setting_paths() -> list[str]:
    """Return the dotted path of every setting."""
    return list(_walk(Settings, ""))


def _walk(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _walk(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"

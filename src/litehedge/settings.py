"""Settings are read from TOML text, then the environment, then the command line.

Every mistake is reported at once, with file line, dotted path, near-miss name and meaning. This
module touches no file and no environment itself: both come in as arguments.

An environment variable ``LITEHEDGE_POSITION__LEVERAGE=20`` sets ``position.leverage``.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
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

    def source(path: str) -> str:
        return f"from {place(path)}" if path in origins or path in lines else "the default"

    settings = None
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += [_explain(item, place, source) for item in error.errors()]
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
    except RecursionError:
        raise ConfigError(f"{where}  is nested too deeply", "nothing was started") from None
    except ValueError as error:  # bad TOML, or a number with thousands of digits
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


_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)|(?P<newline>\n)|(?P<mark>[\[\]{},=.])"""
    r"""|(?P<text>"{3}(?:\\.|[^\\])*?"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
    r"""|(?P<bare>[^\s\[\]{},=\#"'.]+|.)""",
    re.DOTALL,
)


def places_of(text: str) -> dict[str, int]:
    """Return the line of each dotted path in valid TOML, elements of lists by their number.

    Unlike `lines_of` it looks into lists: ``rules.0.when_all.2``.
    """
    return _Places(text).found


class _Places:
    """Walks over the tokens of valid TOML. Text that is not is walked to its end all the same."""

    def __init__(self, text: str) -> None:
        self.found: dict[str, int] = {}
        self._tables: dict[str, int] = {}  # number of the last element of each list of tables
        self._tokens: list[tuple[str, str, int]] = []
        self._at = 0
        line = 1
        for token in _TOKEN.finditer(text):
            if token.lastgroup != "space":
                self._tokens.append((token.lastgroup or "", token[0], line))
            line += token[0].count("\n")
        self._tokens.append(("end", "", line))
        section = ""
        while self._kind != "end":
            if self._kind == "newline":
                self._at += 1
            elif self._text == "[":
                section = self._header()
            else:
                self._pair(section)

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _text(self) -> str:
        return self._tokens[self._at][1]

    def _next(self) -> None:
        self._at = min(self._at + 1, len(self._tokens) - 1)

    def _note(self, path: str) -> None:
        self.found.setdefault(path, self._tokens[self._at][2])

    def _key(self, stops: str) -> list[str]:
        parts = []
        while self._kind not in ("end", "newline") and self._text not in stops:
            if self._text != ".":
                parts.append(self._text.strip("\"'"))
            self._next()
        return parts

    def _header(self) -> str:
        self._next()
        is_list = self._text == "["
        if is_list:
            self._next()
        begun = self._at
        path = ""
        parts = self._key("]")
        for number, part in enumerate(parts):
            path = f"{path}.{part}" if path else part
            if is_list and number == len(parts) - 1:
                self._tables[path] = self._tables.get(path, -1) + 1
            if path in self._tables:
                path = f"{path}.{self._tables[path]}"
        here, self._at = self._at, begun
        self._note(path)
        self._at = here
        while self._kind not in ("end", "newline"):
            self._next()
        return path

    def _pair(self, section: str) -> None:
        begun = self._at
        path = ".".join(self._key("="))
        path = f"{section}.{path}" if section else path
        here, self._at = self._at, begun
        self._note(path)
        self._at = here
        self._next()
        self._value(path)

    def _value(self, path: str) -> None:
        self._note(path)
        opening = self._text
        if opening not in ("[", "{"):
            while self._kind not in ("end", "newline") and self._text not in (",", "]", "}"):
                self._next()
            return
        closing = "]" if opening == "[" else "}"
        self._next()
        number = 0
        while self._kind != "end" and self._text != closing:
            if self._kind == "newline" or self._text in (",", "=", "]", "}"):
                self._next()
            elif opening == "[":
                self._value(f"{path}.{number}")
                number += 1
            else:
                self._pair(path)
        self._next()


# --- for forms --------------------------------------------------------------------------------


def mistakes(tree: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is wrong with settings by dotted path, all of it; a contradiction at each path.

    What is wrong is left out and the rest looked at again, so that one mistake does not hide
    another. A path that is a section stands for what belongs to no single setting.
    """
    found: dict[str, list[str]] = {}
    rest: dict[str, Any] = copy.deepcopy(dict(tree))
    wrong: set[str] = set()
    while True:
        try:
            Settings.model_validate(rest)
        except ValidationError as error:
            before = len(wrong)
            for item in error.errors():
                paths, text = _placed(item)
                if item["type"] == "value_error" and wrong & set(paths):
                    continue
                for path in paths:
                    if text not in found.setdefault(path, []):
                        found[path].append(text)
                wrong |= set(paths)
                for path in paths:
                    _drop(rest, path.split("."))
            if len(wrong) > before:
                continue
        return found


def _placed(item: Any) -> tuple[list[str], str]:
    """Return the settings that a mistake belongs to, and what it says beside their fields."""
    location = [str(part) for part in item["loc"]]
    location = location[:2]  # without the number of a list's element
    path = ".".join(location)
    if item["type"] == "extra_forbidden":
        return [path], f"is not a setting.{near_miss(location[-1], _names_in(location[:-1]))}"
    if item["type"] != "value_error":
        field = _field(location)
        return [path], f"{_must(item)}{_sane(field) if item['type'] in _BOUNDS else ''}."
    text = f"{item['ctx']['error']!s}."
    paths = list(getattr(item["ctx"]["error"], "paths", ()))
    known = setting_paths()
    words = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)?", text))
    paths = paths or [p for p in known if p.startswith(path) and words & {p, p.split(".")[-1]}]
    return paths or [path], text


def _drop(tree: dict[str, Any], location: list[str]) -> None:
    node: Any = tree
    for name in location[:-1]:
        if not isinstance(node.get(name), dict):
            node.pop(name, None)
            return
        node = node[name]
    node.pop(location[-1], None)


# --- explaining -------------------------------------------------------------------------------


def near_miss(name: str, names: Iterable[str], *, or_all: bool = True) -> str:
    """Return `` Did you mean x?`` for the nearest of `names`, else all of them, or nothing."""
    there = list(names)
    if close := difflib.get_close_matches(name, there, n=1, cutoff=0.6):
        return f" Did you mean {close[0]}?"
    return f" There are: {', '.join(there)}." if or_all else ""


def _explain(item: Any, place: Callable[[str], str], source: Callable[[str], str]) -> str:
    location = [str(part) for part in item["loc"]]
    path = ".".join(location)
    parent, name = location[:-1], location[-1] if location else ""
    if item["type"] == "extra_forbidden":
        hint = near_miss(name, _names_in(parent), or_all=False)
        if not hint and (elsewhere := [p for p in setting_paths() if p.endswith(f".{name}")]):
            hint = f" Did you mean {elsewhere[0]}?"
        hint = hint or near_miss(name, _names_in(parent))
        return f"{place(path)}  {path} is not a setting.{hint}"
    if item["type"] == "value_error":
        where = path or "settings"
        paths: tuple[str, ...] = getattr(item["ctx"]["error"], "paths", ())
        if paths:
            told = [f"{name} is {source(name)}" for name in paths]
            given = [name for name in paths if source(name) != "the default"]
            at = place(given[0] if given else path)
            return f"{at}  {where}: {item['ctx']['error']!s} ({'; '.join(told)})."
        return f"{place(path)}  {where}: {item['ctx']['error']!s}."
    field = _field(location)
    meaning = f" It is {_with_article(field.description)}." if field is not None else ""
    example = _sane(field) if item["type"] in _BOUNDS else ""
    return f"{place(path)}  {path} = {shown_value(item['input'])}: {_must(item)}{example}.{meaning}"


_BOUNDS: Final = (
    "greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number",
)  # fmt: skip


def _sane(field: FieldInfo | None) -> str:
    """Return a value that is sane, the default, where a number is out of its range."""
    if field is None or isinstance(field.default, bool | str | tuple):
        return ""
    return f"; for example {field.default:g}"


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


def shown_value(value: Any) -> str:
    """Write a value from a file as JSON would, and as Python would where that has no word."""
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

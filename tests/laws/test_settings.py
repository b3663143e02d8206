"""Settings: what is written is read; every mistake says where it is and what the setting means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from litehedge.config import Settings, json_schema
from litehedge.errors import ConfigError
from litehedge.settings import load_settings, setting_paths


def leaves() -> dict[str, tuple[FieldInfo, dict[str, Any]]]:
    """Every setting with its field and its JSON schema."""
    schema = json_schema()
    found = {}
    for path in setting_paths():
        section, name = path.split(".")
        model = Settings.model_fields[section].annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        here = schema["$defs"][model.__name__]["properties"][name]
        found[path] = (model.model_fields[name], here)
    return found


LEAVES = leaves()
ADDRESSES: dict[str, st.SearchStrategy[Any]] = {
    "feeds.litecoin_rpc": st.sampled_from(["", "http://127.0.0.1:9332", "https://node.example"]),
    "feeds.litecoin_zmq": st.sampled_from(["", "tcp://127.0.0.1:28332"]),
    "alerts.heartbeat_url": st.just(""),  # a secret: it is in no journal
    "alerts.quiet_hours": st.sampled_from(["", "22-6"]),
    "feeds.rss": st.lists(st.sampled_from(["https://a.example/rss", "http://b"])).map(tuple),
}
"""Settings that take no other text than an address."""


def values(here: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that a setting allows."""
    if here.get("type") == "array":
        return st.lists(values(here["items"]), max_size=3).map(tuple)
    if "enum" in here:
        return st.sampled_from(here["enum"])
    if here["type"] == "string":
        return st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=12)
    if here["type"] == "boolean":
        return st.booleans()
    low = here.get("minimum", here.get("exclusiveMinimum", 0))
    high = here.get("maximum", here.get("exclusiveMaximum", 1e9))
    if here["type"] == "integer":
        return st.integers(int(low), int(min(high, 10_000)))
    return st.floats(
        low, high, exclude_min="minimum" not in here, exclude_max="exclusiveMaximum" in here
    )


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """Some settings with values that each of them allows."""
    return {
        p: draw(ADDRESSES[p] if p in ADDRESSES else values(here))
        for p, (_, here) in LEAVES.items()
        if draw(st.booleans())
    }


def toml(tree: dict[str, Any]) -> str:
    sections: dict[str, list[str]] = {}
    for path, value in tree.items():
        section, name = path.split(".")
        if isinstance(value, str):  # JSON's strings are TOML's, but for the escaped delete
            text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        elif isinstance(value, bool | tuple):
            text = json.dumps(value)
        else:
            text = repr(value)
        sections.setdefault(section, []).append(f"{name} = {text}")
    return "\n".join(f"[{name}]\n" + "\n".join(lines) for name, lines in sections.items())


def flat(settings: Settings) -> dict[str, Any]:
    return {p: getattr(getattr(settings, p.split(".")[0]), p.split(".")[1]) for p in LEAVES}


def is_contradiction(tree: dict[str, Any]) -> bool:
    """Values that are fine alone may not be fine together."""
    full = {**flat(Settings()), **tree}
    return (
        full["limits.max_orders_per_minute"] > full["limits.max_orders_per_day"]
        or full["limits.daily_cost_share"] > full["limits.weekly_cost_share"]
        or full["limits.collar_bps"] <= full["costs.half_spread_bps"]
        or full["limits.max_hedge_notional_usdt"] < full["venue.min_notional_usdt"]
        or full["transfer.min_usdt"] > full["transfer.max_per_day_usdt"]
        or not full["health.target_ratio"]
        < full["health.trigger_ratio"]
        < full["health.stop_ratio"]
        or full["transfer.target_ratio"] >= full["transfer.trigger_ratio"]
        or full["transfer.fee_usdt"] >= full["transfer.min_usdt"]
        or full["plugin.release_probability"] >= full["plugin.enter_probability"]
        or (full["position.margin_mode"], full["hedge.location"]) == ("isolated", "same_account")
    )


def complaints(text: str = "", **sources: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_settings(text, **sources)
    assert refused.value.remedy == "nothing was started"
    return refused.value.what.splitlines()


# --- round trips ------------------------------------------------------------------------------


@given(trees())
def test_what_is_written_is_read(tree: dict[str, Any]) -> None:
    if is_contradiction(tree):
        assert complaints(toml(tree))
        return
    loaded = load_settings(toml(tree))
    assert flat(loaded) == {**flat(Settings()), **tree}
    assert load_settings(toml(flat(loaded))) == loaded
    assert Settings.model_validate(json.loads(loaded.model_dump_json())) == loaded


@given(trees())
def test_the_environment_says_the_same_as_the_file(tree: dict[str, Any]) -> None:
    if is_contradiction(tree):
        return
    environ = {
        f"LITEHEDGE_{path.upper().replace('.', '__')}": json.dumps(value, ensure_ascii=False)
        for path, value in tree.items()
        if "\x7f" not in str(value)
    }
    kept = {p: v for p, v in tree.items() if "\x7f" not in str(v)}
    assert load_settings("", environ) == load_settings(toml(kept))


def test_nothing_gives_the_defaults() -> None:
    assert load_settings() == Settings()
    assert set(LEAVES) == set(setting_paths())


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(Exception, match="frozen"):
        Settings().position.leverage = 3.0  # type: ignore[misc]


# --- who wins ---------------------------------------------------------------------------------


def test_the_command_line_outranks_the_environment_and_that_the_file() -> None:
    text = "[position]\nleverage = 2.0\nside = 'short'\nwallet_usdt = 5.0"
    environ = {"LITEHEDGE_POSITION__LEVERAGE": "3", "LITEHEDGE_POSITION__WALLET_USDT": "6.5"}
    got = load_settings(text, environ, {"position.leverage": 4.0, "position.side": None}).position
    assert (got.leverage, got.side, got.wallet_usdt) == (4.0, "short", 6.5)


def test_other_variables_are_left_alone() -> None:
    environ = {"LITEHEDGE_HOME": "/x", "HOME": "/y", "OTHER__LEVERAGE": "3", "LITEHEDGE": "__"}
    assert load_settings("", environ) == Settings()


def test_plain_text_in_the_environment_needs_no_quotes() -> None:
    got = load_settings("", {"LITEHEDGE_POSITION__SIDE": "short"})
    assert got.position.side == "short"


# --- mistakes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", LEAVES)
def test_a_wrong_type_is_told_with_line_path_and_meaning(path: str) -> None:
    field, here = LEAVES[path]
    section, name = path.split(".")
    wrong = "true" if here["type"] == "string" else "'many'"
    [line] = complaints(f"# settings\n[{section}]\n\n{name} = {wrong}", where="my.toml")
    assert line.startswith(f"my.toml:4  {path} = ")
    assert "must be" in line
    assert field.description is not None
    assert line.endswith(f"{field.description}.")


@pytest.mark.parametrize(
    "path",
    [p for p, (_, h) in LEAVES.items() if {"minimum", "exclusiveMinimum"} & set(h)],
)
def test_a_number_out_of_range_is_told_with_the_range(path: str) -> None:
    _, here = LEAVES[path]
    section, name = path.split(".")
    [line] = complaints(f"[{section}]\n{name} = -1", where="my.toml")
    assert line.startswith(f"my.toml:2  {path} = -1: must be ")
    top = here.get("maximum", here.get("exclusiveMaximum"))
    if top is not None:
        [line] = complaints(f"[{section}]\n{name} = {int(top) + 1}", where="my.toml")
        assert f"{top:g}" in line
    for infinite in ("inf", "nan"):
        [line] = complaints(f"[{section}]\n{name} = {infinite}")
        assert f"{path} = " in line


@pytest.mark.parametrize("path", LEAVES)
def test_a_near_miss_is_recognised(path: str) -> None:
    section, name = path.split(".")
    [line] = complaints(f"[{section}]\n{name}x = 1")
    assert line.startswith(f"litehedge.toml:2  {section}.{name}x is not a setting.")
    assert f"Did you mean {name}?" in line


def test_a_setting_in_the_wrong_section_is_recognised() -> None:
    [line] = complaints("[hedge]\nleverage = 5.0")
    assert line.endswith("Did you mean position.leverage?")


def test_a_stranger_is_answered_with_what_there_is() -> None:
    [line] = complaints("[model]\nzzz = 1")
    assert line == "litehedge.toml:2  model.zzz is not a setting. There are: name, learns."


def test_every_mistake_is_told_at_once() -> None:
    text = "[position]\nleverage = 0\nsidee = 'long'\n[costs]\nimpact = -1\n[nonsense]\nx = 1"
    environ = {"LITEHEDGE_HEDGE__MAX_RATIO": "7"}
    lines = complaints(text, environ=environ, overrides={"hedge.location": "moon"})
    places = sorted(line.split("  ")[0] for line in lines)
    assert places == [
        "--location", "LITEHEDGE_HEDGE__MAX_RATIO", "litehedge.toml:2", "litehedge.toml:3",
        "litehedge.toml:5", "litehedge.toml:6",
    ]  # fmt: skip


def test_contradictions_are_told() -> None:
    [line] = complaints("[limits]\nmax_orders_per_minute = 30\nmax_orders_per_day = 20")
    assert "max_orders_per_minute is above max_orders_per_day" in line
    [line] = complaints("[transfer]\nmin_usdt = 300\nmax_per_day_usdt = 200")
    assert "min_usdt is above max_per_day_usdt" in line
    [line] = complaints("[plugin]\nrelease_probability = 0.5")
    assert "release_probability must be below enter_probability" in line
    [line] = complaints("[transfer]\ntrigger_ratio = 0.05")
    assert "target_ratio must be below trigger_ratio" in line
    [line] = complaints("[transfer]\nfee_usdt = 30")
    assert "fee_usdt must be below min_usdt" in line


def test_a_contradiction_says_where_each_part_came_from() -> None:
    [line] = complaints(
        "[limits]\ndaily_cost_share = 0.2", environ={"LITEHEDGE_LIMITS__WEEKLY_COST_SHARE": "0.15"}
    )
    assert line == (
        "litehedge.toml:2  limits: daily_cost_share is above weekly_cost_share, of which a day is "
        "a part; for example 0.03 and 0.1 (limits.daily_cost_share is from litehedge.toml:2; "
        "limits.weekly_cost_share is from LITEHEDGE_LIMITS__WEEKLY_COST_SHARE)."
    )
    [line] = complaints("[costs]\nhalf_spread_bps = 200", where="my.toml")
    assert line.startswith("my.toml:2  settings: the collar ends inside the spread")
    assert line.endswith(
        "for example 150 and 1 (limits.collar_bps is the default; costs.half_spread_bps is "
        "from my.toml:2)."
    )
    [line] = complaints(environ={"LITEHEDGE_LIMITS__MAX_HEDGE_NOTIONAL_USDT": "19"})
    assert line.startswith("LITEHEDGE_LIMITS__MAX_HEDGE_NOTIONAL_USDT  settings: the largest hedge")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("min_margin_buffer", "1.0", "must be below 1; for example 0.1"),
        ("min_margin_buffer", "-0.1", "must be 0 or more; for example 0.1"),
        ("equity_stop_share", "1.5", "must be below 1; for example 0.05"),
        ("max_ratio_per_minute", "0", "must be above 0; for example 1"),
        ("max_orders_per_minute", "0", "must be 1 or more; for example 6"),
        ("max_orders_per_day", "-3", "must be 1 or more; for example 200"),
        ("max_leverage", "nan", "must be a finite number; for example 40"),
        ("max_leverage", "1000", "must be 250 or less; for example 40"),
        ("weekly_cost_share", "7", "must be 1 or less; for example 0.1"),
        ("collar_bps", "0", "must be above 0; for example 150"),
        ("max_clock_skew_ms", "0", "must be above 0; for example 1500"),
    ],
)
def test_an_impossible_limit_is_refused_with_a_sane_one(name: str, value: str, said: str) -> None:
    for line in (
        *complaints(f"[limits]\n{name} = {value}", where="my.toml"),
        *complaints(environ={f"LITEHEDGE_LIMITS__{name.upper()}": value}),
    ):
        assert f"limits.{name} = " in line
        assert said in line


@pytest.mark.parametrize(
    ("text", "line"), [("[position\n", 1), ("a = 1\nb = = 2", 2), ("[a]\nx = 1\nx = 2\ny = 3", 3)]
)
def test_what_is_not_toml_is_told_with_its_line(text: str, line: int) -> None:
    [told] = complaints(text, where="my.toml")
    assert told.startswith(f"my.toml:{line}  is not valid TOML")


def test_a_section_that_is_a_value() -> None:
    [line] = complaints("position = 3")
    assert line.startswith("litehedge.toml:1  position = 3: must be a section")
    lines = complaints("position = 3", environ={"LITEHEDGE_POSITION__SIDE": "long"})
    assert any("position is not a section" in line for line in lines)


# --- the schema -------------------------------------------------------------------------------


def test_the_json_schema_describes_every_setting() -> None:
    schema = json_schema()
    json.dumps(schema)
    for path, (field, here) in LEAVES.items():
        assert here["description"] == field.description, path
        assert here["default"] == json.loads(json.dumps(field.default)), path
    for section in schema["properties"].values():
        assert section["description"]
    for model in schema["$defs"].values():
        assert model["additionalProperties"] is False

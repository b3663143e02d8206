"""Scenarios: they add, packaged ones hold their ranges, every mistake is told with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import ConfigError
from litehedge.sim.market.parameters import REGIME_NAMES, Parameters
from litehedge.sim.market.shocks import SHOCK, Shock
from litehedge.sim.scenario import (
    LONGEST_S,
    SIZES,
    Scenario,
    ScenarioShock,
    compose,
    load_scenario,
    parse_scenario,
    scenario_names,
    shocks_array,
)

NOTHING = Scenario(name="nothing", about="Nothing happens.")
RANGES = {
    name: (here["minimum"], here["maximum"])
    for name, here in Parameters.model_json_schema()["properties"].items()
}
SIZED = [kind for kind, allowed in SIZES.items() if allowed is not None]
UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def sizes(kind: Shock) -> st.SearchStrategy[Any]:
    """Any size that a kind of shock allows."""
    allowed = SIZES[kind]
    if allowed is None:
        return st.none()
    if kind == Shock.REGIME:
        return st.one_of(st.sampled_from(REGIME_NAMES), st.integers(0, len(REGIME_NAMES) - 1))
    return st.floats(allowed.low, allowed.high)


def durations(least: int) -> st.SearchStrategy[str]:
    """Any duration in seconds, and some in longer units."""
    return st.one_of(
        st.integers(least, LONGEST_S).map(lambda n: f"{n}s"),
        st.builds(lambda n, unit: f"{n}{unit}", st.integers(least, 500), st.sampled_from([*UNITS])),
    )


@st.composite
def some_shocks(draw: st.DrawFn) -> dict[str, Any]:
    """A shock as it is written."""
    kind = draw(st.sampled_from(Shock))
    written = {"kind": kind.name.lower(), "at": draw(durations(0)), "lasts": draw(durations(1))}
    size = draw(sizes(kind))
    return written if size is None else {**written, "size": size}


def some_parameters() -> st.SearchStrategy[dict[str, float]]:
    """Some parameters within their ranges."""
    values = {name: st.floats(low, high) for name, (low, high) in RANGES.items()}
    return st.fixed_dictionaries({}, optional=values)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """A scenario as it is written."""
    words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1)
    return {
        "name": draw(words),
        "about": draw(words),
        "parameters": draw(some_parameters()),
        "shocks": draw(st.lists(some_shocks(), max_size=5)),
    }


def scenarios() -> st.SearchStrategy[Scenario]:
    return trees().map(Scenario.model_validate)


def toml(tree: dict[str, Any]) -> str:
    def written(values: dict[str, Any]) -> Iterator[str]:
        for name, value in values.items():
            # JSON's strings are TOML's
            text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
            yield f"{name} = {text}"

    plain = {name: tree[name] for name in ("name", "about")}
    lines = [*written(plain), "[parameters]", *written(tree["parameters"])]
    for shock in tree["shocks"]:
        lines += ["[[shocks]]", *written({n: v for n, v in shock.items() if v is not None})]
    return "\n".join(lines)


def refusal(text: str, where: str = "my.toml") -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse_scenario(text, where)
    assert refused.value.remedy == "nothing was started"
    return refused.value.what.splitlines()


def one_shock(**written: Any) -> str:
    return toml({"name": "x", "about": "y", "parameters": {}, "shocks": [written]})


# --- scenarios add ----------------------------------------------------------------------------


def test_no_scenario_is_the_usual_world() -> None:
    assert compose([]) == (Parameters(), [])
    assert compose([NOTHING]) == (Parameters(), [])


@given(scenarios())
def test_adding_nothing_changes_nothing(scenario: Scenario) -> None:
    alone = compose([scenario])
    assert compose([scenario, NOTHING]) == compose([NOTHING, scenario]) == alone
    parameters, shocks = alone
    assert parameters == Parameters(**scenario.overrides)
    assert len(shocks) == len(scenario.shocks)
    assert all(shock in scenario.shocks for shock in shocks)


@given(st.lists(st.lists(some_shocks(), max_size=3), min_size=2, max_size=3), st.integers(0, 10**9))
def test_the_order_of_scenarios_does_not_matter(
    written: list[list[dict[str, Any]]], begin_s: int
) -> None:
    given_ones = [
        Scenario.model_validate({"name": str(i), "about": "x", "shocks": shocks})
        for i, shocks in enumerate(written)
    ]
    expected = compose(given_ones)
    array = shocks_array(expected[1], begin_s)
    for order in permutations(given_ones):
        assert compose(order) == expected
        mixed = [shock for scenario in order for shock in scenario.shocks]
        assert shocks_array(mixed, begin_s).tobytes() == array.tobytes()


@given(some_parameters(), some_parameters())
def test_what_any_of_them_sets_is_set(first: dict[str, float], second: dict[str, float]) -> None:
    left = Scenario(name="left", about="x", parameters=Parameters(**first))
    right = Scenario(name="right", about="x", parameters=Parameters(**second))
    differ = {name for name in first.keys() & second.keys() if first[name] != second[name]}
    if not differ:
        assert compose([left, right])[0] == Parameters(**(second | first))
        return
    with pytest.raises(ConfigError) as refused:
        compose([left, right])
    lines = refused.value.what.splitlines()
    assert {line.split(":")[0].removeprefix("parameters.") for line in lines} == differ
    assert all("left sets" in line and "right sets" in line for line in lines)


def test_a_default_that_was_set_is_an_override() -> None:
    default = Parameters().beta
    usual = Scenario(name="usual", about="x", parameters=Parameters(beta=default))
    other = Scenario(name="other", about="x", parameters=Parameters(beta=2.0))
    assert usual.overrides == {"beta": default}
    assert compose([usual, usual])[0] == Parameters()
    with pytest.raises(ConfigError) as refused:
        compose([usual, other])
    assert refused.value.what == f"parameters.beta: usual sets {default:g}, other sets 2"
    assert refused.value.remedy == "leave one out, or write a scenario that decides"


# --- what kernels see -------------------------------------------------------------------------


@given(scenarios(), st.integers(0, 10**9))
def test_rows_come_by_start_and_begin_with_the_scenario(scenario: Scenario, begin_s: int) -> None:
    rows = shocks_array(scenario.shocks, begin_s)
    assert rows.dtype == SHOCK
    assert rows.shape == (len(scenario.shocks),)
    assert np.all(np.diff(rows["start_s"]) >= 0)
    assert np.all(rows["start_s"] >= begin_s)
    assert np.all(rows["stop_s"] > rows["start_s"])
    later = shocks_array(scenario.shocks, begin_s + 7)
    assert np.all(later["start_s"] - rows["start_s"] == 7)
    assert np.all(later["stop_s"] - rows["stop_s"] == 7)


def test_an_example_of_rows() -> None:
    shocks = [
        ScenarioShock(kind="outage", at="1.5min", lasts="1h"),
        ScenarioShock(kind="regime", lasts="2d", size="storm"),  # type: ignore[arg-type]
        ScenarioShock(kind="depth", at="0min", lasts="2.3min", size=0.1),
    ]
    assert shocks_array(shocks, 100).tolist() == [
        (Shock.DEPTH, 100, 238, 0.1), (Shock.REGIME, 100, 172_900, 3.0),
        (Shock.OUTAGE, 190, 3790, 0.0),
    ]  # fmt: skip


@given(st.integers(0, 3000), st.sampled_from([*UNITS]))
def test_durations_are_exact_to_the_second(number: int, unit: str) -> None:
    """Tenths of a minute are whole seconds, whatever their binary fractions are."""
    text, seconds = f"{number / 10:.1f}{unit}", number * UNITS[unit] / 10
    tree = {"kind": "freeze", "at": text, "lasts": "1s"}
    if seconds.is_integer() and seconds <= LONGEST_S:
        assert ScenarioShock.model_validate(tree).span_s == (seconds, seconds + 1)
    else:
        with pytest.raises(ValueError, match=r"whole seconds|3650d"):
            ScenarioShock.model_validate(tree)


# --- reading ----------------------------------------------------------------------------------


@given(trees())
def test_what_is_written_is_read(tree: dict[str, Any]) -> None:
    scenario = parse_scenario(toml(tree), "x.toml")
    assert scenario == Scenario.model_validate(tree)
    assert scenario.overrides == tree["parameters"]
    again = parse_scenario(toml(scenario.model_dump()), "y.toml")
    assert again == scenario
    assert again.overrides == scenario.overrides
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario


def test_the_packaged_scenarios() -> None:
    assert scenario_names() == [
        "crash-2025-10", "crossed-prices", "exchange-outage", "flash-crash", "frozen-feed",
        "funding-shock", "regime-break", "short-squeeze", "slow-grind", "squeeze-that-never-comes",
    ]  # fmt: skip


@pytest.mark.parametrize("name", scenario_names())
def test_a_packaged_scenario_does_something_within_its_ranges(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.about.endswith(".")
    assert 1 <= scenario.about.count(". ") + 1 <= 2
    assert scenario.shocks or scenario.overrides
    usual = Parameters().model_dump()
    for parameter, value in scenario.overrides.items():
        low, high = RANGES[parameter]
        assert low <= value <= high
        assert value != usual[parameter]
    for shock in scenario.shocks:
        allowed = SIZES[shock.shock]
        if allowed is None:
            assert shock.size is None
        else:
            assert shock.size is not None
            assert allowed.low <= shock.size <= allowed.high
    assert shocks_array(scenario.shocks, 0)["start_s"].min() == 0


@pytest.mark.parametrize("name", scenario_names())
def test_regimes_of_a_packaged_scenario_do_not_overlap(name: str) -> None:
    rows = shocks_array(load_scenario(name).shocks, 0)
    rows = rows[rows["kind"] == Shock.REGIME]
    assert np.all(rows["stop_s"][:-1] <= rows["start_s"][1:])


def test_a_flash_crash_returns_in_full_and_the_crash_in_part() -> None:
    def moves(name: str) -> np.ndarray[Any, Any]:
        rows = shocks_array(load_scenario(name).shocks, 0)
        return rows[np.isin(rows["kind"], [Shock.OWN_MOVE, Shock.BTC_MOVE])]["size"]

    assert moves("flash-crash").sum() == 0
    crash = moves("crash-2025-10")
    assert 0 < crash[crash > 0].sum() < -crash[crash < 0].sum()


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_file_is_read_and_named_by_its_path(tmp_path: Path, as_path: Any) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(one_shock(kind="freeze", lasts="1s").replace('name = "x"\n', ""), "utf-8")
    scenario = load_scenario(as_path(file))
    assert (scenario.name, len(scenario.shocks)) == ("mine", 1)
    file.write_text('about = "x"\nbeta = 1', encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_scenario(as_path(file))
    assert refused.value.what.startswith(f"{file}:2  beta is not known here.")


def test_scenarios_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        NOTHING.name = "else"  # type: ignore[misc]


# --- mistakes ---------------------------------------------------------------------------------

HEAD = 'about = "x"\n'
DEPTH = HEAD + '[[shocks]]\nkind = "depth"\nlasts = "9s"\n'
REGIME = DEPTH.replace("depth", "regime")
OUTAGE = DEPTH.replace("depth", "outage")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # kinds
        (DEPTH.replace("depth", "detph"), ["3  shocks.0.kind =", '"detph"', "mean depth?"]),
        (DEPTH.replace("depth", "DEPTH"), ["3  shocks.0.kind =", "mean depth?"]),
        (DEPTH.replace("depth", "zzz"), ["3  shocks.0.kind =", "There are: btc_move, own_move"]),
        (HEAD + '[[shocks]]\nlasts = "9s"', ["2  shocks.0.kind is missing"]),
        # sizes
        (DEPTH + "size = 20", ["5  shocks.0.size = 20", "0.001 to 10", "share of depth", "empty"]),
        (DEPTH + "size = 0", ["5  shocks.0.size = 0: must be a number from 0.001 to 10"]),
        (DEPTH + "size = nan", ["5  shocks.0.size = NaN: must be a number from"]),
        (DEPTH + "size = true", ["5  shocks.0.size = true: must be a number from"]),
        (DEPTH + "size = 'half'", ['5  shocks.0.size = "half": must be a number from']),
        (DEPTH + f"size = 1{'0' * 400}", ["5  shocks.0.size = 1", "must be a number from"]),
        (DEPTH, ["2  shocks.0.size is missing: must be a number from 0.001 to 10"]),
        (OUTAGE + "size = 1", ["5  shocks.0.size = 1: must be left out", "outage takes no size"]),
        # regimes
        (REGIME + "size = 'strom'", ['5  shocks.0.size = "strom"', "calm, greed", "mean storm?"]),
        (REGIME + "size = 5", ["5  shocks.0.size = 5: must be a number from 0 to 4", "calm"]),
        (REGIME + "size = 2.5", ["5  shocks.0.size = 2.5", "calm, greed, fear, storm, thin"]),
        # durations
        (OUTAGE.replace("9s", "-5min"), ["4  shocks.0.lasts", "not a duration", "90s"]),
        (OUTAGE.replace("9s", "0s"), ["4  shocks.0.lasts", "not a duration above zero"]),
        (OUTAGE.replace("9s", "9x"), ["4  shocks.0.lasts", "not a duration", "90s"]),
        (OUTAGE.replace("9s", "1500ms"), ["4  shocks.0.lasts", "whole seconds", "because"]),
        (OUTAGE.replace("9s", "0.0000001s"), ["4  shocks.0.lasts", "whole seconds"]),
        (OUTAGE.replace("9s", "3651d"), ["4  shocks.0.lasts", "3650d or less"]),
        (OUTAGE.replace("9s", "9" * 400 + "w"), ["4  shocks.0.lasts", "3650d or less"]),
        (OUTAGE.replace('"9s"', "9"), ["4  shocks.0.lasts = 9: must be text in quotes", "90s"]),
        (OUTAGE + 'at = "-1s"', ["5  shocks.0.at", "not a duration"]),
        (OUTAGE + 'at = "0x"', ["5  shocks.0.at", "not a duration"]),
        (HEAD + '[[shocks]]\nkind = "outage"', ["2  shocks.0.lasts is missing", "90s"]),
        # names of keys
        (OUTAGE + "sise = 1", ["5  shocks.0.sise is not known here. Did you mean size?"]),
        (HEAD + "[parameters]\nbeat = 1", ["3  parameters.beat is not known", "mean beta?"]),
        (HEAD + "beta = 1", ["2  beta is not known here. Did you mean parameters.beta?"]),
        (HEAD + "zzz = 1", ["2  zzz is not known here. There are: name, about, parameters"]),
        # parameters
        (HEAD + "[parameters]\nbeta = 4", ["3  parameters.beta = 4", "0 to 3", "move of LTC"]),
        (HEAD + "[parameters]\nbeta = -1", ["3  parameters.beta = -1: must be a number from 0 to"]),
        (HEAD + "[parameters]\nbeta = inf", ["3  parameters.beta = Infinity: must be a number"]),
        (HEAD + "[parameters]\nbeta = '1'", ['3  parameters.beta = "1": must be a number from']),
        (HEAD + "[parameters]\nbeta = true", ["3  parameters.beta = true: must be a number from"]),
        (HEAD + "[parameters]\nbeta = 1979-05-27", ['3  parameters.beta = "1979-05-27": must be']),
        (HEAD + f"parameters.beta = 1{'0' * 400}", ["2  parameters.beta = 1", "from 0 to 3"]),
        # sections and text
        (HEAD + "shocks = 3", ["2  shocks = 3: must be a section", "[[shocks]]"]),
        (HEAD + "shocks = [3]", ["2  shocks.0 = 3: must be a section", "[[shocks]]"]),
        (HEAD + "parameters = 3", ["2  parameters = 3: must be a section", "[parameters]"]),
        ("about = 3", ["1  about = 3: must be text in quotes", "what happens"]),
        ("about = ''", ['1  about = "": must be text in quotes', "what happens"]),
        # not TOML
        (HEAD + "a = = 2", ["2  is not valid TOML"]),
    ],
)
def test_a_mistake_is_told_once_with_its_place(text: str, told: list[str]) -> None:
    [line] = refusal(text)
    assert line.startswith(f"my.toml:{told[0]}")
    for words in told:
        assert words in line
    assert line.endswith((".", "?")) or "TOML" in line
    assert ".." not in line


def test_what_is_missing_in_the_whole_file_has_no_line() -> None:
    assert refusal("") == ["my.toml  about is missing: say what happens, in a sentence or two."]


@pytest.mark.parametrize("kind", SIZED, ids=lambda kind: kind.name.lower())
def test_every_kind_tells_its_range_its_meaning_and_why(kind: Shock) -> None:
    allowed = SIZES[kind]
    assert allowed is not None
    for size in (allowed.low - 1e-3, allowed.high * 1.001):
        [line] = refusal(one_shock(kind=kind.name.lower(), lasts="1s", size=size))
        for words in (f"from {allowed.low:g} to {allowed.high:g}", allowed.meaning, allowed.why):
            assert words in line
    for size in (allowed.low, allowed.high):
        assert parse_scenario(one_shock(kind=kind.name.lower(), lasts="1s", size=size), "x").shocks


def test_every_kind_has_its_range() -> None:
    assert set(SIZES) == set(Shock)


@pytest.mark.parametrize("name", RANGES)
def test_every_parameter_tells_its_range_and_its_meaning(name: str) -> None:
    low, high = RANGES[name]
    meaning = Parameters.model_fields[name].description
    for value in (low - 1, high * 1.001):
        [line] = refusal(f"about = 'x'\n[parameters]\n{name} = {value!r}")
        assert f"must be a number from {low:g} to {high:g} ({meaning};" in line


def test_every_mistake_is_told_at_once_in_the_order_of_the_file() -> None:
    text = '''about = """
[[shocks]]
size = 3
"""
parameters.beta = 9

[[shocks]]
kind = "depht"
size = 1
lasts = "-1s"

  [[shocks]] # the second
kind = "vol"
lasts = "1s"
size = 99
'''
    places = [line.split(" =")[0] for line in refusal(text)]
    assert places == [
        "my.toml:5  parameters.beta", "my.toml:8  shocks.0.kind", "my.toml:10  shocks.0.lasts",
        "my.toml:15  shocks.1.size",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["crash-2025-1", "Crash-2025-10", "crash_2025_10"])
def test_a_typo_in_the_name_suggests_the_near_miss(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_scenario(name)
    assert refused.value.what == f'there is no scenario "{name}"'
    assert refused.value.remedy.startswith("Did you mean crash-2025-10? Use one of crash-2025-10, ")
    assert refused.value.remedy.endswith("squeeze-that-never-comes, or a TOML file")


@pytest.mark.parametrize("name", ["", "zzz", "a\0b", "x.y"])
def test_a_strange_name_is_answered_with_what_there_is(name: str) -> None:
    with pytest.raises(ConfigError, match=r"there is no scenario .*Use one of crash-2025-10, "):
        load_scenario(name)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, reason in [
        (tmp_path / "slow-grid.toml", r"No such file or directory\): Did you mean slow-grind\?"),
        (tmp_path, "Is a directory"),
        (binary, "it is not text in UTF-8"),
        (str(tmp_path / "a\0b"), "it is not text in UTF-8"),
        ("slow-grind.toml", r"No such file or directory\): Did you mean slow-grind\?"),
    ]:
        with pytest.raises(ConfigError, match=rf"cannot be read \({reason}") as refused:
            load_scenario(path)
        assert "Use one of crash-2025-10, " in refused.value.remedy

"""The compiled loop equals the faithful path with rules on: presets, and rules made up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_episode import recording, some_settings
from two_paths import assert_same, both

from litehedge.hedge.policies import policy_named, with_rules
from litehedge.hedge.rule_reading import parse_rules
from litehedge.store.bundled import preset_names, preset_text

BUSY = """
[[rules]]
hedge_at_least = "60 %"
when_any = ["hour between 02:00 and 05:30", { all = ["volatility above 0.2 %", "hedge_now below 50 %"] }]
for = "20 min"
[[rules]]
never_above = "20 %"
when_all = ["equity_left above 80 %", { any = ["leverage_now below 12x", "move_against_15min below 0 %"] }]
[[rules]]
hedge_at_least = "100 %"
when_all = ["distance_to_liquidation below 5 %"]
for = "1 h"
when_unknown = "hedge"
"""  # noqa: E501


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("preset", [*preset_names(), "busy"])
def test_every_preset(preset: str, side: str) -> None:
    rules = parse_rules(BUSY if preset == "busy" else preset_text(preset), preset, preset)
    here = some_settings(side, 8.0)
    policy = with_rules(policy_named(rules.policy or "plugin", here), rules)
    fast, faithful = both(recording(1), here, policy)
    assert_same(fast, faithful, 0.0)
    if preset in ("conservative", "busy"):  # the others do not all find cause in these days
        assert fast.outcomes["trades"].sum() > 0
        plain, _ = both(recording(1), here, policy_named("plugin", here))
        assert plain.path.tobytes() != fast.path.tobytes()
        assert any("Your rule" in d.recommendation.reason for d in faithful.decisions)


@given(
    seed=st.integers(0, 30), name=st.sampled_from(["plugin", "move-3pct", "hazard", "unhedged"]),
    side=st.sampled_from(["long", "short"]), leverage=st.sampled_from([3.0, 8.0, 20.0]),
    location=st.sampled_from(["same_account", "second_venue", "reduce"]),
    max_ratio=st.sampled_from([1.0, 0.55]), moody=st.booleans(),
    preset=st.sampled_from([*preset_names(), "busy"]),
)  # fmt: skip
@settings(max_examples=15)
def test_any_mixture(
    seed: int, name: str, side: str, leverage: float, location: str, max_ratio: float, moody: bool,
    preset: str,
) -> None:  # fmt: skip
    rules = parse_rules(BUSY if preset == "busy" else preset_text(preset), preset, preset)
    here = some_settings(side, leverage, location, max_ratio=max_ratio)
    policy = with_rules(policy_named(name, here), rules)
    fast, faithful = both(recording(seed, moody=moody), here, policy)
    assert_same(fast, faithful, 0.0)

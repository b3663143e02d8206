"""Mistakes beside fields: none hides another, and sound settings have none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.config import Settings
from litehedge.settings import mistakes, setting_paths

BELOW = {"position.leverage": -1.0, "limits.collar_bps": -1.0, "health.retry_s": 0.0,
         "advice.tolerance": 0.9, "limits.max_orders_per_day": 0}  # fmt: skip


def tree(values):
    found = {}
    for path, value in values.items():
        section, leaf = path.split(".")
        found.setdefault(section, {})[leaf] = value
    return found


def test_what_ships_has_no_mistake():
    assert mistakes({}) == {}
    assert mistakes(Settings().model_dump()) == {}


@given(st.sets(st.sampled_from(sorted(BELOW)), min_size=1))
def test_every_mistake_is_told_at_its_own_path(paths):
    assert set(mistakes(tree({path: BELOW[path] for path in paths}))) == paths


def test_a_contradiction_stands_at_both_and_beside_other_mistakes():
    found = mistakes(
        tree({
            "position.leverage": -1.0, "position.margin_mode": "isolated",
            "hedge.location": "same_account", "limits.collar_bps": 0.5,
            "limits.max_orders_per_minute": 50, "limits.max_orders_per_day": 20,
            "limits.max_hedge_notional_usdt": 1.0,
        })
    )  # fmt: skip
    assert set(found) == {
        "position.leverage", "position.margin_mode", "hedge.location", "limits.collar_bps",
        "costs.half_spread_bps", "limits.max_orders_per_minute", "limits.max_orders_per_day",
        "limits.max_hedge_notional_usdt", "venue.min_notional_usdt",
    }  # fmt: skip
    assert found["position.leverage"] == ["must be above 0; for example 5."]


@pytest.mark.parametrize(
    ("path", "value"),
    [("health.target_ratio", 0.7), ("transfer.fee_usdt", 30.0), ("plugin.release_probability", 0.5),
     ("alerts.quiet_hours", "9"), ("feeds.litecoin_rpc", "ftp://x"), ("feeds.extra", ["no"])],
)  # fmt: skip
def test_what_contradicts_a_default_stands_at_settings_not_at_a_section(path, value):
    found = mistakes(tree({path: value}))
    assert path in found
    assert set(found) <= set(setting_paths())


def test_what_is_no_setting_is_told():
    assert "is not a setting" in mistakes({"limits": {"max_leverge": 1.0}})["limits.max_leverge"][0]
    assert mistakes({"limits": 3})["limits"] == ["must be a section."]

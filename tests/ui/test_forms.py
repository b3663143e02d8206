"""The form of the settings: complete, faithful, and honest about what is riskier."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.config import Settings
from litehedge.settings import setting_paths
from litehedge.ui import forms


def test_every_setting_has_a_field_that_says_what_it_is():
    found = forms.fields()
    assert list(found) == setting_paths()
    assert all(field.about and field.hint.endswith(".") for field in found.values())


def test_what_is_shown_reads_back_as_it_was():
    settings = Settings()
    typed = forms.typed_of(settings)
    assert forms.wrong_in(typed) == {}
    assert forms.changed(settings, typed) == {}


NUMBERS = [p for p, field in forms.fields().items() if field.kind == "number"]


@given(st.sampled_from(NUMBERS), st.floats(0.001, 1e9))
def test_a_number_that_was_shown_is_the_number(path, value):
    shown = forms.shown(value, "number")
    assert forms.read({path: shown})[path] == pytest.approx(value, rel=1e-11)


@given(st.text(max_size=12))
def test_nothing_that_is_typed_breaks_the_form(text):
    typed = forms.typed_of(Settings()) | {"position.leverage": text, "limits.max_orders_per_day":
                                          text, "feeds.rss": text}  # fmt: skip
    wrong = forms.wrong_in(typed)
    assert set(wrong) <= set(setting_paths())
    assert isinstance(typed["position.leverage"], str)


def test_kinds_and_ranges_are_those_of_the_schema():
    found = forms.fields()
    assert found["position.side"].choices == ("long", "short")
    assert found["health.enabled"].kind == "switch"
    assert found["alerts.heartbeat_url"].kind == "secret"
    assert found["feeds.rss"].kind == "lines"
    assert found["limits.max_orders_per_day"].kind == "whole"
    assert found["position.leverage"].range == "above 0, up to 125"
    assert found["health.stop_ratio"].range == "above 0, below 1"
    assert found["position.wallet_usdt"].name == "Wallet, USDT"


def test_everything_that_limits_or_protects_is_known_as_riskier_one_way():
    guards = {p for p in setting_paths() if p.split(".")[0] in ("limits", "health", "parachute")}
    assert guards <= forms.UP | forms.DOWN | forms.OFF
    assert set(setting_paths()) >= forms.UP | forms.DOWN | forms.OFF
    assert not forms.UP & forms.DOWN


@pytest.mark.parametrize("path", sorted(forms.UP))
def test_more_needs_the_word_and_less_does_not(path):
    now = forms.value_at(Settings(), path)
    assert forms.riskier(Settings(), {path: now * 2}) == [f"{path}: {now:g} to {now * 2:g}"] or (
        now == 0
    )
    assert forms.riskier(Settings(), {path: now / 2}) == []


@pytest.mark.parametrize("path", sorted(forms.DOWN))
def test_less_of_a_buffer_needs_the_word(path):
    now = forms.value_at(Settings(), path)
    assert forms.riskier(Settings(), {path: now / 2})
    assert not forms.riskier(Settings(), {path: now * 2})


def test_switching_protection_off_needs_the_word():
    assert forms.riskier(Settings(), {"health.enabled": False})
    assert forms.riskier(Settings(), {"hedge.policy": "unhedged"})
    assert not forms.riskier(Settings(), {"hedge.policy": "hazard"})
    off = Settings.model_validate({"health": {"enabled": False}})
    assert not forms.riskier(off, {"health.enabled": True})


def test_a_secret_is_never_shown_and_stays_when_left_empty():
    secret = Settings.model_validate({"alerts": {"heartbeat_url": "https://x.example/abc"}})
    typed = forms.typed_of(secret)
    assert typed["alerts.heartbeat_url"] == ""
    assert forms.changed(secret, typed) == {}
    assert "abc" not in str(typed)

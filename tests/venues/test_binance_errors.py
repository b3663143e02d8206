"""What Binance's refusals mean: the fixtures, and what each message tells."""

from __future__ import annotations

import pytest
from binance_samples import fixture, raw

from litehedge.errors import VenueDown, VenueError, VenueRefused, VenueUnknown, WrongSetup
from litehedge.venues.binance_errors import CODES, error_of, hold_s

EXPECTED = {
    -1121: WrongSetup, -2019: VenueRefused, -2022: VenueRefused, -4061: WrongSetup,
    -4164: VenueRefused, -4014: VenueRefused, -1111: VenueRefused, -4116: VenueUnknown,
    -4024: VenueRefused, -1021: WrongSetup, -4400: VenueRefused, -1125: VenueRefused,
    -1003: VenueDown, -1008: VenueRefused,
}  # fmt: skip


@pytest.mark.parametrize("case", fixture("rest_errors"), ids=lambda c: str(c["body"]))
def test_fixture(case):
    got = error_of(case["http"], raw(case["body"]), "the order", changes=True)
    code = case["body"].get("code")
    if code is not None:
        assert type(got) is EXPECTED[code]
        assert got.code == str(code)
    else:
        failed = case["semantics"] == "FAILED"
        assert type(got) is (VenueDown if failed else VenueUnknown)
    assert case["body"]["msg"].rstrip(".") in str(got)


def test_the_three_meanings_of_503():
    unknown = error_of(503, b'{"msg":"Unknown error, please check"}', "the order", changes=True)
    failed = error_of(503, b'{"msg":"Service Unavailable."}', "the order", changes=True)
    throttled = error_of(503, b'{"code":-1008,"msg":"throttled"}', "the order", changes=True)
    assert type(unknown) is VenueUnknown
    assert type(failed) is VenueDown
    assert type(throttled) is VenueRefused
    assert throttled.raises_only
    assert not unknown.raises_only


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"[" * 5000, b"\xff"])
def test_an_answer_of_a_machine_between_leaves_an_order_unknown_and_a_question_unanswered(
    status, body
):
    assert type(error_of(status, body, "the order", changes=True)) is VenueUnknown
    assert type(error_of(status, body, "the balance", changes=False)) is VenueDown


@pytest.mark.parametrize("code", [-1006, -1007])
def test_a_lost_order_is_unknown(code):
    body = raw({"code": code, "msg": "Timeout"})
    assert type(error_of(400, body, "the order", changes=True)) is VenueUnknown


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_message_says_what_becomes_of_the_position_or_the_order(code):
    got = error_of(400, raw({"code": code, "msg": "Some words."}), "the order", changes=True)
    assert isinstance(got, VenueError)
    assert got.code == str(code)
    assert got.remedy
    said = str(got)
    assert "position" in said or "already" in said or "liquidating" in said


def test_an_unknown_code_is_a_refusal_unless_the_server_failed():
    body = raw({"code": -9999, "msg": "New."})
    assert type(error_of(400, body, "the order", changes=True)) is VenueRefused
    assert type(error_of(500, body, "the order", changes=True)) is VenueUnknown


def test_limits():
    banned = fixture("rest_errors")
    body = raw(next(c["body"] for c in banned if c["http"] == 418))
    now_ms = 1_795_000_000_000
    assert hold_s(418, None, body, now_ms) == 600.0
    assert hold_s(429, "17", b"", now_ms) == 17.0
    assert hold_s(429, "soon", b"", now_ms) == 10.0
    assert hold_s(418, None, b"\xff", now_ms) == 120.0
    assert hold_s(400, "17", b"", now_ms) == 0.0
    assert type(error_of(418, body, "the order", changes=True)) is VenueDown


def test_control_characters_do_not_reach_the_screen():
    got = error_of(400, raw({"code": -2019, "msg": "a\u001b[31m\nb" * 200}), "it", changes=True)
    assert str(got).isprintable()
    assert len(str(got)) < 500

"""How often one may ask: never more than a bucket holds, and others do not pay for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screens import Screen, wire

from litehedge.ui.rates import REMEMBERED, Buckets, Patience, client_of

TIMES = st.lists(st.floats(0.0, 5.0), min_size=1, max_size=80)


@given(gaps=TIMES)
def test_never_more_than_the_bucket_holds_and_what_came_in(gaps):
    buckets, now_s, taken = Buckets(per_s=2.0, burst=5.0), 0.0, 0
    for gap in gaps:
        now_s += gap
        taken += buckets.take("a", now_s) == 0.0
        assert taken <= 5.0 + 2.0 * now_s + 1e-6


@given(gaps=TIMES)
def test_who_waits_as_long_as_told_may_ask(gaps):
    buckets, now_s = Buckets(per_s=2.0, burst=3.0), 0.0
    for gap in gaps:
        now_s += gap
        if wait_s := buckets.take("a", now_s):
            now_s += wait_s + 1e-6
            assert buckets.take("a", now_s) == 0.0


def test_others_do_not_pay_and_memory_is_bounded():
    buckets = Buckets(per_s=0.001, burst=1.0)
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("a", 0.0) > 0.0
    assert buckets.take("b", 0.0) == 0.0
    for number in range(REMEMBERED * 2):
        buckets.take(str(number), 0.0)
    assert len(buckets._left) == REMEMBERED


@given(failures=st.integers(3, 60))
def test_waits_grow_are_bounded_and_are_forgotten(failures):
    patience, now_s, last_s = Patience(), 0.0, 0.0
    for _ in range(failures):
        wait_s = patience.wait_s("a", now_s)
        assert last_s <= wait_s <= 60.0
        now_s += wait_s
        assert patience.wait_s("a", now_s) == 0.0
        patience.failed("a", now_s)
        last_s = wait_s
    assert patience.wait_s("a", now_s) > 0.0
    assert patience.wait_s("b", now_s) == 0.0
    assert patience.wait_s("a", now_s + 901.0) == 0.0
    patience.succeeded("a")
    assert patience.wait_s("a", now_s) == 0.0


@pytest.mark.parametrize(
    ("address", "whom"),
    [("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("", "unknown"),
     ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("fe80::1%eth0", "fe80::/64"),
     ("testclient", "unknown")],
)  # fmt: skip
def test_whom_an_address_stands_for(address, whom):
    assert client_of(address) == whom


def test_too_many_requests_are_refused_and_the_owner_still_gets_in(session, tmp_path):
    screen = Screen(tmp_path, rates={"asks": Buckets(0.1, 20.0)})
    screen.come_in()
    for _ in range(25):
        flooded = screen.get("/login", cookie=None)
    assert flooded.status == 429
    assert int(flooded.header("retry-after")) >= 1
    assert screen.get("/panic").status == 200  # from the same address, with his session


def test_strangers_who_ask_for_websockets_take_none_from_the_owner(tmp_path):
    screen = Screen(tmp_path, rates={"opens": Buckets(0.1, 3.0)})
    screen.come_in()

    def refused(**more):
        headers = screen.headers(origin=screen.origin, **more)
        return wire(screen.app, "", "/_nicegui_ws/socket.io/", headers, kind="websocket").refused

    assert all(refused(cookie=None) for _ in range(10))  # through the same tunnel
    assert [refused() for _ in range(4)] == [False, False, False, True]


def test_too_many_passphrases_are_refused_before_they_are_looked_at(session, tmp_path):
    screen = Screen(tmp_path, rates={"comes_in": Buckets(0.1, 5.0)})
    answers = {screen.post("/login", {"passphrase": "x"}).status for _ in range(10)}
    assert answers == {403, 429}


def test_every_answer_keeps_out_of_frames_caches_and_foreign_pages(session, tmp_path):
    screen = Screen(tmp_path)
    screen.come_in()
    for target in ("/login", "/desk", "/panic", "/health", "/metrics", "/api/v1/sessions", "/x//y",
                   "/api/v1/none"):  # fmt: skip
        answer = screen.get(target)
        assert "frame-ancestors 'none'" in answer.header("content-security-policy"), target
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("x-frame-options") == "DENY"
        assert answer.header("referrer-policy") == "same-origin"
        assert answer.header("cache-control") == "no-store"
        assert not answer.header("server")


def test_only_files_of_a_version_are_kept_by_browsers(session, tmp_path):
    screen = Screen(tmp_path)
    screen.come_in()
    kept = screen.get("/_nicegui/3.18.0/static/vue.js").header("cache-control")
    assert kept == "private, max-age=31536000, immutable"
    for target in ("/_nicegui/3.18.0/dynamic_resources/x", "/desk"):
        assert screen.get(target).header("cache-control") == "no-store"
    assert screen.get("/_nicegui/3.18.0/static/vue.js", cookie=None).header(
        "cache-control") == "no-store"  # fmt: skip

"""Alerts get to people, or the log says that they did not; the engine never waits."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
import time

import pytest

from litehedge.effects import Alert
from litehedge.errors import WrongSetup
from litehedge.notify.heartbeat import Heartbeat
from litehedge.notify.places import Undelivered, answers, read_places, redacted
from litehedge.notify.sender import WAITING, Alerts
from litehedge.notify.sieve import Rules
from receivers import Memory, web


def test_an_alert_arrives_through_apprise_with_level_and_session():
    with web() as server:
        alerts = Alerts(read_places(f"json://127.0.0.1:{server.port}/hook"), Rules(), "litehedge x")
        alerts.alert("act_now", "no price for 900 s", "price")
        server.wait(1)
        alerts.alert("done", "the price feed is back", "price", clears=True)
        server.wait(2)
        alerts.close()
    first, second = server.came
    assert (first["title"], first["type"]) == ("litehedge x: act now", "warning")
    assert first["message"].endswith("UTC no price for 900 s")
    assert (second["title"], second["type"]) == ("litehedge x: resolved", "success")


def test_one_place_that_is_down_holds_up_no_other_and_gets_it_later():
    up, down = Memory("up"), Memory("down")
    down.is_down = True
    alerts = Alerts([down, up], Rules(), "x")
    alerts.alert("act_now", "one")
    up.wait(lambda: len(up.sent) == 1)
    down.wait(lambda: down.tried >= 1)
    alerts.alert("act_now", "two")
    down.is_down = False
    alerts.close()
    assert "one" in down.told
    assert "two" in down.told
    assert down.told.index("one") < down.told.index("two")


@pytest.mark.parametrize("error", [Undelivered("gone"), RuntimeError("a bug of a plugin")])
def test_what_does_not_get_through_is_in_the_log(caplog, error):
    place = Memory()
    place.is_down, place.error = True, error
    with caplog.at_level(logging.INFO, "litehedge.alerts"):
        alerts = Alerts([place], Rules(), "x")
        alerts.alert("act_now", "margin is short")
        alerts.alert("digest", "a day")
        place.wait(lambda: place.tried >= 1)
        alerts.close(within_s=0.2)
    assert "not delivered to memory: act_now: margin is short" in caplog.text
    assert "not delivered to memory: digest: a day" in caplog.text
    assert "a bug of a plugin" not in caplog.text  # it may hold what is secret


def test_telling_never_waits_even_when_the_receiver_hangs(caplog):
    place, held = Memory(), threading.Event()
    place.send = lambda *message: held.wait(30.0)
    alerts = Alerts([place], Rules(), "x")
    teller = threading.Thread(
        target=lambda: [alerts.alert("act_now", f"{i}") for i in range(3 * WAITING)]
    )
    teller.start()
    teller.join(30.0)
    assert not teller.is_alive()
    assert not held.is_set()
    with caplog.at_level(logging.WARNING, "litehedge.alerts"):
        alerts.close(within_s=0.1)
    assert f"act_now: {3 * WAITING - 1}" in caplog.text  # the newest is kept
    assert "were left out" in caplog.text
    held.set()


def test_the_end_sends_what_was_still_counted_or_waited_for_its_hour():
    place = Memory()
    hour = time.gmtime().tm_hour
    alerts = Alerts([place], Rules(digest_hour=(hour + 12) % 24), "x")
    for i in range(3):
        alerts.alert("act_now", f"refused {i}", "orders")
    alerts.alert("digest", "the day so far")
    alerts.close()
    assert "refused 2 (1 more time)" in place.told
    assert "the day so far" in place.told


def test_addresses_are_secrets():
    url = "tgram://123456789:AAsecretAAAAAAAAAAAAAAAAAAAAAAAAAAA/98765432"
    (place,) = read_places(url)
    assert "secret" not in repr(place)
    assert "98765432" not in repr(place)
    with pytest.raises(TypeError):
        pickle.dumps(place)
    said = (
        "error sending to https://api.telegram.org/bot123456789:AAsecretAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    )
    assert "secret" not in redacted(said, [url])
    assert "123456789" not in redacted(said, [url])
    coded = "mailto://me:p%40ssw%2Frd@example.org"
    assert "p@ssw" not in redacted("login p@ssw/rd failed", [coded])
    with pytest.raises(WrongSetup, match="the second address") as caught:
        read_places("ntfy://a-topic nonsense-with-secret")
    assert "nonsense" not in str(caught.value)


def test_a_failure_of_apprise_is_told_without_the_address(caplog, capfd):
    with web() as server:
        server.answer["status"] = 500
        (place,) = read_places(f"json://user:passw0rd@127.0.0.1:{server.port}/secret-path")
        with pytest.raises(Undelivered, match="JSON did not take it") as caught:
            place.send("title", "body")
    with pytest.raises(Undelivered):  # nobody listens there any more
        place.send("title", "body")
    for said in (str(caught.value), caplog.text, *capfd.readouterr()):
        assert "passw0rd" not in said
        assert "secret-path" not in said


def test_several_places_of_a_service_are_told_apart_and_say_where_they_are():
    names = [
        place.name
        for place in read_places("ntfy://one-topic ntfy://two-topic discord://12345/abcde")
    ]
    assert names == ["ntfy 1", "ntfy 2", "Discord"]
    places = read_places(
        "ntfy://topic1 mailto://u:p@gmail.com tgram://123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/9876543"
    )
    assert [p.address() for p in places] == [
        ("ntfy.sh", 443), ("smtp.gmail.com", 587), ("api.telegram.org", 443),
    ]  # fmt: skip
    with web() as server:
        (place,) = read_places(f"json://127.0.0.1:{server.port}")
        assert place.answers()
    assert not answers("127.0.0.1", server.port, 1.0)
    assert read_places("  ") == []


def test_a_long_message_is_cut_to_what_the_service_takes():
    with web() as server:
        (place,) = read_places(f"json://127.0.0.1:{server.port}")
        place.send("t", "x" * 10_000)
    assert len(server.came[0]["message"]) == place.room


def test_the_heart_beats_while_the_engine_works_and_only_then():
    now = [0.0]
    with web() as server:
        heart = Heartbeat(
            f"http://127.0.0.1:{server.port}/ping/secret", 0.01, 60.0, clock=lambda: now[0]
        )
        assert heart.asked == 0
        heart(None, [])
        server.wait(2)
        now[0] = 61.0  # the engine took nothing for too long
        deadline = threading.Event()
        deadline.wait(0.1)
        before = heart.asked
        deadline.wait(0.1)
        assert heart.asked == before
        heart.close()
    assert server.came[0] == "/ping/secret"


def test_a_heartbeat_that_nobody_hears_is_told_once_and_without_its_address(caplog):
    with web() as server:
        server.answer["status"] = 404
        with caplog.at_level(logging.INFO, "litehedge.alerts"):
            heart = Heartbeat(f"http://127.0.0.1:{server.port}/ping/secret", 0.01)
            heart(None, [])
            server.wait(3)
            server.answer["status"] = 200
            server.wait(len(server.came) + 2)
            heart.close()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "not heard" in told[0]
    assert "heard again" in told[1]
    assert "secret" not in caplog.text


def test_an_alert_without_key_is_written_as_before():
    import msgspec

    assert msgspec.json.encode(Alert("done", "x")) == b'{"type":"alert","level":"done","text":"x"}'


def test_the_heartbeat_outlives_an_answer_that_is_no_http():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20.0)
        heart = Heartbeat(f"http://127.0.0.1:{server.getsockname()[1]}/ping", 0.01)
        try:
            heart(None, [])
            for _ in range(3):
                caller, _ = server.accept()
                with caller:
                    caller.recv(4096)
                    caller.sendall(b"what?\r\n\r\n")
        finally:
            heart.close()

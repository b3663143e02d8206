"""The service manager hears that the engine works, and hears nothing when it does not."""

from __future__ import annotations

import socket

import pytest

from litehedge.market.events import Mark, Tick
from litehedge.notify.supervisor import supervisor_of
from litehedge.units import NS_PER_SECOND

TICK = Tick(NS_PER_SECOND, NS_PER_SECOND)


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(manager) -> list[str]:
    told = []
    while True:
        try:
            told.append(manager.recv(4096).decode())
        except BlockingIOError:
            return told


def supervised(manager, now: list[float], timeout_s: int = 60):
    found = supervisor_of(
        {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": str(timeout_s * 10**6)}
    )
    assert found is not None
    found._clock = lambda: now[0]
    return found


def test_the_past_is_a_sign_of_life_and_the_first_second_of_the_present_is_ready(manager):
    now = [100.0]
    supervisor = supervised(manager, now)
    supervisor(Mark(0, 0, 80.0), [])
    assert heard(manager) == ["WATCHDOG=1"]
    supervisor(TICK, [])
    supervisor(TICK, [])
    (said,) = heard(manager)
    assert said.split("\n")[0] == "READY=1"
    supervisor.close()
    assert heard(manager)[0].startswith("STOPPING=1")


def test_signs_come_well_within_the_time_and_not_with_every_event(manager):
    now = [0.0]
    supervisor = supervised(manager, now, timeout_s=30)
    for step in range(300):
        now[0] = 0.2 * step
        supervisor(TICK, [])
    signs = heard(manager)
    assert all("WATCHDOG=1" in said for said in signs)
    assert 60 / 10 <= len(signs) <= 60 / 10 + 1  # a third of the time, for a minute
    supervisor.close()


def test_without_events_there_is_no_sign(manager):
    now = [0.0]
    supervisor = supervised(manager, now)
    supervisor(TICK, [])
    heard(manager)
    now[0] = 1e6
    assert heard(manager) == []
    supervisor.close()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_manager_there_is_nobody_to_tell(environment):
    assert supervisor_of(environment) is None


def test_a_manager_that_is_gone_ends_nothing_and_is_told_of_once(tmp_path, caplog):
    supervisor = supervisor_of({"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "0"})
    for _ in range(3):
        supervisor(TICK, [])
    supervisor.close()
    assert caplog.text.count("the service manager does not listen") == 1


def test_abstract_names_are_reached():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0litehedge-test-supervisor")
        listening.setblocking(False)
        supervisor = supervisor_of({"NOTIFY_SOCKET": "@litehedge-test-supervisor"})
        supervisor(TICK, [])
        assert heard(listening)[0].startswith("READY=1")
        supervisor.close()

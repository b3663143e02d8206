"""Claim: an alert leaves within a second (p99), and the engine waits 100 µs for it (p99).

From `Notifier.alert`, which the runner calls with the effect, to the arrival at an HTTP server on
loopback, through apprise's ``json://``: sieve, thread, plugin, a new connection each. Telegram or
mail add the way there. Beside it: how long the engine is held up by telling, with the receiver
there and with one that hangs.
"""

from __future__ import annotations

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from bench.timing import Figure
from litehedge.notify.places import Kind, read_places
from litehedge.notify.sender import Alerts
from litehedge.notify.sieve import Rules

ALERTS = 200
WARM = 10
TOLD = 5000


class _Hangs:
    """A place that takes a message and never comes back."""

    name = "hangs"
    room = 3000

    def __init__(self) -> None:
        self.end = threading.Event()

    def send(self, title: str, body: str, kind: Kind = "info") -> None:
        self.end.wait()


def measure() -> list[Figure]:
    """Time alerts one after another, and the engine's side of telling."""
    arrived = threading.Event()
    at: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at.append(time.perf_counter())
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            arrived.set()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    took = []
    try:
        places = read_places(f"json://127.0.0.1:{server.server_address[1]}")
        for number in range(WARM + ALERTS):
            if number % 4 == 0:  # a new sieve before the limit of the rate is reached
                alerts = Alerts(places, Rules(), "bench")
            arrived.clear()
            began = time.perf_counter()
            alerts.alert("act_now", f"alert {number}")
            assert arrived.wait(10.0)
            if number >= WARM:
                took.append((at[-1] - began) * 1e3)
            if number % 4 == 3:
                alerts.close()
        alerts.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    half, most = np.percentile(took, [50.0, 99.0])
    logging.getLogger("litehedge.alerts").setLevel(logging.ERROR)  # what the hanging one misses
    hangs = _Hangs()
    held = Alerts([hangs], Rules(), "bench")
    each = []
    for number in range(TOLD):
        began = time.perf_counter()
        held.alert("act_now", f"alert {number}")
        each.append((time.perf_counter() - began) * 1e6)
    hangs.end.set()
    held.close(0.1)
    return [
        Figure("alert, effect to receiver over HTTP on loopback, p50", float(half), "ms"),
        Figure("alert, effect to receiver over HTTP on loopback, p99", float(most), "ms",
               "claim: 1000"),
        Figure("alert, engine held up while a receiver hangs, p99",
               float(np.percentile(each, 99.0)), "µs", "claim: 100"),
    ]  # fmt: skip

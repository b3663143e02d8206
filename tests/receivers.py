"""Receivers for tests: one in memory that can be down, one on loopback that speaks HTTP."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from litehedge.notify.places import Undelivered


class Memory:
    """A place that keeps what it is sent, where it is not down."""

    def __init__(self, name="memory", room=3000):
        self.name, self.room = name, room
        self.is_down = False
        self.error = Undelivered("nobody is there")
        self.tried = 0
        self.sent = []
        self.changed = threading.Condition()

    def send(self, title, body, kind="info"):
        with self.changed:
            self.tried += 1
            self.changed.notify_all()
            if self.is_down:
                raise self.error
            self.sent.append((title, body, kind))

    def wait(self, wanted, seconds=20.0):
        with self.changed:
            assert self.changed.wait_for(wanted, seconds), self.sent

    @property
    def told(self):
        return "\n".join(body for _, body, _ in self.sent)


@contextmanager
def web():
    """Serve a receiver of POST and GET: gives its port, and what it was sent."""
    came = []
    changed = threading.Condition()
    answer = {"status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._take(json.loads(body) if body else {})

        def do_GET(self):
            self._take(self.path)

        def _take(self, what):
            with changed:  # before the answer: who has it may look at once
                came.append(what)
                changed.notify_all()
            self.send_response(answer["status"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    class Web:
        def __init__(self):
            self.came, self.changed, self.answer = came, changed, answer
            self.port = server.server_address[1]

        def wait(self, count, seconds=20.0):
            with changed:
                assert changed.wait_for(lambda: len(came) >= count, seconds), came

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Web()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

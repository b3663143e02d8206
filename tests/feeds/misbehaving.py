"""An archive on this machine that fails as real ones do, and files to put into it."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

FAULTS = ("cut", "429", "503", "checksum", "no range", "half")


class Archive:
    """Files by path; `faults` are worked through, one for each request for a file."""

    def __init__(self, files: dict[str, bytes], faults: dict[str, list[str]] | None = None) -> None:
        self.files = files
        self.faults = faults or {}
        self.asked: list[tuple[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append((path, request.headers.get("Range", "")))
        if path.endswith(".CHECKSUM"):
            payload = self.files.get(path.removesuffix(".CHECKSUM"))
            if payload is None:
                return web.Response(status=404)
            return web.Response(text=f"{hashlib.sha256(payload).hexdigest()}  x.zip\n")
        if path not in self.files:
            return web.Response(status=404)
        payload = self.files[path]
        left = self.faults.get(path, [])
        fault = left.pop(0) if left else ""
        if fault in ("429", "503"):
            return web.Response(status=int(fault), headers={"Retry-After": "7"})
        if fault == "checksum":
            return web.Response(body=b"X" * len(payload))
        begin = 0
        headers = {}
        if (told := request.headers.get("Range")) and fault != "no range":
            begin = int(told.removeprefix("bytes=").rstrip("-"))
            if begin >= len(payload):
                return web.Response(status=416)
            headers["Content-Range"] = f"bytes {begin}-{len(payload) - 1}/{len(payload)}"
        body = payload[begin:]
        if fault not in ("cut", "half"):
            return web.Response(status=206 if begin else 200, body=body, headers=headers)
        response = web.StreamResponse(status=206 if begin else 200, headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: max(1, len(body) // 2)])
        assert request.transport is not None
        request.transport.close()
        return response


@asynccontextmanager
async def served(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]):
    """Serve on a free port; yields the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def zipped(text: str, member: str = "x.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(member), text)
    return buffer.getvalue()


def gzipped(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def klines(day_ns: int, minutes: int = 1440) -> str:
    lines = []
    for minute in range(minutes):
        at = day_ns // 1_000_000 + 60_000 * minute
        lines.append(f"{at},83.0,84.0,82.0,83.5,10.0,{at + 59_999},830.0,5,4.0,332.0,0")
    return "\n".join(lines) + "\n"

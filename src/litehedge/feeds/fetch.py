"""Fetches files over a network that fails: resumes, verifies, waits when asked to.

A file grows as ``NAME.part``; what an interruption leaves is continued with a Range request. Only
what its checksum proves gets its own name, with ``NAME.CHECKSUM`` beside it, and is never asked for
again. A file that the server does not have is no failure: archives have holes.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Literal

import aiohttp

from litehedge.errors import VenueDown
from litehedge.feeds.fetch_plan import Wanted
from litehedge.net import Answer, Pause, ask

PARALLEL: Final = 4
TRIES: Final = 6
LONGEST_WAIT_S: Final = 300.0
_CHUNK: Final = 2**16

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: `fetched` now, `kept` from before, `missing` there, or `failed`."""

    wanted: Wanted
    state: Literal["fetched", "kept", "missing", "failed"]
    path: Path
    why: str = ""


@dataclass(slots=True)
class Progress:
    """How far a download is."""

    files: int = 0
    done: int = 0
    bytes: int = 0


class _Again(Exception):
    """This try failed; `wait_s` is what the server asked for."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.wait_s = wait_s


class _Missing(Exception):
    """The server does not have it."""


async def fetch_all(
    session: aiohttp.ClientSession,
    wanted: Sequence[Wanted],
    folder: Path,
    *,
    report: Callable[[Progress], None] = lambda progress: None,
    parallel: int = PARALLEL,
    tries: int = TRIES,
    sleep: Sleep = asyncio.sleep,
    silence_s: float = 60.0,
) -> list[Outcome]:
    """Fetch files, a few at once; return what became of each, in the order of `wanted`.

    Parameters
    ----------
    folder
        Where `Wanted.path` begins.
    report
        Told whenever something has come.
    silence_s
        A connection that tells nothing for so long is given up, and tried again.
    """
    gate = asyncio.Semaphore(parallel)
    progress = Progress(files=len(wanted))

    def came(count: int) -> None:
        progress.bytes += count
        report(progress)

    async def one(what: Wanted) -> list[Outcome]:
        async with gate:
            got = await _fetch(session, what, folder, came, tries, sleep, silence_s)
        progress.done += 1
        if got.state == "missing" and what.instead:
            progress.files += len(what.instead)
            report(progress)
            days = await asyncio.gather(*(one(day) for day in what.instead))
            return [outcome for some in days for outcome in some]
        report(progress)
        return [got]

    jobs = [asyncio.create_task(one(what)) for what in wanted]
    try:
        return [outcome for job in jobs for outcome in await job]
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def _fetch(
    session: aiohttp.ClientSession, wanted: Wanted, folder: Path, came: Callable[[int], None],
    tries: int, sleep: Sleep, silence_s: float,
) -> Outcome:  # fmt: skip
    path = folder / wanted.path
    beside = path.with_name(path.name + ".CHECKSUM")
    if await asyncio.to_thread(_is_whole, path, beside):
        return Outcome(wanted, "kept", path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pause, why = Pause(first_s=1.0), ""
    for number in range(tries):
        try:
            stated = await _checksum(session, wanted, silence_s)
            part = path.with_name(path.name + ".part")
            await _download(session, wanted.url, part, came, silence_s)
            found = await asyncio.to_thread(_verify, part, stated)
            # The checksum goes first: a file without one would count as not whole.
            beside.write_text(f"{found}  {path.name}\n", encoding="utf-8")
            part.replace(path)
            return Outcome(wanted, "fetched", path)
        except _Missing:
            return Outcome(wanted, "missing", path, "the archive does not have it")
        except _Again as again:
            why, wait_s = again.why, again.wait_s
        if number + 1 < tries:
            await sleep(pause.after(0.0) if wait_s is None else wait_s)
    return Outcome(wanted, "failed", path, why)


async def _checksum(session: aiohttp.ClientSession, wanted: Wanted, silence_s: float) -> str:
    if not wanted.checksum_url:
        return ""
    try:
        answer = await ask(session, "GET", wanted.checksum_url, timeout_s=silence_s)
    except VenueDown as error:
        raise _Again(str(error)) from None
    check_status(answer.status, answer.headers)
    stated = re.match(r"\s*([0-9a-fA-F]{64})\b", answer.body.decode("utf-8", "replace"))
    if stated is None:
        raise _Again(f"{wanted.checksum_url} holds no SHA-256")
    return stated[1].lower()


async def _download(
    session: aiohttp.ClientSession, url: str, part: Path, came: Callable[[int], None],
    silence_s: float,
) -> None:  # fmt: skip
    """Bring a partial file to its end, from where it is."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    limits = aiohttp.ClientTimeout(total=None, connect=silence_s, sock_read=silence_s)
    try:
        async with session.get(url, headers=headers, timeout=limits) as response:
            if response.status == 416:  # what we have is not the begin of what is there
                part.unlink(missing_ok=True)
                raise _Again("the server has less than was fetched before")
            check_status(response.status, response.headers)
            goes_on = response.status == 206 and _begins_at(response, have)
            with part.open("ab" if goes_on else "wb") as file:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    file.write(chunk)
                    came(len(chunk))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        if isinstance(error, OSError) and error.errno == 28:
            raise
        raise _Again(f"{type(error).__name__}: {error}") from None


def _begins_at(response: aiohttp.ClientResponse, have: int) -> bool:
    told = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return told is not None and int(told[1]) == have


def check_status(status: int, headers: Mapping[str, str]) -> None:
    """Pass a status that brings data; 404 is missing, all else a try that failed."""
    if status in (200, 206):
        return
    if status == 404:
        raise _Missing
    raise _Again(f"the server answered {status}", retry_after_s(headers))


def retry_after_s(headers: Mapping[str, str], now_s: float | None = None) -> float | None:
    """Return how long a server asks to wait, at most five minutes; None when it does not say.

    `now_s` is the time, for answers that name a moment; without it those say nothing.
    """
    text = next((value for key, value in headers.items() if key.lower() == "retry-after"), "")
    if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", text):
        return min(float(text), LONGEST_WAIT_S)
    if now_s is not None and text:
        try:
            until_s = parsedate_to_datetime(text).timestamp()
        except ValueError:
            return None
        return min(max(0.0, until_s - now_s), LONGEST_WAIT_S)
    return None


async def ask_politely(
    session: aiohttp.ClientSession,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    tries: int = TRIES,
    sleep: Sleep = asyncio.sleep,
) -> Answer:
    """Ask a server until it answers 200, or with a status that no waiting mends (4xx).

    Raises
    ------
    VenueDown
        When it does not within so many tries.
    """
    pause, why = Pause(first_s=1.0), ""
    for number in range(tries):
        wait_s = None
        try:
            answer = await ask(session, "GET", url, headers=headers, timeout_s=30.0)
            if answer.status == 200 or (400 <= answer.status < 500 and answer.status != 429):
                return answer
            why, wait_s = f"it answered {answer.status}", retry_after_s(answer.headers)
        except VenueDown as error:
            why = str(error)
        if number + 1 < tries:
            await sleep(pause.after(0.0) if wait_s is None else wait_s)
    host = url.split("/")[2] if url.count("/") > 2 else url
    raise VenueDown(f"{host} gave nothing in {tries} tries ({why})", "run the command again later")


def _verify(part: Path, stated: str) -> str:
    """Return the SHA-256 of a file that is what it should be; remove it otherwise."""
    found = _sha256(part)
    if stated and found != stated:
        part.unlink()
        raise _Again(f"its SHA-256 is {found[:12]}…, not {stated[:12]}…")
    if part.name.endswith(".gz.part"):
        try:
            with gzip.open(part) as file:
                while file.read(2**20):
                    pass
        except (OSError, EOFError, zlib.error) as error:
            part.unlink()
            raise _Again(f"it is not a whole gzip file ({error})") from None
    return found


def _is_whole(path: Path, beside: Path) -> bool:
    if not path.is_file() or not beside.is_file():
        return False
    return beside.read_text(encoding="utf-8", errors="replace").split()[:1] == [_sha256(path)]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

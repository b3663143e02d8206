"""Downloads end whole or say why not, whatever the network does."""

from __future__ import annotations

import asyncio
import random

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from misbehaving import FAULTS, Archive, gzipped, served

from litehedge.errors import VenueDown
from litehedge.feeds.fetch import ask_politely, fetch_all, retry_after_s
from litehedge.feeds.fetch_plan import Wanted

PAYLOAD = random.Random(4).randbytes(200_000)


def wanted(base: str, name: str = "a.zip", *, checked: bool = True, **more) -> Wanted:
    url = f"{base}/data/{name}"
    return Wanted("k", "2025-10", url, f"x/{name}", url + ".CHECKSUM" if checked else "", **more)


def fetched(archive, folder, make, **options):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    async def main():
        async with served(archive.handle) as base, aiohttp.ClientSession() as session:
            return await fetch_all(session, make(base), folder, sleep=sleep, **options)

    return asyncio.run(main()), waits


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(st.sampled_from(FAULTS), max_size=5))
def test_whatever_fails_the_file_is_right_in_the_end(tmp_path_factory, faults) -> None:
    folder = tmp_path_factory.mktemp("fetched")
    archive = Archive({"/data/a.zip": PAYLOAD}, {"/data/a.zip": list(faults)})
    (one,), waits = fetched(archive, folder, lambda base: [wanted(base)], tries=8)
    assert one.state == "fetched", one.why
    assert one.path.read_bytes() == PAYLOAD
    assert not list(folder.rglob("*.part"))
    met = faults[: len(faults) - len(archive.faults["/data/a.zip"])]
    assert waits.count(7.0) == sum(fault in ("429", "503") for fault in met)
    archive.asked.clear()
    (again,), _ = fetched(archive, folder, lambda base: [wanted(base)])
    assert again.state == "kept"
    assert archive.asked == [], "what is proven is not asked for again"


def test_a_cut_download_goes_on_where_it_was(tmp_path) -> None:
    archive = Archive({"/data/a.zip": PAYLOAD}, {"/data/a.zip": ["cut"]})
    (one,), _ = fetched(archive, tmp_path, lambda base: [wanted(base)])
    assert one.path.read_bytes() == PAYLOAD
    ranges = [told for path, told in archive.asked if path == "/data/a.zip"]
    assert ranges[0] == ""
    assert ranges[1].startswith("bytes=")


def test_what_always_fails_says_why_and_the_others_go_on(tmp_path) -> None:
    archive = Archive(
        {"/data/a.zip": PAYLOAD, "/data/b.zip": b"b"}, {"/data/a.zip": ["checksum"] * 9}
    )
    told, _ = fetched(
        archive, tmp_path, lambda base: [wanted(base), wanted(base, "b.zip")], tries=3
    )
    assert [one.state for one in told] == ["failed", "fetched"]
    assert "its SHA-256 is" in told[0].why
    assert not told[0].path.exists()


def test_a_month_that_is_not_there_comes_as_days(tmp_path) -> None:
    archive = Archive({"/data/d1.zip": b"1"})

    def make(base):
        days = (wanted(base, "d1.zip"), wanted(base, "d2.zip"))
        return [wanted(base, "m.zip", instead=days)]

    told, _ = fetched(archive, tmp_path, make)
    assert [(one.path.name, one.state) for one in told] == [
        ("d1.zip", "fetched"), ("d2.zip", "missing"),
    ]  # fmt: skip


def test_without_a_checksum_a_gzip_file_must_be_whole(tmp_path) -> None:
    good = gzipped("a,b\n")
    archive = Archive({"/data/a.csv.gz": good[:-3]})
    (one,), _ = fetched(
        archive, tmp_path, lambda base: [wanted(base, "a.csv.gz", checked=False)], tries=2
    )
    assert (one.state, "not a whole gzip file" in one.why) == ("failed", True)
    archive.files["/data/a.csv.gz"] = good
    (one,), _ = fetched(archive, tmp_path, lambda base: [wanted(base, "a.csv.gz", checked=False)])
    assert one.path.read_bytes() == good


def test_a_longer_leftover_than_the_file_is_thrown_away(tmp_path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.zip.part").write_bytes(PAYLOAD + b"more")
    archive = Archive({"/data/a.zip": PAYLOAD})
    (one,), _ = fetched(archive, tmp_path, lambda base: [wanted(base)])
    assert one.path.read_bytes() == PAYLOAD


def test_no_server_at_all(tmp_path) -> None:
    async def sleep(seconds):
        return None

    async def main():
        async with aiohttp.ClientSession() as session:
            one = wanted("http://127.0.0.1:9")
            (told,) = await fetch_all(session, [one], tmp_path, sleep=sleep, tries=2)
            assert told.state == "failed"
            assert "cannot be reached" in told.why
            with pytest.raises(VenueDown, match="gave nothing in 2 tries"):
                await ask_politely(session, "http://127.0.0.1:9/x", tries=2, sleep=sleep)

    asyncio.run(main())


def test_how_long_a_server_asks_to_wait() -> None:
    assert retry_after_s({"Retry-After": "12"}) == 12.0
    assert retry_after_s({"retry-after": "99999"}) == 300.0
    assert retry_after_s({"Retry-After": "soon"}) is None
    moment = {"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}
    assert retry_after_s(moment) is None
    assert retry_after_s(moment, now_s=50.0) == 10.0

"""A lake on an object store: readers see the old content or the new, and every file is checked."""

import os
import sys
import urllib.request

import fsspec
import pytest
from lake_series import T0, bars

from litehedge.errors import DataError, UsageError
from litehedge.store import remote as rm
from litehedge.store.lake import Lake
from litehedge.store.remote import FetchingLake, RemoteLake
from litehedge.units import NS_PER_DAY

DAYS_90 = 24 * 90


@pytest.fixture
def files(monkeypatch):
    """An object store in memory, whose files a test may spoil."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    monkeypatch.setattr(rm, "_opened", lambda url: (store, "/lakes/litecoin"))
    yield store
    store.store.clear()


@pytest.fixture(scope="module")
def s3():
    """A server that speaks S3, on this machine, with an empty bucket; credentials as people do."""
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("obstore")
    before = dict(os.environ)
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    os.environ |= {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "who", "AWS_SECRET_ACCESS_KEY": "hush-hush",
        "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true",
    }  # fmt: skip
    request = urllib.request.Request(f"{url}/lakes", method="PUT")
    with urllib.request.urlopen(request):
        yield url
    server.stop()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def lake(tmp_path):
    """One with three months of hourly bars."""
    made = Lake(tmp_path / "lake")
    made.write([bars(DAYS_90)], "ltc")
    return made


def spoil(files, ending, payload):
    (path,) = [one for one in files.store if one.endswith(ending)]
    if payload is None:
        files.rm(path)
    else:
        files.pipe_file(path, payload)


# --- laws


def test_what_goes_comes_back_as_it_was(files, lake, tmp_path):
    there, other = RemoteLake("s3://lakes/litecoin"), Lake(tmp_path / "other")
    steps = []
    assert there.names() == []
    assert there.datasets() == []
    pushed = there.push(lake, "ltc", lambda done, total: steps.append((done, total)))
    assert pushed == lake.dataset("ltc")
    assert steps == [(done, 4) for done in range(5)]
    assert there.datasets() == [pushed]
    assert there.pull(other, "ltc") == pushed
    assert other.read("ltc").equals(lake.read("ltc"))
    assert other.problems(other.dataset("ltc")) == []
    for part in pushed.parts:
        mine, theirs = (one.part(pushed, part.month).read_bytes() for one in (lake, other))
        assert mine == theirs


class Killed(BaseException):
    pass


def test_a_push_that_is_killed_at_any_write_leaves_the_old_or_the_new(
    files, lake, tmp_path, monkeypatch
):
    there = RemoteLake("s3://lakes/litecoin")
    old = there.push(lake, "ltc")
    rows = lake.read("ltc")
    lake.write([bars(DAYS_90 + 24, price=50.0)], "ltc", replace=True)
    whole = type(files).pipe_file
    seen = set()
    for last in range(8):
        left = [last]

        def pipe(self, path, value, left=left, **how):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return whole(self, path, value, **how)

        monkeypatch.setattr(type(files), "pipe_file", pipe)
        try:
            there.push(lake, "ltc")
        except Killed:
            pass
        else:
            assert left[0] >= 0
        monkeypatch.setattr(type(files), "pipe_file", whole)
        reader = Lake(tmp_path / f"reader-{last}")
        found = there.pull(reader, "ltc")
        expected = rows if found.version == old.version else lake.read("ltc")
        assert reader.read("ltc").equals(expected)
        seen.add(found.version)
    assert seen == {old.version, lake.dataset("ltc").version}
    assert not [path for path in files.store if old.version in path], "the old version is gone"


def test_a_push_that_goes_on_sends_only_what_is_missing(files, lake, monkeypatch):
    there = RemoteLake("s3://lakes/litecoin")
    there.push(lake, "ltc")
    spoil(files, "2021-07.parquet", None)
    sent = []
    whole = type(files).pipe_file
    monkeypatch.setattr(
        type(files), "pipe_file",
        lambda self, path, value, **how: (sent.append(path), whole(self, path, value, **how)),
    )  # fmt: skip
    there.push(lake, "ltc")
    assert [path.rpartition("/")[2] for path in sent] == [
        "2021-07.parquet", "sums.json", "manifest.json",
    ]  # fmt: skip


def test_a_lake_that_fetches_reads_what_is_there_now(files, lake, tmp_path):
    there = RemoteLake("s3://lakes/litecoin")
    there.push(lake, "ltc")
    fetching = FetchingLake(tmp_path / "fetched", there)
    assert fetching.datasets() == lake.datasets()
    assert fetching.read("ltc").equals(lake.read("ltc"))
    assert fetching.gaps(fetching.datasets()[0]) == []
    lake.write([bars(240, price=50.0)], "ltc", replace=True)
    there.push(lake, "ltc")
    assert fetching.read("ltc").equals(lake.read("ltc"))
    since = T0 + NS_PER_DAY
    assert fetching.read("ltc", since).equals(lake.read("ltc", since))
    with pytest.raises(DataError, match="cannot be written: the lake is at s3://lakes/litecoin"):
        fetching.write([bars(24)], "mine")


# --- what goes wrong


@pytest.mark.parametrize(
    ("ending", "payload", "said"),
    [
        ("2021-07.parquet", b"PAR1 or so", "damaged: its checksum differs"),
        ("2021-07.parquet", None, "2021-07.parquet is missing"),
        ("sums.json", b"{", "sums.json is missing or damaged"),
        ("sums.json", None, "sums.json is missing or damaged"),
        ("manifest.json", b"{}", "has format None"),
    ],
)
def test_what_is_damaged_there_changes_nothing_here(files, lake, tmp_path, ending, payload, said):
    there, other = RemoteLake("s3://lakes/litecoin"), Lake(tmp_path / "other")
    other.write([bars(24)], "ltc")
    before = other.read("ltc")
    there.push(lake, "ltc")
    spoil(files, ending, payload)
    with pytest.raises(DataError, match=said):
        there.pull(other, "ltc", replace=True)
    assert other.read("ltc").equals(before)
    assert other.problems(other.dataset("ltc")) == []


def test_a_name_that_is_taken_or_unknown_is_refused(files, lake, tmp_path):
    there, other = RemoteLake("s3://lakes/litecoin"), Lake(tmp_path / "other")
    there.push(lake, "ltc")
    other.write([bars(24)], "ltc")
    with pytest.raises(DataError, match="there is another data set ltc"):
        there.pull(other, "ltc")
    assert there.pull(other, "ltc", replace=True) == lake.dataset("ltc")
    with pytest.raises(DataError, match="no data set btc at s3://lakes/litecoin") as error:
        there.pull(other, "btc")
    assert "there are: ltc" in error.value.remedy
    with pytest.raises(DataError, match="there is no data set btc"):
        there.push(lake, "btc")


def test_a_file_that_is_damaged_here_is_brought_again(files, lake, tmp_path):
    there, other = RemoteLake("s3://lakes/litecoin"), Lake(tmp_path / "other")
    there.push(lake, "ltc")
    dataset = there.pull(other, "ltc")
    other.part(dataset, "2021-07").write_bytes(b"half of a fi")
    there.pull(other, "ltc", replace=True)
    assert other.read("ltc").equals(lake.read("ltc"))


@pytest.mark.parametrize("url", ["ltc", "/lakes", "http://host/lake", "s3:///x", "s3://b/x?key=1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UsageError, match="is no address of a lake"):
        RemoteLake(url)


def test_an_address_with_a_password_is_refused_and_not_repeated():
    with pytest.raises(UsageError) as error:
        RemoteLake("s3://who:hush-hush@lakes/litecoin")
    assert "hush-hush" not in str(error.value)


def test_without_obstore_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore.fsspec", None)
    with pytest.raises(UsageError, match="needs obstore") as error:
        RemoteLake("s3://lakes/litecoin")
    assert "litehedge[cluster]" in error.value.remedy


# --- a server that speaks S3


def test_over_s3_what_goes_comes_back_and_is_replaced(s3, lake, tmp_path):
    there, other = RemoteLake("s3://lakes/lite/coin/"), Lake(tmp_path / "other")
    assert there.datasets() == []
    first = there.push(lake, "ltc")
    there.pull(other, "ltc")
    assert other.read("ltc").equals(lake.read("ltc"))
    lake.write([bars(240, price=50.0)], "ltc", replace=True)
    there.push(lake, "ltc")
    there.pull(other, "ltc", replace=True)
    assert other.read("ltc").equals(lake.read("ltc"))
    assert there.names() == ["ltc"]
    assert there._sizes(f"ltc/{first.version}") == {}
    assert FetchingLake(tmp_path / "fetched", there).read("ltc").equals(lake.read("ltc"))


def test_over_s3_an_error_says_where_and_tells_no_secret(s3, lake, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="s3://elsewhere cannot be used") as error:
        RemoteLake("s3://elsewhere").push(lake, "ltc")
    assert "hush" not in str(error.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="s3://lakes/gone cannot be used"):
        RemoteLake("s3://lakes/gone").pull(Lake(tmp_path / "other"), "ltc")

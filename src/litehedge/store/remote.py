"""A lake on an object store, which several machines share: data sets go and come whole.

::

    URL/<dataset>/manifest.json
    URL/<dataset>/<version>/sums.json
    URL/<dataset>/<version>/<kind>/<venue>-<market>/<symbol>/<YYYY-MM>.parquet

The law is that of the local lake (`store/lake.py`): the manifest alone decides what readers see,
files of a version never change, and the manifest is written last, in one step. Who is killed before
that leaves the old content, and the next try sends only what is missing. Nothing is written but by
`push`: a live recording does not wait for a network.

Credentials are the usual variables of the environment (``AWS_ACCESS_KEY_ID`` and so on); they are
neither stored nor told. Whoever may write there may replace history: that is the store's to guard.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import polars as pl

from litehedge.errors import DataError, UsageError
from litehedge.store import durable
from litehedge.store.lake import Lake, check_name
from litehedge.store.manifest import VERSION, Dataset, from_bytes, to_bytes

Progress = Callable[[int, int], None]
Sums = dict[str, tuple[int, str]]
"""Size and SHA-256 of every file of a version, by its path below the data set."""

_TRIES: Final = 5
_CLOUDS: Final = ("s3", "gs", "az")


class RemoteLake:
    """The data sets below a URL: ``s3://bucket/prefix``, ``gs://`` or ``az://``.

    Raises
    ------
    UsageError
        When it is no such URL, carries a password, or the ``cluster`` extra is missing.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs, self._root = _opened(self.url)

    def names(self) -> list[str]:
        """Return the names of what lies there, whole or not."""
        with self._asking():
            try:
                entries = self._fs.ls(self._root, detail=False, refresh=True)
            except FileNotFoundError:
                return []
        return sorted(PurePosixPath(one).name for one in entries)

    def datasets(self) -> list[Dataset]:
        """Return the data sets that are there whole, by name.

        Raises
        ------
        DataError
            When the store does not answer or refuses, or a manifest is damaged.
        """
        found = (self.find(name) for name in self.names())
        return [dataset for dataset in found if dataset is not None]

    def find(self, name: str) -> Dataset | None:
        """Return a data set, None when there is none of that name.

        Raises
        ------
        DataError
            When the store does not answer or refuses, or its manifest is damaged.
        """
        payload = self._read(f"{name}/manifest.json")
        return None if payload is None else from_bytes(payload, name, f"{self.url}/{name}")

    def push(self, lake: Lake, name: str, reach: Progress = lambda done, total: None) -> Dataset:
        """Send a data set there, and make it the one that readers see.

        Parameters
        ----------
        reach
            Told how many files of how many are there.

        Raises
        ------
        DataError
            When there is no such data set here, or the store does not answer or refuses. What
            readers see there is as it was then.
        """
        for left in reversed(range(_TRIES)):
            dataset = lake.dataset(name)
            try:
                return self._push(lake, dataset, reach)
            except FileNotFoundError as error:
                if left and lake.dataset(name).version != dataset.version:
                    continue  # replaced while we read: start over with the new one
                raise DataError(
                    f"{error.filename} is missing", f"see: litehedge data check {name}"
                ) from None
        raise AssertionError("unreachable")

    def _push(self, lake: Lake, dataset: Dataset, reach: Progress) -> Dataset:
        name = dataset.name
        before = self.find(name)
        there = self._sizes(f"{name}/{dataset.version}")
        sums: Sums = {}
        for done, part in enumerate(dataset.parts):
            reach(done, len(dataset.parts))
            path = lake.part(dataset, part.month)
            below = path.relative_to(lake.root / name).as_posix()
            payload = path.read_bytes()
            sums[below] = (len(payload), hashlib.sha256(payload).hexdigest())
            if there.get(below) != len(payload):  # what is there is whole: it was put in one step
                self._write(f"{name}/{below}", payload)
        self._write(f"{name}/{dataset.version}/sums.json", msgspec.json.encode(sums))
        self._write(f"{name}/manifest.json", to_bytes(dataset))
        if before is not None and before.version != dataset.version:
            self._remove(f"{name}/{before.version}")
        reach(len(dataset.parts), len(dataset.parts))
        return dataset

    def pull(
        self, lake: Lake, name: str, reach: Progress = lambda done, total: None, *,
        replace: bool = False,
    ) -> Dataset:  # fmt: skip
        """Bring a data set here, every file checked against its sum; one that is here stays.

        Raises
        ------
        DataError
            When there is none, the name is taken here by another version and `replace` is not set,
            a file is missing or damaged there, the store does not answer, or the disk refuses.
            The lake here is as before then.
        """
        check_name(name)
        for left in reversed(range(_TRIES)):
            dataset = self.find(name)
            if dataset is None:
                raise DataError(
                    f"there is no data set {name} at {self.url}",
                    f"there are: {', '.join(one.name for one in self.datasets()) or 'none'}",
                )
            here = next((one for one in lake.datasets() if one.name == name), None)
            if here is not None and here.version == dataset.version and not lake.problems(here):
                return here
            if here is not None and not replace:
                raise DataError(
                    f"there is another data set {name} in {lake.root}",
                    "replace it as a whole with --replace, or move it away",
                )
            try:
                self._pull(lake, dataset, reach)
            except DataError:
                now = self.find(name)
                if left and now is not None and now.version != dataset.version:
                    continue  # replaced while we read: start over with the new one
                raise
            return dataset
        raise AssertionError("unreachable")

    def _pull(self, lake: Lake, dataset: Dataset, reach: Progress) -> None:
        sums = self._sums(dataset)
        with lake.writing(dataset.name), lake.incoming() as incoming:
            for done, part in enumerate(dataset.parts):
                reach(done, len(dataset.parts))
                path = lake.part(dataset, part.month, below=incoming)
                below = path.relative_to(incoming).as_posix()
                payload = self._read(f"{dataset.name}/{below}")
                stated = sums.get(below)
                if payload is None or stated is None or (len(payload), _sha(payload)) != stated:
                    raise DataError(
                        f"{self.url}/{dataset.name}/{below} is "
                        f"{'missing' if payload is None else 'damaged: its checksum differs'}",
                        f"send it again: litehedge data push {dataset.name} --to {self.url}",
                    )
                path.parent.mkdir(parents=True, exist_ok=True)
                durable.write_synced(path, payload)
            durable.remove_tree(lake.root / dataset.name / dataset.version)  # damaged, if there
            lake.settle(incoming, dataset)
        reach(len(dataset.parts), len(dataset.parts))

    def _sums(self, dataset: Dataset) -> Sums:
        where = f"{dataset.name}/{dataset.version}/sums.json"
        payload = self._read(where)
        try:
            return msgspec.json.decode(payload or b"", type=Sums)
        except msgspec.DecodeError:
            raise DataError(
                f"{self.url}/{where} is missing or damaged",
                f"send it again: litehedge data push {dataset.name} --to {self.url}",
            ) from None

    # --- the store ----------------------------------------------------------------------------

    def _read(self, below: str) -> bytes | None:
        with self._asking():
            try:
                return bytes(self._fs.cat_file(f"{self._root}/{below}"))
            except FileNotFoundError:
                return None

    def _write(self, below: str, payload: bytes) -> None:
        with self._asking():
            self._fs.pipe_file(f"{self._root}/{below}", payload)

    def _sizes(self, below: str) -> dict[str, int]:
        """Return the sizes of files below a version, by path below the data set."""
        top = below.rpartition("/")[0]
        with self._asking():
            try:
                found = self._fs.find(f"{self._root}/{below}", detail=True)
            except FileNotFoundError:
                return {}
        cut = f"{self._root}/{top}/".lstrip("/")
        return {path.lstrip("/").removeprefix(cut): int(one["size"]) for path, one in found.items()}

    def _remove(self, below: str) -> None:
        """Remove a version that no manifest names; what stays costs room, nothing else."""
        assert VERSION.fullmatch(below.rpartition("/")[2])
        with suppress(Exception):
            self._fs.rm(f"{self._root}/{below}", recursive=True)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except DataError:
            raise
        except Exception as error:  # what a store raises has no common base
            raise DataError(
                f"{self.url} cannot be used ({_brief(error)})",
                "check the address, the network, and the credentials in the environment "
                "(docs/how-to/cluster.md)",
            ) from None


class FetchingLake(Lake):
    """A remote lake as one to read from: what is asked for is brought into a folder here first.

    Parameters
    ----------
    root
        Folder of what was brought, for this remote lake alone.
    """

    def __init__(self, root: Path, remote: RemoteLake) -> None:
        super().__init__(root)
        self.remote = remote
        self._here = Lake(root)
        self._whole: set[tuple[str, str]] = set()

    def datasets(self) -> list[Dataset]:
        """Return the data sets that the remote lake has."""
        return self.remote.datasets()

    def broken(self) -> list[tuple[str, str]]:
        """Return none: a damaged manifest there is an error when it is asked for."""
        return []

    def dataset(self, name: str) -> Dataset:
        """Return a data set, brought here as it is there now.

        Raises
        ------
        DataError
            As `RemoteLake.pull` does.
        """
        if any(name == seen for seen, _ in self._whole):  # checked by this process before
            there = self.remote.find(name)
            if there is not None and (name, there.version) in self._whole:
                return there
        dataset = self.remote.pull(self._here, name, replace=True)
        self._whole.add((name, dataset.version))
        return dataset

    def _settled(
        self, dataset: Dataset, start_ns: int | None, end_ns: int | None, columns: Sequence[str]
    ) -> pl.DataFrame:
        if (dataset.name, dataset.version) not in self._whole:
            dataset = self.dataset(dataset.name)
        return super()._settled(dataset, start_ns, end_ns, columns)

    def writing(self, name: str) -> Any:
        """Refuse.

        Raises
        ------
        DataError
            Always: what is written here would be seen by nobody.
        """
        raise DataError(
            f"data set {name} cannot be written: the lake is at {self.remote.url}",
            "unset LITEHEDGE_LAKE, import it, and send it there: litehedge data push",
        )


def _opened(url: str) -> tuple[Any, str]:
    """Return a file system of fsspec, and the path of the lake in it."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise UsageError(
            "an address of a lake holds no password", "set AWS_ACCESS_KEY_ID and its like instead"
        )
    if parts.scheme not in _CLOUDS or not parts.netloc or parts.query:
        raise UsageError(
            f"{url!r} is no address of a lake", "give s3://BUCKET/PREFIX, gs:// or az://"
        )
    try:
        store = importlib.import_module("obstore.fsspec").FsspecStore
    except ImportError:
        raise UsageError(
            "a lake on an object store needs obstore",
            "install it with: pip install 'litehedge[cluster]'",
        ) from None
    # Options of the client would replace those of the environment, such as AWS_ALLOW_HTTP.
    fs = store(parts.scheme, retry_config={"max_retries": 3}, skip_instance_cache=True)
    return fs, f"{parts.netloc}{parts.path}".rstrip("/")


def _sha(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def _brief(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:160]

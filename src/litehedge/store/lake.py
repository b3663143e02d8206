"""The lake: recorded history as Parquet files, changed whole or not at all.

::

    root/<dataset>/manifest.json
    root/<dataset>/<version>/<kind>/<venue>-<market>/<symbol>/<YYYY-MM>.parquet

A data set that grows (`store/growing.py`) has a file for each day, ``<YYYY-MM-DD>.parquet``.

The manifest alone decides what readers see. A new version is written aside, made durable, moved
into place, and only then does a new manifest replace the old one in one step. A process that dies
at any instant leaves the old content or the new; what it leaves lying about is swept up by the next
write. One process writes at a time; readers need no lock.
"""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import polars as pl
from polars.exceptions import PanicException, PolarsError

import litehedge
from litehedge.errors import DataError, EmptyRange
from litehedge.feeds.archive import Series
from litehedge.store import durable
from litehedge.store.columns import COMPANIONS, OPTIONAL, SCHEMAS
from litehedge.store.manifest import (
    NAME,
    VERSION,
    Dataset,
    Part,
    Source,
    check_name,
    read_manifest,
    to_bytes,
)
from litehedge.store.merge import merge
from litehedge.store.survey import gaps_of
from litehedge.units import NS_PER_SECOND, iso_utc

__all__ = ["Dataset", "Lake", "Part", "Source", "check_name"]

SIMULATED: Final = "simulated-"
"""Begin of the venue of data sets that a world made."""

_INCOMING: Final = ".incoming-"
_READ_TRIES: Final = 5

ACROSS: Final = "across"
"""The venue of recorded feeds that tell of several."""


class Lake:
    """All data sets below a folder, which need not exist yet.

    Parameters
    ----------
    root
        Folder of the lake.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    # --- what there is ------------------------------------------------------------------------

    def datasets(self) -> list[Dataset]:
        """Return the data sets by name; `broken` tells of those that cannot be read."""
        found, _ = self._scan()
        return found

    def broken(self) -> list[tuple[str, str]]:
        """Return name and reason of each data set whose manifest cannot be used."""
        _, broken = self._scan()
        return broken

    def dataset(self, name: str) -> Dataset:
        """Return one data set.

        Raises
        ------
        DataError
            When there is none of that name, or its manifest cannot be used.
        """
        if NAME.fullmatch(name) and (self.root / name / "manifest.json").is_file():
            return read_manifest(self.root / name)
        names = [dataset.name for dataset in self.datasets()]
        if not names:
            raise DataError(
                f"there is no data set {name}: the lake in {self.root} is empty",
                "import files first: litehedge data import FILE...",
            )
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise DataError(
            f"there is no data set {name}", f"{hint}'litehedge data list' shows all of them"
        )

    def _scan(self) -> tuple[list[Dataset], list[tuple[str, str]]]:
        found: list[Dataset] = []
        broken: list[tuple[str, str]] = []
        for folder in self._folders():
            if not (folder / "manifest.json").is_file():
                continue  # an import died before its first manifest: nothing was promised
            try:
                found.append(read_manifest(folder))
            except DataError as error:
                broken.append((folder.name, str(error)))
        return found, broken

    def _folders(self) -> list[Path]:
        try:
            entries = sorted(self.root.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise DataError(
                f"the lake in {self.root} cannot be read: {error.strerror}", "check its permissions"
            ) from None
        return [entry for entry in entries if NAME.fullmatch(entry.name) and entry.is_dir()]

    # --- reading ------------------------------------------------------------------------------

    def read(
        self, name: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> pl.DataFrame:
        """Return the rows with ``start_ns < known_ns <= end_ns``, in order of ``known_ns``.

        Only the months in question are read. `buy_volume` of bars and `feed` of liquidations come
        along where the data set has them.

        Raises
        ------
        DataError
            When there is no such data set, no row in the range, or a file is missing or damaged.
        """
        dataset = self.dataset(name)
        return self._settled(dataset, start_ns, end_ns, SCHEMAS[dataset.kind])

    def _settled(
        self, dataset: Dataset, start_ns: int | None, end_ns: int | None, columns: Sequence[str]
    ) -> pl.DataFrame:
        for _ in range(_READ_TRIES):
            try:
                return self._rows(dataset, start_ns, end_ns, columns)
            except DataError:
                now = self.dataset(dataset.name)
                if now.version == dataset.version:
                    raise
                dataset = now  # replaced while we read: start over with the new one
        return self._rows(dataset, start_ns, end_ns, columns)

    def _rows(
        self, dataset: Dataset, start_ns: int | None, end_ns: int | None, columns: Sequence[str]
    ) -> pl.DataFrame:
        months = [
            part.month
            for part in dataset.parts
            if (start_ns is None or part.month >= _text_like(part.month, start_ns))
            and (end_ns is None or part.month <= _text_like(part.month, end_ns - 1))
        ]
        table = pl.DataFrame()
        if months:
            paths = [self.part(dataset, month) for month in months]
            rows = pl.scan_parquet(paths, glob=False)
            if start_ns is not None:
                rows = rows.filter(pl.col("known_ns") > start_ns)
            if end_ns is not None:
                rows = rows.filter(pl.col("known_ns") <= end_ns)
            try:
                if tuple(columns) == SCHEMAS[dataset.kind]:
                    there = rows.collect_schema().names()
                    more = [one for one in OPTIONAL.get(dataset.kind, ()) if one in there]
                    columns = (*columns, *more)
                table = rows.select(columns).collect()
            except (PolarsError, PanicException, OSError) as error:
                raise DataError(
                    f"a file of data set {dataset.name} is missing or damaged "
                    f"({_first_line(error)})",
                    f"import it again: litehedge data import FILE... --name {dataset.name} "
                    "--replace",
                ) from None
        if table.is_empty():
            since = "its start" if start_ns is None else iso_utc(start_ns)
            until = "its end" if end_ns is None else iso_utc(end_ns)
            raise EmptyRange(
                f"data set {dataset.name} has nothing between {since} and {until}",
                f"it covers {dataset.span}; 'litehedge data check {dataset.name}' lists its gaps",
            )
        return table

    def problems(self, dataset: Dataset) -> list[str]:
        """Compare the files with the manifest; return what differs, in words."""
        found: list[str] = []
        for part in dataset.parts:
            path = self.part(dataset, part.month)
            if not path.is_file():
                found.append(f"{path} is missing")
                continue
            try:
                table = pl.read_parquet(path, columns=list(SCHEMAS[dataset.kind]))
            except (PolarsError, PanicException, OSError) as error:
                found.append(f"{path} cannot be read ({_first_line(error)})")
                continue
            if table.height != part.rows:
                found.append(f"{path} has {table.height:,} rows, the manifest says {part.rows:,}")
        total = sum(part.rows for part in dataset.parts)
        if total != dataset.rows:
            found.append(f"the manifest says {dataset.rows:,} rows and lists {total:,}")
        return found

    def gaps(self, dataset: Dataset) -> list[tuple[int, int]]:
        """Return the spans without bars as (close before, open after); none for other kinds.

        Raises
        ------
        DataError
            When a file is missing or damaged.
        """
        if dataset.kind != "bars":
            return []
        closes = self._settled(dataset, None, None, ["event_ns"])["event_ns"]
        return [(gap.start_ns, gap.end_ns) for gap in gaps_of(dataset, closes.to_numpy())]

    def bars(self, name: str) -> Dataset:
        """Return a data set of bars.

        Raises
        ------
        DataError
            When there is none of that name, or it holds something else.
        """
        dataset = self.dataset(name)
        if dataset.kind != "bars":
            raise DataError(
                f"data set {name} holds {dataset.kind.replace('_', ' ')}, not bars",
                "choose a data set of bars; see: litehedge data list",
            )
        return dataset

    def companions(self, dataset: Dataset) -> dict[str, Dataset]:
        """Return what else the lake knows of the time of a bars data set.

        Keys, each only when there is one: ``btc`` (bars of Bitcoin of the same length, of the same
        market if possible), ``open_interest`` (in coins, the venue's own before others', the
        finest), ``mark`` (bars of the same length), ``across`` (predicted funding of other venues),
        and by the name of their kind those that feeds tell: ``funding``, ``liquidations``, ``book``
        and so on. Of several, the one that overlaps most, the venue's own counted twice, then by
        name.

        Raises
        ------
        DataError
            When `dataset` does not hold bars.
        """
        if dataset.kind != "bars":
            raise DataError(
                f"data set {dataset.name} holds {dataset.kind.replace('_', ' ')}, not bars",
                "name a data set of bars",
            )
        near = [other for other in self.datasets() if _overlap_ns(dataset, other) > 0]
        near = [other for other in near if not _is_too_coarse(other, dataset)]
        near = [other for other in near if _world(other) == _world(dataset)]
        own = [other for other in near if other.asset == dataset.asset]
        bars = [other for other in near if other.kind == "bars" and other.name != dataset.name]
        bars = [other for other in bars if other.interval_ns == dataset.interval_ns]
        btc = [other for other in bars if other.asset == "BTC" != dataset.asset]
        same_market = [other for other in btc if other.market == dataset.market]
        traded = [other for other in btc if other.market != "mark"]
        levels = [other for other in own if other.kind == "open_interest"]
        levels = [other for other in levels if other.unit == dataset.asset]
        levels = [other for other in levels if other.venue == dataset.venue] or levels
        finest_ns = min((other.interval_ns for other in levels), default=0)
        candidates = {
            "btc": same_market or traded or btc,
            "open_interest": [other for other in levels if other.interval_ns == finest_ns],
            "mark": [other for other in bars if other in own and other.market == "mark"],
            **{kind: [other for other in own if other.kind == kind] for kind in COMPANIONS},
        }
        rates = candidates.get("predicted_funding", [])
        candidates["predicted_funding"] = [one for one in rates if one.venue != ACROSS]
        candidates[ACROSS] = [one for one in rates if one.venue == ACROSS]
        return {
            key: min(some, key=lambda other: (-_worth(dataset, other), other.name))
            for key, some in candidates.items()
            if some
        }

    # --- writing ------------------------------------------------------------------------------

    def write(self, series: Sequence[Series], name: str, *, replace: bool = False) -> Dataset:
        """Store files of one kind, symbol and interval as one data set.

        Rows of times that several files hold must be the same in all of them.

        Raises
        ------
        DataError
            When the name is taken and `replace` is not set, when the files do not fit together,
            when another process writes, or the disk refuses. The lake is as before then.
        """
        check_name(name)
        table = merge(series)
        first = series[0]
        start_ns = int(table["event_ns"].min())  # type: ignore[arg-type]
        # A bar that closes at midnight of the first belongs to the month before.
        month = pl.from_epoch(pl.col("known_ns") - 1, time_unit="ns").dt.strftime("%Y-%m")
        by_month = table.with_columns(month=month).partition_by(
            "month", as_dict=True, include_key=False
        )
        tables = {str(key[0]): part for key, part in by_month.items()}
        dataset = Dataset(
            name=name,
            kind=first.kind,
            asset=first.asset,
            symbol=first.symbol,
            venue=first.venue,
            market=first.market,
            interval_ns=max(one.interval_ns for one in series),
            unit=first.unit,
            rows=table.height,
            start_ns=start_ns - (first.interval_ns if first.kind == "bars" else 0),
            end_ns=int(table["event_ns"].max()),  # type: ignore[arg-type]
            sources=tuple(Source(one.source, one.sha256, one.table.height) for one in series),
            parts=tuple(Part(month, part.height) for month, part in sorted(tables.items())),
            version=new_version(),
            created_by=litehedge.__version__,
        )
        with self.writing(name):
            if not replace:
                self._refuse_taken(name)
            self.put(dataset, tables)
        return dataset

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """Hold the lake for changing one data set, and sweep up before and after.

        Raises
        ------
        DataError
            When another process writes, or the disk refuses. The data set is as it was then.
        """
        try:
            with durable.exclusive(self.root):
                self._sweep()
                yield
                self._sweep()
        except OSError as error:
            raise DataError(
                f"the lake in {self.root} cannot be written: {error.strerror or error}",
                f"make room or check permissions; data set {name} is as it was",
            ) from None

    def remove(self, name: str) -> None:
        """Remove a data set if it is there; readers see all of it until it is gone.

        Raises
        ------
        DataError
            When another process writes, or the disk refuses.
        """
        check_name(name)
        try:
            with durable.exclusive(self.root):
                folder = self.root / name
                if folder.is_dir():
                    (folder / "manifest.json").unlink(missing_ok=True)
                    durable.sync_folder(folder)
                    self._sweep()
                    durable.remove_tree(folder)
        except OSError as error:
            raise DataError(
                f"data set {name} cannot be removed: {error.strerror or error}",
                "check the permissions of the lake",
            ) from None

    def _refuse_taken(self, name: str) -> None:
        if (self.root / name / "manifest.json").exists():
            raise DataError(
                f"there already is a data set {name}",
                "replace it as a whole with --replace (give all its files), or give another --name",
            )

    def put(
        self, dataset: Dataset, tables: Mapping[str, pl.DataFrame], old: Dataset | None = None
    ) -> None:
        """Write a version and make it the one that readers see; within `writing` alone.

        Parts that `tables` lack are those of the version `old`: the same files under new names.
        """
        with self.incoming() as incoming:
            for month, table in tables.items():
                path = self.part(dataset, month, below=incoming)
                path.parent.mkdir(parents=True, exist_ok=True)
                payload = io.BytesIO()
                table.write_parquet(payload, compression="zstd")
                durable.write_synced(path, payload.getbuffer())
            for part in () if old is None else dataset.parts:
                if old is not None and part.month not in tables:
                    path = self.part(dataset, part.month, below=incoming)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    durable.link(self.part(old, part.month), path)
            self.settle(incoming, dataset)

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """Yield a folder for a version on its way; within `writing` alone."""
        folder = self.root / f"{_INCOMING}{secrets.token_hex(8)}"
        folder.mkdir()
        try:
            yield folder
        finally:
            durable.remove_tree(folder)

    def settle(self, incoming: Path, dataset: Dataset) -> None:
        """Move a version that lies whole in `incoming` into place: readers see it from then on."""
        final = self.root / dataset.name
        durable.sync_tree(incoming)
        durable.write_synced(incoming / "manifest.json", to_bytes(dataset))
        final.mkdir(exist_ok=True)
        durable.move(incoming / dataset.version, final / dataset.version)
        durable.sync_folder(self.root)
        # From here on readers see the new content, until here the old.
        durable.move(incoming / "manifest.json", final / "manifest.json")

    def _sweep(self) -> None:
        """Remove what dead imports left, and versions that no manifest names any more."""
        for stale in self.root.glob(f"{_INCOMING}*"):
            durable.remove_tree(stale)
        for folder in self._folders():
            kept = ""
            if (folder / "manifest.json").exists():
                try:
                    kept = read_manifest(folder).version
                except DataError:
                    continue  # another litehedge may know what belongs to it
            for version in folder.iterdir():
                if VERSION.fullmatch(version.name) and version.name != kept:
                    durable.remove_tree(version)

    def part(self, dataset: Dataset, month: str, *, below: Path | None = None) -> Path:
        """Return where the file of a month (or day) lies."""
        base = self.root / dataset.name if below is None else below
        venue = _plain(f"{dataset.venue}-{dataset.market}")
        folder = base / dataset.version / dataset.kind / venue / _plain(dataset.symbol)
        return folder / f"{month}.parquet"


def new_version() -> str:
    """Return the name of a version that never was."""
    return secrets.token_hex(8)


def _world(dataset: Dataset) -> str:
    """Name the market a data set is of: the real one, or one that was simulated."""
    return dataset.venue if dataset.venue.startswith(SIMULATED) else ""


def _worth(dataset: Dataset, other: Dataset) -> int:
    """Return how long another data set overlaps; the venue's own feed is worth twice as much."""
    return _overlap_ns(dataset, other) * (2 if other.venue == dataset.venue else 1)


def _overlap_ns(one: Dataset, other: Dataset) -> int:
    return min(one.end_ns, other.end_ns) - max(one.start_ns, other.start_ns)


def _is_too_coarse(other: Dataset, bars: Dataset) -> bool:
    """Tell whether forced volume comes as sums over longer than a bar: a burst that never was."""
    return other.kind == "liquidations" and other.interval_ns > bars.interval_ns


def _text_like(part: str, time_ns: int) -> str:
    """Write the month of a time, or its day where the part is a day."""
    shape = "%Y-%m" if len(part) == len("2021-05") else "%Y-%m-%d"
    return datetime.fromtimestamp(time_ns // NS_PER_SECOND, tz=UTC).strftime(shape)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]

"""``litehedge data``: what a person types, sees and finds in the lake afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from litehedge.cli import main
from litehedge.store.lake import Lake

START = datetime(2021, 5, 1)  # noqa: DTZ001 - the files hold naive UTC


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Type ``litehedge data ...`` in a home of its own."""
    monkeypatch.setenv("LITEHEDGE_HOME", str(tmp_path / "home"))

    def typed(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["litehedge", "data", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        code = stopped.value.code
        assert isinstance(code, int)
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, captured.err)

    return typed


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "home" / "lake")


def candles(n: int = 60, start: datetime = START, minutes: int = 1) -> pl.DataFrame:
    closes = [100.0 + (i % 7) for i in range(n)]
    return pl.DataFrame(
        {
            "ts": [start + i * timedelta(minutes=minutes) for i in range(n)],
            "open": [c - 0.5 for c in closes],
            "high": [c + 1.0 for c in closes],
            "low": [c - 1.0 for c in closes],
            "close": closes,
            "volume": [10.0] * n,
        }
    )


def csv(path: Path, table: pl.DataFrame | None = None) -> Path:
    (candles() if table is None else table).write_csv(path)
    return path


def klines_zip(folder: Path, month: int) -> Path:
    stem = f"LTCUSDT-1m-2021-{month:02d}"
    first_ms = int((datetime(2021, month, 1) - datetime(1970, 1, 1)).total_seconds()) * 1000  # noqa: DTZ001
    text = "".join(
        f"{first_ms + 60_000 * i},1,2,1,2,5,{first_ms + 60_000 * i + 59_999},9,3,2,4,0\n"
        for i in range(30)
    )
    path = folder / f"{stem}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{stem}.csv", text)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / f"{stem}.zip.CHECKSUM").write_text(f"{digest}  {stem}.zip\n")
    return path


# --- import -----------------------------------------------------------------------------------


def test_each_file_becomes_a_data_set(run: Run, lake: Lake, tmp_path: Path) -> None:
    candles().write_parquet(tmp_path / "ltc_perp_1m.parquet")
    done = run("import", csv(tmp_path / "ltc_spot_1m.csv"), tmp_path / "ltc_perp_1m.parquet")
    assert done.code == 0
    assert done.err == ""
    assert [one.name for one in lake.datasets()] == ["ltc_perp_1m", "ltc_spot_1m"]
    for word in ("ltc_perp_1m", "1m bars", "LTCUSDT", "spot", "2021-05-01 .. 2021-05-01", "60"):
        assert word in done.out
    assert "2 data sets imported. Next: litehedge data check ltc_spot_1m" in done.out


def test_files_merge_under_one_name(run: Run, lake: Lake, tmp_path: Path) -> None:
    for month in (5, 6):
        klines_zip(tmp_path, month)
    files = sorted(tmp_path.glob("LTCUSDT*"))
    assert len(files) == 4, "the checksum files are among them, as a shell pattern gives them"
    done = run("import", *files, "--name", "ltc_perp_1m")
    assert done.code == 0
    dataset = lake.dataset("ltc_perp_1m")
    assert (dataset.rows, len(dataset.sources), dataset.market) == (60, 2, "perp")
    assert "note: LTCUSDT-1m-2021-05.zip and 1 more: market perp assumed" in done.out
    alone = run("import", tmp_path / "LTCUSDT-1m-2021-05.zip.CHECKSUM")
    assert (alone.code, "only checksum files" in alone.err) == (2, True)


def test_options_outrank_the_name(run: Run, lake: Lake, tmp_path: Path) -> None:
    options = ("--symbol", "btcusdt", "--market", "perp", "--venue", "okx", "--name", "x")
    assert run("import", csv(tmp_path / "ltc_spot_1m.csv"), *options).code == 0
    dataset = lake.dataset("x")
    assert (dataset.asset, dataset.market, dataset.venue) == ("BTC", "perp", "okx")


def test_one_bad_file_and_nothing_is_imported(run: Run, lake: Lake, tmp_path: Path) -> None:
    good = csv(tmp_path / "ltc_spot_1m.csv")
    for bad, content, says in (
        ("ltc_a.csv", candles().reverse(), "not in order of time"),
        ("ltc_b.csv", candles().with_columns(high=pl.lit(1.0)), "the bar contradicts itself"),
        ("ltc_c.csv", candles().with_columns(close=pl.lit(None)), "close is missing"),
        ("ltc_d.csv", candles().drop("volume"), "no layout"),
        ("ltc_spot_5m.csv", candles(), "is called 5m, but its rows are 1m apart"),
        ("ltc_e.csv", pl.concat([candles(), candles()[-1:]]), "already there"),
    ):
        done = run("import", good, csv(tmp_path / bad, content))
        assert done.code == 2
        assert done.out == ""
        assert done.err.startswith("error: ")
        assert bad in done.err
        assert says in done.err
        assert lake.datasets() == []
    missing = run("import", good, tmp_path / "none.csv")
    assert (missing.code, lake.datasets()) == (2, [])
    assert "there is no file" in missing.err


def test_contradicting_files_import_nothing(run: Run, lake: Lake, tmp_path: Path) -> None:
    other = candles().with_columns(volume=pl.lit(11.0))
    files = csv(tmp_path / "ltc_spot_1m.csv"), csv(tmp_path / "ltc_spot_1m_b.csv", other)
    done = run("import", *files, "--name", "x")
    assert done.code == 2
    assert "contradicts the files before it at 2021-05-01 00:01:00" in done.err
    assert "volume 11.0 there" in done.err
    assert lake.datasets() == []


def test_importing_again_is_nothing_new(run: Run, lake: Lake, tmp_path: Path) -> None:
    file = csv(tmp_path / "ltc_spot_1m.csv")
    run("import", file)
    version = lake.dataset("ltc_spot_1m").version
    again = run("import", file)
    assert again.code == 0
    assert "unchanged: ltc_spot_1m already holds this" in again.out
    assert lake.dataset("ltc_spot_1m").version == version
    # The same bytes read in another way are something else.
    other = run("import", file, "--market", "perp")
    assert other.code == 2
    assert "already is a data set ltc_spot_1m (LTCUSDT spot, 1m bars" in other.err
    assert run("import", file, "--market", "perp", "--replace").code == 0
    assert lake.dataset("ltc_spot_1m").market == "perp"


def test_other_content_needs_replace(run: Run, lake: Lake, tmp_path: Path) -> None:
    file = csv(tmp_path / "ltc_spot_1m.csv")
    run("import", file)
    csv(file, candles(90))
    fresh = csv(tmp_path / "ltc_perp_1m.csv")
    refused = run("import", fresh, file)
    assert refused.code == 2
    assert "--replace" in refused.err
    assert [one.name for one in lake.datasets()] == ["ltc_spot_1m"], "the fresh one neither"
    assert run("import", fresh, file, "--replace").code == 0
    assert lake.dataset("ltc_spot_1m").rows == 90


def test_a_damaged_data_set_can_be_replaced(run: Run, lake: Lake, tmp_path: Path) -> None:
    file = csv(tmp_path / "ltc_spot_1m.csv")
    run("import", file)
    (lake.root / "ltc_spot_1m" / "manifest.json").write_text("{")
    listed = run("list")
    assert listed.code == 0
    assert "broken: ltc_spot_1m: the manifest of data set ltc_spot_1m is damaged" in listed.out
    assert "damaged" in run("import", file).err
    assert run("import", file, "--replace").code == 0
    assert run("check", "ltc_spot_1m").code == 0


def test_names_must_not_collide(run: Run, lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    done = run("import", csv(tmp_path / "ltc.csv"), csv(tmp_path / "b" / "ltc.csv"))
    assert done.code == 2
    assert "would both become data set ltc" in done.err
    assert run("import", csv(tmp_path / "-ltc.csv").absolute()).code == 2
    assert run("import", csv(tmp_path / "ltc.csv"), "--name", "../x").code == 2
    assert run("import", csv(tmp_path / "ltc.csv"), "--market", "casino").code == 2
    assert run("import", tmp_path).code == 2
    assert lake.datasets() == []


def test_import_as_json(run: Run, tmp_path: Path) -> None:
    file = csv(tmp_path / "bars.csv")
    done = json.loads(run("import", file, "--json").out)
    assert [one["name"] for one in done["imported"]] == ["bars"]
    assert done["imported"][0]["interval"] == "1m"
    assert done["imported"][0]["sources"][0]["file"] == "bars.csv"
    assert "LTCUSDT assumed" in done["notes"][0]["note"]
    again = json.loads(run("import", file, "--json").out)
    assert (again["imported"], len(again["unchanged"])) == ([], 1)


# --- list and check ---------------------------------------------------------------------------


def test_an_empty_lake_says_how_to_fill_it(run: Run) -> None:
    listed = run("list")
    assert listed.code == 0
    assert "litehedge data import FILE" in listed.out
    assert json.loads(run("list", "--json").out) == {"datasets": [], "broken": []}
    checked = run("check", "ltc")
    assert checked.code == 2
    assert "import files first" in checked.err


def test_list(run: Run, lake: Lake, tmp_path: Path) -> None:
    table = pl.concat([candles(30), candles(30)[:0], candles(60)[40:]])
    funding = pl.DataFrame({"ts": [START, START + timedelta(hours=8)], "funding_rate": [0.0, 1e-4]})
    run(
        "import",
        csv(tmp_path / "ltc_spot_1m.csv", table),
        csv(tmp_path / "ltc_funding.csv", funding),
    )
    lines = run("list").out.splitlines()
    assert lines[0].split() == [
        "name",
        "holds",
        "symbol",
        "market",
        "span",
        "(UTC)",
        "rows",
        "gaps",
    ]
    assert lines[1].split() == ["ltc_funding", "funding", "LTCUSDT", "perp", "2021-05-01", "..",
                                "2021-05-01", "2"]  # fmt: skip
    assert lines[2].split()[-2:] == ["50", "1"]
    listed = json.loads(run("list", "--json").out)["datasets"]
    assert [(one["name"], one["gaps"]) for one in listed] == [
        ("ltc_funding", 0),
        ("ltc_spot_1m", 1),
    ]
    next(lake.root.glob("ltc_spot_1m/*/*/*/*/*.parquet")).unlink()
    assert run("list").out.splitlines()[2].split()[-1] == "damaged"


def test_check_of_bars(run: Run, lake: Lake, tmp_path: Path) -> None:
    table = pl.concat([candles(60)[:20], candles(60)[30:50], candles(60)[51:]])
    run("import", csv(tmp_path / "ltc_spot_1m.csv", table))
    done = run("check", "ltc_spot_1m")
    assert done.code == 0
    for words in (
        "ltc_spot_1m: LTCUSDT spot, 1m bars",
        "bars    49, 81.67 % of the span",
        "gaps    2, together 11m, longest first",
        "2021-05-01 00:20 .. 2021-05-01 00:30  10m",
        "flat    0 bars",
        "moves   2021-05-01 00:00  +0.50 %",
        "1 monthly file matches the manifest",
        "ltc_spot_1m.csv (49 rows, sha256",
    ):
        assert words in done.out
    found = json.loads(run("check", "ltc_spot_1m", "--json").out)
    assert found["coverage"] == pytest.approx(49 / 60)
    assert (found["gap_count"], found["files_match"], found["problems"]) == (2, True, [])
    assert found["gaps"][0]["start"] == "2021-05-01 00:20"
    assert (found["flat_bars"], found["zero_volume_bars"]) == (0, 0)
    assert len(found["largest_moves"]) == 5


def test_check_shows_the_ten_longest_gaps(run: Run, tmp_path: Path) -> None:
    table = candles(120).filter(pl.int_range(pl.len()) % 8 != 1)
    run("import", csv(tmp_path / "ltc_spot_1m.csv", table))
    done = run("check", "ltc_spot_1m")
    assert "gaps    15, together 15m" in done.out
    assert "and 5 shorter ones" in done.out


def test_check_of_mark_prices_and_of_what_is_no_bars(run: Run, tmp_path: Path) -> None:
    mark = candles().with_columns(volume=pl.lit(0.0))
    oi = pl.DataFrame({"ts": [START, START + timedelta(minutes=5)], "oi": [1.0, 2.0]})
    run("import", csv(tmp_path / "ltc_mark_1m.csv", mark), csv(tmp_path / "ltc_oi.csv", oi))
    assert "volume  none: not traded, or not told" in run("check", "ltc_mark_1m").out
    assert json.loads(run("check", "ltc_mark_1m", "--json").out)["zero_volume_bars"] is None
    done = run("check", "ltc_oi")
    assert "LTCUSDT perp, open interest in LTC" in done.out
    assert "longest without a row: 2021-05-01 00:00 .. 2021-05-01 00:05  5m" in done.out
    found = json.loads(run("check", "ltc_oi", "--json").out)
    assert found["longest_silence"]["length"] == "5m"


def test_check_finds_damage(run: Run, lake: Lake, tmp_path: Path) -> None:
    run("import", csv(tmp_path / "ltc_spot_1m.csv"))
    part = next(lake.root.glob("ltc_spot_1m/*/*/*/*/*.parquet"))
    lake.read("ltc_spot_1m")[:-1].write_parquet(part)
    done = run("check", "ltc_spot_1m")
    assert done.code == 2
    assert "has 59 rows, the manifest says 60" in done.err
    assert "--name ltc_spot_1m --replace" in done.err
    asked = run("check", "ltc_spot_1m", "--json")
    assert asked.code == 2
    assert json.loads(asked.out)["files_match"] is False


@pytest.mark.parametrize("command", ["import", "list", "check"])
def test_help_has_an_example(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.code == 0
    assert f"Example: litehedge data {command}" in done.out


def test_as_a_module(tmp_path: Path) -> None:
    environment = {**os.environ, "LITEHEDGE_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "litehedge", "data", "import", csv(tmp_path / "ltc_spot_1m.csv")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert Lake(tmp_path / "home" / "lake").read("ltc_spot_1m").height == 60


@pytest.mark.history
@pytest.mark.skipif(
    "LITEHEDGE_TEST_DATA" not in os.environ,
    reason="LITEHEDGE_TEST_DATA does not point at the real Litecoin history",
)
def test_real_history_imports(run: Run, lake: Lake) -> None:
    files = sorted(Path(os.environ["LITEHEDGE_TEST_DATA"]).glob("*.parquet"))
    assert run("import", *files).code == 0
    rows = {dataset.name: dataset.rows for dataset in lake.datasets()}
    assert rows["ltc_spot_1m"] == 343_638
    assert rows["ltc_spot_5m"] == 425_983
    assert len(rows) == len(files)
    assert all(lake.problems(dataset) == [] for dataset in lake.datasets())
    found = lake.companions(lake.dataset("ltc_perp_1h"))
    assert {key: dataset.name for key, dataset in found.items()} == {
        "btc": "btc_perp_1h",
        "funding": "ltc_funding",
        "open_interest": "ltc_metrics_5m",
        "mark": "ltc_mark_1h",
        "liquidations": "ltc_liquidations_2023-11",
    }
    assert run("check", "ltc_spot_5m").code == 0

"""Journals of earlier versions: read as they are, upgraded whole or not at all, kept beside."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from typer.testing import CliRunner

from litehedge.cli.app import app
from litehedge.config import Settings
from litehedge.errors import JournalError
from litehedge.store import upgrade
from litehedge.store.journal import Journal
from litehedge.store.lookback import Past
from litehedge.store.places import server_engine
from litehedge.store.registry import REGISTRY, Registry
from litehedge.store.tables import JOURNAL
from litehedge.store.upgrade import FIRST, copy_of, prepare, version_of
from litehedge_runs import header

KEPT = Path(__file__).parent / "journal-of-0.1.0.sqlite.gz"
EVENTS, EFFECTS, DECISIONS, ORDERS = 890, 80, 71, 8


@pytest.fixture
def old(tmp_path):
    """The journal of a backtest by the first version that had one; see the text beside it."""
    path = tmp_path / "old.sqlite"
    path.write_bytes(gzip.decompress(KEPT.read_bytes()))
    return path


def told(journal):
    """All that a journal of one run tells."""
    ((number, first),) = journal.runs()
    facts = number, first, list(journal.events(number)), list(journal.effects(number))
    journal.close()
    return facts


def version(path):
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = version_of(connection, JOURNAL)
    engine.dispose()
    return found


def test_an_old_journal_is_read_as_it_is_and_nothing_of_it_changes(old):
    before = old.read_bytes()
    journal = Journal(old, reads_only=True)
    assert len(list(journal.decisions(1))) == DECISIONS
    assert len(list(journal.orders(1))) == ORDERS
    _, first, events, effects = told(journal)
    assert (len(events), len(effects)) == (EVENTS, EFFECTS)
    assert Settings.model_validate(first.settings).position.leverage == 15.0
    past = Past(old)
    assert len(past.decisions(lambda decision: True, most=1000)) == DECISIONS
    assert past.newest_header() == first
    past.close()
    assert old.read_bytes() == before
    assert version(old) == FIRST


def test_upgraded_it_tells_the_same_and_the_old_one_is_kept(old):
    before = told(Journal(old, reads_only=True))
    then = old.with_name("then.sqlite")
    then.write_bytes(old.read_bytes())
    journal = Journal(old)  # for writing
    assert version(old) == JOURNAL.head
    assert told(journal) == before
    with closing(sqlite3.connect(old)) as file:
        (payload,) = file.execute("SELECT header FROM runs").fetchone()
    assert "store" not in json.loads(payload)["settings"]
    copy = copy_of(old, FIRST)
    assert copy.name == "old-0001.sqlite"
    assert version(copy) == FIRST
    with closing(sqlite3.connect(copy)) as kept, closing(sqlite3.connect(then)) as first:
        assert list(kept.iterdump()) == list(first.iterdump())


def test_it_goes_on_after_the_upgrade_and_is_upgraded_once(old):
    journal = Journal(old)
    journal.begin(header())
    journal.close()
    content = old.read_bytes()
    Journal(old).close()
    assert old.read_bytes() == content
    journal = Journal(old)
    assert [number for number, _ in journal.runs()] == [1, 2]
    journal.close()


CALLS = ("open", "fsync", "rename", "unlink")


def _dies_at(n, work):
    """Run in a child that kills itself before its n-th step on disk or in the database."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    try:
        left = [n]

        def count():
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def watched(real):
            def call(*args, **more):
                count()
                return real(*args, **more)

            return call

        class Deadly(sqlite3.Connection):
            def commit(self):
                count()
                super().commit()
                count()

            def cursor(self, *args):
                count()
                return super().cursor(*args)

            def backup(self, *args, **more):
                count()
                super().backup(*args, **more)

        real = sqlite3.connect
        sqlite3.connect = sqlite3.dbapi2.connect = lambda *a, **k: real(
            *a, **{"factory": Deadly} | k
        )
        for name in CALLS:
            setattr(os, name, watched(getattr(os, name)))
        work()
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(repr(error))
        os._exit(1)


def test_killed_anywhere_it_is_the_old_one_or_the_new_one(old, tmp_path):
    content, expected = old.read_bytes(), told(Journal(old, reads_only=True))
    seen = set()
    for n in range(1, 200):
        path = tmp_path / f"{n}" / "j.sqlite"
        path.parent.mkdir()
        path.write_bytes(content)
        died = _dies_at(n, lambda path=path: Journal(path).close())
        found = version(path)
        seen.add(found)
        assert told(Journal(path, reads_only=True)) == expected
        assert found == FIRST or version(copy_of(path, FIRST)) == FIRST
        assert told(Journal(path)) == expected  # the next start does the rest
        assert version(path) == JOURNAL.head
        assert version(copy_of(path, FIRST)) == FIRST
        if not died:
            break
    else:
        pytest.fail("the upgrade takes more steps than it is killed at")
    assert seen == {FIRST, JOURNAL.head}
    assert n > 15


def test_a_disk_that_keeps_no_copy_leaves_the_old_journal(old, monkeypatch):
    def fails(path, copy):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(upgrade, "keep_copy", fails)
    before = old.read_bytes()
    with pytest.raises(JournalError, match="No space left"):
        Journal(old)
    assert old.read_bytes() == before


def test_a_journal_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "j.sqlite"
    Journal(path).close()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE journal_version SET version_num = '9999'")
    for reads_only in (False, True):
        with pytest.raises(JournalError, match="version 9999"):
            Journal(path, reads_only=reads_only)


@pytest.fixture(
    params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))]
)
def engine(request, tmp_path):
    """An empty database."""
    if request.param == "sqlite":
        found = sa.create_engine(f"sqlite:///{tmp_path / 'db'}")
    else:
        found = server_engine(request.getfixturevalue("pg_url"))
    yield found
    found.dispose()


@pytest.mark.parametrize("kind", [JOURNAL, REGISTRY], ids=lambda kind: kind.name)
def test_the_steps_lead_to_the_tables_that_new_ones_have(engine, kind):
    """Also: what the steps do is done within one transaction, on both."""
    with engine.connect() as connection:
        upgrade._lock(connection, kind)
        upgrade._run_steps(connection, kind, None)
        connection.rollback()
        assert sa.inspect(connection).get_table_names() == []
        connection.rollback()
        upgrade._lock(connection, kind)
        upgrade._run_steps(connection, kind, None)
        connection.commit()
        assert version_of(connection, kind) == kind.head
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, kind.meta) == []
    assert prepare(engine, kind) == kind.head


def test_a_registry_from_before_there_were_versions_is_taken_up(tmp_path):
    Registry(tmp_path).close()
    with sqlite3.connect(tmp_path / "registry.sqlite") as file:
        file.execute("DROP TABLE registry_version")
    registry = Registry(tmp_path)
    assert registry.versions() == []
    registry.close()


def asked(*arguments):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def home(old, tmp_path, monkeypatch):
    """A home with the old journal as a session."""
    folder = tmp_path / "home" / "sessions" / "first"
    folder.mkdir(parents=True)
    old.rename(folder / "journal.sqlite")
    monkeypatch.setenv("LITEHEDGE_HOME", str(tmp_path / "home"))
    return folder


def test_replay_and_report_read_an_old_journal(home):
    before = (home / "journal.sqlite").read_bytes()
    done = asked("replay", "first", "--json")
    (result,) = json.loads(done.stdout)["runs"]
    assert (result["events"], result["written_by"]) == (EVENTS, "0.1.0")
    assert done.exit_code == 1  # this version decides otherwise, and says where
    assert "recommendation.reason" in result["difference"]
    assert asked("report", "first", "--json", "-").exit_code == 0
    assert (home / "journal.sqlite").read_bytes() == before


def test_the_command_upgrades_a_session_and_says_so(home):
    for was in (FIRST, JOURNAL.head):
        done = asked("journal", "upgrade", "first", "--json")
        assert done.exit_code == 0
        said = json.loads(done.stdout)
        assert (said["was"], said["is"]) == (was, JOURNAL.head)
    assert Path(said["journal"]) == home / "journal.sqlite"
    assert (home / "journal-0001.sqlite").is_file()

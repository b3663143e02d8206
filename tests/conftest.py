"""What every test may ask for, and how the run is set up."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import pg_server as pg_server_module
from litehedge.store.places import Served, server_url

ON_SERVER = pytest.mark.xdist_group("postgres")  # one worker, one server

settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60, print_blob=True)
settings.register_profile("dev", deadline=None, max_examples=60)
settings.register_profile("deep", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


ON_THE_CLOCK = ("browser", "cli", "deploy", "test_cluster.py")
"""Real processes, browsers and servers, on a machine that other tests keep busy."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give what runs on the machine's clock a second try; the summary names who needed it."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in ON_THE_CLOCK:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def history() -> Path:
    """The folder with the real Litecoin history."""
    configured = os.environ.get("LITEHEDGE_TEST_DATA", "")
    if not configured or not Path(configured).is_dir():
        pytest.skip("LITEHEDGE_TEST_DATA does not point at the real Litecoin history")
    return Path(configured)


@pytest.fixture(scope="session")
def pg_server() -> Iterator[pg_server_module.Server]:
    """A PostgreSQL server of this worker; tests that stop it start it again."""
    if pg_server_module.binaries() is None:
        pytest.skip("PostgreSQL's server is not installed: nothing is known of journals on one")
    server = pg_server_module.Server()
    yield server
    server.end()


@pytest.fixture
def pg_url(pg_server: pg_server_module.Server) -> str:
    """The URL of an empty database on a server."""
    return pg_server.database()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=ON_SERVER)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path | Served:
    """A place for a journal: a file, and a schema on a server."""
    if request.param == "sqlite":
        return tmp_path / "journal.sqlite"
    url = request.getfixturevalue("pg_url")
    return Served(server_url(url), "paper")


@pytest.fixture(scope="module")
def silent() -> Iterator[None]:
    """Let nothing be logged: of a test all records are kept until it ends.

    With each go its error, that error's traceback and the whole history in which it was raised.
    """
    ours = logging.getLogger("litehedge")
    before = ours.level
    ours.setLevel(logging.CRITICAL + 1)
    yield
    ours.setLevel(before)

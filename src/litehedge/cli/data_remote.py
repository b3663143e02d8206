"""``litehedge data push`` and ``pull``: a lake on an object store, which several machines share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

import typer

from litehedge.cli.common import LAKE, progress
from litehedge.cli.data_words import say
from litehedge.errors import UsageError
from litehedge.shelf.home import home
from litehedge.store.lake import Dataset, Lake
from litehedge.store.remote import RemoteLake

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Data sets; several at once.")]
_URL = "s3://BUCKET/PREFIX"


def push_command(
    names: Names,
    to: Annotated[
        str | None,
        typer.Option(metavar=_URL, help="Where the lake is; gs:// and az:// too. Default: "
                     "LITEHEDGE_LAKE."),
    ] = None,
) -> None:  # fmt: skip
    """Send data sets to a lake on an object store, whole.

    Readers there see the new content from one moment to the next; a push that was stopped goes on.
    Credentials come from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
    AWS_ENDPOINT_URL. Needs the cluster extra.

    Example: litehedge data push ltc_spot_5m ltc_perp_5m --to s3://lakes/litecoin
    """
    remote, lake = RemoteLake(_url(to, "--to")), Lake(home() / "lake")
    for name in names:
        _told(f"sending {name}", "is now at", remote.url,
              lambda reach, name=name: remote.push(lake, name, reach))  # type: ignore[misc]  # fmt: skip


def pull_command(
    names: Names,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar=_URL, help="Where the lake is; gs:// and az:// too. "
                     "Default: LITEHEDGE_LAKE."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a data set of that name as a whole.")
    ] = False,
) -> None:  # fmt: skip
    """Bring data sets from a lake on an object store into the lake here, every file checked.

    Example: litehedge data pull ltc_spot_5m --from s3://lakes/litecoin
    """
    remote, lake = RemoteLake(_url(from_, "--from")), Lake(home() / "lake")
    for name in names:
        _told(f"fetching {name}", "is here, as at", remote.url,
              lambda reach, name=name: remote.pull(lake, name, reach, replace=replace))  # type: ignore[misc]  # fmt: skip


def _told(
    what: str, then: str, url: str, work: Callable[[Callable[[int, int], None]], Dataset]
) -> None:
    with progress(what, 1.0) as bar:
        dataset = work(lambda done, total: bar(done / max(total, 1)))
    say(f"{dataset.name} {then} {url}: {dataset.rows:,} rows, {dataset.span}")


def _url(given: str | None, option: str) -> str:
    url = given or os.environ.get(LAKE, "")
    if not url:
        raise UsageError("there is no address of a lake", f"give {option} {_URL}, or set {LAKE}")
    return url

"""Work for the machines of a Ray cluster, any of which may be lost.

Results are those of processes on this machine, bit for bit: every piece of work is a function of
its item and of what was given, runs in a process with one thread, and is put back in its order. A
worker that dies takes nothing with it: Ray runs its item again, on the same inputs. Whoever joins
must run the same litehedge on the same numerical libraries; a worker that does not is refused.

Ray (the ``cluster`` extra) is imported when a cluster is asked for, and never by what trades.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import pickle
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, TypeVar

from litehedge.errors import LitehedgeError, UsageError
from litehedge.store import kept as kp

Item = TypeVar("Item")
Result = TypeVar("Result")
Tell = Callable[[Any], None]

AUTO: Final = "auto"
CLIENT: Final = "ray://"
RETRIES: Final = 8
"""How often an item is begun again after its worker died, before memory is to blame."""
POLL_S: Final = 0.25
REACH_S: Final = 5.0
"""How long an address has to answer."""
HEAR_S: Final = 30.0
"""How long the end of an item waits for the last of its news to arrive."""
JOIN_S: Final = 40.0
"""How long a cluster that answered has to let us in."""

_NUMERIC: Final = ("numpy", "numba", "torch", "lightgbm", "polars", "ray")
_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody
    "GRPC_VERBOSITY": "NONE",
}


class ClusterError(LitehedgeError):
    """The cluster cannot be reached or used. Nothing else is affected."""

    exit_code = 2


class Cluster:
    """A crew of workers on a Ray cluster that this process has joined.

    Parameters
    ----------
    kept
        Folder for results until `joined` ends well: after a kill, the same work finds them there.
    """

    def __init__(self, ray: Any, kept: Path | None = None) -> None:
        self._ray = ray
        self._kept = kept
        self._mine: set[Path] = set()
        # Pickled by name: a worker imports this module, as it must be there anyhow.
        self._one = ray.remote(num_cpus=1, max_retries=RETRIES)(_one)
        self._ear = ray.remote(num_cpus=0, max_restarts=-1)(_Ear)

    @property
    def workers(self) -> int:
        """How many items are worked on at once: the cores of the cluster."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def each(
        self,
        work: Callable[..., Result],
        items: Sequence[Item],
        what: str,
        *,
        begin: Callable[..., None] | None = None,
        given: tuple[Any, ...] = (),
        done: Callable[[int, Result], None] = lambda at, result: None,
        heard: Tell | None = None,
        keeps: bool = True,
    ) -> list[Result]:
        """Return what `work` makes of every item, in their order.

        Parameters
        ----------
        what
            What a worker does, for the error: "fits a baseline".
        begin, given
            What every worker calls first, and with what.
        done
            Told the place of an item and its result as it comes.
        heard
            Told what workers tell on their way; then `work` gets a function to tell with, too.
        keeps
            Whether results are worth keeping for a second try; not what is kept elsewhere.

        Raises
        ------
        ClusterError
            When an item lost its worker again and again, or a worker has another litehedge.
        """
        ray = self._ray
        found: dict[int, Result] = {}
        paths = self._paths(work, items, begin, given) if keeps else {}
        for at, path in paths.items():
            if (kept := kp.read(path)) is not None:
                found[at] = kept[0]
                done(at, kept[0])
        ear = None if heard is None else _Listener(ray, self._ear.remote(), heard)
        # As bytes: arrays out of Ray's store are read-only, other ones than kernels are given here.
        # In a list, so that a worker fetches it once, not for each item.
        about = (same_code(), uuid.uuid4().hex, [ray.put(_packed((work, begin, given)))])
        place = {
            self._one.remote(about, _packed(item), ear and ear.actor): at
            for at, item in enumerate(items)
            if at not in found
        }
        waiting = list(place)
        try:
            while waiting:
                ready, waiting = ray.wait(waiting, timeout=POLL_S)
                if ear is not None:
                    ear.listen(POLL_S if waiting else HEAR_S)
                for ref in ready:
                    at = place[ref]
                    found[at] = _opened(ray, ref, what)
                    if at in paths:
                        kp.write(paths[at], found[at])
                    done(at, found[at])
        finally:
            for ref in waiting:  # after an error or Ctrl-C: nobody waits for these any more
                with suppress(Exception):
                    ray.cancel(ref, force=True)
            if ear is not None:
                with suppress(Exception):
                    ray.kill(ear.actor)
        return [found[at] for at in range(len(items))]

    def forget(self) -> None:
        """Remove the results that were kept: all of the work is done."""
        for path in self._mine:
            path.unlink(missing_ok=True)
        self._mine.clear()

    def _paths(
        self, work: Any, items: Sequence[Any], begin: Any, given: tuple[Any, ...]
    ) -> dict[int, Path]:
        """Name the file of every result by a hash of all that it depends on."""
        if self._kept is None:
            return {}
        try:
            self._kept.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ClusterError(
                f"{self._kept} cannot be written: {error.strerror or error}", "check LITEHEDGE_HOME"
            ) from None
        shared = kp.name_of((same_code(), work, begin, given))
        paths = {at: self._kept / kp.name_of((shared, item)) for at, item in enumerate(items)}
        self._mine.update(paths.values())
        return paths


class _Listener:
    """Asks an `_Ear` for what was told; an answer that comes late is waited for, not lost."""

    def __init__(self, ray: Any, actor: Any, heard: Tell) -> None:
        self._ray = ray
        self.actor = actor
        self._heard = heard
        self._asked: Any = None

    def listen(self, wait_s: float) -> None:
        if self._asked is not None and not self._take(wait_s):
            return
        self._asked = self.actor.heard.remote()
        self._take(wait_s)

    def _take(self, wait_s: float) -> bool:
        """Hand on the answer; False while there is none."""
        ready, _ = self._ray.wait([self._asked], timeout=wait_s)
        if not ready:
            return False
        asked, self._asked = self._asked, None
        try:
            news = self._ray.get(asked)
        except self._ray.exceptions.RayError:
            return True  # the machine of the ear is lost: it begins anew elsewhere
        for one in news:
            self._heard(one)
        return True


class _Ear:
    """Keeps what workers tell until the driver asks."""

    def __init__(self) -> None:
        self._news: list[Any] = []

    def tell(self, news: Any) -> None:
        self._news.append(news)

    def heard(self) -> list[Any]:
        news, self._news = self._news, []
        return news


class _Failed:
    """An error that a worker met, on its way to the driver."""

    def __init__(self, error: Exception) -> None:
        self.error = error


_begun: dict[str, Any] = {}


def _one(about: tuple[str, str, list[Any]], item: bytes, ear: Any) -> bytes:
    """Do one item; in a worker."""
    code, job, kept = about
    if same_code() != code:
        return _packed(_Failed(_other_code()))
    ray = importlib.import_module("ray")
    try:
        if _begun.get("job") != job:
            work, begin, given = pickle.loads(ray.get(kept[0]))
            _single_thread()
            if begin is not None:
                begin(*given)
            _begun.update(job=job, work=work)
        if ear is None:
            return _packed(_begun["work"](pickle.loads(item)))
        last: list[Any] = []
        result = _begun["work"](pickle.loads(item), lambda news: last.append(ear.tell.remote(news)))
        with suppress(Exception):
            ray.wait(last[-1:], timeout=HEAR_S)  # heard before the end
        return _packed(result)
    except Exception as error:
        return _packed(_Failed(error))


def _packed(value: Any) -> bytes:
    return pickle.dumps(value, protocol=5)


def _single_thread() -> None:
    for name in ("torch", "numba"):
        if (module := sys.modules.get(name)) is not None:
            module.set_num_threads(1)


def _opened(ray: Any, ref: Any, what: str) -> Any:
    try:
        value = pickle.loads(ray.get(ref))
    except (ray.exceptions.RayTaskError, ray.exceptions.RaySystemError) as error:
        # Its own errors come as values: this one came from before, the worker cannot load us.
        raise ClusterError(
            f"a worker of the cluster cannot run litehedge ({_first_line(error)})",
            "install the same litehedge, with its extras, on every machine of the cluster",
        ) from None
    except ray.exceptions.RayError as error:
        raise ClusterError(
            f"a worker that {what} died {RETRIES + 1} times, or the cluster is gone "
            f"({_first_line(error)})",
            "its memory may be too small for one piece of work per core; run the same command "
            "again: what is done is kept",
        ) from None
    if isinstance(value, _Failed):
        raise value.error
    return value


def _other_code() -> ClusterError:
    return ClusterError(
        f"the litehedge on {socket.gethostname()} is another one, or has other libraries: its "
        "results would not be those of this machine",
        "install the same versions on every machine of the cluster",
    )


@cache
def same_code() -> str:
    """Return a hash that two machines share when they compute the same: sources and versions."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    versions = [platform.machine(), *platform.python_version_tuple()[:2]]
    for name in _NUMERIC:
        with suppress(PackageNotFoundError):
            versions.append(f"{name} {version(name)}")
    digest.update(" ".join(versions).encode())
    return digest.hexdigest()


# --- joining ----------------------------------------------------------------------------------


@contextmanager
def joined(
    address: str,
    *,
    cores: int | None = None,
    store_bytes: int | None = None,
    kept: Path | None = None,
) -> Iterator[Cluster]:
    """Join a cluster for as long as the block lasts.

    Parameters
    ----------
    address
        ``auto``: the cluster that runs on this machine, or one that is started for the block.
        ``HOST:PORT``: one that this machine is a part of. ``ray://HOST:PORT``: any, from outside.
    cores, store_bytes
        Of a cluster that is started here: at most so many items at once (None: one per core), and
        room for what they share (None: what Ray finds fit).
    kept
        Folder that keeps results until the block ends well.

    Raises
    ------
    ClusterError
        When Ray is not installed, nothing answers within seconds, or what answers lets us not in.
    """
    os.environ.update(_QUIET)  # read when Ray is imported, and by the processes that it starts
    ray = _ray()
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    folder: str | None = None
    ends = signal.getsignal(signal.SIGTERM)
    try:
        if address != AUTO:
            _check_reachable(address)
            _begin(ray, address, address=address, **quiet)
        elif not _joins_running(ray, quiet):
            folder = tempfile.mkdtemp(prefix="lh-ray-")  # short: names of sockets are
            _begin(
                ray, address, address="local", num_cpus=cores or os.cpu_count(),
                object_store_memory=store_bytes, include_dashboard=False, _temp_dir=folder, **quiet,
            )  # fmt: skip
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ends)  # Ray's own prints its stack
        crew = Cluster(ray, kept)
        yield crew
        crew.forget()
    finally:
        with suppress(Exception):
            ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise ClusterError(
            "a cluster needs Ray", "install it with: pip install 'litehedge[cluster]'"
        ) from None


def _joins_running(ray: Any, quiet: dict[str, Any]) -> bool:
    try:
        ray.init(address=AUTO, **quiet)
    except ConnectionError:
        return False
    return True


def _begin(ray: Any, where: str, **how: Any) -> None:
    try:
        ray.init(**how)
    except Exception as error:  # Ray's own, gRPC's, or Python's: no common base
        raise ClusterError(
            f"the cluster {where} cannot be used ({_first_line(error)})", _REMEDY
        ) from None


_REMEDY: Final = (
    "see that it runs (ray status), is of the same Ray, and knows this machine's token "
    "(docs/how-to/cluster.md); or leave out --cluster: the same work runs here"
)


def _check_reachable(address: str) -> None:
    """Refuse an address where no Ray answers, in seconds.

    Ray itself waits for minutes, and ends the process that asked: so another one asks first.
    """
    host, colon, port = address.removeprefix(CLIENT).rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise UsageError(
            f"{address!r} is no address of a cluster", "give auto, HOST:PORT or ray://HOST:PORT"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
    except OSError as error:
        raise ClusterError(
            f"nothing answers at {address} ({error.strerror or error})", _REMEDY
        ) from None
    ask = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False); ray.shutdown()"
    try:
        said = subprocess.run(
            [sys.executable, "-c", ask, address], capture_output=True, timeout=JOIN_S, check=False,
            stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"what answers at {address} is no Ray cluster, or hangs", _REMEDY
        ) from None
    if said.returncode != 0:
        lines = [line for line in said.stderr.splitlines() if line.strip()]
        why = lines[-1][:160] if lines else f"exit status {said.returncode}"
        raise ClusterError(f"the cluster {address} cannot be used ({why})", _REMEDY)


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:160]

"""A screen whose commands are made up, for tests: ``python faked.py HOME SETTINGS [ARGUMENT...]``.

With ``--real`` it starts the real commands; other arguments go to sessions on paper.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parents[1]


@contextmanager
def faked(root: Path, *arguments: str) -> Iterator[tuple[str, Path]]:
    """Serve the screen of a home folder; yields its address and its settings file."""
    settings = root / "litehedge.toml"
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, __file__, str(root), str(settings), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": path, "LITEHEDGE_HOME": str(root),
             "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    try:
        while not (found := re.search(r"at (http://\S+/)", said)):
            line = process.stdout.readline()
            said += line
            assert line, said
        yield found[1], settings
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


def main(root: str, settings: str, *arguments: str) -> None:
    """Serve."""
    import uvicorn

    import fake_litehedge
    from litehedge.ui.binding import bound
    from litehedge.ui.door import Door
    from litehedge.ui.programs import Commands
    from litehedge.ui.server import create
    from litehedge.ui.serving import _listening
    from litehedge.ui.tools import Tools
    from litehedge.ui.watching import Home

    home = Path(root)
    fake = (sys.executable, fake_litehedge.__file__)
    is_real = "--real" in arguments
    extra = tuple(one for one in arguments if one != "--real")
    tools = Tools.at(
        home, Path(settings), Commands(home) if is_real else Commands(home, fake),
        paper_arguments=extra,
    )  # fmt: skip
    taken = _listening("127.0.0.1", 0)
    taken.listen()  # who comes before the server is ready waits
    print(f"at http://127.0.0.1:{taken.getsockname()[1]}/", flush=True)
    binding = bound("127.0.0.1", taken.getsockname()[1])
    guard = create(Home(home), Door(home / "ui", is_demo=True), binding, tools)
    app = guard._app  # who comes in is tested where the guard is
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[taken])


if __name__ == "__main__":
    main(*sys.argv[1:])

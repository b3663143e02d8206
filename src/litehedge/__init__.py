"""litehedge guards a leveraged Litecoin position.

It forecasts when a liquidation squeeze will start and peak, sizes a hedge under real costs,
and places it behind hard risk limits: in backtest, on paper, and live.

Read the package in the order in which data flows: ``units``, ``errors``, ``config``, ``market``,
``features``, ``squeeze``, ``margin``, ``hedge``, ``risk``, ``orders``, ``engine``; then the shell
around it: ``model``, ``ports``, ``sim``, ``feeds``, ``store``, ``runner``, ``backtest``,
``report``, ``cli``.
"""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

import platformdirs
from numba import config

__version__ = "0.1.0"

_KEPT: Final = 4
_WITHOUT_KERNELS: Final = ("cli", "feeds", "ledger", "report", "store")


def _keep_machine_code_apart() -> None:
    """Give compiled kernels a cache folder that belongs to exactly these sources.

    numba notices a change of the file that a kernel is in, but not of the files whose kernels it
    calls: after an update it would go on running yesterday's margin account.
    """
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        if file.relative_to(package).parts[0] not in _WITHOUT_KERNELS:
            digest.update(file.read_bytes())
    options = vars(config)
    base = Path(options["CACHE_DIR"] or platformdirs.user_cache_dir("litehedge")) / "machine-code"
    mine = base / digest.hexdigest()[:16]
    with suppress(OSError):
        mine.mkdir(parents=True, exist_ok=True)
        options["CACHE_DIR"] = str(mine)
        others = [folder for folder in base.iterdir() if folder != mine]
        others.sort(key=lambda folder: folder.stat().st_mtime)
        for stale in others[: -_KEPT + 1]:
            shutil.rmtree(stale, ignore_errors=True)


_keep_machine_code_apart()

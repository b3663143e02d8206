"""The server as it is made: pages that were left leave nothing behind."""

from __future__ import annotations

import subprocess
import sys

LEFT = """
import asyncio, sys, time
from pathlib import Path
from nicegui import app
from nicegui.app.app import prune_tab_storage
from nicegui.observables import ObservableDict
from litehedge.ui.binding import bound
from litehedge.ui.door import Door
from litehedge.ui.server import TAB_S, create
from litehedge.ui.watching import Home

root = Path(sys.argv[1])
create(Home(root), Door(root / "ui", is_demo=True), bound())
left, open_ = ObservableDict(), ObservableDict()
left.last_modified = time.time() - TAB_S - 1.0
app.storage._tabs.update(left=left, open=open_)
asyncio.run(prune_tab_storage())
print(*app.storage._tabs)
"""


def test_what_is_kept_of_a_tab_goes_soon_after_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LEFT, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["open"], done.stderr

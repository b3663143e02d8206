"""The ECharts bundle that the NiceGUI wheel carries, as a script that can stand inside a page.

The wheel's ``dist/index.js`` names the bundle's file and under which letters it exports ECharts;
the bundle's own last statement says what that is called inside. Both are read, never assumed.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Final

from litehedge.errors import LitehedgeError

GLOBAL_NAME: Final = "litehedgeECharts"

_IMPORT = re.compile(r'import\s*\{([^}]*)\}\s*from\s*"\./([^"/]+)"')
_EXPORT = re.compile(r"export\s*\{([^}]*)\}\s*;?")
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)


def dist_folder() -> Path:
    """Return the folder in which the installed NiceGUI keeps its ECharts bundle.

    Raises
    ------
    LitehedgeError
        When NiceGUI is not installed.
    """
    spec = importlib.util.find_spec("nicegui")
    if spec is None or spec.origin is None:
        raise _unusable("NiceGUI is not installed")
    return Path(spec.origin).parent / "elements" / "echart" / "dist"


@cache
def script(folder: Path) -> str:
    """Return JavaScript (a module) that leaves ECharts in the global `GLOBAL_NAME`.

    Raises
    ------
    LitehedgeError
        When the folder is not laid out as expected.
    """
    index = _read(folder / "index.js")
    imported, exported = _IMPORT.search(index), _EXPORT.search(index)
    if imported is None or exported is None:
        raise _unusable(f"{folder / 'index.js'} has no import and export")
    inner = _names(exported[1]).get("echarts", "")
    letters = {alias: name for name, alias in _pairs(imported[1])}.get(inner, "")
    bundle_path = folder / imported[2]
    bundle = _SOURCE_MAP.sub("", _read(bundle_path)).rstrip()
    last = bundle.rfind("export{")
    statement = _EXPORT.fullmatch(bundle, last) if last >= 0 else None
    local = _names(statement[1]).get(letters, "") if statement is not None else ""
    if not letters or not local:
        raise _unusable(f"{bundle_path} does not export ECharts where index.js says")
    body = bundle[:last] + f"\nglobalThis.{GLOBAL_NAME}={local};\n"
    return body.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _pairs(names: str) -> list[tuple[str, str]]:
    """Read ``a as b,c`` as (name, alias) pairs."""
    pairs = []
    for item in names.split(","):
        name, _, alias = item.strip().partition(" as ")
        pairs.append((name.strip(), (alias or name).strip()))
    return pairs


def _names(names: str) -> dict[str, str]:
    """Map alias to name."""
    return {alias: name for name, alias in _pairs(names)}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise _unusable(f"{path} cannot be read ({error.strerror})") from None


def _unusable(why: str) -> LitehedgeError:
    return LitehedgeError(
        f"reports cannot be drawn: {why}",
        "install a NiceGUI that litehedge was tested with: pip install 'nicegui>=3.18,<4'",
    )

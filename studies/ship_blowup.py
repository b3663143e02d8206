"""The result of a blow-up study, made small, for the package: who has run none sees that one.

    litehedge study blowup --worlds 40 --seed 1 --json blowup.json
    python -m studies.ship_blowup blowup.json "litehedge study blowup --worlds 40 --seed 1"

The second argument is the command that made it: it is told beside the result, with the time of
the file. Six digits are kept of every number that is not whole.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from litehedge.report.ruin_told import study_of
from litehedge.store.bundled import BLOWUP


def small(value: Any) -> Any:
    """Return the same with six digits of every number."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: small(one) for key, one in value.items()}
    return [small(one) for one in value] if isinstance(value, list) else value


def main(file: str, command: str) -> None:
    """Write the packaged file."""
    told = json.loads(Path(file).read_bytes())
    study_of(told)  # refuses what is none
    told["meta"] |= {"command": command, "made_ns": Path(file).stat().st_mtime_ns}
    package = Path(__file__).parents[1] / "src" / "litehedge" / "blowup" / "tables"
    (package / BLOWUP).write_bytes(json.dumps(small(told), separators=(",", ":")).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

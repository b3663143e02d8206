"""The blow-up study as plain data, for a file, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from litehedge.errors import DataError
from litehedge.report.ruin import WRONGS, Key, RuinStudy


def told_of(study: RuinStudy, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return a study and what a reader must know of it as what JSON can hold."""
    return {
        "rows": study.rows,
        "differences": study.differences,
        "alive_by_day": [
            {"arm": key.arm, "forecaster": WRONGS[key.wrong], "share": share.tolist()}
            for key, share in study.alive.items()
        ],
        "meta": {**meta, "mix": {f"{k:g}": v for k, v in study.mix.items()}},
    }


def study_of(told: Mapping[str, Any]) -> tuple[RuinStudy, dict[str, Any]]:
    """Return what `told_of` was given, of its JSON.

    Raises
    ------
    DataError
        When it is the result of something else.
    """
    wrongs = {name: wrong for wrong, name in WRONGS.items()}
    try:
        meta = dict(told["meta"])
        mix = {float(leverage): float(share) for leverage, share in meta.pop("mix").items()}
        study = RuinStudy(
            int(meta["worlds"]), int(meta["days"]), mix,
            [_known(row) for row in told["rows"]],  # type: ignore[misc]
            [_known(row) for row in told["differences"]],  # type: ignore[misc]
            {
                Key(one["arm"], wrongs[one["forecaster"]]): np.array(one["share"], dtype=np.float64)
                for one in told["alive_by_day"]
            },
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"that is no result of a blow-up study ({error!r})",
            "make one: litehedge study blowup --json FILE",
        ) from None
    return study, meta


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: what is not known comes as null."""
    return {name: math.nan if value is None else value for name, value in row.items()}

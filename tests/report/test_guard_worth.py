"""Shares of ruined lives with and without guards: by world, the same lives on both sides."""

import numpy as np
import pytest

from litehedge.blowup.guarded import GUARDED_LIFE, Kept
from litehedge.blowup.minds import Mind
from litehedge.report.guard_worth import gains, worths


def lives(ruined: dict[Kept, list[bool]], worlds: int = 2) -> np.ndarray:
    """As many lives per world for each arm, the first half of them in the first world."""
    rows = []
    for kept, ends in ruined.items():
        some = np.zeros(len(ends), dtype=GUARDED_LIFE)
        some["arm"], some["wrong"], some["leverage"] = kept, Mind.NAN, 20.0
        some["seed"] = np.arange(len(ends)) * worlds // len(ends)
        some["forced_at"] = np.where(ends, 7, -1)
        some["poor_at"] = -1
        some["equity"] = np.where(ends, 0.0, 0.5)
        rows.append(some)
    return np.concatenate(rows)


def test_a_guard_that_saves_is_told_with_what_it_saved_and_lost() -> None:
    found = lives({Kept.POLICY: [True, True, False, True], Kept.LIMITS: [True, True, False, True],
                   Kept.ALL: [False, True, True, False]})  # fmt: skip
    by = {(g["kept"], g["than"]): g for g in gains(found)}
    both = by["all guards", "no guards"]
    assert (both["saved"], both["lost"]) == (2, 1)
    assert both["ruined"] == pytest.approx(-0.25)
    assert both["ruined_low"] <= both["ruined"] <= both["ruined_high"]
    nothing = by["limits", "no guards"]
    assert (nothing["ruined"], nothing["saved"], nothing["lost"]) == (0.0, 0, 0)
    assert nothing["ruined_low"] < 0.0 < nothing["ruined_high"]  # what was not seen may be


def test_a_row_tells_all_leverages_and_each() -> None:
    rows = worths(lives({Kept.POLICY: [True, False, False, False]}))
    assert [row["leverage"] == row["leverage"] for row in rows] == [False, True]
    assert rows[0]["ruined"] == rows[1]["ruined"] == 0.25
    assert rows[0]["mean_equity"] == pytest.approx(0.375)
    assert rows[0]["lives"] == 4

"""What became of past positions: shares that fall with the move and say so in words."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import DataError
from litehedge.hedge.leverage import deviations
from litehedge.hedge.past import of_ten, parse_past, span_words, told
from litehedge.store.bundled import past_starts
from strategies import log_floats, sides

PAST = past_starts()
vols = log_floats(1e-4, 1e-2)
horizons = st.floats(1.0, 30.0)


@given(sides, log_floats(1e-3, 3.0), st.floats(1.0, 4.0), vols, vols, horizons)
def test_a_larger_move_ended_no_more(
    side: float, move: float, factor: float, now: float, slow: float, days: float
) -> None:
    units = deviations(now, slow, 1.0)
    near = PAST.share_beyond(side, move, units, days)
    far = PAST.share_beyond(side, move * factor, units, days)
    assert 0.0 <= far <= near <= 1.0


def test_the_shipped_table_covers_what_is_asked() -> None:
    assert PAST.shares.shape == (2, 5, 10, PAST.moves.size)
    assert np.all(np.diff(PAST.edges, axis=1) > 0)
    assert np.all(np.diff(PAST.shares, axis=-1) <= 0)
    assert PAST.weeks > 100


def test_no_move_ends_all_and_no_end_none() -> None:
    units = deviations(1e-3, 1e-3, 1.0)
    assert PAST.share_beyond(1.0, 0.0, units, 7.0) == 1.0
    assert PAST.share_beyond(1.0, np.inf, units, 7.0) == 0.0
    assert np.isnan(PAST.share_beyond(1.0, 0.1, units * np.nan, 7.0))


def test_a_calm_market_is_in_the_first_group_and_a_wild_one_in_the_last() -> None:
    assert PAST.group_of(deviations(1e-5, 1e-5, 1.0), 7.0) == 0
    assert PAST.group_of(deviations(1e-1, 1e-1, 0.0), 7.0) == 9


def test_shares_in_words() -> None:
    assert told(0.71, 20.0, 7.0) == "at 20x, 7 of 10 such weeks ended in liquidation"
    assert of_ten(0.03) == "3 of 100"
    assert of_ten(0.0) == "none of 100"
    assert of_ten(0.99) == "99 of 100"
    assert span_words(1.0) == "days"
    assert span_words(3.0) == "spans of 3 days"


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(DataError, match="not a table of past starts"):
        parse_past(b"{}", "x.json")
    broken = {
        "source": "", "weeks": 1, "horizons_days": [1.0], "moves": [0.1], "edges": [[1.0]],
        "shares": [[[[1.0]]]],
    }  # fmt: skip
    with pytest.raises(DataError, match="do not fit"):
        parse_past(msgspec.json.encode(broken), "x.json")

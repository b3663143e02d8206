"""The schema's names and hash: a change of any column is another schema."""

from __future__ import annotations

from dataclasses import replace

import pytest

from litehedge.market import schema as sc
from litehedge.market.events import FUNDING_VENUES


def test_names_and_positions_agree() -> None:
    assert len(set(sc.NAMES)) == sc.N_COLUMNS == len(sc.COLUMNS)
    for constant in ("OPEN", "CLOSE", "BUY_VOLUME", "ASK_DEPTH", "LIQUIDATED_SHORTS", "MARK"):
        assert sc.NAMES[getattr(sc, constant)] == constant.lower()
    assert sc.NAMES[sc.BTC_VOLUME] == "btc_volume"
    assert sc.NAMES[sc.FIRST_AGE :] == tuple(f"age_{feed}" for feed in sc.FEEDS)
    assert {column.feed for column in sc.COLUMNS} == set(sc.FEEDS)
    assert sc.FEEDS[sc.FEED_OPEN_INTEREST] == "open_interest"
    for name in sc.FEEDS:
        assert sc.FEEDS[getattr(sc, f"FEED_{name.upper()}")] == name
    for name in sc.NAMES[: sc.FIRST_AGE]:
        assert sc.NAMES[getattr(sc, name.upper())] == name


def test_venues_of_predicted_funding_lie_side_by_side() -> None:
    for i, venue in enumerate(FUNDING_VENUES):
        assert sc.NAMES[sc.FUNDING_OWN + i] == f"funding_{venue}"
        assert sc.FEEDS[sc.FEED_FUNDING_OWN + i] == f"funding_{venue}"


@pytest.mark.parametrize("at", [0, 5, sc.N_COLUMNS - 1])
@pytest.mark.parametrize("change", ["name", "feed", "unit", "fold"])
def test_the_hash_changes_with_every_part_of_a_column(
    at: int, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sc.schema_hash()
    columns = list(sc.COLUMNS)
    columns[at] = replace(columns[at], **{change: "other"})
    monkeypatch.setattr(sc, "COLUMNS", tuple(columns))
    assert sc.schema_hash() != before


def test_the_hash_changes_with_order_and_length(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sc.schema_hash()
    monkeypatch.setattr(sc, "COLUMNS", sc.COLUMNS[::-1])
    assert sc.schema_hash() != before
    monkeypatch.setattr(sc, "COLUMNS", sc.COLUMNS[::-1][:-1])
    assert sc.schema_hash() != before

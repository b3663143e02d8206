"""The blow-up study as a file, and the one that ships: whole, and as the docs tell it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from test_report_ruin import DAYS, STUDY, WORLDS

from litehedge.blowup.wrong import Wrong
from litehedge.errors import DataError
from litehedge.report.ruin import ARMS
from litehedge.report.ruin_sheet import ruin_page
from litehedge.report.ruin_told import study_of, told_of
from litehedge.report.style import percent
from litehedge.store.bundled import blowup_study

DOCS = Path(__file__).parents[2] / "docs" / "explanation" / "blow-ups.md"
META = {"worlds": WORLDS, "days": DAYS, "seeds": "1 .. 20"}


def through_json(study, meta):
    told = told_of(study, meta)
    told["rows"] = [
        {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        for row in told["rows"]
    ]
    return study_of(json.loads(json.dumps(told)))


def test_a_study_comes_back_from_its_file_as_it_was():
    study, meta = through_json(STUDY, META)
    assert meta == META
    assert ruin_page(study, meta, 0) == ruin_page(STUDY, META, 0)


@pytest.mark.parametrize("told", [{}, {"meta": {}}, {"meta": {"mix": {}}, "rows": 3}])
def test_the_result_of_something_else_is_refused(told):
    with pytest.raises(DataError, match="no result of a blow-up study"):
        study_of(told)


def test_the_study_that_ships_is_the_one_that_the_docs_tell():
    told = blowup_study()
    study, meta = study_of(told)
    page = DOCS.read_text(encoding="utf-8")
    assert meta["command"] in page
    for arm in ARMS:
        row = study.row(arm, Wrong.NOT)
        rate, low, high = (
            percent(row[f"ruin_{end}"])[:-1] for end in ("rate", "low", "high")
        )  # fmt: skip
        assert f"| {arm} | {rate} % | {low} .. {high} |" in page, arm
    assert ruin_page(study, meta, meta["made_ns"]).startswith("<!doctype html>")

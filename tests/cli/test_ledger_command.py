"""``litehedge override ledger`` on the journal of a session."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from acted import at, journaled, set_hedge
from litehedge.store.journal import Journal
from synthetic import Crash, market

OWN = market(200, seed=3, vol=0.001, crashes=(Crash(at=80, bars=15, depth=0.12),))


@pytest.fixture
def session(tmp_path):
    """A session in which a person hedged before a crash."""
    folder = tmp_path / "home" / "sessions" / "paper"
    folder.mkdir(parents=True)
    journal = journaled(folder / "journal.sqlite", OWN, [set_hedge(70, 0.8, 40)], policy="unhedged")
    journal.close()
    return folder


def test_the_ledger_tells_in_words_figures_and_a_page(litehedge, session):
    told = litehedge("override", "ledger", "--tail", "30m", "--report", "page.html")
    assert told.code == 0, told.err
    assert "your 1 override: 1 helped (+" in told.out
    assert "hold a hedge of 80% for 40m" in told.out
    page = Path("page.html").read_text(encoding="utf-8")
    assert "hold a hedge of 80% for 40m" in page
    assert page.count("litehedgeDraw(") >= 2
    figures = litehedge("override", "ledger", "paper", "--tail", "30m", "--json", "-").json
    (score,) = figures["scores"]
    assert score["verdict"] == "helped"
    assert score["acts"][0]["begins_ns"] == at(70)
    assert (score["by"], score["acts"][0]["plan"]) == ("by hand", "")
    assert figures["total"]["helped_usdt"] == score["pnl_usdt"]
    assert figures["by"] == {"by hand": figures["total"]}
    none = litehedge("override", "ledger", "--since", "2023-03-07", "--json", "-").json
    assert none["words"] == "you have done nothing by hand yet"


def test_what_cannot_be_read_is_one_message(litehedge, session):
    assert "there is no session other" in litehedge("override", "ledger", "other").err
    assert "is not a date" in litehedge("override", "ledger", "--since", "monday").err
    journal = Journal(session / "journal.sqlite")
    ((number, header),) = journal.runs()
    older = json.loads(json.dumps(header.settings)) | {"gone": {"x": 1}}
    with journal._engine.begin() as file:
        payload = msgspec.json.encode(msgspec.structs.replace(header, settings=older))
        file.execute(sa.text("UPDATE runs SET header = :h WHERE run_id = :n"),
                     {"h": payload, "n": number})  # fmt: skip
    journal.close()
    told = litehedge("override", "ledger")
    assert told.code == 2
    assert "run 1 was written with settings that this version does not know: gone" in told.err

"""What screens say while there is no forecast, and how far a warm-up is."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest

from forecasters import Moody
from litehedge.cli import guarding
from litehedge.cli.board import Board
from litehedge.cli.guarding import Screen
from litehedge.cli.show import _share
from litehedge.config import Settings
from litehedge.engine import step
from litehedge.engine_state import State, start
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import policy_named
from litehedge.live.funnel import Funnel
from litehedge.live.session import session_at
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.squeeze.forecast import ForecastState
from litehedge.units import NS_PER_MINUTE, iso_utc
from synthetic import T0, packaged_tiers


def state_of(forecaster=None) -> State:
    made = Settings()
    return start(
        made, policy_named("plugin", made), packaged_tiers(), forecaster or Moody(), session="s",
        atom_ns=NS_PER_MINUTE, per_frame=5,
    )  # fmt: skip


def test_the_board_says_from_when_there_may_be_a_forecast():
    state = state_of()
    board = Board(state, "PAPER", dict)
    tick = ev.Tick(T0, T0)
    board(tick, [])
    day = iso_utc(T0 + (24 * 60 + 5) * NS_PER_MINUTE)
    assert board.forecast() == f"none before about {day} UTC"
    state.signals[sg.STATE, 0] = ForecastState.OK
    assert board.forecast() == "ok"
    state.signals[sg.STATE, 0] = ForecastState.DEGRADED
    assert board.forecast().startswith("careful")
    state.signals[sg.STATE, 0] = ForecastState.COLD
    later = T0 + 3 * 24 * 60 * NS_PER_MINUTE
    board(ev.Tick(later, later), [])
    assert board.forecast() == "none yet: too little of the market was heard"
    assert Board(state_of(BlindForecaster()), "PAPER", dict).forecast().startswith("none: no model")


def test_no_screen_speaks_of_bands_and_books():
    from rich.console import Console

    state = state_of()
    now = T0
    state, effects = step(state, ev.Opened(now, now, 1000.0, None, 100.0, 84.0, 10.0, False))
    board = Board(state, "PAPER", dict)
    board(ev.Book(now, now, 84.0, 84.01, 1e6, 1e6), effects)
    for minute in range(1, 12):
        now = T0 + minute * NS_PER_MINUTE
        bar = ev.Bar(now, now, "LTC", NS_PER_MINUTE, 84.0, 84.0, 84.0, 84.0, 10.0)
        state, effects = step(state, bar)
        board(bar, effects)
    console = Console(width=120, record=True, file=StringIO())
    console.print(board.view())
    said = console.export_text()
    assert "wants" in said
    for word in ("band", "books", "bps", "reconciling"):
        assert word not in said


def test_a_warm_up_is_told_from_its_beginning_to_its_end(tmp_path, monkeypatch, capsys):
    told: list[str] = []
    monkeypatch.setattr(guarding.stderr, "print", lambda text, **_: told.append(text))
    times = iter([0.0, 0.0, 1.0, 7.0, 8.0])
    monkeypatch.setattr(guarding.time, "monotonic", lambda: next(times))
    session = session_at(tmp_path, "warm")
    screen = Screen(state_of(), "PAPER", Funnel(), session, ui=False, quiet=False)
    for done in (0, 256, 512, 700):
        screen.warming(done, 700)
    assert told[0].startswith("warming up on 700 events")
    assert told[1].startswith("warming up: 512 of 700")
    assert told[2].startswith("warmed up on 700 events in 8 s; forecast: none")
    assert "hedging begins with the first full 5 minutes" in told[3]


@pytest.mark.parametrize(("bps", "text"), [(12.0, "0.120"), (-0.01, "0.000"), (np.nan, "n/a")])
def test_shares_are_written_as_percent(bps, text):
    assert _share(bps) == text

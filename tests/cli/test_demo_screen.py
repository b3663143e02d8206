"""What the screen of a demo is told, and that it says how the demo ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from litehedge.cli.demo import _Watch
from litehedge.cli.demo_screen import DemoScreen
from litehedge.live.session import held, session_at
from litehedge.ui.watching import Watching
from litehedge.units import NS_PER_HOUR
from litehedge_runs import journaled_run


def _watch():
    def worth(usdt):
        return SimpleNamespace(equity=lambda: usdt)

    twins = {"unhedged": worth(0.0), "half": worth(450.0)}
    watch = _Watch(SimpleNamespace(), worth(812.5), twins, opens_ns=0, wallet_usdt=1000.0)
    watch._twin_died_ns["unhedged"] = 9 * NS_PER_HOUR
    return watch


@pytest.mark.parametrize(("was_stopped", "word"), [(False, "is over"), (True, "was stopped")])
def test_how_it_ended_is_told_with_how_to_see_it_again(was_stopped, word):
    told = _watch().ending(4, was_stopped=was_stopped)
    assert told.startswith(f"The demo {word}: the 20x long survived with 812 USDT.")
    assert "Without litehedge: liquidated 09:00" in told
    assert "litehedge demo;" in told
    assert "--seed 5." in told


def test_who_looks_sees_a_demo_that_is_over_and_not_one_that_runs(tmp_path):
    session = session_at(tmp_path, "demo")
    session.folder.mkdir(parents=True)
    journaled_run(session.journal, keeps_checkpoints=True, held_every_ns=NS_PER_HOUR)
    watching = Watching(session)
    screen = DemoScreen(session, None, SimpleNamespace(wait=lambda: 0))
    with held(session):  # it stays so until a person has seen enough
        screen.tell(["one", "two"])
        watching.look()
        assert watching.aside.sentences == ("one", "two")
        assert watching.runs
        screen.stay("The demo is over.")
        watching.look()
        assert watching.aside.sentences == ("one", "two")
        assert watching.aside.over == "The demo is over."
        assert not watching.runs
    watching.close()

"""``litehedge study blowup``: the same bytes however many work on it."""

import pytest

from forecasters import logistic
from litehedge.blowup.lives import BEGIN_S
from litehedge.blowup.worlds import world_tape
from litehedge.shelf.home import home
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.step import NO_SHOCKS
from litehedge.tape import build_tape
from litehedge.ui import reports_view
from litehedge.ui.programs import Commands
from litehedge.ui.workshop import Workshop
from litehedge.units import NS_PER_DAY, NS_PER_SECOND

SHORT = ("study", "blowup", "--worlds", 2, "--seed", 3, "--days", 2, "--leverages", "20,50")


def test_jobs_change_nothing_and_everything_is_written(litehedge, tmp_path):
    alone = litehedge(*SHORT, "--jobs", 1, "--json", "one.json", "--plot", "a/alive.svg",
                      "--report", "report.html")  # fmt: skip
    assert alone.code == 0, alone.err
    assert "ruined, by leverage and side" in alone.out
    both = litehedge(*SHORT, "--jobs", 2, "--json", "-")
    assert both.code == 0, both.err
    assert both.out.encode() == (tmp_path / "one.json").read_bytes()
    told = both.json
    assert told["meta"]["seeds"] == "3 .. 4"
    assert sum(told["meta"]["mix"].values()) == pytest.approx(1.0)
    of_mix = [row for row in told["rows"] if row["leverage"] is None]
    assert [(r["arm"], r["forecaster"]) for r in of_mix][:3] == [
        ("unhedged", "right"), ("smaller", "right"), ("as safe", "right"),
    ]  # fmt: skip
    assert all(row["lives"] == 8 for row in of_mix)
    assert all(len(one["share"]) == 3 for one in told["alive_by_day"])
    assert (tmp_path / "a" / "alive.svg").read_text().startswith("<svg")
    assert "Blow-ups: 2 days" in (tmp_path / "report.html").read_text()
    kept = [one for one in Workshop(home(), Commands(home())).reports() if one.kind == "blowup"]
    assert [one.state for one in kept] == ["done", "done"]  # as the screen finds them
    assert "2 days in 2 simulated worlds" in {reports_view.title(one) for one in kept}
    assert "In 2 simulated worlds" in reports_view.notes(kept[0])[0]


def test_a_world_is_the_tape_that_a_backtest_reads_from_the_lake(litehedge, lake):
    days, warm = 13, 11  # chunks of ten days meet both before and after the first life
    assert litehedge("simulate", "--days", days, "--seed", 4).code == 0
    dataset = lake.dataset("sim_ltc")
    begin_s = BEGIN_S + warm * 86_400
    begin_ns = begin_s * NS_PER_SECOND
    model = logistic(1)
    read = build_tape(lake, dataset, model, begin_ns, begin_ns + (days - warm) * NS_PER_DAY)
    made = world_tape(Parameters(), NO_SHOCKS, 4, begin_s, days - warm, model, warm_up_days=warm)
    for part in ("end_ns", "bars", "funding_at", "funding", "signals", "liquidity"):
        assert getattr(made, part).tobytes() == getattr(read, part).tobytes(), part
    assert repr(made.squeezes) == repr(read.squeezes)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--leverages", "3;5"), "--leverages 3;5 is not a list of numbers"),
        (("--leverages", "0"), "no position long at 0x"),
        (("--leverages", "90"), "90"),
        (("--policy", "oracle"), "the oracle never goes wrong"),
        (("--policy", "luck"), "no policy 'luck'"),
        (("--scenario", "crash-2025"), "no scenario"),
        (("--model", "nobody"), "no model 'nobody'"),
        (("--worlds", "1"), "--worlds"),
        (("--plot", "/proc/none/a.svg"), "cannot write"),
    ],
)
def test_bad_input_is_refused_before_the_work(litehedge, arguments, what):
    result = litehedge("study", "blowup", *arguments)
    assert result.code == 2
    assert what in result.err


def test_help_teaches(litehedge):
    shown = litehedge("study", "blowup", "--help").out
    for word in ("--jobs", "unhedged", "litehedge study blowup --worlds 4 --days 30"):
        assert word in shown


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--minutes", 50), "no horizon of a forecast"),
        (("--branches", 2), "--branches"),
        (("--model", "nobody"), "nobody"),
        (("--days", 12, "--learn-worlds", 1), "squeezes to learn from"),
    ],
)
def test_a_ladder_without_ground_is_refused(litehedge, arguments, what):
    refused = litehedge("study", "skill", *arguments)
    assert refused.code != 0
    assert what in " ".join(refused.err.split())


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--forecaster", "drunk"), "no forecaster 'drunk'"),
        (("--leverages", "0"), "no position long at 0x"),
        (("--worlds", "1"), "--worlds"),
        (("--json", "/proc/none/a.json"), "cannot write"),
    ],
)
def test_a_study_of_guards_refuses_bad_input_before_the_work(litehedge, arguments, what):
    refused = litehedge("study", "guards", *arguments)
    assert refused.code == 2
    assert what in " ".join(refused.err.split())


def test_the_study_of_guards_teaches(litehedge):
    shown = litehedge("study", "guards", "--help").out
    for word in ("--forecaster", "parachute", "litehedge study guards --worlds 2"):
        assert word in shown

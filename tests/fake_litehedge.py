"""A program that speaks as litehedge's commands do, and does none of their work.

For tests of what starts commands: real processes, real locks, no waiting. How it behaves is told by
the name of the data set or session: ``slow`` goes on until it is ended, ``partial`` too, and tells
then what it found; ``bad`` ends with an error.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

SUMMARY = {
    "policy": "plugin", "liquidated_ns": [], "pnl_usdt": -51.5, "pnl_share": -0.0515,
    "life_drawdown": 0.2, "nearest_liquidation": 0.066, "avg_hedge": 0.41, "trades": 4,
    "fees_usdt": 5.66, "slippage_usdt": 15.07, "funding_usdt": 30.28,
}  # fmt: skip
NAKED = SUMMARY | {"policy": "unhedged", "liquidated_ns": [1], "pnl_usdt": -1000.0, "trades": 0}


def options(arguments: list[str]) -> dict[str, str]:
    """Return options by name; those of a report have their value apart."""
    found = {}
    for place, one in enumerate(arguments):
        if one in ("--json", "--report") and place + 1 < len(arguments):
            found[one] = arguments[place + 1]
        elif one.startswith("--") and "=" in one:
            name, _, value = one.partition("=")
            found[name] = value
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def progress(done: float) -> None:
    told = {"what": "plugin on made", "done": done, "of": 10.0, "begin_ns": 0}
    say("@progress " + json.dumps(told))


def report(arguments: list[str], told: dict[str, object]) -> None:
    asked = options(arguments)
    Path(asked["--json"]).write_text(json.dumps(told))
    Path(asked["--report"]).write_text(
        "<!doctype html><title>made</title><script>document.title='ran'</script><p>a sheet</p>"
    )


def backtest(arguments: list[str]) -> int:
    data = options(arguments).get("--data", "")
    if "bad" in data:
        say("error: bad cannot be used")
        say("  give another")
        return 2
    ended = []
    if "partial" in data:
        signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    progress(1.0)
    while "slow" in data or ("partial" in data and not ended):
        time.sleep(0.05)
    progress(10.0)
    meta = {"summaries": {"plugin": SUMMARY, "unhedged": NAKED}, "notes": []}
    if ended:
        meta |= {"cancelled": "cancelled after 4 of 9 days", "to": "2020-01-05 00:00"}
    report(arguments, {"rows": [], "meta": meta, "decisions": []})
    return 0


def paper(arguments: list[str]) -> int:
    name = options(arguments).get("--name", "")
    say("fetching 8d of the past from binance …")
    if "bad" in name:
        say("error: binance cannot be reached")
        say("  look at the network")
        return 1
    while "slow" in name:
        time.sleep(0.05)
    say("warming up on 1,000 events of the past …")
    say("warming up: 500 of 1,000 events of the past")
    time.sleep(0.3)
    say("warmed up on 1,000 events in 0 s; forecast: long 1%")
    say("hedging begins with the first full 5 minutes of prices from now on")
    time.sleep(60.0)
    return 0


def main(arguments: list[str]) -> int:
    """Answer as the command would."""
    match arguments:
        case ["backtest", *rest]:
            return backtest(rest)
        case ["report", _, *rest]:
            gap = {"whole_bps": 12.0, "fees_bps": 2.0, "trades": 3, "backtest_trades": 4}
            told = {"summaries": {"paper": SUMMARY, "backtest": SUMMARY, "unhedged": NAKED},
                    "gap": gap}  # fmt: skip
            report(rest, told)
            return 0
        case ["override", "ledger", _, *rest]:
            report(rest, {"words": "two acts, no difference", "scores": [{}, {"by": "by plan"}]})
            return 0
        case ["study", "blowup", *rest]:
            row = {"arm": "guards", "forecaster": "right", "side": "both", "leverage": None}
            report(rest, {"rows": [row | {"ruin_rate": 0.01}]})
            return 0
        case ["paper", *rest]:
            return paper(rest)
        case ["keys", "show", "--json"]:
            print(json.dumps({"keys": {"okx": "none", "binance": "keyring"}}))
            return 0
        case ["alerts", "test", "--json"]:
            places = [{"place": "ntfy", "taken": ["act_now"], "failed": ["done", "digest"],
                       "why": "refused"}]  # fmt: skip
            print(json.dumps({"places": places, "delivered": False}))
            return 1
        case ["advise", *_]:
            print(json.dumps({
                "data": "made", "time": "2024-01-01 00:00:00", "horizon_days": 7.0,
                "tolerance": 0.05, "what_to_do": ["carry less"],
                "own": {"leverage": 5.0, "probability": 0.0853, "price_usdt": 67.14,
                        "distance": 0.196},
                "advised": {"leverage": 3.9}, "past": {"told": "at 5x, 1 of 10 such weeks ended"},
                "capital": {"placeable": "all", "minimum_usdt": 80.0},
            }))  # fmt: skip
            return 0
    say(f"error: there is no command {arguments}")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

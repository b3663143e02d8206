"""What the page of reports says: pure functions of the reports that there are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from litehedge.report.style import counted, day, number, percent, usdt
from litehedge.ui.workshop import Progress, Report
from litehedge.units import NS_PER_DAY, NS_PER_SECOND, iso_utc

TITLES: Final = {
    "backtest": "Backtest",
    "session": "Session",
    "ledger": "What was done by hand and by plan",
    "blowup": "Blow-up study",
}
NAKED: Final = "unhedged"


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure, with the same of the position without hedge; `css` colours it."""

    name: str
    value: str
    unhedged: str = ""
    css: str = ""


def title(report: Report) -> str:
    """Return what a report is about."""
    asked = report.asked
    match report.kind:
        case "backtest":
            leverage = number(float(asked.get("leverage", math.nan)), 2).rstrip("0").rstrip(".")
            return f"{leverage}x {asked.get('side')} on {asked.get('data')}"
        case "blowup":
            days = counted(int(asked.get("days", 0)), "day")
            return f"{days} in {counted(int(asked.get('worlds', 0)), 'simulated world')}"
        case _:
            return f"Session {asked.get('session')}"


def about(report: Report) -> str:
    """Return the rest of what was asked, and when."""
    asked = report.asked
    made = f"asked {iso_utc(int(report.begun_s) * NS_PER_SECOND)} UTC"
    if report.kind != "backtest":
        return f"{TITLES[report.kind]} · {made}"
    meta = (report.result or {}).get("meta", {})
    first = str(asked.get("from") or meta.get("from") or "")[:10] or "the beginning"
    whole = asked.get("to") if "cancelled" not in meta else ""
    last = str(whole or meta.get("to") or "")[:10] or "the end"
    return f"{TITLES['backtest']} · {asked.get('policy')} · {first} to {last} · {made}"


def figures(report: Report) -> list[Figure]:
    """Return the key figures of a report that is done."""
    result = report.result
    if result is None:
        return []
    match report.kind:
        case "backtest" | "session":
            return _of_runs(result)
        case "ledger":
            return _of_ledger(result)
        case "blowup":
            return _of_study(result)


def _chosen(summaries: Mapping[str, Any]) -> Mapping[str, Any]:
    name = next((name for name in summaries if name not in (NAKED, "backtest")), NAKED)
    found: Mapping[str, Any] = summaries.get(name) or {}
    return found


def _of_runs(result: Mapping[str, Any]) -> list[Figure]:
    summaries = result.get("summaries") or result.get("meta", {}).get("summaries") or {}
    own, naked = _chosen(summaries), summaries.get(NAKED) or {}

    def both(name: str, key: str, write: Any, css: str = "") -> Figure:
        return Figure(name, write(_float(own, key)), write(_float(naked, key)), css)

    dead = len(own.get("liquidated_ns") or [])
    found = [
        Figure(
            "Liquidated",
            "never" if not dead else counted(dead, "time"),
            "never"
            if not (times := len(naked.get("liquidated_ns") or []))
            else counted(times, "time"),
            "hg-bad" if dead else "hg-good",
        ),
        both("Profit", "pnl_usdt", lambda v: usdt(v, signed=True)),
        both("of what was put in", "pnl_share", lambda v: percent(v, signed=True)),
        both("Largest drawdown", "life_drawdown", percent),
        both("Nearest to liquidation", "nearest_liquidation", percent),
        both("Average hedge", "avg_hedge", percent),
        both("Trades", "trades", lambda v: number(v, 0)),
        both("Fees", "fees_usdt", usdt),
        both("Slippage", "slippage_usdt", usdt),
        both("Funding", "funding_usdt", usdt),
    ]
    gap = result.get("gap")
    if gap:
        whole = _float(gap, "whole_bps") / 100.0
        found.append(Figure("Gap to its backtest", f"{number(whole, 3, signed=True)}% of wallet"))
    return found


def gap_lines(report: Report) -> list[tuple[str, str]]:
    """Return what the gap between a session and its backtest is made of, in % of the wallet."""
    gap = (report.result or {}).get("gap")
    if not gap:
        return []
    parts = (
        ("fees", "fees_bps"), ("slippage", "slippage_bps"), ("funding", "funding_bps"),
        ("forced closings and transfers", "forced_bps"),
        ("timing: other prices, moments, sizes", "timing_bps"), ("together", "whole_bps"),
    )  # fmt: skip
    told = [(name, f"{number(_float(gap, key) / 100, 3, signed=True)}%") for name, key in parts]
    trades, other = int(_float(gap, "trades")), int(_float(gap, "backtest_trades"))
    return [*told, ("trades, and those of the backtest", f"{trades} and {other}")]


def _of_ledger(result: Mapping[str, Any]) -> list[Figure]:
    scores = result.get("scores") or []
    words = str(result.get("words", ""))
    by = [score.get("by", "by hand") for score in scores]
    return [
        Figure("Acts by hand", number(float(sum(one != "by plan" for one in by)), 0)),
        Figure("By your plans", number(float(sum(one != "by hand" for one in by)), 0)),
        Figure("All of them together", words[:1].upper() + words[1:]),
    ]


def _of_study(result: Mapping[str, Any]) -> list[Figure]:
    return [
        Figure(f"Ruined, {arm}", percent(_float(row, "ruin_rate")))
        for arm, row in _mix(result).items()
    ]


def _mix(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the rows of a blow-up study about all traders together, forecaster right, by arm."""
    return {
        str(row.get("arm")): row for row in result.get("rows") or []
        if (row.get("forecaster"), row.get("side"), row.get("leverage")) == ("right", "both", None)
    }  # fmt: skip


_ARMS: Final = {
    "unhedged": "without a hedge",
    "smaller": "with a position that was smaller from the start",
    "guards": "hedged behind the limits",
}


def study_found(result: Mapping[str, Any]) -> str:
    """Say what a blow-up study found, in a sentence; "" where it told nothing of these arms."""
    mix = _mix(result)
    told = [
        f"{percent(_float(mix[arm], 'ruin_rate'))} ({percent(_float(mix[arm], 'ruin_low'))} to "
        f"{percent(_float(mix[arm], 'ruin_high'))}) {words}"
        for arm, words in _ARMS.items() if arm in mix
    ]  # fmt: skip
    if not told:
        return ""
    meta = result.get("meta") or {}
    worlds = counted(int(_float(meta, "worlds")), "simulated world") if "worlds" in meta else ""
    days = f" within {counted(int(_float(meta, 'days')), 'day')}" if "days" in meta else ""
    where = f"In {worlds}" if worlds else "Here"
    found = f"{where}, so many traders were ruined{days}: {', '.join(told)}."
    return f"{found} In brackets: 90% intervals."


def _float(row: Mapping[str, Any], key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else math.nan


def cut_short(report: Report) -> str:
    """Say how far a report came that was cancelled; "" for a whole one."""
    said = str((report.result or {}).get("meta", {}).get("cancelled", ""))
    return f"{said[:1].upper()}{said[1:]}: its figures are of what was done by then." * bool(said)


def notes(report: Report) -> list[str]:
    """Return what a reader must know about the figures."""
    meta = (report.result or {}).get("meta", {})
    told = [str(note) for note in meta.get("notes", [])]
    if report.kind == "blowup" and (found := study_found(report.result or {})):
        told.insert(0, found)
    told = [note for note in told if note != meta.get("cancelled")]  # it stands above
    if meta.get("model_saw_this_span"):
        told.insert(0, "In-sample: the model was trained on a part of this span.")
    return told


# --- while it is made -------------------------------------------------------------------------


def share(progress: Progress | None) -> float:
    """Return how much of the present stage is done, 0 to 1; NaN where nobody knows."""
    if progress is None or progress.of <= 0.0:
        return math.nan
    return min(1.0, max(0.0, progress.done / progress.of))


def progress_words(progress: Progress | None, *, rate: float, age_s: float) -> str:
    """Say how far it is: where in the market, how much, how fast, how long still.

    Parameters
    ----------
    rate
        Units of `progress` a second, NaN before it is known.
    age_s
        Since it was asked for.
    """
    if progress is None:
        return f"at work, {age_s:.0f} s so far"
    told = [progress.what]
    if progress.begin_ns:
        told.append(day(progress.begin_ns + int(progress.done)))
    told.append(percent(share(progress), 0))
    if rate > 0.0:
        if progress.begin_ns:
            told.append(f"{number(rate / NS_PER_DAY, 1)} days of the market a second")
        told.append(f"{span(max(0.0, progress.of - progress.done) / rate)} left")
    else:
        told.append(f"{span(age_s)} so far")
    return ", ".join(told)


def span(seconds: float) -> str:
    """Write a span of time for people."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h"


def why_failed(report: Report) -> str:
    """Return the last words of a command that made nothing."""
    if report.cancelled:
        return "Cancelled before there was anything to tell."
    lines = [line.strip() for line in report.said.splitlines() if line.strip()]
    at = next((i for i, line in enumerate(lines) if line.startswith("error:")), len(lines) - 3)
    words = " ".join(lines[max(0, at) :]).removeprefix("error:").strip()
    return words or "It ended without a word; nothing was made."


# --- two side by side -------------------------------------------------------------------------


def beside(one: Report, other: Report) -> list[tuple[str, str, str]]:
    """Return the figures of two reports side by side; what only one has stays empty."""
    first = {figure.name: figure.value for figure in figures(one)}
    second = {figure.name: figure.value for figure in figures(other)}
    names = [*first, *(name for name in second if name not in first)]
    return [(name, first.get(name, ""), second.get(name, "")) for name in names]


def differ(one: Report, other: Report) -> list[tuple[str, str, str]]:
    """Return what was asked differently."""
    names = [*one.asked, *(name for name in other.asked if name not in one.asked)]
    rows = [(n, str(one.asked.get(n, "")), str(other.asked.get(n, ""))) for n in names]
    ends = [cut_short(each).partition(":")[0] or "yes" for each in (one, other)]
    rows.append(("came to its end", ends[0], ends[1]))
    return [row for row in rows if row[1] != row[2]]

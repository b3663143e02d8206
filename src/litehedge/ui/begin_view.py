"""What the beginning says: stages of a start, the plan in one sentence, advice in words; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from litehedge.report.style import number, percent, usdt

StageState = Literal["", "now", "done", "bad"]

STAGES: Final = (
    "Starting, and compiling the first time",
    "Fetching the past from the venue",
    "Warming up on it",
    "Guarding",
)
PLACE: Final = {
    "reduce": "by a smaller position",
    "same_account": "by an opposite leg in the same account",
    "second_venue": "by an opposite leg on a second venue",
}
_FETCHING: Final = re.compile(r"^fetching .* of the past from", re.MULTILINE)
_OF: Final = re.compile(r"^warming up: ([\d,]+) of ([\d,]+) events", re.MULTILINE)
_ON: Final = re.compile(r"^warming up on ([\d,]+) events", re.MULTILINE)
_WARM: Final = re.compile(r"^warmed up on .*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a start."""

    name: str
    state: StageState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """How far a start is: its stages, and what went wrong, if something did."""

    stages: tuple[Stage, ...]
    problem: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the session guards."""
        return self.stages[-1].state == "now" and not self.problem

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.is_done or bool(self.problem)


def start_of(said: str, *, alive: bool) -> Start:
    """Return how far a start is, by what the process said so far.

    Parameters
    ----------
    said
        Its words, the last ones at least.
    alive
        Whether it still lives.
    """
    at, detail = 0, ""
    if _FETCHING.search(said):
        at = 1
    if found := _ON.search(said):
        at, detail = 2, f"{found[1]} events"
    if steps := _OF.findall(said):
        done, of = (int(one.replace(",", "")) for one in steps[-1])
        at, detail = 2, f"{percent(done / max(1, of), 0)} of {of:,} events"
    if warm := _WARM.search(said):
        at, detail = 3, warm[0][:1].upper() + warm[0][1:]
    stages = tuple(
        Stage(
            name, "done" if i < at else "" if i > at else "now" if alive else "bad",
            detail if i == at else "",
        )
        for i, name in enumerate(STAGES)
    )  # fmt: skip
    return Start(stages, "" if alive else last_words(said))


def last_words(said: str) -> str:
    """Return why a process ended, as it said it: its error and what to do, or its last lines."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    at = next((i for i, line in enumerate(lines) if line.startswith("error:")), -1)
    kept = lines[at : at + 4] if at >= 0 else lines[-3:]
    words = " ".join(kept).removeprefix("error:").strip()
    return words[:1].upper() + words[1:] if words else "It ended without a word."


def sentence(typed: Mapping[str, Any], location: str, policy: str) -> str:
    """Say in one sentence what will be done."""
    try:
        leverage, wallet = float(typed["leverage"]), float(typed["wallet"])
    except (KeyError, TypeError, ValueError):
        return "The position is not complete yet."
    rules = f" within the rules {typed['rules']}" if typed.get("rules") else ""
    does = (
        "and nothing is hedged: you only watch"
        if typed.get("policy") == "unhedged"
        else f"and {typed.get('policy')}{rules} hedges it {PLACE.get(location, '')}"
    )
    size = leverage * wallet
    return (
        f"On paper, a {number(leverage, 2).rstrip('0').rstrip('.')}x {typed.get('side')} of "
        f"{usdt(size)} opens at the first price of {typed.get('venue')} with a wallet of "
        f"{usdt(wallet)}, {does}{f' ({policy})' if policy and not rules else ''}."
    )


def advice_lines(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return advice on leverage as lines, each with how it looks: good, warn, dim or plain."""
    own, advised = told.get("own") or {}, told.get("advised") or {}
    days = number(_float(told, "horizon_days"), 0)
    tolerance = _float(told, "tolerance")
    fine = _float(own, "probability") <= tolerance
    span = "week" if days == "7" else f"{days} days"
    lines = [
        (
            (
                f"Without a hedge, {_times(own)} is liquidated within a {span} with a probability "
                f"of {percent(_float(own, 'probability'))}{_away(own)}."
            ),
            "hg-good" if fine else "hg-warn",
        ),
        (
            f"Advised: at most {_times(advised)}, for the {percent(tolerance)} that you accept.",
            "",
        ),
    ]
    past = str((told.get("past") or {}).get("told", ""))
    lines += [(f"In the past, {past}.", "")] if past else []
    lines += [(f"{line[:1].upper()}{line[1:]}.", "hg-dim") for line in told.get("what_to_do", [])]
    if told.get("time"):
        lines.append((f"As of {str(told['time'])[:16]} UTC, on {told.get('data')}.", "hg-dim"))
    return lines


def capital_lines(is_enough: bool, minimum_usdt: float, problems: Sequence[str]) -> list[tuple[
    str, str
]]:  # fmt: skip
    """Return whether the wallet suffices, in words."""
    if is_enough:
        return [
            ((f"The wallet is large enough: the venue takes every step of the hedge (from "
             f"{usdt(minimum_usdt)} on)."), "hg-good")
        ]  # fmt: skip
    return [(f"{one[:1].upper()}{one[1:]}.", "hg-warn") for one in problems]


def _times(row: Mapping[str, Any]) -> str:
    return f"{number(_float(row, 'leverage'), 1).removesuffix('.0')}x"


def _away(row: Mapping[str, Any]) -> str:
    price, distance = _float(row, "price_usdt"), _float(row, "distance")
    if not math.isfinite(price):
        return ""
    return f", at {price:.2f} USDT, {percent(distance)} away"


def _float(row: Mapping[str, Any], key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else math.nan

"""What people may ask of a session, checked: the command line and the screen share it.

Safer is one word, riskier needs a typed one: see `risk.state`. Pure: time comes as an argument.
"""

from __future__ import annotations

from typing import Final

from litehedge.errors import UsageError
from litehedge.market import events as ev
from litehedge.risk.state import CLOSE_WORDS, RESUME_WORD
from litehedge.units import NS_PER_DAY, describe_ns

LONGEST_NS: Final = 7 * NS_PER_DAY
"""An override lasts at most so long, nanoseconds."""

LONGEST_REASON: Final = 200


def halted(reason: str) -> ev.Halt:
    """Return the command to halt, with why.

    Raises
    ------
    UsageError
        When the reason is too long, or is no line of text.
    """
    return ev.Halt(0, 0, _reason(reason))


def resumed(word: str) -> ev.Resume:
    """Return the command to go on after a halt.

    Raises
    ------
    UsageError
        When `word` is not the one to be typed.
    """
    if word.strip() != RESUME_WORD:
        raise UsageError("not confirmed", f"nothing was asked; the word is {RESUME_WORD}")
    return ev.Resume(0, 0, RESUME_WORD)


def closed(words: str, reason: str) -> ev.CloseAll:
    """Return the command to close position and hedge.

    Raises
    ------
    UsageError
        When `words` are not those to be typed.
    """
    if words.strip() != CLOSE_WORDS:
        raise UsageError("not confirmed", f"nothing was asked; the words are {CLOSE_WORDS}")
    return ev.CloseAll(0, 0, _reason(reason))


def hold(ratio: float, lasts_ns: int, now_ns: int) -> ev.SetHedge:
    """Return the command to hold a hedge of `ratio` (0 to 1) for a time, nanoseconds.

    Raises
    ------
    UsageError
        When the ratio is no share, or the time is none or too long.
    """
    if not 0.0 <= ratio <= 1.0:
        raise UsageError(f"{ratio} is no share of the position", "give a number from 0 to 1")
    return ev.SetHedge(0, 0, ratio, _until_ns(lasts_ns, now_ns))


def keep(lasts_ns: int, now_ns: int) -> ev.Freeze:
    """Return the command to leave the hedge as it is for a time, nanoseconds.

    Raises
    ------
    UsageError
        When the time is none or too long.
    """
    return ev.Freeze(0, 0, _until_ns(lasts_ns, now_ns))


def when(command: ev.Command, *, runs: bool) -> str:
    """Say when a command that is in the inbox will count."""
    if runs:
        return "it takes that up at once, or when it is warm"
    if isinstance(command, ev.Halt):
        return "it does not run: this counts at its next start"
    return "it does not run: this counts at its next start, if that is within a minute"


def _until_ns(lasts_ns: int, now_ns: int) -> int:
    if not 0 < lasts_ns <= LONGEST_NS:
        word = "short" if lasts_ns <= 0 else "long"
        raise UsageError(f"{describe_ns(lasts_ns)} is too {word}", "give at most 7d")
    return now_ns + lasts_ns


def _reason(text: str) -> str:
    if len(text) > LONGEST_REASON or not text.isprintable():
        raise UsageError(
            "that reason cannot be written down", f"give one line of up to {LONGEST_REASON} signs"
        )
    return text

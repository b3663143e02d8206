"""What the page of models says: pure functions of their cards.

`Lineage` is all that the page asks of a registry, which keeps champions and challengers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from litehedge.learning.watch import Fit, Word
from litehedge.ledger.scores import upper_first
from litehedge.model.artefact import Card, Score, Span
from litehedge.model.policy_artefact import PolicyCard
from litehedge.report.style import UNKNOWN, counted, number, percent
from litehedge.shelf.lineage import Standing
from litehedge.units import NS_PER_DAY, NS_PER_SECOND, describe_ns, iso_utc

KINDS: Final = {
    "logistic": "a small model, auditable by hand",
    "network": "a network that says why",
    "policy": "a network that decides about the hedge itself",
}
SCORES: Final = {
    "auc": "tells squeezes from quiet (AUC)",
    "ap": "finds them among many (average precision)",
    "brier": "is right about how likely (Brier, less is better)",
}


class Lineage(Protocol):
    """A registry of champion and challenger, as far as the page needs one."""

    def standings(self) -> Sequence[Standing]:
        """Return champions, challengers, previous champions, and what else may serve.

        Raises
        ------
        LitehedgeError
            When they cannot be read.
        """
        ...

    def promote(self, name: str) -> str:
        """Let a challenger serve, and say what happened.

        Raises
        ------
        LitehedgeError
            When it may not. Nothing was changed.
        """
        ...

    def roll_back(self, frame_s: int) -> str:
        """Let the champion before this one serve frames of that length again; say what happened.

        Raises
        ------
        LitehedgeError
            When there is none. Nothing was changed.
        """
        ...


def heading(name: str, *, is_own: bool) -> str:
    """Return what stands above a card."""
    return f"{name}, {'yours' if is_own else 'ships with litehedge'}"


def card_lines(card: Card, now_ns: int) -> list[tuple[str, str]]:
    """Return a model's card in words."""
    frames = describe_ns(card.frame_s * NS_PER_SECOND)
    members = f", {counted(card.members, 'member')}" if card.members > 1 else ""
    return [
        ("What it is", (f"{card.kind}: {KINDS.get(card.kind, 'a model')}; frames of {frames}"
         f"{members}")),
        ("Learnt from", spans(card.trained_on)),
        ("Tuned on", spans(card.validated_on) or card.validation_note or "nothing else"),
        ("Squeezes seen", f"{card.events_long:,} of longs, {card.events_short:,} of shorts"),
        ("Expires", expiry(card, now_ns)),
        ("Made", f"{card.created[:10]} by litehedge {card.litehedge}"),
    ]  # fmt: skip


FIT: Final = {Word.FINE: "hg-good", Word.WATCH: "hg-warn", Word.DRIFT: "hg-problem"}
"""How a verdict on a model looks."""


def fit_lines(standing: Fit, now_ns: int) -> list[tuple[str, str]]:
    """Return what was found when a model was last looked at, the worst first."""
    look = standing.look
    order = (Word.DRIFT, Word.WATCH, Word.FINE, Word.FEW)
    found = sorted(look.findings, key=lambda one: order.index(one.word))
    days = max((now_ns - look.time_ns) / NS_PER_DAY, 0.0)
    return [
        ("Model", standing.model),
        ("Looked at", f"{counted(look.events, 'squeeze')} here, until {days:.0f} days ago"),
        *((upper_first(str(one.word)), one.text) for one in found),
    ]


def policy_lines(card: PolicyCard) -> list[tuple[str, str]]:
    """Return a network policy's card in words."""
    low, high = card.leverages
    least, most = card.budgets
    return [
        ("What it is", f"policy: {KINDS['policy']}"),
        ("Learnt from", spans(card.trained_on)),
        ("Tuned on", spans([card.validated_on])),
        ("Listens to", card.forecaster),
        ("Made for", (f"{low:g}x to {high:g}x, risk budgets of {percent(least, 0)} to "
         f"{percent(most, 0)}")),
        ("Made", (f"{card.created[:10]} by litehedge {card.litehedge}; the best of "
         f"{counted(len(card.seeds), 'seed')}")),
    ]  # fmt: skip


def spans(found: Sequence[Span]) -> str:
    """Write spans of data; many worlds as how many there were."""
    worlds = [span for span in found if span.is_simulated]
    told = [f"{s.data}, {s.start[:10]} to {s.end[:10]}" for s in found if not s.is_simulated]
    if worlds:
        frames = sum(span.frames for span in worlds)
        told.append(f"{counted(len(worlds), 'simulated world')} ({frames:,} frames)")
    return "; ".join(told)


def expiry(card: Card, now_ns: int) -> str:
    """Say whether a model is too old, or when it will be."""
    if card.expires_ns is None:
        return "never"
    day = iso_utc(card.expires_ns)[:10]
    left = (card.expires_ns - now_ns) / NS_PER_DAY
    if left < 0.0:
        return f"on {day}: {counted(int(-left), 'day')} ago; train it again"
    return f"on {day}, in {counted(int(left), 'day')}"


def is_expired(card: Card, now_ns: int) -> bool:
    """Tell whether a model is too old."""
    return card.expires_ns is not None and card.expires_ns < now_ns


def score_rows(card: Card) -> list[tuple[str, str, str]]:
    """Return what was measured, of this model and of the simplest rival; 30 minutes ahead."""
    rows = []
    for key in dict.fromkeys((*card.scores, *card.baseline_scores)):
        kind, _, rest = key.partition("_")
        minutes, _, side = rest.rpartition("_")
        what = f"{SCORES.get(kind, kind)}, {side}s, {minutes} min" if minutes else key
        rows.append((what, score(card.scores.get(key)), score(card.baseline_scores.get(key))))
    return rows


def score(one: Score | None) -> str:
    """Write a score with its 90 % interval."""
    if one is None or not math.isfinite(one.value):
        return UNKNOWN
    return f"{number(one.value, 3)} ({number(one.low, 3)} to {number(one.high, 3)})"


def used_by(name: str, folders: Mapping[str, str]) -> str:
    """Say which sessions use a model; `folders` is the model's name by session."""
    users = [session for session, model in folders.items() if model == name]
    return f"Used by {', '.join(users)}." if users else ""


def standing_words(one: Standing) -> str:
    """Say what a registry knows of a model."""
    return f"{one.role} since {iso_utc(one.since_ns)[:10]} UTC: {one.words}"

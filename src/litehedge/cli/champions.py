"""``litehedge models compare | promote | rollback``: which model serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from litehedge.cli.common import console, note, print_table, write_json
from litehedge.errors import UsageError
from litehedge.model import artefact
from litehedge.model.artefact import Card, Score, Span
from litehedge.shelf import lineage
from litehedge.shelf.champion import own_registry
from litehedge.shelf.home import stderr
from litehedge.shelf.models import find_model
from litehedge.store.versions import ROLES, Change
from litehedge.units import NS_PER_SECOND, describe_ns, duration_ns, iso_utc

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Why = Annotated[str, typer.Option(help="Why, for the history.")]
Frame = Annotated[
    str | None, typer.Option(help="Length of the frames: 5m or 1m. Default: the only one.")
]


def compare(
    one: Annotated[
        str, typer.Argument(help="A model: name, version (deep@2), folder, or a role.")
    ] = "champion",
    other: Annotated[str, typer.Argument(help="Another one.")] = "challenger",
    frame: Frame = None,
    as_json: Json = False,
) -> None:
    """Put two cards side by side, with the intervals of their scores.

    Says when the scores cannot be compared, since they were measured on other days. Without
    arguments: the champion and the challenger.

    Example: litehedge models compare ltc-5m ltc-5m-logistic
    """
    found = [_folder(name, frame) for name in (one, other)]
    cards = [artefact.load_card(folder) for _, folder in found]
    labels = [label for label, _ in found]
    reasons = unlike(labels, cards)
    rows = _scores(cards)
    if as_json:
        write_json(
            {
                "models": [
                    {"name": label, "folder": str(folder), "card": card}
                    for (label, folder), card in zip(found, cards, strict=True)
                ],
                "comparable": not reasons, "reasons": reasons,
                "scores": {
                    key: {"one": a, "other": b, "overlap": _overlap(a, b)} for key, a, b in rows
                },
            },
            "-",
        )  # fmt: skip
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", *labels):
        table.add_column(heading)
    for what, texts in _facts(cards):
        table.add_row(what, *texts)
    print_table(table, folds=True)
    scores = Table(title="scores with 90 % intervals over events; an onset within 30 min")
    for heading in ("score", *labels, "intervals"):
        scores.add_column(heading, justify="left" if heading in ("score", "intervals") else "right")
    for key, a, b in rows:
        apart = (
            "" if reasons or a is None or b is None else "overlap" if _overlap(a, b) else "apart"
        )
        scores.add_row(key, _score(a), _score(b), apart)
    print_table(scores)
    note(reasons)


def promote(
    name: Annotated[
        str, typer.Argument(help="Name or version (deep@2) of a model.", show_default=False)
    ],
    why: Why = "promoted by hand",
    as_json: Json = False,
) -> None:
    """Make a model the champion: sessions that choose by themselves use it.

    It is loaded and tried first; nothing changes where it does not fit, or is too old. A model of
    yours, or one that ships, is registered on the way. Sessions that run with model auto take it
    between two frames, without a pause, and not in a squeeze. The champion before it can be brought
    back with: litehedge models rollback

    Example: litehedge models promote deep@2 --why "better on the crises"
    """
    with stderr.status("trying it on made-up frames …"):
        change = lineage.promote(name, why)
    _say(change, as_json=as_json)


def rollback(frame: Frame = None, why: Why = "rolled back by hand", as_json: Json = False) -> None:
    """Bring back the champion before this one.

    Example: litehedge models rollback --frame 5m
    """
    _say(lineage.roll_back(_frame_s(frame), why), as_json=as_json)


def _say(change: Change, *, as_json: bool) -> None:
    if as_json:
        before = change.before
        write_json(
            {
                "act": change.act, "champion": change.version.label, "model": change.version.id,
                "before": None if before is None else before.label, "frame_s": change.frame_s,
                "time": iso_utc(change.time_ns, seconds=True), "who": change.who, "why": change.why,
            },
            "-",
        )  # fmt: skip
        return
    console.print(lineage.in_words(change), highlight=False, soft_wrap=True, markup=False)


def _frame_s(frame: str | None) -> int:
    """Return the length of frames that is meant, in seconds."""
    if frame is not None:
        return duration_ns(frame) // NS_PER_SECOND
    registry = own_registry()
    held = [] if registry is None else registry.held()
    if registry is not None:
        registry.close()
    lengths = sorted({h.version.frame_s for h in held})
    if len(lengths) == 1:
        return lengths[0]
    if not lengths:
        raise UsageError(
            "there is no champion in the registry yet", "see: litehedge models promote --help"
        )
    known = ", ".join(describe_ns(n * NS_PER_SECOND) for n in lengths)
    raise UsageError(f"there are models for frames of {known}", "say which, as with --frame 5m")


def _folder(name: str, frame: str | None) -> tuple[str, Path]:
    """Return a model's label and folder."""
    if name not in ROLES:
        return name, find_model(name)
    frame_s = _frame_s(frame)
    registry = own_registry()
    version = None if registry is None else registry.holder(name, frame_s)
    if registry is None or version is None:
        raise UsageError(
            f"there is no {name} for frames of {describe_ns(frame_s * NS_PER_SECOND)}",
            "see: litehedge models list",
        )
    try:
        return f"{version.label} ({name})", registry.folder(version)
    finally:
        registry.close()


def unlike(labels: list[str], cards: list[Card]) -> list[str]:
    """Return why the scores of two cards cannot be compared; nothing where they can."""
    one, other = cards
    reasons = []
    if one.frame_s != other.frame_s:
        reasons.append("frames are not of one length: the scores are of other questions")
    if one.label_spec != other.label_spec:
        reasons.append("what a squeeze is was defined otherwise: the scores are of other questions")
    spans = [_spans(card.validated_on) for card in cards]
    if spans[0] != spans[1]:
        told = "; ".join(f"{label} on {span}" for label, span in zip(labels, spans, strict=True))
        reasons.append(f"scores were measured on other days, so they are not comparable: {told}")
    elif one.validation_note != other.validation_note:
        reasons.append(
            "scores are of the same days, but not of equal worth: "
            + "; ".join(f"{label}: {card.validation_note}"
                        for label, card in zip(labels, cards, strict=True))
        )  # fmt: skip
    return reasons


def _scores(cards: list[Card]) -> list[tuple[str, Score | None, Score | None]]:
    one, other = (card.scores for card in cards)
    return [(key, one.get(key), other.get(key)) for key in dict.fromkeys((*one, *other))]


def _overlap(one: Score | None, other: Score | None) -> bool | None:
    if one is None or other is None:
        return None
    return one.low <= other.high and other.low <= one.high


def _score(score: Score | None) -> str:
    return "-" if score is None else f"{score.value:.3f}  [{score.low:.3f}, {score.high:.3f}]"


def _facts(cards: list[Card]) -> list[tuple[str, list[str]]]:
    def row(what: str, tell: Any) -> tuple[str, list[str]]:
        return what, [tell(card) for card in cards]

    return [
        row("kind", lambda c: f"{c.kind}, {c.members} members" if c.members > 1 else c.kind),
        row("frames", lambda c: describe_ns(c.frame_s * NS_PER_SECOND)),
        row("trained on", lambda c: _spans(c.trained_on)),
        row("scores of", lambda c: _spans(c.validated_on)),
        row("note", lambda c: c.validation_note),
        row("squeezes", lambda c: f"{c.events_long} long, {c.events_short} short"),
        row("expires", lambda c: "never" if c.expires_ns is None else iso_utc(c.expires_ns)[:10]),
        row("feeds", lambda c: ", ".join(c.feeds) or "-"),
        row("made", lambda c: f"{c.created[:10]} by litehedge {c.litehedge}"),
    ]


def _spans(spans: list[Span]) -> str:
    worlds = [span for span in spans if span.is_simulated]
    told = [f"{s.data} {s.start[:10]} .. {s.end[:10]}" for s in spans if not s.is_simulated]
    if worlds:
        told.append(f"{len(worlds)} simulated worlds")
    return ", ".join(told) or "nothing"

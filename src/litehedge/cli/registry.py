"""``litehedge models``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from litehedge.cli import champions, foreign
from litehedge.cli.common import console, note, print_table, write_json
from litehedge.errors import LitehedgeError, RegistryError, UsageError
from litehedge.learning.kept import watch_in
from litehedge.learning.watch import Fit, in_a_line
from litehedge.live.session import sessions
from litehedge.model import artefact
from litehedge.model.artefact import Card, Score
from litehedge.shelf import lineage
from litehedge.shelf.champion import opened, own_registry
from litehedge.shelf.home import home, stderr
from litehedge.shelf.models import find_model, model_folders, own_models
from litehedge.store.versions import Held, Version
from litehedge.units import NS_PER_SECOND, describe_ns, iso_utc

app = typer.Typer(pretty_exceptions_enable=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SCORES = ("auc", "ap")


@app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the models; show, compare, register, promote and roll back with the commands below.

    What each is, what it learnt from, how good it was, where it lies; and which serves.

    Your own come before those that ship with the package. Scores are for an onset within 30
    minutes, as on the card.

    Example: litehedge models
    """
    if context.invoked_subcommand is None:
        _list_all(as_json=as_json)


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the models, and the versions in the registry with their roles.

    Example: litehedge models list
    """
    _list_all(as_json=as_json)


def _list_all(*, as_json: bool) -> None:
    rows, broken = [], []
    for name, folder in model_folders().items():
        try:
            rows.append(_facts(name, folder, artefact.load_card(folder)))
        except LitehedgeError as error:
            broken.append({"name": name, "folder": str(folder), "reason": error.what})
    versions, held, trouble = _registered()
    if as_json:
        told = {
            "versions": [
                {"name": v.label, "model": v.id, "frame_s": v.frame_s, "sha256": v.sha256,
                 "registered": iso_utc(v.time_ns, seconds=True), "who": v.who, "why": v.why,
                 "lineage": v.lineage}
                for v in versions
            ],
            "roles": [lineage.told(one) for one in held], "trouble": trouble,
        }  # fmt: skip
        write_json({"models": rows, "broken": broken, "registry": told}, "-")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "kind", "frames", "members", "trained until", "squeezes",
                    "AUC long / short", "AP long / short", "size", "in"):  # fmt: skip
        right = heading in ("frames", "members", "squeezes", "size")
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(
            row["name"], row["kind"], describe_ns(row["frame_s"] * NS_PER_SECOND),
            str(row["members"]), row["trained_until"][:10],
            f"{row['events_long']} + {row['events_short']}",
            *(" / ".join(_short(row["scores"][f"{s}_30_{side}"]) for side in ("long", "short"))
              for s in SCORES),
            f"{row['bytes'] / 1e3:,.0f} kB", row["folder"],
        )  # fmt: skip
    print_table(table)
    for one in broken:
        stderr.print(f"broken: {one['name']}: {one['reason']}", highlight=False, markup=False)
    _print_registered(versions, held)
    note([trouble] if trouble else [])


def _registered() -> tuple[list[Version], list[Held], str]:
    """Return what the registry holds, or why it cannot be read."""
    try:
        found = own_registry()
        if found is None:
            return [], [], ""
        try:
            return found.versions(), found.held(), ""
        finally:
            found.close()
    except RegistryError as error:
        return [], [], f"{error.what}: {error.remedy}"


def _print_registered(versions: list[Version], held: list[Held]) -> None:
    if not versions:
        return
    roles = {one.version.key: one for one in held}
    table = Table(title="in the registry", box=None, pad_edge=False, header_style="bold")
    for heading in ("version", "role", "since (UTC)", "frames", "trained until", "why", "by"):
        table.add_column(heading, no_wrap=True)
    for v in versions:
        one = roles.get(v.key)
        table.add_row(
            v.label, "" if one is None else one.role,
            iso_utc(v.time_ns if one is None else one.time_ns),
            describe_ns(v.frame_s * NS_PER_SECOND),
            max((s.end for s in v.card.trained_on), default="")[:10],
            v.why if one is None else one.why, v.who if one is None else one.who,
        )  # fmt: skip
    print_table(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name or folder of a model.")], as_json: Json = False
) -> None:
    """Print the whole card of a model.

    Example: litehedge models show ltc-5m
    """
    folder = find_model(name)
    card = artefact.load_card(folder)
    if as_json:
        told = {name: msgspec.to_builtins(one) for name, one in _standings(card)}
        write_json({"folder": str(folder), "bytes": _size(folder), "card": card, "here": told}, "-")
        return
    _print_card(card, folder)
    for session, standing in _standings(card):
        console.print(
            f"in session {session}: {in_a_line(standing, time.time_ns())}", highlight=False,
            soft_wrap=True,
        )  # fmt: skip


def _standings(card: Card) -> list[tuple[str, Fit]]:
    """Return how a model fits the markets of the sessions in which somebody looked at it."""
    found = [(one.name, watch_in(one.folder)) for one in sessions(home())]
    wanted = artefact.id_of(card)
    return [(name, one) for name, one in found if one is not None and one.model == wanted]


@app.command()
def register(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of an artefact, as train or litehedge.model.artefact.save_network "
            "writes it. Its network may be any ONNX graph with the interface of "
            "litehedge.model.graph.",
            show_default=False,
        ),
    ],
    name: Annotated[str, typer.Option(help="Name under which commands find it.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a model of your own of that name.")
    ] = False,
    why: Annotated[str, typer.Option(help="Why, for the history.")] = "registered by hand",
    parent: Annotated[
        str, typer.Option(help="The model that it was trained on from, if there is one.")
    ] = "",
    expires_days: Annotated[
        int | None,
        typer.Option(min=1, help="Too old so many days after its data. Default: as its card says."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a model, copy it to the others, and keep it in the registry as the next version.

    Its parts must be those of its card, made for the features, labels and format of this version;
    and it must say on made-up frames what a forecast can be, the same frame by frame as in a
    batch. Nothing is copied otherwise. It becomes the challenger for its length of frames, which
    changes nothing for sessions: see litehedge models promote.

    Example: litehedge models register ./deep --name deep
    """
    if name in ("", "auto", "none", ".", "..") or set(name) & set("/\\ ") or name.startswith("."):
        raise UsageError(f"{name!r} cannot be the name of a model", "give a word like deep-5m")
    target = own_models() / name
    if target.resolve() == folder.resolve():
        raise UsageError(f"{folder} is registered already", "give another --name")
    if target.exists() and not replace:
        raise UsageError(f"there already is a model {name}", "add --replace, or another --name")
    registry = opened()
    try:
        with stderr.status("feeding it made-up frames …"):
            version = lineage.enlist(
                registry, folder, name, why=why, parent=parent, expires_days=expires_days
            )
    finally:
        registry.close()
    card = artefact.copy(folder, target, name)
    if as_json:
        write_json(
            {"folder": str(target), "bytes": _size(target), "card": card, "version": version.label},
            "-",
        )
        return
    frames = describe_ns(card.frame_s * NS_PER_SECOND)
    console.print(
        f"registered {card.kind} {name} for frames of {frames} in {target}, as {version.label}; "
        f"let it serve with: litehedge models promote {version.label}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


app.command()(champions.compare)
app.command()(champions.promote)
app.command()(champions.rollback)
app.command()(foreign.lesson)
app.command()(foreign.adopt)


def _facts(name: str, folder: Path, card: Card) -> dict[str, Any]:
    return {
        "name": name, "kind": card.kind, "frame_s": card.frame_s, "members": card.members,
        "trained_until": max((s.end for s in card.trained_on), default=""),
        "events_long": card.events_long, "events_short": card.events_short,
        "scores": {
            key: score.value if (score := card.scores.get(key)) is not None else None
            for key in (f"{s}_30_{side}" for s in SCORES for side in ("long", "short"))
        },
        "bytes": _size(folder), "folder": str(folder), "own": folder.parent == own_models(),
    }  # fmt: skip


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _print_card(card: Card, folder: Path) -> None:
    facts = [
        ("kind", f"{card.kind}, format {card.format}"),
        ("members", f"{card.members}" + (f", seeds {_list(card.seeds)}" if card.seeds else "")),
        ("frames", describe_ns(card.frame_s * NS_PER_SECOND)),
        ("made", f"{card.created} by litehedge {card.litehedge}"),
        ("expires", "never" if card.expires_days is None
         else f"{card.expires_days} days after the last data"),
        ("squeezes", f"{card.events_long} long, {card.events_short} short"),
        *(("trained on", f"{s.data}, {s.start} .. {s.end}, {s.frames:,} frames")
          for s in card.trained_on),
        *(("validated on", f"{s.data}, {s.start} .. {s.end}, {s.frames:,} frames")
          for s in card.validated_on),
        ("note", card.validation_note),
        ("families", _list(card.feeds)),
        ("settings", _list(f"{k} {v:g}" for k, v in card.parameters.items())),
        ("feature schema", card.feature_schema), ("label spec", card.label_spec),
        ("weights", card.weights_sha256),
        *((name, sha) for name, sha in card.files.items()),
        ("folder", str(folder)), ("size", f"{_size(folder):,} bytes"),
    ]  # fmt: skip
    table = Table(title=card.name, box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for label, text in facts:
        if text:
            table.add_row(label, text)
    print_table(table, folds=True)
    scores = Table(title="scores with 90 % intervals over events; an onset within 30 min")
    for heading in ("score", "this model", "simplest rival"):
        scores.add_column(heading, justify="left" if heading == "score" else "right")
    for key in dict.fromkeys((*card.scores, *card.baseline_scores)):
        scores.add_row(key, _score(card.scores.get(key)), _score(card.baseline_scores.get(key)))
    print_table(scores)


def _list(parts: Any) -> str:
    return ", ".join(str(part) for part in parts)


def _score(score: Score | None) -> str:
    return "" if score is None else f"{score.value:.3f}  [{score.low:.3f}, {score.high:.3f}]"

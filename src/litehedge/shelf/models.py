"""Which model a command uses: by name, by folder, or the one that fits the bars."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rich.markup import escape

from litehedge.errors import ArtefactError, RegistryError, UsageError
from litehedge.model import artefact
from litehedge.model.artefact import Artefact, Card
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.shelf.champion import champion_of, own_registry
from litehedge.shelf.home import home, stderr
from litehedge.squeeze.forecast import Forecaster
from litehedge.store.bundled import pretrained_folder
from litehedge.units import NS_PER_SECOND, instant_ns

DEFAULTS: Final = {60: "ltc-1m-logistic", 300: "ltc-5m-logistic"}
"""By frame length in seconds. The policies were fitted on what these say; see `docs/decisions/`."""


class Chosen(NamedTuple):
    """A forecaster, its card (None without a model) and where it lies."""

    forecaster: Forecaster
    card: Card | None
    folder: str


def own_models() -> Path:
    """Return the folder of your own models."""
    return home() / "models"


def model_folders() -> dict[str, Path]:
    """Return the models by name; your own come before those that ship with the package."""
    found: dict[str, Path] = {}
    for root in (own_models(), pretrained_folder()):
        if root.is_dir():
            for folder in sorted(root.iterdir()):
                if (folder / artefact.CARD).is_file():
                    found.setdefault(folder.name, folder)
    return found


def choose_model(name: str, frame_ns: int, before: str = "") -> Chosen:
    """Return the model called `name`: a name, a folder, ``auto`` or ``none``.

    ``auto`` takes the registry's champion for frames of `frame_ns`; where there is none, a model of
    your own, else the default that ships, and goes on without one where there is none. What cannot
    be read does not stop it. A version of the registry is called as in ``deep@2``.

    Parameters
    ----------
    before
        Folder of the model that a session used last: it goes on with that one where the registry
        or its champion cannot be used.

    Raises
    ------
    ArtefactError
        When the model does not fit the data or this version.
    RegistryError
        When a version was asked for and the registry cannot be read.
    UsageError
        When there is no model of that name.
    """
    if name == "none":
        return Chosen(BlindForecaster(), None, "")
    if name == "auto":
        return _champion(frame_ns, before) or _without_champion(frame_ns)
    folders = model_folders()
    if name in folders:
        return _load(folders[name], frame_ns)
    if Path(name).is_dir():
        return _load(Path(name), frame_ns)
    if (folder := _registered(name)) is not None:
        return _load(folder, frame_ns)
    raise UsageError(
        f"there is no model {name!r}",
        f"choose one of {', '.join([*folders, 'auto', 'none'])}, or give a folder",
    )


def _champion(frame_ns: int, before: str) -> Chosen | None:
    """Return the registry's champion, None without one; where it cannot be used, what else."""
    try:
        found = champion_of(frame_ns // NS_PER_SECOND)
        return None if found is None else _load(found.folder, frame_ns)
    except (ArtefactError, RegistryError) as error:
        trouble = error.what
    shipped = pretrained_folder() / DEFAULTS.get(frame_ns // NS_PER_SECOND, "")
    for folder in (Path(before), shipped):
        # Not a model that lies around: nobody may have let it serve.
        if (before or folder == shipped) and (folder / artefact.CARD).is_file():
            try:
                chosen = _load(folder, frame_ns)
            except ArtefactError:
                continue
            _note_trouble(trouble, f"{folder.name} serves")
            return chosen
    _note_trouble(trouble, "the policies fall back on their rules")
    return Chosen(BlindForecaster(), None, "")


def _note_trouble(trouble: str, instead: str) -> None:
    stderr.print(
        f"[yellow]note:[/] no champion of the registry is used: {escape(trouble)}; "
        f"{escape(instead)} meanwhile",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _without_champion(frame_ns: int) -> Chosen:
    for folder in auto_folders(frame_ns):
        return _load(folder, frame_ns)
    stderr.print(
        f"[yellow]note:[/] there is no model for frames of {frame_ns // NS_PER_SECOND} s: "
        "the policies fall back on their rules",
        highlight=False,
    )
    return Chosen(BlindForecaster(), None, "")


def auto_folders(frame_ns: int) -> Iterator[Path]:
    """Yield what ``auto`` takes for frames of `frame_ns` without a champion: the first counts."""
    shipped = pretrained_folder()
    default = shipped / DEFAULTS.get(frame_ns // NS_PER_SECOND, "")
    candidates = [folder for folder in model_folders().values() if folder.parent != shipped]
    if (default / artefact.CARD).is_file():
        candidates.append(default)
    for folder in candidates:
        card = _card_or_note(folder)
        if card is not None and card.frame_s * NS_PER_SECOND == frame_ns:
            yield folder


def _registered(name: str) -> Path | None:
    """Return the folder of a version of the registry, None where there is none of that name."""
    found = own_registry() if name else None
    if found is None:
        return None
    try:
        return found.folder(found.find(name))
    except UsageError:
        return None
    finally:
        found.close()


def find_model(name: str) -> Path:
    """Return the folder of a model, by name, folder, or version of the registry.

    Raises
    ------
    ArtefactError
        When a version's artefact is not here, or not what was registered.
    RegistryError
        When the registry cannot be read.
    UsageError
        When there is none.
    """
    folders = model_folders()
    if name in folders:
        return folders[name]
    if (Path(name) / artefact.CARD).is_file():
        return Path(name)
    if (folder := _registered(name)) is not None:
        return folder
    raise UsageError(
        f"there is no model {name!r}",
        f"choose one of {', '.join(folders) or 'none yet'}, or give a folder",
    )


def choose_explained(name: str, frame_ns: int) -> Artefact:
    """Return the model called `name`, which says why.

    ``auto`` takes the first network for frames of `frame_ns`, which says most; without one it is
    the logistic model that ships for them.

    Raises
    ------
    ArtefactError
        When it does not fit the data or this version.
    UsageError
        When there is none.
    """
    if name != "auto":
        return artefact.load(find_model(name), frame_ns)
    frame_s = frame_ns // NS_PER_SECOND
    folders = [*_networks(frame_s).values()]
    if frame_s in DEFAULTS:
        folders.append(pretrained_folder() / DEFAULTS[frame_s])
    if not folders:
        raise UsageError(
            f"there is no model for frames of {frame_s} s",
            "train one with: litehedge train",
        )
    return artefact.load(folders[0], frame_ns)


def _networks(frame_s: int) -> dict[str, Path]:
    """Return the networks for frames of that length, by name."""
    cards = ((name, folder, _card_or_note(folder)) for name, folder in model_folders().items())
    return {
        name: folder
        for name, folder, card in cards
        if card is not None and card.kind == "network" and card.frame_s == frame_s
    }


def _card_or_note(folder: Path) -> Card | None:
    """Return the card of a model among others; where it cannot be read, say so and return None."""
    try:
        return artefact.load_card(folder)
    except ArtefactError as error:
        stderr.print(
            f"[yellow]note:[/] model {escape(folder.name)} is left out: {escape(error.what)}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        return None


def _load(folder: Path, frame_ns: int) -> Chosen:
    loaded = artefact.load(folder, frame_ns)
    return Chosen(loaded.forecaster, loaded.card, str(folder))


def require(forecaster: Forecaster, wanted_id: str) -> None:
    """Refuse another model than the one a journal was written with.

    Raises
    ------
    ArtefactError
        When the ids differ.
    """
    if forecaster.id != wanted_id:
        raise ArtefactError(
            f"the journal was written with model {wanted_id}, found {forecaster.id}",
            "give the folder of that model with --model",
        )


def saw(card: Card | None, start_ns: int, end_ns: int) -> bool:
    """Tell whether a model knows data within a span: its results there are in-sample.

    A network's validation span stopped its training and calibrated it, so that it knows it too.
    Simulated worlds have dates, but are no history.
    """
    if card is None:
        return False
    known = [*card.trained_on, *(card.validated_on if card.kind == "network" else [])]
    return any(
        instant_ns(span.start) < end_ns and instant_ns(span.end) > start_ns
        for span in known
        if not span.is_simulated
    )

"""Which policies a command knows: those of the core, and the network where one is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from litehedge.config import Settings
from litehedge.errors import ArtefactError, UsageError
from litehedge.hedge.network_policy import Brain
from litehedge.hedge.policies import Policy, policies, policy_named
from litehedge.model.policy_artefact import CARD, load_policy
from litehedge.shelf.home import home
from litehedge.store.bundled import pretrained_folder

NETWORK: Final = "network"
SHIPPED: Final = "policy-5m"


def own_policies() -> Path:
    """Return the folder of your own network policies."""
    return home() / "policies"


def policy_folders() -> dict[str, Path]:
    """Return the network policies by name; your own come before those that ship."""
    found: dict[str, Path] = {}
    for root in (own_policies(), pretrained_folder()):
        if root.is_dir():
            for folder in sorted(root.iterdir()):
                if (folder / CARD).is_file():
                    found.setdefault(folder.name, folder)
    return found


def choose_brain(name: str) -> Brain:
    """Return the network policy called `name`: a name, a folder, or ``auto`` for what ships.

    Raises
    ------
    ArtefactError
        When it does not fit this version.
    UsageError
        When there is none of that name.
    """
    folders = policy_folders()
    wanted = SHIPPED if name == "auto" else name
    if wanted in folders:
        return load_policy(folders[wanted])[1]
    if name != "auto" and Path(name).is_dir():
        return load_policy(Path(name))[1]
    raise UsageError(
        "no network policy ships with this version"
        if name == "auto"
        else f"there is no network policy {name!r}",
        "set hedge.network to a folder"
        + (f" or one of {', '.join(folders)}" if folders else "")
        + ", or train one with: litehedge train-policy",
    )


def choose_policy(name: str, settings: Settings) -> Policy:
    """Return one policy; the network is read from disk only when it is asked for.

    Raises
    ------
    ArtefactError
        When the network does not fit this version.
    UsageError
        When there is no such policy.
    """
    if name == NETWORK:
        return policy_named(name, settings, choose_brain(settings.hedge.network))
    try:
        return policy_named(name, settings)
    except UsageError as error:
        raise UsageError(error.what, f"{error.remedy}, {NETWORK}") from None


def all_policies(settings: Settings) -> list[Policy]:
    """Return every policy; the network only where one can be read."""
    try:
        brain = choose_brain(settings.hedge.network)
    except (ArtefactError, UsageError):
        if settings.hedge.network != "auto":
            raise
        brain = None
    return list(policies(settings, brain).values())


def require_policy(policy: Policy, wanted_id: str) -> None:
    """Refuse another network than the one that a journal was written with.

    Raises
    ------
    ArtefactError
        When the ids differ.
    """
    if policy.brain_id != wanted_id:
        raise ArtefactError(
            f"the journal was written with network policy {wanted_id or 'none'}, "
            f"found {policy.brain_id or 'none'}",
            "put that policy's folder where hedge.network of the journal's settings points",
        )

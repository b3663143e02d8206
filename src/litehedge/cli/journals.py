"""How commands begin a journal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import litehedge
from litehedge.cli.common import stderr
from litehedge.cli.models import Chosen
from litehedge.engine_state import Fixed
from litehedge.hedge.rules import to_toml
from litehedge.store.journal import Header, Journal


def begin_journal(path: Path, fixed: Fixed, model: Chosen, *, mode: str, data: str) -> Journal:
    """Open a journal at `path` and write down what a run begins with."""
    journal = Journal(path)
    journal.begin(
        Header(
            litehedge=litehedge.__version__,
            created=datetime.now(tz=UTC).isoformat(timespec="seconds"),
            mode=mode,
            settings=fixed.settings.model_dump(),
            policy=fixed.policy.name,
            free_ratio=fixed.policy.free_ratio,
            model_id=fixed.forecaster.id,
            model_folder=model.folder,
            session=fixed.session,
            atom_ns=fixed.atom_ns,
            per_frame=fixed.per_frame,
            held_every_ns=fixed.held_every_ns,
            trading_state=0,
            data=data,
            rules="" if (rules := fixed.policy.rules) is None else to_toml(rules),
            policy_id=fixed.policy.brain_id,
            looks_between=fixed.looks_between,
        )
    )
    return journal


def end_journal(journal: Journal, path: Path) -> None:
    """Close it and say how to prove it."""
    journal.close()
    stderr.print(f"journal in {path}; prove it with: litehedge replay {path}", highlight=False)

"""How commands begin a journal, and an engine from one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

import litehedge
from litehedge.config import Settings
from litehedge.engine_state import Fixed, State, start
from litehedge.errors import UsageError
from litehedge.hedge.policies import static, with_rules
from litehedge.hedge.rule_reading import parse_rules
from litehedge.hedge.rules import to_toml
from litehedge.market.events import ModelOffered
from litehedge.risk.state import TradingState
from litehedge.shelf.home import stderr
from litehedge.shelf.models import Chosen, choose_model, require
from litehedge.shelf.policies import choose_policy, require_policy
from litehedge.squeeze.history import Mind, warmed
from litehedge.store.bundled import tier_table
from litehedge.store.header import Header
from litehedge.store.journal import Journal, decode_checkpoint


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
            keeps_checkpoints=fixed.keeps_checkpoints,
            looks_between=fixed.looks_between,
        )
    )
    return journal


def end_journal(journal: Journal, path: Path) -> None:
    """Close it and say how to prove it."""
    journal.close()
    say_journal(path)


def say_journal(path: Path) -> None:
    """Say where a journal lies, and how to prove it."""
    stderr.print(f"journal in {path}; prove it with: litehedge replay {path}", highlight=False)


def minds_of(state: State, offered: ModelOffered) -> Mind | None:
    """Return the model that a journal's offer speaks of, as it was then; None where it was none.

    Raises
    ------
    LitehedgeError
        When it is not here any more.
    """
    history = state.history
    if offered.trouble or history is None or offered.model_id in ("", state.fixed.forecaster.id):
        return None
    folder = Path(offered.folder)
    name = offered.model_id.partition("@")[0]
    chosen = choose_model(offered.folder if folder.is_dir() else name, state.fixed.frame_ns)
    require(chosen.forecaster, offered.model_id)
    rows = history.between(offered.from_ns, offered.to_ns)
    return warmed(chosen.forecaster, state.fixed.per_frame, rows)


def engine_of(number: int, header: Header, model: str | None = None) -> State:
    """Return an engine as it began run `number`; `model` is a folder, when it moved since.

    Raises
    ------
    UsageError
        When this version does not know the settings that the run was written with.
    LitehedgeError
        When the model, the policy or the rules are not those of the run.
    """
    try:
        settings = Settings.model_validate(header.settings)
    except ValidationError as error:
        names = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
        raise UsageError(
            f"run {number} was written with settings that this version does not know: {names}",
            f"read it with litehedge {header.litehedge}, which wrote it",
        ) from None
    chosen = choose_model(model or header.model_folder or "none", header.atom_ns * header.per_frame)
    require(chosen.forecaster, header.model_id)
    policy = static(0.0) if header.free_ratio else choose_policy(header.policy, settings)
    require_policy(policy, header.policy_id)
    if header.rules:
        policy = with_rules(policy, parse_rules(header.rules, f"run {number}", ""))
    kept = header.tiers
    return start(
        settings,
        policy,
        tier_table(settings.venue.name, settings.venue.symbol) if kept is None else kept.table,
        chosen.forecaster,
        session=header.session,
        atom_ns=header.atom_ns,
        per_frame=header.per_frame,
        held_every_ns=header.held_every_ns,
        trading=TradingState(header.trading_state),
        keeps_checkpoints=header.keeps_checkpoints,
        checkpoint=decode_checkpoint(header.checkpoint),
        needs_reconciling=header.needs_reconciling,
        looks_between=header.looks_between,
    )

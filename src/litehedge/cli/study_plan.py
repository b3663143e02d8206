"""What the studies of lives in simulated worlds are asked for, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import litehedge
from litehedge.backtest import with_position
from litehedge.blowup.lives import BEGIN_S, RUIN_SHARE, Plan
from litehedge.blowup.worlds import WARM_UP_DAYS
from litehedge.cli.common import settings_from
from litehedge.cli.rules import ruled
from litehedge.errors import UsageError
from litehedge.hedge.policies import ORACLE
from litehedge.report.ruin_sheet import DEFINITION
from litehedge.shelf.models import choose_model
from litehedge.shelf.policies import NETWORK, choose_brain, choose_policy
from litehedge.sim.scenario import compose, load_scenario
from litehedge.store.bundled import tier_table
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND, iso_utc


def blowup_plan(
    file: Path | None, wallet: float, policy: str | None, model: str | None, scenarios: list[str],
    leverages: list[float], days: int,
) -> tuple[Plan, dict[str, Any]]:  # fmt: skip
    """Check everything that was asked for. Return it, and what a reader must know of it."""
    asked = settings_from(
        file, {"position.wallet_usdt": wallet, "hedge.policy": policy, "model.name": model}
    )
    settings, rules = ruled(asked, policy)
    if choose_policy(settings.hedge.policy, settings).kind == ORACLE:
        raise UsageError("the oracle never goes wrong", "choose another --policy")
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    for leverage in leverages:
        with_position(settings, "long", leverage)  # refuses what is none
        tiers.check_leverage(leverage, leverage * wallet)
    parameters, shocks = compose([load_scenario(one) for one in scenarios])
    forecaster = choose_model(settings.model.name, NS_PER_MINUTE).forecaster
    plan = Plan(
        parameters, tuple(shocks), settings, tiers, forecaster, tuple(sorted(set(leverages))), days,
        rules, choose_brain(settings.hedge.network) if settings.hedge.policy == NETWORK else None,
    )  # fmt: skip
    meta = {
        "litehedge": litehedge.__version__,
        "days": days,
        "begin": iso_utc(BEGIN_S * NS_PER_SECOND),
        "warm_up_days": WARM_UP_DAYS,
        "ruin": DEFINITION,
        "ruin_share": RUIN_SHARE,
        "model": forecaster.id,
        "scenarios": scenarios,
        "tiers": f"{tiers.venue} {tiers.symbol} {tiers.version}",
        "settings": settings.model_dump(),
    }
    return plan, meta

"""Terms and margin states for tests of policies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from litehedge.config import Costs, Hedge, Plugin, Position, Settings
from litehedge.hedge.policies import policies, policy_named
from litehedge.hedge.terms import Terms, terms_of
from strategies import log_floats
from synthetic import packaged_tiers

TIERS = packaged_tiers()
NAMES = tuple(policies(Settings()))


def terms(
    policy: str = "plugin", side: float = 1.0, location: str = "same_account",
    max_ratio: float = 1.0, plugin: dict[str, Any] | None = None, **costs: float,
) -> Terms:  # fmt: skip
    settings = Settings(
        position=Position(side="long" if side > 0 else "short"),
        hedge=Hedge(location=location, max_ratio=max_ratio),  # type: ignore[arg-type]
        plugin=Plugin(**(plugin or {})),
        costs=Costs(**costs),
    )
    return terms_of(settings, policy_named(policy, settings), TIERS, 100.0)


locations = st.sampled_from(["same_account", "second_venue", "reduce"])
sizes = log_floats(0.1, 2e5)
leverages = log_floats(0.7, 120.0)
plugins = st.builds(
    lambda horizon, longer, enter, share, step, width, peak_release, tilt: {
        "horizon_min": horizon, "enter_probability": enter,
        "release_horizon_min": min(240.0, horizon * longer), "release_probability": enter * share,
        "step": step, "width": width, "peak_release": peak_release, "tilt": tilt,
    },
    st.floats(5.0, 240.0), st.floats(1.0, 20.0), log_floats(1e-4, 0.5), st.floats(0.001, 0.99),
    st.sampled_from([0.1, 0.25, 0.5, 1.0]), st.sampled_from([0.0, 0.3, 0.9]),
    st.sampled_from([0.0, 0.5, 0.95]), st.sampled_from([0.0, 0.5, 2.0]),
)  # fmt: skip

"""The week's rhythm of volatility, as measured on the LTCUSDT perpetual (UTC)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

MINUTES_PER_WEEK: Final = 10_080
EPOCH_MINUTE_OF_WEEK: Final = 3 * 1440
"""1970-01-01 was a Thursday; weeks begin on Monday."""

HOURLY: Final = (
    1.17, 1.13, 1.01, 0.89, 0.83, 0.83, 0.85, 0.89, 0.96, 0.93, 0.87, 0.86,
    1.02, 1.10, 1.24, 1.25, 1.23, 1.14, 1.04, 0.99, 0.94, 0.99, 0.93, 0.91,
)  # fmt: skip
"""Mean absolute 5-minute return by hour, relative to the mean."""

WEEKEND: Final = 0.83
WEEKDAY: Final = 1.05


def weekly_season() -> NDArray[np.float64]:
    """Return the factor of volatility for each minute of the week, ``(10080,)``, rms 1."""
    minute = np.arange(MINUTES_PER_WEEK)
    hour, within = (minute // 60) % 24, minute % 60
    offset = within / 60.0 - 0.5
    hourly = np.array(HOURLY)
    neighbour = hourly[(hour + np.where(offset > 0, 1, -1)) % 24]
    factor = hourly[hour] * (1.0 - np.abs(offset)) + neighbour * np.abs(offset)
    factor *= np.where(minute // 1440 >= 5, WEEKEND, WEEKDAY)
    # Programs trade at full hours, quarters and five-minute marks.
    factor *= np.select(
        [within <= 1, within % 15 == 0, within % 5 == 0], [1.25, 1.2, 1.02], default=0.98
    )
    season: NDArray[np.float64] = factor / np.sqrt((factor**2).mean())
    return season


SEASON: Final = weekly_season()

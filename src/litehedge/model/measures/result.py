"""What an evaluation found, in one object that goes to JSON and back.

Scores are kept by name, so that tables, differences and strata need not know them all; a measure
that cannot be taken is not there. Rates and shares are fractions.
"""

from __future__ import annotations

from typing import Final

import msgspec

from litehedge.model.artefact import Score

FORMAT: Final = 1
TASKS: Final = ("squeeze", "percent", "sigma")
PEAK, SEVERITY = "peak", "severity"
BOTH: Final = "both"


class ReliabilityBin(msgspec.Struct, frozen=True):
    """Frames with about the same forecast: mean of what was foretold, share that came."""

    frames: int
    foretold: float
    came: Score


class AlarmPoint(msgspec.Struct, frozen=True):
    """Alarms at one threshold; `lead_min` is None where nothing was caught."""

    threshold: float
    false_per_day: float
    recall: float
    lead_min: float | None


class Skill(msgspec.Struct, frozen=True):
    """How good one forecaster is at one task for one side.

    `task` is one of `TASKS`, or ``peak`` and ``severity`` of a squeeze; `side` is long, short, or
    both for what the sides have together. `left_out` counts frames that were asked and had no
    forecast; `events` the events that frames waited for.
    """

    forecaster: str
    task: str
    side: str
    frames: int
    left_out: int
    events: int
    scores: dict[str, Score]
    reliability: list[ReliabilityBin] = []
    alarms: list[AlarmPoint] = []

    def score(self, name: str) -> Score | None:
        """Return a score, None where it could not be measured."""
        return self.scores.get(name)


class Difference(msgspec.Struct, frozen=True):
    """A forecaster less another in the same draws, per score; gains are shares of a loss saved."""

    forecaster: str
    than: str
    task: str
    side: str
    scores: dict[str, Score]


class Stratum(msgspec.Struct, frozen=True):
    """One kind of market."""

    name: str
    forecaster: str
    task: str
    side: str
    frames: int
    events: int
    scores: dict[str, Score]


class Ablation(msgspec.Struct, frozen=True):
    """A measure of the forecaster without one of its parts, less that of the whole."""

    name: str
    task: str
    side: str
    measure: str
    score: Score


class Crisis(msgspec.Struct, frozen=True):
    """A crisis that was left out of training, and how it was foretold."""

    name: str
    start: str
    end: str
    forecaster: str
    task: str
    side: str
    events: int
    scores: dict[str, Score]


class OracleShare(msgspec.Struct, frozen=True):
    """How much of what perfect knowledge reaches a forecaster reaches."""

    forecaster: str
    side: str
    measure: str
    score: Score


class Evaluation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything an evaluation found.

    `chosen` is the forecaster that it is about; `shown` those that charts draw, it first; `meta`
    is told as it is: spans, data, seeds, versions.
    """

    chosen: str
    shown: list[str]
    meta: dict[str, str]
    skills: list[Skill]
    differences: list[Difference] = []
    strata: list[Stratum] = []
    ablations: list[Ablation] = []
    crises: list[Crisis] = []
    oracle: list[OracleShare] = []
    format: int = FORMAT

    def skill(self, forecaster: str, task: str, side: str) -> Skill | None:
        """Return what is known of a forecaster at a task; None for nothing."""
        for one in self.skills:
            if (one.forecaster, one.task, one.side) == (forecaster, task, side):
                return one
        return None

    @property
    def forecasters(self) -> list[str]:
        """All forecasters, in the order in which they were measured."""
        return list(dict.fromkeys(one.forecaster for one in self.skills))

    def to_json(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes) -> Evaluation:
        """Read it back.

        Raises
        ------
        msgspec.ValidationError
            When it is something else.
        """
        return msgspec.json.decode(text, type=cls)

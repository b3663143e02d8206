"""The field: every forecaster that is judged, fitted before the span that it is judged on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from litehedge.errors import UsageError
from litehedge.model.baselines.every import every_baseline
from litehedge.model.baselines.part import Part, Trial
from litehedge.model.calibrate import fit_hazards, recalibrated
from litehedge.training.told import Said, by_baseline
from litehedge.training.workers import Workers, in_processes

Progress = Callable[[str], None]

LOGISTIC: Final = "logistic"
BOOSTED: Final = "LightGBM"


@dataclass(frozen=True, slots=True)
class Entry:
    """A forecaster, and what it said of the validation and of the judged span."""

    name: str
    valid: Said
    test: Said
    trials: int = 1


@dataclass(frozen=True, slots=True)
class Span:
    """What is learnt from, what is tuned on, and what is judged; the last two of one market."""

    train: list[Part]
    valid: Part
    test: Part


def baseline_names() -> list[str]:
    """Return the names of all baselines."""
    return [b.name for b in every_baseline()]


def baselines(
    span: Span, names: Sequence[str], seed: int, processes: Workers = None,
    say: Progress = lambda _: None,
) -> list[Entry]:  # fmt: skip
    """Fit, tune and calibrate baselines, one process each; return what they say.

    Raises
    ------
    UsageError
        When there is no baseline of a name, or a process died.
    """
    known = baseline_names()
    for name in names:
        if name not in known:
            raise UsageError(f"there is no baseline {name!r}", f"choose of {', '.join(known)}")
    found = in_processes(
        _job, names[::-1], "fits a baseline",  # the long ones first
        processes=processes, begin=_begin, given=(span, seed),
        done=lambda entry: say(f"{entry.name}: {entry.trials} trials"),
    )  # fmt: skip
    return found[::-1]


_shared: dict[str, Any] = {}


def _begin(span: Span, seed: int) -> None:
    _shared.update(span=span, seed=seed)


def _job(name: str) -> Entry:
    span: Span = _shared["span"]
    one = next(b for b in every_baseline(_shared["seed"]) if b.name == name)
    one.fit(span.train, [span.valid], lambda _: None)
    trials: list[Trial] = one.trials
    valid, test = calibrated(span.valid, by_baseline(one, span.valid), by_baseline(one, span.test))
    return Entry(name, valid, test, len(trials))


def calibrated(part: Part, valid: Said, test: Said) -> tuple[Said, Said]:
    """Calibrate hazards on the validation span, as those of the network are."""
    pairs = {
        task: fit_hazards([(hazards, part.tasks[task], part.end_ns)])
        for task, hazards in valid.hazards.items()
    }
    one, other = (
        Said({task: recalibrated(h, pairs[task]) for task, h in said.hazards.items()})
        for said in (valid, test)
    )
    return one, other

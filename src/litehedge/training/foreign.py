"""A network that was made elsewhere: what it may learn from, and how its graph becomes a model.

A lesson is a folder: the inputs as our own network sees them, and what is asked of it, frame by
frame. Whoever trains on it, in whatever way, writes an ONNX graph with the interface of
`litehedge.model.graph`; it is calibrated, scored and indexed here like one of ours.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.errors import ArtefactError, DataError
from litehedge.features.vector import FeatureSchema
from litehedge.model import layout as ly
from litehedge.model.artefact import Card
from litehedge.model.baselines.part import Part
from litehedge.model.calibration import Calibration
from litehedge.model.probe import probe
from litehedge.model.serve import NetworkForecaster
from litehedge.model.standards import Standards, fit_standards
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import ONSET_EDGES, PEAK_EDGES
from litehedge.squeeze.targets import PHASES, VOL_MINUTES
from litehedge.store.durable import write_whole
from litehedge.training.network import Sources, finished
from litehedge.training.samples import Progress

PLAN: Final = "lesson.json"
STANDARDS: Final = "standards.json"
RAW: Final = {
    "onset": (ly.ONSET, "logits (side, bin) of competing risks"),
    "passage": (ly.PASSAGE, "logits (kind, side, bin); kinds percent, sigma"),
    "peak": (ly.PEAK, "logits (side, bin)"),
    "severity": (ly.SEVERITY, "(side, level): log bps of the lowest level, then steps by softplus"),
    "phase": (ly.PHASE, "logits (phase,)"),
    "vol": (ly.VOL, "log of volatility per root minute, (horizon,)"),
}
"""Where in the raw output what lies, and what it means."""


class Plan(msgspec.Struct, frozen=True):
    """Which data a lesson holds; times in ns since 1970, the end of each span excluded.

    The file has more in it, for people.
    """

    data: list[str]
    until_ns: int
    validate_from_ns: int
    validate_until_ns: int


def write_lesson(folder: Path, plan: Plan, sources: Sources) -> list[Path]:
    """Write what may be learnt from, and return the files; the plan comes last.

    ``train-N.npz`` and ``valid-N.npz`` hold, for each frame: ``end_ns``; ``u (frame, 2n)``, the
    inputs of the graph; ``warm``, whether anything is asked of it; and the fields of
    `squeeze.targets.Targets`, which say in their docstring what they are.
    """
    standards = _standards(sources)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for what, some in (("train", sources.train), ("valid", sources.valid)):
        for number, source in enumerate(some):
            path = folder / f"{what}-{number}.npz"
            buffer = io.BytesIO()
            np.savez_compressed(buffer, allow_pickle=False, **_arrays(source.part, standards))
            write_whole(path, buffer.getvalue())
            written.append(path)
    write_whole(folder / STANDARDS, msgspec.json.encode(standards.to_json()))
    told = msgspec.to_builtins(plan) | {
        "frame_ns": sources.frame_ns,
        "inputs": [*standards.names, *(f"has {name}" for name in standards.names)],
        "raw": {name: {"from": at.start, "to": at.stop, "what": text}
                for name, (at, text) in RAW.items()},
        "onset_edges_min": ONSET_EDGES.tolist(), "peak_edges_min": PEAK_EDGES.tolist(),
        "severity_levels": fc.SEVERITY_LEVELS.tolist(), "phases": list(PHASES),
        "vol_minutes": list(VOL_MINUTES), "hidden": ly.HIDDEN, "ages": ly.AGES,
        "n_raw": ly.N_RAW,
    }  # fmt: skip
    write_whole(folder / PLAN, msgspec.json.format(msgspec.json.encode(told), indent=2))
    return [*written, folder / STANDARDS, folder / PLAN]


def read_plan(folder: Path) -> Plan:
    """Return which data a lesson was made of.

    Raises
    ------
    DataError
        When there is no lesson, or it cannot be read.
    """
    try:
        return msgspec.json.decode((folder / PLAN).read_bytes(), type=Plan)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{folder / PLAN} cannot be read ({reason})",
            "write one: litehedge models lesson --help",
        ) from None


def adopt(
    graph: bytes,
    lesson: Path,
    sources: Sources,
    name: str,
    folder: Path,
    *,
    created: str,
    expires_days: int | None = None,
    seed: int = 0,
    say: Progress = lambda _: None,
) -> Card:
    """Calibrate, score and index a graph on the data of its lesson, and save the artefact.

    Raises
    ------
    ArtefactError
        When the graph has another interface, says other things frame by frame than in a batch, or
        the standards of the lesson cannot be read. Nothing was saved.
    DataError
        When the data are not those that the lesson was made of.
    """
    try:
        kept = Standards.from_json(msgspec.json.decode((lesson / STANDARDS).read_bytes()))
    except (OSError, msgspec.DecodeError) as error:
        raise ArtefactError(f"{lesson / STANDARDS} cannot be read ({error})") from None
    if kept.to_json() != _standards(sources).to_json():
        raise DataError(
            f"the data in the lake are no more those that {lesson} was made of",
            "write the lesson anew, and train on that",
        )
    frame_ns = sources.frame_ns
    say("feeding it made-up frames")
    tried = NetworkForecaster(
        graph, kept, Calibration(), frame_ns=frame_ns, id=name,
        schema_hash=FeatureSchema(frame_ns).hash,
    )  # fmt: skip
    probe(tried, frame_ns)
    return finished(
        graph, kept, sources, name, folder, created=created, expires_days=expires_days,
        parameters={}, seeds=[seed], say=say,
        note="this span calibrated; whether the training saw it, its maker knows",
    )  # fmt: skip


def _standards(sources: Sources) -> Standards:
    return fit_standards([source.part.features for source in sources.train])


def _arrays(part: Part, standards: Standards) -> dict[str, NDArray[Any]]:
    asked = part.targets
    fields = type(asked).__dataclass_fields__
    return {
        "end_ns": part.end_ns,
        "u": standards.write(part.features),
        "warm": part.warm,
        **{name: getattr(asked, name) for name in fields},
    }

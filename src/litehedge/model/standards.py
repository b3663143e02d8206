"""How features become the inputs of the network: chosen, centred, scaled, with masks.

Of a feature row x with n chosen inputs the network sees ``u = [z, m]``, ``(2n,)``:

    z_j = clip((x_j - mean_j) / scale_j, -8, 8), 0 where x_j is missing;  m_j = 1 where it is
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import ArtefactError, UsageError
from litehedge.features import vector as fv
from litehedge.jit import kernel
from litehedge.model.baselines.logistic import CLIP, FAMILY_OF_INPUT, INPUTS, MODEL_FAMILIES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]

SEEN_SHARE: Final = 0.01
"""An input that fewer of the frames have is left out: its scale would be a guess."""
FAMILY_PRESENT_SHARE: Final = 0.5
"""A family that is whole in fewer of the frames is not missed when it is gone."""
AGES_OF: Final = ("age", "feed_age")
N_FAMILIES: Final = len(MODEL_FAMILIES)

_FAMILY_OF_FEATURE: Final = dict(zip(INPUTS, FAMILY_OF_INPUT, strict=True))
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Standards:
    """Which features the network sees, and in which units.

    Shapes: `inputs` ``(n,)``, rising numbers of features; `mean`, `scale` ``(n,)``; `usual_rms`
    ``(1,)``: 99 % quantile of the root mean square of the present inputs in training; `trained`
    ``(family,)``: 1 for the families (`MODEL_FAMILIES`) that most of training had.
    """

    inputs: Ints
    mean: Floats
    scale: Floats
    usual_rms: Floats
    trained: Floats

    def __len__(self) -> int:
        return int(self.inputs.size)

    @property
    def family(self) -> Ints:
        """The family of each input, ``(n,)``."""
        return np.array([_FAMILY_OF_FEATURE[i] for i in self.inputs.tolist()], dtype=np.int64)

    @property
    def missed(self) -> Floats:
        """Return 1 for the families whose loss makes a forecast degraded, ``(family,)``.

        Those that training had, but not the ages of feeds: where one is not known its feed is
        not there, which the feed's own family tells if training had it.
        """
        return self.trained * np.array([float(name not in AGES_OF) for name in MODEL_FAMILIES])

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each input."""
        return tuple(fv.NAMES[i] for i in self.inputs.tolist())

    def write(self, features: Floats) -> Singles:
        """Return the network's inputs of frames, ``(frame, 2n)``."""
        out = np.empty((features.shape[0], 2 * len(self)), dtype=np.float32)
        rms = np.empty(features.shape[0])
        missing = np.empty((features.shape[0], N_FAMILIES))
        write_all_inputs(
            features, self.inputs, self.family, self.mean, self.scale, out, rms, missing
        )
        return out

    def to_json(self) -> dict[str, Any]:
        """Return everything as lists."""
        return {field.name: getattr(self, field.name).tolist() for field in fields(self)}

    @classmethod
    def from_json(cls, tree: Any) -> Standards:
        """Read what `to_json` wrote.

        Raises
        ------
        ArtefactError
            When a part is missing, has another shape or holds what cannot be.
        """
        remedy = "train the model again"
        try:
            numbers = [int(i) for i in tree["inputs"]]
            n = len(numbers)
            shapes = {"mean": (n,), "scale": (n,), "usual_rms": (1,), "trained": (N_FAMILIES,)}
            parts = {name: np.array(tree[name], dtype=np.float64) for name in shapes}
        except (KeyError, ValueError, TypeError) as error:
            raise ArtefactError(f"the standards cannot be read ({error})", remedy) from None
        for name, shape in shapes.items():
            if parts[name].shape != shape or not np.isfinite(parts[name]).all():
                raise ArtefactError(
                    f"the standards' {name} has shape {parts[name].shape} or holds NaN",
                    f"expected finite numbers of shape {shape}; {remedy}",
                )
        if not numbers or sorted(set(numbers)) != numbers or set(numbers) - set(INPUTS):
            raise ArtefactError("the standards name features that a model cannot have", remedy)
        if (parts["scale"] <= 0.0).any() or parts["usual_rms"][0] <= 0.0:
            raise ArtefactError("the standards hold a scale that is not positive", remedy)
        return cls(np.array(numbers, dtype=np.int64), **parts)


@kernel
def write_inputs(
    features: Floats, inputs: Ints, family: Ints, mean: Floats, scale: Floats, out: Singles,
    missing: Floats,
) -> float:  # fmt: skip
    """Write the network's inputs of one frame, and 1 for every family that lacks an input.

    Returns the root mean square of the inputs that are present, infinite where none is.

    Shapes: `features` ``(feature,)``; `out` ``(2n,)``; `missing` ``(family,)``.
    """
    n = inputs.size
    missing[:] = 0.0
    total = 0.0
    present = 0
    for j in range(n):
        x = features[inputs[j]]
        if np.isnan(x):
            out[j] = 0.0
            out[n + j] = 1.0
            missing[family[j]] = 1.0
        else:
            z = min(max((x - mean[j]) / scale[j], -CLIP), CLIP)
            out[j] = z
            out[n + j] = 0.0
            total += z * z
            present += 1
    return np.sqrt(total / present) if present > 0 else np.inf


@kernel
def write_all_inputs(
    features: Floats, inputs: Ints, family: Ints, mean: Floats, scale: Floats, out: Singles,
    rms: Floats, missing: Floats,
) -> None:  # fmt: skip
    """Write the inputs of many frames; as `write_inputs`, with a first axis of frames."""
    for i in range(out.shape[0]):
        rms[i] = write_inputs(features[i], inputs, family, mean, scale, out[i], missing[i])


def fit_standards(samples: Sequence[Floats]) -> Standards:
    """Choose and measure the inputs on feature matrices ``(frame, feature)``.

    Only frames that are warm (`LOG_SIGMA` is known) count. An input is chosen when one in a
    hundred of them has it.

    Raises
    ------
    UsageError
        When no frame is warm.
    """
    warm = [np.isfinite(features[:, fv.LOG_SIGMA]) for features in samples]
    frames = sum(int(w.sum()) for w in warm)
    if frames == 0:
        raise UsageError("no frame is warm", "give data that are longer than a day")
    chosen, mean, scale, share = [], [], [], {}
    for i in INPUTS:  # by column: a copy of everything would double the memory
        column = np.concatenate([f[w, i] for f, w in zip(samples, warm, strict=True)])
        column = column[np.isfinite(column)]
        if column.size < SEEN_SHARE * frames:
            continue
        deviation = float(column.std())
        chosen.append(i)
        mean.append(float(column.mean()))
        scale.append(deviation if deviation > 1e-9 else 1.0)
        share[i] = column.size / frames
    trained = np.zeros(N_FAMILIES)
    for f in range(N_FAMILIES):
        mine = [share[i] for i in chosen if _FAMILY_OF_FEATURE[i] == f]
        trained[f] = float(bool(mine) and min(mine) >= FAMILY_PRESENT_SHARE)
    found = Standards(
        np.array(chosen, dtype=np.int64), np.array(mean), np.array(scale), np.ones(1), trained
    )
    usual = float(np.quantile(_all_rms(found, samples, warm), 0.99))
    return Standards(found.inputs, found.mean, found.scale, np.array([max(usual, 1e-3)]), trained)


def _all_rms(
    standards: Standards, samples: Sequence[Floats], warm: Sequence[NDArray[np.bool_]]
) -> Floats:
    found = []
    for features, is_warm in zip(samples, warm, strict=True):
        for begin in range(0, is_warm.size, _CHUNK):
            at = slice(begin, begin + _CHUNK)
            part = features[at][is_warm[at]]
            out = np.empty((part.shape[0], 2 * len(standards)), dtype=np.float32)
            rms = np.empty(part.shape[0])
            missing = np.empty((part.shape[0], N_FAMILIES))
            write_all_inputs(
                part, standards.inputs, standards.family, standards.mean, standards.scale,
                out, rms, missing,
            )  # fmt: skip
            found.append(rms)
    return np.concatenate(found)

"""What the network remembers of each phase, and when it must forget.

The memory is one record per phase: the end and the number of the frames seen since the start or
the last gap, and the state of every member, twice: one call reads one copy and writes the other.
A frame that is cold, or that does not follow the one before, ends what was learnt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.features.vector import LOG_SIGMA
from litehedge.jit import kernel
from litehedge.model.layout import AGES, HIDDEN
from litehedge.model.standards import write_inputs
from litehedge.squeeze.forecast import Memory

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]
Bools = NDArray[np.bool_]


def memory_type(members: int) -> np.dtype[np.void]:
    """Return the record of one phase.

    ``end_ns`` of the last frame; ``seen``, frames since the start or the last gap, 0 while
    nothing is known; ``slot``, which copy of the state is the present one; ``cells`` ``(2,
    4 * members, 1, D)`` and ``ring`` ``(2, members, AGES, D)``.
    """
    return np.dtype(
        [
            ("end_ns", np.int64),
            ("seen", np.int64),
            ("slot", np.int64),
            ("cells", np.float32, (2, 4 * members, 1, HIDDEN)),
            ("ring", np.float32, (2, members, AGES, HIDDEN)),
        ],
        align=True,
    )


def forget(memory: Memory, phase: int) -> None:
    """Set the state of one phase to zero, as before its first frame."""
    slot = int(memory["slot"][phase])
    memory["cells"][phase, slot] = 0.0
    memory["ring"][phase, slot] = 0.0


@kernel
def take_in(
    features: Floats, phase: int, end_ns: int, frame_ns: int, last_ns: Ints, seen: Ints,
    inputs: Ints, family: Ints, mean: Floats, scale: Floats, out: Singles, missing: Floats,
) -> tuple[float, bool, bool]:  # fmt: skip
    """Take in one frame: count it and write the network's inputs, unless it is cold.

    Returns the root mean square of its inputs, whether it goes to the network, and whether the
    state must be set to zero before.

    Shapes: `last_ns` and `seen` ``(phase,)``; the rest as `write_inputs`.
    """
    follows = end_ns == last_ns[phase] + frame_ns
    had = seen[phase] > 0
    last_ns[phase] = end_ns
    if np.isnan(features[LOG_SIGMA]):
        seen[phase] = 0
        return np.inf, False, had
    resets = had and not follows
    seen[phase] = 1 if resets else seen[phase] + 1
    rms = write_inputs(features, inputs, family, mean, scale, out, missing)
    return rms, True, resets


@kernel
def take_in_all(
    features: Floats, phases: Ints, end_ns: Ints, frame_ns: int, last_ns: Ints, seen: Ints,
    inputs: Ints, family: Ints, mean: Floats, scale: Floats, out: Singles, missing: Floats,
    rms: Floats, fed: Bools, resets: Bools, seen_at: Ints,
) -> None:  # fmt: skip
    """Take in many frames in time order; as `take_in`, with a first axis of frames.

    `seen_at` is what `seen` was after each frame.
    """
    for i in range(end_ns.size):
        rms[i], fed[i], resets[i] = take_in(
            features[i], phases[i], end_ns[i], frame_ns, last_ns, seen, inputs, family, mean,
            scale, out[i], missing[i],
        )  # fmt: skip
        seen_at[i] = seen[phases[i]]

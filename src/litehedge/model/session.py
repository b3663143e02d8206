"""ONNX Runtime, imported only when there is a network to run; and what it may run.

Any graph with the interface of `litehedge.model.graph` is welcome, whoever wrote it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from litehedge.errors import ArtefactError
from litehedge.model.layout import AGES, HIDDEN, N_RAW

OPTIONAL_OUTPUTS = ("trunk", "attention")


def open_session(model: bytes, inputs: int) -> tuple[Any, int, frozenset[str]]:
    """Load a graph for one thread; return session, number of members, optional outputs it has.

    Raises
    ------
    ArtefactError
        When ONNX Runtime is not installed, cannot load the graph, or it has another interface
        than a network with so many inputs.
    """
    try:
        runtime = import_module("onnxruntime")
    except ImportError:
        raise ArtefactError(
            "a network needs onnxruntime", "install it with: pip install onnxruntime"
        ) from None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # errors come as exceptions; nothing is printed
    try:
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no common base
        reason = str(error).splitlines()[0][:200]
        raise ArtefactError(
            f"ONNX Runtime cannot load the network ({reason})", "train the model again"
        ) from None
    has_in = {one.name: (one.type, one.shape) for one in session.get_inputs()}
    has_out = {one.name: (one.type, one.shape) for one in session.get_outputs()}
    shape = has_in.get("ring", ("", [None]))[1]
    members = shape[0] if shape and isinstance(shape[0], int) and shape[0] > 0 else 1
    wanted_in: dict[str, tuple[int | None, ...]] = {
        "u": (None, 2 * inputs),
        "cells": (4 * members, 1, HIDDEN),
        "ring": (members, AGES, HIDDEN),
    }
    wanted_out: dict[str, tuple[int | None, ...]] = {
        "raw": (members, None, N_RAW),
        "cells_out": (4 * members, 1, HIDDEN),
        "ring_out": (members, AGES, HIDDEN),
        "trunk": (members, None, HIDDEN),
        "attention": (members, None, AGES),
    }
    offers = frozenset(OPTIONAL_OUTPUTS) & set(has_out)
    wanted_out = {n: s for n, s in wanted_out.items() if n not in OPTIONAL_OUTPUTS or n in offers}
    wrong = [
        *_mismatches("input", has_in, wanted_in),
        *_mismatches("output", has_out, wanted_out),
        *(f"it wants an input {name}" for name in sorted(set(has_in) - set(wanted_in))),
    ]
    if wrong:
        raise ArtefactError(
            f"the network has another interface: {'; '.join(wrong)}",
            "register a graph as litehedge.model.graph describes it, or train the model again",
        )
    return session, members, offers


def _mismatches(
    what: str, has: dict[str, tuple[str, list[Any]]], wanted: dict[str, tuple[int | None, ...]]
) -> list[str]:
    """Say what lacks or differs; None stands for any number of frames."""
    found = []
    for name, shape in wanted.items():
        if name not in has:
            found.append(f"it lacks the {what} {name}")
            continue
        kind, actual = has[name]
        fits = len(actual) == len(shape) and all(
            not isinstance(a, int) if w is None else a == w
            for a, w in zip(actual, shape, strict=True)
        )
        if kind != "tensor(float)" or not fits:
            text = ", ".join("T" if w is None else str(w) for w in shape)
            found.append(f"{what} {name} is {kind} {actual}, expected float32 ({text})")
    return found

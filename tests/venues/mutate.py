"""Broken messages, made from sound ones by a seed: what a venue's parsers must survive."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, "", "NaN", "Infinity", "-inf", "sNaN", "1e400", "-1", "0", "x", "é" * 40,
    float("nan"), float("inf"), -1, 0, 1.5, 2**63, 2**64, 10**400, -(10**30), 1e308, [], {}, [[]],
    {"e": "aggTrade"}, [[1]], "1e-999999", "1E+999999999", "0x10", "1_0", " 1 ", "\u0661",
    "9" * 5000,
)  # fmt: skip


def mutated(samples: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield `count` broken versions of JSON samples; the same seed yields the same ones."""
    chance = random.Random(seed)
    trees = [json.loads(sample) for sample in samples]
    while count > 0:
        count -= 1
        place = chance.randrange(len(samples))
        if chance.random() < 0.5:
            yield broken_bytes(samples[place], chance)
        else:
            yield broken_tree(trees[place], chance)


def broken_bytes(sample: bytes, chance: random.Random) -> bytes:
    """Flip bits, cut, repeat, insert or splice bytes; rarely nest beyond all measure."""
    data = bytearray(sample)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(data)) if data else 0
        match chance.randrange(8):
            case 0 | 1 if data:
                data[at] ^= 1 << chance.randrange(8)
            case 2:
                del data[at:]
            case 3:
                del data[at : at + chance.randrange(1, 12)]
            case 4:
                data[at:at] = data[at : at + chance.randrange(1, 40)]
            case 5:
                data[at:at] = chance.randbytes(chance.randrange(1, 5))
            case 6:
                data[at : at + 1] = chance.choice((b"NaN", b"1e999", b"-", b'"', b"null", b"\xff"))
            case _ if chance.random() < 0.02:
                data[at:at] = chance.choice((b"[", b'{"a":')) * 3000
    return bytes(data)


def broken_tree(tree: Any, chance: random.Random) -> bytes:
    """Swap a value for an odd one, drop or rename a key, repeat or nest an element."""
    broken = json.loads(json.dumps(tree))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        broken = _change(broken, chance)
    return json.dumps(broken, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def _odd(chance: random.Random) -> Any:
    # A copy: what is changed next must not change what the next message is broken with.
    return copy.deepcopy(chance.choice(ODD))


def _change(tree: Any, chance: random.Random) -> Any:
    if isinstance(tree, dict) and tree:
        key = chance.choice(list(tree))
        if isinstance(tree[key], dict | list) and tree[key] and chance.random() < 0.8:
            tree[key] = _change(tree[key], chance)
            return tree
        match chance.randrange(5):
            case 0:
                del tree[key]
            case 1:
                tree[f"{key}_"] = tree.pop(key)
            case 2:
                tree[key] = copy.deepcopy(tree[chance.choice(list(tree))])
            case _:
                tree[key] = _odd(chance)
        return tree
    if isinstance(tree, list) and tree:
        at = chance.randrange(len(tree))
        if isinstance(tree[at], dict | list) and tree[at] and chance.random() < 0.8:
            tree[at] = _change(tree[at], chance)
            return tree
        match chance.randrange(4):
            case 0:
                del tree[at]
            case 1:
                tree.append(copy.deepcopy(tree[at]))
            case _:
                tree[at] = _odd(chance)
        return tree
    return _odd(chance)

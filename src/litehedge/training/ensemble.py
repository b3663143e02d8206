"""Training the members of an ensemble: one seed, one process, all of them resumable.

The work lies in a folder: ``standards.json``, and per seed ``seed-K.ckpt`` after each epoch and
``seed-K.pt`` when it is done. Whoever is killed goes on from there. Under torchrun every process
takes its share of the seeds on its own GPU and the first one waits for the rest. A worker of a
cluster uses that folder where it sees it, and sends home what it trained.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import platformdirs
import torch

from litehedge.cluster import Cluster
from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.model.baselines.part import Part
from litehedge.model.linear import fit_linear
from litehedge.model.loss import Asked
from litehedge.model.material import Material, family_columns, material
from litehedge.model.mirror import mirror_of
from litehedge.model.network import Network, NetworkConfig
from litehedge.model.standards import Standards, fit_standards
from litehedge.model.train import (
    Epoch,
    Recipe,
    choose_device,
    read_kept,
    save_kept,
    train_member,
)
from litehedge.store.durable import write_whole
from litehedge.training.workers import Workers

POLL_S: Final = 0.5
PRETRAIN_SHARE: Final = 0.5
"""Epochs of pre-training for each epoch of training."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an ensemble learns from, already standardised.

    `before`: worlds to pre-train on. The first `own` of `train` are the market that it is for.
    """

    train: list[Material]
    valid: list[Material]
    before: list[Material]
    standards: Standards
    own: int


@dataclass(frozen=True, slots=True)
class Member:
    """One trained network and how it got there; `epochs` holds pre-training first."""

    seed: int
    network: Network
    score: float
    epochs: list[Epoch]
    pretrained: int


Linear = tuple[torch.Tensor, torch.Tensor]
Told = Callable[[int, Epoch, float], None]
"""Told the seed, its latest epoch and the seconds that this seed has left."""


def lesson_of(
    train: Sequence[tuple[str, Part, float]],
    valid: Sequence[tuple[str, Part]],
    before: Sequence[tuple[str, Part]] = (),
    *,
    own: int | None = None,
) -> Lesson:
    """Standardise parts. Names go with them; the number is a data set's weight in the loss.

    The first `own` of the training parts set the standards, and the linear part is fitted on
    them; the rest are other coins.
    """
    own = len(train) if own is None else own
    standards = fit_standards([part.features for _, part, _ in train[:own]])
    return Lesson(
        [material_of(name, part, standards, weight) for name, part, weight in train],
        [material_of(name, part, standards) for name, part in valid],
        [material_of(name, part, standards) for name, part in before],
        standards,
        own,
    )


def material_of(name: str, part: Part, standards: Standards, weight: float = 1.0) -> Material:
    """Return a part as a network learns from it: values in units of the standards, NaN kept."""
    n = len(standards)
    u = standards.write(part.features)
    z = np.where(u[:, n:] > 0.0, np.float32("nan"), u[:, :n])
    z[np.isnan(part.features[:, fv.LOG_SIGMA])] = np.nan  # cold: nothing is asked, nothing is seen
    return material(
        name, part.end_ns, part.frame_ns, z, part.targets, part.severity_bps,
        part.tasks["squeeze"], [part.tasks["percent"], part.tasks["sigma"]], weight,
    )  # fmt: skip


def train_ensemble(
    lesson: Lesson,
    config: NetworkConfig,
    recipe: Recipe,
    seeds: Sequence[int],
    work: Path,
    *,
    processes: Workers = None,
    told: Told = lambda seed, epoch, left: None,
) -> list[Member]:
    """Train every seed that is not done yet; return all of them.

    Parameters
    ----------
    processes
        How many seeds at once on the CPU; None: one per core. On GPUs seeds follow one another.
        On a cluster every seed is a worker's, on its CPU.

    Raises
    ------
    UsageError
        When a seed's process died; what it had learnt is kept for the next try. Under torchrun
        with a cluster, which does not need it.
    """
    work.mkdir(parents=True, exist_ok=True)
    key = key_of(lesson, config, recipe)
    missing = [seed for seed in seeds if _finished(work, seed, key) is None]
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    mine = missing[rank::world]
    if isinstance(processes, Cluster) and world > 1:
        raise UsageError("torchrun and a cluster both spread seeds", "leave out one of them")
    begin = _linear(lesson, recipe, work, key) if mine else None
    if isinstance(processes, Cluster):
        _on_cluster(processes, lesson, config, recipe, begin, mine, work, key, told)
    elif torch.cuda.is_available() or len(mine) <= 1 or processes == 1:
        for seed in mine:
            _train(lesson, config, recipe, begin, seed, work, key, told)
    else:
        _in_processes(lesson, config, recipe, begin, mine, work, key, processes, told)
    if rank > 0:
        raise SystemExit(0)  # the first process puts the ensemble together
    members = []
    for seed in seeds:
        while (kept := _finished(work, seed, key)) is None:
            if world == 1:
                raise UsageError(
                    f"training of seed {seed} stopped early",
                    f"run the same command again: it goes on from {work}",
                )
            time.sleep(POLL_S)
        network = Network(config)
        network.load_state_dict(kept["network"])
        network.eval()
        members.append(Member(seed, network, kept["score"], kept["epochs"], kept["pretrained"]))
    return members


def _linear(lesson: Lesson, recipe: Recipe, work: Path, key: str) -> Linear:
    """Fit the linear part, the same for every member, or read it."""
    path = work / "linear.pt"
    kept = read_kept(path, key)
    if kept is None:
        weights, biases = fit_linear(lesson.train[: lesson.own], recipe.cost, choose_device())
        kept = {"key": key, "weights": weights.cpu(), "biases": biases.cpu()}
        save_kept(path, kept)
    return kept["weights"], kept["biases"]


def _train(
    lesson: Lesson, config: NetworkConfig, recipe: Recipe, linear: Linear | None, seed: int,
    work: Path, key: str, told: Told,
) -> None:  # fmt: skip
    own = lesson.standards
    families = family_columns(own.inputs.tolist())
    mirror = mirror_of(own.inputs.tolist(), own.mean, own.scale)
    device = choose_device()
    if device.type == "cpu":
        torch.set_num_threads(1)  # small matrices: a second thread waits; the same bits everywhere
    begin: Any = linear
    epochs: list[Epoch] = []
    if lesson.before:
        first = replace(
            recipe,
            epochs=max(1, round(PRETRAIN_SHARE * recipe.epochs)),
            patience=recipe.epochs,
        )
        done = train_member(
            config, first, lesson.before, lesson.valid, families, seed, device=device,
            begin=begin, mirror=mirror,
            checkpoint=work / f"seed-{seed}-before.ckpt", key=key, keeps_best=False,
            watch=lambda epoch, left: told(seed, epoch, left + 2.0 * epoch.seconds * recipe.epochs),
        )  # fmt: skip
        begin, epochs = done.network.state_dict(), done.epochs
    trained = train_member(
        config, recipe, lesson.train, lesson.valid, families, seed, device=device, begin=begin,
        mirror=mirror,
        checkpoint=work / f"seed-{seed}.ckpt", key=key,
        watch=lambda epoch, left: told(seed, epoch, left),
    )  # fmt: skip
    save_kept(work / f"seed-{seed}.pt", {
        "key": key, "score": trained.score, "epochs": epochs + trained.epochs,
        "pretrained": len(epochs), "network": trained.network.cpu().state_dict(),
    })  # fmt: skip


def _finished(work: Path, seed: int, key: str) -> dict[str, Any] | None:
    return read_kept(work / f"seed-{seed}.pt", key)


def key_of(lesson: Lesson, config: NetworkConfig, recipe: Recipe) -> str:
    """Return a hash of everything that a member depends on but its seed."""
    text = msgspec.json.encode(
        [asdict(config), asdict(recipe), lesson.standards.to_json()]
        + [[m.name, m.weight, _hash(m)] for m in (*lesson.train, *lesson.valid, *lesson.before)]
        + [lesson.own, len(lesson.train), len(lesson.valid)]
    )
    return hashlib.sha256(text).hexdigest()


def _hash(one: Material) -> str:
    # The answers too: the same frames with other labels are another lesson.
    digest = hashlib.sha256()
    for name in ("z", "edges", *Asked._fields[:-1]):
        array = np.ascontiguousarray(getattr(one, name))
        digest.update(f"{name} {array.shape}".encode())
        digest.update(array.view(np.uint8).data)
    return digest.hexdigest()


# --- several processes ------------------------------------------------------------------------


def _job(
    lesson: Lesson, config: NetworkConfig, recipe: Recipe, linear: Linear | None, seed: int,
    work: Path, key: str, tell: Any,
) -> None:  # fmt: skip
    parent = multiprocessing.parent_process()

    def watched(seed: int, epoch: Epoch, left: float) -> None:
        if parent is not None and not parent.is_alive():
            raise SystemExit(1)  # nobody waits for this any more; the epoch is on disk
        tell.put((seed, epoch, left))

    try:
        _train(lesson, config, recipe, linear, seed, work, key, watched)
    except Exception as error:
        tell.put(error)


def _in_processes(
    lesson: Lesson, config: NetworkConfig, recipe: Recipe, linear: Linear | None,
    seeds: Sequence[int], work: Path, key: str, processes: int | None, told: Told,
) -> None:  # fmt: skip
    """Train each seed in a process of its own.

    One that is killed does not stop the others, nor does one that fails; its error is raised when
    they are done. (A pool would wait forever for the work of a process that was killed.)
    """
    count = min(processes or os.cpu_count() or 1, len(seeds))
    context = multiprocessing.get_context("spawn")
    waiting = list(seeds)
    running: list[Any] = []
    failed: list[Exception] = []
    with context.Manager() as manager:
        tell = manager.Queue()
        try:
            while waiting or running or not tell.empty():
                while waiting and len(running) < count:
                    seed = waiting.pop(0)
                    arguments = (lesson, config, recipe, linear, seed, work, key, tell)
                    process = context.Process(target=_job, args=arguments, name=f"seed-{seed}")
                    process.start()
                    running.append(process)
                try:
                    news = tell.get(timeout=POLL_S)
                    if isinstance(news, Exception):
                        failed.append(news)
                    else:
                        told(*news)
                except queue.Empty:
                    running = [process for process in running if process.is_alive()]
        finally:
            for process in running:
                process.terminate()
    if failed:
        raise failed[0]


# --- a cluster --------------------------------------------------------------------------------

_taught: dict[str, Any] = {}


def _teach(
    lesson: Lesson, config: NetworkConfig, recipe: Recipe, linear: Linear | None, work: Path,
    key: str,
) -> None:  # fmt: skip
    _taught.update(
        lesson=lesson, config=config, recipe=recipe, linear=linear, work=folder_of(work, key),
        key=key,
    )  # fmt: skip


def folder_of(work: Path, key: str) -> Path:
    """Return the folder of a training as a worker sees it, or one of its own where it does not."""
    if read_kept(work / "linear.pt", key) is not None:
        return work
    own = platformdirs.user_cache_path("litehedge") / "cluster" / key[:16]
    own.mkdir(parents=True, exist_ok=True)
    return own


def _taught_seed(seed: int, tell: Callable[[Any], None]) -> bytes:
    """Train a seed in a worker, on from its last epoch if that is there; return its file."""
    folder: Path = _taught["work"]

    def told(seed: int, epoch: Epoch, left: float) -> None:
        tell((seed, epoch, left))

    if _finished(folder, seed, _taught["key"]) is None:
        _train(**_taught, seed=seed, told=told)
    return (folder / f"seed-{seed}.pt").read_bytes()


def _on_cluster(
    cluster: Cluster, lesson: Lesson, config: NetworkConfig, recipe: Recipe, linear: Linear | None,
    seeds: Sequence[int], work: Path, key: str, told: Told,
) -> None:  # fmt: skip
    """Let workers train seeds; each comes home when it is done, whatever becomes of the others."""
    cluster.each(
        _taught_seed, seeds, "trains a seed", keeps=False,
        begin=_teach, given=(lesson, config, recipe, linear, work.absolute(), key),
        done=lambda at, payload: write_whole(work / f"seed-{seeds[at]}.pt", payload),
        heard=lambda news: told(*news),
    )  # fmt: skip

"""An evaluation as it might come out, without any market behind it."""

from __future__ import annotations

import numpy as np

from litehedge.model.artefact import Score
from litehedge.model.measures.result import (
    Ablation,
    AlarmPoint,
    Crisis,
    Difference,
    Evaluation,
    OracleShare,
    ReliabilityBin,
    Skill,
    Stratum,
)
from litehedge.model.measures.trial import HORIZONS_MIN

NAMES = ("network", "lightgbm", "logistic", "volatility")
SIDES = ("long", "short")


def around(value: float, half: float) -> Score:
    return Score(value, value - half, value + half)


def skill_of(name: str, task: str, side: str, seed: int) -> Skill:
    rng = np.random.default_rng(seed)
    good = 0.85 - 0.03 * NAMES.index(name)
    scores = {}
    for i, h in enumerate(HORIZONS_MIN):
        scores[f"auc_{h}"] = around(good - 0.02 * i, 0.02)
        scores[f"ap_{h}"] = around(0.1 + 0.05 * i, 0.02)
        scores[f"ap_lift_{h}"] = around(10.0 - i, 1.0)
        scores[f"base_rate_{h}"] = around(0.01 * (i + 1), 0.002)
        scores[f"brier_skill_{h}"] = around(0.06 - 0.01 * i, 0.02)
    for h in (15, 30, 60):
        scores[f"slope_{h}"] = around(1.02, 0.1)
        scores[f"intercept_{h}"] = around(0.05, 0.2)
        scores[f"ece_{h}"] = around(0.004, 0.002)
    scores["concordance"] = around(good - 0.05, 0.02)
    scores |= {"recall": around(0.4, 0.08), "false_per_day": around(0.97, 0.2)}
    scores["lead_min"] = around(18.0, 4.0)
    if task != "squeeze":
        scores["log_loss"] = around(1.5, 0.1)
    foretold = np.sort(rng.uniform(0.001, 0.12, 10))
    bins = [
        ReliabilityBin(7_500, float(p), around(float(p) * rng.uniform(0.7, 1.3), 0.003))
        for p in foretold
    ]
    alarms = [
        AlarmPoint(float(t), float(12 * (1 - t) ** 3), float(1 - t**2), 20.0 if t < 0.95 else None)
        for t in np.linspace(0.99, 0.01, 30)
    ]
    return Skill(name, task, side, 75_000, 12, 130, scores, bins, alarms)


def evaluation() -> Evaluation:
    skills, differences, strata = [], [], []
    for i, name in enumerate(NAMES):
        for task in ("squeeze", "percent", "sigma"):
            skills += [skill_of(name, task, side, i) for side in SIDES]
            both = {"log_loss": around(2.25 + 0.01 * i, 0.05)}
            skills.append(Skill(name, task, "both", 75_000, 12, 260, both))
        for side in SIDES:
            peak = {"error_min": around(9.5, 2.0), "error_share": around(0.31, 0.05),
                    "coverage": around(0.79, 0.04), "width_min": around(33.0, 3.0)}  # fmt: skip
            worst = {"pinball": around(0.12, 0.01), "pinball_gain": around(0.07, 0.03),
                     "coverage": around(0.77, 0.05), "below_q95": around(0.94, 0.02)}  # fmt: skip
            skills.append(Skill(name, "peak", side, 1_900, 0, 128, peak))
            skills.append(Skill(name, "severity", side, 780, 3, 130, worst))
    for than in ("logistic", "lightgbm"):
        for side in SIDES:
            gap = {"auc_30": around(0.03, 0.01), "ap_30": around(-0.01, 0.004)}
            gap |= {"brier_skill_30": around(0.0, 0.01)}
            differences.append(Difference("network", than, "squeeze", side, gap))
        gain = {"log_loss_gain": around(0.032, 0.01)}
        differences.append(Difference("network", than, "squeeze", "both", gain))
    for i, name in enumerate(("calm, falling", "wild, rising", "longs pay", "00-08 UTC")):
        scores = {"auc_30": around(0.8 - 0.04 * i, 0.04), "brier_skill_30": around(0.03, 0.02)}
        strata += [
            Stratum(name, "network", "squeeze", side, 9_000, 25 + i, scores) for side in SIDES
        ]
    ablations = [
        Ablation(name, "squeeze", side, measure, around(-0.004 * (i + 1), 0.003))
        for measure in ("auc_30", "log_loss")
        for i, name in enumerate(("volatility family", "no attention", "no pre-training"))
        for side in SIDES
    ]
    crises = [
        Crisis("FTX", "2022-11-06", "2022-11-14", "network", "squeeze", "long", 9,
               {"auc_30": around(0.77, 0.1)}),
    ]  # fmt: skip
    oracle = [OracleShare("network", "long", "brier_skill_30", around(0.34, 0.05))]
    meta = {"test": "2024-07-01 .. 2025-04-30", "data": "LTCUSDT <5m> & more", "seeds": "5"}
    return Evaluation(
        "network", list(NAMES), meta, skills, differences, strata, ablations, crises, oracle
    )

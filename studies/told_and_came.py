"""Counts how often what the shipped models foretold came, on history that none of them saw.

    python -m studies.told_and_came ltc-5m-logistic --data ltc_spot_5m --since 2024-07-01

A model's span of training and calibration is refused. The counts go beside its card.
"""

from __future__ import annotations

import argparse

import numpy as np

from litehedge.model import artefact
from litehedge.model.reliability import Promise, Reliability, promises, save
from litehedge.shelf.home import home
from litehedge.shelf.models import find_model
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.labels import SIDES
from litehedge.store.lake import Lake
from litehedge.tape import per_frame_of
from litehedge.training.samples import prepare
from litehedge.units import instant_ns

HORIZON_MIN = 60.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("model")
    arguments.add_argument("--data", required=True)
    arguments.add_argument("--since", required=True)
    arguments.add_argument("--until", default="2100-01-01")
    asked = arguments.parse_args()
    folder = find_model(asked.model)
    lake = Lake(home() / "lake")
    dataset = lake.bars(asked.data)
    frame_ns = dataset.interval_ns * per_frame_of(dataset.interval_ns)
    loaded = artefact.load(folder, frame_ns)
    since_ns, until_ns = instant_ns(asked.since), instant_ns(asked.until)
    for span in (*loaded.card.trained_on, *loaded.card.validated_on):
        known = not span.is_simulated and instant_ns(span.end) > since_ns
        if known and instant_ns(span.start) < until_ns:
            raise SystemExit(f"{asked.model} knows {span.data} up to {span.end}")
    found = prepare(lake, dataset, since_ns, until_ns, print)
    if found is None:
        raise SystemExit("there is nothing in that span")
    t, ends = found.sample.targets, found.frames.end_ns
    rows = fc.from_scratch(loaded.forecaster, ends, found.sample.features)
    sides: dict[str, list[Promise]] = {}
    for s, side in enumerate(SIDES):
        said = np.array([fc.Forecast.of_row(0, r).onset_probability(side, HORIZON_MIN)
                         for r in rows])  # fmt: skip
        came = t.has_onset[:, s] & (t.to_onset_min[:, s] <= HORIZON_MIN)
        known = came | (t.to_onset_min[:, s] >= HORIZON_MIN)
        asked_of = t.at_risk[:, s] & known & np.isfinite(said)
        sides[side] = promises(said[asked_of], came[asked_of], t.event[asked_of, s])
        for p in sides[side]:
            print(f"{side}: said {p.foretold:.3f}, came {p.came:.3f} of {p.frames}, "
                  f"{p.events} squeezes")  # fmt: skip
    save(folder, Reliability(loaded.id, HORIZON_MIN, [found.span()], sides))


if __name__ == "__main__":
    main()

"""Fit the leverage advice and the table of past weeks: ``python -m studies.fit_advice``.

A position is opened every hour of the data up to 2023-12-31. For each horizon the exponents of
forecast and slow volatility, and what doubt adds, are those of a quantile regression of the log
excursion (pinball loss at the upper 20, 10 and 5 %, both sides together, by search on a grid). The
distribution of excursion by deviation is then counted; beyond one in twenty a generalised Pareto
tail takes over, its scale per side and horizon, its shape shared (probability-weighted moments,
Hosking and Wallis 1987).

Writes ``src/litehedge/hedge/excursions.py`` and the share of past starts, by decile of the
deviation, that a move of a given size would have ended (``hedge/tables/past-LTCUSDT.json``). Needs
the history in the lake: ``litehedge data import``.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from litehedge.shelf.home import home
from litehedge.shelf.models import choose_model
from litehedge.store.lake import Lake
from litehedge.tape import build_tape, check_range
from litehedge.units import NS_PER_DAY, instant_ns, iso_utc
from studies.excursions import Starts, starts_of

Floats = NDArray[np.float64]

DATA = "ltc_spot_5m"
MODEL = "ltc-5m-logistic"
LAST = "2024-01-01"
HORIZONS_DAYS = (1.0, 3.0, 7.0, 14.0, 30.0)
BODY = (0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.07, 0.05)
TAIL = (0.035, 0.02, 0.014, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0001)
PROMISED = (0.01, 0.02, 0.05, 0.1)
REGRESSED = (0.2, 0.1, 0.05)
EXPONENTS = np.round(np.linspace(0.0, 1.0, 21), 2)
DOUBTS = (0.0, 0.25, 0.5, 1.0)
LEAST_SHAPE = 0.1  # three years of overlapping starts bound a tail by one or two crashes
DECILES = 10
MOVES = (0.007, 0.01, 0.014, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.125, 0.15, 0.175,
         0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0, 1.4)  # fmt: skip
PACKAGE = Path(__file__).parents[1] / "src" / "litehedge" / "hedge"


def pinball(values: Floats, level: float) -> float:
    """Return the mean pinball loss around the best constant, exceeded with probability `level`."""
    off = values - np.quantile(values, 1.0 - level)
    return float(np.mean(np.where(off > 0.0, (1.0 - level) * off, -level * off)))


def loss(starts: Starts, a: float, b: float, doubt: float) -> float:
    """Return how badly exponents and doubt explain large excursions, both sides together."""
    unit = a * np.log(starts.now) + b * np.log(starts.slow)
    unit += np.log1p(doubt * (1.0 - starts.confidence))
    rest = np.log(np.maximum(starts.moves, 1e-6)) - unit
    return sum(pinball(side, p) / (p * (1.0 - p)) for side in rest for p in REGRESSED)


def fit_weights(starts: Starts, doubt: float) -> tuple[float, tuple[float, float]]:
    """Return the least loss and its exponents; coarse first, then around the best."""
    thin = starts.picked(np.arange(starts.now.size) % 3 == 0)
    coarse = min((loss(thin, a, b, doubt), a, b) for a, b in product(EXPONENTS[::4], repeat=2))
    near = [
        (a, b)
        for a, b in product(EXPONENTS, repeat=2)
        if abs(a - coarse[1]) < 0.16 and abs(b - coarse[2]) < 0.16
    ]
    best = min((loss(thin, a, b, doubt), a, b) for a, b in near)
    return best[0], (float(best[1]), float(best[2]))


def scaled(starts: Starts, weights: tuple[float, float], doubt: float) -> Floats:
    """Return excursions in units of their deviation, ``(side, start)``."""
    unit = starts.now ** weights[0] * starts.slow ** weights[1]
    return np.asarray(starts.moves / (unit * (1.0 + doubt * (1.0 - starts.confidence))))


def pareto_shape(excess: Floats) -> float:
    """Return the shape of a generalised Pareto distribution by probability-weighted moments."""
    ordered = np.sort(excess)
    rank = (np.arange(1, ordered.size + 1) - 0.35) / ordered.size
    first, second = ordered.mean(), (ordered * (1.0 - rank)).mean()
    return float(2.0 - first / (first - 2.0 * second))


def quantiles_of(z: Floats, shape: float) -> Floats:
    """Return the quantiles at `BODY` as counted and at `TAIL` from the Pareto tail."""
    body = np.quantile(z, 1.0 - np.array(BODY))
    excess = z[z > body[-1]] - body[-1]
    scale = excess.mean() * (1.0 - shape)
    growth = BODY[-1] / np.array(TAIL)
    more = np.log(growth) if shape < 1e-6 else (growth**shape - 1.0) / shape
    return np.concatenate((body, body[-1] + scale * more))


def fit(by_horizon: list[Starts]) -> dict[str, Any]:
    """Return exponents, doubt, shape and quantiles of the excursions of every horizon."""
    tried = []
    for doubt in DOUBTS:
        found = [fit_weights(starts, doubt) for starts in by_horizon]
        tried.append((sum(one[0] for one in found), doubt, [one[1] for one in found]))
    _, doubt, weights = min(tried)
    z = [scaled(s, w, doubt) for s, w in zip(by_horizon, weights, strict=True)]
    shapes = [
        pareto_shape(side[side > cut] - cut)
        for one in z
        for side in one
        for cut in [np.quantile(side, 1.0 - BODY[-1])]
    ]
    shape = float(np.clip(np.mean(shapes), LEAST_SHAPE, 0.5))
    return {
        "weights": weights,
        "doubt": doubt,
        "shape": shape,
        "quantiles": [[quantiles_of(one[side], shape) for one in z] for side in range(2)],
        "losses": {d: total for total, d, _ in tried},
    }


def held_out(by_horizon: list[Starts]) -> Table:
    """Return what share of each year went beyond quantiles that were fitted on the other years.

    Starts whose horizon reaches into the year are left out of the fit.
    """
    title = f"beyond the quantiles of {', '.join(f'{p:.0%}' for p in PROMISED)}, other years fitted"
    table = Table("year", "side", *(f"{days:g} d" for days in HORIZONS_DAYS), title=title)
    year_of = [np.array([iso_utc(t)[:4] for t in s.opens_ns.tolist()]) for s in by_horizon]
    totals = np.zeros((2, len(HORIZONS_DAYS), len(PROMISED)))
    for year in np.unique(year_of[0]).tolist():
        begin, end = instant_ns(f"{year}-01-01"), instant_ns(f"{int(year) + 1}-01-01")
        rest = [
            s.picked((s.opens_ns + int(days * NS_PER_DAY) < begin) | (s.opens_ns >= end))
            for s, days in zip(by_horizon, HORIZONS_DAYS, strict=True)
        ]
        fitted = fit(rest)
        for side in range(2):
            cells = []
            for h, starts in enumerate(by_horizon):
                own = starts.picked(year_of[h] == year)
                z = scaled(own, fitted["weights"][h], fitted["doubt"])[side]
                cuts = np.exp(
                    np.interp(
                        np.log(PROMISED), np.log([*BODY, *TAIL])[::-1],
                        np.log(fitted["quantiles"][side][h])[::-1],
                    )
                )  # fmt: skip
                beyond = np.array([(z > cut).sum() for cut in cuts])
                totals[side, h] += beyond / starts.now.size
                cells.append(_shares(beyond / max(1, own.now.size)))
            table.add_row(year, ("long", "short")[side], *cells)
    for side in range(2):
        table.add_row("all", ("long", "short")[side], *(_shares(one) for one in totals[side]))
    return table


def _shares(shares: Floats) -> str:
    return " ".join(f"{100 * share:.1f}" for share in shares)


# --- what is written --------------------------------------------------------------------------


def past(by_horizon: list[Starts], fitted: dict[str, Any], told: str) -> dict[str, Any]:
    """Return the share of starts, per side, horizon and decile, that each move would have ended."""
    edges, shares = [], np.empty((2, len(by_horizon), DECILES, len(MOVES)))
    for h, (starts, weights) in enumerate(zip(by_horizon, fitted["weights"], strict=True)):
        doubt = 1.0 + fitted["doubt"] * (1.0 - starts.confidence)
        unit = starts.now ** weights[0] * starts.slow ** weights[1] * doubt
        cuts = np.quantile(unit, np.linspace(0.0, 1.0, DECILES + 1)[1:-1])
        edges.append([float(f"{cut:.6g}") for cut in cuts])
        decile = np.searchsorted(cuts, unit, side="right")
        for d, side in product(range(DECILES), range(2)):
            worst = starts.moves[side, decile == d]
            shares[side, h, d] = [(worst >= move).mean() for move in MOVES]
    return {
        "source": told,
        "weeks": len(np.unique(by_horizon[0].opens_ns // (7 * NS_PER_DAY))),
        "horizons_days": HORIZONS_DAYS,
        "moves": MOVES,
        "edges": edges,
        "shares": np.round(shares, 3).tolist(),
    }


def module(fitted: dict[str, Any], told: str) -> str:
    """Return the source of ``hedge/excursions.py``."""

    def rows(values: Floats, indent: str) -> str:
        text = [f"{v:.5g}" for v in values]
        lines = [", ".join(text[i : i + 8]) for i in range(0, len(text), 8)]
        return "".join(f"{indent}{line},\n" for line in lines)

    sides = ""
    for side in range(2):
        tables = "".join(f"        (\n{rows(q, ' ' * 12)}        ),\n"
                         for q in fitted["quantiles"][side])  # fmt: skip
        sides += f"    (\n{tables}    ),\n"
    weights = "".join(f"    ({a:g}, {b:g}),\n" for a, b in fitted["weights"])
    return f'''"""The distribution of adverse excursions, for `leverage`.

Written by ``python -m studies.fit_advice``; do not edit.
{told}
The generalised Pareto tail has the shape {fitted["shape"]:.3f}.
"""

from __future__ import annotations

from typing import Final

HORIZONS_DAYS: Final = ({", ".join(f"{h:g}.0" for h in HORIZONS_DAYS)})

# Exponents of forecast and slow volatility, per horizon
WEIGHTS: Final = (
{weights})

# What a forecast without confidence adds to the deviation, as a share
DOUBT: Final = {fitted["doubt"]}

# Probabilities of exceedance
# fmt: off
LEVELS: Final = (
{rows(np.array([*BODY, *TAIL]), " " * 4)})

# Excursions in deviations that are exceeded with these probabilities: long and short positions, by
# horizon
QUANTILES: Final = (
{sides})
# fmt: on
'''


def main() -> None:
    """Fit, and write both tables."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    options.add_argument(
        "--held-out", action="store_true", help="write nothing: judge each year by the others"
    )
    given = options.parse_args()
    console = Console(width=130)
    lake = Lake(home() / "lake")
    dataset = lake.dataset(DATA)
    model = choose_model(MODEL, dataset.interval_ns)
    with console.status("signals …"):
        span = check_range(dataset, None, instant_ns(LAST))
        tape = build_tape(lake, dataset, model.forecaster, *span)
    by_horizon = [starts_of(tape, days) for days in HORIZONS_DAYS]
    if given.held_out:
        console.print(held_out(by_horizon))
        return
    write(by_horizon, console)


def write(by_horizon: list[Starts], console: Console) -> None:
    """Fit to the starts, write both tables, print what was chosen."""
    fitted = fit(by_horizon)
    told = f"From {DATA} before {LAST}, {by_horizon[2].now.size:,} starts, model {MODEL}."
    (PACKAGE / "excursions.py").write_text(module(fitted, told), encoding="utf-8")
    folder = PACKAGE / "tables"
    folder.mkdir(exist_ok=True)
    payload = msgspec.json.encode(past(by_horizon, fitted, told))
    (folder / "past-LTCUSDT.json").write_bytes(payload + b"\n")
    console.print(f"exponents {fitted['weights']}, doubt {fitted['doubt']} of {fitted['losses']}")
    console.print(f"tail shape {fitted['shape']:.3f}")


if __name__ == "__main__":
    main()

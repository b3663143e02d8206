"""The tables of a contest as words: one set for terminal, page and Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from litehedge.report.contest.judge import Cell, Contest, ContestRow
from litehedge.report.contest.overfitting import Overfitting
from litehedge.report.contest.paired import MEASURES, Gap, PairRow
from litehedge.report.contest.strata import worst_of
from litehedge.report.style import UNKNOWN, counted, number, percent

STATIC_PREFIX: Final = "static-"
SHARED_NOTE: Final = (
    "Held against the margin-aware volatility rule at the policy's own average hedge: the rule is "
    "traced over its entry volatility and distance, and between its members lie their mixtures. "
    "Each figure is that of the rule's best mixture for it, the most favourable to the rule; in "
    "brackets that of the one mixture with the fewest liquidations. n/a: the rule never hedges "
    "like that."
)
BAD_TIMES_NOTE: Final = (
    "Fall: the largest fall of equity from its peak, mean and 95 % quantile of episodes. Worst "
    "month: the worst sum of returns over 30 days of episodes right after another, in wallets. "
    "Saved: share of the loss avoided in the worst 5 % of episodes, and of days, of the position "
    "without hedge. Together: correlation of the profits of hedge and position, bar by bar, in "
    "squeezes against the position and outside. At equal mean: what of the least liquidated "
    "static hedge with no lower mean is liquidated. Oracle: share of what the timing oracle gains "
    "over the best static hedge, all within the policy's own CVaR; n/a where the oracle breaks "
    "that budget or gains nothing."
)


class Table(NamedTuple):
    """A table as text; `words` of its first columns are words, the others numbers."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    note: str = ""


def title_of(cell: Cell) -> str:
    """Say side, leverage and length of a cell's episodes."""
    c = cell.comparison
    days = cell.rows[0]["episode_days"]
    return (
        f"{c.side} {c.leverage:g}x, {cell.rows[0]['episodes']:,} episodes of {counted_days(days)}"
    )


def bad_times(cell: Cell) -> Table:
    """Return what every policy did in bad times, and how its cost splits."""
    heads = (
        "policy", "fall", "95 %", "worst month", "saved", "days", "together", "calm",
        "at equal mean", "oracle", "fees", "slippage", "funding", "clearance",
    )  # fmt: skip
    rows = [
        [
            r["policy"], percent(r["drawdown_mean"]), percent(r["drawdown_q95"]),
            number(r["worst_month"], 2, signed=True), percent(r["effectiveness"], 0),
            percent(r["effectiveness_days"], 0), number(r["corr_squeeze"], 2, signed=True),
            number(r["corr_calm"], 2, signed=True),
            percent(r["static_liquidation_rate_at_mean"], 1), percent(r["oracle_share"], 0),
            percent(r["cost_fees"] - r["cost_clearance"], 2), percent(r["cost_slippage"], 2),
            percent(r["cost_funding"], 2), percent(r["cost_clearance"], 2),
        ]
        for r in cell.rows
    ]  # fmt: skip
    return Table(f"{title_of(cell)}: in bad times", heads, rows, 1, BAD_TIMES_NOTE)


def against_rule(contest: Contest) -> Table:
    """Return every policy against the rule at its own average hedge, in all cells."""
    heads = (
        "policy", "side", "leverage", "days", "hedge", "liquidated", "rule", "mean", "rule",
        "CVaR 5%", "rule", "fall", "rule", "half, no worse",
    )  # fmt: skip
    rows = [
        [
            c["policy"], c["side"], f"{c['leverage']:g}x", f"{c['episode_days']:g}",
            percent(c["avg_hedge"]),
            percent(c["liquidation_rate"], 2), percent(c["family_liquidation_rate"], 2),
            percent(c["mean_return"], 2, signed=True),
            _with_mixture(c["family_mean_return"], c["mixture_mean_return"], 2),
            percent(c["cvar5"]), _with_mixture(c["family_cvar5"], c["mixture_cvar5"], 1),
            percent(c["drawdown_mean"]), percent(c["family_drawdown_mean"]), said(c),
        ]
        for cell in contest.cells
        for c in cell.contests
        if is_judged(c["policy"])
    ]  # fmt: skip
    return Table("against the margin-aware volatility rule", heads, rows, 2, SHARED_NOTE)


def is_judged(policy: str) -> bool:
    """Whether a policy is told in short tables: static hedges and none are what others face."""
    return policy != "unhedged" and not policy.startswith(STATIC_PREFIX)


def _with_mixture(best: float, mixture: float, digits: int) -> str:
    if not math.isfinite(best):
        return UNKNOWN
    return f"{percent(best, digits, signed=True)} ({percent(mixture, digits, signed=True)})"


def said(c: ContestRow) -> str:
    """Say whether a policy has at most half of the rule's liquidations, mean and CVaR no worse."""
    if not math.isfinite(c["family_liquidation_rate"]):
        return UNKNOWN
    if c["halves"]:
        return "yes"
    return "yes (mixture)" if c["halves_mixture"] else "no"


def differences(cell: Cell, chosen: str) -> Table:
    """Return the chosen policy less every other, in the same draws."""
    heads = ("policy", "liquidated", "mean", "CVaR 5%", "cost")
    rows = [
        [f"{chosen} less {other}", *(_gap(found[measure], sign) for measure in MEASURES)]
        for found, other, sign in _of(cell.pairs, chosen)
    ]
    note = (
        "Paired: the same blocks of days are drawn for both; in brackets the 90 % interval. A star "
        "marks what leaves 0 out."
    )
    return Table(f"{title_of(cell)}: differences", heads, rows, 1, note)


def _of(pairs: Iterable[PairRow], chosen: str) -> Iterable[tuple[PairRow, str, float]]:
    for pair in pairs:
        if pair["policy"] == chosen:
            yield pair, pair["than"], 1.0
        elif pair["than"] == chosen:
            yield pair, pair["policy"], -1.0


def _gap(found: Gap, sign: float) -> str:
    low, high = sorted((sign * found.low, sign * found.high))
    value = percent(sign * found.value, 2, signed=True)
    if not math.isfinite(low):
        return value
    star = "*" if found.is_clear else ""
    return f"{value}{star} ({percent(low, 2, signed=True)} .. {percent(high, 2, signed=True)})"


def crises(contest: Contest, chosen: str) -> Table:
    """Return what became of positions opened before each crisis, without hedge and with."""
    heads = ("crisis", "opened", *(h for cell in _unique(contest) for h in (_place(cell),)))
    rows = []
    for name in contest.crises:
        for days in sorted({c["days_before"] for cell in contest.cells for c in cell.crises}):
            cells = []
            for cell in _unique(contest):
                fates = [
                    _fate(cell, name, days, policy)
                    for policy in dict.fromkeys(("unhedged", chosen))
                ]
                cells.append(" / ".join(fates))
            if any(part != UNKNOWN for one in cells for part in one.split(" / ")):
                rows.append([name, f"{counted(days, 'day')} before", *cells])
    note = (
        f"Return of the position without hedge / with {chosen}, in per cent of the wallet, until "
        "the end of the crisis (of a squeeze: a day after it). ✕: the venue closed a part of it "
        "or all."
    )
    return Table("crises, one by one", heads, rows, 2, note)


def _unique(contest: Contest) -> list[Cell]:
    """Return a cell per side and leverage: crises do not hang on the length of episodes."""
    found = {(c.comparison.side, c.comparison.leverage): c for c in reversed(contest.cells)}
    return list(reversed(found.values()))


def _place(cell: Cell) -> str:
    return f"{cell.comparison.side} {cell.comparison.leverage:g}x"


def _fate(cell: Cell, name: str, days: int, policy: str) -> str:
    for c in cell.crises:
        if (c["crisis"], c["days_before"], c["policy"]) == (name, days, policy):
            return percent(c["gain"], 0, signed=True) + ("✕" if c["liquidated"] else "")
    return UNKNOWN


def strata(cell: Cell, chosen: str) -> Table:
    """Return the chosen policy in every kind of market, beside the position without hedge."""
    heads = ("kind of market", "episodes", "liquidated", "unhedged", "mean", "unhedged", "CVaR 5%",
             "unhedged", "hedge")  # fmt: skip
    naked = {s["stratum"]: s for s in cell.strata if s["policy"] == "unhedged"}
    worst = worst_of(cell.strata, chosen)
    rows = []
    for s in cell.strata:
        if s["policy"] != chosen:
            continue
        other = naked.get(s["stratum"])
        mark = " (worst)" if worst is not None and s["stratum"] == worst["stratum"] else ""
        rows.append(
            [
                s["stratum"] + mark, f"{s['episodes']:,}", percent(s["liquidation_rate"], 2),
                UNKNOWN if other is None else percent(other["liquidation_rate"]),
                percent(s["mean_return"], 2, signed=True),
                UNKNOWN if other is None else percent(other["mean_return"], 2, signed=True),
                percent(s["cvar5"]),
                UNKNOWN if other is None else percent(other["cvar5"]),
                percent(s["avg_hedge"]),
            ]
        )  # fmt: skip
    note = "By what was known when the episode began; terciles of slow volatility in this span."
    return Table(f"{title_of(cell)}: {chosen} by kind of market", heads, rows, 1, note)


def overfitting(contest: Contest) -> Table | None:
    """Return Sharpe ratios, plain and deflated, and what was counted; None without weeks."""
    v = contest.overfitting
    if v is None:
        return None
    rows = [
        [name, number(ratio, 3, signed=True), number(v.deflated[name], 3)]
        for name, ratio in v.sharpes.items()
    ]
    parts = [f"{v.trials:,} trials were counted."]
    if v.tried is not None:
        parts.append(f"Those made before: {_pbo(v.tried)}")
    parts.append(f"The policies of this comparison: {_pbo(v.compared)}")
    parts.append(
        "Sharpe ratio of an episode's return, the mean over all sides and leverages, of episodes "
        "right after another; deflated: the probability that it is more than the luck of the best "
        "of all trials. The policies were not chosen by it (they are the ones that hedge least "
        "among those that are safe)."
    )
    days = contest.cells[0].rows[0]["episode_days"]
    heads = ("policy", f"Sharpe of {counted_days(days)}", "deflated")
    return Table("how much may be luck", heads, rows, 1, " ".join(parts))


def counted_days(days: float) -> str:
    """Write ``7 days``."""
    return "1 day" if days == 1.0 else f"{days:g} days"


def _pbo(found: Overfitting) -> str:
    if not math.isfinite(found.pbo):
        return (
            f"too few for a probability of overfitting ({found.trials} in {found.weeks} episodes)."
        )
    return (
        f"probability of overfitting {number(found.pbo, 2)} ({found.trials} trials, {found.weeks} "
        f"episodes in {found.stretches} stretches, {found.ways:,} ways to halve them)."
    )


def tables(contest: Contest, chosen: str) -> list[Table]:
    """Return all tables that have rows, in the order in which they are told."""
    found = [against_rule(contest)]
    found += [bad_times(cell) for cell in contest.cells]
    found += [differences(cell, chosen) for cell in contest.cells]
    found += [strata(cell, chosen) for cell in contest.cells]
    found.append(crises(contest, chosen))
    luck = overfitting(contest)
    return [one for one in (*found, *(() if luck is None else (luck,))) if one.rows]


# --- for the docs -----------------------------------------------------------------------------


def main_table(cell: Cell) -> Table:
    """Return the comparison itself, as the terminal has it, for Markdown."""
    heads = ("policy", "liquidated", "static", "mean", "static", "CVaR 5%", "static", "worst",
             "cost", "hedge", "trades")  # fmt: skip
    rows = [
        [
            r["policy"],
            percent(r["liquidation_rate"], 2)
            + ("" if math.isnan(i.liquidation_rate.low) else
               f" ({percent(i.liquidation_rate.low)} .. {percent(i.liquidation_rate.high)})"),
            percent(r["static_liquidation_rate"], 2),
            percent(r["mean_return"], 2, signed=True),
            percent(r["static_mean_return"], 2, signed=True),
            percent(r["cvar5"]), percent(r["static_cvar5"]), percent(r["worst"]),
            percent(r["cost_fees"] + r["cost_slippage"] + r["cost_funding"], 2),
            percent(r["avg_hedge"]), number(r["trades"]),
        ]
        for r, i in zip(cell.rows, cell.comparison.intervals, strict=True)
    ]  # fmt: skip
    note = (
        "static: the same average hedge held all the time, at no cost. In brackets 90 % intervals."
    )
    return Table(title_of(cell), heads, rows, 1, note)


def markdown(contest: Contest, chosen: str) -> str:
    """Return all tables as Markdown; what holds for several tables is said once."""
    seen: set[str] = set()
    parts = [f"{name}: {value}" for name, value in contest.about.items()]
    text = ["  \n".join(parts)] if parts else []
    for one in (*map(main_table, contest.cells), *tables(contest, chosen)):
        text.append(f"**{one.title}**\n\n{markdown_table(one)}")
        if one.note and one.note not in seen:
            text.append(one.note)
            seen.add(one.note)
    return "\n\n".join(text) + "\n"


def markdown_table(one: Table) -> str:
    """Return a table as Markdown, numbers flush right."""
    rule = ["---" if i < one.words else "---:" for i in range(len(one.heads))]
    return "\n".join(_line(cells) for cells in (one.heads, rule, *one.rows))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

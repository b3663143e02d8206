"""The lower part of the tear-sheet: comparison, squeezes, decisions, assumptions, model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from litehedge.effects import Decision
from litehedge.hedge.band import Action
from litehedge.market import events as ev
from litehedge.model.artefact import Card, Score, Span
from litehedge.report.axes import Option
from litehedge.report.calls import Call, SqueezeCall
from litehedge.report.contest.figures import days_of
from litehedge.report.markup import (
    Column,
    Row,
    Safe,
    Text,
    card,
    chart,
    element,
    fold,
    join,
    table,
    two_lines,
)
from litehedge.report.metrics import Comparison, ComparisonInterval, ComparisonRow
from litehedge.report.sections import between
from litehedge.report.sheet import RunsView, TearSheet
from litehedge.report.style import counted, number, percent, usdt
from litehedge.report.summary_charts import MEASURES, ORACLE, frontier_chart
from litehedge.units import NS_PER_MINUTE, describe_ns, iso_utc

MOST_DECISIONS: Final = 2000
MOST_SQUEEZES: Final = 1000


# --- comparison -------------------------------------------------------------------------------

_COMPARED: Final = (
    Column("Policy", is_number=False, is_prose=True),
    *map(Column, (
        "Liquidated", "Static, same hedge", "Mean return", "Static, same hedge", "Worst 5%",
        "Worst", "Average hedge", "Trades", "Turnover", "Fees", "Slippage", "Funding",
    )),
)  # fmt: skip


def comparison_card(
    comparison: Comparison, chosen: str, place: int, lines: Sequence[Option] = ()
) -> Safe:
    """Return the table of all policies and the two frontiers of one side and leverage.

    `lines` are families of policies, for the frontier of liquidation rates.
    """
    rows = [
        _compared(row, interval, chosen)
        for row, interval in zip(comparison.rows, comparison.intervals, strict=True)
    ]
    frontiers = [
        element(
            "div",
            element("h3", title),
            chart(f"frontier-{place}-{measure.replace('_', '-')}",
                  frontier_chart(
                      comparison, chosen, measure, lines if measure == "liquidation_rate" else ()
                  ),
                  f"{title} of each policy over its average hedge", height=340),
        )
        for measure, title in MEASURES.items()
    ]  # fmt: skip
    episodes = counted(comparison.rows[0]["episodes"], "episode")
    days = days_of(comparison)
    length = f" of {days:g} days" if days == days else ""
    return card(
        f"All policies: {comparison.leverage:g}x {comparison.side}, {episodes}{length}",
        element("div", *frontiers, css="hg-pair"),
        table(f"hg-compared-{place}", _COMPARED, rows, cards=False),
        lead="Means per episode in percent of the wallet; small figures are 90% intervals, with "
        "whole weeks drawn with replacement (0.0 to 0.0%: none was seen, not that none can be). "
        "A static hedge is the same as less leverage, and free: a policy earns its keep only "
        "below the dashed line (liquidated) or above it (mean return).",
    )


def _compared(row: ComparisonRow, interval: ComparisonInterval, chosen: str) -> Row:
    policy = row["policy"]
    name = f"{policy} (ceiling)" if policy == ORACLE else policy
    return Row(
        [
            name,
            two_lines(percent(row["liquidation_rate"]), between(interval.liquidation_rate)),
            percent(row["static_liquidation_rate"]),
            two_lines(percent(row["mean_return"], signed=True), between(interval.mean_return)),
            percent(row["static_mean_return"], signed=True),
            percent(row["cvar5"], signed=True),
            percent(row["worst"], signed=True),
            percent(row["avg_hedge"]),
            number(row["trades"]),
            number(row["turnover"]),
            percent(row["cost_fees"], 2),
            percent(row["cost_slippage"], 2),
            percent(row["cost_funding"], 2),
        ],
        css="hg-chosen" if policy == chosen else "",
    )


# --- squeezes ---------------------------------------------------------------------------------

_CALL_SIGNS: Final = {
    Call.CAUGHT: ("✓", "hg-done"),
    Call.PARTLY: ("◐", ""),
    Call.MISSED: ("○", "hg-squeeze"),
    Call.LIQUIDATED: ("✕", "hg-danger"),
    Call.IN_FAVOUR: ("", "hg-dim"),
    Call.NO_POSITION: ("", "hg-dim"),
}
_HARMLESS: Final = (Call.IN_FAVOUR, Call.NO_POSITION)
_SQUEEZES: Final = (
    Column("Squeeze", is_number=False),
    Column("Onset (UTC)", is_number=False),
    Column("Peak after"),
    Column("Move"),
    Column("Move, sigmas"),
    Column("Hedge at onset"),
    Column("Hedge at peak"),
    Column("Move hedged"),
    Column("Nearest to liquidation"),
    Column("Verdict", is_number=False),
)


def squeezes_card(sheet: TearSheet, view: RunsView) -> Safe:
    """Return every squeeze with what the hedge did in it."""
    side = sheet.settings.position.side
    against = [c for c in view.calls if c.squeeze.side == side]
    said = ", ".join(f"{n} {call}" for call in Call if (n := sum(c.call is call for c in against)))
    shown = view.calls[:MOST_SQUEEZES]
    cut = f" The first {MOST_SQUEEZES:,} are shown." if len(shown) < len(view.calls) else ""
    lead = (
        f"{counted(len(view.calls), 'squeeze')}, {len(against)} of them against the {side}"
        f"{': ' + said if said else ''}. Caught: half of the move or more was hedged; partly: a "
        f"tenth or more. A missed squeeze costs little when liquidation was far away.{cut}"
    )
    rows = [_squeeze(call) for call in shown]
    harmless = sum(call.call in _HARMLESS for call in shown)
    says = f"Show the {harmless:,} in favour or without a position as well"
    tick = fold("hg-harmless", says) if harmless else Safe("")
    return card("Squeezes", tick, table("hg-squeezes", _SQUEEZES, rows, cards=True), lead=lead)


def _away(distance: float) -> str:
    """Write a distance to liquidation; with a full hedge there is hardly any."""
    return "far" if distance >= 1.0 else percent(distance)


def _squeeze(call: SqueezeCall) -> Row:
    squeeze = call.squeeze
    sign, css = _CALL_SIGNS[call.call]
    name = "▼ long" if squeeze.side == "long" else "▲ short"
    return Row(
        [
            name,
            iso_utc(squeeze.onset_ns),
            f"{(squeeze.peak_ns - squeeze.onset_ns) // NS_PER_MINUTE} min",
            percent(squeeze.move, signed=True),
            number(squeeze.severity_sigma),
            percent(call.ratio_at_onset),
            percent(call.ratio_at_peak),
            percent(call.hedged_share),
            _away(call.nearest),
            element("span", f"{sign} {call.call}".strip(), css=css),
        ],
        css="hg-folded" if call.call in _HARMLESS else "",
    )


# --- decisions --------------------------------------------------------------------------------

_DECISIONS: Final = (
    Column("Time (UTC)", is_number=False),
    Column("Action", is_number=False),
    Column("From → to"),
    Column("Size"),
    Column("Why", is_number=False, is_prose=True),
    Column("Benefit"),
    Column("Cost"),
)


def decisions_card(view: RunsView) -> Safe:
    """Return the decisions of the chosen run; the held ones open with a tick."""
    run = view.runs[view.chosen]
    moves = [d for d in run.decisions if d.recommendation.action is not Action.MAINTAIN]
    shown = shown_decisions(run.decisions)
    filled = filled_ltc(run.account_events)
    held = sum(d.recommendation.action is Action.MAINTAIN for d in shown)
    lead = (
        f"{counted(len(moves), 'decision')} to change the hedge, and "
        f"{len(run.decisions) - len(moves):,} times it was held and written down. Benefit is the "
        "liquidation loss avoided in expectation, cost what the change costs to put on and take "
        "off; both in bps of the position. Codes name the limits that cut or refused."
    )
    if len(shown) < len(run.decisions):
        lead += f" {len(shown):,} of {len(run.decisions):,} are shown, changes first."
    tick = fold("hg-held", f"Show the {held:,} held as well") if held else Safe("")
    rows = [_decision(d, filled.get(d.order_id, 0.0)) for d in shown]
    return card("Decisions", tick, table("hg-decisions", _DECISIONS, rows, cards=True), lead=lead)


def shown_decisions(
    decisions: Sequence[Decision], most: int = MOST_DECISIONS
) -> list[Decision]:  # fmt: skip
    """Choose at most `most` decisions in order of time: changes before those that were held."""
    if len(decisions) <= most:
        return list(decisions)
    is_held = [d.recommendation.action is Action.MAINTAIN for d in decisions]
    order = sorted(range(len(decisions)), key=lambda i: is_held[i])
    return [decisions[i] for i in sorted(order[:most])]


def filled_ltc(account_events: Sequence[ev.AnyEvent]) -> dict[str, float]:
    """Sum up what was filled of each order, unsigned, in LTC."""
    filled: dict[str, float] = {}
    for event in account_events:
        if isinstance(event, ev.OrderFilled):
            filled[event.client_id] = filled.get(event.client_id, 0.0) + abs(event.qty_ltc)
    return filled


def _decision(decision: Decision, filled: float) -> Row:
    advice = decision.recommendation
    is_held = advice.action is Action.MAINTAIN
    codes = ", ".join(str(verdict.code) for verdict in decision.verdicts)
    if is_held:
        action, css = "· held", "hg-dim"
    elif decision.order_id == "":
        action, css = f"✕ {advice.action} refused", "hg-danger"
    elif advice.action is Action.INCREASE:
        action, css = "▲ increase", "hg-done"
    else:
        action, css = "▼ decrease", "hg-market"
    return Row(
        [
            iso_utc(decision.time_ns),
            element("span", action, css=css),
            percent(advice.ratio)
            if is_held
            else f"{percent(advice.ratio)} → {percent(advice.target)}",
            _size(decision, filled),
            two_lines(advice.reason, codes) if codes else advice.reason,
            "" if is_held else f"{number(advice.benefit_bps)} bps",
            "" if is_held else f"{number(advice.cost_bps)} bps",
        ],
        css="hg-folded" if is_held else "",
    )


def _size(decision: Decision, filled: float) -> Text:
    wanted = decision.recommendation.size_ltc
    if decision.recommendation.action is Action.MAINTAIN:
        return ""
    text = f"{number(wanted, 3, signed=True)} LTC"
    if decision.order_id == "" or abs(filled - abs(wanted)) < 2e-3:
        return text
    return two_lines(text, f"filled {number(filled, 3)}")


# --- assumptions ------------------------------------------------------------------------------

NOT_MODELLED: Final = (
    "The order book: slippage is half the spread plus a square-root impact, both from bars.",
    "The venue's mark price: liquidation is judged on the traded high and low of each bar.",
    "The order of high and low within a bar.",
    "Auto-deleveraging of the hedge, outages, and orders that a venue refuses in a crash.",
    "The basis between these bars and the contract that is traded, where they differ.",
    "Taxes, transfers between venues and their delay, and interest on idle cash.",
)


def assumptions_card(sheet: TearSheet, view: RunsView | None) -> Safe:
    """Return what was assumed, and what is not modelled."""
    s, tape, tiers = sheet.settings, sheet.tape, sheet.tiers
    span = f"{iso_utc(sheet.start_ns)} .. {iso_utc(sheet.end_ns)} UTC"
    wallet = f"{s.position.margin_mode} margin, wallet {usdt(s.position.wallet_usdt)}"
    held = f"{s.position.leverage:g}x {s.position.side}" if sheet.runs else "as in each table"
    table_name = f"{tiers.venue} {tiers.symbol}, tiers of {tiers.version}"
    facts = {
        "Data": f"{tape.name}, {len(tape):,} bars of {describe_ns(tape.bar_ns)}, {span}",
        "Position": f"{held}, {wallet}",
        "Hedge": f"{s.hedge.location.replace('_', ' ')}, at most {percent(s.hedge.max_ratio)}",
        "Fee": f"{s.costs.taker_fee_bps:g} bps, taker",
        "Half spread": f"{s.costs.half_spread_bps:g} bps when calm, wider with volatility",
        "Impact": f"{s.costs.impact:g} times volatility times √(size / volume)",
        "Latency": f"{s.costs.latency_ms:g} ms; an order fills at the next bar's open",
        "Order size": f"at most {percent(s.costs.max_bar_share)} of a bar's volume, no resting",
        "Funding": "as settled" if _has_funding(sheet) else "none in this data set: zero",
        "Maintenance": f"{table_name}; clearance fee {percent(tiers.clearance_fee, 2)}",
        "After a liquidation": "the episode ends" if view is None else view.after_liquidation,
        "Year": "365 days",
    }
    return card(
        "Assumptions",
        _facts({name: text for name, text in facts.items() if text}),
        element("h3", "What is not modelled"),
        element("ul", *(element("li", text) for text in NOT_MODELLED)),
    )


def _has_funding(sheet: TearSheet) -> bool:
    return bool(np.isfinite(sheet.tape.funding).any())


def _facts(facts: Mapping[str, Text]) -> Safe:
    items = [join([element("dt", name), element("dd", text)]) for name, text in facts.items()]
    return element("dl", *items, css="hg-facts")


# --- model card -------------------------------------------------------------------------------

_SCORE_NAMES: Final = {
    "auc": "AUC",
    "ap": "Average precision",
    "brier_skill": "Brier skill",
    "slope": "Calibration slope",
    "base_rate": "Base rate",
    "vol_auc": "AUC of volatility alone",
    "vol_ap": "Average precision of volatility alone",
}


def model_card(model: Card) -> Safe:
    """Return what the model is, what it saw, and how good it was on data it had not seen."""
    hashes = f"features {model.feature_schema}, labels {model.label_spec}"
    made = f"made {model.created} by litehedge {model.litehedge}"
    facts: dict[str, Text] = {
        "Model": f"{model.name} ({model.kind}), {made}",
        "Frames": f"{model.frame_s} s",
        "Trained on": join(_spans(model.trained_on)),
        "Squeezes seen": f"{model.events_long:,} long, {model.events_short:,} short",
        "Scored on": join(_spans(model.validated_on)),
        "Note": model.validation_note,
        "Identity": f"weights {model.weights_sha256[:16]}, {hashes}",
    }
    heads = [
        Column("Score", is_number=False, is_prose=True),
        Column("Value"),
        Column("90% interval"),
    ]
    rows = [_score(name, score, "") for name, score in model.scores.items()]
    rows += [_score(name, score, "hg-quiet") for name, score in model.baseline_scores.items()]
    return card("Model card", _facts(facts), table("hg-scores", heads, rows, cards=False))


def _spans(spans: Sequence[Span]) -> list[Safe]:
    return [element("div", f"{s.data}: {s.start} .. {s.end}, {s.frames:,} frames") for s in spans]


def _score(name: str, score: Score, css: str) -> Row:
    interval = f"{number(score.low, 3)} to {number(score.high, 3)}"
    return Row([score_name(name), number(score.value, 3), interval], css=css)


def score_name(key: str) -> str:
    """Say the key of a score in words: ``auc_30_long`` is the AUC of long squeezes in 30 min."""
    stem, _, rest = key.rpartition("_")
    stem, _, minutes = stem.rpartition("_")
    if stem in _SCORE_NAMES and minutes.isdigit() and rest in ("long", "short"):
        return f"{_SCORE_NAMES[stem]}, {rest} squeeze within {minutes} min"
    return key

"""The contest in the report: who wins, in bad times, in crises, by kind of market, by luck."""

from __future__ import annotations

from litehedge.report.contest import words
from litehedge.report.contest.charts import cost_bars, strata_chart, tail_chart
from litehedge.report.contest.judge import Contest
from litehedge.report.markup import Column, Row, Safe, card, chart, element, table


def contest_cards(contest: Contest, chosen: str) -> list[Safe]:
    """Return the cards below the comparisons; those without anything to tell are left out."""
    cards = []
    rule = words.against_rule(contest)
    if rule.rows:
        cards.append(_card("Against the volatility rule, at equal hedge", "rule", rule))
    for i, cell in enumerate(contest.cells):
        title = words.title_of(cell)
        charts = element(
            "div",
            element(
                "div", element("h3", "Worst 5% against mean"),
                chart(f"tail-{i}", tail_chart(cell, chosen), "Mean over worst 5 %", height=340),
            ),
            element(
                "div", element("h3", "What it cost"),
                chart(f"costs-{i}", cost_bars(cell), "Cost split of each policy",
                      height=92 + 34 * len(cell.rows)),
            ),
            css="hg-pair",
        )  # fmt: skip
        bad, apart = words.bad_times(cell), words.differences(cell, chosen)
        cards.append(
            card(
                f"In bad times: {title}", charts, _table(f"bad-{i}", bad),
                *(
                    (element("h3", f"{chosen} less the others"), _table(f"apart-{i}", apart),
                     element("p", apart.note, css="hg-lead"))
                    if apart.rows else ()
                ),
                lead=bad.note,
            )
        )  # fmt: skip
        if cell.strata:
            kinds = words.strata(cell, chosen)
            heat = chart(
                f"strata-{i}", strata_chart(cell), "Liquidation rate by policy and kind of market",
                height=96 + 34 * len({s["stratum"] for s in cell.strata}), css="hg-wide",
            )  # fmt: skip
            cards.append(
                card(f"By kind of market: {title}", element("h3", "Liquidated"), heat,
                     _table(f"kinds-{i}", kinds), lead=kinds.note)
            )  # fmt: skip
    fates = words.crises(contest, chosen)
    if fates.rows:
        cards.append(_card("Crises, one by one", "crises", fates))
    luck = words.overfitting(contest)
    if luck is not None:
        cards.append(_card("How much may be luck", "luck", luck))
    return cards


def _card(title: str, name: str, one: words.Table) -> Safe:
    return card(title, _table(name, one), lead=one.note)


def _table(name: str, one: words.Table) -> Safe:
    columns = [
        Column(head, is_number=i >= one.words, is_prose=i == 0) for i, head in enumerate(one.heads)
    ]
    return table(f"hg-contest-{name}", columns, [Row(row) for row in one.rows], cards=False)

"""What an act was worth: the course with it beside the course without it, and what may be said.

Both courses are of the same engine on the same market, and both fill at the simulated venue: what
that venue gets wrong, it gets wrong for both. What is left of its errors is the *noise*: the gap
between the course with the act and what truly happened, and half of the slippage that both courses
paid. A difference below it is no difference.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

import msgspec

from litehedge.ledger.acts import Act
from litehedge.ledger.branch import Course

CENT_USDT: Final = 0.01
MODELLED_SHARE: Final = 0.5
"""By how much of itself modelled slippage may be wrong."""


class Verdict(enum.StrEnum):
    """What an act did."""

    HELPED = "helped"
    COST = "cost"
    SAME = "no difference"
    NOT_YET = "not yet"


class By(enum.StrEnum):
    """Who did what is scored."""

    HAND = "by hand"
    PLAN = "by plan"
    BOTH = "by hand and plan"  # they overlapped


class Until(enum.StrEnum):
    """Why the comparison ended where it did."""

    TAIL = "the tail is over"
    NEXT = "the next act began"
    POSITION = "another position began"
    HAND = "the venue's books were taken over"
    PLAN = "settings, policy or model changed"
    DATA = "the data ends"


class Score(msgspec.Struct, frozen=True):
    """One act, or several that overlap, and what came of it.

    USDT; a difference is the course with the act less the course without: positive is good for
    `pnl_usdt` and its parts, `nearest` and `-drawdown_usdt`. The parts `fees_usdt`,
    `slippage_usdt`, `funding_usdt`, `forced_usdt` and `price_usdt` (the rest: prices, moments and
    sizes) add up to `pnl_usdt`.
    """

    acts: list[Act]
    begins_ns: int
    over_ns: int  # when the last act was over, -1 while it is not
    until_ns: int
    until: Until
    verdict: Verdict
    pnl_usdt: float
    noise_usdt: float
    fees_usdt: float
    slippage_usdt: float
    funding_usdt: float
    forced_usdt: float
    price_usdt: float
    drawdown_usdt: float
    nearest: float
    liquidation: str  # caused, avoided, both, or empty
    true_pnl_usdt: float  # what truly happened meanwhile
    with_act: Course
    without: Course

    @property
    def by(self) -> By:
        """Who did it: a person, or plans that they wrote beforehand."""
        kinds = {By.PLAN if act.plan else By.HAND for act in self.acts}
        return By.BOTH if len(kinds) > 1 else kinds.pop()


class Total(msgspec.Struct, frozen=True):
    """All scores together; `acts` counts those that were scored together one by one."""

    acts: int
    scored: int
    helped: int
    cost: int
    same: int
    not_yet: int
    helped_usdt: float
    cost_usdt: float
    pnl_usdt: float
    liquidations_caused: int
    liquidations_avoided: int


class Ledger(msgspec.Struct, frozen=True):
    """The scores of a session in order of time.

    `total` is all of them, `by` the same for hand, plan and both, where there are any: these add
    up to `total`. `differing` counts the orders that this version decides otherwise than the one
    that wrote it.
    """

    scores: list[Score]
    total: Total
    by: dict[By, Total]
    tail_ns: int
    differing: int


def score_of(
    acts: Sequence[Act],
    with_act: Course,
    without: Course,
    *,
    over_ns: int,
    until_ns: int,
    until: Until,
    true_pnl_usdt: float,
    is_enough: bool,
) -> Score:
    """Compare the course with acts with the one without them.

    Parameters
    ----------
    true_pnl_usdt
        What truly happened meanwhile.
    is_enough
        Whether enough came after the act to judge it.
    """
    pnl = with_act.pnl_usdt - without.pnl_usdt
    fees = without.fees_usdt - with_act.fees_usdt
    slippage = without.slippage_usdt - with_act.slippage_usdt
    funding = without.funding_usdt - with_act.funding_usdt
    forced = without.forced_usdt - with_act.forced_usdt
    liquidation = _liquidation(with_act, without)
    noise = max(
        CENT_USDT,
        abs(with_act.pnl_usdt - true_pnl_usdt)
        + MODELLED_SHARE * (with_act.slippage_usdt + without.slippage_usdt),
    )
    if not is_enough:
        verdict = Verdict.NOT_YET
    elif abs(pnl) > noise:
        verdict = Verdict.HELPED if pnl > 0.0 else Verdict.COST
    else:
        verdict = {"caused": Verdict.COST, "avoided": Verdict.HELPED}.get(liquidation, Verdict.SAME)
    return Score(
        acts=list(acts), begins_ns=acts[0].begins_ns, over_ns=over_ns, until_ns=until_ns,
        until=until, verdict=verdict, pnl_usdt=pnl, noise_usdt=noise, fees_usdt=fees,
        slippage_usdt=slippage, funding_usdt=funding, forced_usdt=forced,
        price_usdt=pnl - fees - slippage - funding - forced,
        drawdown_usdt=with_act.drawdown_usdt - without.drawdown_usdt,
        nearest=with_act.nearest - without.nearest, liquidation=liquidation,
        true_pnl_usdt=true_pnl_usdt, with_act=with_act, without=without,
    )  # fmt: skip


def _liquidation(with_act: Course, without: Course) -> str:
    if with_act.liquidations and without.liquidations:
        return "both"
    if with_act.liquidations:
        return "caused"
    return "avoided" if without.liquidations else ""


def total_of(scores: Sequence[Score]) -> Total:
    """Sum up scores; what cannot be told yet counts for nothing."""

    def of(verdict: Verdict) -> list[Score]:
        return [score for score in scores if score.verdict is verdict]

    judged = [score for score in scores if score.verdict is not Verdict.NOT_YET]
    return Total(
        acts=sum(len(score.acts) for score in scores),
        scored=len(judged),
        helped=len(of(Verdict.HELPED)),
        cost=len(of(Verdict.COST)),
        same=len(of(Verdict.SAME)),
        not_yet=len(of(Verdict.NOT_YET)),
        helped_usdt=sum(score.pnl_usdt for score in of(Verdict.HELPED)),
        cost_usdt=-sum(score.pnl_usdt for score in of(Verdict.COST)),
        pnl_usdt=sum(score.pnl_usdt for score in judged),
        liquidations_caused=sum(score.liquidation == "caused" for score in judged),
        liquidations_avoided=sum(score.liquidation == "avoided" for score in judged),
    )


def ledger_of(scores: Sequence[Score], tail_ns: int, differing: int) -> Ledger:
    """Return the ledger of scores in order of time."""
    by = {one: [score for score in scores if score.by is one] for one in By}
    parts = {one: total_of(own) for one, own in by.items() if own}
    return Ledger(list(scores), total_of(scores), parts, tail_ns, differing)


def ledger_in_words(told: Ledger) -> str:
    """Return a ledger in a sentence for each of who did it, and one for all together."""
    if not told.by:
        return "you have done nothing by hand yet"
    parts = [in_words(total, by) for by, total in told.by.items()]
    if len(parts) > 1:
        parts.append(f"all together {told.total.pnl_usdt + 0.0:+,.2f} USDT")
    return ". ".join([parts[0], *(upper_first(part) for part in parts[1:])])


def upper_first(text: str) -> str:
    """Return a sentence with its first letter large, and nothing else changed."""
    return text[:1].upper() + text[1:]


def in_words(total: Total, by: By = By.HAND) -> str:
    """Return in one sentence what one kind of acts was worth."""
    n = total.scored + total.not_yet
    parts = []
    if total.helped:
        parts.append(f"{total.helped} helped ({total.helped_usdt:+,.2f} USDT)")
    if total.cost:
        parts.append(f"{total.cost} cost {total.cost_usdt:,.2f} USDT")
    if total.same:
        parts.append(f"{total.same} made no difference")
    if total.not_yet:
        parts.append(f"{total.not_yet} cannot be told yet")
    s = "s" if n != 1 else ""
    who = {
        By.HAND: f"your {n} override{s}",
        By.PLAN: f"your plans, which acted {n} time{s}",
        By.BOTH: f"{n} time{s} your hand and a plan at once",
    }[by]
    text = f"{who}: {', '.join(parts)}"
    if total.acts > n:
        text += f" ({total.acts} acts; those that overlap are scored together)"
    deaths = [
        f"{count} liquidation{'s' if count != 1 else ''} {word}"
        for count, word in (
            (total.liquidations_caused, "caused"), (total.liquidations_avoided, "avoided"),
        )
        if count
    ]  # fmt: skip
    return text + (f"; {' and '.join(deaths)}" if deaths else "")

"""What venues say they hold, against our books.

While an order is in flight a report is remembered, not judged. Where quantities agree, wallets and
entries of our books are set to the venue's, so that fees, funding and interest cannot drift. Where
they do not, somebody or something else traded: no trade is invented to explain it. A person is
told, trading only reduces, and no more than the venue's books allow too, until that person adopts.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Final

from litehedge.decision import sizes
from litehedge.effects import Alert, AlertLevel, Effect
from litehedge.engine_state import State, rules_of, transition
from litehedge.hedge.exposure import REDUCE
from litehedge.margin.account import HEDGE, POSITION, Books, new_account
from litehedge.market import events as ev
from litehedge.risk.limits import whole_lots
from litehedge.risk.state import Cause, TradingState
from litehedge.units import NS_PER_SECOND

DIFFER_NS: Final = 5 * NS_PER_SECOND
"""Books may differ for so long before anybody is told: what explains it may be on its way. Nothing
is sent meanwhile."""

TOLD_USDT: Final = 1.0  # a wallet that differs by this and
TOLD_SHARE: Final = 0.005  # by this share of itself is told

_NOTHING: Final[list[Effect]] = []
_NAMES: Final = {POSITION: "position", HEDGE: "hedge"}


@dataclass(frozen=True, slots=True)
class _Leg:
    qty: float
    entry: float
    isolated: float


def _legs(report: ev.Reported) -> dict[int, _Leg]:
    """Return the legs that a report tells of."""
    told = {
        POSITION: _Leg(report.qty_ltc, report.entry_usdt, report.isolated_usdt),
        HEDGE: _Leg(report.hedge_qty_ltc, report.hedge_entry_usdt, report.hedge_isolated_usdt),
    }
    return {leg: part for leg, part in told.items() if not isnan(part.qty)}


def _account_of(report: ev.Reported) -> int:
    """Return which account a report is of: that of the position, or the second one."""
    return 0 if not (isnan(report.qty_ltc) and isnan(report.wallet_usdt)) else 1


def note_booked(state: State, leg: int, event_ns: int) -> None:
    """Remember when something changed a leg: a report from before it says nothing about now."""
    wallet = int(state.books["wallet_of"][0, leg])
    state.booked_ns[wallet] = max(state.booked_ns[wallet], event_ns)


def is_known(state: State, leg: int, event_ns: int) -> bool:
    """Tell whether the venue's books, when we took them over, already held this event."""
    return event_ns < state.truth_ns[int(state.books["wallet_of"][0, leg])]


# --- reports ------------------------------------------------------------------------------------


def on_reported(state: State, event: ev.Reported) -> list[Effect]:
    """Remember what a venue holds, and judge it if nothing is under way."""
    if not state.is_begun:
        return _NOTHING  # before the first `Opened` there are no books to compare with
    place = _account_of(event)
    before = state.reports[place]
    if before is None or before.event_ns <= event.event_ns:
        state.reports[place] = event
    return settle(state, event.known_ns)


def settle(state: State, now_ns: int) -> list[Effect]:
    """Judge what was reported, once no order is in flight: take it over, or say that it differs."""
    if state.reports == [None, None] or state.order is not None or state.needs_reconciling:
        return _NOTHING
    effects = _NOTHING
    for place, report in enumerate(state.reports):
        if report is None:
            continue
        if report.event_ns < max(state.booked_ns[place], state.truth_ns[place]):
            state.reports[place] = None
            continue
        if report.event_ns == state.booked_ns[place] and _differing(state, report):
            # Of the same moment as a fill: a venue tells each price that an order took, and the
            # order's own answer may be here before the first of them. Whoever asks again will know.
            state.reports[place] = None
            continue
        effects = effects + _end_ignoring(state, report)
        if not _differing(state, report):
            effects = effects + _take_wallets(state, place, report)
            state.reports[place] = None
    if state.reports == [None, None]:
        state.differs_ns = -1
        return effects
    if state.differs_ns < 0:
        state.differs_ns = now_ns
    if now_ns - state.differs_ns < DIFFER_NS or state.is_differing:
        return effects
    state.is_differing = True
    text = "somebody or something else traded: " + "; ".join(_words(state))
    text += (
        ". Until you adopt the venue's books, or ignore what differs, only what they allow too is "
        "done, to protect"
    )
    return [
        *effects,
        *transition(state, Cause.BOOKS_DIFFER, now_ns),
        Alert("act_now", text, "books"),
    ]


def _differing(state: State, report: ev.Reported) -> list[int]:
    """Return the legs of which the venue holds another quantity than expected, by half a lot.

    Expected is what our books hold, with what a person minds.
    """
    held = state.books["qty"][0]
    return [
        leg for leg, told in _legs(report).items()
        if abs(held[leg] + state.ignored_ltc[leg] - told.qty) >= _half_lot(state, leg)
    ]  # fmt: skip


def _half_lot(state: State, leg: int) -> float:
    return 0.5 * rules_of(state, leg).lot_ltc


def _words(state: State) -> list[str]:
    """Return what differs, in LTC."""
    said = []
    for report in state.reports:
        if report is None:
            continue
        for leg in _differing(state, report):
            ours = float(state.books["qty"][0, leg]) + state.ignored_ltc[leg]
            theirs = _legs(report)[leg].qty
            said.append(f"our {_NAMES[leg]} is {ours:.3f} LTC, the venue's {theirs:.3f}")
    return said


def _wallet_gap(state: State, place: int, report: ev.Reported) -> float:
    """Return what the venue's wallet holds more than ours in USDT, NaN where it is not told."""
    told = report.wallet_usdt if place == 0 else report.second_wallet_usdt
    return told - _cash(state.books, place)


def _take_legs(state: State, report: ev.Reported) -> None:
    account = state.books[0]
    for leg, told in _legs(report).items():
        if state.ignored_ltc[leg] != 0.0:
            continue  # entry and margin are of both parts together
        account["qty"][leg] = told.qty
        if told.qty == 0.0:
            account["entry"][leg] = 0.0
        elif told.entry > 0.0:
            account["entry"][leg] = told.entry
        if account["is_isolated"][leg] and not isnan(told.isolated):
            wallet = account["wallet_of"][leg]
            account["wallet"][wallet] -= told.isolated - account["isolated"][leg]
            account["isolated"][leg] = told.isolated


def _take_wallets(state: State, place: int, report: ev.Reported) -> list[Effect]:
    """Take over legs that agree, and the wallet; tell a person of more than small change."""
    _take_legs(state, report)
    state.truth_ns[place] = report.event_ns
    gap = _wallet_gap(state, place, report)
    if isnan(gap) or state.transfer is not None:  # what is under way may be in either wallet
        return _NOTHING
    before = abs(float(state.books["wallet"][0, place]))
    state.books["wallet"][0, place] += gap
    if abs(gap) < max(TOLD_USDT, TOLD_SHARE * before):
        return _NOTHING
    more = "more" if gap > 0.0 else "less"
    text = (
        f"the venue's wallet holds {abs(gap):.2f} USDT {more} than our books, which take it over: "
        "money was moved, or fees and funding were not told"
    )
    return [Alert("digest", text)]


# --- taking over --------------------------------------------------------------------------------


def on_adopt(state: State, event: ev.Adopt) -> list[Effect]:
    """Take over the venue's books, as a person asked."""
    if state.order is not None:
        return [Alert("done", "not adopted: an order is under way; try again when it has ended")]
    words = _words(state)
    did_differ = state.is_differing
    held, hedge = float(state.books["qty"][0, POSITION]), sizes(state.terms, state.books)[1]
    effects: list[Effect] = []
    words += _take_ignored(state)
    for place, report in enumerate(state.reports):
        if report is not None:
            effects += _take_wallets(state, place, report)
            state.reports[place] = None
    over = _note_legs(state, held, hedge)
    state.differs_ns, state.is_differing = -1, False
    if state.is_reduced_by_books and state.trading is TradingState.REDUCING:
        effects += transition(state, Cause.ADOPTED, event.known_ns)
    text = "the venue's books were taken over: " + "; ".join(words) if words else "nothing differed"
    return [*effects, Alert("done", text, "books", clears=did_differ), *_standing(state, over)]


def on_ignore(state: State, event: ev.Ignore) -> list[Effect]:
    """Leave what differs to a person, and go on guarding what our books hold."""
    if state.order is not None:
        return [Alert("done", "not ignored: an order is under way; try again when it has ended")]
    words = _words(state)
    if not words:
        return [Alert("done", "nothing differs: there is nothing to ignore")]
    for report in state.reports:
        if report is not None:
            for leg in _differing(state, report):
                held = float(state.books["qty"][0, leg])
                state.ignored_ltc[leg] = round(_legs(report)[leg].qty - held, 9)
    effects: list[Effect] = []
    state.differs_ns, state.is_differing = -1, False
    if state.is_reduced_by_books and state.trading is TradingState.REDUCING:
        effects += transition(state, Cause.IGNORED, event.known_ns)
    text = "what differs is yours to mind: " + "; ".join(_ignored_words(state))
    effects.append(Alert("done", f"{text}. What our books hold is guarded as before"))
    return [*effects, *settle(state, event.known_ns)]


def _ignored_words(state: State) -> list[str]:
    return [
        f"{qty:+.3f} LTC beside our {_NAMES[leg]}"
        for leg, qty in enumerate(state.ignored_ltc) if qty != 0.0
    ]  # fmt: skip


def _end_ignoring(state: State, report: ev.Reported) -> list[Effect]:
    """Forget what a person minds where the venue holds exactly what our books do."""
    effects: list[Effect] = []
    for leg, told in _legs(report).items():
        held = float(state.books["qty"][0, leg])
        if state.ignored_ltc[leg] != 0.0 and abs(held - told.qty) < _half_lot(state, leg):
            state.ignored_ltc[leg] = 0.0
            effects.append(Alert("done", f"what differed of the {_NAMES[leg]} is gone"))
    return effects


def _take_ignored(state: State) -> list[str]:
    """Put what a person minded into our books: it is adopted. Say what."""
    words = [f"{said} is ours now" for said in _ignored_words(state)]
    for leg in (POSITION, HEDGE):
        state.books["qty"][0, leg] += state.ignored_ltc[leg]
        state.ignored_ltc[leg] = 0.0
    return words


def on_resumed(state: State, event: ev.Opened) -> list[Effect]:
    """Go on with a position after a restart, from what the venue holds; say what happened since.

    What was decided and spent before still counts: budgets, the floor, the equity at the start,
    overrides, the trading state.
    """
    if state.order is not None:
        text = f"not reconciled: order {state.order.client_id} has no end yet, and is asked about"
        return [Alert("act_now", text, "reconciled")]
    before = state.books
    held, hedge = float(before["qty"][0, POSITION]), sizes(state.terms, before)[1]
    state.books = new_account(
        event.wallet_usdt, event.qty_ltc, event.entry_usdt, event.leverage,
        isolated=event.isolated, second_wallet_usdt=event.second_wallet_usdt,
    )  # fmt: skip
    state.books["qty"][0, HEDGE] = event.hedge_qty_ltc
    state.books["entry"][0, HEDGE] = event.hedge_entry_usdt
    for name in _KEPT:
        state.books[name] = before[name]
    _leave_ignored(state, before)
    words = _since(before, state.books)
    over = _note_legs(state, held, hedge)
    state.reports = [None, None]
    state.truth_ns = [event.event_ns] * 2
    state.differs_ns, state.is_differing = -1, False
    state.needs_reconciling = False
    text = "reconciled with the venue"
    text += ": since the journal ended, " + "; ".join(words) if words else ": nothing has changed"
    level: AlertLevel = "act_now" if words else "done"
    return [Alert(level, text, "reconciled", clears=not words), *_standing(state, over)]


_KEPT: Final = (
    "fees", "slippage", "funding", "clearance", "insurance", "realised", "traded", "liquidations",
    "hedge_liquidations", "under_way", "is_late", "transfers", "late_transfers", "transferred",
    "transfer_fees",
)  # fmt: skip


def _leave_ignored(state: State, before: Books) -> None:
    """After a restart: leave out of what a venue told what a person minds.

    Where that cannot be, because a leg would turn to its other side, nothing is left out.
    """
    account = state.books[0]
    for leg, left in enumerate(state.ignored_ltc):
        ours = float(account["qty"][leg]) - left
        if left == 0.0:
            continue
        if ours * float(before["qty"][0, leg]) < 0.0:
            state.ignored_ltc[leg] = 0.0
            continue
        account["qty"][leg] = round(ours, 9)
        if ours != 0.0:
            account["entry"][leg] = before["entry"][0, leg]


def _since(before: Books, after: Books) -> list[str]:
    """Return how two books differ, in LTC and USDT."""
    words = []
    for leg, name in _NAMES.items():
        was, now = float(before["qty"][0, leg]), float(after["qty"][0, leg])
        if abs(was - now) > 1e-9:
            words.append(f"the {name} went from {was:.3f} to {now:.3f} LTC")
    for place, name in enumerate(("wallet", "second wallet")):
        was, now = _cash(before, place), _cash(after, place)
        if abs(was - now) >= 0.005:
            words.append(f"the {name} from {was:.2f} to {now:.2f} USDT")
    return words


def _cash(books: Books, place: int) -> float:
    """Return what a wallet holds with what is set aside of it, in USDT."""
    account = books[0]
    mine = [leg for leg in (POSITION, HEDGE) if account["wallet_of"][leg] == place]
    return float(account["wallet"][place] + sum(account["isolated"][leg] for leg in mine))


def _note_legs(state: State, held: float, hedge: float) -> float:
    """After a take-over: what others closed of a reduced position is no hedge that could be lifted.

    `held` and `hedge` are from before, in LTC. What we sold may be bought back, as long as
    something is held or we sold it all ourselves; what others bought counts as bought back. Where
    somebody else closed the rest, the position is over; what we had sold of it, in LTC, is
    returned then, else 0.
    """
    if not state.is_open:
        hedge = 0.0  # what was over before stays so
    now = float(state.books["qty"][0, POSITION])
    reduces = bool(state.terms["location"][0] == REDUCE)
    is_ours = now * float(state.terms["side"][0]) > 0.0
    is_all_sold = reduces and now == 0.0 and hedge > 0.0
    is_untouched = abs(held) < 0.5 * state.fixed.settings.venue.lot_ltc
    state.is_open = is_ours or (is_all_sold and is_untouched)
    if reduces:
        sold = max(0.0, min(hedge, abs(held) + hedge - abs(now))) if state.is_open else 0.0
        state.terms["size"] = abs(now) + sold
    state.closed_ltc = 0.0
    return hedge if is_all_sold and not is_untouched else 0.0


def _standing(state: State, over: float) -> list[Effect]:
    """Say what there is to guard, where that is not what it was meant to be.

    `over` is what had been sold, in LTC, of a reduced position that others closed.
    """
    if state.is_open:
        return []
    position, hedge = state.books["qty"][0].tolist()
    text = "there is no position to guard"
    if over > 0.0:
        text += (
            f": what was left of it was closed, not by us. It is over, and the {over:.3f} LTC that "
            "were sold of it before are not bought back"
        )
    if position != 0.0:
        text = f"the position of {position:.3f} LTC is on the other side: it is not guarded"
    if hedge != 0.0:
        text += f"; a hedge of {abs(hedge):.3f} LTC stands alone, close it"
    return [Alert("act_now", text)]


# --- while they differ --------------------------------------------------------------------------


def venue_legs(state: State) -> list[float]:
    """Return what venues hold of position and hedge, signed LTC, as far as we were told."""
    account = state.books[0]
    qty = [float(account["qty"][leg]) + state.ignored_ltc[leg] for leg in (POSITION, HEDGE)]
    for report in state.reports:
        if report is not None:
            for leg, told in _legs(report).items():
                qty[leg] = told.qty
    return qty


def is_apart(state: State) -> bool:
    """Tell whether venues hold, or may hold, something else than our books."""
    return state.differs_ns >= 0 or state.ignored_ltc != [0.0, 0.0]


def closable(state: State) -> tuple[float, float]:
    """Return what may be closed of position and hedge, signed LTC.

    No more than our books hold, and no more than the venue does where it was told otherwise.
    """
    ours = state.books["qty"][0].tolist()
    if not is_apart(state):
        return ours[POSITION], ours[HEDGE]
    theirs = venue_legs(state)
    legs = []
    for leg in (POSITION, HEDGE):
        most = abs(theirs[leg]) if ours[leg] * theirs[leg] > 0.0 else 0.0
        legs.append(min(abs(ours[leg]), most) * (1.0 if ours[leg] > 0.0 else -1.0))
    return legs[POSITION], legs[HEDGE]


def within_truth(state: State, change: float) -> float:
    """Cut a change of the hedge to what lowers the net exposure in the venue's books too, in LTC.

    For so long as nobody was told, nothing: the explanation may be on its way.
    """
    if state.differs_ns >= 0 and (not state.is_differing or change <= 0.0):
        return 0.0
    qty = venue_legs(state)
    side = float(state.terms["side"][0])
    is_reducing = bool(state.terms["location"][0] == REDUCE)
    lot = rules_of(state, POSITION if is_reducing else HEDGE).lot_ltc
    if change <= 0.0:  # a person minds the difference: the hedge that is lifted must be there
        if is_reducing:
            # Of a position that a person closed nothing is bought back: it would be a new one.
            was_closed = state.ignored_ltc[POSITION] * side < 0.0 and qty[POSITION] * side < lot
            return 0.0 if was_closed else change
        return -float(whole_lots(max(0.0, min(-change, -qty[HEDGE] * side)), lot))
    room = qty[POSITION] * side
    if not is_reducing:
        room -= max(0.0, -qty[HEDGE] * side)
    return float(whole_lots(max(0.0, min(change, room)), lot))

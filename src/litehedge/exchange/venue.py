"""A fake venue over time: seconds, funding, forced closings, conditional orders, history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from litehedge.exchange.faults import SECONDS, Fault, Faults
from litehedge.exchange.happenings import (
    AlgoMoved,
    Closed,
    Happening,
    LeverageSet,
    MarginCalled,
    Marked,
    Traded,
)
from litehedge.exchange.ledger import LEGS, Forced, Ledger
from litehedge.exchange.matching import Matching
from litehedge.exchange.scene import Moment, Scene
from litehedge.exchange.tape import BTC, SYMBOLS, Tape
from litehedge.exchange.terms import Algo, Ask, Held, Refused, VenueName

BTC_LOT: Final = Decimal("0.001")
CALL_RATIO: Final = 0.8
"""From this share of maintenance over equity on, the venue calls for margin."""


@dataclass(slots=True)
class History:
    """What a venue remembers for those who ask over REST."""

    tapes: dict[str, Tape] = field(default_factory=lambda: {name: Tape() for name in SYMBOLS})
    funding: list[tuple[int, float, float]] = field(default_factory=list)  # ms, rate, mark
    received: list[tuple[int, Decimal]] = field(default_factory=list)  # ms, funding of ours
    liquidations: list[Closed] = field(default_factory=list)
    forced: list[Held] = field(default_factory=list)

    def note(self, happening: Happening) -> None:
        """Remember what belongs to the tape."""
        if isinstance(happening, Traded):
            self.tapes[happening.symbol].note(happening)
        elif isinstance(happening, Closed):
            self.liquidations.append(happening)


class Venue:
    """One venue: its market, and one account of ours on it."""

    def __init__(
        self, ledger: Ledger, scene: Scene, faults: Faults, tell: Callable[[Happening], None],
    ) -> None:  # fmt: skip
        self.name: VenueName = ledger.terms.venue
        self.terms = ledger.terms
        self.ledger = ledger
        self.faults = faults
        self.history = History()
        self.algos: dict[int, Algo] = {}
        self.moment: Moment | None = None
        self.on_fault: Callable[[Fault], None] = lambda fault: None
        self.cancel_at_ms: int | None = None  # of the server's clock
        self._tell_out = tell
        self._scene = scene
        self._called = False
        self._ids = 3_000_000_000
        self.matching = Matching(ledger, self._tell, felt=scene.trade, partial=self._share)

    @property
    def mark(self) -> float:
        """Return the mark price in USDT."""
        return self.matching.mark

    @property
    def next_funding_ms(self) -> int:
        """Return when funding settles next."""
        every = self.terms.funding_interval_s * 1000
        return (self.matching.now_ms // every + 1) * every

    # --- time -----------------------------------------------------------------------------------

    def second(self, now_ms: int, moment: Moment) -> None:
        """Live through the end of a second."""
        matching = self.matching
        matching.now_ms = now_ms
        self.moment = moment
        matching.mark = moment.mark
        self._follow(moment)
        self._tell(
            Marked(
                now_ms, Decimal(f"{moment.mark:.8f}"), Decimal(f"{moment.index:.8f}"),
                Decimal(f"{moment.rate:.8f}"), self.next_funding_ms,
            )
        )  # fmt: skip
        for price, qty, buys in moment.flows:
            lots = Decimal(repr(qty)) // self.terms.lot_ltc
            told = max(lots, Decimal(1)) * self.terms.lot_ltc
            matching.publish(Decimal(f"{price:.2f}"), told, buys)
        number = now_ms // 1000
        lots = Decimal(100 + number * 7919 % 900)
        at = Decimal(f"{moment.btc_usdt:.1f}")
        self._tell(Traded(now_ms, number, at, lots * BTC_LOT, number % 2 == 0, BTC))
        for side, qty, price in moment.liquidated:
            lots = max(Decimal(repr(qty)) // self.terms.lot_ltc, Decimal(1))
            at = Decimal(f"{price:.2f}")
            self._tell(Closed(now_ms, side == "long", lots * self.terms.lot_ltc, at))
        if moment.settled_rate is not None:
            self.settle(moment.settled_rate)
        self._strike()
        self._deleverage_by_wave()
        self._watch_margin(moment.mark)
        self._trigger()
        matching.work()
        matching.tell_book()

    def step(self, now_ms: int) -> None:
        """Live through a step within a second: the book breathes, late orders arrive."""
        self.matching.now_ms = now_ms
        if self.moment is not None:
            self._follow(self.moment)
        self.matching.work()
        self.matching.tell_book()

    def settle(self, rate: float) -> None:
        """Settle funding at the mark."""
        self.history.funding.append((self.matching.now_ms, rate, self.mark))
        if self.ledger.is_flat():
            return
        received = self.ledger.fund(self.mark, rate)
        self.history.received.append((self.matching.now_ms, received))
        isolated = LEGS if self.ledger.isolated else ()
        self.matching.tell_account("FUNDING_FEE", isolated, received)

    # --- what the venue does to us ----------------------------------------------------------------

    def self_liquidate(self) -> bool:
        """Let the mark wick to our liquidation; tell whether there was anything to liquidate."""
        price = self.ledger.liquidation_usdt(self.mark)
        if price is None:
            return False
        beyond = float(price) * (1.0 - 1e-7 if float(price) < self.mark else 1.0 + 1e-7)
        self._watch_margin(beyond)
        return True

    def deleverage(self, leg: int, share: float) -> bool:
        """Close a share of a leg at the mark, against somebody's liquidation."""
        held = self.ledger.qty(leg)
        lots = (abs(held) * Decimal(repr(share))) // self.terms.lot_ltc
        if lots == 0:
            return False
        price = Decimal(f"{self.mark:.2f}")
        self._close(self.ledger.deleverage(leg, lots * self.terms.lot_ltc, price), "adl")
        return True

    def insurance_clear(self, usdt: Decimal) -> None:
        """Let the insurance fund pay into the wallet."""
        self.ledger.receive(usdt, insurance=True)
        self.matching.tell_account("INSURANCE_CLEAR", (), usdt)

    def set_leverage(self, leverage: int) -> None:
        """Set the leverage.

        Raises
        ------
        Refused
            When the tiers do not allow it, or not with what is held.
        """
        ledger = self.ledger
        if not 1 <= leverage <= int(ledger.tiers.rows[0, 3]):
            raise Refused("leverage")
        held = max(abs(float(ledger.qty(leg))) for leg in LEGS) * self.mark
        if held > ledger.most_notional(leverage):
            raise Refused("tier")
        ledger.set_leverage(leverage)
        self._tell(LeverageSet(self.matching.now_ms, leverage))

    def set_hedge_mode(self, on: bool) -> None:
        """Hold legs apart or netted; only when flat and without orders."""
        if on == self.ledger.hedge_mode:
            raise Refused("no change")
        self._only_when_flat()
        self.ledger.hedge_mode = on

    def set_isolated(self, on: bool) -> None:
        """Set margin aside or not; only when flat and without orders."""
        if on == self.ledger.isolated:
            raise Refused("no change")
        self._only_when_flat()
        self.ledger.set_isolated(on)

    def _only_when_flat(self) -> None:
        if not self.ledger.is_flat() or self.matching.open_orders():
            raise Refused("has position")

    # --- conditional orders -----------------------------------------------------------------------

    def place_algo(self, ask: Ask, kind: str, trigger: Decimal, working: str) -> Algo:
        """Take a conditional order that trades at the market when the price passes its trigger.

        Raises
        ------
        Refused
            When it would trigger at once, or its leg is not one of this mode.
        """
        if self.ledger.hedge_mode == (ask.side == "both"):
            raise Refused("side")
        waits = [a for a in self.algos.values() if a.status == "NEW"]
        if ask.client_id and any(a.client_id == ask.client_id for a in waits):
            raise Refused("duplicate")
        rises = ask.buys if kind.startswith("STOP") else not ask.buys
        if (float(trigger) <= self.mark) if rises else (float(trigger) >= self.mark):
            raise Refused("would trigger")
        self._ids += 1
        now = self.matching.now_ms
        algo = Algo(
            self._ids, ask.client_id or f"algo_{self._ids}", kind, ask.buys, ask.side,
            ask.qty_ltc, ask.closes_all, ask.reduce_only, trigger, working, rises, now, now,
        )  # fmt: skip
        self.algos[algo.algo_id] = algo
        self._tell(AlgoMoved(now, algo))
        return algo

    def find_algo(self, algo_id: int | None, client_id: str | None) -> Algo:
        """Return a conditional order by either id.

        Raises
        ------
        Refused
            When there is none.
        """
        for algo in reversed(self.algos.values()):
            if algo.algo_id == algo_id or (algo_id is None and algo.client_id == client_id):
                return algo
        raise Refused("no such order")

    def cancel_algo(self, algo: Algo) -> None:
        """Cancel a conditional order.

        Raises
        ------
        Refused
            When it is not waiting any more.
        """
        if algo.status != "NEW":
            raise Refused("unknown order")
        self._move(algo, "CANCELED")

    def open_algos(self) -> list[Algo]:
        """Return those that wait for their trigger."""
        return [algo for algo in self.algos.values() if algo.status == "NEW"]

    def _trigger(self) -> None:
        for algo in self.open_algos():
            mark_counts = algo.working == "MARK_PRICE" or self.matching.last == 0
            price = self.mark if mark_counts else float(self.matching.last)
            hit = price >= float(algo.trigger_usdt) if algo.rises else (
                price <= float(algo.trigger_usdt)
            )  # fmt: skip
            if not hit:
                continue
            self._move(algo, "TRIGGERED")
            ask = Ask(
                algo.client_id, algo.buys, algo.side, algo.qty_ltc, None,
                reduce_only=algo.reduce_only, closes_all=algo.closes_all,
            )  # fmt: skip
            try:
                algo.order_id = self.matching.place(ask, algo_id=algo.algo_id).order_id
            except Refused:
                self._move(algo, "REJECTED")
            else:
                self._move(algo, "FINISHED")

    def _move(self, algo: Algo, status: str) -> None:
        algo.status = status  # type: ignore[assignment]
        algo.updated_ms = self.matching.now_ms
        self._tell(AlgoMoved(algo.updated_ms, algo))

    # --- pieces -----------------------------------------------------------------------------------

    def _tell(self, happening: Happening) -> None:
        self.history.note(happening)
        self._tell_out(happening)

    def _share(self) -> float | None:
        terms = self.faults.strikes(Fault.PARTIAL, f"{self.name} fill")
        return None if terms is None else float(terms.get("share", 0.5))

    def _follow(self, moment: Moment) -> None:
        tick, lot = float(self.terms.tick_usdt), float(self.terms.lot_ltc)
        bid = int(moment.bid / tick + 1e-6)
        ask = max(bid + 1, -int(-(moment.ask / tick) + 1e-6))
        worth = moment.mark * lot
        depth = (moment.bid_depth_usdt / worth, moment.ask_depth_usdt / worth)
        self.matching.book.follow(bid, ask, depth)

    def _strike(self) -> None:
        if not self.faults:
            return
        for fault in SECONDS:
            terms = self.faults.strikes(fault, f"{self.name} second")
            if terms is None:
                continue
            if fault is Fault.LIQUIDATE:
                self.self_liquidate()
            elif fault is Fault.DELEVERAGE:
                side = str(terms.get("side", "short"))
                leg = 1 if side == "short" and self.ledger.hedge_mode else 0
                self.deleverage(leg, float(terms.get("share", 1.0)))
            elif fault is Fault.TIERS:
                self.ledger.harsher(float(terms.get("factor", 1.5)))
            elif fault is Fault.STOP_LOST:
                for algo in self.open_algos():
                    del self.algos[algo.algo_id]
            elif fault is Fault.INSURANCE_CLEAR:
                self.insurance_clear(Decimal(str(terms.get("usdt", 0))))
            else:
                self.on_fault(fault)

    def _deleverage_by_wave(self) -> None:
        for leg in LEGS:
            held = self.ledger.qty(leg)
            if held == 0:
                continue
            rank = self.ledger.rank(leg, self.mark)
            size = self._scene.deleverages(float(held), rank)
            if size > 0.0:
                self.deleverage(leg, min(1.0, size / abs(float(held))))

    def _watch_margin(self, mark: float) -> None:
        if self.ledger.is_flat():
            return
        ratio = self.ledger.ratio(mark)
        if ratio < 1.0:
            if ratio >= CALL_RATIO and not self._called:
                held = [leg for leg in self.ledger.legs(mark) if leg.qty_ltc != 0]
                at = Decimal(f"{mark:.8f}")
                wallet = self.ledger.cross_wallet()
                self._tell(MarginCalled(self.matching.now_ms, wallet, at, tuple(held)))
            self._called = ratio >= CALL_RATIO
            return
        self.matching.cancel_all("liquidation")
        for algo in self.open_algos():
            self._move(algo, "CANCELED")
        closings, insured = self.ledger.liquidate(mark)
        for forced in closings:
            self._close(forced, "liquidation")
        if insured > 0:
            self.matching.tell_account("INSURANCE_CLEAR", (), insured)

    def _close(self, forced: Forced, kind: str) -> None:
        matching = self.matching
        if kind == "adl":
            client_id = "adl_autoclose"
        else:
            client_id = f"autoclose-{matching.now_ms}{forced.leg:06d}"
        order = matching.forced(
            "adl" if kind == "adl" else "liquidation", client_id, forced.leg, forced.qty_ltc,
            forced.price_usdt.quantize(self.terms.tick_usdt), forced.realised_usdt,
            forced.fee_usdt,
        )  # fmt: skip
        self.history.forced.append(order)
        matching.tell_account("ORDER", (forced.leg,))
        if kind != "adl":
            at = order.fills[0].price_usdt
            self._tell(Closed(matching.now_ms, forced.qty_ltc < 0, abs(forced.qty_ltc), at))
            usdt = float(forced.qty_ltc) * float(at)
            self._scene.trade(usdt)

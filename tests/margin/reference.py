"""The margin account once more, in plain Python, from first principles: slow and readable.

Used by tests alone. Nothing here is taken from the package; maintenance is the integral of the
marginal rates instead of the venue's cumulative amounts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TierRow = tuple[float, float]  # floor in USDT, maintenance rate above it


def maintenance(notional: float, tiers: list[TierRow]) -> float:
    """Sum, over the tiers, of the notional that lies in each times its rate."""
    total = 0.0
    ceilings = [floor for floor, _ in tiers[1:]] + [float("inf")]
    for (floor, rate), ceiling in zip(tiers, ceilings, strict=True):
        if notional > floor:
            total += rate * (min(notional, ceiling) - floor)
    return total


@dataclass
class Leg:
    """One side of the account: signed size, average entry, and where its margin comes from."""

    wallet: int
    leverage: float
    isolated: bool = False
    qty: float = 0.0
    entry: float = 0.0
    margin: float = 0.0

    def profit(self, mark: float) -> float:
        return self.qty * (mark - self.entry)


@dataclass
class Pot:
    """What shares margin: one cash amount and the legs that it backs."""

    legs: list[Leg]
    wallet: int
    isolated: bool


@dataclass
class Account:
    """Two wallets and two legs; leg 0 is the position, leg 1 the hedge."""

    wallets: list[float]
    legs: list[Leg]
    tiers: list[TierRow]
    fees: float = 0.0
    funding: float = 0.0
    clearance: float = 0.0
    insurance: float = 0.0
    realised: float = 0.0
    liquidations: int = 0
    slippage: float = 0.0
    traded: float = 0.0
    pots: list[Pot] = field(default_factory=list)

    def __post_init__(self) -> None:
        for wallet in (0, 1):
            shared = [leg for leg in self.legs if not leg.isolated and leg.wallet == wallet]
            self.pots.append(Pot(shared, wallet, isolated=False))
        for leg in self.legs:
            alone = [leg] if leg.isolated else []
            self.pots.append(Pot(alone, leg.wallet, isolated=True))

    # --- reading

    def cash(self, pot: Pot) -> float:
        if pot.isolated:
            return sum(leg.margin for leg in pot.legs)
        return self.wallets[pot.wallet]

    def add_cash(self, pot: Pot, amount: float) -> None:
        if pot.isolated:
            pot.legs[0].margin += amount
        else:
            self.wallets[pot.wallet] += amount

    def gap(self, pot: Pot, mark: float) -> float:
        """Equity minus maintenance of a pot."""
        owned = self.cash(pot) + sum(leg.profit(mark) for leg in pot.legs)
        needed = sum(maintenance(abs(leg.qty) * mark, self.tiers) for leg in pot.legs)
        return owned - needed

    def is_exposed(self, pot: Pot) -> bool:
        return any(leg.qty != 0.0 for leg in pot.legs)

    def is_alive(self, mark: float) -> bool:
        return all(self.gap(pot, mark) > 0.0 for pot in self.pots if self.is_exposed(pot))

    def equity(self, mark: float) -> float:
        margins = sum(leg.margin for leg in self.legs)
        return sum(self.wallets) + margins + sum(leg.profit(mark) for leg in self.legs)

    def margin_ratio(self, mark: float) -> float:
        worst = 0.0
        for pot in self.pots:
            needed = sum(maintenance(abs(leg.qty) * mark, self.tiers) for leg in pot.legs)
            owned = self.cash(pot) + sum(leg.profit(mark) for leg in pot.legs)
            if needed > 0.0:
                worst = max(worst, needed / owned if owned > 0.0 else float("inf"))
        return worst

    def death_prices(self, mark: float) -> tuple[float, float]:
        """First prices below and above `mark` at which something is liquidated, by bisection."""
        assert self.is_alive(mark)
        low, high = 0.0, float("inf")
        dead = mark
        while dead > 1e-12 * mark and self.is_alive(dead):
            dead *= 0.8
        if not self.is_alive(dead):
            low = self._bisect(dead, dead / 0.8)
        dead = mark
        while dead < 1e9 * mark and self.is_alive(dead):
            dead *= 1.25
        if not self.is_alive(dead):
            high = self._bisect(dead, dead / 1.25)
        return low, high

    def _bisect(self, dead: float, alive: float) -> float:
        for _ in range(80):
            middle = 0.5 * (dead + alive)
            if self.is_alive(middle):
                alive = middle
            else:
                dead = middle
        return dead

    # --- changing

    def fill(self, number: int, qty: float, price: float, fee: float, slippage: float) -> None:
        """Trade `qty` of a leg: first what closes it, then what opens it the other way."""
        leg = self.legs[number]
        closes = 0.0
        if leg.qty * qty < 0.0:
            closes = min(abs(qty), abs(leg.qty)) * (1.0 if qty > 0.0 else -1.0)
        opens = qty - closes
        if closes != 0.0:
            share = abs(closes / leg.qty)
            profit = -closes * (price - leg.entry)
            self.wallets[leg.wallet] += profit
            self.realised += profit
            if leg.isolated:
                released = leg.margin * share
                leg.margin -= released
                self.wallets[leg.wallet] += released
            leg.qty = 0.0 if share == 1.0 else leg.qty + closes
        if abs(leg.qty) < 1e-12:
            leg.qty = leg.entry = 0.0
        if opens != 0.0:
            before = leg.qty * leg.entry
            leg.qty += opens
            leg.entry = (before + opens * price) / leg.qty
            if leg.isolated:
                margin = abs(opens) * price / leg.leverage
                leg.margin += margin
                self.wallets[leg.wallet] -= margin
        self.wallets[leg.wallet] -= fee
        self.fees += fee
        self.slippage += slippage
        self.traded += abs(qty) * price

    def settle(self, mark: float, rate: float) -> None:
        """Longs pay shorts a positive rate, on the notional at mark."""
        for leg in self.legs:
            amount = leg.qty * mark * rate
            if leg.isolated:
                leg.margin -= amount
            else:
                self.wallets[leg.wallet] -= amount
            self.funding += amount

    def transfer(self, source: int, target: int, amount: float) -> None:
        self.wallets[source] -= amount
        self.wallets[target] += amount

    def deleverage(self, number: int, share: float, price: float) -> None:
        self.fill(number, -self.legs[number].qty * share, price, 0.0, 0.0)

    def liquidate(self, price: float, clearance: float) -> bool:
        """Close what every pot under maintenance must close at `price`."""
        happened = False
        for pot in self.pots:
            notional = sum(abs(leg.qty) * price for leg in pot.legs)
            slack = 1e-9 * notional
            if notional == 0.0 or self.gap(pot, price) > slack:
                continue
            happened = True
            self.liquidations += 1
            self._net(pot, price)
            for leg in pot.legs:
                for floor, _ in reversed(self.tiers):
                    kept = floor / price
                    if self.gap(pot, price) <= slack and abs(leg.qty) > kept:
                        self._force(pot, leg, abs(leg.qty) - kept, price, clearance)
            if self.is_exposed(pot):
                continue
            if self.cash(pot) < 0.0:
                self.insurance -= self.cash(pot)
                self.add_cash(pot, -self.cash(pot))
            if pot.isolated:
                rest = self.cash(pot)
                pot.legs[0].margin = 0.0
                self.wallets[pot.wallet] += rest
        return happened

    def _net(self, pot: Pot, price: float) -> None:
        if len(pot.legs) == 2 and pot.legs[0].qty * pot.legs[1].qty < 0.0:
            common = min(abs(leg.qty) for leg in pot.legs)
            for leg in pot.legs:
                self._force(pot, leg, common, price, 0.0)

    def _force(self, pot: Pot, leg: Leg, size: float, price: float, clearance: float) -> None:
        signed = -size if leg.qty > 0.0 else size
        profit = -signed * (price - leg.entry)
        self.add_cash(pot, profit)
        self.realised += profit
        leg.qty += signed
        if abs(leg.qty) < 1e-12:
            leg.qty = leg.entry = 0.0
        fee = min(size * price * clearance, max(self.cash(pot), 0.0))
        self.add_cash(pot, -fee)
        self.clearance += fee
        self.traded += size * price


def open_account(
    wallet: float, qty: float, entry: float, leverage: float, tiers: list[TierRow], *,
    isolated: bool = False, second_wallet: float | None = None,
) -> Account:  # fmt: skip
    """Open a position that the user holds; with a second wallet the hedge lives there."""
    position = Leg(0, leverage, isolated, qty, entry)
    hedge = Leg(0 if second_wallet is None else 1, leverage, isolated and second_wallet is None)
    wallets = [wallet, second_wallet or 0.0]
    if isolated:
        position.margin = abs(qty) * entry / leverage
        wallets[0] -= position.margin
    return Account(wallets, [position, hedge], tiers)

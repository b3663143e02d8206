"""The margin account: wallets, legs, maintenance tiers, funding, fees, liquidation, ADL."""

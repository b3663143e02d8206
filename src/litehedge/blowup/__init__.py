"""The blow-up study: many traders live six months in simulated worlds, hedged and not."""

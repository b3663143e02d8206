"""Learning from the lake and from simulated worlds, and judging what was learnt."""

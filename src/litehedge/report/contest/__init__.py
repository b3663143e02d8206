"""Policies against each other: in bad times, at equal hedge, by kind of market, and by luck."""

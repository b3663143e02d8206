"""Forecasters judged: what they said of a span, beside each other, with parts taken away."""

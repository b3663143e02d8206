"""Forecasters that the network has to beat, behind the same interface."""

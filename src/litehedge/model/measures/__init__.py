"""Measures of forecast skill: proper scores, ranks, calibration, alarms, the course of a squeeze.

All are pure functions of what happened (`trial.Trial`) and what was foretold, with intervals from
one bootstrap over blocks of events, so that two forecasters can be compared draw by draw.
"""

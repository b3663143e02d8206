"""Crises by name: days that every forecaster and every policy is asked about one by one."""

from __future__ import annotations

from typing import Final, NamedTuple


class Span(NamedTuple):
    """A crisis by name; UTC dates."""

    name: str
    start: str
    end: str


CRISES: Final = (
    Span("2021-05-19, leverage flushed", "2021-05-17", "2021-05-27"),
    Span("2022-05, Terra and LUNA", "2022-05-07", "2022-05-15"),
    Span("2022-06, Celsius and 3AC", "2022-06-11", "2022-06-20"),
    Span("2022-11, FTX", "2022-11-06", "2022-11-14"),
    Span("2023-08-17", "2023-08-15", "2023-08-21"),
)

"""Which sources there are, by name: what `litehedge data record --venue NAME` listens to.

A factory returns the sources of one venue, or of one group of feeds such as the chain. Modules are
imported when their sources are asked for, so that one that is not set up costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

import aiohttp

from litehedge.errors import UsageError
from litehedge.ports import Source

Factory = Callable[[aiohttp.ClientSession, str], Sequence[Source]]
"""Given the session to connect with and a symbol (``LTCUSDT``), return the sources."""

_PLACES: Final[dict[str, str]] = {
    "binance": "litehedge.venues.binance:sources",
    "bybit": "litehedge.venues.bybit:sources",
}
"""Name -> where its factory is: ``module:function``."""

_REGISTERED: Final[dict[str, Factory]] = {}


def register(name: str, factory: Factory) -> None:
    """Make sources known under a name, or replace those that are."""
    _REGISTERED[name] = factory


def names() -> list[str]:
    """Return what can be asked for."""
    return sorted({*_PLACES, *_REGISTERED})


def sources_for(name: str, session: aiohttp.ClientSession, symbol: str) -> list[Source]:
    """Return the sources of a venue or group.

    Raises
    ------
    UsageError
        When there is none of that name, or it is not part of this installation.
    """
    factory = _REGISTERED.get(name)
    if factory is None:
        place = _PLACES.get(name)
        if place is None:
            raise UsageError(f"there is no venue {name}", f"choose from: {', '.join(names())}")
        module, function = place.split(":")
        try:
            factory = getattr(import_module(module), function)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"the sources of {name} cannot be loaded ({error})",
                "install litehedge with what they need, or leave them out",
            ) from None
    return list(factory(session, symbol))

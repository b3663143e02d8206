"""What a person asks for in a small form, as the arguments of a command; pure.

Each function returns the arguments and what is wrong, by field: nothing is started while anything
is. Values stand behind ``=`` in their argument, so that none can be taken for an option.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from litehedge.config import Position, VenueName
from litehedge.errors import LitehedgeError, UsageError
from litehedge.live.session import session_at
from litehedge.squeeze.labels import SIDES
from litehedge.units import instant_ns, iso_utc

Arguments = tuple[list[str], dict[str, str]]

VENUES: Final[tuple[str, ...]] = get_args(VenueName)
MAX_LEVERAGE: Final = next(
    float(one.le)  # as the setting has it
    for one in Position.model_fields["leverage"].metadata
    if hasattr(one, "le")
)


def backtest(
    typed: Mapping[str, Any], spans: Mapping[str, tuple[int, int]], policies: Sequence[str]
) -> Arguments:
    """Return the arguments of a backtest.

    Parameters
    ----------
    typed
        ``data``, ``side``, ``leverage``, ``wallet``, ``policy``, ``from``, ``to``.
    spans
        First and last moment in ns of each data set.
    policies
        Their names.
    """
    wrong: dict[str, str] = {}
    data = str(typed.get("data") or "")
    if data not in spans:
        wrong["data"] = "Choose a data set."
    position = _position(typed, wrong)
    policy = _one_of(typed, "policy", policies, wrong)
    begin = _moment(typed, "from", wrong)
    until = _moment(typed, "to", wrong)
    if data in spans and not wrong:
        first, last = spans[data]
        covers = f"{data} has {iso_utc(first)[:10]} to {iso_utc(last)[:10]}."
        if begin and not first <= begin < last:
            wrong["from"] = covers
        if until and not first < until <= last:
            wrong["to"] = covers
        if begin and until and begin >= until:
            wrong["to"] = "The last day must lie behind the first one."
    arguments = [
        "backtest", f"--data={data}", *position, f"--policy={policy}", "--decisions=none",
    ]  # fmt: skip
    arguments += [f"--from={typed['from']}"] if typed.get("from") else []
    arguments += [f"--to={typed['to']}"] if typed.get("to") else []
    return arguments, wrong


def study(typed: Mapping[str, Any]) -> Arguments:
    """Return the arguments of a blow-up study: ``worlds``, ``days``."""
    wrong: dict[str, str] = {}
    worlds = _whole(typed, "worlds", 2, 200, wrong)
    days = _whole(typed, "days", 2, 365, wrong)
    arguments = ["study", "blowup", f"--worlds={worlds}", f"--days={days}", "--jobs=1"]
    return [*arguments, "--no-keep"], wrong  # who asked keeps it


def session_report(name: str) -> list[str]:
    """Return the arguments of the report of a paper or live session."""
    return ["report", name]


def ledger(name: str) -> list[str]:
    """Return the arguments of the ledger of what was done by hand in a session."""
    return ["override", "ledger", name]


def paper(
    typed: Mapping[str, Any], policies: Sequence[str], presets: Sequence[str],
    names: Sequence[str] = (),
) -> Arguments:  # fmt: skip
    """Return the arguments of a new paper session.

    Parameters
    ----------
    typed
        ``name``, ``venue``, ``side``, ``leverage``, ``wallet``, ``policy``, ``rules`` (or "").
    policies, presets
        Names of policies and of rules that ship.
    names
        Of sessions that there are: a new one needs another.
    """
    wrong: dict[str, str] = {}
    name = str(typed.get("name") or "").strip()
    try:
        session_at(Path(), name)
    except UsageError as error:
        wrong["name"] = f"{error.remedy.capitalize()}."
    if name in names:
        wrong["name"] = f"There is a session {name}: take another name, or start that one again."
    position = _position(typed, wrong)
    policy = _one_of(typed, "policy", policies, wrong)
    venue = _one_of(typed, "venue", VENUES, wrong)
    rules = str(typed.get("rules") or "")
    if rules and rules not in presets:
        wrong["rules"] = "Choose one of the list."
    arguments = [
        "paper", f"--name={name}", f"--venue={venue}", *position, f"--policy={policy}",
        f"--rules={rules or 'none'}", "--no-ui",
    ]  # fmt: skip
    return arguments, wrong


def _position(typed: Mapping[str, Any], wrong: dict[str, str]) -> list[str]:
    side = _one_of(typed, "side", SIDES, wrong)
    leverage = _number(typed, "leverage", wrong, up_to=MAX_LEVERAGE)
    wallet = _number(typed, "wallet", wrong)
    return [f"--side={side}", f"--leverage={leverage:.12g}", f"--wallet={wallet:.12g}"]


def _one_of(
    typed: Mapping[str, Any], name: str, choices: Sequence[str], wrong: dict[str, str]
) -> str:
    value = str(typed.get(name) or "")
    if value not in choices:
        wrong[name] = "Choose one of the list."
    return value


def _number(
    typed: Mapping[str, Any], name: str, wrong: dict[str, str], up_to: float = math.inf
) -> float:
    try:
        value = float(str(typed.get(name, "")).strip())
    except ValueError:
        wrong[name] = "This must be a number."
        return math.nan
    if not 0.0 < value <= up_to or math.isinf(value):
        limit = f" and at most {up_to:g}" if math.isfinite(up_to) else ""
        wrong[name] = f"This must be above 0{limit}."
    return value


def _whole(typed: Mapping[str, Any], name: str, low: int, high: int, wrong: dict[str, str]) -> int:
    try:
        value = int(str(typed.get(name, "")).strip())
    except ValueError:
        wrong[name] = "This must be a whole number."
        return low
    if not low <= value <= high:
        wrong[name] = f"This must be {low} to {high}."
    return value


def _moment(typed: Mapping[str, Any], name: str, wrong: dict[str, str]) -> int:
    text = str(typed.get(name) or "").strip()
    if not text:
        return 0
    try:
        return instant_ns(text)
    except (LitehedgeError, ValueError):
        wrong[name] = "This must be a day, such as 2024-05-31."
        return 0

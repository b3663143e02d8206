"""The sheets of style do not speak over each other."""

from __future__ import annotations

import re
from collections import Counter

from litehedge.ui.theme import CSS
from litehedge.ui.theme_forms import FORMS


def _alone(css: str) -> set[str]:
    """Return the classes that a sheet gives a rule of their own."""
    return set(re.findall(r"^\.(hg-[a-z0-9-]+) \{", css, flags=re.M))


def test_no_class_is_described_in_two_sheets():
    both = _alone(CSS) & _alone(FORMS)
    shared = {name for name in both if _rule(CSS, name) != _rule(FORMS, name)}
    assert not shared


def test_no_class_is_described_twice_in_one_sheet():
    for css in (CSS, FORMS):
        plain = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", css)
        told = Counter(re.findall(r"^\.(hg-[a-z0-9-]+) \{", plain, flags=re.M))
        assert not [name for name, count in told.items() if count > 1]


def _rule(css: str, name: str) -> str:
    found = re.search(rf"^\.{name} \{{([^}}]*)\}}", css, flags=re.M)
    assert found is not None
    return " ".join(found[1].split())

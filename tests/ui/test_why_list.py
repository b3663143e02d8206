"""The list of decisions, as elements of a page."""

from __future__ import annotations

import pytest
from nicegui import Client, ui
from test_reasons import decision

from litehedge.store.lookback import Found
from litehedge.ui import why


@pytest.mark.parametrize("show", ['x" :a="alert(1)', 'x" onmouseover="alert(1)', "<b>", "refused"])
def test_what_an_address_asks_for_becomes_no_attribute_of_the_page(show):
    listed = [Found(1, i, decision()) for i in range(why.PER_PAGE + 1)]
    with Client(ui.page("/why"), request=None) as client:
        why._list("paper", listed, show, listed[0])
        links = [one for one in client.elements.values() if one.tag == "a"]
    assert len(links) > why.PER_PAGE
    for one in links:
        assert set(one.props) <= {"href", "data-state", "aria-current"}
        assert show == "refused" or show not in one.props["href"]

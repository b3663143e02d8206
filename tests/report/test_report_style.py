"""How numbers are written: the same everywhere, and honest about what is not known."""

from __future__ import annotations

import pytest

from litehedge.report.markup import Safe, javascript, safe
from litehedge.report.style import amount, counted, number, percent, usdt

NAN = float("nan")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (percent(0.36), "36.0%"),
        (percent(0.36, 0), "36%"),
        (percent(0.004, signed=True), "+0.4%"),
        (percent(-12.345), "-1,234.5%"),
        (percent(-0.00001, signed=True), "0.0%"),
        (percent(NAN), "n/a"),
        (usdt(1234.5), "1,234 USDT"),
        (usdt(-12.345, signed=True), "-12.35 USDT"),
        (usdt(0.0, signed=True), "0.00 USDT"),
        (usdt(NAN), "n/a"),
        (amount(99.999), "100.00"),
        (number(-0.04), "0.0"),
        (number(float("inf")), "n/a"),
        (counted(1, "trade"), "1 trade"),
        (counted(1200, "trade"), "1,200 trades"),
    ],
)
def test_numbers_are_written_like_this(written: str, expected: str) -> None:
    assert written == expected


def test_text_is_escaped_once() -> None:
    assert safe("<b>&") == "&lt;b&gt;&amp;"
    assert safe(safe("<b>&")) == "&lt;b&gt;&amp;"
    assert isinstance(safe("x"), Safe)


def test_a_key_with_a_colon_is_javascript_and_everything_else_is_data() -> None:
    option = {":formatter": "v => v + 1", "a<": ["</script>", None, {"b": True}], "c": [1.5, [2]]}
    written = javascript(option)
    assert written == (
        '{"formatter":v => v + 1,"a\\u003c":["\\u003c/script\\u003e",null,{"b":true}],'
        '"c":[1.5,[2]]}'
    )


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        javascript({"a": NAN})

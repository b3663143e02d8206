"""The file of exchange addresses: what ships is honest, what people write is checked."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import DataError
from litehedge.feeds.exchange_tags import SHIPPED, parse_tags, read_tags, usual_address

HEAD = "address,exchange,confidence\n"
COLD = "M8T1B2Z97gVdvmfkQcAtYbEepune1tzGua"
BECH32 = "ltc1qr07zu594qf63xm7l7x6pu3a2v39m2z6hh5pp4t"


@given(st.text())
def test_any_text_is_tags_or_a_data_error(text: str) -> None:
    for candidate in (text, HEAD + text):
        with contextlib.suppress(DataError):
            parse_tags(candidate)


@given(st.integers(0, len(COLD) - 1), st.sampled_from("123456789ABCDEFGHJKLMNPQRSTUVWXYZabc"))
def test_a_mistyped_letter_is_found(at: int, letter: str) -> None:
    mistyped = COLD[:at] + letter + COLD[at + 1 :]
    if mistyped != COLD:
        with pytest.raises(ValueError, match="checksum"):
            usual_address(mistyped)


def test_what_ships_says_that_it_is_not_verified() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert "NOT VERIFIED" in text
    assert all(tag.confidence < 0.5 for tag in read_tags().values())
    assert read_tags(least_confidence=0.9) == {}


def test_lines_of_people() -> None:
    tags = parse_tags(f"# mine\n{HEAD}{BECH32.upper()}, Kraken ,0.7 # seen\n\n{COLD},binance,1")
    assert tags[BECH32].exchange == "kraken"
    assert tags[COLD].confidence == 1.0


def test_the_old_form_of_an_address_is_read_as_the_new() -> None:
    assert usual_address("3Lq1u3Gr7vo5ogcQPEjfU5r8MHUFfC4ini").startswith("M")


def test_all_wrong_lines_are_named() -> None:
    text = f"{HEAD}{COLD},binance,2\n{COLD[:-1]}x,b,1\n{COLD},,1\n{COLD},b\n{COLD},b,much"
    with pytest.raises(DataError) as caught:
        parse_tags(text, "mine.csv")
    for number in range(2, 7):
        assert f"line {number}" in str(caught.value)


def test_a_missing_file_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        read_tags(tmp_path / "none.csv")

"""The builder's page without a browser: what is typed and tapped reaches the draft and the file."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path

from nicegui.testing import User, user_simulation

from litehedge.ui import builder_market as market_of
from litehedge.ui import builder_test as bt
from litehedge.ui.builder import builder
from litehedge.ui.watching import Home


class Asked:
    """Stands where the process that tries drafts is, and answers at once."""

    def __init__(self) -> None:
        self.questions: list[market_of.Question] = []

    async def ask(self, question: market_of.Question, hear: Callable[[bt.Answer], None]) -> None:
        self.questions.append(question)
        figures = bt.Figures(14, 6, 11, 19.0, 0.0014, 0.0, 0, 2, 0.3, 0.0, 0.0)
        market = market_of.Market("made", 0, 90 * 86_400 * 10**9, 1.0, "m", True, False)
        hear(bt.Answer(question.page, question.number, market=market, figures=figures))

    def forget(self, page: str) -> None:
        pass


def on_the_page(root: Path, act: Callable[[User, Asked], Awaitable[None]]) -> None:
    asked = Asked()

    async def page() -> None:
        await builder(Home(root), asked, "", "balanced")  # type: ignore[arg-type]

    async def run() -> None:
        async with user_simulation(page) as user:
            await user.open("/")
            await user.should_see("In words")
            await act(user, asked)

    asyncio.run(run())


def test_the_page_says_rules_and_what_they_would_have_done(tmp_path: Path) -> None:
    async def act(user: User, asked: Asked) -> None:
        await user.should_see("Hedge at least 25 % when the distance to liquidation is below 15 %")
        await user.should_see("Would have hedged 14 times, caught 6 of 11, median 19 min early")
        await user.should_see("learnt from these days")
        assert asked.questions[-1].data == market_of.SIMULATED

    on_the_page(tmp_path, act)


def test_what_is_saved_is_what_was_shown_and_undo_takes_back(tmp_path: Path) -> None:
    async def act(user: User, asked: Asked) -> None:
        user.find(marker="save").click()
        await user.should_see("Saved to")
        tree = tomllib.loads((tmp_path / "rules" / "my-balanced.toml").read_text())
        assert [rule["name"] for rule in tree["rules"]] == [
            "within reach", "near and moving", "far and calm"
        ]  # fmt: skip
        user.find(marker="name").clear().type("other")
        await user.should_see("other")
        asked_before = asked.questions[-1].number
        user.find(marker="undo").click()
        await user.should_see("my-balanced")
        assert asked.questions[-1].number >= asked_before

    on_the_page(tmp_path, act)


def test_a_wrong_name_is_told_and_nothing_is_saved(tmp_path: Path) -> None:
    async def act(user: User, asked: Asked) -> None:
        user.find(marker="name").clear().type("balanced")
        await user.should_see("is the name of a preset")
        user.find(marker="save").click()
        await user.should_see("Not saved: 1 field to mend first.")
        assert not (tmp_path / "rules").exists()

    on_the_page(tmp_path, act)

"""The screen's server: pages, and the guard in front of all of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response
from nicegui import app as nicegui_app
from nicegui import run, ui
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from litehedge.ui import api, health, login, panic
from litehedge.ui.begin import begin
from litehedge.ui.binding import Binding
from litehedge.ui.builder import builder
from litehedge.ui.builder_ask import Tests
from litehedge.ui.desk import desk
from litehedge.ui.door import Door
from litehedge.ui.guard import Guard
from litehedge.ui.map import map_page
from litehedge.ui.models import models
from litehedge.ui.once import Once
from litehedge.ui.reports import SHEET_POLICY, SHEETS, SHIPPED, reports, shipped_sheet
from litehedge.ui.settings import settings
from litehedge.ui.tools import Tools
from litehedge.ui.watching import EVERY_S, Home
from litehedge.ui.why import why

log = logging.getLogger("litehedge.ui")

PATIENCE_S: Final = 30.0
"""How long a page may take: the first look at a long journal does."""

RECONNECT_S: Final = 20.0
"""How long a page is kept whose phone lost the network: it goes on where it was."""

TAB_S: Final = 60.0
"""How long NiceGUI keeps what it may store for a tab, where we store nothing; else it is 30 days,
and every page that was ever opened leaves something behind."""

STATIC: Final = Path(__file__).parent / "static"


def create(home: Home, door: Door, binding: Binding, tools: Tools | None = None) -> ASGIApp:
    """Return the screen as an ASGI application, with the guard in front of all of it.

    Parameters
    ----------
    tools
        Settings file and commands; by default those of this process and of the home folder.
    """
    shared = Tools.at(home.root) if tools is None else tools

    trying = Tests(home.root)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(_look(home))
        await run.io_bound(home.meant)
        yield
        looking.cancel()
        await trying.close()
        home.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    once = Once(home.root / "ui")
    app.router.routes.extend(
        [*login.routes(door, binding), *panic.routes(home, once), *health.routes(home)]
    )
    app.mount(api.AT, api.api(home, once, binding))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @ui.page("/", response_timeout=PATIENCE_S)
    async def desk_page(session: str = "") -> None:
        await desk(home, session)

    @ui.page("/builder", response_timeout=PATIENCE_S)
    async def builder_page(session: str = "", rules: str = "") -> None:
        await builder(home, trying, session, rules)

    @ui.page("/why", response_timeout=PATIENCE_S)
    async def why_page(session: str = "", at: int = 0, show: str = "", before: int = 0) -> None:
        await why(home, session, at, show, before)

    @ui.page("/map", response_timeout=PATIENCE_S)
    async def map_(session: str = "") -> None:
        await map_page(home, session)

    @ui.page("/reports", response_timeout=PATIENCE_S)
    async def reports_page(session: str = "", one: str = "", other: str = "") -> None:
        await reports(home, shared, session, one, other)

    @app.get(SHEETS + "{name}")
    def sheet(name: str) -> Response:
        headers = {"content-security-policy": SHEET_POLICY, "x-content-type-options": "nosniff"}
        if name == SHIPPED:
            return Response(shipped_sheet(), media_type="text/html", headers=headers)
        file = shared.workshop.sheet(name)
        if file is None:
            return Response("There is no such report.", 404, media_type="text/plain")
        return FileResponse(file, media_type="text/html", headers=headers)

    @ui.page("/models", response_timeout=PATIENCE_S)
    async def models_page(session: str = "") -> None:
        await models(home, shared, session)

    @ui.page("/settings", response_timeout=PATIENCE_S)
    async def settings_page(session: str = "") -> None:
        await settings(home, shared, session)

    @ui.page("/begin", response_timeout=PATIENCE_S)
    async def begin_page(session: str = "", name: str = "") -> None:
        await begin(home, shared, session, name)

    nicegui_app.storage.max_tab_storage_age = TAB_S
    ui.run_with(
        app, title="litehedge", dark=True, language="en-US", show_welcome_message=False,
        reconnect_timeout=RECONNECT_S, favicon=STATIC / "icon.svg",
    )  # fmt: skip
    return Guard(app, door=door, binding=binding)


async def _look(home: Home) -> None:
    """Look at the journals, for ever."""
    while True:
        home.look()
        await asyncio.sleep(EVERY_S)

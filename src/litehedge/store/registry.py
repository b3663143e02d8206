"""The registry of models: versions, and which of them serves, for each length of frames.

A version is an artefact that was copied in, with its card and what it came from. Three roles point
at versions: the *champion*, which sessions that choose by themselves use; the *challenger*, which
is to be tried against it; the *previous* champion, which a rollback brings back. Roles change in
one transaction, together with a row of history that says when, who and why. SQLite by default, a
server's database by URL; artefacts lie in a folder beside it (`store.artefacts`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from litehedge.errors import LitehedgeError, RegistryError, UsageError
from litehedge.model import artefact
from litehedge.model.artefact import Card
from litehedge.store.artefacts import Artefacts
from litehedge.store.places import hidden, lock_key, server_engine
from litehedge.store.transaction import first_line
from litehedge.store.upgrade import kind_of, prepare
from litehedge.store.versions import ROLES, Act, Change, Held, Lineage, Role, Version
from litehedge.units import NS_PER_SECOND, describe_ns

FORMAT: Final = 1
FILE: Final = "registry.sqlite"
FOLDER: Final = "registry"
ARTEFACTS: Final = "artefacts"
WAIT_S: Final = 5.0
GOES_ON: Final = "nothing was changed: sessions go on with the model that they have"

_META = sa.MetaData()
_FORMATS = sa.Table(
    "registry_format", _META, sa.Column("format", sa.Integer, primary_key=True, autoincrement=False)
)
_VERSIONS = sa.Table(
    "model_versions", _META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("frame_s", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("card", sa.LargeBinary, nullable=False),
    sa.Column("lineage", sa.LargeBinary, nullable=False),
    sa.Column("time_ns", sa.BigInteger, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.UniqueConstraint("name", "number"),
    sa.UniqueConstraint("name", "sha256"),
)  # fmt: skip
_ROLES = sa.Table(
    "model_roles", _META,
    sa.Column("frame_s", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("role", sa.String(20), primary_key=True),
    sa.Column("version", sa.Integer, sa.ForeignKey("model_versions.id"), nullable=False),
    sa.Column("time_ns", sa.BigInteger, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)  # fmt: skip
_HISTORY = sa.Table(
    "model_history", _META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("time_ns", sa.BigInteger, nullable=False),
    sa.Column("frame_s", sa.Integer, nullable=False),
    sa.Column("act", sa.String(20), nullable=False),
    sa.Column("version", sa.Integer, sa.ForeignKey("model_versions.id"), nullable=False),
    sa.Column("before", sa.Integer, sa.ForeignKey("model_versions.id")),  # champion before it
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)  # fmt: skip

REGISTRY: Final = kind_of("registry", _META, _VERSIONS.name, "0001")


class Registry:
    """Versions and roles in a database, artefacts in a folder.

    Parameters
    ----------
    folder
        Where artefacts lie, and the database, unless there is another `url`.
    url
        Of a database; empty: a file in `folder`.

    Raises
    ------
    RegistryError
        When the database cannot be opened or is not a registry of this format.
    """

    def __init__(self, folder: Path, url: str = "") -> None:
        self.artefacts = Artefacts(folder / ARTEFACTS)
        self._where = hidden(url) if url else str(folder / FILE)
        path = None if url else folder / FILE
        try:
            if path is None:
                self._engine = server_engine(url)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                self._engine = sa.create_engine(
                    f"sqlite:///{path}", connect_args={"timeout": WAIT_S}
                )
            self._is_file = self._engine.dialect.name == "sqlite"
            if self._is_file:
                sa.event.listen(self._engine, "connect", _durable)
            prepare(self._engine, REGISTRY, path)
        except (SQLAlchemyError, sqlite3.Error, ImportError, OSError, LitehedgeError) as error:
            raise self._refused(error) from None
        self._check_format()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # --- reading ------------------------------------------------------------------------------

    def versions(self) -> list[Version]:
        """Return all versions, by name and number."""
        query = sa.select(_VERSIONS).order_by(_VERSIONS.c.name, _VERSIONS.c.number)
        with self._reads() as connection:
            return [_version(row) for row in connection.execute(query)]

    def find(self, name: str) -> Version:
        """Return the version called `name`: ``deep@2``, or ``deep`` for its newest.

        Raises
        ------
        UsageError
            When there is none.
        """
        stem, _, number = name.partition("@")
        query = sa.select(_VERSIONS).where(_VERSIONS.c.name == stem)
        if number:
            wanted = int(number) if number.isascii() and number.isdigit() else -1
            query = query.where(_VERSIONS.c.number == wanted)
        with self._reads() as connection:
            row = connection.execute(query.order_by(_VERSIONS.c.number.desc()).limit(1)).first()
        if row is None:
            raise UsageError(
                f"the registry has no model {name!r}",
                "see: litehedge models list; add one with: litehedge models register",
            )
        return _version(row)

    def held(self, frame_s: int | None = None) -> list[Held]:
        """Return who holds which role, by frame length; of one length alone if it is given."""
        query = sa.select(_ROLES, _VERSIONS).join(_VERSIONS, _ROLES.c.version == _VERSIONS.c.id)
        if frame_s is not None:
            query = query.where(_ROLES.c.frame_s == frame_s)
        with self._reads() as connection:
            rows = connection.execute(query).all()
        found = [Held(r[1], _version(r[6:]), r[3], r[4], r[5]) for r in rows]
        return sorted(found, key=lambda h: (h.version.frame_s, ROLES.index(h.role)))

    def holder(self, role: Role, frame_s: int) -> Version | None:
        """Return the version that holds a role, None where nobody does."""
        return next((h.version for h in self.held(frame_s) if h.role == role), None)

    def history(self, frame_s: int | None = None, most: int = 100) -> list[Change]:
        """Return what was done, the newest first."""
        query = sa.select(_HISTORY).order_by(_HISTORY.c.id.desc()).limit(most)
        if frame_s is not None:
            query = query.where(_HISTORY.c.frame_s == frame_s)
        with self._reads() as connection:
            rows = connection.execute(query).all()
            known = {row[0]: _version(row) for row in connection.execute(sa.select(_VERSIONS))}
        return [
            Change(r.time_ns, r.frame_s, r.act, known[r.version], known.get(r.before), r.who, r.why)
            for r in rows
        ]

    def judgements(self, frame_s: int) -> int:
        """Return how often a challenger was ever judged: what luck has to be told from."""
        query = sa.select(sa.func.count()).where(
            _HISTORY.c.frame_s == frame_s, _HISTORY.c.act == "judge"
        )
        with self._reads() as connection:
            return int(connection.execute(query).scalar() or 0)

    def folder(self, version: Version) -> Path:
        """Return the folder of a version's artefact, which is there and whole.

        Raises
        ------
        ArtefactError
            When it is not.
        """
        return self.artefacts.check(version.sha256, version.name)

    # --- changing -----------------------------------------------------------------------------

    def register(
        self, source: Path, name: str, lineage: Lineage, *, now_ns: int, who: str, why: str,
        challenges: bool = True, expires_days: int | None = None,
    ) -> Version:  # fmt: skip
        """Copy an artefact in as the next version of `name`; what is here already stays one.

        Parameters
        ----------
        challenges
            Whether it becomes the challenger of its frame length, unless it serves there already.
        expires_days
            When it is too old, in days after its data, where that is not to be as its card says.

        Raises
        ------
        ArtefactError
            When a part is missing or changed.
        RegistryError
            When it cannot be kept. Nothing was registered.
        """
        card = msgspec.structs.replace(artefact.load_card(source), name=name)
        if expires_days is not None:
            card = msgspec.structs.replace(card, expires_days=expires_days)
        sha256 = self.artefacts.keep(source, card)
        with self._writes() as connection:
            known = sa.select(_VERSIONS).where(
                _VERSIONS.c.name == name, _VERSIONS.c.sha256 == sha256
            )
            row = connection.execute(known).first()
            if row is None:
                last = sa.select(sa.func.max(_VERSIONS.c.number)).where(_VERSIONS.c.name == name)
                number = int(connection.execute(last).scalar() or 0) + 1
                connection.execute(
                    _VERSIONS.insert().values(
                        name=name, number=number, frame_s=card.frame_s, sha256=sha256,
                        card=msgspec.json.encode(card), lineage=msgspec.json.encode(lineage),
                        time_ns=now_ns, who=who, why=why,
                    )
                )  # fmt: skip
                row = connection.execute(known).one()
                self._note(connection, now_ns, card.frame_s, "register", row[0], None, who, why)
            version = _version(row)
            roles = self._roles(connection, card.frame_s)
            if challenges and version.key not in roles.values():
                self._give(connection, card.frame_s, "challenger", version.key, now_ns, who, why)
        return version

    def promote(
        self, version: Version, *, now_ns: int, who: str, why: str, incumbent: Version | None = None
    ) -> Change:
        """Let a version serve; the champion before it becomes the previous one.

        Parameters
        ----------
        incumbent
            What served so far where the registry has no champion yet, so that it can come back.

        Raises
        ------
        UsageError
            When it serves already.
        ArtefactError
            When its artefact is not here, or not what was registered.
        RegistryError
            When the registry cannot be changed.
        """
        self.folder(version)
        frame_s = version.frame_s
        with self._writes() as connection:
            roles = self._roles(connection, frame_s)
            before = roles.get("champion")
            if before == version.key:
                raise UsageError(f"{version.label} is the champion already")
            if before is None and incumbent is not None and incumbent.key != version.key:
                before = incumbent.key
            self._give(connection, frame_s, "champion", version.key, now_ns, who, why)
            self._drop(connection, frame_s, "previous")
            if before is not None:
                since = f"until {version.label} took its place"
                self._give(connection, frame_s, "previous", before, now_ns, who, since)
            if roles.get("challenger") in (version.key, before):
                self._drop(connection, frame_s, "challenger")
            self._note(connection, now_ns, frame_s, "promote", version.key, before, who, why)
            replaced = self._by_key(connection, before)
        return Change(now_ns, frame_s, "promote", version, replaced, who, why)

    def roll_back(self, frame_s: int, *, now_ns: int, who: str, why: str) -> Change:
        """Let the previous champion serve again; the one before that becomes the previous one.

        Raises
        ------
        UsageError
            When there is no previous champion.
        ArtefactError
            When its artefact is not here, or not what was registered.
        RegistryError
            When the registry cannot be changed.
        """
        with self._writes() as connection:
            roles = self._roles(connection, frame_s)
            back = self._by_key(connection, roles.get("previous"))
            if back is None:
                frames = describe_ns(frame_s * NS_PER_SECOND)
                raise UsageError(
                    f"there is no previous champion for frames of {frames}",
                    "promote another model: litehedge models promote NAME",
                )
            self.folder(back)
            left = roles.get("champion")
            self._give(connection, frame_s, "champion", back.key, now_ns, who, why)
            self._drop(connection, frame_s, "previous")
            older = self._served_before(connection, frame_s, back.key)
            if older is not None and older != left:
                self._give(connection, frame_s, "previous", older, now_ns, who,
                           f"it served before {back.label}")  # fmt: skip
            if roles.get("challenger") == back.key:
                self._drop(connection, frame_s, "challenger")
            self._note(connection, now_ns, frame_s, "rollback", back.key, left, who, why)
            replaced = self._by_key(connection, left)
        return Change(now_ns, frame_s, "rollback", back, replaced, who, why)

    def note_judgement(
        self, challenger: Version, champion: Version, *, now_ns: int, who: str, why: str
    ) -> None:
        """Write into the history what the gate said of a challenger.

        Raises
        ------
        RegistryError
            When it cannot be written.
        """
        with self._writes() as connection:
            self._note(connection, now_ns, challenger.frame_s, "judge", challenger.key,
                       champion.key, who, why)  # fmt: skip

    def withdraw(self, challenger: Version) -> None:
        """Let a version be the challenger no more, if it is; it stays registered.

        Raises
        ------
        RegistryError
            When it cannot be written.
        """
        with self._writes() as connection:
            if self._roles(connection, challenger.frame_s).get("challenger") == challenger.key:
                self._drop(connection, challenger.frame_s, "challenger")

    # --- inside -------------------------------------------------------------------------------

    @contextmanager
    def _reads(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._refused(error) from None
        except msgspec.DecodeError as error:
            raise RegistryError(
                f"the registry {self._where} holds what this version cannot read ({error})", GOES_ON
            ) from None

    @contextmanager
    def _writes(self) -> Iterator[sa.Connection]:
        """Begin a transaction in which nobody else changes what was read."""
        try:
            with self._engine.connect() as connection:
                if self._is_file:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                else:
                    self._wait_for_others(connection)
                yield connection
                connection.commit()
        except SQLAlchemyError as error:
            raise self._refused(error) from None

    def _wait_for_others(self, connection: sa.Connection) -> None:
        """Let one change a server's registry at a time; until the end of the transaction."""
        wait_ms = int(WAIT_S * 1000)
        connection.execute(sa.text(f"SET LOCAL lock_timeout = {wait_ms}"))
        schema = connection.execute(sa.text("SELECT current_schema()")).scalar()
        key = lock_key("registry", str(schema))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

    def _roles(self, connection: sa.Connection, frame_s: int) -> dict[str, int]:
        query = sa.select(_ROLES.c.role, _ROLES.c.version).where(_ROLES.c.frame_s == frame_s)
        return {row.role: row.version for row in connection.execute(query)}

    def _give(
        self, connection: sa.Connection, frame_s: int, role: Role, key: int, now_ns: int, who: str,
        why: str,
    ) -> None:  # fmt: skip
        self._drop(connection, frame_s, role)
        connection.execute(
            _ROLES.insert().values(
                frame_s=frame_s, role=role, version=key, time_ns=now_ns, who=who, why=why
            )
        )

    def _drop(self, connection: sa.Connection, frame_s: int, role: Role) -> None:
        mine = (_ROLES.c.frame_s == frame_s) & (_ROLES.c.role == role)
        connection.execute(_ROLES.delete().where(mine))

    def _note(
        self, connection: sa.Connection, now_ns: int, frame_s: int, act: Act, key: int,
        before: int | None, who: str, why: str,
    ) -> None:  # fmt: skip
        connection.execute(
            _HISTORY.insert().values(
                time_ns=now_ns, frame_s=frame_s, act=act, version=key, before=before, who=who,
                why=why,
            )
        )  # fmt: skip

    def _served_before(self, connection: sa.Connection, frame_s: int, key: int) -> int | None:
        """Return whose place a version took when it was promoted last."""
        query = (
            sa.select(_HISTORY.c.before)
            .where(
                _HISTORY.c.frame_s == frame_s, _HISTORY.c.version == key,
                _HISTORY.c.act == "promote",
            )
            .order_by(_HISTORY.c.id.desc())
            .limit(1)
        )  # fmt: skip
        found = connection.execute(query).scalar()
        return None if found is None else int(found)

    def _by_key(self, connection: sa.Connection, key: int | None) -> Version | None:
        if key is None:
            return None
        row = connection.execute(sa.select(_VERSIONS).where(_VERSIONS.c.id == key)).first()
        return None if row is None else _version(row)

    def _check_format(self) -> None:
        with self._reads() as connection:
            found = connection.execute(sa.select(_FORMATS)).scalar()
        if found is None:
            with self._writes() as connection:
                if connection.execute(sa.select(_FORMATS)).scalar() is None:
                    connection.execute(_FORMATS.insert().values(format=FORMAT))
        if found not in (None, FORMAT):
            raise RegistryError(
                f"the registry {self._where} has format {found}, this version reads {FORMAT}",
                "use the litehedge that wrote it",
            )

    def _refused(self, error: BaseException) -> RegistryError:
        return RegistryError(
            f"the registry {self._where} cannot be used ({first_line(error)})", GOES_ON
        )


def registry_at(root: Path, url: str = "", *, create: bool = False) -> Registry | None:
    """Return the registry of a home folder, None where there is none yet.

    Raises
    ------
    RegistryError
        When there is one, and it cannot be opened.
    """
    folder = root / FOLDER
    if not (create or url or (folder / FILE).is_file()):
        return None
    return Registry(folder, url)


def registry_folder(root: Path) -> Artefacts:
    """Return where the artefacts of a home folder's registry lie; needs no database."""
    return Artefacts(root / FOLDER / ARTEFACTS)


def _version(row: Any) -> Version:
    return Version(
        row[0], row[1], row[2], row[3], row[4], msgspec.json.decode(row[5], type=Card),
        msgspec.json.decode(row[6], type=Lineage), row[7], row[8], row[9],
    )  # fmt: skip


def _durable(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where they are said to
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()

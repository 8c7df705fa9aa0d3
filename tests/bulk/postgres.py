"""A real PostgreSQL server in a folder of its own, reached over a Unix socket only."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

INSTALL = "apt-get install --no-install-recommends postgresql"
START_SECONDS = 60


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs, which Debian keeps off the PATH."""
    packaged = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = [*(str(p) for p in packaged), shutil.which(name)]
    if not found[0]:
        raise RuntimeError(f"These tests need a PostgreSQL server ({name} was not found): {INSTALL}")
    return found[0]


class Server:
    """A server. It refuses to run as root, so root starts it as the user that Debian's package made for it."""

    def __init__(self, folder: Path):
        self.folder, self.data = folder, folder / "data"
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        folder.chmod(0o755)
        self._run("initdb", "--pgdata", str(self.data), "--username", "postgres", "--auth", "trust", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start it, or start it again after it was killed; it repairs its data by itself."""
        settings = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c max_connections=50"
        log = str(self.folder / "log")
        end = time.monotonic() + START_SECONDS
        while True:  # after a kill -9 the old processes may hold its memory for a moment
            try:
                return self._run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", log, "-o", settings)
            except RuntimeError:
                if time.monotonic() > end:
                    raise RuntimeError(f"PostgreSQL does not start:\n{Path(log).read_text()[-2000:]}") from None
                time.sleep(0.2)

    def stop(self) -> None:
        """Stop it at once."""
        with contextlib.suppress(RuntimeError):
            self._run("pg_ctl", "stop", "-m", "immediate", "-D", str(self.data))

    def kill(self) -> None:
        """Kill the whole server as a power cut of its own would: the process that starts all others, with SIGKILL."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)  # if this process adopts orphans: a zombie would pass for a server that runs

    def create(self, name: str, template: str = "template1") -> str:
        """Make a database, as a copy of another one; return its URL for SQLAlchemy."""
        with self.connection() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def backends(self, name: str) -> list[int]:
        """The server's processes that serve a database, one for each client."""
        with self.connection() as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
            return [pid for (pid,) in connection.execute(query, (name,))]

    def connection(self) -> psycopg.Connection:
        """A connection to the server itself."""
        return psycopg.connect(f"host={self.folder} user=postgres dbname=postgres", autocommit=True)

    def _run(self, name: str, *arguments: str) -> None:
        # Its output goes to a file: a pipe would stay open in the server that pg_ctl leaves behind.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                [program(name), *arguments], user=self.user, extra_groups=[] if self.user else None, cwd="/",
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=120, check=False,
            )  # fmt: skip
            if done.returncode:
                said.seek(0)
                raise RuntimeError(f"{name} failed:\n{said.read().decode(errors='replace')[-2000:]}")


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A server for as long as it is needed."""
    program("initdb")
    if os.getuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            raise RuntimeError(f"Root cannot run PostgreSQL, and there is no user postgres: {INSTALL}") from None
    # A folder of pytest's is open to nobody else, and the server's user must get in; a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    made = None
    try:
        made = Server(folder)
        yield made
    finally:
        if made:
            made.stop()
        shutil.rmtree(folder, ignore_errors=True)

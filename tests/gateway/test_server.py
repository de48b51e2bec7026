"""Each test talks to a real server process; the applications are in `server_apps.py`."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ROOT = Path(__file__).parents[2]
MEGABYTE = 1024 * 1024
PATIENCE_SECONDS = 300
"""After this a server is killed, so that what waits for it fails instead of hanging."""


class ServerProcess:
    def __init__(self, stderr: Path, *options: str) -> None:
        self.stderr = stderr
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.server_apps", *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=stderr.open("w"),
            text=True,
        )
        self.timer = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        self.timer.start()
        self.told: list[str] = []
        self.port = int(self.wait_for("listening").split()[1])

    def wait_for(self, beginning: str) -> str:
        """The next line that the process tells with this beginning."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(line.strip())
            if line.startswith(beginning):
                return line.strip()
        pytest.fail(f"never told {beginning!r}, but {self.told} and {self.errors()}")

    def errors(self) -> str:
        return self.stderr.read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask for a stop, and wait until the port is closed."""
        self.process.send_signal(number)
        while self.accepts():
            pass

    def accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionError:
            return False
        return True

    def exit_status(self) -> int:
        return self.process.wait()

    def end(self) -> None:
        self.timer.cancel()
        self.process.kill()
        self.process.communicate()

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def get(self, path: str, **headers: str) -> HTTPResponse:
        connection = self.connect()
        connection.request("GET", path, headers=headers)
        return connection.getresponse()

    def send(self, *data: bytes) -> socket.socket:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        for part in data:
            raw.sendall(part)
        return raw


Start = Callable[..., ServerProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[ServerProcess] = []

    def start_one(*options: str) -> ServerProcess:
        running.append(ServerProcess(tmp_path / f"stderr-{len(running)}", *options))
        return running[-1]

    yield start_one
    for server in running:
        server.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """For tests that look at responses only."""
    server = ServerProcess(tmp_path_factory.mktemp("server") / "stderr")
    yield server
    server.end()


@pytest.fixture
def server(start: Start) -> ServerProcess:
    return start()


def request(path: str, *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def read_all(raw: socket.socket) -> bytes:
    return b"".join(iter(lambda: raw.recv(65536), b""))


def send_for_ever(raw: socket.socket) -> None:
    while True:
        raw.sendall(b"more")


def error_code(response: HTTPResponse) -> str:
    """Checks the shape of an error that OpenAI clients read, too."""
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    error = json.loads(response.read())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return str(error["code"])


def raw_error(raw: socket.socket) -> tuple[int, str]:
    """Status and code of the answer, after which the connection must end."""
    head, body = read_all(raw).split(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def wait_until_forgotten(server: ServerProcess) -> None:
    """Until the server knows no request but the one that asks."""
    while server.get("/connections").read() != b"1":
        pass


# Start


def test_the_loop_is_uvloop(shared: ServerProcess) -> None:
    assert shared.get("/loop").read() == b"uvloop"


def test_plain_asyncio_serves_and_stops_where_uvloop_is_missing(start: Start) -> None:
    server = start("--without-uvloop")
    assert server.get("/loop").read() == b"asyncio.unix_events"
    server.stop()
    assert server.exit_status() == 0


def test_the_lifespan_is_entered_before_listening_and_left_at_the_end(server: ServerProcess) -> None:
    assert server.told[0] == "lifespan entered"
    server.stop()
    server.wait_for("lifespan left, own task alive")
    server.wait_for("stopped")


def test_a_port_in_use_is_one_line_and_status_1(shared: ServerProcess) -> None:
    command = [sys.executable, "-m", "tests.gateway.server_apps", "--port", str(shared.port)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert second.returncode == 1
    assert second.stderr == f"Cannot listen on 127.0.0.1:{shared.port}: Address already in use.\n"


# Requests and responses


def test_the_server_does_not_name_itself(shared: ServerProcess) -> None:
    assert shared.get("/hello").headers["server"] is None


def test_headers_of_proxies_change_nothing(shared: ServerProcess) -> None:
    forged = {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https", "Daphne-Root-Path": "/evil"}
    assert shared.get("/who", **forged).read() == b"127.0.0.1 http root="


def test_a_large_body_comes_in_one_message(shared: ServerProcess) -> None:
    connection = shared.connect()
    connection.request("POST", "/length", bytes(3 * MEGABYTE))
    assert connection.getresponse().read() == b"3145728 bytes in 1 messages"


def test_a_body_of_exactly_the_limit_is_taken(start: Start) -> None:
    connection = start("--max-body-bytes", "1000").connect()
    connection.request("POST", "/length", bytes(1000))
    assert connection.getresponse().read() == b"1000 bytes in 1 messages"


def test_forms_are_left_to_the_application(shared: ServerProcess) -> None:
    connection = shared.connect()
    connection.request("POST", "/length", b"broken", {"Content-Type": "multipart/form-data"})
    assert connection.getresponse().read() == b"6 bytes in 1 messages"


def test_a_head_request_gets_no_body(shared: ServerProcess) -> None:
    raw = shared.send(request("/two-pieces", "Connection: close", method="HEAD"))
    assert read_all(raw).endswith(b"\r\n\r\n")


def test_an_application_goes_on_after_its_response(server: ServerProcess) -> None:
    connection = server.connect()
    for _ in range(2):
        connection.request("GET", "/after-the-end")
        assert connection.getresponse().read() == b"hello"
        server.wait_for("http.disconnect")
        server.wait_for("closed the records")
    wait_until_forgotten(server)


# Applications that fail


@pytest.mark.parametrize(
    "path", ["/crash-at-once", "/crash-before-a-byte", "/return-at-once", "/wrong-headers", "/no-such-path"]
)
def test_a_failure_before_the_first_byte_is_a_500_in_json(shared: ServerProcess, path: str) -> None:
    response = shared.get(path)
    assert response.status == 500
    assert error_code(response) == "internal_error"
    wait_until_forgotten(shared)


@pytest.mark.parametrize("path", ["/crash-later", "/return-early"])
def test_a_response_that_breaks_off_does_not_look_complete(shared: ServerProcess, path: str) -> None:
    with pytest.raises(IncompleteRead) as broken:
        shared.get(path).read()
    assert broken.value.partial == b"some"
    wait_until_forgotten(shared)


def test_a_response_that_breaks_off_without_a_delimiter_ends_in_a_reset(shared: ServerProcess) -> None:
    raw = shared.send(b"GET /crash-later HTTP/1.0\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        read_all(raw)


def test_a_failure_is_logged_without_its_message(server: ServerProcess) -> None:
    server.get("/crash-at-once").read()
    server.stop()
    server.exit_status()
    assert "RuntimeError" in server.errors()
    assert "in crash_at_once" in server.errors()
    assert "a secret prompt" not in server.errors()


# Clients that leave


def test_an_application_hears_at_once_that_its_client_left(server: ServerProcess) -> None:
    server.get("/watch").close()
    server.wait_for("http.disconnect")
    wait_until_forgotten(server)


def test_an_application_that_does_not_care_is_cancelled(start: Start) -> None:
    server = start("--constants", "APPLICATION_CLOSE_SECONDS=0.1")
    server.get("/stubborn").close()
    server.wait_for("stubborn was cancelled")
    wait_until_forgotten(server)


# Backpressure


def test_sending_waits_for_a_slow_reader(server: ServerProcess) -> None:
    response = server.get("/flood")
    megabytes = int(server.wait_for("waiting after").split()[2])
    assert megabytes < 32
    assert response.read().endswith(b"end")
    server.wait_for("went on")


def test_memory_does_not_grow_with_what_a_slow_reader_leaves(server: ServerProcess) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    unread = [server.get("/flood") for _ in range(8)]
    for _ in unread:
        server.wait_for("waiting after")
    assert process.memory_info().rss - before < 40 * MEGABYTE


def test_sending_ends_its_wait_when_the_reader_leaves(server: ServerProcess) -> None:
    response = server.get("/flood")
    server.wait_for("waiting after")
    response.close()
    server.wait_for("went on")
    wait_until_forgotten(server)


def test_sending_ends_its_wait_when_it_is_cancelled(start: Start) -> None:
    server = start("--drain-seconds", "0")
    response = server.get("/flood")
    server.wait_for("waiting after")
    server.stop()
    with pytest.raises(IncompleteRead):
        response.read()
    assert server.exit_status() == 0


# Limits


def test_a_body_that_tells_its_size_is_refused_before_it_comes(shared: ServerProcess) -> None:
    raw = shared.send(request("/length", f"Content-Length: {100 * MEGABYTE}", method="POST"))
    assert raw_error(raw) == (413, "request_too_large")


def test_a_client_that_asks_before_it_uploads_is_not_told_to_go_on(shared: ServerProcess) -> None:
    lines = [f"Content-Length: {100 * MEGABYTE}", "Expect: 100-continue"]
    raw = shared.send(request("/length", *lines, method="POST"))
    assert raw_error(raw) == (413, "request_too_large")


def test_a_body_in_chunks_is_refused_when_it_gets_too_large(shared: ServerProcess) -> None:
    chunk = b"100000\r\n" + bytes(MEGABYTE) + b"\r\n"
    raw = shared.send(request("/length", "Transfer-Encoding: chunked", method="POST"), *[chunk] * 9)
    assert raw_error(raw) == (413, "request_too_large")


def test_a_client_that_uploads_all_first_still_reads_the_refusal(shared: ServerProcess) -> None:
    connection = shared.connect()
    connection.request("POST", "/length", bytes(40 * MEGABYTE))
    response = connection.getresponse()
    assert response.status == 413
    assert error_code(response) == "request_too_large"


def test_a_refused_upload_is_not_kept_in_memory(server: ServerProcess) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    for _ in range(3):
        server.send(request("/length", f"Content-Length: {MEGABYTE * 30}", method="POST"), bytes(30 * MEGABYTE))
    assert process.memory_info().rss - before < 20 * MEGABYTE


def test_an_upload_that_goes_on_after_its_refusal_is_ended(start: Start) -> None:
    server = start("--constants", "LINGER_SECONDS=0.1")
    raw = server.send(request("/length", f"Content-Length: {100 * MEGABYTE}", method="POST"))
    assert raw_error(raw) == (413, "request_too_large")
    with pytest.raises(ConnectionError):
        send_for_ever(raw)


@pytest.mark.parametrize("headers", ["X-Large: " + "x" * 20_000, "\r\n".join(["X-Large: " + "x" * 5000] * 4)])
def test_headers_that_are_too_large_are_refused_with_an_answer(shared: ServerProcess, headers: str) -> None:
    assert raw_error(shared.send(request("/hello", headers))) == (431, "headers_too_large")


@pytest.mark.parametrize("data", [b"GARBAGE\r\n\r\n", request("/hello", "Bad Name: x"), request("/h\xe9llo")])
def test_what_is_not_http_is_refused_in_json(shared: ServerProcess, data: bytes) -> None:
    assert raw_error(shared.send(data)) == (400, "invalid_value")


# The stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_an_idle_server_with_status_0(server: ServerProcess, number: signal.Signals) -> None:
    idle = server.connect()
    idle.request("GET", "/hello")
    idle.getresponse().read()
    server.stop(number)
    assert server.exit_status() == 0
    assert server.errors() == ""


def test_a_running_response_is_finished_before_the_stop(server: ServerProcess) -> None:
    response = server.get("/flood")
    server.wait_for("waiting after")
    server.stop()
    assert response.read().endswith(b"end")
    assert server.exit_status() == 0


def test_a_request_during_the_drain_is_sent_away(server: ServerProcess) -> None:
    kept_alive, streaming = server.connect(), server.get("/watch")
    kept_alive.request("GET", "/hello")
    kept_alive.getresponse().read()
    server.stop()
    kept_alive.request("GET", "/hello")
    response = kept_alive.getresponse()
    assert response.status == 503
    assert response.headers["connection"] == "close"
    assert response.headers["retry-after"] == "5"
    assert error_code(response) == "shutting_down"
    streaming.close()
    assert server.exit_status() == 0


def test_what_outlives_the_drain_is_cancelled_and_may_say_goodbye(start: Start) -> None:
    server = start("--drain-seconds", "0")
    response = server.get("/says-goodbye")
    server.stop()
    assert response.read() == b"firstgoodbye: shutting down"
    assert server.exit_status() == 0


def test_what_is_cancelled_without_a_word_does_not_look_complete(start: Start) -> None:
    server = start("--drain-seconds", "0")
    response = server.get("/stubborn")
    server.stop()
    with pytest.raises(IncompleteRead):
        response.read()
    assert server.exit_status() == 0


def test_a_second_signal_ends_the_drain(start: Start) -> None:
    server = start("--drain-seconds", "3600")
    streaming = server.get("/stubborn")
    server.stop()
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("stubborn was cancelled")
    assert server.exit_status() == 0
    streaming.close()


def test_an_application_that_survives_its_cancelling_does_not_hold_up_the_stop(start: Start) -> None:
    server = start("--drain-seconds", "0", "--constants", "CLEANUP_SECONDS=0.1")
    response = server.get("/deaf")
    server.stop()
    server.wait_for("stubborn was cancelled")
    with pytest.raises(IncompleteRead):
        response.read()
    assert server.exit_status() == 0


def test_a_client_that_reads_nothing_does_not_hold_up_the_stop(start: Start) -> None:
    server = start("--drain-seconds", "0", "--constants", "CLEANUP_SECONDS=0.1")
    unread = server.get("/flood")
    server.wait_for("waiting after")
    server.stop()
    assert server.exit_status() == 0
    unread.close()


def test_a_task_left_behind_is_cancelled_before_the_lifespan_is_left(server: ServerProcess) -> None:
    server.get("/detached").read()
    server.stop()
    server.wait_for("left-over task cancelled")
    server.wait_for("lifespan left, own task alive")
    assert server.exit_status() == 0


def test_a_websocket_is_told_that_the_server_goes(server: ServerProcess) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/", open_timeout=PATIENCE_SECONDS) as client:
        client.send("ping")
        assert client.recv() == "ping"
        server.stop()
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    server.wait_for("websocket closed with")
    assert server.exit_status() == 0


def test_a_websocket_whose_application_fails_is_closed_and_forgotten(shared: ServerProcess) -> None:
    with connect(f"ws://127.0.0.1:{shared.port}/", open_timeout=PATIENCE_SECONDS) as client:
        client.send("crash")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    wait_until_forgotten(shared)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_open_django_stream_does_not_break_the_stop(start: Start, kind: str) -> None:
    server = start("--drain-seconds", "0")
    raw = server.send(request(f"/django/{kind}"))
    if kind == "sync":
        server.wait_for("django streams")
    else:
        raw.recv(1)
    server.stop()
    assert server.exit_status() == 0


def test_a_client_that_resets_its_connection_leaves_nothing_behind(server: ServerProcess) -> None:
    raw = server.send(request("/watch"))
    raw.recv(1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    server.wait_for("http.disconnect")
    wait_until_forgotten(server)

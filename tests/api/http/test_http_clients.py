"""Clients that are slow, numerous, idle or suddenly disconnected."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.raw_http import Client, Server, serving

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
REPORT = b"POST /webhooks/simulator/inbound HTTP/1.1\r\nHost: x\r\n"
LIMITS = {
    "head": 1,
    "body_idle": 1.5,
    "body": 4,
    "keep_alive": 30,
    "stalled": 1,
    "linger": 1,
    "connections": 4,
    "patience": 0.5,
}
TIMED_OUT = (408, "REQUEST_TIMEOUT")


@pytest.fixture(scope="module")
def hasty(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short timeouts, whose pages are built."""
    with serving(database_url, tmp_path_factory.mktemp("hasty"), LIMITS) as server:
        # At the first request, which takes longer than a slow client is waited for here.
        assert server.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        yield server


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "later"])
def test_a_byte_now_and_then_does_not_make_headers_last(hasty: Server, before: bytes) -> None:
    with hasty.connect() as client:
        if before:
            client.send(before)
            assert client.answer().status == 200
        client.send(*[b"GET /healthz HTTP/1.1\r\n"[n : n + 1] for n in range(20)], pause=0.1)
        answer = client.answer()
        assert answer.problem == TIMED_OUT
        assert answer.headers["connection"] == "close"
        assert client.is_closed()


def test_empty_lines_do_not_make_headers_last(hasty: Server) -> None:
    with hasty.connect() as client:
        client.send(*[b"\r\n"] * 8, pause=0.25)
        assert client.is_closed()


def test_a_silent_connection_is_closed_without_a_response(hasty: Server) -> None:
    with hasty.connect() as client:
        assert client.is_closed()


@pytest.mark.parametrize(
    "start",
    [
        REPORT + b"Content-Length: 100\r\n\r\n",
        REPORT + b"Content-Length: 100\r\n\r\nabc",
        REPORT + b"Transfer-Encoding: chunked\r\n\r\n",
        REPORT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab",
        REPORT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b",
    ],
)
def test_a_body_that_stops_is_408(hasty: Server, start: bytes) -> None:
    with hasty.connect() as client:
        client.send(start)
        answer = client.answer()
        assert answer.problem == TIMED_OUT
        assert answer.headers["connection"] == "close"
        assert client.is_closed()


def test_a_body_that_never_stops_is_408_as_well(hasty: Server) -> None:
    with hasty.connect() as client:
        client.send(REPORT + b"Content-Length: 100\r\n\r\n", *[b"a"] * 60, pause=0.1)
        assert client.answer().problem == TIMED_OUT


def test_a_slow_body_is_waited_for(hasty: Server) -> None:
    with hasty.connect() as client:
        client.send(REPORT + b"Content-Length: 20\r\n\r\n", *[b"a"] * 20, pause=0.1)
        assert client.answer().problem == (403, "FORBIDDEN")


def test_a_body_that_was_not_wanted_is_not_waited_for(hasty: Server) -> None:
    with hasty.connect() as client:
        client.send(b"POST /api/v1/merchants HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        assert client.answer().problem == (401, "INVALID_CREDENTIALS")
        client.send(*[b"a"] * 30, pause=0.1)
        assert client.is_closed()


def test_a_client_that_reads_no_responses_is_disconnected(hasty: Server) -> None:
    page = b"GET /assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
    with hasty.connect() as client:
        client.send(page * 30)
        time.sleep(4)
        taken = 0
        try:
            while data := client.wire.recv(1024 * 1024):
                taken += len(data)
        except ConnectionResetError:
            pass
    assert taken < 30 * 1_700_000
    assert "Traceback" not in hasty.log.read_text()


def asked(server: Server, connections: list[Client]) -> Client:
    """Open a connection that has been used and is idle."""
    client = server.connect().__enter__()
    connections.append(client)
    client.send(GET)
    assert client.answer().status == 200
    return client


@pytest.fixture
def connections() -> Iterator[list[Client]]:
    """Connections to be closed in the end."""
    opened: list[Client] = []
    yield opened
    for client in opened:
        client.wire.close()
    time.sleep(0.2)  # so that the next test finds them closed


def test_the_connection_that_is_idle_longest_makes_room(
    hasty: Server, connections: list[Client]
) -> None:
    for _ in range(4):
        asked(hasty, connections)
        time.sleep(0.05)
    connections[0].send(GET)  # no longer the one that is idle longest
    assert connections[0].answer().status == 200
    asked(hasty, connections)
    assert connections[1].is_closed()
    for client in (connections[0], connections[2], connections[3], connections[4]):
        client.send(GET)
        assert client.answer().status == 200


SLOW = {
    "a body": REPORT + b"Content-Length: 4\r\n\r\nab",
    "the rest of a body": b"POST /api/v1/merchants HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 9\r\n\r\n",
    "headers": b"GET /heal",
    "answers": b"GET /assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n" * 9,
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_a_slow_client_with_the_most_connections_loses_one(
    hasty: Server, connections: list[Client], sent: bytes
) -> None:
    def opened(source: str, sent: bytes) -> Client:
        client = hasty.connect(source).__enter__()
        connections.append(client)
        client.send(sent)
        return client

    other = opened("127.0.0.3", REPORT + b"Content-Length: 4\r\n\r\nab")
    for _ in range(3):
        opened("127.0.0.2", sent)
    time.sleep(0.7)
    for _ in range(3):
        newer = opened("127.0.0.3", GET)
        assert newer.answer().status == 200
        newer.wire.close()
        opened("127.0.0.2", sent)
    other.send(b"cd")
    assert other.answer().problem == (403, "FORBIDDEN")


def test_a_connection_closed_for_another_gets_a_response(
    hasty: Server, connections: list[Client]
) -> None:
    for _ in range(4):
        slow = hasty.connect().__enter__()
        connections.append(slow)
        slow.send(REPORT + b"Content-Length: 4\r\n\r\nab")
        time.sleep(0.05)
    time.sleep(0.6)
    assert hasty.ask(GET).status == 200
    answer = connections[0].answer()
    assert answer.problem == (503, "TEMPORARILY_UNAVAILABLE")
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    for slow in connections[1:]:
        slow.send(b"cd")
        assert slow.answer().problem == (403, "FORBIDDEN")


def test_a_connection_with_slow_headers_is_closed_for_another(
    hasty: Server, connections: list[Client]
) -> None:
    for _ in range(4):
        slow = hasty.connect().__enter__()
        connections.append(slow)
        slow.send(b"GET /heal")
    time.sleep(0.6)
    assert hasty.ask(GET).status == 200


def test_idle_connections_are_kept_as_long_as_is_set(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("kept")
    with serving(database_url, folder, keep_alive="2", max_connections="3") as server:
        with server.connect() as client:
            client.send(GET)
            assert client.answer().status == 200
            client.send(GET)
            assert client.answer().status == 200
            assert client.is_closed()
        with server.connect() as one, server.connect() as two, server.connect() as three:
            for busy in (one, two, three):
                busy.send(REPORT + b"Content-Length: 4\r\n\r\nab")
            time.sleep(0.2)
            answer = server.ask(GET)
            assert answer.problem == (503, "TEMPORARILY_UNAVAILABLE")
            assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")


def test_a_server_that_stops_answers_what_has_begun(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serving(database_url, tmp_path_factory.mktemp("stopping")) as server:
        with server.connect() as idle, server.connect() as busy, server.connect() as refused:
            idle.send(GET)
            assert idle.answer().status == 200
            refused.send(b"nonsense\r\n\r\n")
            assert refused.answer().status == 400
            busy.send(REPORT + b"Content-Length: 4\r\n\r\nab")
            time.sleep(0.2)
            server.process.terminate()
            assert idle.is_closed()
            busy.send(b"cd")
            assert busy.answer().problem == (403, "FORBIDDEN")
            assert busy.is_closed()
        # uvicorn ends itself with the same signal
        assert server.process.wait(20) == -signal.SIGTERM
        assert {line["level"] for line in server.logged()} == {"INFO"}


POST = b"POST /api/v1/merchants HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n"
HOOK = REPORT + b"X-Request-Id: %s\r\n"


def lines_of(server: Server, request_id: str) -> list[dict[str, Any]]:
    """Wait until a request has written a log line, and return its lines."""
    deadline = time.monotonic() + 20
    while not (ours := [line for line in server.logged() if line.get("request_id") == request_id]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return ours


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: 500\r\n\r\n{",
        HOOK + b"Content-Length: 500\r\n\r\n{",
        HOOK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab",
        HOOK + b"Transfer-Encoding: chunked\r\n\r\n",
        HOOK + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        HOOK + b"Content-Length: 5000000\r\n\r\n" + b"a" * 100_000,
        HOOK + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\n",
        POST + b"Content-Length: 2\r\n\r\n{}",
        b"GET /readyz HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n",
        b"GET /v3/api-docs HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n",
        b"GET /assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n",
    ],
)
@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_a_client_that_goes_away_is_one_line(server: Server, sent: bytes, how: str) -> None:
    name = f"gone-{abs(hash((sent, how)))}"
    before = len(server.logged())
    with server.connect() as client:
        client.send(sent.replace(b"%s", name.encode()))
        if how == "RST":
            client.reset()
    ours = lines_of(server, name)
    assert [(line["level"], line["message"]) for line in ours] == [("INFO", "request")]
    assert {line["level"] for line in server.logged()[before:]} == {"INFO"}


def test_half_a_head_and_gone_is_no_line_at_all(server: Server) -> None:
    before = len(server.logged())
    for sent in (b"", b"GET /he", GET[:-2]):
        for how in ("FIN", "RST"):
            with server.connect() as client:
                client.send(sent)
                if how == "RST":
                    client.reset()
    server.ask(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: afterwards\r\n\r\n")
    assert len(lines_of(server, "afterwards")) == 1
    assert {line["status"] for line in server.logged()[before:]} == {200}

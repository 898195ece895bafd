"""Request lines and headers as raw bytes: which are refused, and how."""

import pytest

from tests.api.integrator import Integrator
from tests.api.raw_http import Server

KIB = 1024
LINE = b"GET /healthz HTTP/1.1\r\n"
HOST = b"Host: x\r\n"
START = LINE + HOST
TOO_LARGE = (431, "HEADERS_TOO_LARGE")
INVALID = (400, "VALIDATION_FAILED")


def padded(size: int) -> bytes:
    """Make a head of exactly that many bytes."""
    return START + b"A: " + b"a" * (size - len(START) - 7) + b"\r\n\r\n"


def test_a_head_of_64_kib_is_taken(server: Server) -> None:
    assert server.ask(padded(64 * KIB)).status == 200


@pytest.mark.parametrize(
    "head",
    [
        padded(64 * KIB + 1),
        padded(20 * 1024 * KIB),
        b"GET /healthz?" + b"a&" * (4 * KIB) + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /" + b"a" * (64 * KIB) + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"a" * (100 * KIB),
        START + (b"A: " + b"a" * 4000 + b"\r\n") * 17 + b"\r\n",
        START + b"A: b\r\n" * 5000 + b"\r\n",
        START + b"A: b\r\n" * 100 + b"\r\n",
        START + b"a" * (65 * KIB) + b": b\r\n\r\n",
        START + b"Cookie: " + b"a=b; " * (20 * KIB) + b"\r\n\r\n",
        START + b"A:\r\n" * 30_000,
    ],
    ids=[
        "a byte more",
        "20 MiB",
        "query",
        "path",
        "no line end",
        "several",
        "5000",
        "101",
        "name",
        "cookie",
        "endless",
    ],
)
def test_a_larger_head_is_431_and_the_connection_closes(server: Server, head: bytes) -> None:
    with server.connect() as client:
        client.send(head)
        answer = client.answer()
        assert answer.problem == TOO_LARGE
        assert answer.headers["connection"] == "close"
        assert client.is_closed()


def test_a_hundred_headers_are_taken(server: Server) -> None:
    assert server.ask(START + b"A: b\r\n" * 99 + b"\r\n").status == 200


def test_a_later_request_of_a_connection_is_bounded_alike(server: Server) -> None:
    with server.connect() as client:
        client.send(START + b"\r\n" + padded(65 * KIB))
        assert client.answer().status == 200
        assert client.answer().problem == TOO_LARGE


@pytest.mark.parametrize(
    "head",
    [
        LINE + b"\r\n",
        LINE + HOST + HOST + b"\r\n",
        LINE + b"Host: a b\r\n\r\n",
        LINE + b"Host: x/y\r\n\r\n",
        LINE + b'Host: x"><script>\r\n\r\n',
        b"nonsense\r\n\r\n",
        b"\r\n" * 9 + START + b"\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /healthz  HTTP/1.1\r\n" + HOST + b"\r\n",
        b" GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"G=T;(/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /heal\xc3\xa4thz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /healthz HTTP/1.1 x\r\n" + HOST + b"\r\n",
        b"GET /healthz http/1.1\r\n" + HOST + b"\r\n",
        b"GET /healthz HTTP/2.0\r\n" + HOST + b"\r\n",
        b"GET /healthz HTTP/0.9\r\n" + HOST + b"\r\n",
        b"GET /healthz HTTP/1.2\r\n" + HOST + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET ftp://x/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300,
        START + b"X-API-KEY : k\r\n\r\n",
        START + b"X API KEY: k\r\n\r\n",
        START + b": k\r\n\r\n",
        START + b"A\r\n\r\n",
        START + b"A: b\x00c\r\n\r\n",
        START + b"A: b\rc: d\r\n\r\n",
        START + b"A: b\r\n folded\r\n\r\n",
        START + b"A: b\r\n\tfolded\r\n\r\n",
        LINE + b" A: b\r\n" + HOST + b"\r\n",
        START + b"A: b\n\r\n",
        START.replace(b"\r\n", b"\n") + b"\n",
        LINE.replace(b"\r\n", b"\r") + HOST + b"\r\n",
    ],
)
def test_a_head_that_is_not_http_is_400(server: Server, head: bytes) -> None:
    with server.connect() as client:
        client.send(head)
        answer = client.answer()
        assert answer.problem == INVALID
        assert answer.headers["connection"] == "close"
        assert client.is_closed()


def test_refused_input_is_not_echoed(server: Server) -> None:
    answer = server.ask(START + b"X-API-SECRET : do-not-show\r\n\r\n")
    assert answer.problem == INVALID
    assert b"do-not-show" not in answer.body
    assert "do-not-show" not in server.log.read_text()


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n" + START + b"\r\n",
        b"\r\n" * 8 + START + b"\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
        b"GET /healthz?" + b"a" * (8 * KIB - 22) + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET http://elsewhere.test/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET HTTPS://u@elsewhere.test:99/healthz?a=b HTTP/1.1\r\n" + HOST + b"\r\n",
        LINE + b"Host:\r\n\r\n",
        LINE + b"hOsT: [::1]:8000\r\n\r\n",
        START + b"A:\t b c \t\r\n\r\n",
        START + b"A:b\r\nB:\r\n\r\n",
        START + b"A: \xc3\xa4\xff\r\n\r\n",
    ],
)
def test_lawful_heads_are_taken(server: Server, head: bytes) -> None:
    assert server.ask(head).status == 200


def test_a_head_may_arrive_byte_by_byte(server: Server) -> None:
    head = b"\r\n\r\n" + START + b"A: b\r\n\r\n"
    assert server.ask(*(bytes([byte]) for byte in head), pause=0.001).status == 200


@pytest.mark.parametrize(
    ("method", "target", "status", "allowed"),
    [
        ("FROB", "/api/v1/merchants", 405, "GET, HEAD, POST"),
        ("get", "/api/v1/merchants", 405, "GET, HEAD, POST"),
        ("TRACE", "/healthz", 405, "GET, HEAD"),
        ("OPTIONS", "/swagger-ui", 405, "GET, HEAD"),
        ("M-SEARCH", "/assets/portal.css", 405, "GET, HEAD"),
        ("FROB", "/nowhere", 404, None),
        ("OPTIONS", "*", 404, None),
        ("CONNECT", "elsewhere.test:443", 404, None),
        ("GET", "//elsewhere.test/healthz", 404, None),
        ("GET", "/assets/../portal/pages.py", 404, None),
        ("GET", "/assets/%2e%2e/%2e%2e/app.py", 404, None),
    ],
)
def test_any_method_and_path_is_answered_as_a_problem(
    server: Server, method: str, target: str, status: int, allowed: str | None
) -> None:
    with server.connect() as client:
        client.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = client.answer()
        assert answer.problem[0] == status
        assert answer.headers.get("allow") == allowed
        client.send(START + b"\r\n")  # the connection goes on
        assert client.answer().status == 200


@pytest.mark.parametrize("name", ["X-API-KEY", "X-API-SECRET"])
@pytest.mark.parametrize("first", [True, False])
async def test_credentials_that_are_given_twice_are_none(
    server: Server, integrator: Integrator, name: str, first: bool
) -> None:
    lines = [f"{header}: {value}" for header, value in integrator.headers.items()]
    lines.insert(0 if first else len(lines), f"{name}: another")
    head = "\r\n".join(("GET /api/v1/merchants HTTP/1.1", "Host: x", *lines, "", ""))
    assert server.ask(head.encode()).problem == (401, "INVALID_CREDENTIALS")


@pytest.mark.parametrize("around", [b" ", b"\t", b" \t ", b""])
async def test_whitespace_around_credentials_is_no_part_of_them(
    server: Server, integrator: Integrator, around: bytes
) -> None:
    head = b"GET /api/v1/merchants HTTP/1.1\r\nHost: x\r\n"
    for name, value in integrator.headers.items():
        head += name.encode() + b":" + around + value.encode() + around + b"\r\n"
    assert server.ask(head + b"\r\n").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/swagger-ui",
        "/v3/api-docs",
        "/v3/api-docs.yaml",
        "/assets/swagger-ui-bundle.js",
        "/healthz",
        "/readyz",
        "/api/v1/merchants",
        "/api/v1/merchants/nobody",
        "/nowhere",
    ],
)
async def test_head_answers_like_get_without_the_body(
    server: Server, integrator: Integrator, path: str
) -> None:
    credentials = "".join(f"{name}: {value}\r\n" for name, value in integrator.headers.items())
    rest = f" {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: of-this-test\r\n{credentials}\r\n"
    with server.connect() as client:
        client.send(f"GET{rest}".encode())
        got = client.answer()
        client.send(f"HEAD{rest}".encode(), START + b"\r\n")
        headed = client.answer(head=True)
        assert client.answer().json() == {"status": "ok"}  # so there was no body before it
    changing = {"date", "ratelimit"}
    assert headed.status == got.status
    assert headed.headers["content-length"] == str(len(got.body))
    assert {n: v for n, v in headed.headers.items() if n not in changing} == {
        n: v for n, v in got.headers.items() if n not in changing
    }

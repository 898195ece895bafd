"""Access control of the simulator: no access for pages of other sites, more for testers."""

import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from providers.simulator.calls import HEADER, signed
from simulator.access import LARGEST_BODY, Access
from tests.simulator.harness import SECRET, TOKEN, Client, Listener, Running, number, unique

BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
CHANGES = [
    ("POST", "/inbound"),
    ("POST", "/inbound-url"),
    ("POST", "/faults"),
    ("DELETE", "/faults"),
    ("DELETE", "/hooks/a"),
    ("POST", "/hooks/a/behaviour"),
    ("DELETE", "/hooks/a/behaviour"),
]
VENDOR = [
    ("POST", "/messages"),
    ("POST", "/charges"),
    ("POST", "/charges/ch_1/cancel"),
    ("POST", "/refunds"),
    ("POST", "/registry/brands"),
]
READS = [
    "/deliveries",
    "/inbound-url",
    "/faults",
    "/payments",
    "/refunds",
    "/registrations",
    "/hooks/a",
    "/hooks/a/behaviour",
]
VENDOR_READS = [
    "/messages?reference=r",
    "/messages/sim_1",
    "/messages/sim_1/recording",
    "/charges?reference=r",
    "/charges/ch_1",
    "/registry/brands?reference=r",
    "/registry/brands/b_1",
    "/registry/numbers/available",
]


@pytest.fixture
async def stranger(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A local client without credentials."""
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as stranger:
        yield stranger


@pytest.fixture(scope="module")
async def exposed() -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials, of a simulator that is reachable from other machines."""
    access = Access(
        signing_secret=SECRET, token=TOKEN, bound_to="0.0.0.0", url="http://Simulator:8090"
    )
    with Running(access=access) as running:
        async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
            yield client


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {SECRET}"},
        {"Authorization": "Bearer \xff"},
        {"X-Simulator-Token": TOKEN},
    ],
)
async def test_what_changes_something_needs_the_token(
    stranger: httpx.AsyncClient, method: str, path: str, credentials: Mapping[str, str]
) -> None:
    headers = {**JSON, **credentials}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await stranger.request(method, path, headers=raw, content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_the_token_opens_the_console(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.request("DELETE", "/faults", headers=BEARER)
    assert answer.status_code == 200
    lower = {"Authorization": f"bearer {TOKEN}"}
    assert (await stranger.post("/faults", json={"latencyMs": 0}, headers=lower)).is_success


@pytest.mark.parametrize(("method", "path"), VENDOR)
async def test_an_adapters_call_must_be_signed(
    stranger: httpx.AsyncClient, method: str, path: str
) -> None:
    request = stranger.build_request(method, path, json={})
    assert (await stranger.send(request)).status_code == 401
    answer = await stranger.request(method, path, json={}, headers=BEARER)
    assert answer.status_code == 401, "the token is no signature"
    assert (await stranger.send(signed(request, SECRET))).status_code != 401


async def test_a_signature_is_for_one_call_of_now(client: Client, running: Running) -> None:
    order = client.order(to=number())
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as adapter:
        request = signed(adapter.build_request("POST", "/messages", json=order), SECRET)
        good = request.headers[HEADER]
        t = int(good[2:].partition(",")[0])
        bad = [
            ("/messages", order | {"to": number()}, good),
            ("/messages?x=1", order, good),
            ("/charges", order, good),
            ("/messages", order, good.replace(f"t={t}", f"t={t - 1}")),
            ("/messages", order, good.replace("v1=", "v1=0")),
            ("/messages", order, good.partition(",")[0]),
            ("/messages", order, ""),
            ("/messages", order, "t=,v1="),
            ("/messages", order, f"t={'9' * 5000},v1=0"),
        ]
        for path, body, signature in bad:
            answer = await adapter.post(path, json=body, headers={HEADER: signature})
            assert answer.status_code == 401, (path, signature)
        other = signed(adapter.build_request("POST", "/messages", json=order), "x" * 16)
        assert (await adapter.send(other)).status_code == 401
        assert (await adapter.send(request)).status_code == 202
    assert len(await client.delivered(order["to"])) == 1


async def test_an_old_signature_is_refused(stranger: httpx.AsyncClient, client: Client) -> None:
    for age, status in ((290, 202), (310, 401), (-310, 401)):
        request = stranger.build_request("POST", "/messages", json=client.order())
        t = int(time.time()) - age
        content = b"%d.POST /messages\n" % t + request.content
        digest = hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
        request.headers[HEADER] = f"t={t},v1={digest}"
        assert (await stranger.send(request)).status_code == status


async def test_a_webhook_of_the_simulators_is_no_signed_call(
    client: Client, stranger: httpx.AsyncClient, listener: Listener
) -> None:
    id = await client.accepted(client.order())
    await listener.reports(id, 1)
    posted = listener.posted[0]
    answer = await stranger.post(
        "/messages", content=posted.raw, headers={**JSON, HEADER: posted.headers[HEADER.lower()]}
    )
    assert answer.status_code == 401


@pytest.mark.parametrize("path", READS)
async def test_reading_is_open_on_loopback(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 200


@pytest.mark.parametrize("path", [*READS, *VENDOR_READS])
async def test_elsewhere_reading_needs_credentials_too(
    exposed: httpx.AsyncClient, path: str
) -> None:
    assert (await exposed.get(path)).status_code == 401
    assert (await exposed.head(path)).status_code == 401
    assert (await exposed.get(path, headers=BEARER)).status_code != 401
    if path in VENDOR_READS:
        request = signed(exposed.build_request("GET", path), SECRET)
        assert (await exposed.send(request)).status_code != 401
    assert (await exposed.get("/healthz")).status_code == 200


@pytest.mark.parametrize("host", ["localhost:1", "LOCALHOST", "127.0.0.1", "[::1]:8090"])
async def test_loopback_has_these_names(stranger: httpx.AsyncClient, host: str) -> None:
    assert (await stranger.get("/deliveries", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8090",
        "evil.example:127.0.0.1",
        "user@localhost",
        "localhost/evil",
        "localhost, evil.example",
        "",
        "[::1",
        "192.168.0.1",
    ],
)
async def test_a_name_that_was_rebound_to_us_is_refused(
    stranger: httpx.AsyncClient, host: str
) -> None:
    headers = {**BEARER, "Host": host}
    for answer in (
        await stranger.get("/deliveries", headers=headers),
        await stranger.post("/inbound", json={}, headers=headers),
        await stranger.get("/messages?reference=r", headers=headers),
    ):
        assert answer.status_code in (400, 421), host


async def test_it_goes_by_the_name_that_adapters_call_it_by(exposed: httpx.AsyncClient) -> None:
    answer = await exposed.get("/faults", headers={**BEARER, "Host": "simulator:8090"})
    assert answer.status_code == 200
    answer = await exposed.get("/faults", headers={**BEARER, "Host": "other:8090"})
    assert answer.status_code == 421


@pytest.mark.parametrize(
    "page",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "file://"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
async def test_a_page_of_another_site_may_ask_nothing(
    stranger: httpx.AsyncClient, client: Client, page: dict[str, str]
) -> None:
    headers = {**BEARER, **page}
    assert (await stranger.get("/deliveries", headers=headers)).status_code == 403
    assert (await stranger.post("/inbound", json={}, headers=headers)).status_code == 403
    order = stranger.build_request("POST", "/messages", json=client.order(), headers=page)
    assert (await stranger.send(signed(order, SECRET))).status_code == 403
    assert (await stranger.options("/inbound", headers=page)).status_code == 403


async def test_a_page_of_its_own_and_a_link_may(stranger: httpx.AsyncClient) -> None:
    own = {"Origin": str(stranger.base_url), "Sec-Fetch-Site": "same-origin"}
    assert (await stranger.get("/deliveries", headers=own)).status_code == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await stranger.get("/deliveries", headers=link)).status_code == 200
    form = await stranger.post("/faults", json={}, headers={**BEARER, **link})
    assert form.status_code == 403


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "text/json", "application/jsonp"],
)
async def test_only_json_is_taken(stranger: httpx.AsyncClient, media_type: str) -> None:
    headers = {**BEARER, "Content-Type": media_type}
    answer = await stranger.post("/faults", content=b'{"latencyMs": 0}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, 20415)
    headers["Content-Type"] = "Application/JSON; charset=utf-8"
    answer = await stranger.post("/faults", content=b'{"latencyMs": 0}', headers=headers)
    assert answer.status_code == 200


async def test_no_body_is_read_without_end(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/messages", content=b"x" * (LARGEST_BODY + 1), headers=JSON)
    assert answer.status_code == 413
    answer = await stranger.post(
        "/faults", content=b"x" * (LARGEST_BODY + 1), headers={**JSON, **BEARER}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("given", ["", "x" * 15])
def test_a_secret_that_can_be_guessed_is_refused(given: str) -> None:
    with pytest.raises(ValueError):
        Access(signing_secret=given, token=TOKEN)
    with pytest.raises(ValueError):
        Access(signing_secret=SECRET, token=given)


@pytest.mark.parametrize(
    ("bound_to", "open"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.7", False),
        ("simulator", False),
        (unique("host"), False),
    ],
)
def test_reading_is_open_where_only_this_machine_gets_through(bound_to: str, open: bool) -> None:
    access = Access(signing_secret=SECRET, token=TOKEN, bound_to=bound_to)
    assert access.reading_is_open is open

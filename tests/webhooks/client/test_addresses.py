"""The client connects to checked addresses alone, with the right SNI, certificate and Host."""

import asyncio
import socket

import pytest

from models.enums import WebhookFailureReason as Reason
from providers.webhooks.client import WebhookClient
from providers.webhooks.results import WebhookFailure
from tests.unit.webhooks.test_addresses import SPECIAL
from tests.webhooks.client.receiver import (
    HOST,
    OK,
    PUBLIC,
    Authority,
    Names,
    Wires,
    answer,
    client_of,
    raw,
    receiving,
)

OTHER_PUBLIC = "2606:4700:4700::1111"


async def failed(client: WebhookClient, url: str) -> WebhookFailure:
    with pytest.raises(WebhookFailure) as caught:
        await client.post(url, {}, b"{}", owner=1)
    return caught.value


async def test_the_server_sees_its_name_and_the_whole_request(authority: Authority) -> None:
    async with receiving(answer(OK), authority.server(HOST)) as receiver:
        wires = Wires({PUBLIC: receiver.port})
        client = client_of(authority, wires)
        url = f"https://{HOST}:8443/hooks/%C3%BC?token=a b".replace(" ", "%20")
        got = await client.post(
            url, {"webhook-id": "evt_1", "X-Own": "a, b"}, b'{"n":"\xc3\xa9"}', owner=1
        )
    assert (got.status_code, got.text, got.retry_after, got.succeeded) == (200, "ok", None, True)
    assert 0 < got.duration_ms < 15_000
    assert wires.asked == [(PUBLIC, 8443)]
    assert receiver.server_names == [HOST]
    [talk] = receiver.talks
    assert talk.head.startswith("POST /hooks/%C3%BC?token=a%20b HTTP/1.1\r\n")
    assert talk.body == b'{"n":"\xc3\xa9"}'
    assert sorted(talk.headers) == [
        ("accept-encoding", "identity"),
        ("connection", "close"),
        ("content-length", "10"),
        ("content-type", "application/json"),
        ("host", f"{HOST}:8443"),
        ("user-agent", "HexaVox-Webhooks/1"),
        ("webhook-id", "evt_1"),
        ("x-own", "a, b"),
    ]


@pytest.mark.parametrize("address", SPECIAL)
@pytest.mark.parametrize("beside", [False, True])
async def test_one_special_address_refuses_the_whole_name(
    authority: Authority, address: str, beside: bool
) -> None:
    wires = Wires({})
    names = Names.always(*([PUBLIC, address, OTHER_PUBLIC] if beside else [address]))
    failure = await failed(client_of(authority, wires, resolve=names), f"https://{HOST}/")
    assert (failure.reason, wires.asked) == (Reason.ADDRESS_NOT_ALLOWED, [])


@pytest.mark.parametrize("address", ["", "x", "127.1", "0x7f.0.0.1", "2130706433", "127.0.0.1 "])
async def test_an_address_in_another_form_is_refused(authority: Authority, address: str) -> None:
    wires = Wires({})
    failure = await failed(
        client_of(authority, wires, resolve=Names.always(address)), f"https://{HOST}/"
    )
    assert (failure.reason, wires.asked) == (Reason.ADDRESS_NOT_ALLOWED, [])


@pytest.mark.parametrize("address", SPECIAL)
async def test_a_special_address_in_the_url_is_refused(authority: Authority, address: str) -> None:
    wires, names = Wires({}), Names.always(PUBLIC)
    host = f"[{address}]" if ":" in address else address
    failure = await failed(client_of(authority, wires, resolve=names), f"https://{host}/")
    assert (failure.reason, wires.asked) == (Reason.ADDRESS_NOT_ALLOWED, [])
    assert names.asked.total() == 0


async def test_a_name_whose_second_answer_differs_is_looked_up_once(authority: Authority) -> None:
    names = Names(hooks_example_com=[[PUBLIC], ["127.0.0.1"]])
    async with receiving(answer(OK), authority.server(HOST)) as receiver:
        wires = Wires({PUBLIC: receiver.port})
        client = client_of(authority, wires, resolve=names)
        assert (await client.post(f"https://{HOST}/", {}, b"{}", owner=1)).succeeded
        assert (names.asked.total(), wires.asked) == (1, [(PUBLIC, 443)])
        failure = await failed(client, f"https://{HOST}/")
    assert (failure.reason, wires.asked) == (Reason.ADDRESS_NOT_ALLOWED, [(PUBLIC, 443)])


async def test_the_next_address_is_tried_if_one_takes_no_connection(authority: Authority) -> None:
    async with receiving(answer(OK), authority.server(HOST)) as receiver:
        wires = Wires({OTHER_PUBLIC: receiver.port})
        names = Names.always("1.1.1.1", OTHER_PUBLIC, PUBLIC)
        client = client_of(authority, wires, resolve=names)
        assert (await client.post(f"https://{HOST}/", {}, b"{}", owner=1)).succeeded
    assert wires.asked == [("1.1.1.1", 443), (OTHER_PUBLIC, 443)]
    assert receiver.connections == 1


async def test_three_addresses_are_tried_at_most(authority: Authority) -> None:
    wires = Wires({})
    names = Names.always(*(f"1.1.1.{n}" for n in range(1, 65)))
    failure = await failed(client_of(authority, wires, resolve=names), f"https://{HOST}/")
    assert failure.reason is Reason.CONNECTION
    assert [host for host, _ in wires.asked] == ["1.1.1.1", "1.1.1.2", "1.1.1.3"]


@pytest.mark.parametrize("addresses", [(), tuple(f"1.1.1.{n}" for n in range(65))])
async def test_no_address_or_too_many_are_a_failed_look_up(
    authority: Authority, addresses: tuple[str, ...]
) -> None:
    client = client_of(authority, Wires({}), resolve=Names.always(*addresses))
    assert (await failed(client, f"https://{HOST}/")).reason is Reason.DNS


async def test_an_unknown_name_is_a_failed_look_up(authority: Authority) -> None:
    client = client_of(authority, Wires({}), resolve=Names())
    assert (await failed(client, f"https://{HOST}/")).reason is Reason.DNS


@pytest.mark.parametrize("names", [("other.example.com",), (PUBLIC,), ("*.example.org",)])
async def test_the_certificate_must_be_of_the_name(
    authority: Authority, names: tuple[str, ...]
) -> None:
    async with receiving(answer(OK), authority.server(*names)) as receiver:
        client = client_of(authority, Wires({PUBLIC: receiver.port}))
        failure = await failed(client, f"https://{HOST}/")
    assert (failure.reason, receiver.talks) == (Reason.TLS, [])


async def test_the_certificate_must_be_of_a_trusted_authority(authority: Authority) -> None:
    async with receiving(answer(OK), Authority().server(HOST)) as receiver:
        client = client_of(authority, Wires({PUBLIC: receiver.port}))
        failure = await failed(client, f"https://{HOST}/")
    assert (failure.reason, receiver.talks) == (Reason.TLS, [])


async def test_a_certificate_of_an_address_fits_a_url_with_it(authority: Authority) -> None:
    async with receiving(answer(OK), authority.server(PUBLIC)) as receiver:
        wires, names = Wires({PUBLIC: receiver.port}), Names()
        client = client_of(authority, wires, resolve=names)
        assert (await client.post(f"https://{PUBLIC}/", {}, b"{}", owner=1)).succeeded
    assert (receiver.server_names, names.asked.total()) == ([None], 0)
    assert dict(receiver.talks[0].headers)["host"] == PUBLIC


async def test_a_server_without_tls_is_not_talked_to(authority: Authority) -> None:
    heard = bytearray()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(65_536))
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw(refuse) as port:
        client = client_of(authority, Wires({PUBLIC: port}))
        failure = await failed(client, f"https://{HOST}/")
    assert failure.reason is Reason.TLS
    assert b"POST" not in heard


async def test_the_proxies_of_the_environment_are_not_used(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving(answer(OK)) as proxy, receiving(answer(OK)) as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        client = WebhookClient(local=True)
        got = await client.post(f"http://localhost:{receiver.port}/hooks/a", {}, b"{}", owner=1)
    assert (got.succeeded, receiver.connections, proxy.connections) == (True, 1, 0)
    assert dict(receiver.talks[0].headers)["host"] == f"localhost:{receiver.port}"


async def test_only_the_local_demo_reaches_this_machine(authority: Authority) -> None:
    async with receiving(answer(OK), authority.server(HOST, "127.0.0.1")) as receiver:
        names = Names.always("127.0.0.1")
        for url in (f"https://{HOST}:{receiver.port}/", f"https://127.0.0.1:{receiver.port}/"):
            for local in (True, False):
                client = WebhookClient(local=local, resolve=names, ssl_context=authority.client)
                if local:
                    assert (await client.post(url, {}, b"{}", owner=1)).succeeded
                else:
                    assert (await failed(client, url)).reason is Reason.ADDRESS_NOT_ALLOWED
    assert len(receiver.talks) == 2


async def test_a_port_where_nobody_listens_is_a_failed_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        failure = await failed(WebhookClient(local=True), f"http://127.0.0.1:{port}/")
    assert failure.reason is Reason.CONNECTION


@pytest.mark.parametrize("url", ["https://a:b@example.com/", "http://example.com/", "x", ""])
async def test_an_invalid_url_is_not_sent_to(authority: Authority, url: str) -> None:
    names = Names.always(PUBLIC)
    failure = await failed(client_of(authority, Wires({}), resolve=names), url)
    assert (failure.reason, names.asked.total()) == (Reason.ADDRESS_NOT_ALLOWED, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Host", "a"), ("content-length", "1"), ("Transfer-Encoding", "chunked")),
        *(("connection", "keep-alive"), ("Accept-Encoding", "gzip"), ("", "a"), ("a b", "a")),
        *(("x-secret", "hidden\r\nHost: a"), ("x-secret", "hidden\x00"), ("x-secret", "hiddené")),
        *(("x-secret", ""), ("x-secret", " hidden"), ("x:secret", "hidden"), ("x\n", "hidden")),
    ],
)
async def test_a_header_that_cannot_be_sent_is_a_mistake_of_ours(
    authority: Authority, name: str, value: str
) -> None:
    client = client_of(authority, Wires({}))
    with pytest.raises(ValueError, match="cannot be sent") as caught:
        await client.post(f"https://{HOST}/", {name: value}, b"{}", owner=1)
    assert "hidden" not in str(caught.value)

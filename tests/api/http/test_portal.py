"""The portal: generated for this server, without external assets."""

import re
from pathlib import Path
from time import process_time

import httpx
import pytest
import yaml

from api.portal import pages
from models import errors

PAGES = ("/", "/swagger-ui", "/v3/api-docs", "/v3/api-docs.yaml", "/assets/portal.css")


async def test_the_quickstart_carries_the_public_address(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    assert page.count('-X POST "https://sms.gym.test/api/v1/') == 14


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("host", ["evil.test", 'x"><script>alert(1)</script>', "a/b?c"])
async def test_host_is_written_into_no_page(
    client: httpx.AsyncClient, path: str, host: str
) -> None:
    asked = {"Host": host, "X-Forwarded-Host": host, "Forwarded": f'host="{host}"'}
    assert (await client.get(path, headers=asked)).content == (await client.get(path)).content


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_sent_once_to_who_keeps_it(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    etag = page.headers["ETag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == etag
    for other in ('"other"', "", etag.strip('"')):
        again = await client.get(path, headers={"If-None-Match": other})
        assert (again.status_code, again.content) == (200, page.content)


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_costs_next_to_nothing(client: httpx.AsyncClient, path: str) -> None:
    await client.get(path)
    began = process_time()
    for _ in range(10):
        await client.get(path)
    assert process_time() - began < 0.5  # generating the YAML per request takes ten times as long


async def test_a_flood_of_ranges_gets_the_file_once(client: httpx.AsyncClient) -> None:
    ranges = ",".join(f"{n}-{n}" for n in range(0, 2000, 20))
    path = "/assets/portal.css"
    answer = await client.get(path, headers={"Range": f"bytes={ranges}"})
    assert (answer.status_code, answer.content) == (200, (await client.get(path)).content)


@pytest.mark.parametrize("name", ["nothing.js", "", "x/portal.css", "%2e%2e/pages.py"])
async def test_only_the_assets_are_assets(client: httpx.AsyncClient, name: str) -> None:
    url = httpx.URL("http://api.test").copy_with(raw_path=f"/assets/{name}".encode())
    answer = await client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_the_yaml_has_neither_anchors_nor_aliases(client: httpx.AsyncClient) -> None:
    text = (await client.get("/v3/api-docs.yaml")).text
    tokens = yaml.scan(text, Loader=yaml.CSafeLoader)
    marks = (yaml.AnchorToken, yaml.AliasToken)
    assert not [token for token in tokens if isinstance(token, marks)]


async def test_the_guide_lists_what_exists_and_every_code(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    for path in (
        "/api/v1/merchants/{merchantId}",
        "/api/v1/messages/voice",
        "/api/v1/email/send",
        "/api/v1/billing/upgrade",
    ):
        assert f"<code>{path}</code>" in page
    for error in (errors.ConsentOptedOut, errors.RateLimited, errors.HexavoxError):
        assert page.count(f'id="{error.code}"') == 1


@pytest.mark.parametrize("path", ["/", "/swagger-ui"])
async def test_pages_load_nothing_from_elsewhere(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.headers["content-type"].startswith("text/html")
    linked = re.findall(r'(?:src|href)="([^"#]+)"', response.text)
    assert linked
    for address in linked:
        assert address.startswith("/")
        assert (await client.get(address)).status_code == 200, address


async def test_heads_are_answered(client: httpx.AsyncClient) -> None:
    assert (await client.head("/")).status_code == 200


def test_every_asset_is_ours_or_named_with_its_licence() -> None:
    readme = (Path(pages.ASSETS) / "README.md").read_text("utf-8")
    for file in Path(pages.ASSETS).iterdir():
        assert file.name in readme or file.name in {"README.md", "favicon.svg"}, file.name

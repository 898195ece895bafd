"""The portal: true for this server, and served by this server alone."""

import re
from pathlib import Path

import httpx
import pytest

from api.portal import pages
from models import errors


async def test_the_quickstart_carries_this_servers_address(client: httpx.AsyncClient) -> None:
    page = (await client.get("/", headers={"Host": "sms.gym.test:8000"})).text
    assert page.count('curl -X POST "http://sms.gym.test:8000/api/v1/') == 9


async def test_a_strange_host_cannot_write_into_the_page(client: httpx.AsyncClient) -> None:
    page = (await client.get("/", headers={"Host": 'x"><script>alert(1)</script>'})).text
    assert "<script>alert" not in page


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

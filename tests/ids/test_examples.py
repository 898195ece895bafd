"""Example ids in the specification and the guide have the form of real ones."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import api.portal
from api.app import create_app
from models.settings import Settings
from tests.api.http.references import resolved
from tests.contacts import CONTACT_KEY_FILE
from tests.webhook_key import WEBHOOK_KEY_FILE

_ID: Final = re.compile(r"(pay_)?[1-9]\d{14,15}", re.ASCII)
_SIP_USER: Final = re.compile(r"(.*\b)?t[\da-f]{12,13}m[\da-f]{12,13}(\b.*)?", re.ASCII)
_IDS: Final = frozenset({"id", "messageId", "paymentId", "brandId", "campaignId", "numberId"})
_DOCUMENTS: Final = ("README.md", "docs/runbook.md", "docs/one-send.md")
_ROOT: Final = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The specification."""
    settings = Settings(
        database_url="postgresql://nobody@127.0.0.1:1/nothing",
        server_secret="only-for-tests-too",
        contact_key_file=CONTACT_KEY_FILE,
        webhook_key_file=WEBHOOK_KEY_FILE,
    )
    return create_app(settings).openapi()


def _examples(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and each example of every field and parameter."""
    for schema in document["components"]["schemas"].values():
        for name, facts in schema.get("properties", {}).items():
            yield from ((name, str(one)) for one in facts.get("examples", ()))
    for methods in document["paths"].values():
        for operation in methods.values():
            for each in operation.get("parameters", ()):
                facts = resolved(document, each)
                examples = facts["schema"].get("examples", ())
                yield from ((facts["name"], str(one)) for one in examples)


def test_ids_in_the_specification_are_of_the_right_form(document: dict[str, Any]) -> None:
    shown = {(name, one) for name, one in _examples(document) if name in _IDS}
    assert {name for name, _ in shown} == _IDS
    assert [pair for pair in sorted(shown) if not _ID.fullmatch(pair[1])] == []


def test_sip_users_in_the_specification_are_of_the_right_form(document: dict[str, Any]) -> None:
    shown = {one for name, one in _examples(document) if name == "username"}
    assert len(shown) > 1
    assert [one for one in sorted(shown) if not _SIP_USER.fullmatch(one)] == []


def test_ids_in_the_guide_are_of_the_right_form() -> None:
    guide = (Path(api.portal.__file__).parent / "guide.html").read_text()
    shown = re.findall(r'"(?:id|messageId|paymentId)": "([^"<]*)"', guide)
    assert len(shown) > 5
    assert [one for one in shown if not _ID.fullmatch(one)] == []
    users = re.findall(r'"username": "([^"]*)"', guide)
    assert users
    assert [one for one in users if not _SIP_USER.fullmatch(one)] == []


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_ids_in_the_documents_are_of_the_right_form(name: str) -> None:
    text = (_ROOT / name).read_text()
    shown = re.findall(r'(?:HexavoxMessageId|HexavoxPaymentId) = (\w+)|"public_id": (\d+)', text)
    ids = [one or other for one, other in shown]
    assert ids
    assert [one for one in ids if not _ID.fullmatch(one)] == []

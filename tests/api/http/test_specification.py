"""The specification contains the whole public contract and nothing else."""

from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI

from tests.api.http.references import resolved

Operation = dict[str, Any]


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    """The specification."""
    return app.openapi()


@pytest.fixture
def operations(document: dict[str, Any]) -> dict[tuple[str, str], Operation]:
    """Every operation by method and path."""
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_it_holds_the_catalogue_and_nothing_else(
    operations: dict[tuple[str, str], Operation],
) -> None:
    assert {path.split("/")[1:3] == ["api", "v1"] for _, path in operations} == {True}
    assert {
        ("post", "/api/v1/merchants"),
        ("get", "/api/v1/merchants"),
        ("get", "/api/v1/merchants/{merchantId}"),
        ("post", "/api/v1/consents"),
        ("get", "/api/v1/consents"),
        ("get", "/api/v1/merchants/{merchantId}/settings"),
        ("post", "/api/v1/merchants/{merchantId}/settings"),
        ("post", "/api/v1/merchants/{merchantId}/messaging/brand"),
        ("get", "/api/v1/merchants/{merchantId}/messaging/brand"),
        ("post", "/api/v1/merchants/{merchantId}/messaging/campaigns"),
        ("get", "/api/v1/merchants/{merchantId}/messaging/campaigns"),
        ("get", "/api/v1/merchants/{merchantId}/messaging/numbers/available"),
        ("post", "/api/v1/merchants/{merchantId}/messaging/numbers"),
        ("get", "/api/v1/merchants/{merchantId}/messaging/numbers"),
        ("post", "/api/v1/merchants/{merchantId}/messaging/numbers/{number}/assignment"),
        ("delete", "/api/v1/merchants/{merchantId}/messaging/numbers/{number}"),
        ("get", "/api/v1/merchants/{merchantId}/messaging/status"),
        ("post", "/api/v1/messages/sms"),
        ("post", "/api/v1/messages/voice"),
        ("post", "/api/v1/messages/email"),
        ("post", "/api/v1/messages/{messageId}/cancel"),
        ("post", "/api/v1/messages/batch"),
        ("get", "/api/v1/messages/batch/{batchId}"),
        ("get", "/api/v1/messages/batch/{batchId}/messages"),
        ("post", "/api/v1/messages/batch/{batchId}/cancel"),
        ("get", "/api/v1/messages/{messageId}/recording"),
        ("post", "/api/v1/email/send"),
        ("get", "/api/v1/voice/tts-calls"),
        ("post", "/api/v1/voice/tts-calls"),
        ("get", "/api/v1/voice/provisioning"),
        ("post", "/api/v1/voice/provisioning/rotate"),
        ("post", "/api/v1/voice/provisioning/presence"),
        ("get", "/api/v1/voice/provisioning/presence"),
        ("get", "/api/v1/messages"),
        ("get", "/api/v1/messages/{messageId}"),
        ("get", "/api/v1/reports/usage"),
        ("get", "/api/v1/reports/usage.csv"),
        ("get", "/api/v1/alerts"),
        ("post", "/api/v1/billing/upgrade"),
        ("get", "/api/v1/billing/upgrades"),
        ("get", "/api/v1/billing/ledger"),
        ("post", "/api/v1/keys"),
        ("get", "/api/v1/keys"),
        ("delete", "/api/v1/keys/{keyId}"),
        ("post", "/api/v1/webhooks"),
        ("get", "/api/v1/webhooks"),
        ("get", "/api/v1/webhooks/{webhookId}"),
        ("post", "/api/v1/webhooks/{webhookId}"),
        ("delete", "/api/v1/webhooks/{webhookId}"),
        ("post", "/api/v1/webhooks/{webhookId}/rotate-secret"),
        ("post", "/api/v1/webhooks/{webhookId}/test"),
        ("get", "/api/v1/webhooks/{webhookId}/deliveries"),
        ("post", "/api/v1/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver"),
        ("post", "/api/v1/webhooks/{webhookId}/redeliver"),
    } <= set(operations)


def test_its_schemas_are_named_as_in_the_guide(document: dict[str, Any]) -> None:
    assert {
        "V1MerchantUpsertRequest",
        "MerchantView",
        "V1MerchantConsentRequest",
        "ConsentView",
        "V1OmniSmsSendRequest",
        "V1OmniVoiceSendRequest",
        "V1OmniEmailSendRequest",
        "V1EmailSendRequest",
        "V1MessageResponse",
        "VoiceTtsCallView",
        "V1VoiceProvisioningResponse",
        "V1VoiceSipPresenceRequest",
        "MerchantSettingsView",
        "V1MerchantMessagingBrandRequest",
        "V1MerchantMessagingBrandView",
        "V1MerchantMessagingCampaignRequest",
        "V1MerchantMessagingCampaignView",
        "V1MerchantMessagingNumberRequest",
        "V1MerchantMessagingNumberView",
        "V1MerchantMessagingAssignmentRequest",
        "V1MerchantMessagingAssignmentView",
        "V1MerchantMessagingStatusView",
        "V1BatchSendRequest",
        "BatchView",
        "BatchLineView",
        "DispatchResponse",
        "MessageView",
        "V1UsageReportResponse",
        "AlertView",
        "V1MerchantUpgradeRequest",
        "MerchantUpgradeView",
        "LedgerEntryView",
        "KeyView",
        "WebhookView",
        "WebhookDeliveryView",
        "Problem",
    } <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_field_is_described_and_shown_by_example(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, facts in schema.get("properties", {}).items():
            assert facts.get("description"), f"{name}.{field}"
            nested = "$ref" in facts or "$ref" in str(facts.get("items")) + str(facts)
            assert nested or facts.get("examples"), f"{name}.{field}"


ONLY_WHEN_ASKED = {
    "V1UsageReportResponse": {"merchantId"},
    "CreatedKeyView": {"apiSecret"},
    "WebhookSecretView": {"secret"},
}
"""The guide's response lacks `merchantId`; it is present if the report is for one merchant. A
replayed response has no secret."""


def test_answers_have_no_optional_fields(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        if name.endswith(("View", "Response", "Event")) and "properties" in schema:
            optional = set(schema["properties"]) - set(schema["required"])
            assert optional == ONLY_WHEN_ASKED.get(name, set()), name
            assert all("default" not in facts for facts in schema["properties"].values()), name


def test_every_write_documents_its_idempotency_key(
    operations: dict[tuple[str, str], Operation],
) -> None:
    for (method, path), operation in operations.items():
        headers = {p["name"] for p in operation.get("parameters", []) if p["in"] == "header"}
        assert ("Idempotency-Key" in headers) is (method in ("post", "delete")), path


NO_CONTENT = {
    ("delete", "/api/v1/keys/{keyId}"): "204",
    ("delete", "/api/v1/webhooks/{webhookId}"): "204",
}
"""Operations without a response body."""


def test_every_error_is_a_problem_with_examples(
    document: dict[str, Any], operations: dict[tuple[str, str], Operation]
) -> None:
    for key, operation in operations.items():
        success = NO_CONTENT.get(key, "200")
        expected = {success, "400", "401", "403", "429", "503"}
        assert expected <= set(operation["responses"]), key
        for status, response in operation["responses"].items():
            if status != success:
                content = resolved(document, response)["content"]
                assert list(content) == ["application/problem+json"], key
                examples = content["application/problem+json"]["examples"]
                assert examples, (key, status)
                for code, example in examples.items():
                    value = resolved(document, example)["value"]
                    assert (value["code"], str(value["status"])) == (code, status), key


async def test_every_operation_refuses_a_request_without_credentials(
    operations: dict[tuple[str, str], Operation], client: httpx.AsyncClient
) -> None:
    for method, path in operations:
        response = await client.request(method, path.replace("{", "").replace("}", ""))
        assert response.status_code == 401, (method, path)


async def test_it_is_served_as_json_and_yaml_with_the_public_address(
    client: httpx.AsyncClient,
) -> None:
    as_json = (await client.get("/v3/api-docs")).json()
    as_yaml = await client.get("/v3/api-docs.yaml")
    assert as_json == yaml.safe_load(as_yaml.text)
    assert as_json["servers"][0]["url"] == "https://sms.gym.test"
    assert as_json["openapi"].startswith("3.1")
    assert set(as_json["components"]["securitySchemes"]) == {"ApiKeyAuth", "ApiSecretAuth"}


def test_the_causes_of_compliance_rejected_are_described(document: dict[str, Any]) -> None:
    told = str(document["components"]["schemas"]["AlertView"]["properties"]["type"])
    assert "the assignment of a number was rejected" in told
    assert "a number purchase that FAILED raises no alert" in told


def test_a_range_of_messages_takes_a_day_or_a_time(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/v1/messages"]["get"]["parameters"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in parameters}
    for name in ("from", "until"):
        formats = [kind.get("format") for kind in schemas[name]["anyOf"]]
        assert formats[:2] == ["date", "date-time"], schemas[name]

"""Faults in the delivery of webhooks."""

from typing import Final

from tests.mutants.fault import Fault

_DUE: Final = "models/queries/webhooks/deliveries_due.py"
_OUTCOMES: Final = "models/queries/webhooks/delivery_outcomes.py"
_ALERTS: Final = "models/queries/webhooks/failing_alerts.py"
_EXPIRED: Final = "models/queries/webhooks/expired_deliveries.py"
_WAKE_UPS: Final = "models/queries/webhooks/wake_ups.py"
_TURN: Final = "activities/webhooks/turn.py"
_BODIES: Final = "api/services/webhooks/event_bodies.py"
_HEALTH: Final = "activities/webhooks/endpoint_health.py"
_CLOCK: Final = "activities/webhooks/turn_clock.py"
_ATTEMPTS: Final = "activities/webhooks/attempts.py"
_TENANT_SHARES: Final = "activities/webhooks/tenant_shares.py"
_CLIENT: Final = "providers/webhooks/client.py"
_SECRETS: Final = "models/rules/webhooks/endpoint_secrets.py"
_WORKFLOW: Final = "workflows/webhooks/workflow.py"

_DELIVERING: Final = ("tests/webhooks/test_delivering.py",)
_RENDERING: Final = ("tests/webhooks/test_event_faults.py",)
_FAILING: Final = ("tests/webhooks/test_failing.py",)
_CRASHES: Final = ("tests/webhooks/test_crashes.py",)
_LAW: Final = ("tests/webhooks/test_wake_up_law.py",)
_WAKING: Final = ("tests/webhooks/test_waking.py",)
_WORKFLOWS: Final = ("tests/webhooks/test_workflow.py",)
_SHARES: Final = ("tests/webhooks/test_tenant_shares.py",)
_HANGS: Final = ("tests/webhooks/client/test_hangs.py",)
_DELETING: Final = ("tests/webhooks/test_expired_deliveries.py",)

FAULTS: Final = (
    Fault(
        "an endpoint at rest stays awake",
        _DUE,
        "_REST",
        "AND awake_since IS NOT NULL",
        "AND FALSE",
        _LAW,
    ),
    Fault(
        "every worker wakes an endpoint",
        _WAKE_UPS,
        "_SLEEPS",
        "e.awake_since IS NULL",
        "TRUE",
        _WAKING,
    ),
    Fault(
        "a wake-up that was lost is not repeated",
        _WAKE_UPS,
        "_SLEEPS",
        "OR e.awake_since < clock_timestamp()",
        "OR e.awake_since > clock_timestamp()",
        _WAKING,
    ),
    Fault(
        "the next event of a message is not due when the earlier one ends",
        _OUTCOMES,
        "conclude",
        "is not WebhookDeliveryStatus.PENDING",
        "is WebhookDeliveryStatus.PENDING",
        _DELIVERING,
    ),
    Fault(
        "an outcome that another worker has stored is stored again",
        _OUTCOMES,
        "_CONCLUDE",
        "AND attempts = :known_attempts",
        "AND attempts >= :known_attempts",
        _CRASHES,
    ),
    Fault(
        "events that were requested again pass each other",
        _TURN,
        "Turn._due",
        "if not row.blocked",
        "if row is not None",
        _DELIVERING,
    ),
    Fault(
        "an inactive endpoint is left with rows that were locked",
        _TURN,
        "Turn._give_up",
        "if left or await",
        "if await",
        _FAILING,
    ),
    Fault(
        "a failure leaves the number of requests at once",
        _OUTCOMES,
        "_FAILED",
        ", concurrency = 1",
        "",
        _DELIVERING,
    ),
    Fault(
        "an event that can't be rendered holds up the others",
        _BODIES,
        "EventBodies._render",
        "if not caused_by_input(fault):",
        "if True:",
        _RENDERING,
    ),
    Fault(
        "one tenant's endpoints are woken before those of others",
        _WAKE_UPS,
        "TAKE_SLEEPING",
        "PARTITION BY e.tenant_id ORDER",
        "ORDER",
        _SHARES,
    ),
    Fault(
        "a tenant's turns use all slots of a worker",
        _TENANT_SHARES,
        "TenantShares._is_used_up",
        "self._turns[tenant_id] >= self._most",
        "False",
        _SHARES,
    ),
    Fault(
        "failing endpoints use the whole share of their tenant",
        _TENANT_SHARES,
        "TenantShares._is_used_up",
        "return failing and",
        "return False and",
        _SHARES,
    ),
    Fault(
        "one owner's requests to a host count for all owners",
        _CLIENT,
        "WebhookClient._slot",
        "self._hosts[owner, host] >= self._per_host",
        "sum(n for key, n in self._hosts.items() if key[1] == host) >= self._per_host",
        _HANGS,
    ),
    Fault(
        "a busy client counts as a failed attempt",
        _TURN,
        "Turn._deliver",
        "self._busy = True",
        "self._failed += 1",
        _CRASHES,
    ),
    Fault(
        "an attempt may outlast the activity",
        _CLOCK,
        "TurnClock.may_post",
        "self._elapsed < self._may_post_for",
        "True",
        _CRASHES,
    ),
    Fault(
        "410 is an ordinary failure",
        _HEALTH,
        "_reason_to_disable",
        "== _GONE",
        "== 0",
        _FAILING,
    ),
    Fault(
        "an endpoint is never disabled for failing",
        _HEALTH,
        "_reason_to_disable",
        "if failing_for >= DISABLED_AFTER",
        "if failing_for is None",
        _FAILING,
    ),
    Fault(
        "the alert stays after an endpoint was activated again",
        _HEALTH,
        "EndpointHealth.is_troubled",
        "self._alerted or ",
        "",
        _FAILING,
    ),
    Fault(
        "the alert of a disabled endpoint stays a warning",
        _ALERTS,
        "raise_failing",
        "    if disabled:",
        "    if not disabled:",
        _FAILING,
    ),
    Fault(
        "Retry-After is obeyed after any status",
        _ATTEMPTS,
        "attempt",
        "if answer.status_code in (429, 503)",
        "if answer.status_code",
        _FAILING,
    ),
    Fault(
        "deliveries of an endpoint that is active again fail",
        _OUTCOMES,
        "_FAIL_PENDING",
        "AND NOT active",
        "",
        _FAILING,
    ),
    Fault(
        "a delivery waits for one that has failed with its endpoint",
        _OUTCOMES,
        "_FAIL_PENDING",
        "ORDER BY due_at DESC, id DESC",
        "ORDER BY due_at, id",
        _FAILING,
    ),
    Fault(
        "the secret that is replaced signs after the overlap",
        _SECRETS,
        "EndpointSecrets.valid",
        "and now < self.previous_until",
        "",
        _DELIVERING,
    ),
    Fault(
        "the secret that is replaced does not sign",
        _SECRETS,
        "EndpointSecrets.valid",
        "self.previous_until is not None and",
        "self.previous_until is None and",
        _DELIVERING,
    ),
    Fault(
        "an event that comes while the workflow ends is not delivered",
        _WORKFLOW,
        "DeliverWebhooks.run",
        "if not self._event_recorded:",
        "if True:",
        _WORKFLOWS,
    ),
    Fault(
        "events end a pause",
        _WORKFLOW,
        "DeliverWebhooks.run",
        "elif turn.pausing:",
        "elif False:",
        _WORKFLOWS,
    ),
    Fault(
        "the deletion of an old pending event holds back the next one",
        "activities/system/expired_records.py",
        "ExpiredDeliveries.delete",
        "for delivery in pending:",
        "for delivery in ():",
        _DELETING,
    ),
    Fault(
        "an endpoint is deleted while others may insert deliveries",
        _EXPIRED,
        "delete_deleted_endpoints",
        "now - _GRACE",
        "now",
        _DELETING,
    ),
)

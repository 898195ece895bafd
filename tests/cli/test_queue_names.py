"""Names that `hexavox worker --queue` takes."""

import pytest

from cli.worker.queue_names import check_queue_names, is_served
from models.configuration.environment_settings import BadSettings

KNOWN = [
    *("batches", "housekeeping", "messages", "money", "providers", "registration", "webhooks"),
    *("provider-relay", "provider-simulator"),
]
ACCOUNTS = {"simulator", "relay"}


def test_every_task_queue_and_the_queue_of_every_account_may_be_named() -> None:
    check_queue_names(KNOWN, ACCOUNTS)
    check_queue_names([], ACCOUNTS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mesages", "messages"),
        ("message", "messages"),
        ("MESSAGES", None),
        ("provider", "providers"),
        ("provider-", None),
        ("provider-relays", "provider-relay"),
        ("provider-twilio", None),
        ("relay", None),
        ("messages,money", None),
        (" messages", "messages"),
        ("", None),
        ("*", None),
    ],
)
def test_another_name_is_refused_with_the_list(name: str, meant: str | None) -> None:
    with pytest.raises(BadSettings) as refused:
        check_queue_names(["money", name], ACCOUNTS)
    first, *rest = str(refused.value).splitlines()
    assert first.startswith(f"--queue {name}: there is no such task queue")
    if meant:
        assert first.endswith(f"; did you mean {meant}?")
    assert rest == [f"The task queues are {', '.join(KNOWN)}"]


@pytest.mark.parametrize(
    ("named", "served"),
    [
        (None, ["messages", "money", "provider-a", "provider-b"]),
        ([], ["messages", "money", "provider-a", "provider-b"]),
        (["messages"], ["messages"]),
        (["providers"], ["provider-a", "provider-b"]),
        (["money", "provider-b"], ["money", "provider-b"]),
    ],
)
def test_a_worker_serves_what_was_named_or_everything(
    named: list[str] | None, served: list[str]
) -> None:
    queues = ["messages", "money", "provider-a", "provider-b"]
    assert [queue for queue in queues if is_served(queue, named)] == served

"""Faults of batches in the API: reading, storing, limits and canceling."""

from typing import Final

from tests.mutants.fault import Fault

FAULTS: Final = (
    Fault(
        "an escaped quote at the end of a piece ends a string",
        "api/http/bodies/item_cutters.py",
        "ArrayCutter._skip_string",
        "            position += 1\n",
        "",
        ("tests/unit/http/test_item_cutters.py",),
    ),
    Fault(
        "an empty line among others is skipped",
        "api/http/bodies/item_cutters.py",
        "LineCutter._end_line",
        "elif self._blank:",
        "elif self._blank and not line:",
        ("tests/unit/http/test_item_cutters.py",),
    ),
    Fault(
        "a batch has 10,001 lines",
        "api/services/messages/batches/receive.py",
        "_Lines.add",
        "number > MAX_LINES",
        "number > MAX_LINES + 1",
        ("tests/unit/batches/test_receiving.py", "-k", "number_of_lines"),
    ),
    Fault(
        "the fingerprint of a batch does not depend on its lines",
        "api/services/messages/batches/receive.py",
        "_Lines.add",
        "self._hash.update(text.encode())",
        "self._hash.update(b'')",
        ("tests/unit/batches/test_receiving.py", "-k", "fingerprint"),
    ),
    Fault(
        "a third batch of a tenant is stored",
        "api/services/messages/batches/store.py",
        "BatchStoring._store",
        ">= MOST_UNDECIDED",
        "> MOST_UNDECIDED",
        ("tests/api/batches/test_batch_limits.py", "-k", "undecided or at_once"),
    ),
    Fault(
        "batches are stored at once without waiting for each other",
        "api/services/messages/batches/store.py",
        "BatchStoring._store",
        "            await store.lock_undecided(db, caller.tenant_id)\n",
        "",
        ("tests/api/batches/test_batch_limits.py", "-k", "another_process"),
    ),
    Fault(
        "an inactive merchant sends batches",
        "api/services/messages/batches/store.py",
        "BatchStoring._store",
        "if not merchant.active:",
        "if merchant.active is None:",
        ("tests/api/batches/test_storing.py", "-k", "active"),
    ),
    Fault(
        "lines of a later statement are numbered anew",
        "api/services/messages/batches/store.py",
        "_insert_lines",
        "        before += len(lines)\n",
        "",
        ("tests/api/batches/test_storing.py", "-k", "sizes"),
    ),
    Fault(
        "a batch counts for the rate limits by its size",
        "api/http/bodies/body_size.py",
        "requests_worth",
        ' or is_streamed(scope.get("endpoint"))',
        "",
        ("tests/api/batches/test_batch_limits.py", "-k", "one_request"),
    ),
    Fault(
        "a batch that has ended is canceled",
        "api/services/messages/batches/cancel.py",
        "BatchCanceling._mark",
        "batch.decided_at is not None and",
        "batch.decided_at is None and",
        ("tests/api/batches/test_canceling_batches.py",),
    ),
    Fault(
        "a canceled batch is not looked after",
        "api/services/messages/batches/cancel.py",
        "BatchCanceling._mark",
        "            batch.sweep_at = now + self._start_within\n",
        "",
        ("tests/api/batches/test_canceling_batches.py",),
    ),
    Fault(
        "messages that have ended as SENT keep a batch open",
        "models/queries/messages/batches/read.py",
        "_PROGRESS",
        "FILTER (WHERE completed_at IS NULL)",
        "FILTER (WHERE status IN ('QUEUED', 'SCHEDULED', 'SENDING', 'SENT'))",
        ("tests/api/batches/test_reading.py",),
    ),
)

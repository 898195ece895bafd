"""All faults."""

from typing import Final

from tests.mutants import (
    batch_acceptance_faults,
    batch_api_faults,
    batch_faults,
    border_faults,
    health_faults,
    ledger_faults,
    look_up_faults,
    payment_faults,
    routing_faults,
    sending_faults,
    smtp_faults,
    webhook_faults,
)

FAULTS: Final = (
    *ledger_faults.FAULTS,
    *payment_faults.FAULTS,
    *sending_faults.FAULTS,
    *batch_faults.FAULTS,
    *look_up_faults.FAULTS,
    *border_faults.FAULTS,
    *health_faults.FAULTS,
    *routing_faults.FAULTS,
    *smtp_faults.FAULTS,
    *webhook_faults.FAULTS,
    *batch_acceptance_faults.FAULTS,
    *batch_api_faults.FAULTS,
)

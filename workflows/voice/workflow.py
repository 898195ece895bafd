"""The workflow that writes a SIP user's new password to a vendor's directory."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.voice.types import Provisioned, ProvisionInput, ProvisionStep

TURNS = 100
"""Turns per run, to keep the history short."""

_FIRST_GAP = timedelta(minutes=1)
_LONGEST_GAP = timedelta(hours=1)


@workflow.defn(name="provision-voice")
class ProvisionVoice:
    """Retries until the directory has the password, or an operator fixes the directory.

    A later version may overtake this one; the activity always writes the current version, so they
    agree.
    """

    @workflow.run
    async def run(self, user: ProvisionInput) -> None:
        """Retry with increasing gaps while the directory declines."""
        step = ProvisionStep(tenant_id=user.tenant_id, credential_id=user.credential_id)
        gap = _FIRST_GAP
        for _ in range(TURNS):
            result = await workflow.execute_activity(
                steps.provision_voice, step, **policies.PROVISION_VOICE
            )
            if result.outcome is Provisioned.STORED:
                return
            await workflow.sleep(gap, summary="declined, ask again")
            gap = min(gap * 2, _LONGEST_GAP)
        workflow.continue_as_new(user)

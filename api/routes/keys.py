"""Routes of API keys."""

from typing import Annotated

from fastapi import Path, Request, Response

from api.deps import Authenticated, Idempotent, KeyActions, Paged
from api.http import problems
from api.http.filters import OneMerchant
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.keys import CreatedKeyView, KeyView, V1KeyRequest
from models.errors import IdempotencyKeyReused, MerchantNotFound
from models.key_errors import KeyNotFound, LastAdminKey

router = public_router("/keys", tag="Keys")


@router.post(
    "",
    summary="Create an API key",
    responses=problems.of(*problems.WRITE, MerchantNotFound),
    response_model_exclude_unset=True,
)
async def create_key(
    order: V1KeyRequest,
    caller: Authenticated,
    key: Idempotent,
    keys: KeyActions,
    request: Request,
    response: Response,
) -> CreatedKeyView:
    """Create an API key. Its secret is in this response only.

    A key gives no more than it has: the scopes of the new key must be among its own, a
    merchant-scoped key creates keys of its merchant, and a key that expires creates none that is
    valid longer. Otherwise the request is refused with 403 `SCOPE_MISSING`. A retry with the same
    Idempotency-Key returns the same key without its secret; if the secret was lost, delete the key
    and create another.
    """
    return answer_with(await keys.create(caller, order, key), request, response)


@router.get("", summary="List API keys", responses=problems.of(*problems.ANY, MerchantNotFound))
async def list_keys(
    caller: Authenticated,
    page: Paged,
    keys: KeyActions,
    response: Response,
    merchant_id: OneMerchant = None,
) -> list[KeyView]:
    """List the API keys of the tenant and its merchants, newest first, without secrets.

    Deleted keys are not listed; expired ones are. A merchant-scoped key sees the keys of its
    merchant only.
    """
    return page.show(await keys.list(caller, merchant_id, page), response)


@router.delete(
    "/{keyId}",
    summary="Delete an API key",
    status_code=204,
    responses=problems.of(*problems.ANY, IdempotencyKeyReused, KeyNotFound, LastAdminKey),
)
async def delete_key(
    key_id: Annotated[
        str, Path(alias="keyId", description="The key.", examples=["2385672620646126"])
    ],
    caller: Authenticated,
    key: Idempotent,
    keys: KeyActions,
    request: Request,
    response: Response,
) -> None:
    """Delete an API key. It stops working within five seconds.

    A key may delete itself. The tenant always keeps an `admin` key of its own: 409 `LAST_ADMIN_KEY`
    unless another one, not limited to a merchant, is valid at least as long. A key that was deleted
    before is 404 `KEY_NOT_FOUND`; a retry with the same Idempotency-Key is 204 again.
    """
    return answer_with(await keys.delete(caller, key_id, key), request, response)

"""Errors of API keys that are returned to API callers. Standard library only."""

from models.errors import NotThere, PolicyForbids, WrongState


class ScopeMissing(PolicyForbids):
    """The API key lacks the scope of the route, or would create a key that may do more."""

    code = "SCOPE_MISSING"
    title = "The API key lacks a scope"


class KeyNotFound(NotThere):
    """No API key that this key sees has that id, or it was deleted."""

    code = "KEY_NOT_FOUND"
    title = "No such API key"


class LastAdminKey(WrongState):
    """Without this API key the tenant would have no admin key, or only one that expires earlier."""

    code = "LAST_ADMIN_KEY"
    title = "The tenant's last admin key"

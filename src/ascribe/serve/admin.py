"""Who may tell a server what to do."""

from __future__ import annotations

import hmac

from ascribe.core.errors import NotFound
from ascribe.serve.faults import ForbiddenError
from ascribe.serve.settings import Settings

__all__ = ["check_token"]


def check_token(authorization: str | None, settings: Settings) -> None:
    """`Bearer TOKEN` against the setting, in a time that does not depend on where they differ.

    Raises NotFound where no token is set, ForbiddenError.
    """
    token = settings.admin_token.get_secret_value() if settings.admin_token else ""
    if not token:
        raise NotFound("admin calls are off: start the server with ASCRIBE_ADMIN_TOKEN set")
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise ForbiddenError("admin calls need the header Authorization: Bearer TOKEN, with this server's token")

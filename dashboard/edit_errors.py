"""Why an edit of keys, groups, accounts or settings is not made; `dashboard.errors` has the tree of all reasons."""

from __future__ import annotations

from dashboard.errors import DashboardError


class AccountNameTaken(DashboardError):
    """An account of this name exists."""

    status = 409
    code = "account_name_taken"
    default_message = "An account of this name exists."


class AccountBusy(DashboardError):
    """Proxies stored tokens of this account each time that other ones were to be stored."""

    status = 409
    code = "account_busy"
    default_message = "A proxy refreshes this account's tokens right now. Try again."


class EtagMismatch(DashboardError):
    """The edit was made on stale data."""

    status = 409
    code = "etag_mismatch"
    default_message = "It was changed meanwhile: read it again, then edit."


class SettingsConflict(DashboardError):
    """The settings were changed since they were read."""

    status = 409
    code = "settings_conflict"
    default_message = "The settings were changed meanwhile: read them again, then edit."


class GroupNotEmpty(DashboardError):
    """Keys or groups are still in the group."""

    status = 409
    code = "group_not_empty"
    default_message = "Keys or groups are still in it: move or delete them first."


class GroupTreeInvalid(DashboardError):
    """The edit would put a group below itself, or make the tree too deep."""

    status = 409
    code = "group_tree_invalid"
    default_message = "Groups cannot stand like that."


class SecretLost(DashboardError):
    """quotad shows a secret once, and a lost answer was repeated without it."""

    status = 503
    code = "secret_lost"

    def __init__(self, api_key_id: str) -> None:
        super().__init__(
            f"The key {api_key_id} was made, but the answer with its secret was lost. Delete it and make another."
        )


class RotatedSecretLost(DashboardError):
    """quotad shows a secret once, and a lost answer was repeated without it."""

    status = 503
    code = "secret_lost"

    def __init__(self, api_key_id: str) -> None:
        super().__init__(
            f"The key {api_key_id} has another secret, but the answer with it was lost. Rotate the key again."
        )


class AccountKeyUnusable(DashboardError):
    """Without the proxies' key no secret of an account can be stored."""

    status = 503
    code = "account_key_unusable"
    default_message = (
        "This service does not have the proxies' key: set DASHBOARD_PROXY_KEY_FILE to their PROXY_KEY_FILE, "
        "or DASHBOARD_PROXY_SECRET_KEY to their PROXY_SECRET_KEY."
    )


class SettingsUnreadable(DashboardError):
    """The stored settings are not those of this version."""

    status = 503
    code = "settings_unreadable"
    default_message = "The stored settings cannot be read."

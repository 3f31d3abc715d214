"""Every setting of every service, by the name of its environment variable."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from dashboard.config import DashboardSettings
from proxy.config import ProxySettings
from quotad.cli.connection import CommandSettings
from quotad.server.settings import DaemonSettings
from quotad.stack.settings import StackSettings

SETTINGS: tuple[type[BaseSettings], ...] = (
    DaemonSettings,
    CommandSettings,
    StackSettings,
    ProxySettings,
    DashboardSettings,
)


def variables(*classes: type[BaseSettings]) -> Mapping[str, FieldInfo]:
    """The variables of `classes`, of all services where none is given."""
    return {
        f"{settings.model_config['env_prefix']}{name}".upper(): field
        for settings in classes or SETTINGS
        for name, field in settings.model_fields.items()
    }

"""What the routes work with; made and closed in `proxy.http.app`."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.accounts.opening import Accounts
from proxy.config import ProxySettings
from proxy.http.bodies import BodyBudget
from proxy.http.keys import KeyDirectory
from proxy.http.models import ModelList
from proxy.http.rejections import Rejections
from proxy.requests.runner import RequestRunner


@dataclass(frozen=True, slots=True)
class Services:
    """One worker's parts, as far as HTTP needs them."""

    settings: ProxySettings
    keys: KeyDirectory
    bodies: BodyBudget
    models: ModelList
    accounts: Accounts
    rejections: Rejections
    runner: RequestRunner

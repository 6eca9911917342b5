"""Airflow's own log-in, for the pages of a plugin: its API server lets anybody at these otherwise.

Airflow has no public name for this. All that is taken from inside it is taken here.
"""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends


def of_who_sees_plugins() -> Any:
    """Return a dependency: who asks is logged in, and may see the plugins' part of Airflow's UI.

    It takes what the UI sends, a cookie, and what scripts send, a bearer token. Nobody gets 401,
    who may not see plugins 403.
    """
    return Depends(requires_access_view(AccessView.PLUGINS))

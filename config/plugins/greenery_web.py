"""Airflow reads this plugin at its start: its API and UI answer to known names alone, and show the
report."""

import os
from functools import cached_property

from airflow.plugins_manager import AirflowPlugin

from elt.airflow.views import PREFIX, external_views
from elt.web import KnownHostsAlone, SlowLogIn, of_airflow


class GreeneryWeb(AirflowPlugin):
    name = "greenery_web"
    # the last is asked first
    fastapi_root_middlewares = [  # noqa: RUF012, Airflow wants a list
        {"name": "slow log-in", "middleware": SlowLogIn},
        {
            "name": "known hosts alone",
            "middleware": KnownHostsAlone,
            "kwargs": {"known": of_airflow(os.environ)},
        },
    ]

    external_views = external_views()

    # every process of Airflow's reads plugins, tasks too; the API server alone asks for these

    @cached_property
    def operator_extra_links(self):
        from elt.airflow.pages import DocsLink, StateLink

        return [DocsLink(), StateLink()]

    @cached_property
    def fastapi_apps(self):
        from elt.airflow.pages import pages

        return [{"name": "pages", "app": pages(), "url_prefix": PREFIX}]

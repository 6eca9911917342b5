"""Airflow reads this plugin at its start: its API and UI answer to known names alone."""

import os

from airflow.plugins_manager import AirflowPlugin

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

from __future__ import annotations

import json

import pytest
from airflow.sdk import Connection

from elt.alerting import channels
from elt.docker import environment
from elt.docker.environment import (
    SettingsError,
    component_environment,
    log_in,
    slack_connection,
    source,
)


def test_make_missing_makes_each_secret_once_and_for_its_owner_alone(tmp_path):
    assert set(environment.make_missing_secrets(tmp_path)) == set(environment.MAKERS)
    first = {name: environment.read_secret(name, tmp_path) for name in environment.MAKERS}
    assert len(set(first.values())) == len(first)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    assert environment.make_missing_secrets(tmp_path) == []
    (tmp_path / "jwt_secret").write_text("")
    assert environment.make_missing_secrets(tmp_path) == ["jwt_secret"]
    assert environment.read_secret("fernet_key", tmp_path) == first["fernet_key"]


def test_a_lost_secret_says_how_to_get_a_new_one(tmp_path):
    with pytest.raises(
        environment.LostSecretError, match=r"jwt_secret is missing.*--force-recreate"
    ):
        environment.read_secret("jwt_secret", tmp_path)


def test_environment_makes_connections_from_the_secrets(tmp_path):
    environment.make_missing_secrets(tmp_path)
    made = component_environment({"GREENERY_SOURCE_PATH": "/landing/demo"}, tmp_path)
    warehouse = json.loads(made["AIRFLOW_CONN_GREENERY_WAREHOUSE"])
    assert warehouse["login"] == "greenery"
    assert warehouse["password"] == environment.read_secret("warehouse_password", tmp_path)
    assert json.loads(made["AIRFLOW_CONN_GREENERY_SOURCE"])["extra"] == {"path": "/landing/demo"}
    assert "AIRFLOW_CONN_GREENERY_SLACK" not in made


def test_environment_leaves_what_was_set_by_hand(tmp_path):
    environment.make_missing_secrets(tmp_path)
    made = component_environment({"AIRFLOW_CONN_GREENERY_WAREHOUSE": "mine"}, tmp_path)
    assert "AIRFLOW_CONN_GREENERY_WAREHOUSE" not in made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "https://hooks.slack.com/services/T0/B0/X",
            {
                "conn_type": "slackwebhook",
                "schema": "https",
                "host": "hooks.slack.com/services",
                "password": "T0/B0/X",
            },
            id="webhook",
        ),
        pytest.param(
            "xoxb-1 #alerts",
            {"conn_type": "slack", "password": "xoxb-1", "extra": {"channel": "#alerts"}},
            id="bot",
        ),
        pytest.param('{"conn_type": "slack"}', {"conn_type": "slack"}, id="json"),
        pytest.param(
            "local",
            {
                "conn_type": "slack",
                "password": "xoxb-fake-token",
                "extra": {
                    "channel": "#data-alerts",
                    "warnings_channel": "#data-warnings",
                    "base_url": "http://slack:8065/api/",
                },
            },
            id="fake",
        ),
    ],
)
def test_slack_is_one_variable(text, expected):
    assert json.loads(slack_connection(text)) == expected


@pytest.mark.parametrize("text", ["xoxb-secret", "https://example.com/secret", "{secret"])
def test_a_wrong_slack_variable_is_refused_without_repeating_it(text):
    with pytest.raises(SettingsError, match="GREENERY_SLACK") as refused:
        slack_connection(text)
    assert "secret" not in str(refused.value).replace("secrets", "")


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_loopback_needs_no_log_in(address):
    assert log_in(address) == {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "::", "127.evil.example"])
def test_anything_else_does(address):
    assert log_in(address)["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "False"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("", {"conn_type": "fs", "extra": {"path": "/landing/demo"}}, id="folder"),
        pytest.param(
            "s3://bucket/landing",
            {"conn_type": "fs", "extra": {"path": "s3://bucket/landing"}},
            id="store",
        ),
        pytest.param(
            "postgresql://me:p%40ss@db.shop:5433/shop?sslmode=require&schema=till",
            {
                "conn_type": "postgres",
                "host": "db.shop",
                "port": 5433,
                "login": "me",
                "password": "p@ss",
                "schema": "shop",
                "extra": {"sslmode": "require", "source_schema": "till"},
            },
            id="database",
        ),
        pytest.param(
            "postgres://db.shop/shop",
            {
                "conn_type": "postgres",
                "host": "db.shop",
                "port": 5432,
                "login": None,
                "password": None,
                "schema": "shop",
                "extra": {"source_schema": "public"},
            },
            id="shortest",
        ),
        pytest.param('{"conn_type": "fs"}', {"conn_type": "fs"}, id="json"),
    ],
)
def test_the_shops_data_is_one_variable(url, expected):
    assert json.loads(source(url)) == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/data/secret", "GREENERY_LANDING"),
        ("{secret", "not JSON"),
        ("postgresql://me:secret@localhost/shop", "host.docker.internal"),
        ("postgresql://me:secret@127.0.0.1:5432/shop", "host.docker.internal"),
        ("postgresql://me:secret@[::1]/shop", "host.docker.internal"),
        ("postgresql://me:secret@db.shop", "host:5432/database"),
        ("postgresql://me:secret@[::1/shop", "host:5432/database"),
        ("postgresql://me:secret@db.shop:port/shop", "host:5432/database"),
        ("postgresql://me:sec/ret@db.shop/shop", "host:5432/database"),
    ],
)
def test_a_wrong_source_is_refused_without_repeating_its_password(url, words):
    with pytest.raises(SettingsError, match="GREENERY_SOURCE") as refused:
        source(url)
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_shop_has_one_source():
    with pytest.raises(SettingsError, match="not both"):
        source("postgresql://db.shop/shop", "/landing/data")


@pytest.mark.parametrize("name", ["DEAD_MAN", "WEBHOOK"])
def test_a_url_that_is_a_secret_is_one_variable(tmp_path, name):
    environment.make_missing_secrets(tmp_path)

    def connection(text: str) -> dict:
        made = component_environment({f"GREENERY_{name}": text}, tmp_path)
        return json.loads(made[f"AIRFLOW_CONN_GREENERY_{name}"])

    url = "https://hc-ping.com/5f1c"
    assert connection(f" {url} ") == {"conn_type": "generic", "password": url}
    pager = {"conn_type": "http", "password": "key", "extra": {"form": "pagerduty"}}
    assert connection(json.dumps(pager)) == pager


@pytest.mark.parametrize(
    "text",
    [
        '{"conn_type": "smtp", "host": "mail.shop.example", "port": 587, "password": "p@ss",'
        ' "extra": {"from_email": "elt@shop.example", "to": "data@shop.example"}}',
        "smtp://elt:p%40ss@mail.shop.example:587"
        "/?from_email=elt%40shop.example&to=data%40shop.example",
    ],
    ids=["json", "url"],
)
def test_mail_is_one_variable_as_airflow_reads_it(tmp_path, monkeypatch, text):
    environment.make_missing_secrets(tmp_path)
    made = component_environment({"GREENERY_MAIL": text}, tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_MAIL", made["AIRFLOW_CONN_GREENERY_MAIL"])
    (channel,) = channels.find_channels()
    assert channel.kind == "mail"
    read = Connection.get(channels.MAIL_ID)
    assert (read.host, read.port, read.password) == ("mail.shop.example", 587, "p@ss")
    assert read.extra_dejson["to"] == "data@shop.example"


def test_logs_go_to_a_store_and_stay_nowhere_else(tmp_path):
    environment.make_missing_secrets(tmp_path)
    made = component_environment({"GREENERY_LOGS": "s3://bucket/logs"}, tmp_path)
    assert made["AIRFLOW__LOGGING__REMOTE_LOGGING"] == "True"
    assert made["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] == "s3://bucket/logs"
    assert made["AIRFLOW__LOGGING__DELETE_LOCAL_LOGS"] == "True"
    assert not [name for name in component_environment({}, tmp_path) if "LOGGING" in name]
    with pytest.raises(SettingsError, match=r"GREENERY_LOGS is /var/log, which is no URL"):
        component_environment({"GREENERY_LOGS": "/var/log"}, tmp_path)


@pytest.mark.parametrize("name", ["DEAD_MAN", "MAIL", "WEBHOOK"])
@pytest.mark.parametrize("wrong", ["shop.example/secret", "{secret", "ftp://secret"])
def test_a_wrong_url_is_refused_without_repeating_it(tmp_path, name, wrong):
    environment.make_missing_secrets(tmp_path)
    with pytest.raises(SettingsError, match=f"GREENERY_{name} ") as refused:
        component_environment({f"GREENERY_{name}": wrong}, tmp_path)
    assert "secret" not in str(refused.value)

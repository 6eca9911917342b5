"""The local commands and the servers that they start: Postgres, Airflow, the fake Slack."""

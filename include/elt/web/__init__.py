"""Who is answered by the pages that people open: Airflow's UI and API, and the fake Slack."""

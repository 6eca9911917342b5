"""What Airflow calls: the tasks and callbacks of the DAGs, and how Cosmos runs dbt."""

"""The engine: files or a database into Postgres, dbt, audited publication, alerts. For any shop."""

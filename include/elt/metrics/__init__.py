"""Metrics by name, time and dimension: dbt's semantic YAML, asked of the published marts."""

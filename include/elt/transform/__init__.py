"""The dbt project: its manifest, what depends on what, and what is built anew."""

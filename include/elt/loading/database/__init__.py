"""The shop's own Postgres as a source."""

"""The warehouse: connections, roles, migrations, locks and the lease of a run."""

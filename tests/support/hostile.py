"""Variables of libpq that somebody may have set for other databases."""

from __future__ import annotations

VARIABLES = {
    "PGAPPNAME": "somebody",
    "PGCLIENTENCODING": "LATIN1",
    "PGCONNECT_TIMEOUT": "no number",
    "PGDATABASE": "elsewhere",
    "PGDATESTYLE": "SQL, DMY",
    "PGHOST": "192.0.2.1",
    "PGHOSTADDR": "192.0.2.1",
    "PGGSSENCMODE": "require",
    "PGOPTIONS": "-c search_path=elsewhere -c intervalstyle=sql_standard -c bytea_output=escape",
    "PGPASSFILE": "/nowhere",
    "PGPORT": "1",
    "PGSERVICE": "elsewhere",
    "PGSERVICEFILE": "/nowhere",
    "PGSSLMODE": "verify-full",
    "PGTARGETSESSIONATTRS": "standby",
    "PGTZ": "Asia/Tokyo",
    "PGUSER": "somebody",
}

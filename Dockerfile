# One image for every Airflow component. No BuildKit needed.
ARG AIRFLOW_VERSION=3.3.2
ARG PYTHON_VERSION=3.11
ARG AIRFLOW_IMAGE=apache/airflow:${AIRFLOW_VERSION}-python${PYTHON_VERSION}
FROM ${AIRFLOW_IMAGE}

# what not everybody needs, parted by blanks: celery, s3
ARG EXTRAS=""
# asyncpg: Airflow's API asks its own Postgres by it
COPY --chown=airflow:0 requirements.txt requirements-celery.txt requirements-s3.txt \
        constraints.txt overrides.txt /tmp/requirements/
RUN cd /tmp/requirements && for extra in $EXTRAS; do set -- "$@" --requirement "requirements-$extra.txt"; done \
    && uv pip install --no-cache --requirement requirements.txt "$@" asyncpg \
        --constraint constraints.txt --override overrides.txt \
    && rm -r /tmp/requirements

# a new volume takes over the owner of the folder that it is mounted on
USER root
RUN install -d -o airflow -g 0 -m 0770 /run/greenery /run/greenery-broker /run/greenery-worker /landing /landing/demo /opt/airflow/logs \
        /opt/greenery /opt/greenery/cosmos /opt/greenery/report /opt/greenery/tmp
COPY include/elt/docker/greenery /usr/local/bin/greenery
USER airflow

ENV AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT=120 \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/airflow/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/airflow/config/plugins \
    AIRFLOW__COSMOS__CACHE_DIR=/opt/greenery/cosmos \
    AIRFLOW__COSMOS__ENABLE_TELEMETRY=False \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
    DO_NOT_TRACK=1 \
    GREENERY_DBT_TARGET=/opt/greenery/dbt/target \
    PYTHONPATH=/opt/airflow/include:/opt/airflow/config \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/opt/greenery/tmp \
    TZ=UTC

COPY --chown=airflow:0 config /opt/airflow/config
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 dbt /opt/airflow/dbt
COPY --chown=airflow:0 include /opt/airflow/include

# dbt's manifest, so that the DAG is there at once. It is made anew when a file of dbt/ differs.
RUN python -m elt.docker.checks project

ENTRYPOINT ["/usr/bin/dumb-init", "--", "python", "-m", "elt.docker"]
CMD ["airflow", "version"]

#!/bin/sh
# Runs once, when PostgreSQL starts on an empty volume: a database each for MLflow and for the predictions, and for each an
# owner who cannot open the other.
set -eu

make() {
    psql --username "$POSTGRES_USER" --dbname postgres --quiet --set ON_ERROR_STOP=1 \
        --set name="$1" --set password="$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

make mlflow "$MLFLOW_DB_PASSWORD"
make predictions "$PREDICTIONS_DB_PASSWORD"

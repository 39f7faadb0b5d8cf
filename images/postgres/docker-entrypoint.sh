#!/bin/bash
# Makes the database cluster once, then becomes the server: the published image's contract, in our own words.
set -euo pipefail

fail() {
    printf 'postgres entrypoint: %s\n' "$1" >&2
    exit 1
}

# POSTGRES_X, or the content of the file that POSTGRES_X_FILE names.
setting() {
    local name=$1 default=${2-} file=$1_FILE
    if [[ -n ${!name-} && -n ${!file-} ]]; then
        fail "$name and $file are both set; set one of them"
    elif [[ -n ${!file-} ]]; then
        printf -v "$name" '%s' "$(<"${!file}")"
    else
        printf -v "$name" '%s' "${!name-$default}"
    fi
    export "${name?}"
    unset "$file"
}

run_sql() {
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc \
        --username "$POSTGRES_USER" "$@"
}

create_cluster() {
    local arguments=()
    eval "arguments=(${POSTGRES_INITDB_ARGS-})"
    [[ -z ${POSTGRES_INITDB_WALDIR-} ]] || arguments+=(--waldir "$POSTGRES_INITDB_WALDIR")
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${arguments[@]}"
    local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
}

run_initial_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        [[ -e $file ]] || continue
        printf 'postgres entrypoint: %s\n' "$file"
        case $file in
            *.sh) if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
            *.sql) run_sql --dbname "$POSTGRES_DB" -f "$file" ;;
            *.sql.gz) gunzip -c "$file" | run_sql --dbname "$POSTGRES_DB" ;;
            *.sql.xz) xz -dc "$file" | run_sql --dbname "$POSTGRES_DB" ;;
            *) printf 'postgres entrypoint: passed over %s\n' "$file" ;;
        esac
    done
}

initialise() {
    [[ -n $POSTGRES_PASSWORD || ${POSTGRES_HOST_AUTH_METHOD-} == trust ]] ||
        fail 'no password: set POSTGRES_PASSWORD (or POSTGRES_HOST_AUTH_METHOD=trust)'
    create_cluster
    # Only a unix socket while the files run: nobody may take a half-filled database for a ready one.
    PGPASSWORD=$POSTGRES_PASSWORD
    export PGPASSWORD
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
    if [[ $POSTGRES_DB != postgres ]]; then
        run_sql --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
    fi
    run_initial_files
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
    printf '\npostgres entrypoint: initialised; starting the server.\n\n'
}

[[ ${1-} != -* ]] || set -- postgres "$@"
if [[ ${1-} == postgres ]]; then
    if [[ $(id -u) == 0 ]]; then
        mkdir -p "$PGDATA" /var/run/postgresql
        chmod 700 "$PGDATA"
        find "$PGDATA" \! -user postgres -exec chown postgres {} +
        find /var/run/postgresql \! -user postgres -exec chown postgres {} +
        exec gosu postgres "$BASH_SOURCE" "$@"
    fi
    if [[ ! -s $PGDATA/PG_VERSION ]]; then
        setting POSTGRES_PASSWORD
        setting POSTGRES_USER postgres
        setting POSTGRES_DB "$POSTGRES_USER"
        initialise
    else
        printf '\npostgres entrypoint: %s holds a database; nothing is initialised.\n\n' "$PGDATA"
    fi
fi
exec "$@"

# What the official image does with the variables and the folder that a compose file gives it.
set -eu
user=${POSTGRES_USER:-postgres} database=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
chown postgres /var/lib/postgresql
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >/tmp/password && chown postgres /tmp/password
    as_postgres initdb --encoding UTF8 --locale C.UTF-8 --username "$user" --pwfile /tmp/password --auth-local trust --auth-host scram-sha-256 >/dev/null
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    as_postgres pg_ctl start --wait --silent --options "-c listen_addresses="
    [ "$database" = postgres ] || createdb --username "$user" "$database"
    for file in /docker-entrypoint-initdb.d/*; do
        [ ! -f "$file" ] || psql --username "$user" --dbname "$database" --set ON_ERROR_STOP=1 --no-psqlrc --quiet --file "$file"
    done
    as_postgres pg_ctl stop --wait --silent
fi
exec setpriv --reuid postgres --regid postgres --init-groups postgres -c listen_addresses='*'

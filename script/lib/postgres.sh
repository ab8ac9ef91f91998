# A throw-away PostgreSQL for tests, on a unix socket. To be sourced by a bash script:
#
#   postgres_test_start DIR    starts one below DIR (made if absent) and exports DATABASE_URL
#   postgres_test_stop         stops it; its files stay for who made DIR
#
# Works as root (PostgreSQL then runs as the user postgres, who must be able to enter DIR's
# parents) and as an ordinary user. It does not fsync: what is in it is meant to be lost.

postgres_test_bin() {
    local bin
    bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    if [[ ! -x $bin/postgres ]]; then
        echo "no PostgreSQL server is installed: run apt-get install postgresql" >&2
        return 1
    fi
    echo "$bin"
}

# runs a command as whoever may run PostgreSQL; it replaces the (sub)shell it is called in
postgres_test_as_owner() {
    if [[ $(id -u) == 0 ]]; then
        exec setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
    else
        exec "$@"
    fi
}

postgres_test_start() {
    local bin home data run
    bin=$(postgres_test_bin) || return 1
    mkdir -p "$1" || return 1
    home=$(cd "$1" && pwd) || return 1
    data=$home/data run=$home/run
    mkdir -p "$run" && chmod 700 "$run" || return 1
    if [[ $(id -u) == 0 ]]; then
        chown postgres: "$home" "$run" || return 1
    fi
    if [[ ! -e $data/PG_VERSION ]]; then
        (cd / && postgres_test_as_owner "$bin/initdb" -D "$data" -U greenroom -A trust -E UTF8 \
            --locale=C.UTF-8 --no-sync --no-instructions) >"$home/initdb.log" 2>&1 || {
            cat "$home/initdb.log" >&2
            return 1
        }
    fi
    (cd / && postgres_test_as_owner "$bin/postgres" -D "$data" -k "$run" -c listen_addresses= \
        -c max_connections=300 -c shared_buffers=128MB -c fsync=off -c full_page_writes=off \
        -c synchronous_commit=off) </dev/null >"$home/postgres.log" 2>&1 &
    postgres_test_pid=$!
    local deadline=$((SECONDS + 60))
    until "$bin/pg_isready" -q -h "$run" -U greenroom -d postgres; do
        if ! kill -0 "$postgres_test_pid" 2>/dev/null || ((SECONDS > deadline)); then
            cat "$home/postgres.log" >&2
            return 1
        fi
        sleep 0.05
    done
    export DATABASE_URL="postgres:///postgres?host=$run&user=greenroom"
}

postgres_test_stop() {
    if [[ -n ${postgres_test_pid:-} ]]; then
        kill -INT "$postgres_test_pid" 2>/dev/null
        wait "$postgres_test_pid" 2>/dev/null
        postgres_test_pid=
    fi
}

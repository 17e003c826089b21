#!/usr/bin/env bash
# Runs a command beside a PostgreSQL, a MariaDB and a Redis of its own, and ends
# them when the command ends:
#
#	scripts/with-servers.sh go test ./session/...
#
# They listen on free ports of 127.0.0.1 and keep their data in a temporary
# folder. A server that is not installed is left out. The command finds them, and
# the browser, through CODEGRANT_TEST_POSTGRES, _MYSQL, _REDIS and _CHROMIUM.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -gt 0 ] || die "usage: scripts/with-servers.sh COMMAND [ARGUMENT]..."

dir=$(mktemp -d "${TMPDIR:-/tmp}/codegrant-test.XXXXXX") || exit 1
chmod 711 "$dir"
servers=() # process ids
command= # process group of the command

finish() {
	local tick
	[ -z "$command" ] || kill -TERM -- "-$command" 2>/dev/null
	if [ ${#servers[@]} != 0 ]; then
		kill -TERM "${servers[@]}" 2>/dev/null
		for ((tick = 0; tick < 50; tick++)); do
			kill -0 "${servers[@]}" 2>/dev/null || break
			sleep 0.1
		done
		# To PostgreSQL that is the way to go at once, whoever is still connected.
		kill -QUIT "${servers[@]}" 2>/dev/null
	fi
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# Both databases refuse to run as root, so root's servers run as nobody; and each
# server ends with this script, should the script be killed outright.
own=()
run=()
if have setpriv; then
	[ "$(id -u)" != 0 ] || own=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups)
	run=("${own[@]:-setpriv}" --pdeathsig TERM)
fi

# folder makes a folder for the data of server $1 and prints it.
folder() {
	mkdir "$dir/$1" && chmod 700 "$dir/$1"
	[ ${#own[@]} = 0 ] || chown nobody "$dir/$1"
	say "$dir/$1"
}

# free_port prints a port where nobody listens, below those that the kernel hands
# out by itself. Somebody may still come first: start tries again.
free_port() {
	local port
	while port=$((10000 + RANDOM % 20000)); do
		(: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	say "$port"
}

# start SERVER runs SERVER_run PORT in the background until SERVER_ready PORT
# succeeds, and leaves the port in $port.
start() {
	local attempt tick pid
	for attempt in 1 2 3; do
		port=$(free_port)
		"$1_run" "$port" >"$dir/$1.log" 2>&1 </dev/null &
		pid=$!
		servers+=("$pid")
		for ((tick = 0; tick < 600; tick++)); do
			kill -0 "$pid" 2>/dev/null || break
			"$1_ready" "$port" >/dev/null 2>&1 && return
			sleep 0.1
		done
		warn "start $1: not ready on port $port, attempt $attempt of 3"
		kill -QUIT "$pid" 2>/dev/null
		wait "$pid"
	done
	cat "$dir/$1.log" >&2
	exit 1
}

postgres_run() {
	exec "${run[@]}" "$pg/postgres" -D "$data" -p "$1" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
		-c max_connections=200 -c fsync=off -c synchronous_commit=off -c full_page_writes=off
}
postgres_ready() { "$pg/pg_isready" -h 127.0.0.1 -p "$1"; }

mariadb_run() {
	exec "${run[@]}" mariadbd --no-defaults --datadir="$data" --tmpdir="$data" --socket="$data/socket" --pid-file="$data/pid" \
		--bind-address=127.0.0.1 --port="$1" --skip-name-resolve --max-connections=200 \
		--character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci \
		--innodb-flush-log-at-trx-commit=0 --init-file="$data.sql"
}
mariadb_ready() {
	mariadb --no-defaults -h 127.0.0.1 -P "$1" -u codegrant -pcodegrant -e 'SELECT 1' codegrant
}

redis_run() {
	exec "${run[@]}" redis-server --bind 127.0.0.1 --port "$1" --dir "$data" --save '' --appendonly no
}
redis_ready() { [ "$(redis-cli -h 127.0.0.1 -p "$1" ping)" = PONG ]; }

# prepare SERVER COMMAND... makes a data folder's first content, quietly unless
# that fails.
prepare() {
	local name=$1
	shift
	"${own[@]}" "$@" >"$dir/$name.log" 2>&1 </dev/null && return
	cat "$dir/$name.log" >&2
	exit 1
}

pg=$(postgres_bin)
if [ -n "$pg" ]; then
	data=$(folder postgres)
	prepare postgres "$pg/initdb" -D "$data" -U codegrant --auth=trust --encoding=UTF8 --no-locale --no-sync
	start postgres
	export CODEGRANT_TEST_POSTGRES="postgres://codegrant@127.0.0.1:$port/postgres?sslmode=disable"
fi

if have mariadbd && have mariadb-install-db; then
	data=$(folder mariadb)
	cat >"$data.sql" <<-'SQL'
		CREATE DATABASE codegrant;
		CREATE USER codegrant@'127.0.0.1' IDENTIFIED BY 'codegrant';
		GRANT ALL PRIVILEGES ON *.* TO codegrant@'127.0.0.1';
	SQL
	chmod 644 "$data.sql"
	prepare mariadb env TMPDIR="$data" mariadb-install-db --no-defaults --datadir="$data" --skip-test-db \
		--auth-root-authentication-method=normal
	start mariadb
	export CODEGRANT_TEST_MYSQL="codegrant:codegrant@tcp(127.0.0.1:$port)/codegrant?parseTime=true"
fi

if have redis-server; then
	data=$(folder redis)
	start redis
	export CODEGRANT_TEST_REDIS="redis://127.0.0.1:$port/0"
fi

chromium=$(chromium_path)
[ -z "$chromium" ] || export CODEGRANT_TEST_CHROMIUM="$chromium"

# In a process group of its own, so that a signal to this script ends all of the
# command, and at once.
set -m
"$@" </dev/null &
command=$!
wait "$command" 2>/dev/null
status=$?
command=
exit "$status"

#!/usr/bin/env bash
# Installs what the tests talk to and this machine lacks, through apt where that
# may be done, and names what is still missing and the tests that need it.
#
# Exit code 0: everything is there. 1: something is missing.
# CODEGRANT_TEST_INSTALL=no looks without installing.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

has_gcc() { [ "$(go env CGO_ENABLED)" = 1 ]; }
has_postgres() { [ -n "$(postgres_bin)" ]; }
has_mariadb() { have mariadbd && have mariadb-install-db; }
has_redis() { have redis-server; }
has_chromium() { [ -n "$(chromium_path)" ]; }
has_nginx() { have nginx; }
has_haproxy() { have haproxy; }
has_caddy() { have caddy; }
has_apache() { [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ]; }
has_awscli() { [ -x /usr/bin/aws ]; }
has_node() { have node && have npm; }
has_curl() { have curl && have openssl; }
has_java() { have java && have mvn; }
has_venv() { python3 -c 'import venv, ensurepip' 2>/dev/null; }
has_systemd() { have systemd-analyze; }
has_django() { /usr/bin/python3 -c 'import django, rest_framework, jose, psycopg2' 2>/dev/null; }

# Ubuntu's package is a doorway to a snap of the browser under its own name.
browser=chromium
grep -qs '^ID=ubuntu' /etc/os-release && browser=chromium-browser

# what | Debian packages | what is not tested without it
needs="gcc|gcc libc6-dev|data races
postgres|postgresql|the PostgreSQL stores
mariadb|mariadb-server|the MySQL and MariaDB stores
redis|redis-server|the Redis store
chromium|$browser fonts-liberation|the browser tests
nginx|nginx|forward-auth behind nginx
haproxy|haproxy|forward-auth behind HAProxy
caddy|caddy|forward-auth behind Caddy
apache|apache2-bin libapache2-mod-auth-openidc|mod_auth_openidc with the local pool
awscli|awscli|AWS's command line with the local pool
node|nodejs npm|AWS's JavaScript clients, single-page applications, the website
curl|curl openssl|commands of the documentation
java|default-jdk-headless maven|assertions in Java
venv|python3 python3-venv|what comes from the Python package index
systemd|systemd|the units of deploy/systemd
django|python3-django python3-djangorestframework python3-jose python3-psycopg2|a Django project beside a Go backend"

# missing prints the rows of the table above that this machine does not meet.
missing() {
	local row
	while IFS= read -r row; do
		"has_${row%%|*}" || say "$row"
	done <<<"$needs"
}

# as_root runs its arguments as root, or fails where it may not.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif have sudo; then
		sudo -n -- "$@"
	else
		return 1
	fi
}

# apt_install never removes a package that stands in the way, such as a MySQL that
# somebody uses.
apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install --yes --quiet --no-install-recommends --no-remove -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

lacking=$(missing)
if [ -n "$lacking" ] && [ "${CODEGRANT_TEST_INSTALL:-yes}" != no ] && have apt-get && as_root true 2>/dev/null; then
	# The table's package names hold no spaces but between packages.
	mapfile -t wanted < <(cut -d'|' -f2 <<<"$lacking" | tr ' ' '\n')
	say "installing for the tests: ${wanted[*]}"
	log=$(mktemp)
	if ! { as_root apt-get update --quiet && apt_install "${wanted[@]}"; } >"$log" 2>&1; then
		# One package that apt does not know must not keep the others away.
		for package in "${wanted[@]}"; do
			apt_install "$package" >>"$log" 2>&1 || warn "apt-get install $package: $(grep '^E:' "$log" | tail -n 1)"
		done
	fi
	rm -f "$log"
	lacking=$(missing)
fi

[ -z "$lacking" ] && exit 0
while IFS='|' read -r what packages tests; do
	warn "missing $what (apt-get install $packages): tests of $tests are skipped"
done <<<"$lacking"
exit 1

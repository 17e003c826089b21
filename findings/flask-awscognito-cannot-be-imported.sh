#!/usr/bin/env bash
# One would guess: the newest release of a package that is installed by name, without a
# conflict, can be imported.
#
# What happens: Flask-AWSCognito asks for any Flask. The one that is installed beside it
# today has no longer a private name that the package imports. The installation says
# nothing; the first import fails.
#
# Who meets it: whoever looks for Cognito in Flask by the package index and takes the
# package of that name. It works with Flask 2.2, which the second half shows.
#
# Flask-AWSCognito 1.3, Flask 3.1.3 and 2.2.5. Seen on 2026-11-29.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

try() { # try FOLDER REQUIREMENT…: the last line of what the import says
	python3 -m venv "$1"
	"$1/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
	"$1/bin/python" -c 'import flask_awscognito; print("imported")' 2>&1 | tail -n 1 || true
}
new=$(try new Flask-AWSCognito==1.3 Flask==3.1.3)
old=$(try old Flask-AWSCognito==1.3 Flask==2.2.5 Werkzeug==2.2.3)
echo "Flask-AWSCognito 1.3 with Flask 3.1.3: $new"
echo "Flask-AWSCognito 1.3 with Flask 2.2.5: $old"
[[ $new == ImportError* && $old == imported ]]

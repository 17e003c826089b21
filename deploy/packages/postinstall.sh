#!/bin/sh
# Runs after files were unpacked. Debian calls it with "configure" and, after an upgrade, the
# version of before; rpm with the number of versions that are there: 1, and 2 after an upgrade.
set -e

systemd-sysusers codegrant.conf >/dev/null 2>&1 ||
	getent passwd codegrant >/dev/null 2>&1 ||
	useradd --system --user-group --no-create-home --home-dir /var/lib/codegrant --shell /usr/sbin/nologin codegrant
chgrp codegrant /etc/codegrant /etc/codegrant/secrets
[ ! -f /etc/codegrant/codegrant.yaml ] || chgrp codegrant /etc/codegrant/codegrant.yaml

[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
if [ "$1" = configure ] && [ -n "$2" ] || [ "$1" = 2 ]; then
	# The socket stays open meanwhile, and nobody is refused.
	systemctl try-restart codegrant.service codegrant-sync.service
fi

#!/bin/sh
# Runs after files have gone. Sessions and people in /var/lib/codegrant stay, and so does the
# user that they belong to; what purging takes away is the configuration.
set -e
if [ "$1" = purge ]; then
	rm -rf /etc/codegrant
fi
[ ! -d /run/systemd/system ] || systemctl daemon-reload

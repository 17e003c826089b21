#!/bin/sh
# Runs before files go. Not at an upgrade: Debian says "upgrade" then, and rpm 1.
set -e
if [ "$1" = remove ] || [ "$1" = 0 ]; then
	[ ! -d /run/systemd/system ] || systemctl disable --now codegrant.service codegrant.socket codegrant-sync.service
fi

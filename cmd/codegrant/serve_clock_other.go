//go:build !linux

package main

// monotonic is for systemd, which is not here.
func monotonic() string { return "0" }

package serve

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// monotonic is the time that Type=notify-reload wants to hear of a reload, on the
// clock that no clock in Go shows.
func monotonic() string {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return "0"
	}
	return strconv.FormatInt(t.Nano()/1000, 10)
}

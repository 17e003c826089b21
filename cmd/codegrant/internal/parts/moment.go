package parts

import (
	"fmt"
	"time"
)

// ParseMoment reads a time that has passed, in one of the forms in which people write one.
func ParseMoment(text string, now time.Time) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		var ago time.Duration
		ago, err = time.ParseDuration(text)
		at = now.Add(-ago)
	}
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("%q is not a time: write 2026-03-01T12:00:00Z, 2026-03-01, or how long ago it is, such as 36h", text)
	case at.After(now):
		return time.Time{}, fmt.Errorf("%q is still to come", text)
	}
	return at.UTC().Truncate(time.Microsecond), nil
}

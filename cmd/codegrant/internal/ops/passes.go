package ops

import "time"

// Passes tells how old the last pass over a pool is, and how old it may be: an alert
// compares the two.
func Passes(pool string, age, most time.Duration, gauge func(name, help string, value float64, labels ...string)) {
	gauge("sync_last_success_age_seconds", "How long ago the last pass was done, by any process; before the first, how long codegrant sync has been running.", age.Seconds(), "pool", pool)
	gauge("sync_max_age_seconds", "How long ago it may be: replica.pass_max_age.", most.Seconds(), "pool", pool)
}

package settings

import (
	"testing"
	"time"

	"github.com/codegrant/codegrant"
)

// TestS580_MarksOutliveSignIns: a mark counts for as long as the pool's refresh tokens live,
// or a session of any pool may.
func TestS580_MarksOutliveSignIns(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		timeouts []time.Duration
		want     time.Duration
	}{
		{nil, 31 * day},
		{[]time.Duration{0, 7 * day}, 31 * day},
		{[]time.Duration{365 * day, 0}, 365 * day},
	} {
		s := new(Settings)
		for _, timeout := range tt.timeouts {
			s.Pools = append(s.Pools, Pool{Config: codegrant.Config{AbsoluteTimeout: timeout}})
		}
		if got := s.LongestSignIn(); got < tt.want || got > tt.want+time.Hour {
			t.Errorf("%v: a mark counts for %v, want %v", tt.timeouts, got, tt.want)
		}
	}
}

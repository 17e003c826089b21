package settings

import (
	"cmp"
	"time"
)

// LongestUnused is how long a session of any of the pools can go unused and be good
// still, and as long as their ends have to be known.
func (s *Settings) LongestUnused() time.Duration {
	const (
		usual   = 12 * time.Hour   // of codegrant.Config
		atLeast = 25 * time.Hour   // of session.EnduringConfig: an access token lives for a day at most
		clocks  = 10 * time.Minute // of the processes, and what they do meanwhile
	)
	longest := time.Duration(atLeast)
	for _, p := range s.Pools {
		longest = max(longest, cmp.Or(p.Config.IdleTimeout, usual)+clocks)
	}
	return longest
}

// LongestSignIn is how long what a pool gave at a sign-in can be used at most: as long as
// it has to be known that it counts no longer.
func (s *Settings) LongestSignIn() time.Duration {
	const (
		refreshTokens = 31 * 24 * time.Hour // of notbefore.Config
		clocks        = 10 * time.Minute
	)
	longest := time.Duration(refreshTokens)
	for _, p := range s.Pools {
		longest = max(longest, p.Config.AbsoluteTimeout+clocks)
	}
	return longest
}

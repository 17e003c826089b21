package state

import (
	"encoding/json"
	"time"
)

// A point-in-time recovery, as far as it concerns who writes: from its preview on, until
// somebody starts it, cancels it, or lets it expire.
const (
	Recoveries       = "recovery" // the kind of its documents
	PreviewGenerated = "PREVIEW_GENERATED"
	PreviewLifetime  = 24 * time.Hour
)

// ErrPaused refuses a change while writes are paused.
// (Unconfirmed: "the exception of a write during a recovery".)
var ErrPaused = refuse("OperationNotEnabledException", "The operation is not enabled while a point-in-time recovery of the user pool is in progress.")

// Paused reports whether a recovery stops what writes in a pool.
func (s *State) Paused(poolID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	return err == nil && s.paused(p)
}

func (s *State) paused(p *Pool) bool {
	for _, d := range p.Documents[Recoveries] {
		var r struct{ RestoreStatus string }
		_ = json.Unmarshal(d.Members["r"], &r) // written by the API
		if r.RestoreStatus == PreviewGenerated && !s.now().After(d.Created.Add(PreviewLifetime)) {
			return true
		}
	}
	return false
}

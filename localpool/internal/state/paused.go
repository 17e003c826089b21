package state

import (
	"encoding/json"
	"time"
)

// A point-in-time recovery, as far as it concerns who writes: from its beginning on, until
// it is done, or somebody cancels it or lets it expire.
const (
	Recoveries        = "recovery" // the kind of its documents
	PreviewGenerating = "PREVIEW_GENERATING"
	PreviewGenerated  = "PREVIEW_GENERATED"
	PreviewExpired    = "PREVIEW_EXPIRED"
	Restoring         = "RESTORING"
	RestoreCompleted  = "RESTORE_COMPLETED"
	PreviewLifetime   = 24 * time.Hour
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
		switch s.RecoveryStatus(d) {
		case PreviewGenerating, PreviewGenerated, Restoring:
			return true
		}
	}
	return false
}

// RecoveryStatus is what a recovery is at now: counting and going back take the time that the
// pool's seed says.
func (s *State) RecoveryStatus(d Document) string {
	var r struct{ RestoreStatus string }
	var until time.Time
	_ = json.Unmarshal(d.Members["r"], &r) // both are written by the API
	_ = json.Unmarshal(d.Members["until"], &until)
	now := s.now()
	if r.RestoreStatus == PreviewGenerating && !now.Before(until) {
		r.RestoreStatus = PreviewGenerated
	}
	switch {
	case (r.RestoreStatus == PreviewGenerated || r.RestoreStatus == PreviewGenerating) && now.After(d.Created.Add(PreviewLifetime)):
		return PreviewExpired
	case r.RestoreStatus == Restoring && !now.Before(until):
		return RestoreCompleted
	}
	return r.RestoreStatus
}

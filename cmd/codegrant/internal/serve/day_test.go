package serve

import "testing"

// TestKindsOfRefusals: a picture tells reasons apart, not verdicts, and nothing of one request.
func TestKindsOfRefusals(t *testing.T) {
	for reason, want := range map[string]string{
		"not authenticated: no credentials":            "no credentials",
		"not authenticated: token has expired: 12:00":  "token has expired",
		"not allowed: needs a group of admins":         "needs a group of admins",
		"temporarily unavailable: replica: no such db": "replica",
		"invalid_grant: a code used twice":             "invalid_grant",
		"state is unknown":                             "state is unknown",
	} {
		if got := kindOf(reason); got != want {
			t.Errorf("%q counts as %q, want %q", reason, got, want)
		}
	}
}

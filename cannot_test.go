package codegrant_test

import (
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	ways "github.com/codegrant/codegrant/internal/keep"
)

// TestS491_TheLogSaysWhatCannotBe: at the start, the log names each promise that the
// chosen way to keep sign-ins cannot keep, with the reason, and none where all are kept.
func TestS491_TheLogSaysWhatCannotBe(t *testing.T) {
	const event = "promises of docs/security.md that this way to keep sessions cannot keep"
	for name, tt := range map[string]struct {
		change func(*codegrant.Config)
		cannot []ways.Exception
	}{
		"store":  {nil, new(ways.Stored).Cannot()},
		"sealed": {func(c *codegrant.Config) { c.Sessions, c.CookieSessions = nil, true }, new(ways.Sealed).Cannot()},
		"shared": {func(c *codegrant.Config) {
			c.BaseURL, c.InsecureSharedTokensDomain = "https://app.example.com", "example.com"
		}, new(ways.Shared).Cannot()},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, tt.change)
			var said []string
			for line := range strings.Lines(a.log.String()) {
				if strings.Contains(line, event) {
					said = append(said, line)
				}
			}
			if len(tt.cannot) == 0 {
				if len(said) != 0 {
					t.Errorf("every promise is kept, and the log says %q", said)
				}
				return
			}
			if len(said) != 1 {
				t.Fatalf("%d lines say it", len(said))
			}
			if !strings.Contains(said[0], "level=WARN") || strings.Count(said[0], " S-") != len(tt.cannot) {
				t.Errorf("%q, want a warning of %d promises", said[0], len(tt.cannot))
			}
			for _, e := range tt.cannot {
				if !strings.Contains(said[0], " "+e.Promise+`="`+e.Why+`"`) {
					t.Errorf("%q does not name %s: %s", said[0], e.Promise, e.Why)
				}
			}
		})
	}
}

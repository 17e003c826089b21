package serve

import (
	"log/slog"
	"strings"

	"github.com/codegrant/codegrant/console"
)

// countDay counts an event of a pool for the console's pictures.
func countDay(day *console.Day, r slog.Record) {
	switch r.Message {
	case "signed in":
		day.Count(console.SignIns, "signed in")
	case "sign-in refused":
		day.Count(console.SignIns, "refused")
	case "sign-in failed":
		day.Count(console.SignIns, "failed")
	case "session refreshed":
		day.Count(console.Refreshes, "refreshed")
	case "refresh failed":
		day.Count(console.Refreshes, "failed")
	}
	switch r.Message {
	case "sign-in refused", "sign-in failed", "proof refused", "request refused":
		r.Attrs(func(a slog.Attr) bool {
			if a.Key != "reason" {
				return true
			}
			day.Count(console.Refusals, kindOf(a.Value.String()))
			return false
		})
	}
}

// kindOf is a reason without the verdict before it, and without what is about the one request.
func kindOf(reason string) string {
	for _, verdict := range []string{"not authenticated", "not allowed", "temporarily unavailable"} {
		if rest, ok := strings.CutPrefix(reason, verdict+": "); ok {
			reason = rest
			break
		}
	}
	kind, _, _ := strings.Cut(reason, ":")
	return kind
}

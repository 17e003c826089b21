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
			kind, _, _ := strings.Cut(a.Value.String(), ":") // what follows is about the one request
			day.Count(console.Refusals, kind)
			return false
		})
	}
}

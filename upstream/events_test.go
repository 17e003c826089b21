package upstream

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
)

// TestS671_APanicOfOnEvent: who counts decides nothing, and ends nothing: renewals are
// asked for where a panic would end the process.
func TestS671_APanicOfOnEvent(t *testing.T) {
	log := new(bytes.Buffer)
	u := &Upstream{Config: Config{Logger: slog.New(slog.NewTextHandler(log, nil)), OnEvent: func(context.Context, Event) { panic("the application's") }}}
	u.event(t.Context(), TokenRenewed, refreshed, 0)
	if !strings.Contains(log.String(), "OnEvent panicked") {
		t.Errorf("the log does not say so: %s", log)
	}
}

package serve

import (
	"context"
	"log/slog"
)

// noting keeps for the console what the gateway logs of health checks that have changed.
type noting struct {
	slog.Handler
	state *view
}

// ofServers are the lines that say so.
var ofServers = map[string]string{
	"server of an upstream is unhealthy: it gets no requests": "gets no requests",
	"server of an upstream is well again":                     "gets requests again",
}

func (n noting) Handle(ctx context.Context, r slog.Record) error {
	if text, ok := ofServers[r.Message]; ok {
		var route, server string
		r.Attrs(func(a slog.Attr) bool {
			switch a.Key {
			case "route":
				route = a.Value.String()
			case "server":
				server = a.Value.String()
			case "reason":
				text += ": " + a.Value.String()
			}
			return true
		})
		n.state.noteChange("upstream "+server+" of "+route, text)
	}
	return n.Handler.Handle(ctx, r)
}

func (n noting) WithAttrs(attrs []slog.Attr) slog.Handler {
	return noting{n.Handler.WithAttrs(attrs), n.state}
}

func (n noting) WithGroup(name string) slog.Handler {
	return noting{n.Handler.WithGroup(name), n.state}
}

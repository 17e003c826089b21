package serve

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/tracing"
	"github.com/codegrant/codegrant/session"
)

// BenchmarkServe is what the command adds to the gateway's own work: counting,
// metrics, the access log, and traces of which one in a hundred or each is recorded.
func BenchmarkServe(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer collector.Close()
	for _, tt := range []struct {
		access, name string
		ratio        float64 // below 0: no traces
	}{{"false", "without access log", -1}, {"true", "with access log", -1}, {"false", "traced, one in a hundred", 0.01}, {"false", "traced", 1}} {
		access := tt.access
		var tracer *tracing.Tracer
		if tt.ratio >= 0 {
			var err error
			if tracer, err = tracing.New(tracing.Config{Endpoint: collector.URL, SampleRatio: tt.ratio, Logger: slog.New(slog.DiscardHandler)}); err != nil {
				b.Fatal(err)
			}
		}
		keys := session.RandomKeyring()
		s, err := settings.Load(writeBench(b, access), settings.Options{Keys: keys})
		if err != nil {
			b.Fatal(err)
		}
		p := newProcess(s, keys, slog.New(slog.NewJSONHandler(io.Discard, nil)), new(slog.LevelVar), tracer)
		st, err := p.openStores(s)
		if err != nil {
			b.Fatal(err)
		}
		g, err := p.build(s, st)
		if err != nil {
			b.Fatal(err)
		}
		p.use(g)
		handlers := map[string]http.Handler{tt.name: p}
		if access == "false" && tracer == nil {
			handlers["gateway alone"] = g.gateway
		}
		for name, handler := range handlers {
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, httptest.NewRequest("GET", "/open", nil))
					if w.Code != http.StatusOK {
						b.Fatal(w.Code)
					}
				}
			})
		}
		if err := tracer.Shutdown(b.Context()); err != nil {
			b.Error(err)
		}
	}
}

func writeBench(b *testing.B, access string) string {
	b.Helper()
	dir := b.TempDir()
	for name, text := range map[string]string{
		"index.html": "<!doctype html>",
		"codegrant.yaml": strings.ReplaceAll(`
base_url: https://app.example.com
log: {access: ACCESS}
pools: [{id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: abc}]
routes: [{path: /, files: ., public: true}]
`, "ACCESS", access),
	} {
		writeText(b, dir, name, text)
	}
	return dir + "/codegrant.yaml"
}

func writeText(b *testing.B, dir, name, text string) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

package main

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
	"github.com/codegrant/codegrant/session"
)

// BenchmarkServe is what the command adds to the gateway's own work: counting,
// metrics, the access log.
func BenchmarkServe(b *testing.B) {
	for _, access := range []string{"false", "true"} {
		keys := session.RandomKeyring()
		s, err := settings.Load(writeBench(b, access), settings.Options{Keys: keys})
		if err != nil {
			b.Fatal(err)
		}
		p := newProcess(s, keys, slog.New(slog.NewJSONHandler(io.Discard, nil)), new(slog.LevelVar), nil)
		st, err := p.openStores(s)
		if err != nil {
			b.Fatal(err)
		}
		g, err := p.build(s, st)
		if err != nil {
			b.Fatal(err)
		}
		p.use(g)
		handlers := map[string]http.Handler{"with access log": p}
		if access == "false" {
			handlers = map[string]http.Handler{"gateway alone": g.gateway, "without access log": p}
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

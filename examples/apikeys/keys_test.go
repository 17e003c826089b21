package main

import (
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

func TestKeys(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "keys.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	k, err := openKeys(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	k.now = func() time.Time { return now }
	service, err := newService(codegrant.Config{
		Pool:   cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "https://auth.example.com", ClientID: "client"},
		Logger: slog.New(slog.DiscardHandler),
	}, k)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, keys ...string) (int, string) {
		r := httptest.NewRequest("GET", "http://localhost:8080"+path, nil)
		for _, key := range keys {
			r.Header.Add(header, key)
		}
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	want := func(name string, status int, path string, keys ...string) {
		t.Helper()
		if got, body := get(path, keys...); got != status {
			t.Errorf("%s: %d, want %d: %s", name, got, status, body)
		}
	}
	issue := func(scopes ...string) string {
		t.Helper()
		key, err := k.issue(t.Context(), "warehouse", scopes, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	idOf := func(key string) string { return strings.TrimPrefix(key, keyPrefix)[:12] }

	key := issue("orders/read")
	if status, body := get("/orders", key); status != http.StatusOK || body != "orders for warehouse\n" {
		t.Errorf("%d %s", status, body)
	}
	want("what is for people", 401, "/", key)
	want("no key", 401, "/orders")
	want("another scope", 403, "/orders", issue("stock/read"))
	want("two keys", 401, "/orders", key, key)
	for name, no := range map[string]string{
		"cut": key[:len(key)-1], "longer": key + "A", "without its prefix": strings.TrimPrefix(key, keyPrefix), "the id alone": keyPrefix + idOf(key) + "_",
		"empty": "", "of nobody": keyPrefix + strings.Repeat("A", 12) + "_x", "too long": keyPrefix + strings.Repeat("A", 500),
	} {
		want(name, 401, "/orders", no)
	}
	var rows int
	if err := db.QueryRow(`SELECT count(*) FROM api_keys WHERE instr(hash, ?) OR instr(id, ?)`, key[len(keyPrefix)+13:], key[len(keyPrefix)+13:]).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("the table holds a secret: %d, %v", rows, err)
	}

	next, err := k.rotate(t.Context(), idOf(key), 2*time.Hour, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	want("the old one beside the new", 200, "/orders", key)
	want("the new one", 200, "/orders", next)
	now = now.Add(11 * time.Minute)
	want("the old one after the overlap", 401, "/orders", key)
	want("the new one after the overlap", 200, "/orders", next)
	if _, err := k.rotate(t.Context(), idOf(key), time.Hour, time.Minute); err == nil {
		t.Error("a key that has ended was rotated")
	}
	if err := k.revoke(t.Context(), idOf(next)); err != nil {
		t.Fatal(err)
	}
	want("revoked", 401, "/orders", next)
	db.Close()
	want("a database that is away", 503, "/orders", next)
}

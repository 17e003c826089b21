package wire

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAsk(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch cookie, err := r.Cookie("b"); {
		case err != nil || cookie.Value != "2" || r.URL.RawQuery != "q=1":
			http.Error(w, "who?", http.StatusUnauthorized)
		case r.URL.Path == "/long":
			_, _ = io.WriteString(w, strings.Repeat("x", 20_000))
			w.(http.Flusher).Flush()
		case r.URL.Path == "/body":
			w.Header().Set("Content-Length", "20000")
			_, _ = io.WriteString(w, strings.Repeat("x", 20_000))
		}
	}))
	defer server.Close()
	cookies := []*http.Cookie{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}
	var conn *Conn
	for _, tt := range []struct {
		path    string
		cookies []*http.Cookie
		status  int
		err     error
	}{
		{"/?q=1", cookies, 200, nil},
		{"/body?q=1", cookies, 200, nil},
		{"/?q=1", nil, 401, nil},
		{"/?q=1", cookies, 200, nil},
		{"/long?q=1", cookies, 200, errNoLength},
	} {
		request, err := Get(server.URL+tt.path, tt.cookies)
		if err != nil {
			t.Fatal(err)
		}
		if conn == nil { // all on one connection
			if conn, err = Dial(t.Context(), request.Address); err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
		status, err := conn.Ask(request.Bytes)
		if status != tt.status || !errors.Is(err, tt.err) {
			t.Errorf("GET %s: %d, %v, want %d, %v", tt.path, status, err, tt.status, tt.err)
		}
	}
	if _, err := Get("https://example.com/", nil); err == nil {
		t.Error("an https URL was taken")
	}
}

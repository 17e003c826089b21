package codegrant_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// One anonymous request may carry thousands of cookies of our names. What it
// costs must not grow with their square, nor the answer with their number.
func TestS145_CookiesThatNobodySet(t *testing.T) {
	a := newApp(t, nil)
	var line strings.Builder
	for i := range 2990 {
		fmt.Fprintf(&line, "codegrant-%s-request-%d=x; ", a.url[strings.LastIndexByte(a.url, ':')+1:], i)
	}
	for _, tt := range []struct{ method, path string }{{"GET", "/auth/login"}, {"POST", "/auth/logout"}} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		r.Header.Set("Cookie", line.String())
		w := httptest.NewRecorder()
		a.auth.Handler("/auth").ServeHTTP(w, r)
		if n := len(w.Header().Values("Set-Cookie")); n > 64 || w.Code >= http.StatusBadRequest {
			t.Errorf("%s %s: status %d with %d cookies", tt.method, tt.path, w.Code, n)
		}
	}
}

package mcp

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

// TestTheServersRequestIsItsOwn: whatever the server does to its request, the permissions are
// asked again about the one that came.
func TestTheServersRequestIsItsOwn(t *testing.T) {
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"},
		BaseURL: "https://app.example.com", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	came := httptest.NewRequestWithContext(t.Context(), "POST", "https://app.example.com/mcp", strings.NewReader("{}"))
	came.Header = http.Header{"Authorization": {"Bearer x"}, "Accept-Encoding": {"gzip"}, "Expect": {"100-continue"}, "Mcp-Session-Id": {"a.b"}}
	x := &exchange{Resource: &Resource{rules: []rule{{}}}, auth: auth, r: came, who: &codegrant.Identity{Subject: "s"}, body: []byte("{ }"), session: "a.b", serverSession: "a"}
	inner := x.inner(t.Context(), httptest.NewRecorder())
	body, err := io.ReadAll(inner.Body)
	if err != nil || string(body) != "{ }" || inner.ContentLength != 3 || inner.Header.Get("Mcp-Session-Id") != "a" || inner.Header["Expect"] != nil || inner.Header["Accept-Encoding"] != nil {
		t.Errorf("%q, %d, %v, %v", body, inner.ContentLength, inner.Header, err)
	}
	inner.Header.Del("Authorization")
	inner.URL.Path, inner.URL.User = "/", url.User("x")
	if came.Header.Get("Authorization") != "Bearer x" || came.Header.Get("Mcp-Session-Id") != "a.b" || came.Header.Get("Expect") == "" || came.URL.String() != "https://app.example.com/mcp" {
		t.Errorf("%s %v", came.URL, came.Header)
	}
}

// TestS617_NobodysBody: a body that a handler before has put there reaches no server.
func TestS617_NobodysBody(t *testing.T) {
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"},
		BaseURL: "https://app.example.com", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	came := httptest.NewRequestWithContext(t.Context(), "DELETE", "https://app.example.com/mcp", strings.NewReader("{}"))
	came.ContentLength, came.TransferEncoding, came.Trailer = 0, []string{"chunked"}, http.Header{"X": nil}
	came.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("{}")), nil }
	x := &exchange{Resource: &Resource{}, auth: auth, r: came, who: &codegrant.Identity{Subject: "s"}}
	inner := x.inner(t.Context(), httptest.NewRecorder())
	if inner.Body != http.NoBody || inner.GetBody != nil || inner.ContentLength != 0 || inner.TransferEncoding != nil || inner.Trailer != nil {
		t.Errorf("%+v", inner)
	}
}

// TestMessagesCostLittle: a usual message is decided on without a copy of it.
func TestMessagesCostLittle(t *testing.T) {
	body := []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{"text":"holidays","limit":20}}}`)
	got := testing.AllocsPerRun(100, func() {
		if m, err := readMessage(body); err != nil || m.name != "search" {
			t.Fatal(m, err)
		}
	})
	if got > 6 {
		t.Errorf("%v allocations for a message of %d bytes, want 6 at most", got, len(body))
	}
}

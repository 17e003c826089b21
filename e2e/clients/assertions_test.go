package clients

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/testenv"
)

// signed is a gateway that signs assertions about Alice, and what a program is told to
// verify one.
type signed struct {
	url, token string
	algorithm  string
}

type alice struct{}

func (alice) Authenticate(*http.Request) (*codegrant.Identity, error) {
	return &codegrant.Identity{
		Issuer: "https://pool.example.com", Subject: "1", Username: "alice", Email: "alice@example.com", EmailVerified: true,
		Groups: []string{"admins", "analysts"},
	}, nil
}
func (alice) Challenge(error) string { return "" }

func newSigned(t *testing.T, algorithm string) signed {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	auth, err := codegrant.New(codegrant.Config{
		Pool:           cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"},
		Authenticators: []codegrant.Authenticator{alice{}}, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	out := signed{algorithm: algorithm}
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { out.token = r.Header.Get("X-Auth-Assertion") }))
	defer upstream.Close()
	g, err := gateway.New(gateway.Config{
		Tenants: []gateway.Tenant{{Auth: auth}}, Logger: log,
		Assertions: &gateway.Assertions{Keys: []ed25519.PrivateKey{ed}, ECKeys: []*ecdsa.PrivateKey{ec}, Algorithm: algorithm, Issuer: "https://app.example.com"},
		Routes:     []gateway.Route{{Name: "reports", Assertion: true, Upstream: &gateway.Upstream{URLs: []string{upstream.URL}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close(context.Background()) })
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	response, err := http.Get(server.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if out.url = server.URL; out.token == "" {
		t.Fatal("no assertion")
	}
	return out
}

// verifies runs a program on a good assertion, on one for somebody else's route, and on
// one that was changed; each verifier prints a line.
func (s signed) verifies(t *testing.T, names []string, command ...string) {
	t.Helper()
	last := s.token[len(s.token)-10:]
	changed := strings.TrimSuffix(s.token, last) + strings.Map(func(r rune) rune {
		if r == 'A' {
			return 'B'
		}
		return 'A'
	}, last[:5]) + last[5:]
	for _, tt := range []struct{ what, token, audience, want string }{
		{"a good one", s.token, "reports", "accepted alice@example.com admins,analysts"},
		{"one for another route", s.token, "orders", "refused"},
		{"one that was changed", changed, "reports", "refused"},
	} {
		c := exec.CommandContext(t.Context(), command[0], command[1:]...)
		c.Env = append(os.Environ(), "JWKS_URL="+s.url+"/auth/.well-known/jwks.json", "ALGORITHM="+s.algorithm, "AUDIENCE="+tt.audience, "TOKEN="+tt.token)
		output, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		for _, name := range names {
			if !strings.Contains("\n"+string(output), "\n"+name+tt.want) {
				t.Errorf("%s%s, %s: %s", name, s.algorithm, tt.what, output)
			}
		}
	}
}

// TestS231_AssertionsVerify: with the libraries of other languages, as the documentation
// shows. jose's test is one of TestJavaScript.
func TestS231_AssertionsVerify(t *testing.T) {
	t.Run("Python", func(t *testing.T) {
		python := filepath.Join(testenv.Python(t, "PyJWT==2.15.1", "joserfc==1.8.0", "cryptography==50.0.2"), "python")
		for _, algorithm := range []string{"EdDSA", "ES256"} {
			s := newSigned(t, algorithm)
			s.verifies(t, []string{""}, python, "assertions/verify_pyjwt.py")
			s.verifies(t, []string{""}, python, "assertions/verify_joserfc.py")
		}
	})
	t.Run("Java", func(t *testing.T) {
		java, libraries := testenv.Java(t, "assertions/pom.xml")
		newSigned(t, "ES256").verifies(t, []string{"spring ", "java-jwt "}, java, "-cp", filepath.Join(libraries, "*"), "assertions/Verify.java")
	})
}

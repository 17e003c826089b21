package cognito

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Long enough to be told from other text, and with characters that are written
// differently in forms.
const (
	canaryCode     = "canary-code-0001+/="
	canaryVerifier = "canary-verifier-0002"
	canaryToken    = "canary-refresh-token-0003+/="
	canarySecret   = "canary-client-secret-0004+"
	canaryGranted  = "canary-granted-0005"
)

func canaries() []string {
	all := []string{"canary"}
	for _, c := range []string{canaryCode, canaryVerifier, canaryToken, canarySecret, canaryGranted} {
		all = append(all, c, url.QueryEscape(c), base64.StdEncoding.EncodeToString([]byte(c)))
	}
	return append(all, base64.StdEncoding.EncodeToString([]byte("c1:"+url.QueryEscape(canarySecret))))
}

func expectNoCanary(t *testing.T, where, text string) {
	t.Helper()
	for _, canary := range canaries() {
		if strings.Contains(text, canary) {
			t.Errorf("%s tells %s: %s", where, canary, text)
		}
	}
}

// TestS169_ErrorsDoNotTellSecrets has servers repeat the request to us in every
// place that could find its way into an error.
func TestS169_ErrorsDoNotTellSecrets(t *testing.T) {
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	echoes := []struct {
		name string
		// raw is everything that the server writes on the connection.
		raw func(echo string) string
	}{
		{"refusal", func(echo string) string {
			return httpAnswer(400, "application/json", `{"error":"invalid_grant","error_description":`+quoted(echo)+`}`)
		}},
		{"code of a refusal", func(echo string) string { return httpAnswer(400, "application/json", `{"error":`+quoted(echo)+`}`) }},
		{"page", func(echo string) string { return httpAnswer(403, "text/html", "<p>"+echo) }},
		{"grant of another type", func(echo string) string {
			return httpAnswer(200, "application/json", `{"access_token":`+quoted(echo)+`,"token_type":`+quoted(echo)+`,"expires_in":60}`)
		}},
		{"grant with an odd lifetime", func(echo string) string {
			return httpAnswer(200, "application/json", `{"access_token":"a","token_type":"Bearer","expires_in":`+quoted(echo)+`}`)
		}},
		{"name given twice", func(echo string) string {
			return httpAnswer(200, "application/json", `{`+quoted(echo)+`:1,`+quoted(echo)+`:2}`)
		}},
		{"not JSON", func(echo string) string { return httpAnswer(200, "application/json", echo) }},
		{"redirect", func(echo string) string {
			return "HTTP/1.1 307 " + echo + "\r\nLocation: /" + echo + "\r\nContent-Length: 0\r\n\r\n"
		}},
		{"fault of the pool", func(echo string) string { return httpAnswer(500, "text/plain", echo) }},
		{"status that is none", func(echo string) string { return "HTTP/1.1 " + echo + "\r\n\r\n" }},
		{"not HTTP", func(echo string) string { return echo + "\r\n\r\n" }},
		{"header that is none", func(echo string) string { return "HTTP/1.1 200 OK\r\n" + echo + "\r\n\r\n" }},
		{"encoding that is none", func(echo string) string { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + echo + "\r\n\r\n" }},
		{"length that is none", func(echo string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + echo + "\r\n\r\n" }},
		{"nothing", func(string) string { return "" }},
	}
	for _, tt := range echoes {
		t.Run(tt.name, func(t *testing.T) {
			c := testClient(t, rawServer(t, tt.raw), canarySecret)
			_, exchanged := c.Exchange(t.Context(), Exchange{Code: canaryCode, CodeVerifier: canaryVerifier, RedirectURI: "https://app.example.com/cb"})
			_, refreshed := c.Refresh(t.Context(), canaryToken)
			var log strings.Builder
			logger := slog.New(slog.NewJSONHandler(&log, nil))
			_, revoked := c.once(t.Context(), c.endpoints.Revoke, url.Values{"token": {canaryToken}}, canarySecret)
			for _, err := range []error{exchanged, refreshed, revoked} {
				if err == nil {
					continue // what a revocation is answered with does not matter
				}
				logger.Error("x", "error", err)
				fmt.Fprintf(&log, "%v %+v %#v %q", err, err, err, err)
				if len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\r\n") {
					t.Errorf("error is not fit for a log: %q", err)
				}
			}
			if exchanged == nil || refreshed == nil {
				t.Error("no error")
			}
			expectNoCanary(t, "the log", log.String())
		})
	}
}

func httpAnswer(status int, kind, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, kind, len(body), body)
}

// rawServer answers each request with bytes of its own choosing, made of all that
// is secret in the request in the ways that it can be written. It returns its URL.
func rawServer(t *testing.T, answer func(echo string) string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return
				}
				form, _ := url.ParseQuery(string(body))
				echo := r.Header.Get("Authorization") + " " + canarySecret + " " + string(body)
				for _, name := range []string{"code", "code_verifier", "refresh_token", "token"} {
					echo += " " + form.Get(name)
				}
				_, _ = io.WriteString(conn, answer(echo))
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestS169_SecretsDoNotPrint(t *testing.T) {
	type holder struct {
		Secret  Secret
		Pointer *Secret
		Tokens  TokenSet
		Pool    Pool
	}
	secret := Secret(canarySecret)
	h := holder{secret, &secret, TokenSet{IDToken: canaryGranted, AccessToken: canaryGranted, RefreshToken: canaryToken}, Pool{ClientSecret: secret}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s", "%x", "%X", "%d", "%10.5s", "%t"} {
		fmt.Fprintf(&out, verb, h)
		fmt.Fprintf(&out, verb, h.Secret)
		fmt.Fprintf(&out, verb, h.Pointer)
		fmt.Fprintf(&out, verb, []Secret{h.Secret})
		fmt.Fprintf(&out, verb, map[Secret]Secret{h.Secret: h.Secret})
	}
	raw, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(raw)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "h", h, "s", h.Secret, "p", h.Pointer)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "t", h.Tokens, "s", h.Secret, "p", h.Pointer)
	fmt.Fprint(&out, h.Secret, h.Secret.String(), h.Secret.GoString(), errors.New(h.Secret.String()))
	expectNoCanary(t, "the output", out.String())
	expectNoCanary(t, "the output", strings.ToLower(strings.ReplaceAll(out.String(), fmt.Sprintf("%x", canarySecret), canarySecret)))
	if !strings.Contains(out.String(), redacted) || h.Secret.Reveal() != canarySecret || Secret("").String() != "" {
		t.Error("a secret is lost, or not marked")
	}
}

package codegrant_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica"
)

// reception takes people in by what their ID tokens say.
type reception struct {
	*app
	t     *testing.T
	users *strictReplica
}

func newReception(t *testing.T) *reception {
	users := &strictReplica{users: make(map[string]replica.User)}
	return &reception{newApp(t, func(c *codegrant.Config) { c.Replica, c.AcceptTokens = users, true }), t, users}
}

// enter hands tokens with these claims over, and returns the answer's status and who a
// handler then sees.
func (r *reception) enter(claims map[string]any) (int, *codegrant.Identity) {
	r.t.Helper()
	pool, now := r.Clients()[0], time.Now().Unix()
	id := map[string]any{
		"iss": pool.Issuer, "iat": now, "exp": now + 3600, "auth_time": now, "token_use": "id", "aud": pool.ID,
		"sub": "5f0c2b1e-0000-4000-8000-000000000001", "cognito:username": "carol", "email": "carol@example.com",
	}
	maps.Copy(id, claims)
	access := map[string]any{
		"iss": pool.Issuer, "iat": now, "exp": now + 3600, "auth_time": now, "token_use": "access", "client_id": pool.ID,
		"sub": id["sub"], "username": id["cognito:username"], "scope": "openid",
	}
	body := make(map[string]string)
	for name, claims := range map[string]map[string]any{"id_token": id, "access_token": access} {
		token, err := r.MintToken(r.PoolID, claims)
		if err != nil {
			r.t.Fatal(err)
		}
		body[name] = token
	}
	content, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(r.t.Context(), "POST", r.url+"/auth/session", bytes.NewReader(content))
	request.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	r.auth.Handler("/auth").ServeHTTP(w, request)
	request = httptest.NewRequestWithContext(r.t.Context(), "GET", r.url+"/", nil)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge >= 0 {
			request.AddCookie(c)
		}
	}
	var seen *codegrant.Identity
	r.auth.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen, _ = codegrant.From(r.Context()) })).ServeHTTP(httptest.NewRecorder(), request)
	return w.Code, seen
}

// TestS652_SubjectsAtTheDoor: a sub that cannot be printed lets nobody in and is not a row of
// the replica; any other names one person, byte for byte, whatever else changes of them.
func TestS652_SubjectsAtTheDoor(t *testing.T) {
	r := newReception(t)
	for _, sub := range []string{
		"", " ", "a b", "\x00", "a\x01b", "a\tb", "a\nb", "a\r\nb", "a\x1b[31mb", "a\x7fb", "a\u0085b", "a\u009fb", "a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b", "\ufeffa",
		"a\u00a0b", "a\u200bb", strings.Repeat("s", 256), strings.Repeat("é", 128), "\n", "sub\x00",
	} {
		if status, seen := r.enter(map[string]any{"sub": sub}); status/100 != 4 || seen != nil || len(r.users.users) != 0 {
			t.Errorf("sub %q: status %d, identity %v, %d rows", sub, status, seen, len(r.users.users))
		}
	}
	ids := make(map[int64]string)
	for _, sub := range []string{
		"5f0c2b1e-0000-4000-8000-000000000001", "5F0C2B1E-0000-4000-8000-000000000001", "5f0c2b1e000040008000000000000001", "é", "e\u0301", "É", "ß", "ss", "ı", "i", "I", "Kk", "K", "-", "'", `"`, "%20", "+", "..", "../x",
		strings.Repeat("s", 255), strings.Repeat("s", 254),
	} {
		status, seen := r.enter(map[string]any{"sub": sub, "cognito:username": "u-" + sub[:min(len(sub), 20)]})
		if status != 201 || seen == nil || seen.Subject != sub || ids[seen.UserID] != "" {
			t.Fatalf("sub %q: status %d, identity %+v, which is also %q", sub, status, seen, ids[seen.UserID])
		}
		ids[seen.UserID] = sub
		// The same again, with everything else another: a name that was given away, say.
		for i, changed := range []map[string]any{
			{"cognito:username": "renamed"}, {"email": "other@example.com"}, {"email": "OTHER@example.com"}, {"name": "Other"}, {"cognito:groups": []string{"g"}}, {},
			{"email": "bob@example.com", "cognito:username": "bob"}, {"phone_number": "+15550100"}, {"cognito:username": sub + "x"}, {"identities": "[]"},
		} {
			changed["sub"] = sub
			if status, again := r.enter(changed); status != 201 || again == nil || again.UserID != seen.UserID || again.Subject != sub {
				t.Errorf("sub %q again, %d: status %d, identity %+v, want row %d", sub, i, status, again, seen.UserID)
			}
		}
	}
	if len(r.users.users) != len(ids) {
		t.Errorf("%d rows of %d people", len(r.users.users), len(ids))
	}
}

// TestS653_AttributesOfEveryType: a handler reads an attribute as the pool signed it, the
// replica has it as text, and only true and "true" verify an address.
func TestS653_AttributesOfEveryType(t *testing.T) {
	r := newReception(t)
	for _, tt := range []struct{ raw, text string }{
		{`"true"`, "true"}, {`true`, "true"}, {`false`, "false"}, {`"False"`, "False"}, {`"1"`, "1"}, {`1`, "1"}, {`0`, "0"}, {`-1`, "-1"}, {`"007"`, "007"}, {`1.50`, "1.50"},
		{`9007199254740993`, "9007199254740993"}, {`18446744073709551616`, "18446744073709551616"}, {`1e2`, "1e2"}, {`"1990-02-29"`, "1990-02-29"}, {`"2026-11-29T12:00:00Z"`, "2026-11-29T12:00:00Z"},
		{`1795953600`, "1795953600"}, {`""`, ""}, {`" "`, " "}, {`null`, ""}, {`[]`, "[]"}, {`["a","b"]`, `["a","b"]`}, {`{"a":1}`, `{"a":1}`}, {`"{\"a\":1}"`, `{"a":1}`}, {`"null"`, "null"},
	} {
		for _, name := range []string{"custom:x", "custom:is_admin"} {
			status, seen := r.enter(map[string]any{name: json.RawMessage(tt.raw)})
			if status != 201 || seen == nil {
				t.Errorf("%s of %s: status %d", name, tt.raw, status)
				continue
			}
			if raw, ok := seen.Claim(name); !ok || string(raw) != tt.raw {
				t.Errorf("Claim(%s) = %s, %v, want %s", name, raw, ok, tt.raw)
			}
			if got, ok := r.users.users[seen.Subject].Custom[name]; got != tt.text || !ok {
				t.Errorf("%s of %s is %q, %v in the replica, want %q", name, tt.raw, got, ok, tt.text)
			}
		}
	}
	for raw, want := range map[string]string{
		`true`: "verified", `"true"`: "verified", `"\u0074rue"`: "verified", `false`: "not", `"false"`: "not", `"True"`: "not", `"TRUE"`: "not", `" true"`: "not", `"true\n"`: "not",
		`"1"`: "not", `"yes"`: "not", `"on"`: "not", `""`: "not", `1`: "refused", `0`: "refused", `null`: "refused", `[true]`: "refused", `{"value":true}`: "refused",
	} {
		status, seen := r.enter(map[string]any{"email_verified": json.RawMessage(raw), "phone_number": "+15550100", "phone_number_verified": json.RawMessage(raw)})
		switch {
		case want == "refused":
			if status/100 != 4 || seen != nil {
				t.Errorf("email_verified %s: status %d", raw, status)
			}
		case status != 201 || seen == nil || seen.EmailVerified != (want == "verified"):
			t.Errorf("email_verified %s: status %d, %+v", raw, status, seen)
		default:
			if u := r.users.users[seen.Subject]; u.EmailVerified != seen.EmailVerified || u.PhoneNumberVerified != seen.EmailVerified {
				t.Errorf("email_verified %s: the replica has %v and %v", raw, u.EmailVerified, u.PhoneNumberVerified)
			}
		}
	}
}

// TestS654_AddressesInEveryForm: the attribute is one text at the pool and an object in
// tokens; whichever comes, the claim is as signed and the replica has the text.
func TestS654_AddressesInEveryForm(t *testing.T) {
	r := newReception(t)
	long := strings.Repeat("x", 2048)
	for _, tt := range []struct{ raw, text string }{
		{`{"formatted":"1 Main Street"}`, "1 Main Street"}, {`{"formatted":"1 Main Street\nTown"}`, "1 Main Street\nTown"}, {`{"formatted":"1 Main Street\r\nTown"}`, "1 Main Street\r\nTown"},
		{`{"formatted":"Straße 1\u0085Köln"}`, "Straße 1 Köln"}, {`{"formatted":"山田町 1\t東京"}`, "山田町 1\t東京"}, {`{"formatted":"a","locality":"Town","country":"DE"}`, "a"},
		{`{"formatted":"{\"street\":\"1 Main\"}"}`, `{"street":"1 Main"}`}, {`"{\"formatted\":\"1 Main\"}"`, `{"formatted":"1 Main"}`}, {`"1 Main Street"`, "1 Main Street"}, {`"a\nb"`, "a\nb"},
		{`{"formatted":"` + long + `"}`, long}, {`"` + long + `"`, long}, {`{}`, ""}, {`{"locality":"Town"}`, ""}, {`""`, ""}, {`{"formatted":""}`, ""}, {`{"formatted":"null"}`, "null"},
	} {
		r.users.users = make(map[string]replica.User)
		status, seen := r.enter(map[string]any{"address": json.RawMessage(tt.raw)})
		if status != 201 || seen == nil {
			t.Errorf("address %.60s: status %d", tt.raw, status)
			continue
		}
		if raw, ok := seen.Claim("address"); !ok || string(raw) != tt.raw {
			t.Errorf("Claim(address) = %.60s, want %.60s", raw, tt.raw)
		}
		if got := r.users.users[seen.Subject].Custom["address"]; got != tt.text {
			t.Errorf("address %.60s is %.60q in the replica, want %.60q", tt.raw, got, tt.text)
		}
	}
	for _, raw := range []string{`1`, `true`, `null`, `[]`, `["a"]`, `{"formatted":1}`, `{"formatted":null}`, `{"formatted":["a"]}`, `{"formatted":{}}`, `{"formatted":"a","formatted":"b"}`} {
		if status, seen := r.enter(map[string]any{"address": json.RawMessage(raw)}); status/100 != 4 || seen != nil {
			t.Errorf("address %s: status %d", raw, status)
		}
	}
}

// TestS655_ReturnURLsAtTheLimits: whichever way sessions are kept, a sign-in ends at the URL
// where it began up to 16 KiB, byte for byte, and at the default page beyond.
func TestS655_ReturnURLsAtTheLimits(t *testing.T) {
	fill := func(unit string) func(int) string {
		return func(n int) string { return strings.Repeat(unit, n/len(unit)+1)[:n/len(unit)*len(unit)] }
	}
	noise := func(n int) string {
		b, x := make([]byte, n), uint32(1)
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[x>>26]
		}
		return string(b)
	}
	for way, set := range map[string]func(*codegrant.Config){"a store": nil, "sealed cookies": func(c *codegrant.Config) { c.Sessions, c.CookieSessions = nil, true }} {
		a := newApp(t, set)
		for i, tt := range []struct {
			prefix string
			fill   func(int) string
			length int
		}{
			{"/reports/?q=", noise, 2047}, {"/reports/?q=", noise, 2048}, {"/reports/?q=", noise, 2049}, {"/reports/", noise, 2049}, {"/reports/?q=", noise, 4096}, {"/reports/?q=", noise, 8193},
			{"/reports/?q=", noise, 16383}, {"/reports/?q=", noise, 16384}, {"/reports/", noise, 16384}, {"/reports/?q=", fill("%C3%BC"), 16380}, {"/reports/?", fill("a=%20&"), 9000},
			{"/reports/?q=", fill("a+b;c,"), 6000}, {"/reports/?q=", fill("%2F"), 16383}, {"/reports/?q=", noise, 16385}, {"/reports/?q=", noise, 20000},
		} {
			target := tt.prefix + tt.fill(tt.length-len(tt.prefix))
			want := target
			if len(target) > 16<<10 {
				want = "/"
			}
			page := codegranttest.NewBrowser(t).SignIn(a.url+"/auth/login?redirect_uri="+url.QueryEscape(target), "alice@example.com", codegranttest.Password)
			if page.Status != 200 || page.URL.RequestURI() != want {
				t.Errorf("%s, %d, %d bytes: status %d at %.60s, %d bytes", way, i, len(target), page.Status, page.URL.RequestURI(), len(page.URL.RequestURI()))
			}
		}
	}
}

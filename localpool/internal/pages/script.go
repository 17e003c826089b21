package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
)

// passkeyScript asks the browser for a passkey, on the one page that cannot do without.
var (
	passkeyScript = mustRead("passkey.js")
	scriptPin     = sha256.Sum256([]byte(passkeyScript))
)

func script() template.JS { return template.JS(passkeyScript) }

// scripts is what the policy of a page says of its script; empty: it has none.
func scripts(page string) string {
	if page != "passkey.html" {
		return ""
	}
	return "; script-src 'sha256-" + base64.StdEncoding.EncodeToString(scriptPin[:]) + "'"
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // made of texts
	}
	return string(b)
}

func withQuery(r *http.Request, q url.Values) *http.Request {
	r = r.Clone(r.Context())
	r.URL.RawQuery = q.Encode()
	return r
}

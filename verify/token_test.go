package verify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/quotas"
)

// header is one that Cognito makes, with more members behind.
func header(more string) string {
	return fmt.Sprintf(`{"kid":%q,"alg":"RS256"%s}`, idKeyID, more)
}

// checkHeader verifies an ID token that is signed with the pool's key and has this
// header, and expects the sentinel, or success where it is nil.
func checkHeader(t *testing.T, header string, want error) {
	t.Helper()
	raw := signRaw(t, testKeys()[0], header, string(marshal(t, idClaims())))
	c, err := testVerifier(t, nil).IDToken(t.Context(), raw, IDExpectations{})
	if !errors.Is(err, want) || (c == nil) != (want != nil) {
		t.Errorf("IDToken(header %s) = %v, %v, want %v", header, c, err, want)
	}
}

func TestS001_Algorithm(t *testing.T) {
	tests := []struct {
		name, alg string
		want      error
	}{
		{"RS256", `"alg":"RS256"`, nil},
		{"none", `"alg":"none"`, ErrAlgorithm},
		{"none in mixed case", `"alg":"noNE"`, ErrAlgorithm},
		{"empty", `"alg":""`, ErrAlgorithm},
		{"missing", `"x":1`, ErrAlgorithm},
		{"symmetric", `"alg":"HS256"`, ErrAlgorithm},
		{"PSS", `"alg":"PS256"`, ErrAlgorithm},
		{"another hash", `"alg":"RS512"`, ErrAlgorithm},
		{"elliptic", `"alg":"ES256"`, ErrAlgorithm},
		{"lower case", `"alg":"rs256"`, ErrAlgorithm},
		{"with a NUL", `"alg":"RS256\u0000"`, ErrAlgorithm},
		{"with a space", `"alg":"RS256 "`, ErrAlgorithm},
		{"not a string", `"alg":256`, ErrHeader},
		{"a list", `"alg":["RS256"]`, ErrHeader},
		{"null", `"alg":null`, ErrHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkHeader(t, fmt.Sprintf(`{"kid":%q,%s}`, idKeyID, tt.alg), tt.want)
		})
	}
}

// TestS001_PublicKeyAsSecret: a token signed by HMAC with the public key's bytes,
// which everybody has.
func TestS001_PublicKeyAsSecret(t *testing.T) {
	for _, alg := range []string{"HS256", "RS256"} {
		signed := b64([]byte(fmt.Sprintf(`{"kid":%q,"alg":%q}`, idKeyID, alg))) + "." + b64(marshal(t, idClaims()))
		sum := hash(testKeys()[0].N.String() + signed)
		if _, err := testVerifier(t, nil).IDToken(t.Context(), signed+"."+b64(sum[:]), IDExpectations{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("alg %s: IDToken() = %v", alg, err)
		}
	}
}

func TestS002_KeyID(t *testing.T) {
	tests := []struct {
		name, kid string
		want      error
	}{
		{"the pool's", idKeyID, nil},
		{"of the pool's other key", accessKeyID, ErrSignature},
		{"of nobody", "nobody", ErrUnknownKey},
		{"in another case", strings.ToUpper(idKeyID), ErrUnknownKey},
		{"with a NUL behind", idKeyID + "\x00", ErrUnknownKey},
		{"without its padding", strings.TrimRight(idKeyID, "="), ErrUnknownKey},
		{"a path", "../../../../dev/null", ErrUnknownKey},
		{"SQL", "x' UNION SELECT 'secret", ErrUnknownKey},
		{"a URL", "https://evil.example/key", ErrUnknownKey},
		{"empty", "", ErrHeader},
		{"endless", strings.Repeat("k", 257), ErrHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkHeader(t, string(marshal(t, object{"kid": tt.kid, "alg": "RS256"})), tt.want)
		})
	}
	for name, kid := range map[string]string{"missing": `"x":1`, "a number": `"kid":1`, "null": `"kid":null`, "a list": `"kid":["a"]`} {
		t.Run(name, func(t *testing.T) { checkHeader(t, `{"alg":"RS256",`+kid+`}`, ErrHeader) })
	}
}

// TestS002_KeysInTokens: keys that a token brings along, or points to, are not
// looked at, however well they fit.
func TestS002_KeysInTokens(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the verifier fetched %s because a token said so", r.URL)
	}))
	defer server.Close()
	own := testKeys()[2]
	jwk := fmt.Sprintf(`{"kty":"RSA","kid":%q,"n":%q,"e":"AQAB"}`, idKeyID, b64(own.N.Bytes()))
	for name, more := range map[string]string{
		"jwk": `,"jwk":` + jwk,
		"jku": `,"jku":"` + server.URL + `/jwks.json"`,
		"x5u": `,"x5u":"` + server.URL + `/cert"`,
		"x5c": `,"x5c":["` + base64.StdEncoding.EncodeToString([]byte("certificate")) + `"]`,
	} {
		t.Run(name, func(t *testing.T) {
			raw := signRaw(t, own, header(more), string(marshal(t, idClaims())))
			if _, err := testVerifier(t, nil).IDToken(t.Context(), raw, IDExpectations{}); !errors.Is(err, ErrSignature) {
				t.Errorf("IDToken() = %v, want %v", err, ErrSignature)
			}
			checkHeader(t, header(more), nil)
		})
	}
}

func TestS005_Header(t *testing.T) {
	tests := []struct {
		name, header string
		want         error
	}{
		{"white space", " " + header("") + "\n", nil},
		{"a name of its own", header(`,"custom":{"a":[1]}`), nil},
		{"a list", `[]`, ErrMalformed},
		{"something behind", header("") + `{}`, ErrMalformed},
		{"alg twice", header(`,"alg":"none"`), ErrMalformed},
		{"alg twice, once escaped", header(`,"\u0061lg":"none"`), ErrMalformed},
		{"alg in capitals too", header(`,"ALG":"none"`), ErrMalformed},
		{"kid with a Kelvin sign too", header(",\"\u212aid\":\"x\""), ErrMalformed},
		{"alg in capitals alone", fmt.Sprintf(`{"kid":%q,"ALG":"RS256"}`, idKeyID), ErrHeader},
		{"crit in capitals", header(`,"CRIT":["exp"]`), ErrHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkHeader(t, tt.header, tt.want) })
	}
}

func TestS006_HeadersThatChangeTheRules(t *testing.T) {
	tests := []struct {
		more string
		want error
	}{
		{`,"typ":"JWT"`, nil},
		{`,"typ":"jwt"`, nil},
		{`,"typ":"logout+jwt"`, ErrHeader},
		{`,"typ":"at+jwt"`, ErrHeader}, // of access tokens
		{`,"typ":"JOSE"`, ErrHeader},
		{`,"typ":""`, ErrHeader},
		{`,"typ":null`, ErrHeader},
		{`,"crit":["exp"]`, ErrHeader},
		{`,"crit":["b64"],"b64":false`, ErrHeader},
		{`,"crit":[]`, ErrHeader},
		{`,"crit":null`, ErrHeader},
		{`,"b64":true`, ErrHeader},
		{`,"zip":"DEF"`, ErrHeader},
		{`,"enc":"A256GCM"`, ErrHeader},
		{`,"cty":"JWT"`, ErrHeader},
	}
	for _, tt := range tests {
		t.Run(tt.more, func(t *testing.T) { checkHeader(t, header(tt.more), tt.want) })
	}

	typed := strings.Replace(signingHeader(accessClaims()), `"alg"`, `"typ":"at+jwt","alg"`, 1)
	raw := signRaw(t, testKeys()[1], typed, string(marshal(t, accessClaims())))
	if _, err := testVerifier(t, nil).AccessToken(t.Context(), raw); err != nil {
		t.Errorf("AccessToken(typ at+jwt) = %v", err)
	}
}

func TestS004_Form(t *testing.T) {
	good := sign(t, idClaims())
	parts := strings.Split(good, ".")
	h, p, s := parts[0], parts[1], parts[2]
	document := string(marshal(t, map[string]any{
		"payload": p, "signatures": []map[string]string{{"protected": h, "signature": s}},
	}))
	flat := string(marshal(t, map[string]string{"payload": p, "protected": h, "signature": s}))
	tests := []struct{ name, raw string }{
		{"nothing", ""},
		{"dots alone", ".."},
		{"one part", h},
		{"two parts", h + "." + p},
		{"four parts", good + "." + s},
		{"five parts, as a JWE has", good + "." + s + "." + s},
		{"a dot behind", good + "."},
		{"a dot before", "." + good},
		{"no header", "." + p + "." + s},
		{"no payload", h + ".." + s},
		{"no signature", h + "." + p + "."},
		{"padding", good + "="},
		{"padding as it would be", h + "." + p + "." + s + "=="},
		{"a space before", " " + good},
		{"a space behind", good + " "},
		{"a line break behind", good + "\n"},
		{"a line break in the signature", h + "." + p + "." + s[:8] + "\r\n" + s[8:]},
		{"line breaks in the header", h[:4] + "\n\n\n\n" + h[4:] + "." + p + "." + s},
		{"a tab", h + "." + p + ".\t" + s},
		{"a NUL", h + "." + p + "." + s[:8] + "\x00" + s[9:]},
		{"the standard alphabet", h + "." + p + "." + s[:8] + "+/" + s[10:]},
		{"a percent sign", h + "." + p + "." + s + "%3D"},
		{"a character beyond ASCII", h + "." + p + "." + s[:8] + "é" + s[10:]},
		{"a prefix", "Bearer " + good},
		{"quotes", `"` + good + `"`},
		{"a JSON serialization", document},
		{"a flattened JSON serialization", flat},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := testVerifier(t, nil).IDToken(t.Context(), tt.raw, IDExpectations{}); !errors.Is(err, ErrMalformed) {
				t.Errorf("IDToken() = %v, want %v", err, ErrMalformed)
			}
		})
	}
}

// TestS004_OneForm: no other character in any place of a token gives a token that
// passes. The last one of a part is the interesting one: it has bits that stand
// for nothing.
func TestS004_OneForm(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	v := testVerifier(t, nil)
	replace := func(raw string, i int, characters string) {
		for _, c := range []byte(characters) {
			changed := raw[:i] + string(c) + raw[i+1:]
			if _, err := v.IDToken(t.Context(), changed, IDExpectations{}); raw[i] != c && !errors.Is(err, ErrInvalid) {
				t.Fatalf("with %q at %d of %d: IDToken() = %v", c, i, len(raw), err)
			}
		}
	}
	for _, pad := range []string{"", "x", "xx"} { // all lengths of a payload modulo 3
		raw := sign(t, with(idClaims(), object{"pad": pad}))
		first := strings.IndexByte(raw, '.')
		for _, last := range []int{first - 1, strings.LastIndexByte(raw, '.') - 1, len(raw) - 1} {
			replace(raw, last, alphabet+"+/=. \n")
		}
	}
	raw := sign(t, idClaims())
	for i := range raw {
		replace(raw, i, "A\n")
	}
}

func TestS018_Size(t *testing.T) {
	v := testVerifier(t, nil)
	base := len(sign(t, with(idClaims(), object{"pad": ""})))
	fill := func(n int) string { return strings.Repeat("x", n) }
	if raw := sign(t, with(idClaims(), object{"pad": fill((maxToken - base) * 3 / 4)})); len(raw) > maxToken {
		t.Fatalf("token of %d bytes", len(raw))
	} else if _, err := v.IDToken(t.Context(), raw, IDExpectations{}); err != nil {
		t.Errorf("IDToken(%d bytes) = %v", len(raw), err)
	}
	for name, raw := range map[string]string{
		"a valid token": sign(t, with(idClaims(), object{"pad": fill(maxToken)})),
		"dots":          strings.Repeat(".", maxToken+1),
		"megabytes":     strings.Repeat("a.", maxToken),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := v.IDToken(t.Context(), raw, IDExpectations{}); !errors.Is(err, ErrTooLarge) {
				t.Errorf("IDToken() = %v, want %v", err, ErrTooLarge)
			}
			// The errors, and what would help.
			if allocs := testing.AllocsPerRun(10, func() { _, _ = v.IDToken(t.Context(), raw, IDExpectations{}) }); allocs > 50 {
				t.Errorf("IDToken() allocates %v times", allocs)
			}
		})
	}
}

// TestS261_TheLargestPersonIsRead: what a pool can put into a token is read, and of what
// is beyond that the error names the claim to leave out.
func TestS261_TheLargestPersonIsRead(t *testing.T) {
	v := testVerifier(t, nil)
	groups, roles := []string{}, []string{}
	for i := range quotas.GroupsPerUser {
		groups = append(groups, fmt.Sprintf("%03d", i)+strings.Repeat("組", quotas.GroupNameCharacters-3))
		roles = append(roles, fmt.Sprintf("arn:aws:iam::111122223333:role/%03d", i)+strings.Repeat("r", quotas.RoleBytes-34))
	}
	person := with(idClaims(), object{"cognito:groups": groups, "cognito:roles": roles, "cognito:preferred_role": roles[0]})
	for i := range quotas.CustomAttributes - 1 { // beside the one of every person here
		person[fmt.Sprintf("custom:%020d", i)] = strings.Repeat("<", quotas.AttributeBytes)
	}
	for _, name := range strings.Fields("name given_name family_name middle_name nickname preferred_username profile picture website gender locale zoneinfo") {
		person[name] = strings.Repeat("&", quotas.AttributeBytes)
	}
	raw := sign(t, person)
	c, err := v.IDToken(t.Context(), raw, IDExpectations{})
	if err != nil {
		t.Fatalf("a token of %d bytes: %v", len(raw), err)
	}
	if !slices.Equal(c.Groups, groups) || !slices.Equal(c.Roles, roles) || len(c.Custom) != quotas.CustomAttributes || len(c.Name) != quotas.AttributeBytes {
		t.Errorf("%d groups, %d roles, %d custom attributes, a name of %d bytes", len(c.Groups), len(c.Roles), len(c.Custom), len(c.Name))
	}
	_, err = v.IDToken(t.Context(), sign(t, with(person, object{"custom:by a trigger": strings.Repeat("x", maxToken)})), IDExpectations{})
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "custom:by a trigger (") || !strings.Contains(err.Error(), "leave") {
		t.Errorf("beyond the quotas: %v", err)
	}
}

// TestS169_ErrorsDoNotQuoteTokens: an error ends up in a log.
func TestS169_ErrorsDoNotQuoteTokens(t *testing.T) {
	const canary = "canary"
	claims := with(idClaims(), object{"sub": canary, "nonce": canary, "x": canary})
	good := sign(t, claims)
	tests := map[string]string{
		"bad signature": good[:len(good)-8] + "AAAAAAAA",
		"bad claim":     sign(t, with(claims, object{"email": []string{canary}})),
		"a name twice":  signRaw(t, testKeys()[0], header(""), `{"`+canary+`":1,"`+canary+`":2}`),
		"own header":    signRaw(t, testKeys()[0], header(`,"crit":["`+canary+`"]`), string(marshal(t, claims))),
		"own kid":       signRaw(t, testKeys()[0], `{"alg":"RS256","kid":"`+canary+`"}`, string(marshal(t, claims))),
		"own algorithm": signRaw(t, testKeys()[0], `{"alg":"`+canary+`","kid":"x"}`, string(marshal(t, claims))),
		"other issuer":  sign(t, with(claims, object{"iss": canary})),
		"other client":  sign(t, with(claims, object{"aud": canary})),
		"other use":     sign(t, with(claims, object{"token_use": canary})),
		"other nonce":   good,
		"no token":      canary,
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := testVerifier(t, nil).IDToken(t.Context(), raw, IDExpectations{Nonce: "n-1"})
			if err == nil || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), b64([]byte(canary))) {
				t.Errorf("IDToken() = %v", err)
			}
		})
	}
}

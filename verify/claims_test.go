package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIDTokenClaims(t *testing.T) {
	v := testVerifier(t, nil)
	raw := sign(t, idClaims())
	for _, from := range []string{"new", "cached"} {
		got, err := v.IDToken(t.Context(), raw, IDExpectations{Nonce: "n-1"})
		if err != nil {
			t.Fatal(err)
		}
		want := &Claims{
			Issuer: testIssuer, Subject: "a1b2c3d4-0001", ClientID: testClient, TokenUse: "id", Username: "google_1",
			Groups: []string{"admins", "analysts"}, Roles: []string{"arn:aws:iam::1:role/a"}, PreferredRole: "arn:aws:iam::1:role/a",
			Profile: Profile{
				Email: "alice@example.com", EmailVerified: true, PhoneNumber: "+3212345678",
				Name: "Alice Doe", GivenName: "Alice", FamilyName: "Doe", PreferredUsername: "ally", Locale: "nl", Picture: "https://example.com/a.png",
				Identities: []Identity{{UserID: "1", ProviderName: "Google", ProviderType: "Google", Primary: true, Created: time.UnixMilli(1642699117273)}},
				Custom:     map[string]json.RawMessage{"custom:team": json.RawMessage(`"blue"`)},
			},
			AuthTime: testNow.Add(-time.Minute), IssuedAt: testNow, ExpiresAt: testNow.Add(time.Hour),
			ACR: "urn:cognito:loa:2", AMR: []string{"pwd", "mfa"},
			ID: "j-1", OriginID: "o-1", EventID: "e-1", Nonce: "n-1",
			document: got.document,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: IDToken() =\n%#v, want\n%#v", from, got, want)
		}
		if got.Machine() || !got.HasGroup("analysts") || got.HasGroup("Analysts") || got.HasScope("openid") {
			t.Errorf("%s: Machine %t, HasGroup %t %t, HasScope %t", from, got.Machine(), got.HasGroup("analysts"), got.HasGroup("Analysts"), got.HasScope("openid"))
		}
	}
}

func TestAccessTokenClaims(t *testing.T) {
	v := testVerifier(t, nil)
	raw := sign(t, accessClaims())
	for _, from := range []string{"new", "cached"} {
		got, err := v.AccessToken(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		want := &Claims{
			Issuer: testIssuer, Subject: "a1b2c3d4-0001", ClientID: testClient, TokenUse: "access", Username: "google_1",
			Groups: []string{"admins", "analysts"}, Scopes: []string{"openid", "orders/read"},
			AuthTime: testNow.Add(-time.Minute), IssuedAt: testNow, ExpiresAt: testNow.Add(time.Hour),
			ID: "j-2", OriginID: "o-1", EventID: "e-1",
			document: got.document,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: AccessToken() =\n%#v, want\n%#v", from, got, want)
		}
		if got.Machine() || !got.HasScope("orders/read") || got.HasScope("orders") {
			t.Errorf("%s: Machine %t, HasScope %t %t", from, got.Machine(), got.HasScope("orders/read"), got.HasScope("orders"))
		}
	}
}

// TestClaimsOfTheOtherKind: what belongs to one kind of token means nothing in the
// other, where a trigger may have put it.
func TestClaimsOfTheOtherKind(t *testing.T) {
	v := testVerifier(t, nil)
	id, err := verifyAs(t, v, with(idClaims(), object{"username": "mallory", "client_id": "other", "scope": "admin"}))
	if err != nil || id.Username != "google_1" || id.ClientID != testClient || id.Scopes != nil {
		t.Errorf("IDToken() = %#v, %v", id, err)
	}
	access, err := verifyAs(t, v, with(accessClaims(), object{"cognito:username": "mallory", "nonce": "n"}))
	if err != nil || access.Username != "google_1" || access.Nonce != "" {
		t.Errorf("AccessToken() = %#v, %v", access, err)
	}
}

func TestAllClaims(t *testing.T) {
	claims := with(idClaims(), object{"feature:x": map[string]int{"a": 1}, "escaped": "a\"\u2028b"})
	c, err := verifyAs(t, testVerifier(t, nil), claims)
	if err != nil {
		t.Fatal(err)
	}
	got := maps.Collect(c.All())
	if len(got) != len(claims) {
		t.Errorf("All() yields %d claims, want %d", len(got), len(claims))
	}
	for name, value := range claims {
		want := marshal(t, value)
		if raw, ok := c.Raw(name); !ok || !bytes.Equal(raw, want) || !bytes.Equal(got[name], want) {
			t.Errorf("Raw(%s) = %s, %t; All() has %s, want %s", name, raw, ok, got[name], want)
		}
	}
	if raw, ok := c.Raw("none"); ok || raw != nil {
		t.Errorf("Raw(none) = %s, %t", raw, ok)
	}
	for name, want := range map[string]string{"custom:team": "blue", "escaped": "a\"\u2028b", "feature:x": "", "none": ""} {
		if got := c.Text(name); got != want {
			t.Errorf("Text(%s) = %q, want %q", name, got, want)
		}
	}
	for range c.All() {
		break // stopping is fine
	}
}

// TestS005_ClaimNames: a name that only folds to one that means something is
// refused, whether the right one is there as well or not.
func TestS005_ClaimNames(t *testing.T) {
	base := idClaims()
	var rules []rule
	for name := range registered {
		if upper := strings.ToUpper(name); upper != name {
			rules = append(rules, rule{upper, with(base, object{upper: "x"}), ErrMalformed})
		}
	}
	checkRules(t, testVerifier(t, nil), append(rules,
		rule{"a long s", with(base, object{"ſub": "x"}), ErrMalformed},
		rule{"a Kelvin sign", with(base, object{"to\u212aen_use": "access"}), ErrMalformed},
		rule{"a long s alone", with(base, object{"sub": gone{}, "ſub": "x"}), ErrMalformed},
		rule{"one's own name in capitals", with(base, object{"tenantId": "x"}), nil},
		rule{"one's own name twice", with(base, object{"tenantId": "x", "tenantid": "y"}), ErrMalformed},
		rule{"nested twice", with(base, object{"x": json.RawMessage(`{"a":1,"a":2}`)}), ErrMalformed},
		rule{"nested too deeply", with(base, object{"x": json.RawMessage(strings.Repeat("[", 20) + strings.Repeat("]", 20))}), ErrMalformed},
	))
	for name, payload := range map[string]string{
		"a list": `[]`, "nothing": ` `, "two objects": string(marshal(t, base)) + `{}`, "text": `"x"`,
		"a name twice":  strings.TrimSuffix(string(marshal(t, base)), "}") + `,"sub":"x"}`,
		"once escaped":  strings.TrimSuffix(string(marshal(t, base)), "}") + `,"s\u0075b":"x"}`,
		"bad UTF-8":     strings.TrimSuffix(string(marshal(t, base)), "}") + ",\"x\":\"\xff\"}",
		"not yet ended": strings.TrimSuffix(string(marshal(t, base)), "}"),
	} {
		t.Run(name, func(t *testing.T) {
			raw := signRaw(t, testKeys()[0], header(""), payload)
			if _, err := testVerifier(t, nil).IDToken(t.Context(), raw, IDExpectations{}); !errors.Is(err, ErrMalformed) {
				t.Errorf("IDToken() = %v, want %v", err, ErrMalformed)
			}
		})
	}
}

// TestClaimTypes gives every name that means something a value of no use.
func TestClaimTypes(t *testing.T) {
	v := testVerifier(t, nil)
	for name := range registered {
		for _, bad := range []string{`{}`, `null`, `[1]`, `[[]]`, `[null]`} {
			if name == "address" && bad == `{}` {
				continue // an address of which nothing is said
			}
			// The check of one claim must not hide behind that of another.
			if _, err := decode(string(marshal(t, object{name: json.RawMessage(bad)}))); !errors.Is(err, ErrClaim) {
				t.Errorf("%s %s: decode() = %v, want %v", name, bad, err, ErrClaim)
			}
		}
	}
	checkRules(t, v, []rule{
		{"groups a string", with(idClaims(), object{"cognito:groups": "admins"}), ErrClaim},
		{"groups with a number", with(idClaims(), object{"cognito:groups": []any{"a", 1}}), ErrClaim},
		{"groups with a list", with(idClaims(), object{"cognito:groups": []any{"a", []string{"b"}}}), ErrClaim},
		{"no groups", with(idClaims(), object{"cognito:groups": gone{}}), nil},
		{"an empty list of groups", with(idClaims(), object{"cognito:groups": []string{}}), nil},
		{"scope a list", with(accessClaims(), object{"scope": []string{"a"}}), ErrClaim},
		{"e-mail a list", with(idClaims(), object{"email": []string{"a@b.c"}}), ErrClaim},
		{"identities a number", with(idClaims(), object{"identities": 1}), ErrClaim},
	})
}

func TestS114_EmailVerified(t *testing.T) {
	for raw, want := range map[string]bool{
		`true`: true, `"true"`: true, `"True"`: false, `"TRUE"`: false, `"tRue"`: false, `"\u0074rue"`: true, `" true"`: false,
		`false`: false, `"false"`: false, `""`: false, `"1"`: false, `"yes"`: false, `"true "`: false,
	} {
		claims := with(idClaims(), object{"email_verified": json.RawMessage(raw), "phone_number_verified": json.RawMessage(raw)})
		c, err := verifyAs(t, testVerifier(t, nil), claims)
		if err != nil || c.EmailVerified != want || c.PhoneNumberVerified != want {
			t.Errorf("email_verified %s: %v, %v, want %t", raw, c, err, want)
		}
	}
	checkRules(t, testVerifier(t, nil), []rule{
		{"a number", with(idClaims(), object{"email_verified": 1}), ErrClaim},
		{"null", with(idClaims(), object{"email_verified": json.RawMessage("null")}), ErrClaim},
	})
}

// TestAddress reads the object of a token, and the text that an attribute is.
func TestAddress(t *testing.T) {
	for raw, want := range map[string]string{
		`{"formatted":"1 Main Street\nTown"}`: "1 Main Street\nTown", `"1 Main Street"`: "1 Main Street", `{}`: "", `{"locality":"Town"}`: "",
		`1`: "refused", `["a"]`: "refused", `{"formatted":1}`: "refused", `{"formatted":"a","formatted":"b"}`: "refused",
	} {
		c, err := verifyAs(t, testVerifier(t, nil), with(idClaims(), object{"address": json.RawMessage(raw)}))
		if want == "refused" {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("address %s: %v", raw, err)
			}
			continue
		}
		if err != nil || c.Address != want {
			t.Errorf("address %s: %v, %q, want %q", raw, err, c.Address, want)
		}
		if got, ok := c.Raw("address"); !ok || string(got) != raw {
			t.Errorf("address %s: Raw() = %s", raw, got)
		}
	}
}

// TestIdentities reads both forms that AWS documents, and no others.
func TestIdentities(t *testing.T) {
	created := time.UnixMilli(1642699117273)
	tests := []struct {
		name, raw string
		want      []Identity
		ok        bool
	}{
		{"ID token", `[{"userId":"1","providerName":"G","providerType":"Google","issuer":null,"primary":"true","dateCreated":"1642699117273"}]`,
			[]Identity{{"1", "G", "Google", "", true, created}}, true},
		{"userInfo", `"[{\"userId\":\"1\",\"providerName\":\"S\",\"providerType\":\"SAML\",\"issuer\":\"urn:x\",\"primary\":false,\"dateCreated\":1642699117273}]"`,
			[]Identity{{"1", "S", "SAML", "urn:x", false, created}}, true},
		{"two, and names unheard of", `[{"userId":"1","x":[1]},{"userId":"2"}]`, []Identity{{UserID: "1"}, {UserID: "2"}}, true},
		{"none", `[]`, nil, true},
		{"none in a string", `" [] "`, nil, true},
		{"an object", `{}`, nil, false},
		{"an empty string", `""`, nil, false},
		{"text", `"x"`, nil, false},
		{"two values in a string", `"[] []"`, nil, false},
		{"a string in a string", `"\"[]\""`, nil, false},
		{"not of objects", `["x"]`, nil, false},
		{"a name twice", `[{"userId":"1","userid":"2"}]`, nil, false},
		{"a name twice in a string", `"[{\"userId\":\"1\",\"userId\":\"2\"}]"`, nil, false},
		{"id a number", `[{"userId":1}]`, nil, false},
		{"time a word", `[{"dateCreated":"now"}]`, nil, false},
		{"time too far", `[{"dateCreated":9223372036854775807}]`, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := identities(tt.raw); ok != tt.ok || !slices.Equal(got, tt.want) {
				t.Errorf("identities(%s) = %v, %t, want %v, %t", tt.raw, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestS022_MachineTokens(t *testing.T) {
	v := testVerifier(t, nil)
	machine := with(accessClaims(), object{"sub": testClient, "username": gone{}, "cognito:groups": gone{}, "origin_jti": gone{}})
	for name, claims := range map[string]object{
		"as Cognito makes them":  machine,
		"with a username added":  with(machine, object{"username": "alice"}),
		"with another subject":   with(machine, object{"sub": "a1b2c3d4-0001"}),
		"with an empty username": with(machine, object{"sub": "a1b2c3d4-0001", "username": ""}),
	} {
		if c, err := verifyAs(t, v, claims); err != nil || !c.Machine() {
			t.Errorf("%s: %v, %v, want a machine's", name, c, err)
		}
	}
}

// TestS023_CustomAttributesAreNoGroups: what a person can write about themselves
// does not look like what they may do.
func TestS023_CustomAttributesAreNoGroups(t *testing.T) {
	c, err := verifyAs(t, testVerifier(t, nil), with(idClaims(), object{
		"cognito:groups": gone{}, "custom:role": "admins", "custom:cognito:groups": []string{"admins"}, "groups": []string{"admins"},
	}))
	if err != nil || c.HasGroup("admins") || c.Groups != nil || c.HasScope("admins") {
		t.Errorf("IDToken() = %v with groups %v, %v", c, c.Groups, err)
	}
	if len(c.Custom) != 3 || c.Text("custom:role") != "admins" {
		t.Errorf("Custom = %s", c.Custom)
	}
}

// TestClaimsInLogs: neither form of a log shows a nonce, or what a person did not
// agree to.
func TestClaimsInLogs(t *testing.T) {
	c, err := verifyAs(t, testVerifier(t, nil), with(idClaims(), object{"nonce": "canary", "email": "canary@example.com", "custom:x": "canary"}))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("signed in", "claims", c)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("signed in", "claims", c)
	fmt.Fprintf(&out, "%v %+v %s", c, c, c)
	if got := out.String(); strings.Contains(got, "canary") || strings.Count(got, c.Subject) != 5 {
		t.Errorf("logged %s", got)
	}
}

package api

import (
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{"", `email = "a"`, `"email"^="te\"st\\"`, `status="Enabled"`, `cognito:user_status ^= "C"`, `email`, `= "a"`, `"`, `\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := parseFilter(text)
		if err != nil {
			if filter != (state.Filter{}) {
				t.Errorf("parseFilter(%q) = %+v beside an error", text, filter)
			}
			return
		}
		if filter == (state.Filter{}) {
			return
		}
		if !slices.Contains(state.Searchable, filter.Attribute) {
			t.Errorf("parseFilter(%q) asks for %q", text, filter.Attribute)
		}
		operator := "="
		if filter.Prefix {
			operator = "^="
		}
		again, err := parseFilter(filter.Attribute + operator + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(filter.Value) + `"`)
		if err != nil || again != filter {
			t.Errorf("parseFilter(%q) = %+v, and of that again %+v, %v", text, filter, again, err)
		}
	})
}

func FuzzResume(f *testing.F) {
	request := &listUsers{UserPoolId: "local_Test1"}
	now := time.Unix(1_800_000_000, 0)
	f.Add("")
	f.Add("x")
	f.Add("bnVsbA")
	f.Add(pageToken("7", request, now))
	f.Add(pageToken("7", request, now.Add(time.Hour)))
	f.Fuzz(func(t *testing.T, token string) {
		after, err := resume(token, request, now)
		if (after == "") != (token == "" || err != nil) {
			t.Errorf("resume(%q) = %q, %v", token, after, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"UserPoolId":"local_Test1","Limit":7,"AttributesToGet":["sub"],"Filter":"x"}`))
	f.Add([]byte(`{"UserPoolId":null,"Limit":1e9}`))
	f.Add([]byte(`{"userpoolid":"x"`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if fits("ListUsers", body) != nil {
			return
		}
		in, err := decode[listUsers](body)
		if err != nil || in.UserPoolId == "" || limitOf(in.Limit) < 1 || limitOf(in.Limit) > pageLimit {
			t.Errorf("decode(%q) = %+v, %v", body, in, err)
		}
	})
}

func FuzzParseA(f *testing.F) {
	f.Add("2")
	f.Add("-2")
	f.Add("0x2")
	f.Add(srpN.Text(16))
	f.Add("00" + srpN.Text(16))
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseA(text)
		if err == nil && (a.Sign() <= 0 || new(big.Int).Mod(a, srpN).Sign() == 0 || a.BitLen() > srpN.BitLen()+8) {
			t.Errorf("parseA(%q) = %v", text, a)
		}
	})
}

// FuzzProves: nobody proves a password by chance, and nothing that is sent in place
// of a signature breaks.
func FuzzProves(f *testing.F) {
	x, err := newExchange(state.SRP{PoolName: "Test1", UserID: "carol", Salt: big.NewInt(7), Hash: big.NewInt(9)}, big.NewInt(2))
	if err != nil {
		f.Fatal(err)
	}
	x.block = "AAAA"
	f.Add("Mon Jan 5 10:00:00 UTC 2026", "AAAA")
	f.Add("", "")
	f.Add("x", "=")
	f.Fuzz(func(t *testing.T, timestamp, signature string) {
		if x.proves(timestamp, signature) {
			t.Errorf("proves(%q, %q)", timestamp, signature)
		}
	})
}

// FuzzMetadataOf: whatever is sent for metadata, what is read of it is there.
func FuzzMetadataOf(f *testing.F) {
	f.Add(`<m:E xmlns:m="urn:oasis:names:tc:SAML:2.0:metadata"><m:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/in"/></m:E>`)
	f.Add(`<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location=`)
	f.Fuzz(func(t *testing.T, file string) {
		for member, value := range metadataOf(file) {
			if value == "" || !strings.HasSuffix(member, "BindingURI") {
				t.Errorf("%q: %s is %q", file, member, value)
			}
		}
	})
}

package gateway

import (
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
)

// TestHeadersAreAsDocumented compares each row of docs/headers.md with what an upstream is
// told of one person.
func TestHeadersAreAsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/headers.md")
	if err != nil {
		t.Fatal(err)
	}
	names, err := Headers{}.resolve()
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{headers: names, log: slog.New(slog.DiscardHandler)}
	told := make(http.Header)
	g.tell(told, &codegrant.Identity{
		Subject: "3f6a1c2e-0d51-7034-9a2b-5c1f8e7d6a90", Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E",
		Username: "alice", Email: "alice@example.com", EmailVerified: true, Name: "Zoë Archer", Groups: []string{"admins", "50%", "a,b"},
		Scopes: []string{"openid", "orders/read"}, UserID: 17, Actor: &codegrant.Actor{ClientID: "4h2agentEXAMPLE"},
		ACR: "urn:cognito:loa:3", AMR: []string{"pwd", "otp"}, AuthTime: time.Unix(1790000000, 0),
		Organization: &codegrant.Organization{ID: "org_f2k7q3mx5tzyw4hbdn6sajrepc", Name: "Acme", Role: "admin"},
	})
	rows := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `(X-Auth-[A-Za-z-]+)` \\|.*\\| (?:`(.*)` )?\\|$").FindAllStringSubmatch(string(text), -1) {
		rows[row[1]] = row[2]
	}
	for _, name := range names.all {
		example, ok := rows[name]
		if !ok {
			t.Errorf("docs/headers.md has no row of %s", name)
		} else if got := told.Get(name); got != example {
			t.Errorf("%s is %q, and the page has %q", name, got, example)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("docs/headers.md has a row of %s, which nobody sends", name)
	}
}

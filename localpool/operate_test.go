package localpool_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

// TestOperate: tests in any language move the clock, keep what the pool has, and have it
// begin anew.
func TestOperate(t *testing.T) {
	c := newContract(t)
	first := c.redeem("spa", c.code("spa", nil), nil)
	refresh := func() any {
		return c.do("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {first.json["refresh_token"].(string)}}).json["error"]
	}
	userInfo := func() int {
		return c.do("GET", "/oauth2/userInfo", nil, "Authorization", "Bearer "+first.json["access_token"].(string)).status
	}
	_, before := c.claims(first.json["access_token"])
	keys := c.do("GET", "/local_Shop1/.well-known/jwks.json", nil).body
	snapshot := c.do("GET", "/_pool/snapshot", nil)
	if snapshot.status != 200 || userInfo() != 200 {
		t.Fatalf("snapshot: status %d, userInfo: status %d", snapshot.status, userInfo())
	}
	if a := c.do("POST", "/_pool/clock", url.Values{"by": {"61m"}}); a.status != 200 || a.json["ahead"] != "1h1m0s" || userInfo() != 401 {
		t.Errorf("an hour later: %s, userInfo: status %d", a.body, userInfo())
	}
	issued, err := before["iat"].(json.Number).Int64()
	c.ok(err)
	at := time.Unix(issued, 0).AddDate(0, 2, 0).UTC().Format(time.RFC3339)
	if a := c.do("POST", "/_pool/clock", url.Values{"to": {at}}); a.status != 200 || refresh() != "invalid_grant" {
		t.Errorf("two months later: %s", a.body)
	}
	c.ok(c.pool.DeleteUser("local_Shop1", "carol"))
	put := func(path, body string) answer {
		r, err := http.NewRequestWithContext(t.Context(), "PUT", c.url+path, strings.NewReader(body))
		c.ok(err)
		return c.send(r)
	}
	if a := put("/_pool/snapshot", snapshot.body); a.status != 200 {
		t.Errorf("restore: status %d, %s", a.status, a.body)
	}
	if a := c.do("POST", "/_pool/clock", url.Values{"by": {"-2000h"}}); a.status != 200 || refresh() != nil {
		t.Errorf("as before: %s, %v", a.body, refresh())
	}
	c.ok(c.pool.CreateUser("local_Shop1", localpool.UserSeed{Username: "erin", Email: "erin@example.com"}))
	if a := c.do("POST", "/_pool/reset", nil); a.status != 200 || a.json["ahead"] != "0s" {
		t.Errorf("reset: status %d, %s", a.status, a.body)
	}
	if a := c.call("ListUsers", `{"UserPoolId":"local_Shop1"}`); strings.Contains(a.body, "erin") || !strings.Contains(a.body, "carol") {
		t.Errorf("after the reset: %s", a.body)
	}
	if c.do("GET", "/local_Shop1/.well-known/jwks.json", nil).body != keys {
		t.Error("a reset has other keys")
	}
	if a := c.signIn("spa", "carol", "Passw0rd!", nil); a.status != 302 {
		t.Errorf("sign-in after the reset: status %d", a.status)
	}
	if refresh() != "invalid_grant" {
		t.Error("a token of before the reset still works")
	}
	c.do("POST", "/", nil)
	c.call("ForgotPassword", `{"ClientId":"spa","Username":"carol"}`)
	if a := c.do("GET", "/_pool/messages?to=carol@example.com", nil); !strings.Contains(a.body, `"For":"password"`) {
		t.Errorf("messages: %s", a.body)
	}
	mail := c.do("GET", "/_aws/ses?email=carol@example.com", nil).json
	code, _ := c.pool.LastCode("carol@example.com")
	if list, _ := mail["messages"].([]any); len(list) != 1 || !has(list[0], parsed(t, `{"Destination":{"ToAddresses":["carol@example.com"]}}`)) || code == "" ||
		!strings.Contains(text(inner(list[0].(map[string]any), "Body", "text_part")), code) {
		t.Errorf("mail: %v, want one with %s", mail, code)
	}
	if list, _ := c.do("GET", "/_aws/ses?email=nobody@example.com", nil).json["messages"].([]any); len(list) != 0 {
		t.Errorf("mail of nobody: %v", list)
	}
	for what, a := range map[string]answer{
		"no time": c.do("POST", "/_pool/clock", nil), "a bad time": c.do("POST", "/_pool/clock", url.Values{"by": {"soon"}}), "two": c.do("POST", "/_pool/clock", url.Values{"by": {"1h"}, "to": {at}}),
		"no snapshot": put("/_pool/snapshot", "x"), "a newer one": put("/_pool/snapshot", `{"version":99}`), "an empty one": put("/_pool/snapshot", `{"version":1}`),
		"a hollow one": put("/_pool/snapshot", `{"version":1,"pools":[null]}`),
	} {
		if a.status != 400 || c.signIn("spa", "carol", "Passw0rd!", nil).status != 302 {
			t.Errorf("%s: status %d, %s", what, a.status, a.body)
		}
	}
}

// TestS142_OperatorsAreNoPages: scripts and forms of web pages operate no pool.
func TestS142_OperatorsAreNoPages(t *testing.T) {
	c := newContract(t)
	for _, path := range []string{"POST /_pool/clock", "POST /_pool/reset", "GET /_pool/snapshot", "GET /_pool/messages", "GET /_pool/clock", "GET /_aws/ses"} {
		method, path, _ := strings.Cut(path, " ")
		for _, header := range [][]string{{"Origin", "http://localhost:3000"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}} {
			if a := c.do(method, path, url.Values{"by": {"1h"}}, header...); a.status != 403 {
				t.Errorf("%s %s with %v: status %d", method, path, header, a.status)
			}
		}
	}
}

// TestMail: what Cognito would e-mail is e-mailed, to a server that takes it.
func TestMail(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mails := make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { mails <- takeMail(conn) }()
		}
	}()
	seed, err := localpool.ParseSeed([]byte(behaviorSeed))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := localpool.New(localpool.Config{Seed: seed, SMTP: l.Addr().String(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	call := func(operation, body string) {
		r := httptest.NewRequest("POST", "http://127.0.0.1:9229/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
		w := httptest.NewRecorder()
		if pool.ServeHTTP(w, r); w.Code != 200 {
			t.Fatalf("%s: %s", operation, w.Body)
		}
	}
	call("ForgotPassword", `{"ClientId":"spa","Username":"carol"}`)
	code, _ := pool.LastCode("carol@example.com")
	if got := <-mails; !strings.Contains(got, "RCPT TO:<carol@example.com>") || !strings.Contains(got, "Your password reset code is "+code) {
		t.Errorf("mail = %s", got)
	}
	call("AdminCreateUser", `{"UserPoolId":"local_Shop1","Username":"erin","UserAttributes":[{"Name":"email","Value":"erin@example.com"}],"DesiredDeliveryMediums":["EMAIL"]}`)
	if got := <-mails; !strings.Contains(got, "Subject: Your temporary password") || !strings.Contains(got, "Your username is erin") {
		t.Errorf("mail = %s", got)
	}
	if _, err := localpool.New(localpool.Config{SMTP: "mailpit"}); err == nil {
		t.Error("a mail server without a port is taken")
	}
}

// takeMail is as much of a mail server as takes one mail.
func takeMail(conn net.Conn) string {
	defer conn.Close()
	var all strings.Builder
	fmt.Fprint(conn, "220 test\r\n")
	data := false
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := lines.Text()
		fmt.Fprintln(&all, line)
		switch {
		case data && line == ".":
			data = false
			fmt.Fprint(conn, "250 taken\r\n")
		case data:
		case line == "DATA":
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case line == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return all.String()
		default:
			fmt.Fprint(conn, "250 fine\r\n")
		}
	}
	return all.String()
}

// TestRegions: a pool is of the region that the call is signed for.
func TestRegions(t *testing.T) {
	c := newContract(t)
	for header, want := range map[string]string{
		"AWS4-HMAC-SHA256 Credential=local/20261129/eu-west-1/cognito-idp/aws4_request, SignedHeaders=host, Signature=0": `"Id":"eu-west-1_`,
		"AWS4-HMAC-SHA256 Credential=local/20261129/us-gov-west-1/cognito-idp/aws4_request, Signature=0":                 `"Id":"us-gov-west-1_`,
		"AWS4-HMAC-SHA256 Credential=local/20261129/local/cognito-idp/aws4_request, Signature=0":                         `"Id":"local_`,
		"": `"Id":"local_`,
	} {
		if a := c.call("CreateUserPool", `{"PoolName":"new"}`, "Authorization", header); !strings.Contains(a.body, want) {
			t.Errorf("signed for %q: %s", header, a.body)
		}
	}
}

func TestSetupPage(t *testing.T) {
	c := newContract(t)
	page := c.do("GET", "/setup", nil).body
	for _, want := range []string{"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER=" + c.url, "cognitoidp = &#34;" + c.url, "Amplify.configure", c.url + "/local_Shop1", "/_pool/clock", secretOne} {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "&#34;", `"`)) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

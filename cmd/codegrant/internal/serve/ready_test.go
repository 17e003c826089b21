package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// ready asks /readyz, and returns the status beside the report.
func ready(t *testing.T, address string) (int, report) {
	t.Helper()
	status, body := operations(t, address, "/readyz")
	var r report
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatalf("/readyz: %s: %v", body, err)
	}
	return status, r
}

// TestS291_StoresThatDoNotAnswerAreNotTaken: the old configuration goes on with the
// stores that it has, the log says why, and the new one is tried again.
func TestS291_StoresThatDoNotAnswerAreNotTaken(t *testing.T) {
	g := newGate(t, oneUpstream+"keys_file: keys\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	for name, stores := range map[string]string{
		"redis":                "sessions: redis\nredis: redis://" + testenv.FreeAddress(t) + "\n",
		"tables as they are":   "sessions: database\ndatabase: {url: \"postgres://nobody@" + testenv.FreeAddress(t) + "/app\", migrate: false}\n",
		"a replica as it is":   "replica: true\ndatabase: {url: \"postgres://nobody@" + testenv.FreeAddress(t) + "/app\", migrate: false}\n",
		"ends of those beside": "sessions: redis\nredis: redis://" + testenv.FreeAddress(t) + "\ndatabase: {url: \"postgres://nobody@" + testenv.FreeAddress(t) + "/app\", migrate: false}\n",
	} {
		before := strings.Count(g.log.String(), "new configuration cannot be used")
		g.write(oneUpstream + "keys_file: keys\n" + stores)
		g.until(name+" is refused", func() bool { return strings.Count(g.log.String(), "new configuration cannot be used") > before })
		if status, body := g.get(alice.Client, "/orders"); status != 200 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	g.logged("new configuration cannot be used; the old one stays", "sessions: ", `"again":true`)
	if strings.Contains(g.log.String(), "new configuration is in use") {
		t.Error("one of them was taken")
	}
}

// TestS292_ReadyMeansSignedInRequestsAreAnswered: a replica that does not answer takes
// no process out of the balancer's hands; it is degraded, and says so everywhere.
func TestS292_ReadyMeansSignedInRequestsAreAnswered(t *testing.T) {
	address := testenv.FreeAddress(t)
	g := newGate(t, oneUpstream+"replica: true\ndatabase: sqlite:app.db\nops_listen: "+address+"\n")
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	g.until("it is ready", func() bool { status, r := ready(t, address); return status == 200 && !r.Degraded })
	g.logged("ready: requests of people who are signed in can be answered")

	db, err := parts.OpenDatabase("sqlite:" + filepath.Join(g.dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("ALTER TABLE codegrant_users RENAME TO away"); err != nil {
		t.Fatal(err)
	}
	g.logged("dependency does not answer", `"dependency":"replica"`)
	g.logged("degraded: something that is not needed by people who are signed in does not work")
	status, r := ready(t, address)
	if status != 200 || !r.Ready || !r.Degraded || r.Overloaded {
		t.Errorf("/readyz: %d %+v", status, r)
	}
	for _, c := range r.Checks {
		if c.Needed == (c.Name == "replica" || c.Name == "tables" || strings.HasPrefix(c.Name, "sign-ins at pool ")) {
			t.Errorf("%s: needed %t", c.Name, c.Needed)
		}
	}
	if status, body := g.get(alice.Client, "/orders"); status != 200 {
		t.Errorf("who is signed in: %d %s", status, body)
	}
	_, metrics := operations(t, address, "/metrics")
	for _, want := range []string{"codegrant_ready 1", "codegrant_degraded 1", "codegrant_overloaded 0"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lack %s", want)
		}
	}
	if _, err := db.Exec("ALTER TABLE away RENAME TO codegrant_users"); err != nil {
		t.Fatal(err)
	}
	g.logged("no longer degraded")
}

// TestS292_WhoseSilenceCounts: who is needed may be silent for a moment, if they answered
// before; who is not may be for ever.
func TestS292_WhoseSilenceCounts(t *testing.T) {
	now, long := time.Now(), time.Now().Add(-readyGrace)
	for name, tt := range map[string]struct {
		check           dependency
		ready, degraded bool
	}{
		"well":                        {dependency{OK: true, Needed: true, Since: long}, true, false},
		"needed, for a moment":        {dependency{Needed: true, answered: true, Since: now}, true, true},
		"needed, for long":            {dependency{Needed: true, answered: true, Since: long}, false, false},
		"needed, and not there yet":   {dependency{Needed: true, Since: now}, false, false},
		"not needed, for long":        {dependency{answered: true, Since: long}, true, true},
		"not needed, and never there": {dependency{Since: long}, true, true},
	} {
		r := readiness{checks: []dependency{{OK: true, Needed: true, Since: long}, tt.check}}
		if got := r.report(); got.Ready != tt.ready || got.Degraded != tt.degraded {
			t.Errorf("%s: ready %t, degraded %t", name, got.Ready, got.Degraded)
		}
	}
	if (&readiness{}).report().Ready {
		t.Error("ready before anybody was asked")
	}
}

// TestS293_EndsBesideRedisWithoutAReplica: they are kept for as long as a session can
// go unused, whoever puts them on record.
func TestS293_EndsBesideRedisWithoutAReplica(t *testing.T) {
	redis := fmt.Sprintf("%s?prefix=ends-alone-%d", testenv.Redis(t), time.Now().UnixNano())
	g := newGate(t, "    idle_timeout: 168h\n"+oneUpstream+"keys_file: keys\nsessions: redis\nredis: "+redis+"\ndatabase: sqlite:app.db\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	_, body := g.get(alice.Client, "/auth/user")
	var user struct{ Sub string }
	if err := json.Unmarshal([]byte(body), &user); err != nil || user.Sub == "" {
		t.Fatalf("/auth/user: %s %v", body, err)
	}
	stdout, stderr, status := say(t, "sessions", "end", "--user", user.Sub, "--config", g.config)
	if status != 0 || !strings.HasPrefix(stdout, "ended 1 session\n") {
		t.Fatalf("%d %s%s", status, stdout, stderr)
	}
	g.until("alice is signed out", func() bool { status, _ := g.get(alice.Client, "/orders"); return status == 401 })
	alice.Open(g.url + "/") // the pool knows her still
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/auth/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	response, err := alice.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if status, _ := g.get(alice.Client, "/orders"); status != 401 {
		t.Fatalf("signed out: %d", status)
	}
	db, err := parts.OpenDatabase("sqlite:" + filepath.Join(g.dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stores, _, err := db.Stores(g.settings().Replica)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := stores.EndsAfter(t.Context(), 0, 10)
	if err != nil || len(ends) != 3 { // two by the command, of the person and of the session
		t.Fatalf("%d ends, %v", len(ends), err)
	}
	for _, end := range ends {
		if left := time.Until(end.Until); left < 168*time.Hour || left > 169*time.Hour {
			t.Errorf("%+v is kept for %v", end, left)
		}
	}
	if got := storesOf(g.settings()).keep; got < 168*time.Hour {
		t.Errorf("serve keeps ends for %v", got)
	}
}

// expiring is a certificate and its key, in one text.
func expiring(t *testing.T, at time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(at.Unix()), NotBefore: at.Add(-90 * 24 * time.Hour), NotAfter: at,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, &x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// TestS294_CertificatesExpireAloud: in --check, the log, the metrics and /readyz; and
// one that has expired does not replace one that is good.
func TestS294_CertificatesExpireAloud(t *testing.T) {
	address := testenv.FreeAddress(t)
	g := newGate(t, "")
	g.url = strings.Replace(g.url, "http:", "https:", 1)
	day := 24 * time.Hour
	soon, past, fine := time.Now().Add(20*day).Truncate(time.Second), time.Now().Add(-time.Hour), time.Now().Add(60*day)
	check := func(at time.Time) (string, int) {
		t.Helper()
		g.writeFile("pair.pem", expiring(t, at))
		stdout, stderr, status := say(t, "serve", "--check", "--config", g.config)
		return stdout + stderr, status
	}
	g.write(oneUpstream + "ops_listen: " + address + "\ntls: {certificate_file: pair.pem, key_file: pair.pem}\n")
	for _, tt := range []struct {
		at     time.Time
		status int
		says   string
	}{
		{fine, 0, ""}, {time.Now().Add(21*day + time.Hour), 0, ""}, {time.Now().Add(21*day - time.Minute), 0, "warning: the certificate in tls expires at "}, {soon, 0, "warning: the certificate in tls expires at " + soon.UTC().Format(time.RFC3339)},
		{past, 1, "the certificate in tls expired at "},
	} {
		if text, status := check(tt.at); status != tt.status || !strings.Contains(text, tt.says) || tt.says == "" && strings.Contains(text, "certificate") {
			t.Errorf("--check of one that expires at %v: %d %s", tt.at, status, text)
		}
	}

	check(soon)
	g.start()
	g.logged("certificate expires soon", soon.UTC().Format(time.RFC3339))
	status, r := ready(t, address)
	if c := certificateCheck(r); status != 200 || !r.Ready || r.Degraded || c == nil || !c.OK || c.Warning == "" {
		t.Errorf("/readyz, soon: %d %+v", status, r)
	}
	_, metrics := operations(t, address, "/metrics")
	if want := fmt.Sprintf("codegrant_certificate_expiry_timestamp_seconds %g", float64(soon.Unix())); !strings.Contains(metrics, want) {
		t.Errorf("/metrics lack %s", want)
	}
	check(past)
	g.logged("new configuration cannot be used; the old one stays", "expired at")
	check(fine)
	g.logged("certificate is good again")
	insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // made on the spot
	if status, _ := g.get(insecure, "/open"); status != 200 {
		t.Errorf("status %d", status)
	}
	g.end()

	check(past)
	g.start()
	g.logged("certificate has expired", "expired at")
	g.until("/readyz knows", func() bool {
		status, r := ready(t, address)
		c := certificateCheck(r)
		return status == 200 && r.Degraded && c != nil && !c.OK && strings.Contains(c.Error, "expired at")
	})
}

func certificateCheck(r report) *dependency {
	for i := range r.Checks {
		if r.Checks[i].Name == "certificate" {
			return &r.Checks[i]
		}
	}
	return nil
}

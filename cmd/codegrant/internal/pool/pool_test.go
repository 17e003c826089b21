package pool

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/localpool/standin"
)

// TestPoolOverHTTPS: SDKs for browsers insist on https for the domain.
func TestPoolOverHTTPS(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"pool", "--https", "--listen", "127.0.0.1:0", "--quiet", "--quotas"}, write, t.Output())
		write.Close()
	}()
	address := ""
	for lines := bufio.NewScanner(read); lines.Scan(); {
		if m := regexp.MustCompile(`Local pool\s+(https://\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			address = m[1]
		}
		if strings.Contains(lines.Text(), "Ctrl-C") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // made on the spot
	response, err := client.Get(address + "/local_Demo12345/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var discovery struct {
		Issuer string `json:"issuer"`
	}
	if err := json.NewDecoder(response.Body).Decode(&discovery); err != nil || discovery.Issuer != address+"/local_Demo12345" {
		t.Errorf("discovery names issuer %s, %v", discovery.Issuer, err)
	}
	for status := http.StatusOK; status != http.StatusBadRequest; { // --quotas: five a second
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(`{"UserPoolId":"local_Demo12345"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.ListGroups")
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		status = response.StatusCode
	}
	client.CloseIdleConnections()
	cancel()
	if status := <-ended; status != 0 {
		t.Errorf("status %d after Ctrl-C, want 0", status)
	}
}

// TestPoolPrintsSettings: what is printed for a client is all that an application needs,
// with the origin of its first callback URL.
func TestPoolPrintsSettings(t *testing.T) {
	seed := localpool.DefaultSeed("http://localhost:3000")
	seed.Pools[0].Clients = append(seed.Pools[0].Clients, localpool.ClientSeed{ID: "machine", Flows: []string{"client_credentials"}, Secret: "s"}, localpool.ClientSeed{ID: "phone", CallbackURLs: []string{"myapp://callback"}},
		localpool.ClientSeed{ID: "both", CallbackURLs: []string{"myapp://callback", "http://localhost:4000/sso/callback"}})
	pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: "http://127.0.0.1:9229", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var out strings.Builder
	show(&out, pool, "http://127.0.0.1:9229")
	if strings.Count(out.String(), "      CODEGRANT_BASE_URL=http://localhost:3000\n") != 2 || strings.Count(out.String(), "CODEGRANT_BASE_URL") != 3 ||
		!strings.Contains(out.String(), "      CODEGRANT_BASE_URL=http://localhost:4000\n      SITE_LOGIN_URL=http://localhost:4000/sso/callback\n") || strings.Count(out.String(), "SITE_LOGIN_URL") != 1 {
		t.Error(out.String())
	}
}

// TestListenElsewhere: an address that other machines reach is refused with advice that helps.
func TestListenElsewhere(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		advises    bool // --insecure-listen
		args       []string
	}{
		{"a pool", "listens only on this machine", true, []string{"--listen", "0.0.0.0:0"}},
		{"in place of Amazon", standin.ErrListen.Error(), false, []string{"--as-aws", "--listen", "0.0.0.0:0"}},
		{"for one program", standin.ErrListen.Error(), false, []string{"--listen", "0.0.0.0:0", "run", "--", "true"}},
		{"in place of Amazon, no address", "is not of the form", false, []string{"--as-aws", "--listen", "127.0.0.1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			if status := run(t.Context(), append([]string{"pool", "--quiet"}, tt.args...), io.Discard, &out); status == 0 {
				t.Error("it listens")
			}
			if !strings.Contains(out.String(), tt.want) || strings.Contains(out.String(), "--insecure-listen") != tt.advises {
				t.Errorf("it says %s", out.String())
			}
		})
	}
}

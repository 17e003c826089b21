package cognito

import (
	"strings"
	"testing"
)

const (
	poolID     = "eu-west-1_Ab12Cd34E"
	poolDomain = "acme.auth.eu-west-1.amazoncognito.com"
)

func TestEndpoints(t *testing.T) {
	tests := []struct {
		name         string
		pool         Pool
		issuer, host string
	}{
		{"region and id", Pool{Region: "eu-west-1", ID: poolID, Domain: poolDomain, ClientID: "c1"},
			"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", "https://" + poolDomain},
		{"region follows from the id", Pool{ID: "us-gov-west-1_X1", Domain: "auth.example.com", ClientID: "c1"},
			"https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_X1", "https://auth.example.com"},
		{"China", Pool{ID: "cn-north-1_X1", Domain: "auth.example.com", ClientID: "c1"},
			"https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_X1", "https://auth.example.com"},
		{"newer issuer type", Pool{ID: poolID, Domain: "https://auth.example.com/", ClientID: "c1", Issuer: "https://issuer-cognito-idp.eu-west-1.amazonaws.com/" + poolID},
			"https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", "https://auth.example.com"},
		{"issuer of another region than the id's", Pool{Region: "eu-west-2", ID: poolID, Domain: "auth.example.com", ClientID: "c1", Issuer: "https://issuer.example/p"},
			"https://issuer.example/p", "https://auth.example.com"},
		{"local pool", Pool{Issuer: "http://127.0.0.1:9229/local_A1", Domain: "http://127.0.0.1:9229", ClientID: "c1"},
			"http://127.0.0.1:9229/local_A1", "http://127.0.0.1:9229"},
		{"local pool by name", Pool{Issuer: "http://pool.localhost:9229/local_A1", Domain: "http://[::1]:9229", ClientID: "c1"},
			"http://pool.localhost:9229/local_A1", "http://[::1]:9229"},
		{"client id with every kind of character", Pool{ID: poolID, Domain: poolDomain, ClientID: "aZ_9+"},
			"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", "https://" + poolDomain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.pool.Endpoints()
			if !strings.HasSuffix(got.API, "/") {
				t.Errorf("API %q", got.API)
			}
			got.API = ""
			want := Endpoints{
				Issuer: tt.issuer, JWKS: tt.issuer + "/.well-known/jwks.json",
				Authorize: tt.host + "/oauth2/authorize", Token: tt.host + "/oauth2/token", UserInfo: tt.host + "/oauth2/userInfo",
				Revoke: tt.host + "/oauth2/revoke", Logout: tt.host + "/logout",
			}
			if err != nil || got != want {
				t.Errorf("Endpoints() = %+v, %v, want %+v", got, err, want)
			}
		})
	}
}

func TestEndpointsNameEveryFault(t *testing.T) {
	good := Pool{ID: poolID, Domain: poolDomain, ClientID: "c1"}
	with := func(change func(*Pool)) Pool {
		p := good
		change(&p)
		return p
	}
	tests := []struct {
		name   string
		pool   Pool
		faults []string // one line each, in order
	}{
		{"nothing set", Pool{}, []string{"client id", "pool id is missing", "domain: it is missing"}},
		{"everything wrong", Pool{Region: "eu-west-2", ID: poolID, Domain: "https://a.example/path", ClientID: "a b", ClientSecret: "s\n", JWKSURL: "http://evil.example/jwks"},
			[]string{"client id", "white space", `region "eu-west-2"`, "JWKS URL", "more than a host"}},
		{"client id too long", with(func(p *Pool) { p.ClientID = strings.Repeat("a", 129) }), []string{"client id"}},
		{"pool id of another kind", with(func(p *Pool) { p.ID = "eu-west-1:0a1b2c" }), []string{"is not of the form"}},
		{"pool id too long", with(func(p *Pool) { p.ID = "eu-west-1_" + strings.Repeat("a", 50) }), []string{"is not of the form"}},
		{"pool id without a region", with(func(p *Pool) { p.ID = "local_A1" }), []string{"does not begin with a region"}},
		{"pool id that leaves the host", with(func(p *Pool) { p.ID = "evil.example/eu-west-1_A1" }), []string{"is not of the form"}},
		{"issuer with a slash at the end", with(func(p *Pool) { p.Issuer = "https://a.example/p/" }), []string{"ends in a slash"}},
		{"issuer with a query", with(func(p *Pool) { p.Issuer = "https://a.example/p?" }), []string{"has a query"}},
		{"issuer on the domain", with(func(p *Pool) { p.Issuer = "https://" + poolDomain }), []string{"on the pool's domain"}},
		{"issuer over http", with(func(p *Pool) { p.Issuer = "http://a.example/p" }), []string{"issuer: "}},
		{"domain over http", with(func(p *Pool) { p.Domain = "http://auth.example.com" }), []string{"does not begin with https"}},
		{"domain with a path", with(func(p *Pool) { p.Domain = poolDomain + "/login" }), []string{"more than a host"}},
		{"domain with a query", with(func(p *Pool) { p.Domain = poolDomain + "?" }), []string{"more than a host"}},
		{"domain that is a prefix", with(func(p *Pool) { p.Domain = "acme" }), []string{"acme.auth.<region>.amazoncognito.com"}},
		{"domain that is the issuer's", with(func(p *Pool) { p.Domain = "cognito-idp.eu-west-1.amazonaws.com" }), []string{"host of the issuer"}},
		{"domain of another scheme", with(func(p *Pool) { p.Domain = "ftp://auth.example.com" }), []string{"domain: "}},
		{"domain with an empty port", with(func(p *Pool) { p.Domain = "auth.example.com:" }), []string{"domain: "}},
		{"domain with a space", with(func(p *Pool) { p.Domain = "auth. example.com" }), []string{"domain: "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.pool.Endpoints()
			if err == nil || got != (Endpoints{}) {
				t.Fatalf("Endpoints() = %+v, %v", got, err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.faults) {
				t.Fatalf("Endpoints() names %d faults, want %d:\n%v", len(lines), len(tt.faults), err)
			}
			for i, want := range tt.faults {
				if !strings.Contains(lines[i], want) {
					t.Errorf("fault %d is %q, does not say %q", i, lines[i], want)
				}
			}
			if _, err := New(Config{Pool: tt.pool}); err == nil {
				t.Error("New() takes the pool")
			}
		})
	}
}

func TestPoolFromURLs(t *testing.T) {
	const grant = "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token"
	const keys = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E/.well-known/jwks.json"
	tests := []struct {
		name, client, grant, keys string
		faults                    []string
	}{
		{"the three settings", "c1", grant, keys, nil},
		{"trailing slash", "c1", grant + "/", keys, nil},
		{"nothing set", "", "", "", []string{"client id", "code grant URL: it is missing", "JWKS URL: it is missing"}},
		{"not a token endpoint", "c1", "https://acme.example/login", keys, []string{"/oauth2/token"}},
		{"token endpoint with a query", "c1", grant + "?a=b", keys, []string{"/oauth2/token"}},
		{"not a key set", "c1", grant, strings.TrimSuffix(keys, jwksPath), []string{"jwks.json"}},
		{"key set with a query", "c1", grant, keys + "?a=b", []string{"jwks.json"}},
		{"key set of no issuer", "c1", grant, "https://a.example/" + jwksPath, []string{"ends in a slash"}},
		{"plain http", "c1", "http://acme.example/oauth2/token", keys, []string{"https"}},
		{"the two swapped", "c1", keys, grant, []string{"/oauth2/token", "jwks.json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := PoolFromURLs(tt.client, tt.grant, tt.keys)
			if len(tt.faults) > 0 {
				if err == nil || p != (Pool{}) {
					t.Fatalf("PoolFromURLs() = %+v, %v", p, err)
				}
				for _, want := range tt.faults {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("PoolFromURLs() = %v, does not say %q", err, want)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			e, err := p.Endpoints()
			if err != nil || e.Issuer != strings.TrimSuffix(keys, jwksPath) || e.Token != grant || e.JWKS != keys || p.ID != poolID {
				t.Errorf("Endpoints() = %+v, %v", e, err)
			}
		})
	}
}

func TestS169_URLsWithPasswordsAreNotRepeated(t *testing.T) {
	const url = "https://user:hunter2secret@auth.example.com"
	_, err := Pool{ID: poolID, Domain: url, ClientID: "c1", Issuer: url + "/p", JWKSURL: url + "/%zz"}.Endpoints()
	if err == nil || strings.Contains(err.Error(), "hunter2secret") {
		t.Errorf("Endpoints() = %v", err)
	}
	if _, err := PoolFromURLs("c1", url+tokenPath, url+jwksPath); err == nil || strings.Contains(err.Error(), "hunter2secret") {
		t.Errorf("PoolFromURLs() = %v", err)
	}
}

package settings

import (
	"strings"
	"testing"
)

// TestExchange: a token for an upstream is one line, and what is wrong with it is said at
// its line.
func TestExchange(t *testing.T) {
	const up = "upstream: \"http://127.0.0.1:1\""
	s := load(t, write(t, ruledPool+`  - {path: /orders, `+up+`, exchange: "https://orders.example.com"}
  - {path: /bills, `+up+`, exchange: {audience: "https://bills.example.com", scopes: bills/read, actor: true, by: token_endpoint, client_id: 4h2exchange, client_secret: a-secret-of-some-length}}
  - {path: /files, `+up+`, exchange: {audience: "https://files.example.com", by: gateway}}
  - {path: /, `+up+`}
`, nil), nil)
	orders, bills, files := s.Exchanges[0], s.Exchanges[1], s.Exchanges[2]
	if orders.Audience != "https://orders.example.com" || orders.Pool == nil || orders.Pool.Domain != "" || orders.Pool.ClientID != s.Pools[0].Config.Pool.ClientID || orders.Machine != nil {
		t.Errorf("%+v", orders)
	}
	if bills.Pool.Domain == "" || bills.Pool.ClientID != "4h2exchange" || bills.Machine == nil || !bills.Actor {
		t.Errorf("%+v", bills)
	}
	if files.Pool != nil || s.Exchanges[3] != nil || s.ExchangeIssuer == nil || s.ExchangeIssuer.URL != "https://app.example.com/exchange" || s.ExchangePool != "customers" {
		t.Errorf("%+v, %+v", files, s.ExchangeIssuer)
	}
	issuer, routes, err := s.NewIssuer()
	if err != nil || issuer == nil || len(routes) != 3 || routes[0].Path != "/.well-known/oauth-authorization-server/exchange" {
		t.Errorf("%+v, %v", routes, err)
	}
	for more, want := range map[string]string{
		"  - {path: /a, exchange: \"https://o.example.com\"}\n":                                                                           ":5: routes[0].exchange: exchange needs an upstream",
		"  - {path: /a, " + up + ", public: true, exchange: \"https://o.example.com\"}\n":                                                 ":5: routes[0].exchange: the route is public",
		"  - {path: /a, " + up + ", machines: true, scopes: a/b, exchange: \"https://o.example.com\"}\n":                                  ":5: routes[0].exchange: the route lets machines in",
		"  - {path: /a, " + up + ", pass_access_token: true, exchange: \"https://o.example.com\"}\n":                                      ":5: routes[0].exchange: the upstream would also get the person's own token",
		"  - {path: /a, " + up + ", pass_authorization: true, exchange: \"https://o.example.com\"}\n":                                     ":5: routes[0].exchange: the upstream would also get the person's own token",
		"  - {path: /a, " + up + ", exchange: {by: gateway}}\n":                                                                           ":5: routes[0].exchange.audience: it is missing",
		"  - {path: /a, " + up + ", exchange: {audience: \"two words\", by: gateway}}\n":                                                  ":5: routes[0].exchange: audience",
		"  - {path: /a, " + up + ", exchange: {audience: x, by: lambda}}\n":                                                               ":5: routes[0].exchange.by: it must be one of",
		"  - {path: /a, " + up + ", exchange: {audience: x, by: gateway, client_id: abc}}\n":                                              ":5: routes[0].exchange.client_id: the gateway issues",
		"  - {path: /a, " + up + ", exchange: {audience: x, client_secret: abc}}\n":                                                       ":5: routes[0].exchange.client_id: it is missing",
		"  - {path: /a, " + up + ", exchange: {audience: x, client_id: abc, actor: true}}\n":                                              ":5: routes[0].exchange.actor: the app client has no secret",
		"  - {path: /mcp, " + up + ", scopes: a/b, mcp: true, exchange: {audience: \"https://app.example.com/mcp\"}}\n":                   ":5: routes[0].exchange.audience: routes of this gateway accept tokens",
		"  - {path: /mcp, " + up + ", scopes: a/b, mcp: true, exchange: {audience: x}}\nbroker: true\n":                                   ":5: routes[0].exchange.by: clients have tokens of the broker",
		"  - {path: /a, " + up + "}\nexchange_issuer: {algorithm: ES256}\n":                                                               ":6: exchange_issuer: no route has exchange",
		"  - {path: /a, " + up + ", exchange: {audience: x, by: gateway}}\nexchange_issuer: {issuer: \"https://b.example.com/x\"}\n":      ":6: exchange_issuer.issuer: it must be a URL below",
		"  - {path: /a, " + up + ", exchange: {audience: x, by: gateway}}\nexchange_issuer: {issuer: \"https://app.example.com/auth\"}\n": ":6: exchange_issuer.issuer: it must not be below the prefix",
		"  - {path: /a, " + up + ", exchange: {audience: x, by: gateway}}\nexchange_issuer: {lifetime: 2h}\n":                             ":6: exchange_issuer: lifetime",
		"  - {path: /a, " + up + ", exchange: {audience: x, by: gateway}}\nexchange_issuer: {algorithm: none}\n":                          ":6: exchange_issuer.algorithm: it must be one of",
	} {
		if got := faultsOf(t, ruledPool+more); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: %q, want %q", more, got, want)
		}
	}
}

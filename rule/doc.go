// Package rule owns rules that a configuration names: groups that include other groups,
// roles, e-mail addresses and their domains, networks. Each becomes a
// [codegrant.Permission], for [codegrant.Auth.Require] and for a route of the gateway,
// with the reason of a refusal in words, which the log and the policy tester print.
//
// It refuses to find out anything by itself. Who is asking, package codegrant says, and
// where a request comes from, whoever knows the proxies in front. What is not certain
// counts as a refusal: an address that is not verified, one that is malformed, a client
// whose address no proxy has said.
//
// It leans on the root package's Permission, as an application does:
//
//	rules, err := rule.New(rule.Config{
//		Includes: map[string][]string{"admins": {"editors"}},
//		Roles:    map[string]rule.Role{"publisher": {AnyGroups: []string{"editors"}, Scopes: []string{"site/write"}}},
//	})
//	…
//	mux.Handle("/publish", auth.Require(rules.Role("publisher"))(publish))
package rule

// Package rule owns rules that a configuration names: groups that include other groups,
// roles, e-mail addresses and their domains, networks. Each becomes a
// [codegrant.Permission], for [codegrant.Auth.Require] and for a route of the gateway,
// with the reason of a refusal in words, which the log and the policy tester print.
//
// It refuses to find out anything by itself. Package codegrant says who is asking. The
// caller, who knows the proxies in front, says where a request comes from. Uncertain facts
// count as a refusal: an address that is not verified, a malformed one, a client whose
// address no proxy has sent.
//
// It leans on the root package's Permission, as an application does:
//
//	rules, err := rule.New(rule.Config{
//		Includes: map[string][]string{"admins": {"editors"}},
//		Roles:    map[string]rule.Role{"publisher": {AnyGroups: []string{"editors"}, Scopes: []string{"site/write"}}},
//	})
//	…
//	mux.Handle("/publish", auth.Require(rules.Role("publisher"))(publish))
//
// [New], [Emails], [Networks] and [Providers] return every mistake of a configuration at once.
// The zero value of [Config] has no roles, and then each group includes only itself. A permission
// refuses with a reason. It returns [codegrant.ErrUnavailable] only if what it asks does not answer.
package rule

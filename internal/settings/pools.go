package settings

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cloudfront"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/rule"
	"github.com/codegrant/codegrant/verify"
)

var regionPattern = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

var poolNamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

func (r *reader) pools(f *file, s *Settings) {
	if len(f.Pools) == 0 && !r.has("pools") {
		r.fault("pools", "there is no pool; add the user pool for the sign-in")
	}
	for i, p := range f.Pools {
		key := itemKey("pools", i)
		if p.Name == "" {
			p.Name = "default"
			if len(f.Pools) > 1 {
				r.fault(key, "its name is missing; each of several pools needs a name, for logs, metrics and routes")
				p.Name = fmt.Sprintf("default-%d", i)
			}
		} else if !poolNamePattern.MatchString(p.Name) {
			r.fault(key+".name", "it may have letters, digits, - and _")
			p.Name = fmt.Sprintf("default-%d", i)
		}
		if slices.ContainsFunc(s.Pools, func(other Pool) bool { return other.Name == p.Name }) {
			r.fault(key+".name", "another pool has this name")
			p.Name = fmt.Sprintf("default-%d", i)
		}
		s.Pools = append(s.Pools, r.pool(key, p, f, s))
	}
	if f.Organizations != nil {
		r.createUsers(f.Organizations.CreateUsers, s)
	}
	for i := range s.Pools {
		r.cookies(itemKey("pools", i), &s.Pools[i], s.Pools[:i])
	}
	for i := range s.Pools {
		if a := s.Pools[i].Account; a != nil && a.LinkIdentities && r.uses("replica") && !s.Replica.Enabled {
			r.fault(itemKey("pools", i)+".account.link_identities", "people are linked in the replica, which is off; write replica: true")
		}
		r.tryPool(itemKey("pools", i), &s.Pools[i], s.Replica.Enabled)
		r.moved(itemKey("pools", i), f.Pools[i].MovedFrom, &s.Pools[i], s.Replica)
		r.trusted(itemKey("pools", i)+".trusted_providers", f.Pools[i].TrustedProviders, &s.Pools[i], s.Replica)
	}
}

// pool makes the values of one, without asking whether they fit.
func (r *reader) pool(key string, p pool, f *file, s *Settings) Pool {
	p.BaseURL = cmp.Or(p.BaseURL, f.BaseURL)
	out := Pool{
		Name: p.Name, Hosts: p.Hosts, SecondaryRegion: p.SecondRegion, SignOutAtPool: p.SignOutAtPool, Prefix: "/" + strings.Trim(cmp.Or(p.Prefix, "/auth"), "/"),
		Config: codegrant.Config{
			Pool: r.userPool(key, p), BaseURL: p.BaseURL, CallbackURL: p.CallbackURL, SignOutURLs: p.SignOutURLs,
			DefaultReturnURL: p.DefaultReturnURL, ErrorURL: p.ErrorURL,
			AllowedReturnOrigins: p.AllowedReturnOrigins, TrustedOrigins: p.TrustedOrigins, AcceptTokens: p.AcceptTokens, MigrationLinks: p.MigrationLinks,
			EncodedReturnPaths: slices.ContainsFunc(f.Routes, func(c route) bool { return c.EncodedPaths == "pass" }),
			Groups:             codegrant.GroupSource(strings.TrimPrefix(p.Groups, "token")), UserMaxAge: p.UserMaxAge,
			Scopes: p.Scopes, Levels: p.Levels, BearerClientIDs: p.BearerClientIDs, BearerIDTokens: p.BearerIDTokens, BearerResources: p.BearerResources,
			Keys: s.Keys, IdleTimeout: p.IdleTimeout, AbsoluteTimeout: p.AbsoluteTimeout, RefreshLeeway: p.RefreshLeeway,
			Own:        codegrant.OwnSessions{PerPerson: p.SessionsPerPerson, RefuseFurther: p.RefuseFurtherSessions},
			Pages:      r.look.pages,
			CookieName: p.CookieName, InsecureCookieDomain: p.CookieDomain, SameSiteStrict: p.SameSiteStrict,
			InsecureSharedTokensDomain: p.SharedTokensDomain, CookieSessions: s.Sessions == InCookies,
		},
	}
	if out.Prefix == "/" || !plainPath(out.Prefix) {
		r.fault(key+".prefix", "it must be a path such as /auth")
	}
	if len(p.LoadBalancers) > 0 {
		out.Config.LoadBalancer = &verify.ALBConfig{Signers: p.LoadBalancers}
	}
	if emails := r.emails(key, p.AllowEmails, p.AllowEmailDomains); emails != nil {
		out.Config.Admit = rule.AtSignIn(emails)
	}
	out.Config.ProviderFor = r.emailProviders(key+".email_providers", p.EmailProviders)
	if p.CloudFront != nil {
		out.Config.CloudFront = r.cloudFront(key+".cloudfront", *p.CloudFront)
	}
	r.clientSecret(key, p, &out.Config.Pool)
	out.Account = r.account(key+".account", p.Account, &out)
	if p.SecondRegion != "" && !regionPattern.MatchString(p.SecondRegion) {
		r.fault(key+".secondary_region", "%q is not a Region such as eu-central-1", p.SecondRegion)
	} else if first, _, _ := strings.Cut(p.ID, "_"); p.SecondRegion != "" && p.SecondRegion == cmp.Or(p.Region, first) {
		r.fault(key+".secondary_region", "it is the Region of the pool; set the Region of its replica, or remove it")
	}
	if p.BaseURL == "" && p.CallbackURL == "" {
		r.fault(key, "base_url is missing: set the origin that browsers see, for this pool or for the whole file")
	} else if u, err := url.Parse(p.BaseURL); err == nil && len(p.Hosts) > 0 && p.BaseURL != "" &&
		!slices.ContainsFunc(p.Hosts, func(h string) bool { return strings.EqualFold(h, u.Hostname()) }) {
		r.fault(key+".hosts", "the host of base_url, %s, is missing, and callbacks go there; add it", u.Hostname())
	}
	digest, _ := json.Marshal(p)
	sum := sha256.New()
	sum.Write(digest)
	sum.Write(r.look.digest[:])
	if out.Config.CloudFront != nil {
		fmt.Fprintf(sum, "%x", sha256.Sum256(r.content)) // its key may be in another file
	}
	ids, _ := s.Keys.Derive("settings digest")
	for _, id := range ids {
		sum.Write(id)
	}
	sum.Sum(out.Digest[:0])
	return out
}

func (r *reader) userPool(key string, p pool) cognito.Pool {
	if p.CodeGrantURL == "" {
		issuer := p.Issuer
		if p.ID == "" && issuer == "" && p.JWKSURL != "" {
			issuer = r.issuerOf(key, p)
		}
		return cognito.Pool{Region: p.Region, ID: p.ID, Domain: p.Domain, ClientID: p.ClientID, Issuer: issuer, JWKSURL: p.JWKSURL}
	}
	if p.Domain != "" {
		r.fault(key+".domain", "code_grant_url has the domain already; remove one of them")
	}
	// The pool's own check reports other mistakes.
	out := cognito.Pool{Region: p.Region, ID: p.ID, ClientID: p.ClientID, Issuer: p.Issuer, JWKSURL: p.JWKSURL}
	if p.Issuer == "" && p.ID == "" && p.JWKSURL == "" {
		r.fault(key+".jwks_url", "it is missing; code_grant_url needs it")
	}
	u, err := url.Parse(p.CodeGrantURL)
	if err != nil || u.Host == "" || strings.TrimSuffix(u.Path, "/") != "/oauth2/token" || u.RawQuery != "" {
		r.fault(key+".code_grant_url", "it must have the form https://<domain>/oauth2/token")
		u = &url.URL{Scheme: "https", Host: "placeholder.example.com"}
	}
	out.Domain = u.Scheme + "://" + u.Host
	if out.Issuer == "" && out.ID == "" {
		out.Issuer = r.issuerOf(key, p)
	}
	return out
}

// issuerOf is the issuer that a JWKS URL tells.
func (r *reader) issuerOf(key string, p pool) string {
	issuer, ok := strings.CutSuffix(p.JWKSURL, "/.well-known/jwks.json")
	if !ok {
		r.follow(key+".jwks_url", "it does not end in /.well-known/jwks.json, so that no issuer follows from it; add issuer")
		return "https://placeholder.example.com"
	}
	return issuer
}

func (r *reader) cloudFront(key string, c cloudFront) *cloudfront.Config {
	out := &cloudfront.Config{Domain: c.Domain}
	pem := r.secret(key+".private_key", c.PrivateKey, c.PrivateKeyFile)
	switch {
	case c.KeyPairID == "":
		r.fault(key+".key_pair_id", "it is missing")
	case pem == "":
		if !r.has(key + ".private_key_file") {
			r.fault(key, "private_key_file is missing")
		}
	default:
		signer, err := cloudfront.ParseKey(c.KeyPairID, []byte(pem))
		if err != nil {
			r.fault(key, "%w", err)
		}
		out.Keys = []cloudfront.Key{signer}
	}
	if len(c.Resources) == 0 && !r.has(key+".resources") {
		r.fault(key+".resources", "there is none")
	}
	for _, target := range c.Resources {
		out.Resources = append(out.Resources, cloudfront.Resource{URL: target})
	}
	return out
}

// cookies keeps the sessions of pools apart that share a host.
func (r *reader) cookies(key string, p *Pool, before []Pool) {
	u, err := url.Parse(cmp.Or(p.Config.BaseURL, p.Config.CallbackURL))
	if err != nil {
		return
	}
	for _, other := range before {
		o, err := url.Parse(cmp.Or(other.Config.BaseURL, other.Config.CallbackURL))
		if err != nil || !meet(u.Hostname(), p.Config.InsecureCookieDomain, o.Hostname(), other.Config.InsecureCookieDomain) {
			continue
		}
		if p.Config.CookieName == "" {
			p.Config.CookieName = "codegrant_" + p.Name
			if u.Scheme == "https" && p.Config.InsecureCookieDomain == "" {
				p.Config.CookieName = "__Host-" + p.Config.CookieName
			}
		}
		if p.Config.CookieName == other.Config.CookieName {
			r.fault(key+".cookie_name", "the cookie of pool %s has the same name; choose another name", other.Name)
		}
		if p.Config.InsecureSharedTokensDomain != "" && other.Config.InsecureSharedTokensDomain != "" {
			r.fault(key+".shared_tokens_domain", "it would overwrite the tokens of pool %s; use different hosts for the pools", other.Name)
		}
	}
}

// meet reports whether a browser could send the cookies of both to one host.
func meet(host, domain, otherHost, otherDomain string) bool {
	under := func(h, d string) bool {
		d = strings.TrimPrefix(strings.ToLower(d), ".")
		return d != "" && (h == d || strings.HasSuffix(h, "."+d))
	}
	host, otherHost = strings.ToLower(host), strings.ToLower(otherHost)
	return host == otherHost || under(host, otherDomain) || under(otherHost, domain)
}

// words are what the packages that check call the keys of a pool.
var words = map[string]string{
	"BaseURL": "base_url", "CallbackURL": "callback_url", "SignOutURLs": "sign_out_urls", "DefaultReturnURL": "default_return_url",
	"ErrorURL": "error_url", "AllowedReturnOrigins": "allowed_return_origins", "TrustedOrigins": "trusted_origins", "Scopes": "scopes",
	"IdleTimeout": "idle_timeout", "Own.PerPerson": "sessions_per_person", "AbsoluteTimeout": "absolute_timeout", "RefreshLeeway": "refresh_leeway", "CookieName": "cookie_name",
	"InsecureCookieDomain": "cookie_domain", "InsecureSharedTokensDomain": "shared_tokens_domain", "LoadBalancer": "load_balancers",
	"CloudFront": "cloudfront", "Groups": "groups", "UserMaxAge": "user_max_age", "CookieSessions": "sessions", "BearerClientIDs": "bearer_client_ids", "Levels": "levels", "BearerResources": "bearer_resources",
}

var (
	fieldPattern = regexp.MustCompile(`\b[A-Z][A-Za-z]+\b`)
	firstPattern = regexp.MustCompile(`^([A-Z][A-Za-z]+)(?:, [A-Z][A-Za-z]+)*: `)
)

// tryPool asks the packages that a pool is for whether they take it.
func (r *reader) tryPool(key string, p *Pool, replica bool) {
	endpoints, err := p.Config.Pool.Endpoints()
	if err != nil {
		for _, leaf := range leaves(err) {
			at := key
			for _, word := range []string{"client id", "client secret ARN", "client secret", "second client secret", "pool id", "domain", "issuer", "region", "JWKS URL"} {
				if strings.HasPrefix(leaf.Error(), word) {
					name := map[string]string{"client id": "client_id", "client secret": "client_secret", "client secret ARN": "client_secret_arn", "second client secret": "second_client_secret", "pool id": "id", "JWKS URL": "jwks_url"}[word]
					at = join(key, cmp.Or(name, word))
					break
				}
			}
			r.follow(at, "%w", leaf)
		}
		p.Config.Pool = cognito.Pool{ID: "eu-west-1_Placeholder", Domain: "placeholder.example.com", ClientID: "placeholder"}
	}
	p.Issuer = endpoints.Issuer
	config := p.Config
	config.Logger = slog.New(slog.DiscardHandler)
	switch config.Groups {
	case codegrant.GroupsOfReplica, codegrant.GroupsOfBoth:
		if replica && config.UserMaxAge >= 0 {
			config.Groups = codegrant.GroupsOfToken // the replica comes later
		}
	}
	_, err = codegrant.New(config)
	if err == nil {
		return
	}
	for _, leaf := range leaves(err) {
		text := strings.TrimPrefix(leaf.Error(), "configure codegrant: ")
		at := key
		if found := firstPattern.FindStringSubmatch(text); found != nil && words[found[1]] != "" {
			text = text[len(found[0]):]
			if at = join(key, words[found[1]]); !r.has(at) && r.has(words[found[1]]) {
				at = words[found[1]] // said once for the whole file, such as base_url
			}
		}
		r.follow(at, "%s", fieldPattern.ReplaceAllStringFunc(text, func(word string) string { return cmp.Or(words[word], word) }))
	}
}

// itemKey is the key of a list's item.
func itemKey(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

func plainPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "%?#;\\ ") && !strings.Contains(path, "//") &&
		!slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

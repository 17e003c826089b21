package codegrant

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/codegrant/codegrant/cloudfront"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/secret"
	"github.com/codegrant/codegrant/session"
)

// cloudFront reads the settings of signed cookies.
func (e *environment) cloudFront(site string) *cloudfront.Config {
	const prefix = "CLOUDFRONT_SIGNED_COOKIES"
	c := &cloudfront.Config{Domain: e.get(prefix + "_DOMAIN")}
	// One line is how many ways of setting variables pass a PEM text on.
	text := strings.ReplaceAll(e.secret(prefix+"_PRIVATE_KEY"), `\n`, "\n")
	if id := e.required(prefix + "_KEY_PAIR_ID"); text == "" {
		e.fault(prefix+"_PRIVATE_KEY", errors.New("is not set"))
	} else if key, err := cloudfront.ParseKey(id, []byte(text)); err != nil {
		e.fault(prefix+"_PRIVATE_KEY", err)
	} else {
		c.Keys = []cloudfront.Key{key}
	}
	if target := e.required(prefix + "_RESOURCE"); target != "" {
		c.Resources = []cloudfront.Resource{{URL: e.cloudFrontURL(prefix+"_RESOURCE", target, c.Domain, site)}}
	}
	return c
}

// cloudFrontURL makes a URL of what the package takes as a resource. The released one
// takes a path, such as *, on the host assets-v2 of the cookies' domain; its fork takes
// a URL without the scheme.
func (e *environment) cloudFrontURL(name, target, domain, site string) string {
	if strings.Contains(target, "://") {
		return target
	}
	path := strings.TrimLeft(target, "/")
	if domain = strings.ToLower(strings.Trim(domain, ".")); domain == "" {
		if u, err := url.Parse(site); err == nil {
			domain, _ = publicsuffix.EffectiveTLDPlusOne(u.Hostname())
		}
	}
	if first, rest, below := strings.Cut(target, "/"); below && isHost(first, domain) {
		return "https://" + strings.ToLower(first) + "/" + rest
	}
	if domain == "" {
		e.fault(name, fmt.Errorf("%q is a path, and the other settings give no domain for it; write the whole URL, such as %s=https://assets-v2.example.com/%s", target, name, path))
		domain = "example.com"
	}
	return "https://assets-v2." + domain + "/" + path
}

// isHost tells a host from a folder whose name has a dot in it, such as v1.0: hosts are
// below the domain of the cookies, or else below a suffix that somebody registers names under.
func isHost(name, domain string) bool {
	name = strings.ToLower(name)
	if domain != "" && (name == domain || strings.HasSuffix(name, "."+domain)) {
		return true
	}
	suffix, managed := publicsuffix.PublicSuffix(name)
	return managed && name != suffix && !strings.ContainsAny(name, "*?")
}

// clientSecret sets where the secrets of the app client come from. What reads Secrets
// Manager compiles AWS's SDK, so that the application adds it.
func (e *environment) clientSecret(pool *cognito.Pool) {
	const name = "CODEGRANT_CLIENT_SECRET"
	value, path, second := e.get("CODEGRANT_CLIENT_SECRET"), e.get("CODEGRANT_CLIENT_SECRET"+"_FILE"), e.secret("CODEGRANT_SECOND_CLIENT_SECRET")
	pool.ClientSecretARN = e.get("CODEGRANT_CLIENT_SECRET_ARN")
	given := 0
	for _, v := range []string{value, path, pool.ClientSecretARN} {
		if v != "" {
			given++
		}
	}
	switch {
	case given > 1:
		e.fault(name, fmt.Errorf("set only one of this variable, %s_FILE and %s_ARN", name, name))
	case second != "" && value == "":
		e.fault("CODEGRANT_SECOND_CLIENT_SECRET", fmt.Errorf("it needs %s; with a file, write the second secret into its second line; Secrets Manager has both", name))
	case path != "":
		file, err := secret.NewFile(path)
		if err != nil {
			e.fault(name+"_FILE", err)
			return
		}
		pool.Secrets = file
	default:
		pool.ClientSecret, pool.SecondSecret = cognito.Secret(value), cognito.Secret(second)
	}
}

// secret reads NAME, or the file that NAME_FILE names.
func (e *environment) secret(name string) string {
	value, path := e.get(name), e.get(name+"_FILE")
	if path == "" {
		return value
	}
	if value != "" {
		e.fault(name, fmt.Errorf("set this variable or %s_FILE, not both", name))
	}
	content, err := os.ReadFile(path)
	if err != nil {
		e.fault(name+"_FILE", err)
	}
	return strings.TrimSpace(string(content))
}

func (e *environment) keys(name string) *session.Keyring {
	value := e.secret(name)
	if dir := e.get(name + "_DIR"); dir != "" {
		if value != "" {
			e.fault(name+"_DIR", fmt.Errorf("set this variable or %s, not both", name))
			return nil
		}
		ring, err := session.WatchKeys(dir, func(err error) {
			slog.Default().Error("sealing keys not read again", slog.String("reason", err.Error()))
		})
		if err != nil {
			e.fault(name+"_DIR", err)
		}
		return ring
	}
	if value == "" {
		return nil
	}
	var keys [][]byte
	for i, item := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == '\n' || r == ' ' || r == '\r' }) {
		key, err := base64.StdEncoding.DecodeString(item)
		if err != nil {
			e.fault(name, fmt.Errorf("key %d is not base64; make one with: openssl rand -base64 32", i+1))
			return nil
		}
		keys = append(keys, key)
	}
	ring, err := session.NewKeyring(keys...)
	if err != nil {
		e.fault(name, err)
		return nil
	}
	return ring
}

package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// ALBConfig configures an [ALB]. Signers, Issuer and ClientID are required.
type ALBConfig struct {
	// Signers are the ARNs of the load balancers that you trust. Everybody can make a load
	// balancer sign anything. Only these use our pool.
	Signers []string
	// Issuer is the pool's issuer, as the load balancer's rule has it.
	Issuer string
	// ClientID is the app client of the load balancer.
	ClientID string

	// HTTPClient fetches the load balancers' keys; redirects are not followed,
	// and no fetch takes longer than 5 s. Defaults to a client with
	// [http.DefaultTransport].
	HTTPClient *http.Client
	// KeyURL is where keys are fetched instead, with "/" and the key id behind
	// it: https, or http on this machine. Defaults to AWS's place for the region
	// in the signer's ARN. For tests.
	KeyURL string
	// Leeway is how far the clocks here and at AWS may be apart. Defaults to
	// 30 s; negative: none; at most 5 minutes.
	Leeway time.Duration
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// ALB verifies the header of an AWS load balancer that signs people in (x-amzn-oidc-data;
// AWS, Application Load Balancers, "Authenticate users"). It is safe for concurrent use.
//
// The caller must do two things. Only the load balancer may reach the service: use security
// groups. And do not trust the load balancer's other two headers, which are not signed.
// x-amzn-oidc-accesstoken is an access token for [Verifier.AccessToken], and must have the
// same subject.
type ALB struct {
	signers  map[string]string // where the keys of each are
	issuer   string
	clientID string
	keys     *albKeys
	leeway   time.Duration
	now      func() time.Time
}

// ALBClaims are the load balancer's claims about a person: the pool's answer of userInfo.
// It has no groups.
type ALBClaims struct {
	Issuer   string // iss
	Subject  string // sub
	ClientID string // client
	Username string // username
	Signer   string // the load balancer's ARN

	Profile

	ExpiresAt time.Time // exp: of this statement, not of the person's session

	document
}

// NewALB checks the configuration, and returns all mistakes in it. It fetches keys when the
// first header needs them.
func NewALB(config ALBConfig) (*ALB, error) {
	a := &ALB{
		signers: make(map[string]string), issuer: config.Issuer, clientID: config.ClientID,
		leeway: leeway(config.Leeway), now: config.Now,
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.keys = newALBKeys(config.HTTPClient, a.now)
	if err := a.configure(config); err != nil {
		return nil, fmt.Errorf("configure load balancer verifier: %w", err)
	}
	return a, nil
}

func (a *ALB) configure(config ALBConfig) error {
	var faults []error
	if a.issuer == "" {
		faults = append(faults, errors.New("set Issuer: it is empty"))
	}
	if a.clientID == "" {
		faults = append(faults, errors.New("set ClientID: it is empty"))
	}
	if len(config.Signers) == 0 {
		faults = append(faults, errors.New("set Signers: there are none"))
	}
	if config.KeyURL != "" {
		if err := checkURL(config.KeyURL); err != nil {
			faults = append(faults, fmt.Errorf("set KeyURL: %w", err))
		}
	}
	for _, arn := range config.Signers {
		place, err := albKeyPlace(arn)
		if err != nil {
			faults = append(faults, fmt.Errorf("set Signers: %w", err))
		}
		if config.KeyURL != "" {
			place = strings.TrimSuffix(config.KeyURL, "/")
		}
		a.signers[arn] = place
	}
	if a.leeway > maxLeeway {
		faults = append(faults, fmt.Errorf("set Leeway to %v at most: it is %v", maxLeeway, a.leeway))
	}
	return errors.Join(faults...)
}

var albARN = regexp.MustCompile(`^arn:(aws|aws-us-gov):elasticloadbalancing:([a-z]{2}(?:-[a-z]+)+-[0-9]+):[0-9]{12}:loadbalancer/app/[0-9A-Za-z-]+/[0-9a-f]+$`)

// albKeyPlace returns where AWS serves the keys of a load balancer. The region is
// that of the configured ARN: a token does not choose where we look.
func albKeyPlace(arn string) (string, error) {
	match := albARN.FindStringSubmatch(arn)
	if match == nil {
		return "", fmt.Errorf("%q is not the ARN of an application load balancer, such as "+
			"arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/name/0123456789abcdef", arn)
	}
	partition, region := match[1], match[2]
	if partition == "aws-us-gov" {
		return fmt.Sprintf("https://s3-%s.amazonaws.com/aws-elb-public-keys-prod-%s", region, region), nil
	}
	return fmt.Sprintf("https://public-keys.auth.elb.%s.amazonaws.com", region), nil
}

var albToken = shape{algorithm: "ES256", types: []string{"jwt"}, padded: true}

// Verify verifies the header x-amzn-oidc-data. The error is [ErrInvalid], with the
// sentinel of the check that failed, or [ErrUnavailable].
func (a *ALB) Verify(ctx context.Context, header string) (*ALBClaims, error) {
	c, err := a.verify(ctx, header)
	if err != nil {
		return nil, fmt.Errorf("verify load balancer's header: %w", err)
	}
	return c, nil
}

func (a *ALB) verify(ctx context.Context, raw string) (*ALBClaims, error) {
	if err := checkSize(raw); err != nil {
		return nil, err
	}
	t, err := albToken.parse(raw)
	if err != nil {
		return nil, err
	}
	c, err := a.check(t)
	if err != nil {
		return nil, err
	}
	key, err := a.keys.get(ctx, a.signers[c.Signer]+"/"+t.keyID)
	if err != nil {
		return nil, err
	}
	if err := t.verifyES256(key); err != nil {
		return nil, err
	}
	return c, nil
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// check holds a token to the rules. The load balancer states in the JOSE header by
// whom and for whom the token is, and in the payload who the person is; issuer and
// expiry can be in both.
func (a *ALB) check(t *token) (*ALBClaims, error) {
	// The id becomes part of a URL.
	if !uuid.MatchString(t.keyID) {
		return nil, fmt.Errorf("%w: kid is not a UUID", ErrHeader)
	}
	var header, payload ALBClaims
	for _, m := range t.header {
		if !header.setHeader(m.name, m.raw) {
			return nil, fmt.Errorf("%w: %s", ErrHeader, fold(m.name))
		}
	}
	members, err := readClaims(t.payload)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if m.name == "act" {
			return nil, ErrActor // whoever signs in at a load balancer is there in person
		}
		if !payload.set(m.name, m.raw) {
			return nil, fmt.Errorf("%w: %s", ErrClaim, m.name)
		}
	}
	_, ours := a.signers[header.Signer]
	now := a.now().Add(-a.leeway)
	switch {
	case !ours:
		return nil, fmt.Errorf("%w: signer is not one of the configured ARNs", ErrSigner)
	case header.Issuer != a.issuer, payload.Issuer != "" && payload.Issuer != a.issuer:
		return nil, fmt.Errorf("%w: iss is not %q", ErrIssuer, a.issuer)
	case header.ClientID != a.clientID:
		return nil, fmt.Errorf("%w: client is not %q", ErrAudience, a.clientID)
	case checkSubject(payload.Subject) != nil:
		return nil, checkSubject(payload.Subject)
	case !now.Before(header.ExpiresAt), !payload.ExpiresAt.IsZero() && !now.Before(payload.ExpiresAt):
		return nil, ErrExpired
	}
	c := payload
	c.Issuer, c.ClientID, c.Signer = header.Issuer, header.ClientID, header.Signer
	if c.ExpiresAt.IsZero() || header.ExpiresAt.Before(c.ExpiresAt) {
		c.ExpiresAt = header.ExpiresAt
	}
	c.document = newDocument(members)
	c.Custom = c.custom()
	return &c, nil
}

// setHeader takes one member of the header. One that only folds to a name that
// means something is refused, as in a payload.
func (c *ALBClaims) setHeader(name, raw string) (ok bool) {
	switch fold(name) {
	case "signer", "client", "iss", "exp":
	default:
		return true
	}
	switch name {
	case "signer":
		c.Signer, ok = asText(raw)
	case "client":
		c.ClientID, ok = asText(raw)
	case "iss":
		c.Issuer, ok = asText(raw)
	case "exp":
		// AWS documents a string, and has been seen to send a number.
		if text, quoted := asText(raw); quoted {
			raw = text
		}
		c.ExpiresAt, ok = asMoment(raw)
	}
	return ok
}

// set takes one claim of the payload.
func (c *ALBClaims) set(name, raw string) (ok bool) {
	switch name {
	case "iss":
		c.Issuer, ok = asText(raw)
	case "sub":
		c.Subject, ok = asText(raw)
	case "username":
		c.Username, ok = asText(raw)
	case "exp":
		c.ExpiresAt, ok = asMoment(raw)
	default:
		return c.Profile.set(name, raw)
	}
	return ok
}

// String names the person, without what a log must not contain.
func (c *ALBClaims) String() string {
	return fmt.Sprintf("load balancer's statement on %s, client %s", c.Subject, c.ClientID)
}

// LogValue is String in parts.
func (c *ALBClaims) LogValue() slog.Value {
	return slog.GroupValue(slog.String("signer", c.Signer), slog.String("sub", c.Subject), slog.String("client_id", c.ClientID))
}

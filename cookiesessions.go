package codegrant

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// cookieSessions are the cookies of [Config.CookieSessions]: one sealed value, split.
type cookieSessions struct {
	cookie  session.Cookie // of the first part; the others have a number behind its name
	keys    *session.Keyring
	binding string
	now     func() time.Time
}

const (
	cookieSessionPurpose = "session in cookies"
	// maxParts bounds what a session may weigh: servers and proxies take 8 KB of
	// cookies and not much more.
	maxParts = 3
	partSize = 3800
	// maxPlainSession bounds what a sealed value may unfold to.
	maxPlainSession = 64 << 10
)

func newCookieSessions(s *settings) *cookieSessions {
	return &cookieSessions{cookie: s.cookie, keys: s.Keys, binding: s.Pool.ClientID + " " + s.Pool.ID + " " + s.Pool.Issuer, now: s.Now}
}

func (c *cookieSessions) method() Method { return MethodSession }

func (c *cookieSessions) part(i int) session.Cookie {
	part := c.cookie
	if i > 0 {
		part.Name += "-" + strconv.Itoa(i)
	}
	return part
}

func (c *cookieSessions) owns(name string) bool {
	rest, ok := strings.CutPrefix(name, c.cookie.Name)
	return ok && (rest == "" || (len(rest) == 2 && rest[0] == '-' && rest[1] >= '1' && rest[1] < '0'+maxParts))
}

// read joins the parts. A value that does not open is none: of another key, cut, or
// mixed with a part of another session.
func (c *cookieSessions) read(r *http.Request) (tokens cognito.TokenSet, seen time.Time, err error) {
	var joined strings.Builder
	for i := range maxParts {
		values, err := c.part(i).Values(r)
		if err != nil {
			return cognito.TokenSet{}, seen, err
		}
		if len(values) == 0 {
			break
		}
		if len(values) > 1 {
			return cognito.TokenSet{}, seen, ErrAmbiguousCookie
		}
		joined.WriteString(values[0])
	}
	if joined.Len() == 0 {
		return tokens, seen, nil
	}
	sealed, err := c.keys.Open(cookieSessionPurpose, joined.String(), []byte(c.binding))
	if err != nil || len(sealed) < 8 {
		return cognito.TokenSet{}, seen, nil
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(sealed[8:])), maxPlainSession))
	if err != nil {
		return cognito.TokenSet{}, seen, nil
	}
	d := decoder{s: string(plain)}
	tokens = cognito.TokenSet{AccessToken: cognito.Secret(d.str()), IDToken: cognito.Secret(d.str()), RefreshToken: cognito.Secret(d.str())}
	if d.bad || d.s != "" {
		return cognito.TokenSet{}, seen, nil
	}
	return tokens, time.Unix(int64(binary.BigEndian.Uint64(sealed)), 0), nil
}

func (c *cookieSessions) write(w http.ResponseWriter, tokens cognito.TokenSet, lifetime time.Duration) error {
	var e encoder
	e.str(tokens.AccessToken.Reveal())
	e.str(tokens.IDToken.Reveal())
	e.str(tokens.RefreshToken.Reveal())
	var packed bytes.Buffer
	packed.Write(binary.BigEndian.AppendUint64(nil, uint64(c.now().Unix())))
	// Tokens are base64 of text: a fourth of them is air.
	deflate, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := deflate.Write(e); err != nil {
		return err
	}
	if err := deflate.Close(); err != nil {
		return err
	}
	sealed := c.keys.Seal(cookieSessionPurpose, packed.Bytes(), []byte(c.binding))
	if len(sealed) > maxParts*partSize {
		return fmt.Errorf("%w: the session has %d bytes and cookies hold %d; keep sessions in a store, or have the pool put fewer groups or attributes in its tokens",
			errTokenTooLarge, len(sealed), maxParts*partSize)
	}
	for i := range maxParts {
		size := min(len(sealed), partSize)
		if size == 0 {
			c.part(i).Clear(w) // of a larger session before
			continue
		}
		c.part(i).Set(w, sealed[:size], lifetime)
		sealed = sealed[size:]
	}
	return nil
}

func (c *cookieSessions) clear(w http.ResponseWriter) {
	for i := range maxParts {
		c.part(i).Clear(w)
	}
}

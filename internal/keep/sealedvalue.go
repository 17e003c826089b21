package keep

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/quotas"
	"github.com/codegrant/codegrant/session"
)

const (
	sealedPurpose = "session in cookies"
	// maxParts bounds what a session may weigh: servers and proxies take 8 KB of
	// cookies and not much more.
	maxParts = 3
	partSize = 3800
	// maxPlain bounds what a sealed value may unfold to.
	maxPlain = quotas.AnswerBytes
	// maxJoined bounds how many ways to join parts are tried.
	maxJoined = 256
	// sealedVersion begins what is sealed. Version 1 began with the seconds of a time,
	// of which the first byte is 0.
	sealedVersion = 2
)

// unsealed is what cookies say.
type unsealed struct {
	version                     byte
	key                         Key
	created, seen, issued, auth time.Time
	subject, nonce              string
	tokens                      cognito.TokenSet
}

func (s *Sealed) part(i int) session.Cookie {
	part := s.cookie
	if i > 0 {
		part.Name += "-" + strconv.Itoa(i)
	}
	return part
}

// open returns the different sign-ins of a request. A value that does not open is
// none: of another key, cut, or mixed with a part of another one.
func (s *Sealed) open(r *http.Request) (found []unsealed, claimed bool, err error) {
	joined, err := s.joined(r)
	for _, value := range joined {
		if u, ok := s.unseal(value); ok {
			found = append(found, u)
			if len(found) == maxPresented {
				return found, true, fmt.Errorf("open the session's cookies: %w", session.ErrTooManyCookies)
			}
		}
	}
	return found, len(joined) > 0, err
}

// joined puts parts together in every way that could be right: all but the last part
// have the same size.
func (s *Sealed) joined(r *http.Request) ([]string, error) {
	var all, whole []string // whole: of which there may be more
	for i := range maxParts {
		values, err := s.part(i).Matching(r, nil, maxJoined)
		if i == 0 {
			whole = []string{""}
		}
		var next []string
		for _, begun := range whole {
			for _, value := range values {
				if len(all) == maxJoined {
					return all, fmt.Errorf("join the session's cookies: %w", session.ErrTooManyCookies)
				}
				all = append(all, begun+value)
				if len(value) == partSize {
					next = append(next, begun+value)
				}
			}
		}
		if err != nil {
			return all, err
		}
		if whole = next; len(whole) == 0 {
			break
		}
	}
	return all, nil
}

func (s *Sealed) unseal(value string) (u unsealed, ok bool) {
	plain, err := s.keys.Open(sealedPurpose, value, []byte(s.binding))
	if err != nil || len(plain) < 8 {
		return u, false
	}
	u.version = plain[0]
	packed := plain[8:]
	switch u.version {
	case 0:
		u.seen = time.Unix(int64(binary.BigEndian.Uint64(plain)), 0)
	case sealedVersion:
		d := decoder{s: string(plain[1:])}
		u.key = Key(d.str())
		u.created, u.seen, u.issued, u.auth = time.Unix(d.varint(), 0), time.Unix(d.varint(), 0), time.Unix(d.varint(), 0), time.Unix(d.varint(), 0)
		u.subject, u.nonce = d.str(), d.str()
		if d.bad || u.key == "" || u.subject == "" {
			return u, false
		}
		packed = []byte(d.s)
	default:
		return u, false
	}
	content, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxPlain))
	if err != nil {
		return u, false
	}
	d := decoder{s: string(content)}
	u.tokens = cognito.TokenSet{AccessToken: cognito.Secret(d.str()), IDToken: cognito.Secret(d.str()), RefreshToken: cognito.Secret(d.str())}
	return u, !d.bad && d.s == ""
}

// deflaters are used again: each has more memory than a hundred sign-ins have cookies.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // of a level that does not exist
	}
	return w
}}

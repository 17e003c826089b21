package codegrant

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// standards are what levels and ages are measured by.
type standards struct {
	levels []string // values of acr, the lowest first
	now    func() time.Time
}

// usual are those of identities that the application has made.
var usual = &standards{
	levels: []string{"urn:cognito:loa:1", "urn:cognito:loa:2", "urn:cognito:loa:3", "urn:cognito:loa:4"},
	now:    time.Now,
}

// measuredBy are the standards that an identity is held to.
func (id *Identity) measuredBy() *standards {
	if id == nil || id.standards == nil {
		return usual
	}
	return id.standards
}

// rank is the place of a level, -1 where it is not known: to [Config.Levels] it is below all.
func (s *standards) rank(level string) int {
	if level == "" {
		return -1
	}
	return slices.Index(s.levels, level)
}

// from is a level and all above it: any of them will do.
func (s *standards) from(level string) []string {
	if i := s.rank(level); i >= 0 {
		return s.levels[i:]
	}
	return nil
}

// checkLevels refuses what no pool can call a level (AcrConfiguration of a user pool).
func checkLevels(levels []string) error {
	for i, level := range levels {
		switch {
		case level == "" || len(level) > 64 || strings.ContainsFunc(level, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r >= 0x7f }):
			return fmt.Errorf("%q cannot be a level: 1 to 64 characters, without blanks, quotes and backslashes", level)
		case slices.Contains(levels[:i], level):
			return fmt.Errorf("%s is there twice", level)
		}
	}
	return nil
}

// MinimumLevel allows people who signed in at this level or a higher one. The level is the
// claim acr of their tokens, in the order of Config.Levels. Other people are sent to sign
// in again; see [StepUpError]. It panics without a level. If Config.Levels does not have
// the level, each request gets 503, and the log says why.
func MinimumLevel(level string) Permission {
	if level == "" {
		panic("codegrant: MinimumLevel needs a level")
	}
	return permission{
		name: "level " + level + " or higher",
		check: func(_ context.Context, id *Identity, _ *http.Request) (bool, error) {
			s := id.measuredBy()
			least := s.rank(level)
			if least < 0 {
				return false, fmt.Errorf("MinimumLevel: %s is not among Config.Levels, which are %s", level, strings.Join(s.levels, ", "))
			}
			return id != nil && s.rank(id.ACR) >= least, nil
		},
		wants: demand{level: level},
	}
}

// SignedInWithin allows people who signed in within the last d, by the claim auth_time,
// which no refresh changes. Other people are sent to sign in again; see [StepUpError]. It
// panics if d is less than a second, because the pool counts whole seconds.
func SignedInWithin(d time.Duration) Permission {
	if d < time.Second {
		panic("codegrant: SignedInWithin needs a second at least")
	}
	d = d.Truncate(time.Second)
	return permission{
		name: "signed in within " + inWords(d),
		check: func(_ context.Context, id *Identity, _ *http.Request) (bool, error) {
			return id != nil && !id.AuthTime.IsZero() && id.measuredBy().now().Sub(id.AuthTime) <= d, nil
		},
		wants: demand{maxAge: d, aged: true},
	}
}

// inWords is a duration without zeros at its end.
func inWords(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// demand is what a sign-in is to bring.
type demand struct {
	level  string        // at least; empty: any
	maxAge time.Duration // at most, where aged
	aged   bool
}

func (d demand) isNothing() bool { return d == demand{} }

// and joins two, where both have to be met.
func (d demand) and(other demand, by *standards) demand {
	if by.rank(other.level) > by.rank(d.level) {
		d.level = other.level
	}
	if other.aged && (!d.aged || other.maxAge < d.maxAge) {
		d.maxAge, d.aged = other.maxAge, true
	}
	return d
}

// freshest is how old a sign-in may be at most that was to happen anew (max_age=0).
const freshest = time.Minute

// missing is what of the demand somebody does not meet.
func (d demand) missing(by *standards, acr string, authTime time.Time) demand {
	var m demand
	if d.level != "" && by.rank(acr) < by.rank(d.level) {
		m.level = d.level
	}
	if d.aged {
		most := d.maxAge
		if most == 0 {
			most = freshest
		}
		if authTime.IsZero() || by.now().Sub(authTime) > most {
			m.maxAge, m.aged = d.maxAge, true
		}
	}
	return m
}

var errDemand = errors.New("authorization request whose demand is damaged")

// append writes what cutDemand reads: the level behind its length, and the age in
// seconds, one more than it is.
func (d demand) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(d.level)))
	b = append(b, d.level...)
	age := uint64(0)
	if d.aged {
		age = uint64(d.maxAge/time.Second) + 1
	}
	return binary.AppendUvarint(b, age)
}

func cutDemand(b []byte) (d demand, rest []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return demand{}, nil, errDemand
	}
	d.level, b = string(b[used:used+int(n)]), b[used+int(n):]
	age, used := binary.Uvarint(b)
	if used <= 0 || age > uint64(maxMaxAge/time.Second)+1 {
		return demand{}, nil, errDemand
	}
	if age > 0 {
		d.maxAge, d.aged = time.Duration(age-1)*time.Second, true
	}
	return d, b[used:], nil
}

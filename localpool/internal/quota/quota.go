package quota

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// The categories of operations, by Cognito's names.
const (
	UserAuthentication     = "UserAuthentication"
	UserCreation           = "UserCreation"
	UserAccountRecovery    = "UserAccountRecovery"
	UserRead               = "UserRead"
	UserUpdate             = "UserUpdate"
	UserToken              = "UserToken"
	UserResourceRead       = "UserResourceRead"
	UserResourceUpdate     = "UserResourceUpdate"
	UserList               = "UserList"
	UserPoolRead           = "UserPoolRead"
	UserPoolUpdate         = "UserPoolUpdate"
	UserPoolResourceRead   = "UserPoolResourceRead"
	UserPoolResourceUpdate = "UserPoolResourceUpdate"
	UserPoolClientRead     = "UserPoolClientRead"
	UserPoolClientUpdate   = "UserPoolClientUpdate"
	ClientAuthentication   = "ClientAuthentication"
)

// defaults are requests per second of an account that asked for no more.
var defaults = map[string]float64{
	UserAuthentication: 120, UserCreation: 50, UserAccountRecovery: 30, UserRead: 120, UserUpdate: 25, UserToken: 120,
	UserResourceRead: 50, UserResourceUpdate: 25, UserList: 30, UserPoolRead: 15, UserPoolUpdate: 15,
	UserPoolResourceRead: 20, UserPoolResourceUpdate: 15, UserPoolClientRead: 15, UserPoolClientUpdate: 15, ClientAuthentication: 150,
}

// perPool is how often one operation of these categories may be called for one
// pool.
const perPool = 5

var limitedPerPool = []string{UserPoolResourceRead, UserPoolResourceUpdate, UserPoolClientRead, UserPoolClientUpdate}

// Defaults returns Cognito's rates, by category.
func Defaults() map[string]float64 { return maps.Clone(defaults) }

// Known reports whether there is such a category.
func Known(category string) bool { return defaults[category] != 0 }

// Limiter says which requests are too many. It has no limits to begin with, and is
// safe for concurrent use.
type Limiter struct {
	now func() time.Time

	mu        sync.Mutex // guards the fields below
	rates     map[string]float64
	buckets   map[string]*bucket
	throttled map[string]int
}

// bucket holds what may be asked at once: as much as in one second.
type bucket struct {
	left float64
	at   time.Time
}

// New returns a limiter with a clock.
func New(now func() time.Time) *Limiter {
	return &Limiter{now: now, rates: make(map[string]float64), buckets: make(map[string]*bucket), throttled: make(map[string]int)}
}

// Set sets how many requests of a category are allowed in a second, over all pools.
// Zero ends the limit.
func (l *Limiter) Set(category string, perSecond float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.rates, category)
	if perSecond > 0 {
		l.rates[category] = perSecond
	}
	clear(l.buckets)
}

// Throttled says how many requests of a category were too many.
func (l *Limiter) Throttled(category string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.throttled[category]
}

// Take reports whether there may be one more request of a category.
func (l *Limiter) Take(category string) bool { return l.TakeFor(category, "", "") }

// TakeFor is [Limiter.Take] for an operation on a pool, which has a limit of its own
// in some categories.
func (l *Limiter) TakeFor(category, operation, poolID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	rate, limited := l.rates[category]
	if !limited {
		return true
	}
	ok := true
	if operation != "" && slices.Contains(limitedPerPool, category) {
		ok = l.take(operation+" "+poolID, min(rate, perPool))
	}
	return l.count(category, ok && l.take(category, rate))
}

// TakeAnswer is [Limiter.Take] for answers to challenges: a sign-in may ask for some,
// so there may be three times as many as sign-ins before they count as such.
func (l *Limiter) TakeAnswer() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	rate, limited := l.rates[UserAuthentication]
	return !limited || l.take("answers", 3*rate) || l.count(UserAuthentication, l.take(UserAuthentication, rate))
}

// TakeCode is [Limiter.Take] for the redemption of authorization codes, which has the
// rate of sign-ins for itself.
func (l *Limiter) TakeCode() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	rate, limited := l.rates[UserAuthentication]
	return !limited || l.count(UserAuthentication, l.take("codes", rate))
}

func (l *Limiter) count(category string, ok bool) bool {
	if !ok {
		l.throttled[category]++
	}
	return ok
}

// take takes from a bucket, which fills at the rate. The caller holds the lock.
func (l *Limiter) take(name string, rate float64) bool {
	now := l.now()
	b, most := l.buckets[name], max(rate, 1)
	if b == nil {
		b = &bucket{left: most, at: now}
		l.buckets[name] = b
	}
	b.left = min(most, b.left+max(now.Sub(b.at), 0).Seconds()*rate)
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

package cloudfront

import (
	"net/netip"
	"slices"
	"sync"
)

// maxTargets bounds the memory taken where targets depend on users. A target that was dropped is signed
// again when it is wanted.
const maxTargets = 10_000

// target is what a signature is for, apart from its end.
type target struct {
	resource string
	address  netip.Prefix
}

// signature is one signed set, usable by every browser that may have its target until then.
type signature struct {
	values  Values
	expires int64 // Unix seconds
}

// signatures holds the live signatures. Few exist per target: one for sessions longer than the lifetime and,
// since a signature serves every session that ends within twice its remaining time, a handful for shorter ones.
type signatures struct {
	mu      sync.Mutex // guards the fields below
	targets map[target]*signed
}

type signed struct {
	mu   sync.Mutex // held while signing: others who want the same wait for it
	live []signature
}

func (s *signatures) of(t target) *signed {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry, ok := s.targets[t]; ok {
		return entry
	}
	if s.targets == nil {
		s.targets = map[target]*signed{}
	}
	if len(s.targets) >= maxTargets {
		// Which ones go does not matter for correctness; an eighth at a time keeps the work per entry constant.
		drop := maxTargets / 8
		for old := range s.targets {
			if drop--; drop < 0 {
				break
			}
			delete(s.targets, old)
		}
	}
	entry := &signed{}
	s.targets[t] = entry
	return entry
}

// get returns the longest lived signature by the key that fits, or makes one.
func (s *signed) get(keyID string, sp span, sign func() (Values, error)) (signature, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best signature
	for _, sig := range s.live {
		if sig.values.KeyPairID == keyID && sp.fits(sig.expires) && sig.expires > best.expires {
			best = sig
		}
	}
	if best.expires > 0 {
		return best, nil
	}
	values, err := sign()
	if err != nil {
		return signature{}, err
	}
	fresh := signature{values: values, expires: sp.want}
	s.add(fresh, sp.now)
	return fresh, nil
}

// find returns the live signature with these values.
func (s *signed) find(values Values) (signature, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sig := range s.live {
		if sig.values == values {
			return sig, true
		}
	}
	return signature{}, false
}

// adopt keeps a verified signature that another instance made.
func (s *signed) adopt(sig signature, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(sig, now)
}

func (s *signed) add(sig signature, now int64) {
	s.live = slices.DeleteFunc(s.live, func(old signature) bool { return old.expires <= now })
	const most = 64 // far above what instances in agreement produce
	if len(s.live) >= most {
		s.live = slices.Delete(s.live, 0, 1)
	}
	s.live = append(s.live, sig)
}

package serve

import (
	"maps"
	"sync"
	"sync/atomic"
)

// handles are series that were looked up once, by what they are of: a request is counted
// by half a dozen, and each look-up hashes all of its labels. There are as few as there
// are combinations in a configuration. The zero value is ready.
type handles[K comparable, V any] struct {
	found atomic.Pointer[map[K]V]
	mu    sync.Mutex // one writer at a time
}

func (h *handles[K, V]) of(key K, find func(K) V) V {
	if m := h.found.Load(); m != nil {
		if v, ok := (*m)[key]; ok {
			return v
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	next := make(map[K]V)
	if m := h.found.Load(); m != nil {
		if v, ok := (*m)[key]; ok {
			return v
		}
		maps.Copy(next, *m)
	}
	v := find(key)
	next[key] = v
	h.found.Store(&next)
	return v
}

// forget has all of them looked up again.
func (h *handles[K, V]) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.found.Store(nil)
}

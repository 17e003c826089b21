package api

import "sync"

// limits are the request rates that were provisioned, by category.
type limits struct {
	mu     sync.Mutex // guards values
	values map[string]int
}

func (l *limits) of(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.values[name]
}

func (l *limits) set(name string, value int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.values == nil {
		l.values = make(map[string]int)
	}
	l.values[name] = value
}

// Package shop is what the examples protect: products that some may change, and
// orders that belong to people. It knows neither Codegrant nor a router, and
// forgets everything when the program ends.
package shop

import (
	"context"
	"slices"
	"strconv"
	"sync"
)

// Order is one person's order.
type Order struct {
	ID      string `json:"id"`
	Product string `json:"product"`
	Owner   string `json:"owner"` // the subject: names can change hands, subjects cannot
}

// Shop is safe for concurrent use. Make one with [New].
type Shop struct {
	mu       sync.Mutex
	products []string
	orders   []Order
	changed  chan struct{} // closed and replaced by each order
}

// New returns a shop that sells tea.
func New() *Shop { return &Shop{products: []string{"tea"}, changed: make(chan struct{})} }

// Products lists what there is.
func (s *Shop) Products() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.products)
}

// AddProduct adds to what there is.
func (s *Shop) AddProduct(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.products = append(s.products, name)
}

// Place takes an order of the person whose subject owner is.
func (s *Shop) Place(owner, product string) Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	order := Order{ID: strconv.Itoa(len(s.orders) + 1), Product: product, Owner: owner}
	s.orders = append(s.orders, order)
	close(s.changed)
	s.changed = make(chan struct{})
	return order
}

// Order finds an order.
func (s *Shop) Order(id string) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.orders, func(o Order) bool { return o.ID == id })
	if i < 0 {
		return Order{}, false
	}
	return s.orders[i], true
}

// After returns the orders beyond the first n, and waits until there are some.
func (s *Shop) After(ctx context.Context, n int) ([]Order, error) {
	for {
		s.mu.Lock()
		orders, changed := slices.Clone(s.orders[min(n, len(s.orders)):]), s.changed
		s.mu.Unlock()
		if len(orders) > 0 {
			return orders, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

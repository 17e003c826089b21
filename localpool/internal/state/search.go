package state

import (
	"cmp"
	"slices"
	"strings"
)

// search finds users by one attribute: all who have it, in the order of its values. It is made
// when it is first asked for, and users who change later are noted beside it, until they are
// enough to be sorted in.
type search struct {
	sorted  []entry
	touched map[*User]struct{} // whose entries count no longer, and who may have another
}

type entry struct {
	value string // as it is compared
	user  *User
}

func byValue(a, b entry) int {
	return cmp.Or(strings.Compare(a.value, b.value), cmp.Compare(a.user.Order, b.user.Order))
}

// touch notes that a user is new, gone, or other than before.
func (x *index) touch(u *User) {
	for _, s := range x.searches {
		s.touched[u] = struct{}{}
	}
}

// searchOf returns the search by an attribute.
func (p *Pool) searchOf(attribute string) *search {
	x := p.index
	s := x.searches[attribute]
	if s == nil {
		s = &search{touched: make(map[*User]struct{}), sorted: make([]entry, 0, len(p.Users))}
		for _, u := range p.Users {
			if value, has := comparable(attribute, u); has {
				s.sorted = append(s.sorted, entry{value, u})
			}
		}
		slices.SortFunc(s.sorted, byValue)
		if x.searches == nil {
			x.searches = make(map[string]*search)
		}
		x.searches[attribute] = s
	}
	if len(s.touched) > fewTouched {
		s.settle(x, attribute)
	}
	return s
}

// fewTouched are looked at one by one; tests look at fewer.
var fewTouched = 256

// settle sorts those in who were touched.
func (s *search) settle(x *index, attribute string) {
	var changed []entry
	for u := range s.touched {
		if value, has := comparable(attribute, u); has && x.subs[u.Sub()] == u {
			changed = append(changed, entry{value, u})
		}
	}
	slices.SortFunc(changed, byValue)
	merged := make([]entry, 0, len(s.sorted)+len(changed))
	for _, e := range s.sorted {
		if _, ok := s.touched[e.user]; ok {
			continue
		}
		for len(changed) > 0 && byValue(changed[0], e) < 0 {
			merged, changed = append(merged, changed[0]), changed[1:]
		}
		merged = append(merged, e)
	}
	s.sorted = append(merged, changed...)
	s.touched = make(map[*User]struct{})
}

// span are the entries that a filter may select.
func (s *search) span(f Filter) []entry {
	want := asCompared(f.Attribute, f.Value)
	from, _ := slices.BinarySearchFunc(s.sorted, want, func(e entry, want string) int { return strings.Compare(e.value, want) })
	rest := s.sorted[from:]
	past, _ := slices.BinarySearchFunc(rest, want, func(e entry, want string) int {
		if e.value == want || f.Prefix && strings.HasPrefix(e.value, want) {
			return -1
		}
		return strings.Compare(e.value, want)
	})
	return rest[:past]
}

// found returns a page of those whom a filter selects, without looking at many others.
func (p *Pool) found(f Filter, after int64, limit int) (users []User, next int64) {
	s := p.searchOf(f.Attribute)
	span := s.span(f)
	if len(span) > len(p.Users)/8 {
		return page(p.Users, f, after, limit) // in turn one in eight, or more, is selected
	}
	var first []*User // the first of them, in order, and one more
	add := func(u *User) {
		if u.Order <= after || len(first) > limit && u.Order > first[limit].Order {
			return
		}
		first = insert(first, u)
		first = first[:min(len(first), limit+1)]
	}
	for _, e := range span {
		if _, ok := s.touched[e.user]; !ok {
			add(e.user)
		}
	}
	for u := range s.touched {
		if p.index.subs[u.Sub()] == u && f.selects(u) {
			add(u)
		}
	}
	more := len(first) > limit
	first = first[:min(len(first), limit)]
	users = make([]User, 0, len(first))
	for _, u := range first {
		users = append(users, u.clone())
	}
	if more && limit > 0 {
		next = first[limit-1].Order
	}
	return users, next
}

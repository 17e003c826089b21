package sessiontest

import (
	"slices"

	"github.com/codegrant/codegrant/session"
)

var equalityCases = []testCase{
	{"bytes are bytes", "S-113: no store folds case, trims or normalizes: look-alikes are other people", bytesAreBytes},
	{"pools are bytes", "S-113: a look-alike of a pool is another pool", poolsAreBytes},
	{"boundaries", "where the pool ends and the subject begins is part of who it is", boundaries},
}

// lookAlikes are names that some engine, somewhere, takes for one another or for
// part of its language.
var lookAlikes = []string{
	"k", "K", "\u212a" /* Kelvin sign */, "i", "I", "\u0131" /* dotless i */, "\u0130", "s", "S", "\u017f" /* long s */, "ss", "\u00df",
	"e\u0301", "\u00e9", "e", "\uff4b" /* full width k */, "k ", " k", "k\t", "k\u00a0", "k'", `k"`, "k%", "k_", "%", `k\`, `k\\`, "k:", "{k}", "k*", "[k]", "k;--",
	"\U0001F511", "\U0001F512", "0", "00", "0x0", "null", "-", "--",
}

func bytesAreBytes(s *suite) {
	for i, name := range lookAlikes {
		r := s.recordOf(name, name)
		r.Sealed = []byte{byte(i)}
		s.create(r)
	}
	for i, name := range lookAlikes {
		if r := s.get(name); r.ID != name || r.Subject != name || r.Sealed[0] != byte(i) {
			s.Errorf("%q: got %+v", name, r)
		}
		s.wantList(session.Query{Pool: pool, Subject: name, Limit: 5}, name)
	}
	sorted := slices.Sorted(slices.Values(lookAlikes))
	s.wantList(session.Query{Limit: 7}, sorted...)
	for i, name := range lookAlikes {
		n, err := s.Store.MarkStale(s.Context(), pool, name)
		s.wantCount("MarkStale of "+name, n, err, 1)
		n, err = s.Store.DeleteBySubject(s.Context(), pool, name)
		s.wantCount("DeleteBySubject of "+name, n, err, 1)
		for j, other := range lookAlikes {
			if r, err := s.Store.Get(s.Context(), other); (err == nil) != (j > i) || r.Stale {
				s.Errorf("after %q was marked and deleted, %q: %+v, %v", name, other, r, err)
			}
		}
	}
}

func poolsAreBytes(s *suite) {
	for _, name := range lookAlikes {
		r := s.record(name)
		r.Pool = name
		s.create(r)
	}
	for _, name := range lookAlikes {
		s.wantList(session.Query{Pool: name, Limit: 5}, name)
		n, err := s.Store.DeleteBySubject(s.Context(), name, alice)
		s.wantCount("DeleteBySubject in "+name, n, err, 1)
		s.gone(name)
	}
}

func boundaries(s *suite) {
	for id, parts := range map[string][2]string{"1": {"ab", "c"}, "2": {"a", "bc"}, "3": {"abc", ""}, "4": {"", "abc"}} {
		r := s.record(id)
		r.Pool, r.Subject = parts[0], parts[1]
		s.create(r)
	}
	n, err := s.Store.DeleteBySubject(s.Context(), "a", "bc")
	s.wantCount("DeleteBySubject", n, err, 1)
	s.gone("2")
	s.wantList(session.Query{Limit: 5}, "1", "3", "4")
}

package sqlreplica

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// linkRow is an identity as the model has it.
type linkRow struct {
	to           string // whose it is; empty: it is a person of its own
	signed, gone bool   // signed in once, deleted from the pool
	fresh, said  bool   // made in this round, stated by the pool in this round
}

// linkModel are identities by name: pool and number.
type linkModel map[string]linkRow

func (m linkModel) person(name string) string { return cmp.Or(m[name].to, name) }

// known reports whether an operator can name the row, who looked before the round.
func (m linkModel) known(name string) bool { r, ok := m[name]; return ok && !r.fresh }

func (m linkModel) linkedTo(person string) (all []string) {
	for name, r := range m {
		if r.to == person {
			all = append(all, name)
		}
	}
	return all
}

func (m linkModel) change(name string, f func(*linkRow)) {
	r := m[name]
	f(&r)
	m[name] = r
}

func (m linkModel) String() string {
	var all []string
	for name, r := range m {
		all = append(all, fmt.Sprintf("%s→%s fresh=%t signed=%t gone=%t", name, r.to, r.fresh, r.signed, r.gone))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// linkOp is one call of an operator's, of the sync's or of a sign-in, and what the model
// makes of it: each step as a whole or, with an error, not at all.
type linkOp struct {
	text  string
	steps []func(linkModel) error
	call  func(context.Context, *Store) error
	cut   bool // nobody knows how far it came
	err   error
}

func poolOf(name string) string { pool, _, _ := strings.Cut(name, "-"); return pool }

func modelIssuer(pool string) string { return testIssuer + "/" + pool }

func modelSnapshot(name string, at time.Time) replica.Snapshot {
	return replica.Snapshot{
		Issuer: modelIssuer(poolOf(name)), Subject: name, Username: "user-" + name,
		Email: name + "@example.com", EmailVerified: true, At: at,
	}
}

// drawLinkOp returns something to do with the people of pools "a" and "b". ids are the
// rows that there are.
func drawLinkOp(random *rand.Rand, ids map[string]int64, base time.Time, pass string, sweeps bool) linkOp {
	name := func() string { return fmt.Sprintf("%s-%d", []string{"a", "b"}[random.IntN(2)], random.IntN(4)) }
	id := func(name string) int64 { return cmp.Or(ids[name], 999999) }
	a, b := name(), name()
	one := func(text string, step func(linkModel) error, call func(context.Context, *Store) error) linkOp {
		return linkOp{text: text, steps: []func(linkModel) error{step}, call: call}
	}
	switch kind := random.IntN(20); {
	case kind < 5:
		return one(fmt.Sprintf("merge %s into %s", a, b), func(m linkModel) error {
			if !m.known(a) || !m.known(b) {
				return replica.ErrNotFound
			}
			from, into := m.person(a), m.person(b)
			if from != into {
				for _, identity := range append(m.linkedTo(from), from) {
					m.change(identity, func(r *linkRow) { r.to = into })
				}
			}
			return nil
		}, func(ctx context.Context, s *Store) error { _, err := s.Merge(ctx, id(a), id(b), pass); return err })
	case kind < 8:
		return one(fmt.Sprintf("link %s to %s", a, b), func(m linkModel) error {
			switch {
			case !m.known(a) || !m.known(b):
				return replica.ErrNotFound
			case m.person(a) == m.person(b):
				return nil
			case m[a].to != "" || len(m.linkedTo(a)) > 0 || m[a].gone:
				return replica.ErrConflict
			}
			m.change(a, func(r *linkRow) { r.to = m.person(b) })
			return nil
		}, func(ctx context.Context, s *Store) error { _, err := s.Link(ctx, id(a), id(b), pass); return err })
	case kind < 10:
		return one("unlink "+a, func(m linkModel) error {
			if !m.known(a) {
				return replica.ErrNotFound
			}
			m.change(a, func(r *linkRow) { r.to = "" })
			return nil
		}, func(ctx context.Context, s *Store) error { _, err := s.Unlink(ctx, id(a)); return err })
	case kind < 12:
		return one("erase "+a, func(m linkModel) error {
			if !m.known(a) {
				return replica.ErrNotFound
			}
			person := m.person(a)
			for _, identity := range append(m.linkedTo(person), person) {
				delete(m, identity)
			}
			return nil
		}, func(ctx context.Context, s *Store) error {
			_, err := s.Erase(ctx, id(a), EraseOptions{By: pass})
			return err
		})
	case kind < 13 && sweeps:
		return one("sweep "+poolOf(a), func(m linkModel) error {
			for name, r := range m {
				if poolOf(name) == poolOf(a) && !r.said {
					m.change(name, func(r *linkRow) { r.gone = true })
				}
			}
			return nil
		}, func(ctx context.Context, s *Store) error {
			_, err := s.Sweep(ctx, modelIssuer(poolOf(a)), pass, replica.SweepOptions{Began: base.Add(time.Second), MaxShare: 1})
			return err
		})
	case kind < 15:
		op := linkOp{text: fmt.Sprintf("sync %s and %s", a, b)}
		var batch []replica.Snapshot
		for _, name := range slices.Compact([]string{a, b}) {
			op.steps = append(op.steps, func(m linkModel) error { m.state(name); return nil })
			batch = append(batch, modelSnapshot(name, base.Add(2*time.Second)))
		}
		op.call = func(ctx context.Context, s *Store) error { _, err := s.ApplyBatch(ctx, batch); return err }
		return op
	case kind < 17:
		return one("sign in "+a, func(m linkModel) error { return m.signIn(a, "") }, signInAs(a, "", base))
	default:
		op := linkOp{text: fmt.Sprintf("sign in %s, who was %s", a, b), call: signInAs(a, b, base)}
		op.steps = []func(linkModel) error{
			func(m linkModel) error { m.remember(a, b); return nil },
			func(m linkModel) error { return m.signIn(a, b) },
		}
		return op
	}
}

func signInAs(name, was string, base time.Time) func(context.Context, *Store) error {
	snapshot := modelSnapshot(name, base.Add(2*time.Second))
	snapshot.SignIn = true
	if was != "" {
		snapshot.Of = &replica.Of{Issuer: modelIssuer(poolOf(was)), Subject: was, By: "move"}
	}
	return func(ctx context.Context, s *Store) error { _, err := s.Apply(ctx, snapshot); return err }
}

// state is a word of the pool's.
func (m linkModel) state(name string) {
	_, ok := m[name]
	m.change(name, func(r *linkRow) { r.said, r.gone, r.fresh = true, false, r.fresh || !ok })
}

// remember makes the row of who somebody was, whom the replica has not heard of.
func (m linkModel) remember(name, was string) (counts bool) {
	if r := m[name]; was == "" || r.to != "" || r.signed {
		return false
	}
	if _, ok := m[was]; !ok && was != name {
		m[was] = linkRow{fresh: true}
	}
	return true
}

func (m linkModel) signIn(name, was string) error {
	counts, person := m.remember(name, was), ""
	if _, ok := m[was]; counts && ok {
		person = m.person(was)
	}
	m.state(name)
	m.change(name, func(r *linkRow) { r.signed = true })
	if person == "" || person == name || len(m.linkedTo(name)) > 0 {
		return nil
	}
	for _, other := range append(m.linkedTo(person), person) {
		if poolOf(was) != poolOf(name) && other != name && poolOf(other) == poolOf(name) && !m[other].gone {
			return replica.ErrConflict
		}
	}
	m.change(name, func(r *linkRow) { r.to = person })
	return nil
}

// explains reports whether some order of the steps of two calls comes to what is there.
func (m linkModel) explains(ops [2]linkOp, at [2]int, found string) bool {
	over := func(i int) bool { return at[i] == len(ops[i].steps) || ops[i].cut }
	if over(0) && over(1) && m.String() == found {
		return true
	}
	for i, op := range ops {
		if at[i] == len(op.steps) {
			continue
		}
		next, then := maps.Clone(m), at
		err := op.steps[at[i]](next)
		if then[i]++; err != nil {
			next, then[i] = m, len(op.steps)
		}
		if then[i] == len(op.steps) && !op.cut && !errors.Is(op.err, err) {
			continue
		}
		if next.explains(ops, then, found) {
			return true
		}
	}
	return false
}

// readLinks returns what is there, and the rows by name. Rows that were not there before
// are fresh.
func readLinks(t *testing.T, s *Store, before map[string]int64) (linkModel, map[string]int64) {
	t.Helper()
	m, ids, names, to := make(linkModel), make(map[string]int64), make(map[int64]string), make(map[string]int64)
	all := s.engine.sql("SELECT id, subject, COALESCE(linked_to, 0), first_sign_in IS NOT NULL, deleted_at IS NOT NULL FROM codegrant_users")
	err := each(t.Context(), s.db, all, "an identity", func(rows *sql.Rows) error {
		var r linkRow
		var id, linked int64
		var name string
		err := rows.Scan(&id, &name, &linked, &r.signed, &r.gone)
		r.fresh = before[name] != id
		m[name], ids[name], names[id], to[name] = r, id, name, linked
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, person := range to {
		if person == 0 {
			continue
		}
		if names[person] == "" || to[names[person]] != 0 {
			t.Fatalf("%s is linked to row %d, which is %q and linked to %d", name, person, names[person], to[names[person]])
		}
		m.change(name, func(r *linkRow) { r.to = names[person] })
	}
	return m, ids
}

// modelOrders is an application that has a row for everybody, which belongs to a person.
func modelOrders(ctx context.Context, tx *sql.Tx, c replica.Change) error {
	run := func(statement string) error { _, err := tx.ExecContext(ctx, statement); return err }
	for _, id := range c.Erased {
		if err := run(fmt.Sprintf("DELETE FROM orders WHERE owner = %d", id)); err != nil {
			return err
		}
	}
	switch {
	case c.Merged != nil:
		return run(fmt.Sprintf("UPDATE orders SET owner = %d WHERE owner = %d", c.Merged.Into, c.Merged.From))
	case c.Created:
		return run(fmt.Sprintf("INSERT INTO orders (owner) VALUES (%d)", c.User.Person()))
	}
	return nil
}

// TestS792_LinksAgainstAModel: two processes do anything at once to the identities of a few
// people, and some calls on SQLite are cut off. What is there afterwards, and what the calls said, is
// what a model says of one order or the other.
func TestS792_LinksAgainstAModel(t *testing.T) {
	const rounds = 40
	eachEngine(t, func(t *testing.T, e testEngine) {
		for seed := range uint64(4) {
			django, told := seed%4 == 3, seed%2 == 1
			t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
				config := Config{Outbox: &Outbox{}, Dialect: e.dialect}
				if told {
					config.OnChange = modelOrders
				}
				var s *Store
				if django {
					s, _ = djangoStore(t, e, config)
					config.Django = &Django{AdoptVerifiedEmail: true}
				} else {
					s, _ = e.store(t, config)
				}
				other, err := New(s.db, config)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.db.ExecContext(t.Context(), "CREATE TABLE orders (owner BIGINT NOT NULL)"); err != nil {
					t.Fatal(err)
				}
				random := rand.New(rand.NewPCG(seed, 792))
				model, ids := readLinks(t, s, nil)
				for round := range rounds {
					base := stated.Add(time.Duration(round) * 10 * time.Second)
					var ops [2]linkOp
					var running sync.WaitGroup
					for i, store := range []*Store{s, other} {
						ops[i] = drawLinkOp(random, ids, base, fmt.Sprintf("%d-%d", round, i), !django)
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						// A server may still do what nobody waits for, after the round.
						if e.dialect == SQLite && random.IntN(8) == 0 {
							time.AfterFunc(time.Duration(random.IntN(3000))*time.Microsecond, cancel)
						}
						running.Go(func() {
							ops[i].err = ops[i].call(ctx, store)
							ops[i].cut = ctx.Err() != nil && ops[i].err != nil && !isVerdict(ops[i].err)
						})
					}
					running.Wait()
					for name := range model {
						model.change(name, func(r *linkRow) { r.fresh, r.said = false, false })
					}
					found, now := readLinks(t, s, ids)
					if !model.explains(ops, [2]int{}, found.String()) {
						t.Fatalf("round %d of seed %d: of\n%s\n%q (%v) and\n%q (%v)\nmade\n%s",
							round, seed, model, ops[0].text, ops[0].err, ops[1].text, ops[1].err, found)
					}
					model, ids = found, now
					checkLinks(t, s, model, ids, django, told)
				}
			})
		}
	})
}

// checkLinks looks at what others see of identities.
func checkLinks(t *testing.T, s *Store, m linkModel, ids map[string]int64, django, told bool) {
	t.Helper()
	for name, id := range ids {
		u, err := s.User(t.Context(), id)
		if err != nil || u.Person() != ids[m.person(name)] {
			t.Fatalf("%s is of person %d, %v; want %d", name, u.Person(), err, ids[m.person(name)])
		}
		if m[name].to != "" {
			continue
		}
		all, err := s.Identities(t.Context(), id)
		if err != nil || len(all) != 1+len(m.linkedTo(name)) || all[0].ID != id {
			t.Fatalf("%s has %d identities, %v; want %d", name, len(all), err, 1+len(m.linkedTo(name)))
		}
	}
	none := func(what, count string) {
		t.Helper()
		var n int
		if err := s.engine.sql(count).scan(t.Context(), s.db, &n); err != nil || n != 0 {
			t.Fatalf("%d %s, %v", n, what, err)
		}
	}
	if told {
		none("rows of the application belong to no person", "SELECT count(*) FROM orders o LEFT JOIN codegrant_users u ON u.id = o.owner WHERE u.id IS NULL OR u.linked_to IS NOT NULL")
	}
	if django {
		none("accounts are on although linked, or off although not", "SELECT count(*) FROM codegrant_users u JOIN auth_user a ON a.id = u.id WHERE a.is_active = (u.linked_to IS NOT NULL)")
	}
}

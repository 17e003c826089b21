package keep_test

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/session"
)

// step is what an actor is about to do: one call of the pool, of the store or, where the
// browser carries the state, of the keeper.
type step struct {
	actor, kind string
	object      string // what the call is about: a refresh token, or whose row
	nth         int    // of those that are alike
}

func (a step) compare(b step) int {
	return cmp.Or(strings.Compare(a.actor, b.actor), strings.Compare(a.kind, b.kind), strings.Compare(a.object, b.object), a.nth-b.nth)
}

type actorKey struct{}

// stepOf is a step of the actor that the context is of. Work beside requests has their
// contexts' values.
func stepOf(ctx context.Context, kind, object string) step {
	actor, _ := ctx.Value(actorKey{}).(string)
	return step{actor: actor, kind: kind, object: object}
}

// independent reports whether two steps of different actors commute, each with what its
// actor does after it until the next: nobody can tell by anything which came first. Steps
// of which that is not certain are taken to be dependent.
func independent(a, b step) bool {
	if a.actor == b.actor && (a.renews() || a.kind != "pool revoke" && b.kind != "pool revoke") {
		return false
	}
	if a.actor != b.actor && a.renews() && b.renews() && a.process() == b.process() {
		return false // of one actor, or of two who join one renewal
	}
	for _, pair := range [][2]step{{a, b}, {b, a}} {
		if mark, other := pair[0], pair[1]; mark.kind == "mark" { // of the rows; and it counts refreshes
			return !strings.HasPrefix(other.kind, "store") && other.kind != "pool refresh" && other.kind != "mark"
		}
	}
	class, other := a.class(), b.class()
	if class != other || a.object != b.object || class == "row" && a.process() != b.process() {
		return true
	}
	return a.reads() && b.reads()
}

// alone reports whether a step commutes with whatever other actors may do from now on: it
// is about what the second sign-in makes, and nobody else has heard of.
func (a step) alone() bool { return a.object == "bob" || strings.HasPrefix(a.object, "refresh-bob-") }

// renews reports whether the actor asks for renewals: what is under way is shared by all of
// a process.
func (a step) renews() bool {
	return strings.Contains(a.actor, "refresh") || strings.Contains(a.actor, "stream")
}

// process is whose memory the actor works with.
func (a step) process() string {
	if strings.Contains(a.actor, "elsewhere") {
		return "beside"
	}
	return "here"
}

// class is the kind of what the step is about: "pool", "store" or "row".
func (a step) class() string {
	class, _, _ := strings.Cut(a.kind, " ")
	return class
}

func (a step) reads() bool {
	return a.kind == "store get" || a.kind == "row find" || a.kind == "row now"
}

// pointed is a store that can be stopped at any call.
type pointed struct {
	session.Store
	point func(step)
	whose sync.Map // by the ids of records
}

func (s *pointed) at(ctx context.Context, kind, id string) {
	whose, ok := s.whose.Load(id)
	if !ok {
		whose = id
	}
	s.point(stepOf(ctx, kind, whose.(string)))
}

func (s *pointed) Get(ctx context.Context, id string) (session.Record, error) {
	s.at(ctx, "store get", id)
	return s.Store.Get(ctx, id)
}

func (s *pointed) CompareAndSwap(ctx context.Context, r session.Record) (session.Record, error) {
	s.at(ctx, "store swap", r.ID)
	return s.Store.CompareAndSwap(ctx, r)
}

func (s *pointed) Create(ctx context.Context, r session.Record) error {
	s.whose.Store(r.ID, r.Subject)
	s.at(ctx, "store create", r.ID)
	return s.Store.Create(ctx, r)
}

func (s *pointed) Delete(ctx context.Context, id string) error {
	s.at(ctx, "store delete", id)
	return s.Store.Delete(ctx, id)
}

// pointedKeeper is a keeper of what browsers carry that can be stopped at any call which
// looks at what the process knows, or changes that.
type pointedKeeper struct {
	keep.Keeper
	point func(step)
}

func (k *pointedKeeper) Find(r *http.Request) (*keep.Held, error) {
	k.point(stepOf(r.Context(), "row find", "alice")) // nobody else is asked for at a point
	return k.Keeper.Find(r)
}

func (k *pointedKeeper) Create(ctx context.Context, h *keep.Held) (*keep.Held, error) {
	k.point(stepOf(ctx, "row create", h.Subject))
	return k.Keeper.Create(ctx, h)
}

func (k *pointedKeeper) Now(ctx context.Context, h *keep.Held) (*keep.Held, error) {
	k.point(stepOf(ctx, "row now", h.Subject))
	return k.Keeper.Now(ctx, h)
}

func (k *pointedKeeper) Swap(ctx context.Context, h *keep.Held) (*keep.Held, error) {
	k.point(stepOf(ctx, "row swap", h.Subject))
	return k.Keeper.Swap(ctx, h)
}

func (k *pointedKeeper) Refused(ctx context.Context, h *keep.Held, why error) (*keep.Held, error) {
	k.point(stepOf(ctx, "row refused", h.Subject))
	return k.Keeper.Refused(ctx, h, why)
}

func (k *pointedKeeper) End(ctx context.Context, h *keep.Held) (*keep.Held, error) {
	k.point(stepOf(ctx, "row end", h.Subject))
	return k.Keeper.End(ctx, h)
}

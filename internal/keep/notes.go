package keep

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/session"
)

// Note says where a sign-in was made, for the person whose it is.
type Note struct {
	Agent   string `json:"agent,omitempty"`   // the browser, as it calls itself
	Address string `json:"address,omitempty"` // that it came from
}

// Notes says where notes of sign-ins are kept. Without Store they are in this process
// alone, and bounded.
type Notes struct {
	Store   cupboard.Store
	Keys    *session.Keyring // that seal them
	Binding string           // issuer and app client, as in [Binding]
}

const (
	notePurpose = "where a sign-in was made"
	maxAgent    = 512
	maxAddress  = 64
	maxNotes    = 1 << 14 // in this process, in each of two generations
)

type notes struct {
	Notes
	log *slog.Logger

	mu   sync.Mutex
	here generations[Key, Note]
}

func newNotes(n Notes, log *slog.Logger) *notes {
	return &notes{Notes: n, log: log, here: newGenerations[Key, Note](maxNotes)}
}

// shelf is that of a note: one of 4,096, because putting counts what is on one.
func (n *notes) shelf(key string) cupboard.Kind {
	return cupboard.Kind{Name: "sign-ins." + key[:2], MaxRecords: 100_000, MaxOfPerson: 1000, MaxBytes: 4 << 10}
}

func (n *notes) key(of Key) string { return cupboard.Key("sign-in", n.Binding, string(of)) }

// keep keeps a note. Without it a person does not see which sign-in is which.
func (n *notes) keep(ctx context.Context, of Key, subject string, note Note, until time.Time) {
	note.Agent = strings.ToValidUTF8(note.Agent[:min(len(note.Agent), maxAgent)], "")
	note.Address = strings.ToValidUTF8(note.Address[:min(len(note.Address), maxAddress)], "")
	if note == (Note{}) {
		return
	}
	if !n.shared() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.here.put(of, note)
		return
	}
	plain, err := json.Marshal(note)
	if err != nil {
		panic(err) // two texts
	}
	key := n.key(of)
	r := cupboard.Record{Key: key, Person: subject, Until: until, Value: []byte(n.Keys.Seal(notePurpose, plain, []byte(key)))}
	if err := n.Store.Put(ctx, n.shelf(key), r); err != nil {
		n.log.LogAttrs(ctx, slog.LevelDebug, "where a sign-in was made is not kept", slog.String("sub", subject), slog.String("reason", err.Error()))
	}
}

// of returns the note of a sign-in; a zero one where there is none, or it cannot be read.
func (n *notes) of(ctx context.Context, key Key) (note Note) {
	if !n.shared() {
		n.mu.Lock()
		defer n.mu.Unlock()
		note, _ = n.here.get(key)
		return note
	}
	name := n.key(key)
	r, err := n.Store.Get(ctx, n.shelf(name), name)
	if err != nil {
		return Note{}
	}
	plain, err := n.Keys.Open(notePurpose, string(r.Value), []byte(name))
	if err != nil || json.Unmarshal(plain, &note) != nil {
		return Note{}
	}
	return note
}

// shared reports whether keeping one is a call of a store.
func (n *notes) shared() bool { return n.Store != nil && n.Keys != nil }

// drop forgets the note of a sign-in that is over.
func (n *notes) drop(ctx context.Context, of Key) {
	n.mu.Lock()
	n.here.drop(of)
	n.mu.Unlock()
	if n.shared() {
		key := n.key(of)
		_, _ = n.Store.Take(ctx, n.shelf(key), key) // it ends by itself
	}
}

// note keeps where a sign-in was made, beside the request that makes it.
func (s *Sessions) note(ctx context.Context, h *Held, note Note) {
	if _, ok := s.keeper.(lister); !ok {
		return // nobody lists it
	}
	s.beside(ctx, func(ctx context.Context) {
		s.notes.keep(ctx, h.Key, h.Subject, note, h.Record.Created.Add(s.life.Absolute))
	})
}

// forgetNote forgets it.
func (s *Sessions) forgetNote(h *Held) {
	if _, ok := s.keeper.(lister); ok {
		s.beside(context.Background(), func(ctx context.Context) { s.notes.drop(ctx, h.Key) })
	}
}

// noteTimeout is how long keeping a note may take.
const noteTimeout = 10 * time.Second

// beside calls do at once, or beside the request where that takes a store.
func (s *Sessions) beside(ctx context.Context, do func(context.Context)) {
	if !s.notes.shared() {
		do(ctx)
		return
	}
	s.engine.behind.Go("note of a sign-in", func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
		defer cancel()
		do(ctx)
	})
}

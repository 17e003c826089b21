package state

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// State is everything that the local pool knows. It is safe for concurrent use;
// what its methods return are copies.
type State struct {
	now    func() time.Time
	logger *slog.Logger
	path   string
	saver  saver
	proved proved
	sent   func(Message) // nil: nobody is told
	region string

	mu       sync.Mutex // guards the fields below, and what they point to
	pools    []*Pool
	codes    map[string]Code    // authorization codes, by the code
	sessions map[string]Session // browser sessions, by the cookie
	outbox   []Message

	lastMessage, delivered, keptMessage int64 // ids

	kept []*Pool // those that were there when the state was saved last
}

// Config configures a State.
type Config struct {
	Now    func() time.Time
	Logger *slog.Logger
	// Sent, where it is set, is told of each message. It is called with the state
	// locked, and returns at once.
	Sent func(Message)
	// Region is that of new pools; empty: that of the first.
	Region string
	Path   string // of the file to keep the state in; empty: memory
	// Begin adds what a new state has besides pools. The file is written after
	// it, so that one that fails leaves none behind.
	Begin func(*State) error
}

// New returns the state that the file holds, or, where there is none, the given
// pools.
func New(config Config, pools []*Pool) (*State, error) {
	s := &State{
		now: config.Now, sent: config.Sent, region: config.Region, logger: config.Logger, path: config.Path, pools: pools,
		codes: make(map[string]Code), sessions: make(map[string]Session), saver: saver{small: smallFile, write: writeFile},
	}
	loaded, err := s.load()
	if err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	if loaded {
		s.keep()
		return s, nil
	}
	if s.path != "" { // before it is taken for one that is in memory
		if err := s.allKeys(); err != nil {
			return nil, err
		}
	}
	if s.path = ""; config.Begin != nil {
		if err := config.Begin(s); err != nil {
			return nil, err
		}
	}
	s.path = config.Path
	return s, s.saveLocked()
}

// prepare completes pools that a seed, a file or a snapshot has.
func (s *State) prepare() error {
	for _, p := range s.pools {
		if p.Created.IsZero() {
			p.Created, p.Modified = s.now(), s.now()
		}
		// Groups of a seed, or of an older file, are as old as the pool.
		for _, g := range p.Groups {
			if g.Created.IsZero() {
				g.Created, g.Modified = p.Created, p.Created
			}
		}
		for _, c := range p.Clients {
			if c.Created.IsZero() {
				c.Created, c.Modified = p.Created, p.Created
			}
		}
		if err := p.makeIndex(); err != nil {
			return fmt.Errorf("read users of pool %s: %w", p.ID, err)
		}
		if p.Keys == nil {
			continue
		}
		if err := p.Keys.parse(); err != nil {
			return fmt.Errorf("read keys of pool %s: %w", p.ID, err)
		}
	}
	return nil
}

// Now is the state's clock.
func (s *State) Now() time.Time { return s.now() }

// Pools lists the ids of the pools.
func (s *State) Pools() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, len(s.pools))
	for i, p := range s.pools {
		ids[i] = p.ID
	}
	return ids
}

// Describe returns a pool without its users, grants and keys.
func (s *State) Describe(poolID string) (Pool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return Pool{}, err
	}
	c := *p
	c.Users, c.Grants, c.Keys, c.index = nil, nil, nil, nil
	c.Clients, c.Groups = nil, nil
	for _, client := range p.Clients {
		copied := *client
		c.Clients = append(c.Clients, &copied)
	}
	for _, group := range p.Groups {
		copied := *group
		c.Groups = append(c.Groups, &copied)
	}
	return c, nil
}

// pool finds a pool. The caller holds the lock.
func (s *State) pool(id string) (*Pool, error) {
	for _, p := range s.pools {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, refuse(ResourceNotFound, fmt.Sprintf("User pool %s does not exist.", id))
}

// Client finds an app client by its id, which is unique across pools.
func (s *State) Client(id string) (Client, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.client(id); c != nil {
		return *c, true
	}
	return Client{}, false
}

// Clients lists the app clients of every pool.
func (s *State) Clients() []Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	var clients []Client
	for _, p := range s.pools {
		for _, c := range p.Clients {
			clients = append(clients, *c)
		}
	}
	return clients
}

func (s *State) client(id string) *Client {
	p, c := s.holding(id)
	if c == nil {
		return nil
	}
	_, c = s.current(p, c)
	return c
}

// holding finds a client and the pool that has it.
func (s *State) holding(id string) (*Pool, *Client) {
	for _, p := range s.pools {
		for _, c := range p.Clients {
			if c.ID == id {
				return p, c
			}
		}
	}
	return nil, nil
}

// UpdateClient changes an app client.
func (s *State) UpdateClient(id string, change func(*Client)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.client(id)
	if c == nil {
		return refuse(ResourceNotFound, fmt.Sprintf("User pool client %s does not exist.", id))
	}
	before := c.described()
	change(c)
	// The settings that the API gave are no longer current.
	after := c.described()
	if c.Settings != nil {
		c.Settings = c.Settings.follow(before, after)
	}
	return s.saveLocked()
}

// User finds a user by username, sub or e-mail address.
func (s *State) User(poolID, name string) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return User{}, err
	}
	if u := p.user(name); u != nil {
		return u.clone(), nil
	}
	return User{}, errNoUser
}

// change finds a user and lets f change them, then saves.
func (s *State) change(poolID, name string, f func(*Pool, *User) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	u := p.user(name)
	if u == nil {
		return errNoUser
	}
	was := u.clone()
	err = f(p, u)
	p.index.readdress(u, &was)
	p.index.touch(u)
	if err != nil {
		return err
	}
	s.noteUser(p, u.Sub(), &was)
	u.Modified = s.now()
	return s.saveLocked()
}

// newID returns an identifier in the form of a UUID, version 4 (RFC 9562).
func newID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return uuid(b)
}

// DerivedID returns an identifier in the same form that follows from texts: for what a
// pool that is made again has to call as it did before.
func DerivedID(of ...string) string {
	sum := sha256.New()
	for _, text := range of {
		fmt.Fprintf(sum, "%d:%s", len(text), text)
	}
	return uuid(sum.Sum(nil))
}

func uuid(b []byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func randomToken(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

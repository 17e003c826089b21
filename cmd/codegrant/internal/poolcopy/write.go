package poolcopy

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
)

// Client is an app client of the pool.
type Client struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Secret string `json:"secret,omitempty"` // one of the local pool alone
}

// Pool is what a seed says of a pool, beside its people.
type Pool struct {
	ID            string
	Name          string
	Configuration any      // of codegrant pool export
	Groups        []string // of the configuration
	Clients       []Client
	Schema        map[string]Attribute
	ByAddress     bool // people sign in with addresses, and the pool makes up usernames
	MinPassword   int  // characters that a password has at least
}

// Result is what is told about a seed once it is written.
type Result struct {
	People        int            `json:"people"`
	Statuses      map[string]int `json:"statuses"`
	Password      string         `json:"password"`
	Authenticator string         `json:"authenticator,omitempty"`
}

var errEnough = errors.New("enough")

// Write writes a seed to a new file, which only its owner can read. Whatever ends it before
// leaves no file. limit is how many people at most; 0: all.
func Write(ctx context.Context, path string, pool Pool, people People, limit int) (r Result, err error) {
	if _, err := os.Lstat(path); err == nil {
		return r, fmt.Errorf("%s exists: name another file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return r, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	buffer := bufio.NewWriterSize(f, 64<<10)
	if r, err = write(ctx, buffer, pool, people, limit); err != nil {
		return r, err
	}
	if err := errors.Join(buffer.Flush(), f.Sync(), f.Close()); err != nil {
		return r, fmt.Errorf("write the seed: %w", err)
	}
	return r, parts.Name(f.Name(), path)
}

// write writes JSON behind each key, which is YAML: whatever a text is, it is read as it was.
func write(ctx context.Context, w io.Writer, pool Pool, people People, limit int) (r Result, err error) {
	r = Result{Statuses: make(map[string]int), Password: rand.Text()[:12] + "-aA1"}
	if n := pool.MinPassword - len(r.Password); n > 0 {
		r.Password += strings.Repeat("x", n)
	}
	s := shape{byAddress: pool.ByAddress, schema: pool.Schema, authenticator: rand.Text()[:16]}
	line := func(prefix string, v any) {
		if err != nil {
			return
		}
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err = e.Encode(v); err == nil {
			_, err = io.WriteString(w, prefix+b.String())
		}
	}
	head := "# A seed for codegrant pool --seed. Its people are nobody: groups, status, second factors and\n# which attributes they have are those of a pool, and no value is.\npools:\n"
	if _, err := io.WriteString(w, head); err != nil {
		return r, err
	}
	line("  - id: ", pool.ID)
	line("    name: ", pool.Name)
	line("    configuration: ", pool.Configuration)
	line("    clients: ", slices.Concat([]Client{}, pool.Clients))
	line("    password: ", r.Password)
	if err != nil {
		return r, err
	}
	users := "    users:\n"
	var beside []map[string]string // groups that are in no configuration: those of identity providers
	known := make(map[string]bool)
	for _, name := range pool.Groups {
		known[name] = true
	}
	one := func(p Person) error {
		if limit > 0 && r.People == limit {
			return errEnough
		}
		r.People++
		r.Statuses[p.Status]++
		for _, name := range p.Groups {
			if !known[name] {
				known[name], beside = true, append(beside, map[string]string{"name": name})
			}
		}
		made := s.anonymous(p, r.People)
		if made.Authenticator != "" {
			r.Authenticator = s.authenticator
		}
		line(users+"      - ", made)
		users = ""
		return err
	}
	if failed := people(ctx, one); failed != nil && !errors.Is(failed, errEnough) {
		return r, failed
	}
	if len(beside) > 0 {
		line("    groups: ", beside)
	}
	return r, err
}

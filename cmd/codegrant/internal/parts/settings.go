package parts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
)

// Load reads a configuration, and looks at the URLs in it.
func Load(file string, options settings.Options) (*settings.Settings, error) {
	options.Database, options.Redis = checkDatabaseURL, checkRedisURL
	s, err := settings.Load(file, options)
	if err != nil {
		return nil, configurationError(err)
	}
	return s, nil
}

// Inspection is what the commands that look at stores have in common.
type Inspection struct {
	Config string `default:"codegrant.yaml" type:"path" placeholder:"FILE" help:"Configuration file of the gateway that uses these stores. Defaults to codegrant.yaml."`
	Pool   string `placeholder:"NAME" help:"Pool of the configuration, if it has several."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// The keys of the configuration that commands read, beside the pools. Mistakes in other keys, such
// as missing variables and files of the gateway, do not stop these commands.
var (
	UsesPeople   = []string{"database", "replica"}
	UsesSessions = append([]string{"sessions", "redis"}, UsesPeople...)
	UsesGrants   = append([]string{"keys", "keys_file", "keys_dir"}, UsesSessions...)
	UsesTokens   = append([]string{"upstream_oauth"}, UsesGrants...)
	UsesSync     = append([]string{"log", "events", "webhooks", "sync_ops_listen", "socket_mode"}, UsesSessions...)
)

// Load reads of the configuration what the command uses.
func (c Inspection) Load(uses []string) (*settings.Settings, error) {
	return Load(c.Config, settings.Options{Keys: session.RandomKeyring(), Uses: uses})
}

// Choose returns the pools of a configuration that are meant: the one with the name,
// or all of them where none is given.
func (c Inspection) Choose(s *settings.Settings) ([]settings.Pool, error) {
	if c.Pool == "" {
		return s.Pools, nil
	}
	pool, err := ChoosePool(s, c.Pool)
	return []settings.Pool{pool}, err
}

// ChoosePool returns the pool of that name, or the only one.
func ChoosePool(s *settings.Settings, name string) (settings.Pool, error) {
	if name == "" && len(s.Pools) == 1 {
		return s.Pools[0], nil
	}
	var names []string
	for _, p := range s.Pools {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return settings.Pool{}, fmt.Errorf("choose a pool with --pool: %s", strings.Join(names, ", "))
}

// configurationError says what to do where there is no configuration, and how many faults
// one has.
func configurationError(err error) error {
	var faults *settings.Error
	if errors.As(err, &faults) && len(faults.Faults) > 1 {
		return fmt.Errorf("the configuration has %d faults\n%w", len(faults.Faults), err)
	}
	if faults != nil && faults.Faults[0].Line == 0 && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; name the configuration with --config", err)
	}
	return err
}

// checkDatabaseURL says what is wrong with a database's URL. It connects to nothing
// and makes no file.
func checkDatabaseURL(raw string) error {
	if path, ok := strings.CutPrefix(raw, "sqlite:"); ok {
		folder := filepath.Dir(strings.TrimPrefix(path, "//"))
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return fmt.Errorf("there is no folder %s for the database file; create it, or correct the path", folder)
		}
		return nil
	}
	db, err := OpenDatabase(raw)
	if err != nil {
		return err
	}
	return db.Close()
}

// checkRedisURL does the same for Redis.
func checkRedisURL(raw string) error {
	store, err := redisstore.New(redisstore.Config{URL: raw})
	if err != nil {
		return err
	}
	return store.Close()
}

// AskRedis says why Redis does not answer.
func AskRedis(ctx context.Context, raw string) error {
	store, err := redisstore.New(redisstore.Config{URL: raw, DisableCache: true})
	if err != nil {
		return err
	}
	defer store.Close()
	if _, err := store.Get(ctx, strings.Repeat("0", 64)); !errors.Is(err, session.ErrNotFound) {
		return err
	}
	return nil
}

package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/settings"
)

// watcher takes new configurations.
type watcher struct {
	command Command
	process *process

	files   []string          // those to look at
	seen    [sha256.Size]byte // of what was in them before they were last read
	pending bool              // the last one needs somebody who does not answer
	tried   time.Time         // when
}

const (
	// settle is how long files must have been left alone before they are read: an
	// editor may be half-way.
	settle = 200 * time.Millisecond
	// tryAgain is how soon a configuration is tried again that somebody did not
	// answer for.
	tryAgain = 15 * time.Second
)

func newWatcher(c Command, p *process, s *settings.Settings) *watcher {
	// Nothing was seen: the first look reads all once more, and finds out what has
	// changed since the start.
	return &watcher{command: c, process: p, files: s.Files}
}

// run reads the configuration again on a signal, and when a file has changed.
func (w *watcher) run(ctx context.Context, hangUps <-chan os.Signal) {
	var ticks <-chan time.Time
	if w.command.ReloadEvery > 0 {
		ticker := time.NewTicker(w.command.ReloadEvery)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangUps:
			w.process.tellSystemd("RELOADING=1", "MONOTONIC_USEC="+monotonic())
			w.seen = fingerprint(w.files)
			w.reload(ctx, "signal")
			w.process.tellSystemd("READY=1")
		case <-ticks:
			if w.changed(ctx) {
				w.reload(ctx, "file")
			} else if w.pending && time.Since(w.tried) >= tryAgain {
				w.reload(ctx, "again")
			}
		}
	}
}

// changed reports whether the files are not those that were last read, and no longer
// being written to.
func (w *watcher) changed(ctx context.Context) bool {
	now := fingerprint(w.files)
	if now == w.seen {
		return false
	}
	for range 10 {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(settle):
		}
		before := now
		if now = fingerprint(w.files); now == before {
			w.seen = now
			return true
		}
	}
	return false // never at rest; the next look may be luckier
}

// reload reads the configuration, and goes on with the old one where the new one is
// wrong.
func (w *watcher) reload(ctx context.Context, why string) {
	log := w.process.log
	w.pending, w.tried = false, time.Now()
	count := func(outcome string) { w.process.metrics.reloads.WithLabelValues(label(outcome)).Inc() }
	s, err := w.command.load(w.process.keys)
	if err != nil {
		count("wrong")
		w.process.state.noteRefused(strings.Split(err.Error(), "\n")...)
		var faults *settings.Error
		if errors.As(err, &faults) {
			for _, f := range faults.Faults {
				log.Error("new configuration is wrong; the old one stays", "fault", f.Error())
			}
			w.watch(faults.Files)
		} else {
			log.Error("new configuration is wrong; the old one stays", "fault", err.Error())
		}
		return
	}
	w.watch(s.Files)
	before := w.process.current.Load()
	if s.Digest == before.Digest {
		log.Debug("configuration is unchanged", "why", why)
		return
	}
	for _, warning := range s.Warnings {
		log.Warn("configuration", "warning", warning.Error())
	}
	if err := w.process.replace(ctx, s); err != nil {
		count("not usable")
		w.process.state.noteRefused(err.Error())
		w.pending = errors.Is(err, errNotReady) && w.command.ReloadEvery > 0
		log.Error("new configuration cannot be used; the old one stays", "reason", err.Error(), "again", w.pending)
		return
	}
	for _, name := range needsRestart(before.Settings, s) {
		log.Warn("configuration changed, and takes effect at the next start", "key", name)
	}
	w.process.tellKeys(before.Settings, s)
	count("in use")
	log.Info("new configuration is in use", "why", why, "pools", len(s.Pools), "routes", len(s.Routes))
}

// watch looks at other files from now on. What was in them when they were read is
// not known: the next look reads them once more.
func (w *watcher) watch(files []string) {
	if !slices.Equal(files, w.files) {
		w.files, w.seen = files, [sha256.Size]byte{}
	}
}

// needsRestart lists what sockets and servers were made with.
func needsRestart(before, after *settings.Settings) []string {
	var keys []string
	for _, k := range []struct {
		name    string
		changed bool
	}{
		{"listen", before.Listen != after.Listen},
		{"ops_listen", before.OpsListen != after.OpsListen},
		{"ext_authz_listen", before.ExtAuthzListen != after.ExtAuthzListen},
		{"spoe_listen", before.SPOEListen != after.SPOEListen},
		{"tls", (before.Certificate == nil) != (after.Certificate == nil)},
		{"log.format", before.Log.JSON != after.Log.JSON},
		{"tracing", !reflect.DeepEqual(before.Tracing, after.Tracing)},
		{"limits.header_bytes", before.Limits.HeaderBytes != after.Limits.HeaderBytes},
		{"limits.max_sessions", before.Limits.MaxSessions != after.Limits.MaxSessions},
	} {
		if k.changed {
			keys = append(keys, k.name)
		}
	}
	return keys
}

// fingerprint is of what the files hold, and of the names in folders.
func fingerprint(files []string) [sha256.Size]byte {
	sum := sha256.New()
	for _, path := range files {
		add(sum, path)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

func add(sum hash.Hash, path string) {
	_, _ = io.WriteString(sum, "\x00"+path+"\x00")
	info, err := os.Stat(path)
	switch {
	case err != nil:
		_, _ = io.WriteString(sum, "missing")
	case info.IsDir():
		entries, _ := os.ReadDir(path)
		for _, entry := range entries {
			_, _ = io.WriteString(sum, entry.Name()+"\x00")
		}
	case info.Mode().IsRegular():
		if f, err := os.Open(path); err == nil {
			_, _ = io.Copy(sum, io.LimitReader(f, 2<<20))
			f.Close()
		}
	}
}

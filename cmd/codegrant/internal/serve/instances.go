package serve

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/cupboard"
)

// instance is a process, as it tells the others of itself.
type instance struct {
	Host          string    `json:"host"`
	PID           int       `json:"pid"`
	Version       string    `json:"version"`
	Started       time.Time `json:"started"`
	Configuration string    `json:"configuration"`
}

const (
	tellEvery       = time.Minute
	instancePurpose = "a process of the gateway"
	mostInstances   = 200
)

var instances = cupboard.Kind{Name: "instances", MaxRecords: mostInstances, MaxOfPerson: mostInstances, MaxBytes: 2 << 10}

// tellOthers says every minute, until the end, that this process is there, where there is a
// place that others read, too.
func (p *process) tellOthers(ctx context.Context) {
	key := cupboard.Key("instance", rand.Text())
	for {
		g := p.enter()
		if err := g.tell(ctx, key, p.state.started); err != nil && ctx.Err() == nil {
			p.log.Debug("this process is not shown to the other processes", "reason", err.Error())
		}
		g.leave()
		select {
		case <-ctx.Done():
			g := p.enter()
			defer g.leave()
			if g.shares() {
				last, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
				defer cancel()
				_, _ = g.stores.cupboard.Take(last, instances, key) // it ends by itself
			}
			return
		case <-time.After(tellEvery):
		}
	}
}

// shares reports whether there is a place that other processes read, too.
func (g *generation) shares() bool { return g.stores.cupboard != nil && g.KeysGiven }

func (g *generation) tell(ctx context.Context, key string, started time.Time) error {
	if !g.shares() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	host, _ := os.Hostname()
	text, err := json.Marshal(instance{cmp.Or(host, "an unnamed host"), os.Getpid(), ops.Version(), started, hex.EncodeToString(g.Digest[:6])})
	if err != nil {
		return err
	}
	r := cupboard.Record{Key: key, Value: []byte(g.Keys.Seal(instancePurpose, text, []byte(key))), Until: time.Now().Add(3 * tellEvery)}
	before, err := g.stores.cupboard.Get(ctx, instances, key)
	switch {
	case errors.Is(err, cupboard.ErrNotFound):
		return g.stores.cupboard.Put(ctx, instances, r)
	case err != nil:
		return err
	}
	r.Version = before.Version
	_, err = g.stores.cupboard.Swap(ctx, instances, r)
	return err
}

// instances are all processes that share the stores.
func (s *view) instances(ctx context.Context, g *generation) console.Panel {
	panel := console.Panel{Title: "Instances"}
	if !g.shares() {
		return panel
	}
	records, err := g.stores.cupboard.List(ctx, instances, cupboard.Query{Limit: mostInstances})
	if err != nil {
		panel.Facts = append(panel.Facts, console.Fact{Name: "All of them", Text: "not known", Detail: err.Error()})
		return panel
	}
	own := hex.EncodeToString(g.Digest[:6])
	foreign := 0
	var all []instance
	for _, r := range records {
		var i instance
		if plain, err := g.Keys.Open(instancePurpose, string(r.Value), []byte(r.Key)); err != nil || json.Unmarshal(plain, &i) != nil {
			foreign++
			continue
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b instance) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), a.Started.Compare(b.Started), a.PID-b.PID)
	})
	for _, i := range all {
		f := console.Fact{Name: i.Host, Text: "codegrant " + i.Version + ", configuration " + i.Configuration, Since: i.Started, Level: console.Good}
		if i.Configuration != own {
			f.Level, f.Detail = console.Warning, "It has another configuration than this process, which is to pass when all have read the same."
		}
		panel.Facts = append(panel.Facts, f)
	}
	if foreign > 0 {
		panel.Facts = append(panel.Facts, console.Fact{
			Name: "With other keys", Text: terminal.Plural(foreign, "instance"), Level: console.Bad,
			Detail: "They cannot open what this process encrypts, and it cannot open what they encrypt. People are signed out when their requests reach another process. Give all processes the same keys.",
		})
	}
	return panel
}

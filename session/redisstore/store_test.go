package redisstore

import (
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session/sessiontest"
)

func suite(t *testing.T, config Config) {
	sessiontest.Run(t, func(t *testing.T) sessiontest.Harness {
		c := new(clock)
		config := config
		config.Now = c.now
		return sessiontest.Harness{Store: open(t, config), Now: c.now, Advance: c.advance}
	})
}

// each runs a test on a single server and on a cluster.
func each(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("one server", func(t *testing.T) { f(t, testenv.Redis(t)) })
	t.Run("a cluster", func(t *testing.T) { f(t, clusterURL(startCluster(t))) })
}

func TestStore(t *testing.T) {
	for name, config := range map[string]Config{"with copies": {}, "without": {DisableCache: true}} {
		t.Run(name, func(t *testing.T) {
			config.URL = testenv.Redis(t)
			suite(t, config)
		})
	}
}

func TestStoreInACluster(t *testing.T) {
	nodes := startCluster(t)
	for name, config := range map[string]Config{
		"with copies": {URL: clusterURL(nodes)}, "without": {URL: clusterURL(nodes), DisableCache: true},
		"by one node": {URL: nodes[1].url() + "?cluster=true"},
	} {
		t.Run(name, func(t *testing.T) { suite(t, config) })
	}
}

package broker_test

import (
	"crypto/rand"
	"database/sql"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session/redisstore"
	"github.com/codegrant/codegrant/session/sqlstore"
)

// newShelf makes what the two processes of a site share.
var newShelf = inMemory

func inMemory(_ testing.TB, now func() time.Time) cupboard.Store { return cupboard.NewMemory(now) }

func inRedis(t testing.TB, now func() time.Time) cupboard.Store {
	t.Helper()
	store, err := redisstore.New(redisstore.Config{URL: testenv.Redis(t), Prefix: rand.Text() + ":", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store.Cupboard()
}

func inPostgres(t testing.TB, now func() time.Time) cupboard.Store {
	t.Helper()
	db, err := sql.Open("pgx", testenv.PostgresSchema(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.PostgreSQL, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store.Cupboard()
}

// on runs tests of two processes on every store that processes share.
func on(t *testing.T, tests map[string]func(*testing.T)) {
	t.Helper()
	for name, shelf := range map[string]func(testing.TB, func() time.Time) cupboard.Store{"Redis": inRedis, "PostgreSQL": inPostgres} {
		t.Run(name, func(t *testing.T) {
			newShelf = shelf
			defer func() { newShelf = inMemory }()
			for name, test := range tests {
				t.Run(name, test)
			}
		})
	}
}

// TestS668_ManyProcesses: two processes are one authorization server, whatever they share:
// codes and refresh tokens are of use once, and what has ended has ended for both.
func TestS668_ManyProcesses(t *testing.T) {
	on(t, map[string]func(*testing.T){
		"journey": TestJourney, "codes": TestS693_CodesAreBound, "refresh": TestS694_RefreshTokensTurn, "ends": TestS695_EverythingEnds,
		"people end": TestS706_PeopleEndWhatTheyAgreedTo, "consent": TestS691_ConsentEachTime,
		"client changes": TestS810_AnotherClientThanWasAgreedTo, "document gone": TestS811_ADocumentThatIsGone, "what lasts": TestS814_WhatLastsEnds,
	})
}
